"""Where a download may lead: spellings of a URL, names and their addresses, before anything is connected (case 60)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from downloads import fetch
from videojob_api.contract import FetchPolicy
from videojob_worker.base.errors import External, Permanent
from videojob_worker.net.resolving import lookup, parse, vet

# ---------------------------------------------------------------- addresses

REFUSED_URLS = (
    ("file:///etc/passwd", "UnsafeUrl"),
    ("gopher://media.example/", "UnsafeUrl"),
    ("ftp://media.example/x.mp4", "UnsafeUrl"),
    ("//media.example/x.mp4", "UnsafeUrl"),
    ("http:///x.mp4", "UnsafeUrl"),
    ("http://user:pass@media.example/x.mp4", "UnsafeUrl"),
    ("http://@media.example/x.mp4", "UnsafeUrl"),
    ("http://media.example\\@127.0.0.1/", "UnsafeUrl"),
    ("http://media.example:99999/", "UnsafeUrl"),
    ("http://med ia.example/", "UnsafeUrl"),
    ("http://localhost/", "AddressRefused"),
    ("http://127.0.0.1/", "AddressRefused"),
    ("http://127.1/", "UnsafeUrl"),
    ("http://2130706433/", "UnsafeUrl"),
    ("http://0x7f000001/", "AddressRefused"),
    ("http://0177.0.0.1/", "UnsafeUrl"),
    ("http://0.0.0.0/", "AddressRefused"),
    ("http://0/", "UnsafeUrl"),
    ("http://10.96.0.1/", "AddressRefused"),
    ("http://169.254.169.254/latest/meta-data/", "AddressRefused"),
    ("http://[::1]/", "AddressRefused"),
    ("http://[::]/", "AddressRefused"),
    ("http://[::ffff:127.0.0.1]/", "AddressRefused"),
    ("http://[::ffff:a9fe:a9fe]/", "AddressRefused"),
    ("http://[64:ff9b::169.254.169.254]/", "AddressRefused"),
    ("http://[2002:7f00:1::]/", "AddressRefused"),
    ("http://[fe80::1]/", "AddressRefused"),
    ("http://[fd00:ec2::254]/", "AddressRefused"),
)


@pytest.mark.parametrize(("url", "code"), REFUSED_URLS, ids=[url for url, _ in REFUSED_URLS])
def test_no_spelling_of_a_url_leads_inside(url: str, code: str, tmp_path: Path) -> None:
    """Case 60: the system's own look-up decides what a spelling means, and its answer is vetted."""
    with pytest.raises(Permanent) as caught:
        fetch(url, tmp_path / "part", FetchPolicy())
    assert caught.value.code == code


def test_one_bad_address_condemns_a_name(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"media\.test resolves to an address that may not be fetched from: private"):
        fetch("http://media.test/", tmp_path / "part", find=lambda *_: ["93.184.216.34", "10.0.0.7"])


def test_a_name_that_nobody_knows_may_be_known_later(tmp_path: Path) -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(External, match=r"the name media\.test cannot be resolved") as caught:
        fetch("http://media.test/", tmp_path / "part", find=unknown)
    assert caught.value.code == "HostNotFound"


def test_the_last_word_before_a_connection(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="loopback"):
        vet("127.0.0.1", "127.0.0.1", FetchPolicy())
    assert lookup("127.0.0.1", 80) == ["127.0.0.1"]
    assert str(parse("https://media.example/a%2Fb?x=%20#part")) == "https://media.example/a%2Fb?x=%20"
