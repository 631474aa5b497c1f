"""Images of one static program and nothing else, written as OCI archives without any image builder."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(program: Path, reference: str, target: Path) -> Path:
    """Write an archive that holds `/NAME` as the entry point of an image called `reference`."""
    layer = _layer(program)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_sha256(layer)]},
    }
    blobs: dict[str, bytes] = {}
    config_entry = _blob(blobs, "application/vnd.oci.image.config.v1+json", _json(config))
    layer_entry = _blob(blobs, "application/vnd.oci.image.layer.v1.tar", layer)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config_entry,
        "layers": [layer_entry],
    }
    entry = _blob(blobs, str(manifest["mediaType"]), _json(manifest))
    entry["annotations"] = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference}
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [entry]}),
        **blobs,
    }
    with tarfile.open(target, "w") as archive:
        for name, data in files.items():
            _add(archive, name, data, 0o644)
    return target


def _layer(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add(archive, program.name, program.read_bytes(), 0o755)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def _blob(blobs: dict[str, bytes], media_type: str, data: bytes) -> dict[str, Any]:
    digest = _sha256(data)
    blobs[f"blobs/{digest.replace(':', '/')}"] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
