"""Decisions and files of a start: engine, addresses, owner, identities, configuration; none of it needs root."""

from __future__ import annotations

import ipaddress
import json
import os
import struct
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import (
    api,
    baseimage,
    binaries,
    controlplane,
    engine,
    images,
    kind,
    manifests,
    net,
    node,
    owner,
    packages,
    paths,
    pipconf,
    record,
    requirements,
    say,
    scratchimage,
    toolchain,
)
from cluster.net import Networks
from cluster.owner import Decision, Owner
from cluster.processes import Process
from cluster.record import Record

NETWORKS = Networks.of(244)
RUNNING = Record(
    address=NETWORKS.node,
    ports=dict.fromkeys((*controlplane.PORTS, *node.PORTS), 4001),
    networks=NETWORKS,
    processes=(Process("etcd", 17, 4),),
)


def stand_in(path: Path, script: str) -> Path:
    """An executable that does what the script says, in place of the real one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# ---------------------------------------------------------------- engine


@dataclass(frozen=True)
class EngineCase:
    name: str
    docker: str | None
    podman: str | None
    expect: str | None


ENGINES = (
    EngineCase("nothing installed", None, None, None),
    EngineCase("docker answers", "echo 28.1.0", None, "docker"),
    EngineCase("a docker client without a daemon does not count", "echo 'Cannot connect' >&2; exit 1", None, None),
    EngineCase("a client that ends well and says nothing does not count", "exit 0", None, None),
    EngineCase("podman answers where docker does not", "exit 1", "echo 5.2.0", "podman"),
    EngineCase("docker comes first where both answer", "echo 28.1.0", "echo 5.2.0", "docker"),
)


@pytest.mark.parametrize("case", ENGINES, ids=lambda case: case.name)
def test_an_engine_counts_only_if_it_answers(case: EngineCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, script in (("docker", case.docker), ("podman", case.podman)):
        if script is not None:
            stand_in(tmp_path / name, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.detect() == case.expect


# ---------------------------------------------------------------- kind


@pytest.fixture
def kind_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for kind, kubectl and the engines that write their arguments down; `get clusters` answers what the file says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = tmp_path / "calls"
    calls.write_text("")
    (tmp_path / "clusters").write_text("")
    for tool in ("kind", "kubectl"):
        script = f'echo "$KIND_EXPERIMENTAL_PROVIDER {tool} $*" >> {calls}\n[ "$1" = get ] && cat {tmp_path}/clusters\nexit 0'
        stand_in(binaries.path(tool), script)
    for tool in engine.ENGINES:
        stand_in(tmp_path / "engines" / tool, f'echo "{tool} $*" >> {calls}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'engines'}:{os.environ['PATH']}")
    return calls


def test_kind_is_created_loaded_and_deleted_by_these_command_lines(kind_calls: Path, tmp_path: Path) -> None:
    state, name = paths.State(tmp_path / ".cluster"), kind.cluster_name()
    kind.up(state, "podman")
    (tmp_path / "clusters").write_text(f"{name}\n")
    kind.load_images("podman", [Path("/images/worker.tar")])
    kind.down(state, "podman")
    lines = [
        line for line in kind_calls.read_text().splitlines() if " kubectl " not in line and "get clusters" not in line
    ]
    files = f"--config={state.config}/kind.json --kubeconfig={state.kubeconfig}"
    assert lines == [
        f"podman kind create cluster --name={name} --image={kind.NODE_IMAGE} {files} --wait=180s",
        f"podman exec {name}-control-plane chmod 0644 /var/log/videojob-audit/audit.log",
        f"podman kind load image-archive /images/worker.tar --name={name}",
        f"podman kind delete cluster --name={name} --kubeconfig={state.kubeconfig}",
    ]


def test_a_kind_cluster_that_exists_is_not_created_again(kind_calls: Path, tmp_path: Path) -> None:
    (tmp_path / "clusters").write_text(f"{kind.cluster_name()}\n")
    kind.up(paths.State(tmp_path / ".cluster"), "docker")
    assert "create cluster" not in kind_calls.read_text()
    assert "export kubeconfig" in kind_calls.read_text()


def test_kind_has_one_control_plane_one_worker_and_the_audit_log_in_the_state_folder(tmp_path: Path) -> None:
    state = paths.State(tmp_path)
    config = kind.config(state)
    assert [entry["role"] for entry in config["nodes"]] == ["control-plane", "worker"]
    mounts = {mount["containerPath"]: mount["hostPath"] for mount in config["nodes"][0]["extraMounts"]}
    arguments = json.loads(config["nodes"][0]["kubeadmConfigPatches"][0])["apiServer"]["extraArgs"]
    assert mounts[os.path.dirname(arguments["audit-log-path"])] == str(state.audit_log.parent)  # noqa: PTH120
    assert arguments["audit-policy-file"] in mounts


# ---------------------------------------------------------------- addresses and ports


@dataclass(frozen=True)
class RouteCase:
    name: str
    routes: str
    expect: str


ROUTES = (
    RouteCase("nothing in the way", "default via 192.168.1.1 dev eth0\n192.168.1.0/24 dev eth0", "10.244.0.0/24"),
    RouteCase("a part of the range is taken", "10.244.7.0/24 dev tun0", "10.245.0.0/24"),
    RouteCase("a route over everything from 10.240 on", "10.240.0.0/12 via 10.1.1.1 dev eth0", "10.200.0.0/24"),
    RouteCase("a single address", "10.244.255.1 dev vpn0\nunreachable 10.245.0.0/16", "10.246.0.0/24"),
)


@pytest.mark.parametrize("case", ROUTES, ids=lambda case: case.name)
def test_addresses_overlap_no_route(case: RouteCase) -> None:
    assert net.choose_networks(net.parse_routes(case.routes)).pods == case.expect


def test_a_machine_that_routes_everything_is_told_so() -> None:
    with pytest.raises(say.CannotRunError, match=r"10\.200\.0\.0/16 to 10\.255\.0\.0/16"):
        net.choose_networks([ipaddress.IPv4Network("10.0.0.0/8")])


def test_free_ports_differ_and_can_be_listened_on() -> None:
    assert len(set(net.free_ports(20))) == 20


def test_a_name_is_resolved_only_by_an_answer_without_error() -> None:
    question = net.dns_query("kubernetes.default")
    assert b"\x0akubernetes\x07default\x00" in question
    identity = question[:2]
    assert net.is_answer(identity + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0))
    assert not net.is_answer(identity + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0))
    assert not net.is_answer(b"\0\0" + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0))
    assert not net.is_answer(question[:5])


# ---------------------------------------------------------------- owner


@dataclass(frozen=True)
class OwnerCase:
    name: str
    owner: str | None
    alive: bool
    expect: Decision


OWNERS = (
    OwnerCase("nobody's machine", None, alive=False, expect=Decision.START),
    OwnerCase("ours and running", "/a/.cluster", alive=True, expect=Decision.KEEP),
    OwnerCase("ours and half dead", "/a/.cluster", alive=False, expect=Decision.RESUME),
    OwnerCase("another's and running", "/b/.cluster", alive=True, expect=Decision.TAKE_OVER),
    OwnerCase("another's, dead already", "/b/.cluster", alive=False, expect=Decision.TAKE_OVER),
)


@pytest.mark.parametrize("case", OWNERS, ids=lambda case: case.name)
def test_who_owns_the_machine_decides_what_a_start_does_first(case: OwnerCase) -> None:
    current = Owner(Path(case.owner), RUNNING) if case.owner else None
    assert owner.decide(current, Path("/a/.cluster"), alive=case.alive) is case.expect


def test_the_owner_is_read_back_as_written_and_a_torn_record_is_none(tmp_path: Path) -> None:
    path = tmp_path / "owner.json"
    assert owner.load(path) is None
    owner.save(Owner(tmp_path, RUNNING), path)
    assert owner.load(path) == Owner(tmp_path, RUNNING)
    path.write_text(path.read_text()[:40])
    assert owner.load(path) is None


def test_a_process_started_again_replaces_its_record() -> None:
    again = RUNNING.started(Process("kubelet", 18, 5)).started(Process("etcd", 19, 6))
    assert again.processes == (Process("kubelet", 18, 5), Process("etcd", 19, 6))
    assert record.parse({"address": "a", "ports": {"apiserver": 1}, "networks": None, "processes": []}).server


# ---------------------------------------------------------------- configuration


def test_nothing_listens_beyond_loopback_and_the_nodes_own_address(tmp_path: Path) -> None:
    state, own = paths.State(tmp_path), {"127.0.0.1", NETWORKS.node}
    kubelet = node.kubelet_config(state, RUNNING, NETWORKS)
    proxy = node.proxy_config(state, RUNNING, NETWORKS, bridge_calls_iptables=True)
    listening = {
        kubelet["address"],
        kubelet["healthzBindAddress"],
        proxy["bindAddress"],
        proxy["healthzBindAddress"].partition(":")[0],
        proxy["metricsBindAddress"].partition(":")[0],
    }
    for command in (
        controlplane.apiserver_command(state, RUNNING),
        controlplane.controller_manager_command(state, RUNNING),
        node.scheduler_command(state, RUNNING),
    ):
        listening |= {part.partition("=")[2] for part in command if part.startswith("--bind-address=")}
    etcd = [part for part in controlplane.etcd_command(state, RUNNING.ports) if part.startswith("--listen-")]
    assert listening <= own
    assert len(etcd) == 2
    assert all("=https://127.0.0.1:" in part for part in etcd)
    assert kubelet["readOnlyPort"] == 0


def test_nobody_is_anonymous_and_everybody_is_authorized(tmp_path: Path) -> None:
    state = paths.State(tmp_path)
    kubelet = node.kubelet_config(state, RUNNING, NETWORKS)
    apiserver = controlplane.apiserver_command(state, RUNNING)
    assert {"--anonymous-auth=false", "--authorization-mode=Node,RBAC"} <= set(apiserver)
    assert not any(part.startswith(("--disable-admission-plugins", "--token-auth-file")) for part in apiserver)
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}


def test_every_request_is_audited_once() -> None:
    policy = controlplane.audit_policy()
    assert policy["rules"] == [{"level": "Metadata"}]
    assert policy["omitStages"] == ["RequestReceived"]


def test_containerds_configuration_is_valid_and_its_socket_short_enough(tmp_path: Path) -> None:
    text = node.containerd_config(paths.State(tmp_path / 'a "quoted" folder'), nested_overlay=True)
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["containerd"]["snapshotter"] == "native"
    assert cri["sandbox_image"] == node.PAUSE_IMAGE
    assert len(str(node.CONTAINERD_SOCKET)) < 100


def test_twenty_volumes_serve_claims_of_one_pod_and_of_many(tmp_path: Path) -> None:
    storage, *pool = manifests.storage(tmp_path)
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert storage["volumeBindingMode"] == "WaitForFirstConsumer"
    assert len({volume["spec"]["local"]["path"] for volume in pool}) == 20
    assert all({"ReadWriteOnce", "ReadWriteMany"} <= set(volume["spec"]["accessModes"]) for volume in pool)


def test_a_resolver_on_loopback_is_never_forwarded_to() -> None:
    text = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\noptions edns0\n"
    assert manifests.nameservers(text) == ["192.0.2.53"]
    assert "forward . 192.0.2.53" in manifests.corefile(["192.0.2.53"])
    assert "forward" not in manifests.corefile([])


def test_objects_are_found_under_their_plural() -> None:
    binding, (storage, *_) = manifests.kubelet_access(), manifests.storage(Path("/v"))
    service = next(item for item in manifests.dns(NETWORKS, []) if item["kind"] == "Service")
    assert api.object_path(binding).endswith("/clusterrolebindings/videojob-cluster:kubelet-client")
    assert api.object_path(storage) == "/apis/storage.k8s.io/v1/storageclasses/local"
    assert api.object_path(service) == "/api/v1/namespaces/kube-system/services/kube-dns"


# ---------------------------------------------------------------- binaries and packages


def test_binaries_are_kept_by_pin_and_flags() -> None:
    environ = {"XDG_CACHE_HOME": "/c"}
    one, other = (paths.binaries_dir("helm", flags, environ) for flags in ("-s", "-w"))
    assert one != other
    assert one.parts[:3] == ("/", "c", "videojob")


def test_an_unknown_tool_is_refused_with_the_list() -> None:
    with pytest.raises(say.CannotRunError, match=r"'helmm'.*kubectl.*helm"):
        binaries.by_name("helmm")


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version devel go1.27-abc linux/arm64", (1, 27)),
        ("bash: go: not found", None),
    ],
)
def test_gos_version_is_read_from_what_it_prints(text: str, expect: tuple[int, int] | None) -> None:
    assert toolchain.parse_version(text) == expect


def test_an_old_go_is_not_used(tmp_path: Path) -> None:
    assert not toolchain.new_enough(stand_in(tmp_path / "old", "echo go version go1.19.8 linux/amd64"))
    assert toolchain.new_enough(stand_in(tmp_path / "new", "echo go version go1.26.1 linux/amd64"))
    assert not toolchain.new_enough(tmp_path / "absent")


def test_a_removed_package_does_not_count_as_installed() -> None:
    assert packages.parse_installed("ii \tiptables\nrc \tcontainerd\nun \tsocat\n") == {"iptables"}


def test_a_full_disk_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(say.CannotRunError, match=r"GiB free and a test needs .* GiB"):
        binaries.require_space(tmp_path, 2**60, "a test")


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("program", ["docker", "podman", "buildah"])
def test_an_image_is_built_with_its_base_and_secrets_by_each_builder(program: str) -> None:
    tool, image = images.Builder((program,), ("build",)), images.TABLE[0]
    command = tool.build_command(
        image, "localhost/videojob-operator:1-abc", "localhost/base:1", ["--secret=id=pipconf,src=/s"]
    )
    assert command[:2] == [program, "build"]
    assert command[-2:] == ["--file=operator/Containerfile", "."]
    assert {
        "--build-arg=BASE=localhost/base:1",
        "--secret=id=pipconf,src=/s",
        "--tag=localhost/videojob-operator:1-abc",
    } <= set(command)
    assert "BASE" not in " ".join(tool.build_command(image, "r", None, []))
    assert "/t/i.tar" in " ".join(tool.save_command("r", Path("/t/i.tar")))


def test_the_image_for_weights_is_built_on_request_on_top_of_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [image.name for image in images.chosen(None)] == ["operator", "worker"]
    worker, vision = images.chosen("worker-vision")
    monkeypatch.setenv("ACCELERATOR", "cuda")
    command = images.Builder(("docker",), ("build",)).build_command(vision, vision.reference(), None, [])
    assert {f"--build-arg=WORKER={worker.reference()}", "--build-arg=ACCELERATOR=cuda"} <= set(command)
    assert "--file=worker-image/Containerfile.vision" in command
    cuda = vision.reference()
    monkeypatch.setenv("ACCELERATOR", "cpu")
    assert vision.reference() != cuda
    assert "ACCELERATOR" not in " ".join(images.Builder(("docker",), ("build",)).build_command(worker, "r", None, []))


def test_a_reference_follows_the_content_and_nothing_else(tmp_path: Path, root: Path) -> None:
    image = images.Image("operator", "operator/Containerfile", ("src",))
    for name in (
        "hack/cluster/requirements.py",
        "operator/Containerfile",
        "src/a.py",
        "src/__pycache__/a.pyc",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    first = image.reference(tmp_path)
    (tmp_path / "README.md").write_text("other")
    (tmp_path / "src/__pycache__/a.pyc").write_text("other")
    assert image.reference(tmp_path) == first
    (tmp_path / "src/a.py").write_text("other")
    assert image.reference(tmp_path) != first


def test_dependencies_follow_the_projects_own_extras() -> None:
    project = {
        "name": "videojob",
        "dependencies": ["pydantic>=2"],
        "optional-dependencies": {
            "cli": ["videojob[worker, operator]", "typer"],
            "worker": ["av"],
            "operator": ["kopf", "av"],
        },
    }
    assert requirements.requirements(project, "cli") == ["pydantic>=2", "typer", "av", "kopf"]
    with pytest.raises(KeyError, match="gpu"):
        requirements.requirements(project, "gpu")


def test_pips_settings_reach_the_build_without_this_machines_folders() -> None:
    listed = """\
:env:.timeout='180'
global.timeout='15'
global.cert='/etc/ssl/own.pem'
global.cache-dir='/home/me/cache'
:env:.constraint='/home/me/own.txt file:///home/me/own.txt https://mirror.example/constraints.txt'
install.build='/home/me/build'
install.no-binary='av'
a line that is none
"""
    values = pipconf.settings(listed)
    assert values == {"timeout": "180", "constraint": "https://mirror.example/constraints.txt", "no-binary": "av"}
    assert f"cert = {pipconf.CA_TARGET}" in pipconf.render(values, with_ca=True)
    assert "cert" not in pipconf.render(values, with_ca=False)


def test_the_authority_is_the_one_that_pip_uses(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    assert pipconf.ca_bundle("", {"PIP_CERT": str(tmp_path / "absent"), "SSL_CERT_FILE": str(bundle)}) == bundle
    assert pipconf.ca_bundle(f"global.cert='{bundle}'", {}) == bundle
    assert pipconf.ca_bundle("", {}) is None


def test_the_base_image_comes_from_the_machines_own_mirror_if_it_has_the_suite() -> None:
    targets = (
        "Debian bookworm main http://mirror.example/debian/\nDebian bookworm-security main http://mirror.example/security/\n"
        "Other nodistro main https://other.example/\nDebian trixie main http://mirror.example/debian/\n"
    )
    lines = baseimage.source_lines(targets)
    assert lines == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]
    assert baseimage.make_command(Path("/t/base.tar"), lines)[-4:] == ["bookworm", "/t/base.tar", *lines]


def test_an_image_of_one_program_holds_it_and_names_it(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "pause", "exit 0")
    archive = scratchimage.write(program, "localhost/pause:1", tmp_path / "image.tar")
    with tarfile.open(archive) as opened:
        read = {member.name: opened.extractfile(member).read() for member in opened.getmembers()}  # type: ignore[union-attr]
    entry = json.loads(read["index.json"])["manifests"][0]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/pause:1"
    manifest = json.loads(read[f"blobs/{entry['digest'].replace(':', '/')}"])
    config = json.loads(read[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
