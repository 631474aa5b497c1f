"""A real Kubernetes on the machine at hand, for the demo and the tests.

What this room is for: to bring up a cluster where a person has none: kind where a Docker or Podman engine answers, else
etcd, the control plane, a kubelet and containerd as processes of this machine, built from pinned Go modules; and to build
the project's images and bring them in.
What it may know: processes, files, network devices, and the Kubernetes API as any administrator does.
What it never does: know what a VideoJob is, import anything beyond the standard library (it runs before there is a virtual
environment), or touch a process, rule, mount or device that it did not make.
"""
