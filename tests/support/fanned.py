"""A graph of stages that do nothing in the Shop: played up to its fan-out."""

from __future__ import annotations

import json
from typing import Any

from builders import SHA, a_result
from graphs import ITEM, LEFT, LIST, RIGHT, a_config
from shop import SYSTEM, Shop
from videojob_api.contract import StageResult
from videojob_api.fanout import WorkList, list_uri
from videojob_operator.cluster.api import VIDEOQUEUES, Raw


def graph_shop(items: int = 5, *, slots: int, **fields: Any) -> Shop:
    """An operator of that graph, and a queue of so many slots."""
    shop = Shop.furnished(config=a_config(items), **fields)
    resize(shop, slots)
    return shop


def resize(shop: Shop, slots: int) -> None:
    """Change how many slots there are."""
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": slots}]})


def job_of(shop: Shop, group: str) -> Raw:
    """The Job of a group as the server has it."""
    return next(job for job in shop.jobs() if job["metadata"]["labels"]["videojob.dev/group"] == group)


async def fanned(shop: Shop, items: int = 5) -> Raw:
    """Submit a VideoJob and end the stages before its fan-out, whose Job this returns."""
    shop.submit(execution={"mode": "Spread"})
    await shop.settle()
    for group in (LIST, LEFT, RIGHT):
        job = job_of(shop, group)
        text = job["spec"]["template"]["metadata"]["annotations"]["videojob.dev/task"]
        document = json.loads(text)
        uri = list_uri(LIST, document["stages"][0]["key"])
        listed = WorkList(uri=uri, sha256=SHA, size_bytes=9, items=items) if group == LIST else None
        said = a_result("work", group=group, uid=document["job"]["uid"])
        said = said.model_copy(update={"stages": (StageResult(kind=group, work_list=listed),)})
        ended = {"exitCode": 0, "message": json.dumps(said.dump()), "finishedAt": "2026-11-21T12:00:01Z"}
        shop.pod(job, phase="Succeeded", containerStatuses=[{"name": "work", "state": {"terminated": ended}}])
        await shop.settle()
    return job_of(shop, ITEM)
