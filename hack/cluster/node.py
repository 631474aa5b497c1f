"""The node of the host cluster: containerd, kubelet, kube-proxy and the pods' network, as files and command lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cluster import binaries, pki
from cluster.controlplane import LOOPBACK
from cluster.net import Networks
from cluster.paths import RUN_DIR, State
from cluster.record import Record

PORTS = ("scheduler", "kubelet", "kubelet-healthz", "proxy-healthz", "proxy-metrics")
NODE_BRIDGE = "vj-node"
"""A bridge with the node's own /32: an address that no cable reaches. A dummy device would do, where the kernel has them."""
POD_BRIDGE = "vj-pods"
NETWORK = "videojob"
"""The CNI network's name; the plugins write it into the comment of every iptables rule of theirs."""
CNI_PLUGINS = Path("/usr/lib/cni")
CONTAINERD_STATE = RUN_DIR / "containerd"
CONTAINERD_SOCKET = CONTAINERD_STATE / "containerd.sock"
"""Below /run, since a socket's path may have 107 bytes and a checkout's path may be long."""
PAUSE_IMAGE = "localhost/videojob-pause:1"
COREDNS_IMAGE = "localhost/videojob-coredns:1"


def containerd_config(state: State, *, nested_overlay: bool) -> str:
    """Version 2 TOML for containerd. On an overlay file system (a container's own root) only the copying snapshotter works."""
    snapshotter = "native" if nested_overlay else "overlayfs"
    return f"""version = 2
root = {json.dumps(str(state.containerd))}
state = {json.dumps(str(CONTAINERD_STATE))}
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = {json.dumps(str(CONTAINERD_SOCKET))}
[ttrpc]
  address = {json.dumps(str(CONTAINERD_SOCKET) + ".ttrpc")}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE a sandbox may not lower its score, and none would start.
  restrict_oom_score_adj = true
  # Below the state folder a sandbox's network namespace is found and removed even when containerd is dead.
  netns_mounts_under_state_dir = true
  stream_server_address = "{LOOPBACK}"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {json.dumps(str(CNI_PLUGINS))}
    conf_dir = {json.dumps(str(state.config / "cni"))}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
"""


def cni_config(networks: Networks, addresses: Path) -> dict[str, Any]:
    """One bridge for all pods; their addresses are kept in files of ours, so that a new cluster starts with all of them."""
    return {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": POD_BRIDGE,
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(addresses),
                    "ranges": [[{"subnet": networks.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(state: State, seen: Record, networks: Networks) -> dict[str, Any]:
    """The kubelet: webhook authorization and client certificates, nobody anonymous, no read-only port."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": networks.node,
        "port": seen.ports["kubelet"],
        "readOnlyPort": 0,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": seen.ports["kubelet-healthz"],
        "tlsCertFile": str(state.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(state.pki / "kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(state.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [networks.dns],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(state.logs / "pods"),
        "serializeImagePulls": False,
        # Nothing here can be pulled again, so that an image which the disk's filling up removed would be gone for good.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "nodeStatusUpdateFrequency": "10s",
        "nodeLeaseDurationSeconds": 40,
    }


def proxy_config(state: State, seen: Record, networks: Networks, *, bridge_calls_iptables: bool) -> dict[str, Any]:
    """kube-proxy in iptables mode; node ports answer at the node's own address only."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "bindAddress": networks.node,
        "hostnameOverride": pki.NODE,
        "clusterCIDR": networks.pods,
        "healthzBindAddress": f"{LOOPBACK}:{seen.ports['proxy-healthz']}",
        "metricsBindAddress": f"{LOOPBACK}:{seen.ports['proxy-metrics']}",
        "nodePortAddresses": [f"{networks.node}/32"],
        "clientConnection": {"kubeconfig": str(state.config / "proxy.kubeconfig")},
        # Answers between two pods of the bridge would bypass the translation unless bridged packets pass iptables or the
        # node stands in as the sender.
        "iptables": {"masqueradeAll": not bridge_calls_iptables, "minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def scheduler_command(state: State, seen: Record) -> list[str]:
    """The scheduler, alone and so without an election."""
    kubeconfig = state.config / "scheduler.kubeconfig"
    return [
        str(binaries.path("kube-scheduler")),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={seen.ports['scheduler']}",
        f"--tls-cert-file={state.pki / 'apiserver.crt'}",
        f"--tls-private-key-file={state.pki / 'apiserver.key'}",
        "--leader-elect=false",
    ]


def kubelet_command(state: State, networks: Networks) -> list[str]:
    """The kubelet under the node's name and address."""
    return [
        str(binaries.path("kubelet")),
        f"--kubeconfig={state.config / 'kubelet.kubeconfig'}",
        f"--config={state.config / 'kubelet.json'}",
        f"--root-dir={state.root / 'kubelet'}",
        f"--hostname-override={pki.NODE}",
        f"--node-ip={networks.node}",
    ]


def proxy_command(state: State) -> list[str]:
    """kube-proxy with its configuration file."""
    return [str(binaries.path("kube-proxy")), f"--config={state.config / 'proxy.json'}"]


def write_configs(
    state: State, seen: Record, networks: Networks, *, nested_overlay: bool, bridge_calls_iptables: bool
) -> None:
    """Render every file that the node's processes read."""
    (state.config / "cni").mkdir(parents=True, exist_ok=True)
    (state.config / "containerd.toml").write_text(containerd_config(state, nested_overlay=nested_overlay))
    files = {
        "cni/10-videojob.conflist": cni_config(networks, RUN_DIR / "addresses"),
        "kubelet.json": kubelet_config(state, seen, networks),
        "proxy.json": proxy_config(state, seen, networks, bridge_calls_iptables=bridge_calls_iptables),
    }
    for name, content in files.items():
        (state.config / name).write_text(json.dumps(content, indent=1) + "\n")
    for user in ("scheduler", "kubelet", "proxy"):
        pki.write_kubeconfig(state, user, seen.server, state.config / f"{user}.kubeconfig")
