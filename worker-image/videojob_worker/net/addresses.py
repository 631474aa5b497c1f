"""Which addresses may be fetched from: public ones, and what an administrator has opened (case 60).

Refused by a table of our own (IANA's registries of special addresses), so that no version of Python decides it. An address
that carries another one inside (IPv4 in IPv6) is judged by what it carries.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from videojob_api.contract import FetchPolicy

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _table(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ip_network(network), words) for network, words in rows)


NARROW = _table(
    ("0.0.0.0/8", "this host"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("168.63.129.16/32", "a cloud's own services"),
    ("::/127", "this host"),
    ("fe80::/10", "link-local"),
)
"""Opened only by an allowed network that lies wholly within: allowing everything does not open these."""
SPECIAL = _table(
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared between customers of a carrier"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a relay of 6to4"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("fc00::/7", "private"),
    ("ff00::/8", "multicast"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "for documentation"),
    ("3fff::/20", "for documentation"),
)
PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is assigned to the public in IPv6; anything else is refused, whatever it will be one day."""
MAPPED, NAT64, SIX_TO_FOUR = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16")


def carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in MAPPED or address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address


def problem(text: str, policy: FetchPolicy) -> str | None:
    """What kind of address it is that may not be fetched from; None when it may."""
    try:
        address = carried(ip_address(text.partition("%")[0]))
    except ValueError:
        return "no address"
    allowed = [ip_network(network) for network in policy.allow_networks]
    for network, words in NARROW:
        if address in network:
            return None if any(address in one and _within(one, network) for one in allowed) else words
    if any(address in one for one in allowed):
        return None
    for network, words in SPECIAL:
        if address in network:
            return words
    return "reserved" if isinstance(address, IPv6Address) and address not in PUBLIC_V6 else None


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def literal(host: str) -> bool:
    """Whether a host is written as an address, so that nobody looks it up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def host_allowed(host: str, names: Iterable[str]) -> bool:
    """Whether a host is on the list: by its name, or below `*.example.com`. An empty list has every host on it."""
    wanted = host.rstrip(".").lower()
    known = [name.lower() for name in names]
    return not known or any(
        wanted.endswith(name[1:]) if name.startswith("*.") else wanted == name.rstrip(".") for name in known
    )
