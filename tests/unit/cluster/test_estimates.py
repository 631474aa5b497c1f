"""What finished stages took is kept in memory, learnt as VideoJobs end and read again from their statuses after a start."""

from __future__ import annotations

from builders import NOW, Scene
from shop import Shop
from videojob_api.v1alpha1 import VideoJobStatus, VideoQueueSpec
from videojob_operator.cluster.api import VIDEOJOBS
from videojob_operator.cluster.slots import Slots
from videojob_operator.decide.estimate import REMEMBERED
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import SlotRequest


def finished() -> VideoJobStatus:
    return Scene.of().settle().succeed("main-a1").settle().status


def test_it_is_read_again_after_a_start() -> None:
    shop = Shop.furnished()
    shop.knowledge.remember()
    assert not shop.knowledge.rates.knows("Transcode")
    status = finished().dump()
    for number in range(REMEMBERED + 5):
        meta = {"name": f"v{number}", "namespace": "team-a", "uid": f"u{number}", "resourceVersion": "1"}
        shop.knowledge.saw(VIDEOJOBS, {"metadata": meta, "spec": {}, "status": status})
    shop.knowledge.remember()
    rate = shop.knowledge.rates.table["Transcode", "720p", "cpu"]
    assert rate.seen == REMEMBERED


def test_a_place_in_the_queue_is_known_while_it_waits() -> None:
    """Two slots of three asked for: the third is the first of those who wait."""
    slots = Slots(clock=lambda: 0.0)
    spec = VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 2}]})
    for number in range(4):
        slots.ask(f"u{number}", [SlotRequest(f"u{number}", "default", "cpu", "main", 1, 1, NOW)])
    slots.reserve(grant(slots.view("default", spec, NOW)))
    assert [slots.place(f"u{number}") for number in range(4)] == [None, None, (0, 2), (1, 2)]
    slots.ask("u2")
    assert slots.place("u2") is None
