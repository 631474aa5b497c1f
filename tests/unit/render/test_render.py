"""What every worker pod must be, whatever it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import Scene, a_url, a_videojob
from storyboard import Tale
from videojob_api import contract, names, places
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import WorkerClass
from videojob_operator.decide.world import CreateJob
from videojob_operator.render import DocumentTooLargeError, RenderConfig, job_manifest
from videojob_operator.settings import Settings


def action(mode: str = "Compact", **fields: Any) -> CreateJob:
    scene = Scene.of(mode, **fields).settle()
    return next(a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob))


def manifest(given: CreateJob | None = None) -> dict[str, Any]:
    return job_manifest(given or action(), a_videojob(), RenderConfig())


def pod(given: CreateJob | None = None) -> dict[str, Any]:
    found: dict[str, Any] = manifest(given)["spec"]["template"]["spec"]
    return found


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def test_the_pod_fits_the_restricted_profile_and_has_no_rights() -> None:
    """Design section 8: every field that Pod Security `restricted` asks for, no token of the API server."""
    spec = pod()
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] == names.WORKER_SERVICE_ACCOUNT
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert {spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {65532}
    for container in containers(spec):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "hostPath" not in json.dumps(spec)


def test_one_job_is_one_pod_and_one_try() -> None:
    """BackoffLimit 0; a disruption and any exit code but 0 stay readable in the Job's condition."""
    job = manifest()["spec"]
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (0, 1, 1)
    assert job["podReplacementPolicy"] == "Failed"
    first, second = job["podFailurePolicy"]["rules"]
    assert (first["action"], first["onPodConditions"][0]["type"]) == ("FailJob", "DisruptionTarget")
    assert (second["action"], second["onExitCodes"]) == ("FailJob", {"operator": "NotIn", "values": [0]})
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_the_deadline_is_the_pods_and_there_is_no_ttl() -> None:
    """A Job's deadline runs while it is queued and deletes the evidence; a TTL would, too."""
    job = manifest(action(timeoutSeconds=100))["spec"]
    assert "activeDeadlineSeconds" not in job
    assert "ttlSecondsAfterFinished" not in job
    assert job["template"]["spec"]["activeDeadlineSeconds"] == 160


def test_the_videojob_controls_the_job() -> None:
    """Case 2, I8: it goes with its owner, and only its owner adopts it."""
    (owner,) = manifest()["metadata"]["ownerReferences"]
    assert (owner["controller"], owner["blockOwnerDeletion"], owner["uid"]) == (True, True, a_videojob().uid)
    assert (owner["apiVersion"], owner["kind"]) == ("videojob.dev/v1alpha1", "VideoJob")


def test_init_containers_run_first_and_the_last_container_is_the_main_one() -> None:
    spec = pod()
    assert [c["name"] for c in spec["initContainers"]] == ["work"]
    assert [c["name"] for c in spec["containers"]] == ["commit"]
    spread = pod(action("Spread"))
    assert "initContainers" not in spread
    assert [c["name"] for c in spread["containers"]] == ["work"]


def mounted(container: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {
        m["mountPath"]: (m["subPath"], m.get("readOnly", False)) for m in container["volumeMounts"] if "subPath" in m
    }


def test_only_commit_writes_the_cache_and_nobody_sees_another_job() -> None:
    work, commit = containers(pod())
    uid = a_videojob().uid
    assert mounted(work) == {
        "/store/job": (f"team-a/jobs/{uid}", False),
        "/store/inbox": ("team-a/inbox", True),
        "/store/stock": ("team-a/stock", True),
        "/store/cache": ("team-a/cache", True),
    }
    assert mounted(commit) == mounted(work) | {"/store/cache": ("team-a/cache", False)}


def test_the_document_reaches_the_pod_as_a_file_and_names_its_container() -> None:
    found = manifest()
    text = found["spec"]["template"]["metadata"]["annotations"][names.ANNOTATION_TASK]
    document = contract.TaskDocument.model_validate_json(text)
    assert document == action().document
    volume = next(v for v in pod()["volumes"] if v["name"] == "task")
    mount = next(m for m in containers(pod())[0]["volumeMounts"] if m["name"] == "task")
    assert f"{mount['mountPath']}/{volume['downwardAPI']['items'][0]['path']}" == places.TASK_PATH
    for container in containers(pod()):
        assert {"name": "VIDEOJOB_CONTAINER", "value": container["name"]} in container["env"]


def test_the_token_is_for_one_videojob_and_for_the_operator_only() -> None:
    volume = next(v for v in pod()["volumes"] if v["name"] == "token")
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == names.audience(a_videojob().uid)
    mount = next(m for m in containers(pod())[0]["volumeMounts"] if m["name"] == "token")
    assert f"{mount['mountPath']}/{token['path']}" == places.TOKEN_PATH
    assert token["expirationSeconds"] >= 600, "the API server refuses less"


def test_a_container_gets_what_its_most_demanding_stage_needs() -> None:
    work, commit = containers(pod())
    rows = [KINDS[kind] for kind in ("ingest", "transcode", "verify")]
    assert work["resources"] == {
        "requests": {"cpu": f"{max(r.cpu_millis for r in rows)}m", "memory": f"{max(r.memory_mib for r in rows)}Mi"},
        "limits": {"memory": f"{max(r.memory_limit_mib for r in rows)}Mi"},
    }
    assert commit["resources"]["limits"] == {"memory": f"{KINDS['commit'].memory_limit_mib}Mi"}


def test_scratch_space_is_what_was_decided() -> None:
    """Case 32: beyond it the kubelet evicts the pod."""
    spec = pod(replace(action(), scratch_mib=1536))
    assert next(v for v in spec["volumes"] if v["name"] == "scratch")["emptyDir"] == {"sizeLimit": "1536Mi"}


def test_an_attempt_that_may_only_copy_asks_for_little() -> None:
    """A node that is full of encoders has room for it; its slot class and its orders say the same."""
    scene = Scene.of().settle(granted=False)
    keys = frozenset(str(stage.key) for stage in scene.status.stages)
    scene.set(cached=keys).give(names.CACHE_SLOT).settle()
    given = next(a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob))
    assert given.document.cache is not None
    assert given.document.cache.only
    assert manifest(given)["metadata"]["labels"][names.LABEL_SLOT] == "cache"
    work, commit = containers(pod(given))
    assert work["resources"] == commit["resources"]
    assert work["resources"]["requests"]["cpu"] == f"{KINDS['commit'].cpu_millis}m"


def test_labels_are_the_same_on_job_and_pod_and_valid_for_any_name() -> None:
    """Case 57."""
    given = action()
    document = given.document.model_copy(
        update={"job": given.document.job.model_copy(update={"name": "a." * 126 + "b"})}
    )
    found = manifest(replace(given, document=document))
    labels = found["metadata"]["labels"]
    assert labels == found["spec"]["template"]["metadata"]["labels"]
    assert len(labels[names.LABEL_NAME]) <= 63
    assert labels[names.LABEL_NAME][-1].isalnum()
    assert labels[names.LABEL_SLOT] == "cpu"
    assert names.LABEL_SLOT not in manifest(replace(given, slot=None))["metadata"]["labels"]
    assert names.LABEL_ALSO_SLOTS not in labels
    both = manifest(replace(given, also=("birefnet", "avatar")))
    assert both["metadata"]["labels"][names.LABEL_ALSO_SLOTS] == "birefnet.avatar"
    assert both["metadata"]["labels"] == both["spec"]["template"]["metadata"]["labels"]


def test_a_document_above_32_kib_is_refused_with_the_remedy() -> None:
    given = action()
    document = given.document.model_copy(
        update={"job": given.document.job.model_copy(update={"external_id": "ü" * 17_000})}
    )
    with pytest.raises(DocumentTooLargeError, match=r"has \d+ bytes, 32768 is the most: name fewer profiles"):
        manifest(replace(given, document=document))


def test_the_settings_reach_the_pod() -> None:
    config = RenderConfig.of(Settings(image_pull_policy="Never"))
    spec = job_manifest(action(), a_videojob(), config)["spec"]["template"]["spec"]
    assert {c["imagePullPolicy"] for c in containers(spec)} == {"Never"}
    assert {c["image"] for c in containers(spec)} == {"videojob-worker:test"}


# ---------------------------------------------------------------- the pod that talks to strangers


def test_a_fetch_sees_its_own_job_and_its_secret_and_nothing_else() -> None:
    """Design section 8: a Secret is mounted where it is used; what has the network has no other team's bytes."""
    given = action(transcode=a_url(secretName="media-key"))
    spec = pod(given)
    (container,) = containers(spec)
    store = given.document.store
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts.keys() == {
        store.job, store.scratch, "/etc/videojob", "/var/run/secrets/videojob", "/var/run/secrets/videojob-source/media-key",
    }  # fmt: skip
    assert mounts["/var/run/secrets/videojob-source/media-key"]["readOnly"] is True
    volumes = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert [(volume["secretName"], [item["key"] for item in volume["items"]]) for volume in volumes] == [
        ("media-key", ["authorization"])
    ]


def test_a_secret_and_the_network_are_the_fetchs_alone() -> None:
    scene = Scene.of(transcode=a_url(secretName="media-key")).settle().succeed("fetch-a1").settle()
    fetch, main = (a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob))
    assert manifest(fetch)["spec"]["template"]["metadata"]["labels"][names.LABEL_EGRESS] == "fetch"
    assert names.LABEL_EGRESS not in manifest(main)["spec"]["template"]["metadata"]["labels"]
    assert "media-key" not in json.dumps(manifest(main))
    assert "secretName" not in json.dumps(pod())


def test_services_are_asked_by_a_pod_that_has_their_secrets_and_reads_the_store() -> None:
    """S-032, S-036: every key of every Secret of the chain, in one mount for each Secret; what decodes has none of it."""
    chain = [
        {"name": name, "secretName": secret}
        for name, secret in (("polly", "aws"), ("azure", "speech"), ("openai", "aws"))
    ]
    images = {"providers": [{"name": "pexels", "secretName": "photos"}]}
    tale = Tale.begin("Spread", story={"voice": {"providers": chain}, "images": images}).ok("scenes", "audio", "images")
    audio, layout = pod(tale.launched("audio")), manifest(tale.launched("layout"))
    (container,) = containers(audio)
    secrets = {v["name"]: v["secret"] for v in audio["volumes"] if "secret" in v}
    assert [(s["secretName"], [item["key"] for item in s["items"]]) for s in secrets.values()] == [
        ("aws", ["accessKeyId", "secretAccessKey", "sessionToken", "key"]), ("speech", ["key"]),
    ]  # fmt: skip
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {path.rpartition("/")[2] for path in mounts if "videojob-source" in path} == {"aws", "speech"}
    assert [path for path, mount in mounts.items() if path.startswith("/store") and not mount.get("readOnly")] == [
        "/store/job"
    ]
    assert manifest(tale.launched("audio"))["spec"]["template"]["metadata"]["labels"][names.LABEL_EGRESS] == "provide"
    assert manifest(tale.launched("images"))["metadata"]["labels"][names.LABEL_EGRESS] == "provide"
    assert names.LABEL_EGRESS not in layout["spec"]["template"]["metadata"]["labels"]
    assert "secretName" not in json.dumps(layout["spec"]["template"]["spec"])


def test_a_scripts_secret_is_mounted_by_its_fetch_alone() -> None:
    tale = Tale.begin("Compact", story={"script": {"uri": "https://docs.example/fig.md", "secretName": "docs"}})
    spec = pod(tale.launched("fetch"))
    assert [v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v] == ["docs"]
    tale.ok("fetch")
    assert "secretName" not in json.dumps(pod(tale.launched("main")))


def test_a_writers_key_is_mounted_by_its_pod_alone() -> None:
    asked = {"prompt": "A fig falls.", "model": "small", "secretName": "writer"}
    tale = Tale.begin("Compact", story={"script": {"fromPrompt": asked}})
    spec = pod(tale.launched("prompt"))
    assert [
        (v["secret"]["secretName"], [item["key"] for item in v["secret"]["items"]])
        for v in spec["volumes"]
        if "secret" in v
    ] == [("writer", ["key"])]
    tale.ok("prompt")
    assert "secretName" not in json.dumps(pod(tale.launched("main")))


def test_accounts_are_mounted_by_what_publishes_alone() -> None:
    """Only keys that its publishers know, of Secrets that they use; what people post needs none."""
    platforms = [
        {"name": "youtube", "secretName": "channel"}, {"name": "tiktok", "secretName": "channel"},
        {"name": "webhook", "endpoint": "https://cms.example/hook", "secretName": "cms"},
        {"name": "instagram_reels", "secretName": "unused"}, {"name": "facebook", "secretName": "unused"},
    ]  # fmt: skip
    tale = Tale.begin("Compact", publish={"auto": True, "platforms": platforms}).ok("main")
    spec = pod(tale.launched("publish"))
    secrets = [v["secret"] for v in spec["volumes"] if "secret" in v]
    assert [(s["secretName"], [item["key"] for item in s["items"]]) for s in secrets] == [
        ("channel", ["accessToken", "clientId", "clientSecret", "refreshToken"]), ("cms", ["secret"]),
    ]  # fmt: skip
    assert manifest(tale.launched("publish"))["metadata"]["labels"][names.LABEL_EGRESS] == "provide"
    assert "secretName" not in json.dumps(pod(tale.launched("main")))


def test_a_script_in_a_config_map_is_mounted_by_the_container_that_reads_it_alone() -> None:
    tale = Tale.begin("Compact", story={"script": {"configMapRef": {"name": "scripts", "key": "fig.md"}}})
    spec = pod(tale.launched("main"))
    seen = {c["name"]: [m["mountPath"] for m in c["volumeMounts"] if m["name"] == "config"] for c in containers(spec)}
    assert seen == {"work": [f"{places.CONFIG_PATH}/scripts"], "commit": []}


def test_the_settings_say_where_a_fetch_may_go() -> None:
    found = Settings(fetch_allow_networks="10.20.0.0/16, fd00::/8", fetch_allow_hosts="*.example.com").fetch  # type: ignore[arg-type]
    assert found.allow_networks == ("10.20.0.0/16", "fd00::/8")
    assert found.allow_hosts == ("*.example.com",)
    assert Settings().fetch == contract.FetchPolicy()
    with pytest.raises(ValueError, match=r"give networks such as 10\.20\.0\.0/16"):
        Settings(fetch_allow_networks="10.20.0.1/16")  # type: ignore[arg-type]


# ---------------------------------------------------------------- worker classes


def of_class(**fields: Any) -> dict[str, Any]:
    """The Job of a VideoJob whose worker class has these fields."""
    return manifest(replace(action(), worker=WorkerClass.model_validate(fields)))


MARKS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


def marks(job: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = job["spec"]["template"]["metadata"]["annotations"]
    return {key: value for key, value in found.items() if key != names.ANNOTATION_TASK}


def test_node_autoscalers_leave_long_stages_alone_and_no_others() -> None:
    """An encode that is taken away starts at nothing; a fetch or a commit is replaced in seconds."""
    assert marks(manifest(action("Compact"))) == MARKS
    assert marks(manifest(action("Spread"))) == {}, "ingest takes seconds"
    assert marks(manifest(action(transcode=a_url()))) == {}
    assert marks(of_class(protectLongStages=False)) == {}


def test_an_attempt_that_may_only_copy_may_be_taken_away() -> None:
    scene = Scene.of().settle(granted=False)
    keys = frozenset(str(stage.key) for stage in scene.status.stages)
    scene.set(cached=keys).give(names.CACHE_SLOT).settle()
    given = next(a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob))
    assert marks(manifest(given)) == {}


@pytest.mark.parametrize(
    ("spot", "tolerated", "avoided"), [("Any", 0, 0), ("Tolerate", 3, 0), ("Avoid", 0, 5)]
)  # fmt: skip
def test_spot_nodes_are_tolerated_avoided_or_left_to_the_scheduler(spot: str, tolerated: int, avoided: int) -> None:
    spec = of_class(spot=spot)["spec"]["template"]["spec"]
    assert len(spec.get("tolerations", [])) == tolerated
    affinity = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    (term,) = affinity["nodeSelectorTerms"] if affinity else [{"matchExpressions": []}]
    assert len(term["matchExpressions"]) == avoided
    assert all(row["operator"] == "NotIn" for row in term["matchExpressions"])


def test_a_classs_variables_stand_before_ours() -> None:
    """The last of two variables of a name would win, and ours must."""
    spec = of_class(env=[{"name": "OMP_NUM_THREADS", "value": "4"}])["spec"]["template"]["spec"]
    for each in containers(spec):
        assert each["env"][0] == {"name": "OMP_NUM_THREADS", "value": "4"}
        assert each["env"][1]["name"] == "VIDEOJOB_CONTAINER"


def test_kueue_is_told_by_the_jobs_label_alone() -> None:
    job = manifest(replace(action(), kueue_queue="videos"))
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "videos"
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]
    assert "kueue.x-k8s.io/queue-name" not in manifest()["metadata"]["labels"]
