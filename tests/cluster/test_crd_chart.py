"""The chart by Helm: what it refuses, what it renders, and the rights that an install really gives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_values import ChartValues
from cluster import binaries
from controlplane import ControlPlane
from kube import Done, Kube, call
from videojob_api import names
from videojob_api.v1alpha1 import KINDS, MediaStoreSpec
from videojob_operator.cluster import rbac
from videojob_operator.cluster.classes import load
from videojob_operator.settings import Settings, read_classes

CHART = "charts/videojob-operator"
SYSTEM = "chart-system"
SERVED, OTHER = "chart-served", "chart-other"
Rights = dict[tuple[str, str], set[str]]


@cache
def helm_binary() -> str:
    """Helm, built if this machine has none."""
    binaries.ensure(("helm",))
    return str(binaries.path("helm"))


def helm(*args: str, kube: Kube | None = None) -> Done:
    """Helm to its end."""
    return call([helm_binary(), *args], env=kube.env if kube else {"KUBECONFIG": "/nonexistent"})


def render(*args: str) -> list[dict[str, Any]]:
    """The chart's objects for these settings."""
    done = helm("template", "videojob", CHART, "--namespace", SYSTEM, *args)
    assert done.code == 0, done.err
    return [body for body in yaml.safe_load_all(done.out) if body]


def one(objects: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    """The only object of a kind (and name)."""
    (found,) = [body for body in objects if body["kind"] == kind and name in (None, body["metadata"]["name"])]
    return found


# ---------------------------------------------------------------- without a cluster


def test_lint_finds_nothing() -> None:
    done = helm("lint", "--strict", CHART)
    assert done.code == 0, done.out


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("operator.logLevl=INFO", "at '/operator': additional properties 'logLevl' not allowed"),
        ("workers=3", "additional properties 'workers' not allowed"),
        ("worker.image.tagg=1", "at '/worker/image': additional properties 'tagg' not allowed"),
        ("namespaces[0].storage.sizes=1Gi", "additional properties 'sizes' not allowed"),
        ("operator.logLevel=LOUD", "value must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
        ("worker.image.digest=sha256:12", "does not match pattern"),
        ("operator.workers=0", "minimum: got 0, want 1"),
        ("workerClasses.gpu.maxMemry=1Gi", "at '/workerClasses/gpu': additional properties 'maxMemry' not allowed"),
        ("workerClasses.GPU.image=a", "at '/workerClasses': additional properties 'GPU' not allowed"),
        ("workerClasses.gpu.spot=Never", "value must be one of 'Any', 'Tolerate', 'Avoid'"),
    ],
)
def test_a_misspelt_value_fails(setting: str, words: str) -> None:
    done = helm("template", CHART, "--set", setting)
    assert done.code != 0, "it was taken"
    assert words in done.err


def test_a_namespace_named_twice_fails() -> None:
    done = helm("template", CHART, "--set", "namespaces[0].name=a", "--set", "namespaces[1].name=a")
    assert "namespaces: a, a stands there twice" in done.err


def test_values_of_the_file_are_the_models_defaults() -> None:
    done = helm("show", "values", CHART)
    assert yaml.safe_load(done.out) == ChartValues().model_dump(mode="json", by_alias=True)


ALERTS = {
    "AvatarsFail": ("videojob_finished_total", "< 0.95", "10m"),
    "AvatarsSlow": ("pipeline_execution_time_seconds", "> 90", "10m"),
    "GpuSlotsBusy": ("gpu_utilization_percent", "> 90", "5m"), "StorageLow": ("mediastore_free_bytes", "< 5e9", None),
}  # fmt: skip


def test_alerts_are_those_of_the_seeds_and_ask_for_metrics_that_there_are(root: Path) -> None:
    """A-025, A-028: success below 95 % for 10 min, average above 90 s, GPU above 90 % for 5 min, less than 5 GB free; each with
    something to do.
    """
    assert not [body for body in render() if body["kind"] == "PrometheusRule"]
    made = one(render("--set", "alerts.enabled=true,alerts.labels.release=prometheus"), "PrometheusRule")
    assert made["metadata"]["labels"]["release"] == "prometheus"
    rules = {rule["alert"]: rule for group in made["spec"]["groups"] for rule in group["rules"]}
    assert rules.keys() == ALERTS.keys()
    table = (root / "operator/METRICS.md").read_text(encoding="utf-8")
    for name, (metric, bound, lasting) in ALERTS.items():
        rule = rules[name]
        assert metric in rule["expr"]
        assert rule["expr"].endswith(bound)
        assert rule.get("for") == lasting
        assert rule["annotations"]["action"]
        asked = set(re.findall(r"[a-z]+(?:_[a-z]+)+", re.sub(r"\{[^}]*\}", "", rule["expr"])))
        assert all(f"`{re.sub('_(sum|count)$', '', one)}`" in table for one in asked), asked


def test_a_024_a_class_names_the_cards_that_it_wants() -> None:
    """A-024: nodes by the product of their card, as NVIDIA's discovery labels them."""
    product = "workerClasses.cards.nodeSelector.nvidia\\.com/gpu\\.product=Tesla-T4-SHARED"
    objects = render("--set", "workerClasses.cards.gpu.resource=nvidia.com/gpu.shared", "--set", product,
                     "--set", "workerClasses.default.gpuClass=cards")  # fmt: skip
    held = one(objects, "ConfigMap", "videojob-operator-worker-classes")["data"]
    found = read_classes(yaml.safe_load(held["worker-classes.yaml"]))
    assert found["cards"].node_selector == {"nvidia.com/gpu.product": "Tesla-T4-SHARED"}
    assert found["default"].gpu_class == "cards"


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The operator's environment, values of fields by their path."""
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {
        each["name"]: each["value"] if "value" in each else each["valueFrom"]["fieldRef"]["fieldPath"]
        for each in container["env"]
    }


def test_the_operators_environment_is_made_of_settings() -> None:
    known = {f"VIDEOJOB_{name.upper()}" for name in Settings.model_fields}
    assert set(environment(render())) - known == set()


def test_the_operators_environment_makes_the_settings_it_is_meant_to(monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(render("--set", "watch.namespaces={a,b}", "--set", "worker.threads=3"))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.watch_namespaces == ("a", "b", SYSTEM)
    assert settings.threads == 3
    assert settings.progress_url == f"http://videojob-operator.{SYSTEM}.svc:8081"
    assert settings.deployment == settings.lease_name == "videojob-operator"
    assert (settings.namespace, settings.pod_uid) == ("metadata.namespace", "metadata.uid")


def test_worker_classes_reach_the_operator_as_a_file_and_restart_it(tmp_path: Path) -> None:
    given = '{"gpu":{"gpu":{"count":2},"maxMemory":"8Gi","env":[{"name":"A","value":"1"}]},"default":{"spot":"Avoid"}}'
    objects = render("--set-json", f"workerClasses={given}")
    file = tmp_path / "worker-classes.yaml"
    file.write_text(one(objects, "ConfigMap", "videojob-operator-worker-classes")["data"][file.name])
    assert load(file) == read_classes(json.loads(given))
    assert environment(objects)["VIDEOJOB_WORKER_CLASSES_FILE"] == f"/etc/videojob-classes/{file.name}"
    template = one(objects, "Deployment")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert "/etc/videojob-classes" in [mount["mountPath"] for mount in container["volumeMounts"]]
    other = one(render("--set", "workerClasses.gpu.maxMemory=9Gi"), "Deployment")["spec"]["template"]
    assert template["metadata"]["annotations"] != other["metadata"]["annotations"]
    assert not [each for each in render() if each["metadata"]["name"].endswith("worker-classes")]


def test_the_operators_pod_fits_the_restricted_profile_and_is_alone() -> None:
    deployment = one(render(), "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    seconds = {t["key"]: t["tolerationSeconds"] for t in pod["tolerations"]}
    assert seconds == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


@pytest.mark.parametrize(
    ("settings", "expect"),
    [
        ((), "videojob-worker:0.1.0"),
        (("worker.image.tag=7",), "videojob-worker:7"),
        (("worker.image.registry=r.example:5000", "worker.image.tag=7"), "r.example:5000/videojob-worker:7"),
        ((f"worker.image.digest=sha256:{'a' * 64}",), f"videojob-worker:0.1.0@sha256:{'a' * 64}"),
    ],
)
def test_an_image_by_registry_tag_or_digest(settings: tuple[str, ...], expect: str) -> None:
    objects = render(*(word for each in settings for word in ("--set-string", each)))
    assert environment(objects)["VIDEOJOB_WORKER_IMAGE"] == expect
    account = one(objects, "ServiceAccount", names.WORKER_SERVICE_ACCOUNT)
    assert account["metadata"]["annotations"][names.ANNOTATION_WORKER_IMAGE] == expect
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("setting", "count", "kept"),
    [("crds.keep=true", 4, True), ("crds.keep=false", 4, False), ("crds.enabled=false", 0, True)],
)
def test_crds_come_with_the_release_and_stay_when_it_goes(setting: str, count: int, kept: bool) -> None:
    crds = [body for body in render("--set", setting) if body["kind"] == "CustomResourceDefinition"]
    assert len(crds) == count
    for crd in crds:
        annotations = crd["metadata"].get("annotations", {})
        assert annotations == ({"helm.sh/resource-policy": "keep"} if kept else {})


def test_a_namespace_is_made_ready_once_and_never_taken_away() -> None:
    """A claim holds people's videos: no release may delete or replace it."""
    objects = render("--set", "namespaces[0].name=media")
    for kind in ("PersistentVolumeClaim", "MediaStore"):
        body = one(objects, kind)
        assert body["metadata"]["namespace"] == "media"
        assert body["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
        assert body["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "hook-failed"
    store = MediaStoreSpec.model_validate(one(objects, "MediaStore")["spec"])
    assert store.pvc is not None
    assert store.pvc.claim_name == one(objects, "PersistentVolumeClaim")["metadata"]["name"]


def test_an_entry_with_a_name_alone_is_an_entry_with_every_default() -> None:
    short = render("--set-json", 'namespaces=[{"name":"media"}]')
    whole = render("--set", "namespaces[0].name=media", "--set", "namespaces[0].storage.size=10Gi",
                   "--set", "namespaces[0].storage.accessModes={ReadWriteOnce}")  # fmt: skip
    assert short == whole


def test_workers_reach_the_operator_and_names_and_nothing_else() -> None:
    objects = render("--set", "networkPolicy.enabled=true")
    policy = one(objects, "NetworkPolicy", "videojob-worker")["spec"]
    ports = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert ports == ["worker", 53, 53]


def test_only_a_pod_that_fetches_asks_or_tells_reaches_the_world_and_no_cluster() -> None:
    """Case 60, design section 8: public addresses, and what the values open."""
    objects = render("--set", "networkPolicy.enabled=true", "--set", "fetch.allowNetworks={10.20.0.0/16,fd00:7::/48}")
    policy = one(objects, "NetworkPolicy", "videojob-fetch")["spec"]
    assert policy["podSelector"] == {
        "matchLabels": {names.LABEL_MANAGED_BY: names.MANAGER},
        "matchExpressions": [{"key": names.LABEL_EGRESS, "operator": "In", "values": ["fetch", "provide", "notify"]}],
    }
    assert policy["policyTypes"] == ["Egress"]
    everywhere, public, *opened = [block["ipBlock"] for rule in policy["egress"] for block in rule["to"]]
    assert everywhere["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10"} <= set(everywhere["except"])
    assert public == {"cidr": "2000::/3"}
    assert opened == [{"cidr": "10.20.0.0/16"}, {"cidr": "fd00:7::/48"}]


def test_the_operator_is_told_where_urls_may_lead() -> None:
    objects = render("--set", "fetch.allowNetworks={10.20.0.0/16,fd00:7::/48}", "--set", "fetch.allowHosts={a.example}")
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told["VIDEOJOB_FETCH_ALLOW_NETWORKS"] == "10.20.0.0/16,fd00:7::/48"
    assert told["VIDEOJOB_FETCH_ALLOW_HOSTS"] == "a.example"


# ---------------------------------------------------------------- installed on an API server


@pytest.fixture(scope="module")
def kube(plane: ControlPlane) -> Iterator[Kube]:
    """Kubectl as administrator, and namespaces for the release; no node runs the operator."""
    kubectl = Kube(plane.kubeconfig, str(binaries.path("kubectl")))
    for namespace in (SYSTEM, SERVED, OTHER):
        kubectl.run("create", "namespace", namespace)
    yield kubectl
    kubectl.run("delete", "namespace", SYSTEM, SERVED, OTHER, "--wait=false")


@pytest.fixture
def install(kube: Kube) -> Iterator[Callable[..., None]]:
    """Installs the chart with these settings; the CRDs are there already."""

    def run(*settings: str) -> None:
        words = [word for each in ("crds.enabled=false", *settings) for word in ("--set", each)]
        done = helm("install", "videojob", CHART, "--namespace", SYSTEM, *words, kube=kube)
        assert done.code == 0, done.err

    yield run
    done = helm("uninstall", "videojob", "--namespace", SYSTEM, "--wait", kube=kube)
    assert done.code == 0, done.err


def granted(rules: list[dict[str, Any]]) -> Rights:
    """Verbs by group and resource."""
    found: Rights = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def table(*scopes: rbac.Scope) -> Rights:
    """The rights that the operator's own table asks for."""
    return granted([rule for scope in scopes for rule in rbac.rules(scope)])


def roles(kube: Kube, kind: str, namespace: str | None = None) -> Rights:
    """All rights that roles of this release give the operator, in one namespace or in the cluster."""
    bindings = kube.list(f"{kind.lower()}binding", namespace or SYSTEM)
    subject = {"kind": "ServiceAccount", "name": "videojob-operator", "namespace": SYSTEM}
    bound = [body["roleRef"]["name"] for body in bindings if subject in body.get("subjects", ())]
    return granted([rule for name in bound for rule in kube.get(kind, name, namespace)["rules"]])


def allowed(kube: Kube, account: str, verb: str, resource: str, namespace: str) -> bool:
    """The server's own answer."""
    resource, _, below = resource.partition("/")
    subject = f"system:serviceaccount:{account}"
    argv = ("auth", "can-i", verb, resource, f"--subresource={below}", "-n", namespace, "--as", subject)
    answer = kube.run(*argv, check=False).out.strip()
    assert answer in {"yes", "no"}
    return answer == "yes"


def test_rights_over_all_namespaces_are_those_of_the_table(kube: Kube, install: Callable[..., None]) -> None:
    install()
    assert roles(kube, "ClusterRole") == table("cluster", "watched")
    assert roles(kube, "Role", SYSTEM) == table("own")
    account = f"{SYSTEM}:videojob-operator"
    assert allowed(kube, account, "create", "jobs.batch", OTHER)
    assert not allowed(kube, account, "get", "secrets", SYSTEM)
    assert not allowed(kube, account, "create", "pods", OTHER)
    assert not allowed(kube, account, "patch", "videoqueues.videojob.dev", OTHER)


@pytest.mark.parametrize("listed", [(SYSTEM,), (SERVED,), (SERVED, OTHER)], ids=["its own", "one", "several"])
def test_rights_over_a_list_of_namespaces_are_roles_there(
    kube: Kube, install: Callable[..., None], listed: tuple[str, ...]
) -> None:
    """The one right over the cluster is to have workers' tokens judged; the release's own namespace always belongs to them."""
    install(f"watch.namespaces={{{','.join(listed)}}}")
    assert roles(kube, "ClusterRole") == table("cluster")
    assert set(table("cluster")) == {("authentication.k8s.io", "tokenreviews")}
    account = f"{SYSTEM}:videojob-operator"
    for namespace in (SYSTEM, SERVED, OTHER):
        served = namespace in {*listed, SYSTEM}
        own = ("own",) if namespace == SYSTEM else ()
        assert roles(kube, "Role", namespace) == (table("watched", *own) if served else {})
        assert allowed(kube, account, "list", "videojobs.videojob.dev", namespace) == served


def test_a_worker_may_do_no_more_than_any_account(kube: Kube, install: Callable[..., None]) -> None:
    """Its token names the pod and opens nothing."""
    install("rbac.sharedReading=false")
    kube.run("create", "serviceaccount", "nobody", "-n", SYSTEM)

    def listed(account: str) -> list[str]:
        return kube.run(
            "auth", "can-i", "--list", "-n", SYSTEM, "--as", f"system:serviceaccount:{account}"
        ).out.splitlines()

    worker = listed(f"{SYSTEM}:{names.WORKER_SERVICE_ACCOUNT}")
    assert sorted(worker) == sorted(listed(f"{SYSTEM}:nobody"))
    assert not [line for line in worker if names.GROUP in line or "batch" in line or "secrets" in line]


@pytest.mark.parametrize(
    ("setting", "readable"), [("rbac.sharedReading=true", True), ("rbac.sharedReading=false", False)]
)
def test_every_user_may_read_queues_and_profiles(
    kube: Kube, install: Callable[..., None], setting: str, readable: bool
) -> None:
    install(setting)
    someone = f"{OTHER}:default"
    assert allowed(kube, someone, "list", "videoqueues.videojob.dev", SYSTEM) is readable
    assert allowed(kube, someone, "get", "videoprofiles.videojob.dev", SYSTEM) is readable
    assert not allowed(kube, someone, "list", "videojobs.videojob.dev", SYSTEM)


VERBS = ("get", "create", "patch", "delete")
READ, WRITE = {"get"}, {"create", "patch", "delete"}


@pytest.mark.parametrize(
    ("role", "into", "expect"),
    [
        (
            "videojob-viewer",
            {"view", "edit", "admin"},
            {"videojobs": READ, "videoprofiles": READ, "videoqueues": READ, "mediastores": READ},
        ),
        ("videojob-editor", {"edit", "admin"}, {"videojobs": WRITE, "videoprofiles": WRITE, "mediastores": WRITE}),
        ("videojob-queue-admin", {"admin"}, {"videoqueues": WRITE}),
        ("videojob-uploader", set(), {"pods": {"get", "create", "delete"}, "pods/exec": {"get", "create"}}),
    ],
)
def test_roles_for_people(
    kube: Kube, install: Callable[..., None], role: str, into: set[str], expect: dict[str, set[str]]
) -> None:
    """Each is added to the built-in roles it belongs to; nobody but the operator writes status."""
    install()
    labels = kube.get("clusterrole", role)["metadata"]["labels"]
    assert {
        word for word in ("view", "edit", "admin") if f"rbac.authorization.k8s.io/aggregate-to-{word}" in labels
    } == into
    binding = ("rolebinding", role, "-n", OTHER, f"--clusterrole={role}", f"--serviceaccount={OTHER}:{role}")
    kube.run("create", *binding)
    asked = (
        "videojobs",
        "videojobs/status",
        "videoprofiles",
        "videoqueues",
        "mediastores",
        "pods",
        "pods/exec",
        "secrets",
    )
    for resource in asked:
        may = {verb for verb in VERBS if allowed(kube, f"{OTHER}:{role}", verb, resource, OTHER)}
        assert may == expect.get(resource, set()), resource


def test_a_store_is_made_with_the_release_and_outlives_it(kube: Kube, install: Callable[..., None]) -> None:
    install(f"namespaces[0].name={SERVED}")
    claim = kube.get("pvc", "videojob-store", SERVED)
    spec = kube.get("mediastore", "default", SERVED)["spec"]
    assert spec == MediaStoreSpec.model_validate({"pvc": {"claimName": "videojob-store"}}).dump(), (
        "the schema's defaults"
    )
    done = helm("upgrade", "videojob", CHART, "--namespace", SYSTEM, "--set", "crds.enabled=false",
                "--set", f"namespaces[0].name={SERVED}", kube=kube)  # fmt: skip
    assert done.code == 0, done.err
    assert kube.get("pvc", "videojob-store", SERVED)["metadata"]["uid"] == claim["metadata"]["uid"]


def test_notes_name_the_next_command(kube: Kube, install: Callable[..., None]) -> None:
    install()
    notes = helm("get", "notes", "videojob", "--namespace", SYSTEM, kube=kube).out
    assert "videojob submit -n NAMESPACE --file clip.mp4 --wait" in notes
    assert "videojob init -n NAMESPACE" in notes


def test_every_kind_has_a_role_for_people() -> None:
    rules = [rule for body in render() if body["metadata"]["name"] == "videojob-viewer" for rule in body["rules"]]
    assert {resource for _, resource in granted(rules)} == {kind.plural for kind in KINDS}
    assert json.dumps(rules).count("*") == 0
