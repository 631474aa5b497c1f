"""The project's images: built by Docker, Podman or buildah, whichever is there, and named by their content."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import baseimage, engine, locks, packages, paths, pipconf, say
from cluster.paths import CHECKOUT


@dataclass(frozen=True)
class Image:
    """One image: its short name for the command line, its Containerfile, and the folders that it is made of."""

    name: str
    containerfile: str
    sources: tuple[str, ...]
    on: str | None = None
    """Name of the image that it is built on; built on request only."""

    @property
    def repository(self) -> str:
        """The name without a tag; localhost, since no registry has it."""
        return f"localhost/videojob-{self.name}"

    def reference(self, checkout: Path = CHECKOUT) -> str:
        """Version and content: an unchanged source has its image already, a changed one never meets the old image."""
        files = [
            checkout / part
            for part in ("pyproject.toml", "hack/cluster/requirements.py", self.containerfile, *self.sources)
        ]
        salt = " ".join((baseimage.reference(), *arguments(self, checkout)))
        return f"{self.repository}:{version(checkout)}-{paths.digest(*files, salt=salt)}"


TABLE = (
    Image("operator", "operator/Containerfile", ("crds/videojob_api", "operator/videojob_operator")),
    Image(
        "worker",
        "worker-image/Containerfile",
        ("crds/videojob_api", "worker-image/videojob_worker", "hack/wheelfiles.py"),
    ),
)


ON_REQUEST = (Image("worker-vision", "worker-image/Containerfile.vision", (), on="worker"),)
"""Gigabytes that are built only when they are asked for by name."""
CHOICES = ("EXTRA", "ACCELERATOR", "TORCH")
"""Build arguments of theirs that are taken from the environment."""


def names() -> tuple[str, ...]:
    """What `--only` takes."""
    return tuple(image.name for image in (*TABLE, *ON_REQUEST))


def chosen(only: str | None) -> tuple[Image, ...]:
    """All images of every installation, or the one named, with the one that it is built on before it."""
    named = [image for image in (*TABLE, *ON_REQUEST) if image.name == only]
    below = [image for image in TABLE if any(image.name == each.on for each in named)]
    return TABLE if only is None else (*below, *named)


def arguments(image: Image, checkout: Path = CHECKOUT) -> list[str]:
    """Build arguments that make one image differ from another of the same files."""
    below = [f"--build-arg=WORKER={each.reference(checkout)}" for each in TABLE if each.name == image.on]
    asked = [f"--build-arg={name}={os.environ[name]}" for name in CHOICES if below and os.environ.get(name)]
    return [*below, *asked]


def version(checkout: Path = CHECKOUT) -> str:
    """The project's version."""
    with (checkout / "pyproject.toml").open("rb") as source:
        return str(tomllib.load(source)["project"]["version"])


@dataclass(frozen=True)
class Builder:
    """A program that builds images: how it is called, and what it is called before and after the build's own options."""

    program: tuple[str, ...]
    build: tuple[str, ...]
    base: Callable[[], str] | None = None
    """Makes a base image where no registry is reached; None takes the Containerfile's public one."""

    def build_command(self, image: Image, reference: str, base: str | None, secrets: Sequence[str]) -> list[str]:
        """Build the image under its reference, and under the plain version beside it."""
        given = [f"--build-arg=VERSION={version()}", *arguments(image)]
        if base is not None:
            given.append(f"--build-arg=BASE={base}")
        tags = [f"--tag={reference}", f"--tag={image.repository}:{version()}"]
        return [*self.program, *self.build, *given, *secrets, *tags, f"--file={image.containerfile}", "."]

    def exists_command(self, reference: str) -> list[str]:
        """Ends with 0 if the image is in the builder's storage."""
        if self.program[0] == "buildah":
            return [*self.program, "inspect", "--type=image", reference]
        return [*self.program, "image", "inspect", reference]

    def save_command(self, reference: str, target: Path) -> list[str]:
        """Write the image as a Docker archive, whose layers are not compressed: on one machine that only costs time."""
        if self.program[0] == "buildah":
            return [*self.program, "push", "--quiet", reference, f"docker-archive:{target}:{reference}"]
        if self.program[0] == "podman":
            return [*self.program, "save", "--quiet", "--format=docker-archive", f"--output={target}", reference]
        return [*self.program, "save", f"--output={target}", reference]


def builder() -> Builder:
    """The engine that answers, else buildah, which needs none.

    Raises CannotRunError with one sentence if there is no engine and buildah cannot be installed.
    """
    name = engine.detect()
    if name == "docker":
        return Builder(("docker",), ("build", "--quiet"))
    if name == "podman":
        return Builder(("podman",), ("build", "--quiet", "--layers"))
    packages.ensure(packages.IMAGES)
    program = ("buildah", f"--storage-driver={_storage_driver()}")
    build = ("bud", "--quiet", "--layers", "--isolation=chroot", "--format=docker")
    return Builder(program, build, base=functools.partial(baseimage.ensure, program))


@functools.cache
def _storage_driver() -> str:
    """Overlay where the kernel mounts one on buildah's storage, else plain copies."""
    probe = subprocess.run(["buildah", "--storage-driver=overlay", "images", "-q"], capture_output=True, check=False)
    return "overlay" if probe.returncode == 0 else "vfs"


def build(wanted: Sequence[Image]) -> list[str]:
    """Build those images whose content is new; answers the references of all."""
    if engine.detect() is None and os.geteuid() != 0:
        raise say.CannotRunError("No Docker or Podman engine answers and only root can build images with buildah.")
    tool = builder()
    with locks.exclusive(paths.cache_root() / "images.lock", "another build of the images"):
        for image in wanted:
            reference = image.reference()
            if _exists(tool, reference):
                say.line(f"{reference} is up to date")
                continue
            base = tool.base() if tool.base else None
            with say.step(f"built {reference}"), tempfile.TemporaryDirectory(prefix="videojob-build-") as folder:
                _run(
                    tool.build_command(image, reference, base, pipconf.secrets(Path(folder))), f"The {image.name} image"
                )
    return [image.reference() for image in wanted]


def save(reference: str, folder: Path) -> Path:
    """The image as an archive file that a node can load."""
    target = folder / f"{reference.rpartition('/')[2].replace(':', '-')}.tar"
    target.unlink(missing_ok=True)
    _run(builder().save_command(reference, target), reference)
    return target


def _exists(tool: Builder, reference: str) -> bool:
    return subprocess.run(tool.exists_command(reference), capture_output=True, check=False).returncode == 0


def _run(command: list[str], what: str) -> None:
    nice = ["nice"] if shutil.which("nice") else []
    environ = {**os.environ, "DOCKER_BUILDKIT": "1", "TMPDIR": tempfile.gettempdir()}
    done = subprocess.run([*nice, *command], cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no message"]
        raise say.CannotRunError(f"{what} could not be built or saved, {command[0]} said: {' | '.join(lines[-4:])}")
