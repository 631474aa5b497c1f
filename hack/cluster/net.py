"""Addresses and ports that nobody else uses, chosen from what this machine reports."""

from __future__ import annotations

import ipaddress
import socket
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from cluster import say

_QUERY_ID = 0x766A


@dataclass(frozen=True)
class Networks:
    """The address ranges of one cluster, all out of one /16 of the private range."""

    node: str
    pods: str
    services: str
    dns: str
    first_service: str

    @staticmethod
    def of(second_octet: int) -> Networks:
        """The layout within 10.N.0.0/16."""
        base = f"10.{second_octet}"
        return Networks(f"{base}.255.1", f"{base}.0.0/24", f"{base}.128.0/20", f"{base}.128.10", f"{base}.128.1")


CANDIDATES = tuple(range(244, 256)) + tuple(range(200, 244))
"""Second octets to try, the customary one for pods first."""


def parse_routes(text: str) -> list[ipaddress.IPv4Network]:
    """The destinations in the output of `ip -4 route`, the default route left out."""
    found = []
    for line in text.splitlines():
        words = [word for word in line.split() if word not in ("unreachable", "blackhole", "prohibit", "local")]
        try:
            found.append(ipaddress.IPv4Network(words[0], strict=False))
        except (IndexError, ValueError):
            continue
    return found


def is_free(networks: Networks, routes: Iterable[ipaddress.IPv4Network]) -> bool:
    """Whether no route of this machine overlaps the range that these networks were cut from."""
    whole = ipaddress.IPv4Network(f"{networks.node}/16", strict=False)
    return not any(whole.overlaps(route) for route in routes)


def choose_networks(routes: Iterable[ipaddress.IPv4Network]) -> Networks:
    """The first candidate range that overlaps no route of this machine."""
    taken = list(routes)
    for octet in CANDIDATES:
        networks = Networks.of(octet)
        if is_free(networks, taken):
            return networks
    raise say.CannotRunError(
        "Every address range from 10.200.0.0/16 to 10.255.0.0/16 is routed on this machine: free one of them."
    )


def current_routes() -> list[ipaddress.IPv4Network]:
    """This machine's IPv4 routes."""
    return parse_routes(subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout)


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on now; held together while choosing, so that all differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for holder in held:
            holder.bind((address, 0))
        return [holder.getsockname()[1] for holder in held]
    finally:
        for holder in held:
            holder.close()


def dns_query(name: str) -> bytes:
    """A DNS question for the IPv4 address of a name."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", _QUERY_ID, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def is_answer(data: bytes) -> bool:
    """Whether the datagram answers our question with at least one record and no error."""
    if len(data) < 12:
        return False
    identity, flags, _, answers, _, _ = struct.unpack(">HHHHHH", data[:12])
    return bool(identity == _QUERY_ID and flags & 0x8000 and flags & 0x000F == 0 and answers)


def resolves(server: str, name: str, seconds: float = 0.5) -> bool:
    """Whether the name server answers for the name now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        try:
            client.sendto(dns_query(name), (server, 53))
            return is_answer(client.recv(512))
        except OSError:
            return False
