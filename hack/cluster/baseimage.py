"""A base image without a registry: Debian 12 with Python, made by mmdebstrap from the machine's own package mirror."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster import packages, paths, say

SUITE = "bookworm"
INCLUDE = ("python3", "ca-certificates")
_DPKG = (
    # Licences stay, everything else that only people read goes; packages installed on top follow the same rule.
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)


def reference() -> str:
    """The base image's name; another content is another name."""
    return f"localhost/videojob-base:{SUITE}-{paths.digest_text(' '.join((*INCLUDE, *_DPKG)))}"


def source_lines(targets: str) -> list[str]:
    """Lines of sources.list for the suite, from `apt-get indextargets` rows of origin, codename, component and address.

    Empty if the machine is no Debian of that suite; mmdebstrap then takes Debian's public mirror.
    """
    rows = [line.split() for line in targets.splitlines()]
    found = [
        f"deb {row[3]} {row[1]} {row[2]}"
        for row in rows
        if len(row) == 4 and row[0] == "Debian" and row[1].removesuffix("-security").removesuffix("-updates") == SUITE
    ]
    return list(dict.fromkeys(found))


def make_command(target: Path, sources: Sequence[str]) -> list[str]:
    """Unpack the packages into a tar file; nothing of the host gets into it."""
    options = [f"--dpkgopt={option}" for option in _DPKG]
    return ["mmdebstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", *options, SUITE, str(target), *sources]


def ensure(buildah: Sequence[str]) -> str:
    """The base image in buildah's storage, made on first use; answers its name."""
    name = reference()
    if subprocess.run([*buildah, "inspect", "--type=image", name], capture_output=True, check=False).returncode == 0:
        return name
    packages.ensure(packages.IMAGES)
    listing = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]
    targets = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    with (
        say.step("made the base image: Debian 12 with Python"),
        tempfile.TemporaryDirectory(prefix="videojob-base-") as folder,
    ):
        tarball = Path(folder) / "base.tar"
        _run(make_command(tarball, source_lines(targets)))
        container = _run([*buildah, "from", "scratch"]).strip()
        try:
            _run([*buildah, "add", "--quiet", container, str(tarball), "/"])
            _run(
                [
                    *buildah,
                    "config",
                    "--env",
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    container,
                ]
            )
            _run([*buildah, "commit", "--quiet", container, name])
        finally:
            subprocess.run([*buildah, "rm", container], capture_output=True, check=False)
    return name


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise say.CannotRunError(f"The base image could not be made, {command[0]} said: {lines[-1]}")
    return done.stdout
