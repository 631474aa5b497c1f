"""Where an attempt's files come from: the store of a cluster, or the folder that a failed `videojob run` left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pydantic import ValidationError

from videojob_api.contract import Identity, StorePaths, TaskDocument
from videojob_api.v1alpha1 import VideoJobStatus

from . import transfer
from .collecting import INPUTS_FILE
from .errors import CliError, Refused


class PodOrigin:
    """The store of a cluster, through a transfer pod."""

    def __init__(self, pod: transfer.TransferPod) -> None:
        self._pod = pod

    def fetch(self, part: str, path: str, target: Path) -> bool:
        """See `Origin`."""
        root = {"job": StorePaths().job, "inbox": StorePaths().inbox, "stock": StorePaths().stock}[part]
        try:
            self._pod.download(path, target, None, root=root)
        except Refused as error:
            if error.reason == "NotFound":
                return False
            raise
        return True


class FolderOrigin:
    """What `videojob run` left after a failure: debug/ and, if nothing has moved, the inputs where they were."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inputs: dict[str, str] = {}
        path = folder / INPUTS_FILE
        if path.is_file():
            self._inputs = json.loads(path.read_bytes())

    def fetch(self, part: str, path: str, target: Path) -> bool:
        """See `Origin`."""
        source = self._folder / path
        if part != "job" or path.startswith("uploads/"):
            found = self._inputs.get(f"store://{path if part == 'job' else f'{part}/{path}'}")
            if found is None:
                return False
            source = Path(found)
        if not source.is_file():
            return False
        shutil.copyfile(source, target)
        return True


def of_folder(folder: Path) -> tuple[Identity, VideoJobStatus]:
    """Whose failed run a folder holds. CliError when it is none."""
    try:
        status = VideoJobStatus.model_validate_json((folder / "status.json").read_bytes())
        found = sorted((folder / "debug").rglob("*.document.json"))
        document = TaskDocument.model_validate_json(found[0].read_bytes()) if found else None
    except (OSError, ValidationError) as error:
        raise CliError(f"{folder} is not what `videojob run` leaves: it needs status.json and debug/.") from error
    if document is None:
        raise CliError(f"{folder} holds no attempt (debug/): only a run that failed leaves any.")
    return document.job, status
