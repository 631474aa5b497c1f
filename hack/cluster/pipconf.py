"""What a build inside a container needs to reach the package index that this machine reaches: pip's settings and its CA file.

Both are handed over as build secrets, so that no layer of an image remembers a mirror, a password or an authority.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

CA_TARGET = "/etc/pip-ca.pem"
_CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_LOCAL_ONLY = frozenset({"cache-dir", "log", "target", "prefix", "user", "require-virtualenv", "client-cert", "cert"})
"""Settings that name places of this machine, or would change where a build installs to."""
_OF_THIS_MACHINE = ("/", "~", "./", "../", "file:")
"""How a word of any other setting begins that names such a place."""


def settings(listed: str) -> dict[str, str]:
    """Settings out of `pip config list`; what the environment says wins over files, folders of this machine are left out."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, separator, quoted = line.partition("=")
        section, _, name = key.rpartition(".")
        if not separator or section not in ("global", "install", ":env:") or name in _LOCAL_ONLY:
            continue
        try:
            value = str(ast.literal_eval(quoted))
        except (ValueError, SyntaxError):
            continue
        value = " ".join(word for word in value.split() if not word.startswith(_OF_THIS_MACHINE))
        if value and (section == ":env:" or name not in found):
            found[name] = value
    return found


def render(values: Mapping[str, str], *, with_ca: bool) -> str:
    """A pip configuration file for the build."""
    lines = ["[global]", *(f"{name} = {value}" for name, value in sorted(values.items()))]
    if with_ca:
        lines.append(f"cert = {CA_TARGET}")
    return "\n".join(lines) + "\n"


def ca_bundle(listed: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file of certificate authorities that this machine's pip trusts, None if it uses its own."""
    named = [environ[name] for name in _CA_VARIABLES if environ.get(name)]
    named += [line.partition("=")[2].strip("'\"") for line in listed.splitlines() if line.startswith("global.cert=")]
    return next((Path(name) for name in named if Path(name).is_file()), None)


def secrets(folder: Path, pythons: Iterable[str] = (sys.executable, "python3")) -> list[str]:
    """Write the secrets' files and answer the options that hand them to a build."""
    listed = ""
    for python in pythons:
        done = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            listed = done.stdout
            break
    authority = ca_bundle(listed)
    target = folder / "pip.conf"
    target.write_text(render(settings(listed), with_ca=authority is not None))
    options = [f"--secret=id=pipconf,src={target}"]
    if authority is not None:
        options.append(f"--secret=id=ca,src={authority}")
    return options
