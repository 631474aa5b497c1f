"""The finished video, brought from the address that a service names. No credentials go there."""

from __future__ import annotations

import re
from pathlib import Path

from ...base.errors import External, Permanent, Recoverable
from ..calling import Service, wrong
from .base import AVATAR_ERROR, MAX_VIDEO_BYTES, Dealing, looks_like_video

GONE = frozenset({"SourceForbidden", "SourceNotFound"})
"""How an address that has ended is answered: signed ones live for hours."""


class AddressEnded(Exception):
    """The address leads nowhere any more; the service has to be asked for another one."""


def fetched(url: object, errand: Dealing, who: Service, authorization: str | None = None) -> Path:
    """The video as a new file of the folder that outlives the attempt. Raises AddressEnded, External or Recoverable."""
    from ...net.download import Hooks, Order, download  # noqa: PLC0415 - brings the HTTP client

    if not isinstance(url, str) or not re.match(r"https?://", url):
        raise wrong(who, "it named no address for its video")
    target = errand.keep / "coming.mp4"
    target.unlink(missing_ok=True)
    means = errand.means

    def arrived(size: int, announced: int | None) -> None:
        whole = f" of {announced / 1e6:.1f}" if announced else ""
        errand.told(90, f"{who.name}: {size / 1e6:.1f}{whole} MB of the video")

    hooks = Hooks(means.check, lambda head: looks_like_video(who, head), arrived)
    try:
        download(Order(url, MAX_VIDEO_BYTES, means.policy, authorization), target, hooks)
    except Permanent as error:
        if error.code in GONE:
            raise AddressEnded from None
        if error.code == "EmptyFile":
            raise wrong(who, "its video is empty") from None
        raise
    except External as error:
        named = External(AVATAR_ERROR, f"{who.name}: {error.message}", hint=error.hint)
        named.retry_after_seconds = error.retry_after_seconds
        raise named from None
    except Recoverable:
        target.unlink(missing_ok=True)
        raise
    return target
