"""What `make bench-avatar` says of a provider's idle lanes adds up to what is missing to the bound."""

from __future__ import annotations

import pytest

from bench.avatar_studio import Lost, Studio


def test_losses_of_two_lanes_add_up() -> None:
    """Talks of 40 s: A and B at 5 and 7 s, then C in A's lane, D in B's; all is published at 100."""
    with Studio(b"", 40.0) as server:
        server.begun.update(a=5.0, b=7.0, c=48.0, d=51.0)
        server.fetched.update(a=46.0, b=48.5, c=88.5, d=91.5)
        lost = Lost.of(server, since=0.0, until=100.0, lanes=2)
    assert (lost.ramp, lost.asking, lost.handing, lost.tail) == pytest.approx((6, 1.25, 2.25, 10.5))
    assert lost.ramp + lost.asking + lost.handing + lost.tail == pytest.approx(100 - 2 * 40)
