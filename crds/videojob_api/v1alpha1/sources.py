"""Where a video comes from: a file of the namespace's store, or a URL that is fetched into it (T-001)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from .base import ApiModel, Rule

INBOX, UPLOADS, STOCK = "store://inbox/", "store://uploads/", "store://stock/"
STORED = r"store://(inbox/[0-9a-f]{64}|stock/[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*){0,7})"
"""An upload by its sha256, or a file the team keeps; never a path outside the store."""
URL = r"https?://[A-Za-z0-9._:@%\[\]-]+([/?][!$-&(-;=?-Z\[\]_a-z~]*)?"
"""A URL without blanks, quotes, backslashes and fragment: what ends a URL in a text does not stand in one, so that texts
can be cleared of queries. User and password are refused with a sentence of their own."""
PLAIN_URL = URL.replace(":@%", ":%")
"""The same without a user or a password."""
SOURCE_URI = f"^({STORED}|{URL})$"
"""What a source may point at."""
CREDENTIALS = "^https?://[^/?]*@"


def stored_digest(uri: str) -> str | None:
    """The sha256 that a URI of the store promises (an upload's, or that of what was fetched), or None."""
    match = re.fullmatch(r"store://(?:inbox|uploads)/([0-9a-f]{64})", uri)
    return match[1] if match is not None else None


class StoredFile(ApiModel):
    """A file of the store, as a stage reads it."""

    uri: Annotated[str, Field(max_length=2048)]
    """`store://inbox/<sha256>`, `store://stock/<path>`, or `store://uploads/<sha256>` for what this job has fetched."""
    filename: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\x00-\x1f\x7f]+$")] | None = None
    """The name people know the file by; shown in status. `videojob run` and `videojob submit -f` look for the file by
    this name beside the manifest."""

    @property
    def digest(self) -> str | None:
        """The sha256 that the URI itself promises, else None."""
        return next((self.uri.removeprefix(p) for p in (INBOX, UPLOADS) if self.uri.startswith(p)), None)

    @property
    def fetched(self) -> bool:
        """Whether it has to be fetched first."""
        return self.uri.startswith(("https://", "http://"))


class Source(StoredFile):
    """The video to work on: a file of the namespace's store, where `videojob submit --file` puts it, or a URL."""

    cel = (
        Rule(
            "self.uri.startsWith('store://inbox/') || self.uri.startsWith('store://stock/') || "
            "self.uri.startsWith('https://') || self.uri.startsWith('http://')",
            "source.uri is an https:// or http:// URL, or names a file of the namespace's store: store://inbox/<sha256> "
            "for an upload (videojob submit --file prints it), or store://stock/<path>",
            field_path=".uri",
        ),
        Rule(
            f"!self.uri.matches('{CREDENTIALS}')",
            "source.uri must not carry a user or password: put an Authorization header into a Secret and name it in "
            "source.secretName",
            field_path=".uri",
        ),
        Rule(
            "!has(self.sha256) || self.uri.startsWith('http')",
            "source.sha256 goes with a URL; an upload's digest stands in its uri, and files of the stock may change",
        ),
        Rule(
            "!has(self.secretName) || self.uri.startsWith('https://')",
            "source.secretName goes with an https:// URL: a secret is not sent over an open line",
        ),
    )

    uri: Annotated[str, Field(pattern=SOURCE_URI, max_length=2048)]
    """An `https://` or `http://` URL, fetched once into the job's folder; `store://inbox/<sha256>` for an upload
    (`videojob submit --file` prints it); or `store://stock/<path>` for a file the team keeps in the store. A URL's query is
    never shown in status, events and logs."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of a URL: the digest its bytes must have; others fail the job."""
    secret_name: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] | None = None
    """Of an https:// URL: a Secret of this namespace whose key `authorization` holds an Authorization header, for example
    `Bearer ...`. It is mounted into the fetching pod alone, and sent to the URL's own host alone."""

    @property
    def digest(self) -> str | None:
        """The sha256 that is promised: by an upload's URI, or beside a URL."""
        return self.sha256 or super().digest

    @model_validator(mode="after")
    def _as_the_rules_say(self) -> Source:
        if re.match(CREDENTIALS, self.uri):
            raise ValueError(self.cel[1].message)
        if self.sha256 is not None and not self.fetched:
            raise ValueError(self.cel[2].message)
        if self.secret_name is not None and not self.uri.startswith("https://"):
            raise ValueError(self.cel[3].message)
        return self
