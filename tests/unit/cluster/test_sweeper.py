"""A store as the operator looks after it: sweeps by Jobs, numbers in the status, answers to sweeps (A-015 to A-018)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from builders import NOW, SHA, UID
from fakeapi import Call, FakeApi
from shop import TEAM, Shop
from videojob_api.contract import Progress
from videojob_api.sweeping import SweepDocument, SweepQuestion, SweepResult
from videojob_api.v1alpha1 import Retention, StoreRetention, VideoJobStatus
from videojob_operator.cluster.api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, ApiError, Raw
from videojob_operator.decide.naming import sweep_name
from videojob_operator.decide.store import CreateSweep
from videojob_operator.decide.tiers import wanted_status
from videojob_operator.render import RenderConfig, sweep_manifest

OUTPUT = {
    "name": "720p", "profile": "720p", "path": "videos/720p.mp4", "uri": f"store://jobs/{UID}/videos/720p.mp4",
    "mediaType": "video/mp4", "sizeBytes": 4000, "sha256": "b2" * 32, "width": 1280, "height": 720, "videoCodec": "h264",
}  # fmt: skip
PLAN = {"execution": "Compact", "image": "w", "claimName": "videojob-store"}


def finished(shop: Shop, name: str = "done", **retention: Any) -> Raw:
    """A VideoJob that succeeded just now."""
    moment = shop.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted, tiers = Retention.model_validate(retention), StoreRetention()
    known = wanted_status(
        wanted, tiers, VideoJobStatus.model_validate({"outputs": [OUTPUT]}), shop.now().replace(microsecond=0)
    )
    return shop.see(
        VIDEOJOBS,
        TEAM,
        name,
        spec={"transcode": {"source": {"uri": f"store://inbox/{SHA}"}, "profiles": ["720p"]}, "retention": retention},
        status={
            "phase": "Succeeded", "completionTime": moment, "outputs": [OUTPUT], "plan": PLAN, "observedGeneration": 1,
            "retention": known.dump(), "type": "Transcode",
        },
    )  # fmt: skip


def sweeps(shop: Shop) -> list[Raw]:
    """Sweep Jobs on the server."""
    return [job for job in shop.jobs() if job["metadata"]["labels"].get("videojob.dev/group") == "sweep"]


def store(shop: Shop) -> dict[str, Any]:
    """Status of the store on the server."""
    found: dict[str, Any] = shop.api.objects["mediastores", TEAM, "default"].get("status", {})
    return found


async def pass_time(shop: Shop, seconds: float) -> None:
    """Let time pass, in steps in which everything that is due happens."""
    for _ in range(max(1, int(seconds // 5))):
        shop.clock.now += min(5.0, seconds)
        await shop.settle()
        shop.watch()
        await shop.settle()


async def end(shop: Shop, **fields: Any) -> SweepDocument:
    """The sweep that runs comes to its end."""
    job = sweeps(shop)[-1]
    document = SweepDocument.model_validate_json(
        job["spec"]["template"]["metadata"]["annotations"]["videojob.dev/task"]
    )
    result = SweepResult.model_validate(
        {
            "uid": document.uid,
            "number": document.number,
            "cutoff": document.cutoff,
            "deletedFiles": 1,
            "deletedBytes": 4000,
        }
        | {"tiers": [{"name": "debug", "files": 2, "sizeBytes": 20}], "freeBytes": 6 * 10**9, "capacityBytes": 10**10}
        | fields
    )
    state = {"terminated": {"exitCode": result.exit_code, "message": result.model_dump_json(by_alias=True)}}
    shop.pod(job, phase="Succeeded", containerStatuses=[{"name": "sweep", "state": state}])
    await shop.settle()
    return document


async def test_outputs_expire_are_swept_and_say_so_and_the_videojob_stays() -> None:
    """A-016: the whole way, and a restart over the end of it writes nothing."""
    shop = Shop.furnished()
    await shop.settle()
    finished(shop, videosSeconds=20)
    await shop.settle()
    assert "expiresAt" in shop.status("done")["outputs"][0]
    assert sweeps(shop) == []
    await pass_time(shop, 40)
    assert len(sweeps(shop)) == 1
    await end(shop)
    assert shop.status("done")["outputs"][0]["state"] == "Expired"
    assert ("videojobs", TEAM, "done") in shop.api.objects
    assert (store(shop)["totalFiles"], store(shop)["sweep"]["deletedBytes"]) == (2, 4000)
    assert store(shop)["disk"]["percentUsed"] == 40.0
    await pass_time(shop, 300)
    before = len(shop.api.calls)
    again = shop.restarted()
    await again.settle()
    await pass_time(again, 5)
    assert [
        call for call in shop.api.calls[before:] if call.verb != "delete" and call.resource != "videoqueues/status"
    ] == []


async def test_a_crash_after_any_write_of_a_sweep_leads_to_one_sweep_and_the_same_end() -> None:
    """Cases 1 and 2"""
    for at in range(8):
        shop = Shop.furnished()
        await shop.settle()
        finished(shop, videosSeconds=20)
        count = [0]

        def fault(_: Call, count: list[int] = count, at: int = at) -> None:
            count[0] += 1
            if count[0] == at + 1:
                raise ApiError(500, "InternalError", "it was done, or not")

        shop.api.fault = fault
        await pass_time(shop, 45)
        shop = shop.restarted()
        await shop.settle()
        await pass_time(shop, 45)
        assert len(sweeps(shop)) == 1, at
        await end(shop)
        await pass_time(shop, 45)
        assert shop.status("done")["outputs"][0]["state"] == "Expired", at
        assert store(shop)["sweep"]["number"] == 1


async def test_an_operator_that_was_away_while_the_sweep_ended_tells_the_videojobs() -> None:
    """Case 4: the store's record was written, what follows from it was not."""
    shop = Shop.furnished()
    await shop.settle()
    finished(shop, videosSeconds=20)
    await pass_time(shop, 40)
    document = await end(shop)
    raw = shop.api.objects["videojobs", TEAM, "done"]
    raw["status"]["outputs"][0]["state"] = "Available"  # as before the crash
    assert document.cutoff <= shop.now()
    again = shop.restarted()
    await again.settle()
    assert again.status("done")["outputs"][0]["state"] == "Expired"


async def test_a_name_that_somebody_else_has_is_left_alone() -> None:
    """Case 20"""
    shop = Shop.furnished()
    uid = shop.api.objects["mediastores", TEAM, "default"]["metadata"]["uid"]
    shop.api.put(JOBS, TEAM, sweep_name(uid, "default", 1), spec={}, metadata={"labels": {}})
    finished(shop, videosSeconds=5)
    await pass_time(shop, 20)
    assert [call.name for call in shop.api.calls if call.verb == "delete"] == []
    assert len([call for call in shop.api.calls if call.verb == "create" and call.resource == "jobs"]) == 1


async def test_low_space_in_a_progress_post_starts_a_sweep() -> None:
    """A-017, A-031: and the status is not older than a minute while something runs."""
    shop = Shop.furnished()
    raw = shop.submit()
    await shop.settle()
    uid = raw["metadata"]["uid"]

    def news(percent: int, free: int) -> None:
        sample = Progress(
            uid=uid, group="main", attempt=1, stage="ingest", percent=percent, free_bytes=free, capacity_bytes=10**10
        )
        assert shop.inbox.put_progress(sample)
        shop.reconciler.want_progress(uid, False)

    news(1, 9 * 10**9)
    await pass_time(shop, 5)
    assert store(shop)["disk"]["freeGb"] == 9.0
    for step in range(6):
        news(2, 8 * 10**9 - step)
        await pass_time(shop, 10)
    assert store(shop)["disk"]["freeGb"] == 8.0
    assert sweeps(shop) == []
    news(3, 10**9)
    await shop.settle()
    assert len(sweeps(shop)) == 1
    assert {c["type"]: c["status"] for c in store(shop)["conditions"]} == {"LowSpace": "True"}


async def test_the_answers_of_the_cache() -> None:
    """Case 78: only sweeps of this store ask, only this namespace is spoken of."""
    shop = Shop.furnished()
    await shop.settle()
    done = finished(shop, videosSeconds=5)
    live = shop.submit("live")
    elsewhere = shop.submit("elsewhere", namespace="team-b")
    await pass_time(shop, 15)
    job = sweeps(shop)[-1]
    pod = shop.pod(job)
    uid = shop.api.objects["mediastores", TEAM, "default"]["metadata"]["uid"]
    sweeper = shop.reconciler.sweeper
    assert sweeper.is_sweep(uid, pod["metadata"]["uid"])
    assert not sweeper.is_sweep("other", pod["metadata"]["uid"])
    assert not sweeper.is_sweep(uid, "another-pod")
    worker = shop.pod(next(one for one in shop.jobs() if one not in sweeps(shop)))
    assert not sweeper.is_sweep(uid, worker["metadata"]["uid"])
    uids = [done["metadata"]["uid"], live["metadata"]["uid"], elsewhere["metadata"]["uid"], "nobody-1"]
    question = SweepQuestion(uid=uid, cutoff=shop.now(), folders=tuple(uids), uploads=(SHA, "0" * 64))
    answer = sweeper.answer(question)
    assert [(one.state, one.expired) for one in answer.folders] == [
        ("Settled", ("videos",)), ("Live", ()), ("Gone", ()), ("Gone", ()),
    ]  # fmt: skip
    assert [one.state for one in answer.uploads] == ["Kept", "Unnamed"]
    past = question.model_copy(update={"cutoff": NOW - timedelta(days=1)})
    assert sweeper.answer(past).folders[0].state == "Live"


async def test_a_gone_videojob_whose_pod_still_ends_is_not_gone_yet() -> None:
    """Case 48"""
    shop = Shop.furnished()
    raw = shop.submit()
    await shop.settle()
    shop.pod(shop.jobs()[0])
    shop.knowledge.lost(VIDEOJOBS, shop.api.objects["videojobs", TEAM, "trailer"])
    uid = shop.api.objects["mediastores", TEAM, "default"]["metadata"]["uid"]
    question = SweepQuestion(uid=uid, cutoff=shop.now(), folders=(raw["metadata"]["uid"],))
    assert shop.reconciler.sweeper.answer(question).folders[0].state == "Live"
    for resource in (PODS, JOBS):
        for one in list(shop.knowledge.stores[resource]):
            shop.knowledge.lost(resource, one)
    assert shop.reconciler.sweeper.answer(question).folders[0].state == "Gone"


async def test_the_tiers_of_a_store_reach_what_has_ended() -> None:
    shop = Shop.furnished()
    await shop.settle()
    finished(shop)
    await shop.settle()
    before = shop.status("done")["outputs"][0]["expiresAt"]
    spec = {"pvc": {"claimName": "videojob-store"}, "retention": {"videosSeconds": 60}}
    shop.see(MEDIASTORES, TEAM, "default", spec=spec)
    await shop.settle()
    assert shop.status("done")["outputs"][0]["expiresAt"] < before


async def test_a_videojob_goes_by_its_own_ttl_but_not_when_it_was_edited_meanwhile() -> None:
    shop = Shop.furnished()
    await shop.settle()
    finished(shop, ttlSecondsAfterFinished=10)
    await shop.settle()
    hold = {"retention": {"hold": True}}

    def edited(call: Call) -> None:
        if (call.verb, call.resource) == ("delete", "videojobs") and hold:
            raw = shop.api.objects["videojobs", TEAM, "done"]
            shop.api.put(VIDEOJOBS, TEAM, "done", spec=raw["spec"] | hold, metadata={"generation": 2})

    shop.api.fault = edited
    await pass_time(shop, 20)
    assert ("videojobs", TEAM, "done") in shop.api.objects
    hold.clear()
    raw = shop.api.objects["videojobs", TEAM, "done"]
    shop.see(
        VIDEOJOBS,
        TEAM,
        "done",
        spec=raw["spec"] | {"retention": {"ttlSecondsAfterFinished": 10}},
        metadata={"generation": 3},
    )
    for _ in range(2):  # the first one began before the latest edit, so the folder does not know of it yet
        await pass_time(shop, 30)
        assert ("videojobs", TEAM, "done") in shop.api.objects
        await end(shop)
    await pass_time(shop, 20)
    assert ("videojobs", TEAM, "done") not in shop.api.objects


def test_the_job_of_a_sweep_is_restricted_and_sees_its_namespace_only() -> None:
    """No API power: the token is for the operator's port alone; the mount is the namespace's part of the volume."""
    document = SweepDocument(namespace="team-a", store="default", uid="store-uid", number=3, cutoff=NOW)
    job = sweep_manifest(CreateSweep("sweep-default-3-x", document, "claim", "worker:1"), RenderConfig())
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["command"][-1] == "sweep"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounts = [(mount["name"], mount.get("subPath")) for mount in container["volumeMounts"]]
    assert mounts[0] == ("store", "team-a")
    (token,) = [
        volume["projected"]["sources"][0]["serviceAccountToken"]
        for volume in pod["volumes"]
        if volume["name"] == "token"
    ]
    assert token["audience"] == "videojob.dev/stores/store-uid"
    assert job["metadata"]["ownerReferences"][0]["kind"] == "MediaStore"
    assert "blockOwnerDeletion" not in job["metadata"]["ownerReferences"][0]


async def test_a_store_that_is_gone_is_forgotten() -> None:
    shop = Shop(api=FakeApi())
    shop.see(MEDIASTORES, TEAM, "default", spec={"pvc": {"claimName": "c"}})
    await pass_time(shop, 5)
    raw = shop.api.drop(MEDIASTORES, TEAM, "default")
    shop.knowledge.lost(MEDIASTORES, raw)
    await shop.settle()
    assert shop.queue.delayed == 0
