"""A store through half a day: VideoJobs end, are held and deleted, sweeps come and go; the operator's own decisions and answers,
the worker's own sweep on real folders, one clock.

A file's age is its time on the volume, so each file is stamped before a sweep as old as the simulated clock says. A failing seed
stands in the test's name.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from shop import TEAM, Shop
from videojob_api.sweeping import GONE_SECONDS, RETENTION_FILE, KeptRetention, SweepDocument, SweepResult
from videojob_api.v1alpha1 import MediaStoreStatus, Retention, StoreRetention, VideoJobStatus
from videojob_operator.cluster.api import MEDIASTORES, VIDEOJOBS, Raw
from videojob_operator.decide.store import MAX_LATENESS
from videojob_operator.decide.tiers import JOB_TIERS, effective, kept, wanted_status
from videojob_worker.base.logs import json_log
from videojob_worker.storage.sweep import Sweep

STEP, HOURS = 300, 12
SPANS = (600, 3600, 7200)
FILES = {
    "videos": "videos/720p.mp4",
    "processed": "processed/transcode/k1/720p.mp4",
    "debug": "debug/main-a1/document.json",
}
PLAN = {"execution": "Compact", "image": "w", "claimName": "videojob-store"}


@dataclass
class Kept:
    """What the test knows of one VideoJob, apart from what the operator thinks."""

    uid: str
    name: str
    wanted: Retention
    ended: datetime | None
    outputs: bool
    deleted: datetime | None = None
    told: KeptRetention | None = None
    """What its folder said when it was deleted."""


@dataclass
class Volume:
    """The namespace's part of the volume, and when each entry was last written to by the simulated clock."""

    root: Path
    shop: Shop
    written: dict[str, datetime] = field(default_factory=dict)

    def write(self, path: str, data: bytes = b"x" * 64) -> None:
        """A file, now."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        for entry in (path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")):
            self.written[entry] = self.shop.now()

    def entries(self) -> dict[str, Path]:
        """Everything on it by path."""
        return {str(place.relative_to(self.root)): place for place in sorted(self.root.rglob("*"))}

    def files(self) -> dict[str, int]:
        """Its files, with their sizes."""
        return {path: place.stat().st_size for path, place in self.entries().items() if place.is_file()}

    def sweep(self, document: SweepDocument) -> SweepResult:
        """The worker's sweep, at the simulated time."""
        stamps = {}
        for path, place in reversed(self.entries().items()):
            age = (self.shop.now() - self.written.setdefault(path, self.shop.now())).total_seconds()
            os.utime(place, (time.time() - age,) * 2)
            stamps[path] = place.stat().st_mtime_ns
        here = document.model_copy(update={"root": str(self.root)})
        found = Sweep(here, self.shop.reconciler.sweeper.answer, json_log(StringIO())).run()
        for path, place in self.entries().items():
            if place.stat().st_mtime_ns != stamps.get(path):
                self.written[path] = self.shop.now()
        return found


class Day:
    """One run."""

    def __init__(self, seed: int, root: Path) -> None:
        self.rng = random.Random(seed)
        self.shop = Shop.furnished()
        self.volume = Volume(root, self.shop)
        self.known: dict[str, Kept] = {}
        self.swept = 0
        spans = {
            f"{tier}Seconds": self.rng.choice(SPANS) for tier in ("uploads", "processed", "videos", "debug", "temp")
        }
        self.tiers = StoreRetention.model_validate(spans)
        spec = {"pvc": {"claimName": "videojob-store"}, "retention": spans}
        self.shop.see(MEDIASTORES, TEAM, "default", spec=spec, metadata={"generation": 2})

    async def submit(self, number: int) -> None:
        """A VideoJob with its folder: it has just ended, or waits."""
        rng, name = self.rng, f"job-{number}"
        wanted: dict[str, Any] = {"deletionPolicy": rng.choice(("Delete", "Delete", "Retain"))}
        if rng.random() < 0.2:
            wanted["hold"] = True
        if rng.random() < 0.4:
            wanted[f"{rng.choice(('videos', 'debug', 'processed'))}Seconds"] = rng.choice(SPANS)
        retention = Retention.model_validate(wanted)
        fate = rng.choice(("Succeeded", "Succeeded", "Failed", "waits"))
        spec = {"transcode": {"source": {"uri": "store://stock/a.mp4"}, "profiles": ["720p"]}, "retention": wanted}
        raw = self.shop.see(VIDEOJOBS, TEAM, name, spec={**spec, "suspend": fate == "waits"})
        uid, now = raw["metadata"]["uid"], self.shop.now().replace(microsecond=0)
        outputs = [output(uid)] if fate == "Succeeded" else []
        if fate != "waits":
            status = VideoJobStatus.model_validate({"outputs": outputs})
            known = wanted_status(retention, self.tiers, status, now)
            moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            body = {"phase": fate, "completionTime": moment, "outputs": outputs, "plan": PLAN, "type": "Transcode"}
            body |= {"observedGeneration": raw["metadata"].get("generation", 1), "retention": known.dump()}
            self.shop.see(VIDEOJOBS, TEAM, name, status=body)
        self.known[uid] = Kept(uid, name, retention, None if fate == "waits" else now, bool(outputs))
        self.volume.write(f"jobs/{uid}/{RETENTION_FILE}", said(uid, retention))
        for tier, path in FILES.items():
            if tier != "videos" or outputs:
                self.volume.write(f"jobs/{uid}/{path}")
        await self.shop.settle()

    async def interfere(self) -> None:
        """Somebody deletes a VideoJob, or holds it, or lets it go."""
        living = [row for row in self.known.values() if row.deleted is None]
        if not living:
            return
        row = self.rng.choice(living)
        raw = self.shop.api.objects["videojobs", TEAM, row.name]
        if self.rng.random() < 0.6:
            file = self.volume.root / "jobs" / row.uid / RETENTION_FILE
            row.deleted = self.shop.now()
            row.told = KeptRetention.model_validate_json(file.read_bytes()) if file.exists() else None
            self.shop.knowledge.lost(VIDEOJOBS, self.shop.api.drop(VIDEOJOBS, TEAM, row.name))
        else:
            row.wanted = row.wanted.model_copy(update={"hold": not row.wanted.hold})
            spec = {**raw["spec"], "retention": {**raw["spec"]["retention"], "hold": row.wanted.hold}}
            generation = raw["metadata"].get("generation", 1) + 1
            self.shop.see(VIDEOJOBS, TEAM, row.name, spec=spec, metadata={"generation": generation})
        await self.shop.settle()

    async def step(self) -> None:
        """Five minutes: what is due happens, and a sweep that was launched comes to its end."""
        for _ in range(STEP // 60):
            self.shop.clock.now += 60
            await self.shop.settle()
        for job in [job for job in self.shop.jobs() if self.fresh(job)]:
            self.swept += 1
            before = set(self.volume.files())
            text = job["spec"]["template"]["metadata"]["annotations"]["videojob.dev/task"]
            result = self.volume.sweep(SweepDocument.model_validate_json(text))
            for path in sorted(before - set(self.volume.files())):
                assert self.may_go(path), f"{path} went at {self.shop.now()}: {self.known.get(path.split('/')[1])}"
            ended = {"terminated": {"exitCode": 0, "message": result.model_dump_json(by_alias=True)}}
            self.shop.pod(job, phase="Succeeded", containerStatuses=[{"name": "sweep", "state": ended}])
            await self.shop.settle()

    def fresh(self, job: Raw) -> bool:
        """Whether it is a sweep that has no pod yet."""
        return job["metadata"]["labels"].get("videojob.dev/group") == "sweep" and not self.shop.knowledge.pods_of(job)

    def may_go(self, path: str) -> bool:
        """By nothing but the rules as people read them."""
        _, uid, tier, *_ = path.split("/")
        row, now = self.known[uid], self.shop.now()
        if row.deleted is not None:
            keep = row.told is not None and (row.told.hold or row.told.deletion_policy == "Retain")
            return not keep and self.age(uid) >= timedelta(seconds=GONE_SECONDS)
        span = timedelta(seconds=int(getattr(effective(row.wanted, self.tiers), f"{tier}_seconds", 10**6)))
        return row.ended is not None and not row.wanted.hold and now >= row.ended + span

    def age(self, uid: str) -> timedelta:
        """Since the folder was last written to, before the sweep that took it."""
        times = [at for path, at in self.volume.written.items() if path.startswith(f"jobs/{uid}/")]
        return self.shop.now() - max(times)

    def overdue(self) -> list[str]:
        """Files that ought to be gone: a sweep may be late by an hour, a folder's age counts from the last deletion in it."""
        late = timedelta(hours=1) + MAX_LATENESS + timedelta(seconds=2 * STEP)
        found = []
        for path in self.volume.files():
            _, uid, tier, *_ = path.split("/")
            row = self.known[uid]
            due = row.deleted + late + timedelta(seconds=GONE_SECONDS) if row.deleted is not None else None
            if (
                row.deleted is None
                and row.ended is not None
                and tier in JOB_TIERS
                and (tier != "processed" or not row.outputs)
            ):
                due = (
                    row.ended + timedelta(seconds=getattr(effective(row.wanted, self.tiers), f"{tier}_seconds")) + late
                )
            if due is not None and due < self.shop.now() and self.may_go(path):
                found.append(path)
        return found


def output(uid: str) -> dict[str, Any]:
    """An output as status has it."""
    return {
        "name": "720p", "profile": "720p", "path": "videos/720p.mp4", "uri": f"store://jobs/{uid}/videos/720p.mp4",
        "mediaType": "video/mp4", "sizeBytes": 64, "sha256": "b2" * 32, "width": 1280, "height": 720, "videoCodec": "h264",
    }  # fmt: skip


def said(uid: str, wanted: Retention) -> bytes:
    """What an attempt leaves beside the manifest."""
    return kept(uid, wanted, None).model_dump_json(by_alias=True, exclude_none=True).encode()


async def test_nothing_goes_early_and_nothing_stays_for_good(few: int, tmp_path: Path) -> None:
    """A-015, A-016, A-018; cases 65 and 78: folders of VideoJobs that are gone, held, retained, waiting."""
    day = Day(few, tmp_path)
    rng = day.rng
    arrivals = sorted(rng.uniform(0, 4) for _ in range(rng.randint(1, 6)))
    acts = sorted(rng.uniform(0, 6) for _ in range(rng.randint(0, 6)))
    began = day.shop.now()
    while (hours := (day.shop.now() - began) / timedelta(hours=1)) < HOURS:
        while arrivals and arrivals[0] <= hours:
            arrivals.pop(0)
            await day.submit(len(day.known))
        while acts and acts[0] <= hours:
            acts.pop(0)
            await day.interfere()
        await day.step()
    assert day.overdue() == []
    assert HOURS - 2 <= day.swept <= HOURS + 4 * len(day.known) + 12
    status = MediaStoreStatus.model_validate(day.shop.api.objects["mediastores", TEAM, "default"]["status"])
    files = day.volume.files()
    assert (status.total_files, status.total_size_bytes) == (len(files), sum(files.values()))
    assert status.last_sweep_time is not None
    assert day.shop.now() - status.last_sweep_time <= timedelta(hours=1, seconds=2 * STEP)
    for row in day.known.values():
        held = row.told.hold or row.told.deletion_policy == "Retain" if row.told is not None else row.wanted.hold
        waits = row.ended is None and row.deleted is None
        if waits:
            assert f"jobs/{row.uid}/{FILES['processed']}" in files
        elif row.deleted is not None and held:
            assert f"jobs/{row.uid}/{RETENTION_FILE}" in files
