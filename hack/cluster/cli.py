"""The commands of `python3 hack/cluster`: parse, choose between kind and the host cluster, answer."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster import binaries, controlplane, engine, gpus, host, images, kind, packages, paths, record, say
from cluster.paths import State


def parser(description: str) -> argparse.ArgumentParser:
    """The command line; it is what the Makefile calls."""
    root = argparse.ArgumentParser(
        prog="python3 hack/cluster", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("up", "start the cluster, or say that it runs"),
        ("down", "stop the cluster and delete what it held"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--control-plane-only", action="store_true", help="etcd, API server and controller manager only; no root"
        )
        command.add_argument("--state", type=Path, help="folder of a bare control plane (several may run)")
    commands.add_parser("status", help="say what runs and where its files are")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    build = commands.add_parser("images", help="build the project's images and load them into the cluster if it runs")
    build.add_argument("--only", choices=images.names(), help="build one of them, with what it is built on")
    build.add_argument(
        "--print-refs", action="store_true", help="print NAME=REFERENCE for each image and build nothing"
    )
    load = commands.add_parser("load", help="load image archives into the running cluster")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    fakes = commands.add_parser(
        "gpus", help="let a node of the running cluster say that it has GPUs, for tests without any"
    )
    fakes.add_argument(
        "--count", type=int, default=gpus.COUNT, help="how many (default %(default)s); 0 takes them away"
    )
    fakes.add_argument("--resource", default=gpus.RESOURCE, help="name of the resource (default %(default)s)")
    commands.add_parser("ready", help="say in one sentence what is missing for a cluster here, or nothing")
    commands.add_parser("packages", help="install FFmpeg if it is missing")
    commands.add_parser("build", help="compile the binaries that this machine's kind of cluster needs, and Helm")
    path = commands.add_parser("path", help="print the path of a tool, compiling it first if need be")
    path.add_argument("tool", help=", ".join(binary.name for binary in binaries.TABLE))
    return root


def main(description: str, arguments: Sequence[str]) -> int:
    """Run one command; a refusal is one sentence and exit code 1."""
    options = parser(description).parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except say.CannotRunError as error:
        say.line(str(error))
        return 1
    except KeyboardInterrupt:
        say.line("interrupted; `down` cleans up")
        return 130


def _bare_state(options: argparse.Namespace) -> Path:
    if options.state is None:
        raise say.CannotRunError("A bare control plane needs a folder of its own: add --state DIR.")
    return Path(options.state).resolve()


def _up(options: argparse.Namespace) -> int:
    if options.control_plane_only:
        seen = controlplane.up(_bare_state(options))
        say.line(f"control plane at {seen.server}")
        print(State(_bare_state(options)).kubeconfig)
        return 0
    name = engine.detect()
    state = paths.checkout_state()
    if name is not None:
        kind.up(state, name)
    else:
        host.require_root()
        host.refuse_strangers(state)
        _together(_prepare_node, lambda: binaries.ensure(binaries.HOST_CLUSTER))
        host.up(state)
    say.line(f"export KUBECONFIG={state.kubeconfig}")
    return 0


def _prepare_node() -> None:
    """Packages, and on a cold machine the images too: they wait for the network while the compiler has the processor."""
    packages.ensure(packages.NODE)
    if binaries.missing(binaries.HOST_CLUSTER):
        images.build(images.TABLE)


def _down(options: argparse.Namespace) -> int:
    if options.control_plane_only:
        controlplane.down(_bare_state(options))
        return 0
    name = engine.detect()
    if name is not None:
        kind.down(paths.checkout_state(), name)
    host.down(paths.checkout_state())
    return 0


def _status(_: argparse.Namespace) -> int:
    state = paths.checkout_state()
    name = engine.detect()
    if name is not None:
        there = kind.exists(name, kind.cluster_name()) if binaries.path("kind").is_file() else False
        print(f"engine      {name}\ncluster     kind {kind.cluster_name()}: {'exists' if there else 'none'}")
    else:
        there = _print_host_status(state)
    print(f"kubeconfig  {state.kubeconfig}\naudit log   {state.audit_log}\nlogs        {state.logs}")
    return 0 if there else 1


def _print_host_status(state: State) -> bool:
    seen = record.load(state.record)
    running = host.running(state)
    print(f"engine      none answers\ncluster     host: {'running at ' + running.server if running else 'stopped'}")
    for process in seen.processes if seen else ():
        print(f"  {process.name:<26}{'pid ' + str(process.pid) if process.alive() else 'ended'}")
    return running is not None


def _kubeconfig(_: argparse.Namespace) -> int:
    print(paths.checkout_state().kubeconfig)
    return 0


def _images(options: argparse.Namespace) -> int:
    wanted = images.chosen(options.only)
    if options.print_refs:
        for image in wanted:
            print(f"{image.name}={image.reference()}")
        return 0
    references = images.build(wanted)
    name = engine.detect()
    state = paths.checkout_state()
    if name is not None:
        absent = references if kind.exists(name, kind.cluster_name()) else []
    else:
        absent = sorted(set(references) - host.image_names()) if host.running(state) else []
    for reference in absent:
        with say.step(f"loaded {reference}"), tempfile.TemporaryDirectory(prefix="videojob-load-") as folder:
            load_into_running([images.save(reference, Path(folder))])
    return 0


def _ready(_: argparse.Namespace) -> int:
    if engine.detect() is None and os.geteuid() != 0:
        raise say.CannotRunError(
            "The tests need a cluster, and so a Docker or Podman engine or root: `make check` runs those that need neither."
        )
    return 0


def _packages(_: argparse.Namespace) -> int:
    packages.ensure(packages.MEDIA)
    return 0


def _load(options: argparse.Namespace) -> int:
    for archive in options.files:
        if not archive.is_file():
            raise say.CannotRunError(f"There is no image archive {archive}.")
    load_into_running(options.files)
    return 0


def load_into_running(archives: list[Path]) -> None:
    """Load the archives into whichever cluster this checkout runs; CannotRunError if it runs none."""
    state = paths.checkout_state()
    name = engine.detect()
    if name is not None:
        kind.load_images(name, archives)
    elif host.running(state) is not None:
        host.load_images(archives)
    else:
        raise say.CannotRunError("No cluster of this checkout runs: start it with `python3 hack/cluster up`.")


def _gpus(options: argparse.Namespace) -> int:
    node = gpus.fake(paths.checkout_state().kubeconfig, options.count, options.resource)
    say.line(f"node {node} says that it has {options.count} x {options.resource}")
    return 0


def _build(_: argparse.Namespace) -> int:
    names = binaries.KIND_CLUSTER if engine.detect() else binaries.HOST_CLUSTER
    binaries.ensure((*names, "helm"))
    return 0


def _path(options: argparse.Namespace) -> int:
    binaries.ensure((options.tool,))
    print(binaries.path(options.tool))
    return 0


def _together(*steps: Callable[[], None]) -> None:
    """Run the steps at the same time: one waits for the network while the other compiles. The first refusal is raised."""
    refusals: list[BaseException] = []

    def run(step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread
            refusals.append(error)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refusals:
        raise refusals[0]


_COMMANDS = {
    "up": _up,
    "images": _images,
    "ready": _ready,
    "packages": _packages,
    "down": _down,
    "status": _status,
    "kubeconfig": _kubeconfig,
    "load": _load,
    "gpus": _gpus,
    "build": _build,
    "path": _path,
}
