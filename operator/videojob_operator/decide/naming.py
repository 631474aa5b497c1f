"""Deterministic names: the name of a Job is the lock that makes its launch happen once (I1)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

JOB_NAME_LENGTH = 63
"""A Job's name is also a label value of its pods, so 63 characters at most."""
PREFIX_LENGTH = 30
"""Characters of the VideoJob's name that are kept, for people; what tells Jobs apart is the hash."""
GROUP_LENGTH = 16
"""Characters of the group's name that are kept, for people."""
NOTIFY_PREFIX = "notify-"
"""Groups that tell a webhook are `notify-` and a digest of its URL."""
WITHDRAW_GROUP = "withdraw"
"""The group that removes what an avatar which nobody goes on with has left at its provider."""
NONCE_LENGTH = 128
"""Characters of a verb's annotation that status repeats; of a longer one it keeps the digest."""
REPORT_PREFIX = "report-"
"""The group that reads the result of group `main` from the store is `report-main`."""


def job_name(uid: str, name: str, group: str, attempt: int) -> str:
    """Name of the Job that runs one attempt of a group: `<VideoJob>-<group>-a<attempt>-<hash>`.

    The hash is of UID, group and attempt: a VideoJob made anew under the same name never adopts the old one's Jobs
    (case 50). Valid as an RFC 1123 label, whatever the VideoJob is called (case 57).
    """
    digest = hashlib.sha256("\0".join((uid, group, str(attempt))).encode()).digest()
    tail = base64.b32encode(digest).decode().lower()[:8]
    return f"{_label(name, PREFIX_LENGTH) or 'videojob'}-{_label(group, GROUP_LENGTH) or 'g'}-a{attempt}-{tail}"


def report_group(group: str) -> str:
    """Name of the group whose Job reads the result of `group` from the store."""
    return f"{REPORT_PREFIX}{group}"


def sweep_name(uid: str, name: str, number: int) -> str:
    """Name of the Job of a store's sweep: `sweep-<MediaStore>-<number>-<hash>`, the hash of UID and number."""
    digest = hashlib.sha256("\0".join((uid, "sweep", str(number))).encode()).digest()
    tail = base64.b32encode(digest).decode().lower()[:8]
    return f"sweep-{_label(name, PREFIX_LENGTH) or 'store'}-{number}-{tail}"


def label_value(text: str) -> str:
    """Text as a label value: at most 63 characters, letters and digits at both ends."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", re.sub(r"[^A-Za-z0-9._-]", "-", text)[:63])


def nonce(annotations: Mapping[str, str], name: str) -> str | None:
    """The value of a verb's annotation as status keeps it: bounded, so that nobody's text fills the status; None without."""
    text = annotations.get(name)
    if not text:
        return None
    return text if len(text) <= NONCE_LENGTH else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def share(*parts: str) -> float:
    """A number from 0 (inclusive) to 1 (exclusive) that depends on the parts alone: chance without a dice."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _label(text: str, length: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")
