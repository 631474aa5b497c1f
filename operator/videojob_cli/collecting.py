"""What a run on this machine leaves in its output folder: outputs, previews, or what helps to understand a failure."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from videojob_api.names import Phase
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.decide.world import VideoJobView

from . import sources
from .errors import CliError
from .kube import Json
from .localjob import Folders

PREVIEW = "preview"
"""What the last stage of a VideoJob with `spec.stopAfter` has made."""
INPUTS_FILE = "inputs.json"
"""After a failure: which files of this machine the inputs are."""


@dataclass(frozen=True)
class Ended:
    """One VideoJob at its end."""

    view: VideoJobView
    folder: Path
    """Where its outputs lie, or, after a failure, what helps to understand it."""

    def as_object(self) -> Json:
        """In the API server's form, as everything that shows VideoJobs takes it."""
        return as_object(self.view)


def as_object(view: VideoJobView) -> Json:
    """A VideoJob in the API server's form."""
    return {
        "metadata": {"namespace": view.namespace, "name": view.name, "uid": view.uid},
        "spec": view.spec.dump() if view.spec is not None else {},
        "status": view.status.dump(),
    }


def collect(view: VideoJobView, folders: Folders, output: Path, given: Sequence[sources.LocalFile] = ()) -> Ended:
    """Bring a job's files out of the store: outputs and manifest, or after a failure what helps to understand it, and a note
    of where its input is, for `videojob repro`.

    The folder is built beside its place and takes the place of an earlier run's, so that two runs never mix.
    """
    target = output / view.name
    job = folders.job(view.namespace, view.uid)
    with tempfile.TemporaryDirectory(prefix=f".{view.name}-", dir=output, ignore_cleanup_errors=True) as beside:
        made, old = Path(beside, "new"), Path(beside, "old")
        made.mkdir()
        if view.status.phase == Phase.SUCCEEDED:
            for one in view.status.outputs:
                shutil.copyfile(job / one.path, made / Path(one.path).name)
            if view.status.outputs:
                shutil.copyfile(job / "manifest.json", made / "manifest.json")
            else:
                _preview(view, job, made)
        elif (job / "debug").is_dir():
            shutil.copytree(job / "debug", made / "debug")
            (made / INPUTS_FILE).write_text(json.dumps(_inputs(view, folders, given), indent=2) + "\n")
        (made / "status.json").write_text(json.dumps(view.status.dump(), indent=2, ensure_ascii=False) + "\n")
        if target.exists():
            target.rename(old)
        made.rename(target)
    return Ended(view, target)


def _preview(view: VideoJobView, job: Path, made: Path) -> None:
    """After `spec.stopAfter` there are no outputs: what its last stage left is what people want to look at, or to hear."""
    last = view.status.stages[-1]
    row = next(row for row in KINDS.values() if row.stage == last.name)
    folder = job / "processed" / row.kind / str(last.key)
    if folder.is_dir():
        shutil.copytree(folder, made / PREVIEW)


def _inputs(view: VideoJobView, folders: Folders, given: Sequence[sources.LocalFile]) -> dict[str, str]:
    """Where on this machine the inputs are: the files that were given, and those in a kept store."""
    found = {file.uri: str(file.path.absolute()) for file in given if not file.passing}
    prefix, spec = "store://stock/", view.spec.dump() if view.spec is not None else {}
    for uri in (str(named.get("uri", "")) for _, named in sources.named(spec)):
        if uri.startswith(prefix):
            found[uri] = str((folders.stock(view.namespace) / uri.removeprefix(prefix)).absolute())
    return found


def check_folder(target: Path) -> None:
    """CliError unless the place of a VideoJob's outputs is free, or holds nothing but what an earlier run left there."""
    if not target.exists() and not target.is_symlink():
        return
    remedy = "choose another --output, or move it away"
    if target.is_symlink() or not target.is_dir():
        raise CliError(f"{target} is in the way of the outputs' folder: {remedy}.")
    try:
        inside = {path.name for path in target.iterdir()}
    except OSError as error:
        raise CliError(f"Folder {target} cannot be read ({error.strerror}): {remedy}.") from error
    foreign = sorted(inside - _left_by_a_run(target))
    if foreign:
        raise CliError(f"Folder {target} would be replaced, and {foreign[0]} in it is not of an earlier run: {remedy}.")


def _left_by_a_run(target: Path) -> set[str]:
    """Names of what an earlier run put there; nothing counts as its own unless its status, which is whole, lies there."""
    try:
        status = VideoJobStatus.model_validate_json((target / "status.json").read_bytes())
    except (OSError, ValueError):
        return set()
    return {PurePosixPath(one.path).name for one in status.outputs} | {
        "status.json",
        "manifest.json",
        "debug",
        PREVIEW,
        INPUTS_FILE,
    }
