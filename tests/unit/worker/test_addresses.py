"""Which addresses a fetch may go to (case 60, A-044)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from videojob_api.contract import FetchPolicy
from videojob_worker.net import addresses

REFUSED = {
    "0.0.0.0": "this host",
    "0.1.2.3": "this host",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "10.0.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "shared",
    "100.100.100.200": "shared",
    "169.254.169.254": "link-local",
    "168.63.129.16": "cloud",
    "192.0.0.192": "reserved",
    "198.18.0.1": "benchmarks",
    "203.0.113.9": "documentation",
    "224.0.0.251": "multicast",
    "255.255.255.255": "reserved",
    "::": "this host",
    "::1": "this host",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "reserved",
    "fd00:ec2::254": "private",
    "ff02::1": "multicast",
    "2001::1": "reserved",
    "2001:db8::1": "documentation",
    "::ffff:10.0.0.1": "private",
    "::ffff:0.0.0.0": "this host",
    "::10.0.0.1": "reserved",
    "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b:1::a00:1": "reserved",
    "2002:a00:1::1": "private",
    "4000::1": "reserved",
    "media.example": "no address",
}
PUBLIC = (
    "93.184.216.34",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
)


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_inside_is_refused_by_its_kind(address: str) -> None:
    assert REFUSED[address] in (addresses.problem(address, FetchPolicy()) or "taken")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert addresses.problem(address, FetchPolicy()) is None


@pytest.mark.parametrize(
    ("network", "address", "taken"),
    [
        ("10.244.0.0/16", "10.244.3.4", True),
        ("10.244.0.0/16", "::ffff:10.244.3.4", True),
        ("10.244.0.0/16", "10.96.0.1", False),
        ("fd00:10::/64", "fd00:10::5", True),
        ("fd00:10::/64", "10.0.0.5", False),
        ("0.0.0.0/0", "10.0.0.1", True),
        ("0.0.0.0/0", "169.254.169.254", False),
        ("0.0.0.0/0", "127.0.0.1", False),
        ("::/0", "::1", False),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.1/32", "127.0.0.1", True),
        ("::1/128", "::1", True),
        ("169.254.7.0/24", "169.254.7.7", True),
        ("169.254.7.0/24", "169.254.169.254", False),
    ],
)
def test_an_opened_network_opens_itself_and_never_the_metadata_by_the_way(
    network: str, address: str, taken: bool
) -> None:
    assert (addresses.problem(address, FetchPolicy(allow_networks=(network,))) is None) == taken


@pytest.mark.parametrize("network", ["10.0.0.1/8", "everything", "10.0.0.0/40"])
def test_a_network_that_cannot_be_read_is_named(network: str) -> None:
    with pytest.raises(ValidationError, match=r"give networks such as 10\.20\.0\.0/16"):
        FetchPolicy(allow_networks=(network,))


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("media.example", True),
        ("MEDIA.example.", True),
        ("a.cdn.example", True),
        ("cdn.example", False),
        ("evilcdn.example", False),
        ("media.example.evil", False),
    ],
)
def test_a_list_of_hosts_is_exact_or_below_a_name(host: str, taken: bool) -> None:
    assert addresses.host_allowed(host, ("media.example", "*.cdn.example")) == taken
    assert addresses.host_allowed(host, ())
