"""Bring the file behind a URL into the job's folder. Nothing of it is decoded here: this is the one stage with a network."""

from __future__ import annotations

import codecs
import time
from pathlib import Path

from videojob_api.contract import AUTHORIZATION_KEY, FetchParams, FetchPolicy, StageResult
from videojob_api.v1alpha1.sources import UPLOADS
from videojob_api.v1alpha1.status import FetchedStatus

from ..base.errors import BadConfig, Permanent, Recoverable, disk_full
from ..media import sniff as sniffing
from ..net.download import Downloaded, Hooks, Order, download
from ..storage import files
from .context import Context

MIB = 1 << 20
MAX_SECRET_BYTES = 8192
"""Servers take no longer header."""


def run(context: Context) -> StageResult:
    """Fetch into `uploads/<sha256>` (cases 60 and 62, T-001, A-044).

    Raises Permanent: UnsafeUrl, AddressRefused, HostRefused, TooManyRedirects, SourceNotFound, SourceForbidden,
    SourceRefused, CertificateInvalid, FileTooLarge, EmptyFile, InvalidFileType, SourceChanged; External: HostNotFound,
    SourceUnreachable, SourceUnavailable, SourceTooSlow, SourceIncomplete; Recoverable: SecretNotFound.
    """
    params = context.params
    if not isinstance(params, FetchParams):
        raise BadConfig("BadDocument", "stage fetch got another stage's params")
    source, limits = params.source, params.limits
    order = Order(
        url=source.uri,
        max_bytes=limits.max_input_bytes,
        policy=context.document.fetch or FetchPolicy(),
        authorization=_secret(context, source.secret_name) if source.secret_name is not None else None,
    )
    # The log hides the query, where the key of a signed URL stands (case 62).
    context.log.info("fetching", extra={"url": source.uri})
    context.progress(0, "Fetching the file")
    began = time.monotonic()

    def arrived(size: int, announced: int | None) -> None:
        seconds = time.monotonic() - began
        if announced is None:
            context.progress(0, f"Fetching the file: {size / MIB:.1f} MiB so far")
            return
        left = round((announced - size) * seconds / size) if seconds >= 1 else None
        text = f"Fetching the file: {size / MIB:.1f} of {announced / MIB:.1f} MiB"
        context.progress(size * 99 // max(1, announced), text, None, left)

    def room(size: int, announced: int | None) -> None:
        if announced is not None and announced - size > context.store.space()[0]:
            raise disk_full("the fetch")
        arrived(size, announced)

    def video(head: bytes) -> object:
        return sniffing.require_video(head, limits.allowed_types)

    part = context.staging / "part"
    found = download(order, part, Hooks(context.check, _text if params.text else video, room))
    if source.sha256 is not None and found.sha256 != source.sha256:
        raise Permanent(
            "SourceChanged",
            f"the file at {found.host} has sha256 {found.sha256}, source.sha256 promises {source.sha256}",
            hint="create another VideoJob with the digest of the file that is meant",
        )
    _keep(context, part, found)
    return StageResult(
        kind=context.kind.kind,
        message=f"{found.size_bytes} bytes from {found.host}"[:200],
        fetched=FetchedStatus(uri=UPLOADS + found.sha256, size_bytes=found.size_bytes, sha256=found.sha256),
    )


def _text(head: bytes) -> object:
    """The first bytes of a script; what is cut in the middle of a letter is one all the same."""
    try:
        said = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        said = "\0"
    page = said.lstrip("\ufeff \t\r\n").lower()
    if "\0" in said or page.startswith(("<!doctype", "<html", "<?xml")):
        raise Permanent(
            "InvalidFileType", "Invalid file type: the URL leads to no script, which is plain text or Markdown in UTF-8",
            hint="give the URL of the text itself, not of a page that shows it",
        )  # fmt: skip
    return said


def _secret(context: Context, name: str) -> str:
    """The Authorization header of the source's Secret; it is told nowhere."""
    hint = f"kubectl create secret generic {name} --from-literal={AUTHORIZATION_KEY}='Bearer ...', then retry"
    try:
        value = (context.secrets / name / AUTHORIZATION_KEY).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        value = ""
    if not value:
        raise Recoverable("SecretNotFound", f"there is no Secret {name} with a key {AUTHORIZATION_KEY}", hint=hint)
    if not value.isprintable() or len(value) > MAX_SECRET_BYTES:
        raise Permanent(
            "SecretUnusable", f"the key {AUTHORIZATION_KEY} of Secret {name} is no value of a header", hint=hint
        )
    return value


def _keep(context: Context, part: Path, found: Downloaded) -> None:
    """Give the whole file its name: its digest."""
    uploads = context.store.uploads
    if uploads.is_symlink():
        raise Permanent("UnsafeInput", "the job's folder uploads/ is a symbolic link", hint="remove it from the store")
    uploads.mkdir(exist_ok=True)
    files.move(part, uploads / found.sha256)
