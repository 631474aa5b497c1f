"""A real Kubernetes for the demo and the tests, on the machine at hand: `python3 hack/cluster COMMAND`.

Where a Docker or Podman engine answers, the cluster is kind's (one control-plane node, one worker). Where none does, it is
made of processes of this machine, which needs root and a Debian-like system: etcd, kube-apiserver, controller manager,
scheduler, kubelet, kube-proxy, CoreDNS, containerd and a CNI bridge, compiled once from pinned Go modules and kept in
$XDG_CACHE_HOME/videojob (default ~/.cache/videojob).

What it is like: RBAC and the Node authorizer, certificates for every part, nobody anonymous; nothing listens beyond loopback
and two bridges of its own (vj-node, vj-pods); Pod Security admission; a default StorageClass `local` with 20 volumes
(ReadWriteOnce and ReadWriteMany, 20 GiB in name, bound when the first pod is scheduled); every request in an audit log.
State lies in .cluster/ of the checkout, the administrator's kubeconfig is .cluster/kubeconfig with the context `videojob`.

Volumes: a volume whose claim was deleted is Released and keeps its bytes; the next `up`, also while the cluster runs, wipes
it and puts it back into the pool.

One host cluster per machine: `up` from another checkout stops the running one and takes over; the data of the stopped one
stay in its .cluster/ until its next `up` or `down`. `up` after a reboot or a crash goes on with the data that are there.
`down` deletes everything but loaded images and logs. Where another Kubernetes runs (kubeadm, k3s, k0s, RKE2, MicroK8s), `up`
refuses before it touches anything. A firewall that drops by default is told in a chain of its own (VIDEOJOB-PODS) to let the
pods' traffic through; the chain and a changed net.bridge.bridge-nf-call-iptables are undone by `down`.
"""

import sys
from pathlib import Path

if not __package__:
    # Started as a folder: Python put this folder on its path, but the package lies in the one above.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cluster import cli

if __name__ == "__main__":
    sys.exit(cli.main(__doc__ or "", sys.argv[1:]))
