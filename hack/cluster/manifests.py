"""What a usable cluster holds besides Kubernetes itself: DNS, a default StorageClass with volumes, one binding."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from cluster import node, pki
from cluster.net import Networks

STORAGE_CLASS = "local"
POOL_SIZE = 20
VOLUME_CAPACITY = "20Gi"
"""What a claim may ask for; local volumes share the disk and enforce nothing."""

Manifest = dict[str, Any]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return True


def corefile(upstream: list[str]) -> str:
    """CoreDNS' configuration; without an upstream server it answers for the cluster only."""
    forward = f"    forward . {' '.join(upstream)}\n" if upstream else ""
    return (
        ".:53 {\n    errors\n    health :8080\n    ready :8181\n"
        "    kubernetes cluster.local in-addr.arpa ip6.arpa {\n        pods insecure\n        ttl 5\n    }\n"
        f"{forward}    cache 5\n}}\n"
    )


def nameservers(text: str) -> list[str]:
    """The servers in a resolver file that are not on loopback, at most three as resolvers use."""
    words = [line.split() for line in text.splitlines()]
    found = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver" and not _is_loopback(word[1])]
    return [address for address in found if "%" not in address][:3]


def kubelet_access() -> Manifest:
    """Lets the API server exec, attach, forward ports and read logs at the kubelet."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "videojob-cluster:kubelet-client"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:kubelet-api-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": pki.KUBELET_CLIENT}],
    }


def storage(volumes: Path) -> list[Manifest]:
    """The default StorageClass and its pool of local volumes; a claim is bound when its first pod is scheduled."""
    result: list[Manifest] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Retain",
        }
    ]
    result += [volume(volumes, index) for index in range(POOL_SIZE)]
    return result


def volume_name(index: int) -> str:
    """The name of one volume of the pool, and of its folder."""
    return f"local-{index:02d}"


def volume(volumes: Path, index: int) -> Manifest:
    """One local volume on the only node, so that several nodes' access is one node's."""
    name = volume_name(index)
    host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [pki.NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": VOLUME_CAPACITY},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(volumes / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}},
        },
    }


def dns(networks: Networks, upstream: list[str]) -> list[Manifest]:
    """CoreDNS as the service kube-dns, with the right to read services, endpoints and namespaces."""
    name, namespace = "coredns", "kube-system"
    meta = {"name": name, "namespace": namespace}
    labels = {"k8s-app": "kube-dns"}
    ports = [{"name": f"dns-{kind.lower()}", "port": 53, "protocol": kind} for kind in ("UDP", "TCP")]
    container = {
        "name": name,
        "image": node.COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": port["name"], "containerPort": port["port"], "protocol": port["protocol"]} for port in ports
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "initialDelaySeconds": 30},
        "resources": {"requests": {"cpu": "20m", "memory": "30Mi"}, "limits": {"memory": "170Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "serviceAccountName": name,
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 1,
        # Port 53 for a program without root and without capabilities; the setting is the pod's own.
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "53"}]},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    }
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {"name": "system:coredns"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": role, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": role,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role["name"]},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": corefile(upstream)}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": namespace, "labels": labels},
            "spec": {"clusterIP": networks.dns, "selector": labels, "ports": ports},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**meta, "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]
