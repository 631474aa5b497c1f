"""The command line: every command reads its options, calls the client, shows the result."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from importlib.metadata import version as distribution_version
from pathlib import Path
from types import FrameType
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from videojob_api.names import API_VERSION, DEFAULT_QUEUE, Phase

from . import init as make_ready
from . import manifests, planning, repro_command, show, sources, stats, storage, verbs
from . import run as local
from .client import VideoJobs, is_finished, phase_of
from .collecting import as_object
from .errors import CliError, Exit
from .kube import Json, connect
from .options import Clip, Context, Form, Image, Kubeconfig, Manifests, Namespace, Output, Timeout, Wait

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    help="Video work on Kubernetes: submit files, follow VideoJobs, fetch outputs; or run them here without a cluster.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _jobs(namespace: str | None, context: str | None, kubeconfig: Path | None) -> VideoJobs:
    return VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)


@app.command()
def submit(
    filename: Manifests = None,
    file: Clip = None,
    url: Annotated[str | None, typer.Option(help="URL of the video, fetched by a pod instead of uploaded.")] = None,
    profiles: Annotated[
        list[str] | None, typer.Option(help="Outputs to make: names, comma-separated or repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the VideoJob; made from the file's by default.")] = None,
    priority: Annotated[str | None, typer.Option(help="High, Normal or Low.")] = None,
    max_size: Annotated[str | None, typer.Option(help="Largest file, for example 2Gi; 500Mi by default.")] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Upload files and create VideoJobs: `--file clip.mp4`, or `-f manifest.yaml` with the files it names beside it."""
    if file is None and url is None and not filename:
        raise CliError("Nothing to submit: give --file CLIP, --url URL, or -f MANIFEST.", Exit.USAGE)
    if url is not None and (file is not None or filename):
        raise CliError("--url goes without --file and -f: it is the source.", Exit.USAGE)
    if filename and (profiles or name or priority or max_size):
        raise CliError(
            "--profiles, --name, --priority and --max-size go with --file alone: a manifest says them.", Exit.USAGE
        )
    jobs = _jobs(namespace, context, kubeconfig)
    documents = (
        from_manifests(jobs, filename, file, image)
        if filename
        else [_from_url(url, _split(profiles), name, priority, max_size)]
        if url is not None
        else [_from_file(jobs, file, _split(profiles), name, priority, max_size, image)]
    )
    made = []
    for document in documents:
        made.append(jobs.create(document))
        show.say(f"videojob.videojob.dev/{made[-1]['metadata']['name']} created in {jobs.namespace}")
    if wait:
        made = _follow(jobs, [each["metadata"]["name"] for each in made], timeout)
    _print_jobs(made, output, waited=wait)
    if wait:
        _judge(made)
    for job in made:
        show.say(show.next_step(job))


def _split(values: list[str] | None) -> list[str]:
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


def _from_file(
    jobs: VideoJobs,
    file: Path | None,
    profiles: list[str],
    name: str | None,
    priority: str | None,
    max_size: str | None,
    image: str | None,
) -> Json:
    assert file is not None  # noqa: S101 - the caller has one of the two
    found = sources.local_file(file)
    spec = manifests.transcode_spec(found.uri, file.name, profiles=profiles, priority=priority, limit=max_size)
    document = manifests.videojob(spec, name=name, generate=manifests.slug(file.name))
    sources.job_spec(file, document)
    _upload(jobs, [found], [max_size or sources.DEFAULT_LIMIT], image)
    return document


def _from_url(url: str, profiles: list[str], name: str | None, priority: str | None, max_size: str | None) -> Json:
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) or "video"
    spec = manifests.transcode_spec(url, filename, profiles=profiles, priority=priority, limit=max_size)
    document = manifests.videojob(spec, name=name, generate=manifests.slug(filename))
    sources.job_spec("--url", document)
    return document


def from_manifests(jobs: VideoJobs, paths: list[Path], file: Path | None, image: str | None) -> list[Json]:
    """The VideoJobs of manifests, ready to be created: their local files are in the inbox, their profiles applied."""
    found = sources.read_manifests(paths)
    wanted = [(path, document) for path, document in found if document["kind"] == "VideoJob"]
    if not wanted:
        raise CliError(f"{', '.join(map(str, paths))}: no VideoJob in it; apply profiles alone with kubectl.")
    if file is not None and len(wanted) != 1:
        raise CliError(f"--file goes with one VideoJob, the manifests have {len(wanted)}.", Exit.USAGE)
    for path, document in found:
        if document["kind"] == "VideoProfile":
            sources.profile_spec(path, document)
    uploads: dict[str, list[tuple[sources.LocalFile, str]]] = {}
    documents = []
    with tempfile.TemporaryDirectory(prefix="videojob-submit-") as scratch:
        for path, document in wanted:
            complete, given = sources.completed(path, document, file, Path(scratch))
            spec = sources.job_spec(path, complete)
            if given:
                uploads.setdefault(spec.store, []).extend((local, sources.limit_of(spec, local)) for local in given)
            documents.append(complete)
        for store, group in uploads.items():
            _upload(jobs, [each for each, _ in group], [limit for _, limit in group], image, store)
    for _, document in found:
        if document["kind"] == "VideoProfile":
            jobs.apply_profile(document)
    return documents


def _upload(
    jobs: VideoJobs, files: list[sources.LocalFile], limits: list[str], image: str | None, store: str = "default"
) -> None:
    text = "uploading " + ", ".join(file.path.name for file in files)
    with show.Bytes(text, sum(file.size for file in files)) as bar:
        jobs.upload(files, store=store, limits=limits, image=image, moved=bar.moved)


def _follow(jobs: VideoJobs, names: list[str], timeout: float | None) -> list[Json]:
    deadline = None if timeout is None else time.monotonic() + timeout
    with show.Follower() as follower:
        return [
            jobs.wait(
                name, seconds=None if deadline is None else max(0.0, deadline - time.monotonic()), changed=follower
            )
            for name in names
        ]


def _print_jobs(found: list[Json], form: Form, *, waited: bool) -> None:
    if form is not Form.TABLE:
        print(show.dump(found[0] if len(found) == 1 else found, form))
        return
    for job in found:
        outputs = (job.get("status") or {}).get("outputs")
        print(show.outputs(outputs) if waited and outputs else job["metadata"]["name"])


def _judge(found: list[Json]) -> None:
    """Exit 3 with the reasons when any failed."""
    bad = [job for job in found if phase_of(job) != Phase.SUCCEEDED]
    if bad:
        reasons = [
            f"VideoJob {job['metadata']['name']} {phase_of(job)}. " + "\n".join(show.failure(job)) for job in bad
        ]
        raise CliError("\n".join(reasons), Exit.JOB_FAILED)


@app.command()
def upload(
    file: Annotated[Path, typer.Option("--file", help="File to bring into the namespace's inbox.")],
    max_size: Annotated[str, typer.Option(help="Largest file, for example 2Gi.")] = sources.DEFAULT_LIMIT,
    store: Annotated[str, typer.Option(help="MediaStore to bring it into.")] = "default",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Upload a file only, and print the URI to name it by in a manifest."""
    found = sources.local_file(file)
    _upload(_jobs(namespace, context, kubeconfig), [found], [max_size], image, store)
    print(found.uri)


@app.command()
def status(
    name: str,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one VideoJob: stages, outputs, what it waits for or failed of."""
    jobs = _jobs(namespace, context, kubeconfig)
    job = _follow(jobs, [name], timeout)[0] if wait and not is_finished(jobs.status(name)) else jobs.status(name)
    print(show.status(job) if output is Form.TABLE else show.dump(job, output))
    if wait:
        _judge([job])


@app.command("list")
def list_jobs(
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Of all namespaces.")] = False,
    selector: Annotated[str | None, typer.Option("-l", "--selector", help="Label selector.")] = None,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List VideoJobs."""
    jobs = _jobs(namespace, context, kubeconfig)
    found = list(jobs.list(everywhere=everywhere, selector=selector))
    show.listed("VideoJobs", found, show.jobs, output, None if everywhere else jobs.namespace)


@app.command("stats")
def queue_stats(
    queue: Annotated[str, typer.Option(help="The VideoQueue.")] = DEFAULT_QUEUE,
    output: Output = Form.JSON,
    operator_namespace: Annotated[
        str, typer.Option(help="The operator's namespace.", envvar="VIDEOJOB_OPERATOR_NAMESPACE")
    ] = make_ready.OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print a queue's numbers as JSON: depth, dead letters, VideoJobs by status, how many end a minute; as a table, slots too."""
    status = stats.look(connect(kubeconfig, context), queue, operator_namespace)
    found = stats.numbers(status)
    print(f"{stats.table(found)}\n\n{stats.slots(status)}" if output is Form.TABLE else show.dump(found, output))


@app.command()
def outputs(
    name: str,
    download: Annotated[Path | None, typer.Option(help="Folder to bring the files into, verified.")] = None,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Show a VideoJob's outputs, and with --download fetch them."""
    jobs = _jobs(namespace, context, kubeconfig)
    _, found = jobs.outputs(name)
    if download is not None:
        with show.Bytes(f"downloading {len(found)} files", sum(one["sizeBytes"] for one in found)) as bar:
            files = jobs.download(name, download, image=image, moved=bar.moved)
        for file in files:
            show.say(str(file))
    print(show.outputs(found) if output is Form.TABLE else show.dump(list(found), output))


verbs.register(app)


@app.command()
def init(
    size: Annotated[str | None, typer.Option(help="Size of the store's claim; 10Gi for a new one.")] = None,
    storage_class: Annotated[
        str | None, typer.Option(help="StorageClass of the claim; the cluster's default without.")
    ] = None,
    access_mode: Annotated[str, typer.Option(help="ReadWriteOnce, or ReadWriteMany to let stages run on any node.")] = (
        "ReadWriteOnce"
    ),
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make the namespace if it is missing.")
    ] = False,
    output: Annotated[
        Form, typer.Option("-o", "--output", help="Print the objects (for Git) instead of making them.")
    ] = (Form.TABLE),
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Make a namespace ready for VideoJobs: claim, MediaStore, worker account. Can be repeated."""
    api = connect(kubeconfig, context)
    where = namespace or api.namespace
    chosen = image or make_ready.find_worker_image(api, where)
    wanted = manifests.init_objects(
        where, image=chosen, size=size or manifests.SIZE, storage_class=storage_class, access_mode=access_mode
    )
    if chosen is None:
        show.say("No worker image found: uploads will need --image until `videojob init` is repeated with it.")
    if output is not Form.TABLE:
        listed = ([manifests.namespace_object(where)] if create_namespace else []) + wanted
        print(
            "\n---\n".join(show.dump(each, "yaml") for each in listed)
            if output is Form.YAML
            else show.dump(listed, "json")
        )
        return
    if make_ready.ensure_namespace(api, where, create=create_namespace):
        print(f"Namespace/{where} created")
    for each in make_ready.needed(api, wanted):
        print(f"{each['kind']}/{each['metadata']['name']} {make_ready.ensure(api, each, grow=size is not None)}")


@app.command()
def run(
    manifest: Annotated[list[Path], typer.Argument(help="Manifests with VideoJobs (and VideoProfiles).")],
    file: Clip = None,
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the outputs: one folder a VideoJob in it.")
    ] = Path("videojob-output"),
    store: Annotated[
        Path | None,
        typer.Option(help="Folder to use as store and to keep, laid out like a volume: stock files, evidence."),
    ] = None,
    allow_network: Annotated[
        list[str] | None,
        typer.Option(help="Network (CIDR) that URLs may lead to although it is not public; repeatable."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the workers' logs.")] = False,
) -> None:
    """Run manifests on this machine without any cluster: the same planner, the same stages, the same outputs.

    The Secret that a URL names is read from the file $VIDEOJOB_SECRETS/NAME/authorization.
    """
    with show.Follower() as follower:
        ended = local.run(
            manifest,
            file=file,
            output=output,
            store=store,
            allow_networks=tuple(allow_network or ()),
            changed=lambda view: follower(as_object(view)),
            log=show.say if verbose else None,
        )
    for one in ended:
        if one.view.status.outputs:
            print(f"{one.folder}{os.sep}")
            print(show.outputs([each.dump() for each in one.view.status.outputs]))
    stuck = [f"VideoJob {one.view.name}: {text}" for one in ended if (text := local.obstacle(one.view)) is not None]
    if stuck:
        raise CliError("\n".join(stuck))
    _judge([one.as_object() for one in ended])


app.command("repro")(repro_command.command)
app.command("plan")(planning.command)
app.add_typer(storage.app, name="storage")


@app.command()
def version() -> None:
    """Print this command's version and the API it speaks."""
    print(f"videojob {distribution_version('videojob')} ({API_VERSION})")


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, through every `finally`; further signals must not cut that short."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


_ENDING = (signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """The console scripts `videojob` and `kubectl-videojob`."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _leave)
    called_by_kubectl = Path(sys.argv[0]).name.startswith("kubectl")
    try:
        app(prog_name="kubectl videojob" if called_by_kubectl else "videojob")
    except CliError as error:
        show.stderr().print(f"videojob: {error.message}", markup=False)
        sys.exit(error.code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
