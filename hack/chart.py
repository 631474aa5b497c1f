"""The generated parts of charts/videojob-operator: values, their schema and table, defaults, rights, CRD copies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from chart_values import ChartValues
from text import MARK, dump_yaml, table, wrap_comment
from videojob_api import names
from videojob_api.docs import Documented, field_docs
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import DEFAULT_SLOTS, VIDEOPROFILE, VIDEOQUEUE, Kind, VideoQueueSpec, WorkerClass
from videojob_api.v1alpha1.workerclass import Gpu

CHART = "charts/videojob-operator"


def _shared(kind: Kind, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One object that the operator creates in its own namespace if it is absent."""
    labels = {names.LABEL_BUILTIN: "true", names.LABEL_MANAGED_BY: names.MANAGER}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": names.API_VERSION, "kind": kind.kind, "metadata": metadata, "spec": spec}


def defaults() -> list[dict[str, Any]]:
    """The default queue (X-004) and the built-in profiles (T-006)."""
    queue = _shared(VIDEOQUEUE, names.DEFAULT_QUEUE, VideoQueueSpec(slots=DEFAULT_SLOTS).dump())
    return [queue, *(_shared(VIDEOPROFILE, name, spec.dump()) for name, spec in BUILTIN_PROFILES.items())]


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str, Any]]:
    """(key, sentence, default) of each field, by its public name."""
    docs = field_docs(model)
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        yield field.alias or name, " ".join(docs.get(name, "").split()), default


def _plain(value: Any) -> Any:
    """A default as it stands in a values file."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def values_yaml() -> str:
    """The chart's values.yaml: every value with its default and its sentence."""
    lines = [f"# {MARK.replace('crds/videojob_api', 'hack/chart_values.py')}"]

    def write(value: BaseModel, depth: int) -> None:
        for key, sentence, _ in _fields(type(value)):
            current = getattr(value, _attribute(type(value), key))
            lines.extend(wrap_comment(sentence, depth))
            if isinstance(current, BaseModel):
                lines.append(f"{'  ' * depth}{key}:")
                write(current, depth + 1)
            else:
                text = dump_yaml({key: _plain(current)}).rstrip("\n")
                lines.extend("  " * depth + line for line in text.splitlines())

    write(ChartValues(), 0)
    return "\n".join(lines) + "\n"


def _attribute(model: type[BaseModel], alias: str) -> str:
    """The Python name behind a public one."""
    return next(name for name, field in model.model_fields.items() if alias in (name, field.alias))


def values_schema() -> str:
    """The chart's values.schema.json: Helm refuses a key or a value that does not fit."""
    schema = ChartValues.model_json_schema(by_alias=True, schema_generator=Documented)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def values_table() -> str:
    """The table of values in the chart's README."""
    rows: list[tuple[str, ...]] = []

    def walk(value: BaseModel, prefix: str) -> None:
        for key, sentence, _ in _fields(type(value)):
            current = getattr(value, _attribute(type(value), key))
            path = f"{prefix}{key}"
            if isinstance(current, BaseModel):
                walk(current, f"{path}.")
                continue
            if key == "gpu":
                walk(Gpu(), f"{path}.")
                continue
            shown = [{}] if isinstance(current, tuple) and current and isinstance(current[0], BaseModel) else current
            rows.append((f"`{path}`", f"`{json.dumps(_plain(shown))}`", sentence))
            if key == "workerClasses":
                walk(WorkerClass(), f"{path}.NAME.")
            if isinstance(current, tuple) and current and isinstance(current[0], BaseModel):
                walk(current[0], f"{path}[].")

    walk(ChartValues(), "")
    return table(("value", "default", "meaning"), rows)


README = """\
# videojob-operator

One Kubernetes resource, `VideoJob`, for every kind of video work. Kubernetes 1.34 or later.

```
helm install videojob charts/videojob-operator -n videojob-system --create-namespace \\
  --set operator.image.repository=registry.example/videojob-operator \\
  --set worker.image.repository=registry.example/videojob-worker
kubectl get videojobs -A
```

- **CRDs** come as templates, so that an upgrade of the release upgrades them, and stay when the release goes
  (`crds.keep`). Where `kubectl apply -f crds/` or a GitOps tool brings them, set `crds.enabled: false`.
- **The default queue and the built-in profiles** are created by the operator if they are absent; what you change in them
  is not changed back.
- **Stores.** Each entry of `namespaces` gets a claim and a MediaStore, made once, never changed or removed by the release.
  `videojob init -n NAMESPACE` makes the same for others; `-o yaml` prints it for Git.
- **URLs.** A source may be an `https://` or `http://` URL. It is fetched in a pod of its own, labelled
  `videojob.dev/egress: fetch`, which connects to addresses it has vetted itself: public ones, and `fetch.allowNetworks`.
  `networkPolicy.enabled` says the same to the network and keeps all other worker pods off it, where the network plugin
  enforces policies.
- **Webhooks** of `spec.notify` are told by pods of their own, labelled `videojob.dev/egress: notify`, under the same rules:
  public addresses, `fetch.allowNetworks` and `fetch.allowHosts`. Each mounts the one Secret that signs, and no store.
- **Worker classes.** Each entry of `workerClasses` is a kind of worker pod that VideoJobs pick by `spec.workerClass`: image,
  memory and how far it may grow after an attempt that ran out of it, GPUs, nodes. The operator restarts when they change;
  VideoJobs keep the class as it was when they were accepted.

  ```yaml
  workerClasses:
    gpu:
      image: registry.example/videojob-worker-cuda:1
      gpu: {resource: nvidia.com/gpu, count: 1}
      nodeSelector: {node.kubernetes.io/instance-type: g5.xlarge}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      namespaces: [media]
    large: {resources: {limits: {memory: 8Gi}}, maxMemory: 24Gi}
    cheap: {spot: Tolerate, disruptionBudget: 50}
  ```
- **GPUs.** `gpuClass` of the class `default` names the class in which the models of avatars work where they can use a GPU, while
  all other stages, and every VideoJob of another kind, stay off its nodes. VideoJobs need not change: `spec.accelerator`
  prefers a GPU and goes on with the CPU after `hopAfterSeconds`; it may also require or refuse one. The default queue's slots
  `yolo` (2) and `birefnet` (1) say how many of these stages work at once: at 2 GiB and 6 GiB they fit on one card of 16 GiB,
  which NVIDIA's device plugin shows as three by time slicing; more cards, more slots. The volume must be reachable from
  these nodes.

  ```yaml
  workerClasses:
    default: {gpuClass: cards}
    cards:
      image: registry.example/videojob-worker-cuda:1
      gpu: {resource: nvidia.com/gpu.shared}
      nodeSelector: {nvidia.com/gpu.product: Tesla-T4-SHARED}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  ```
  The device plugin's part, in its own ConfigMap:

  ```yaml
  version: v1
  sharing: {timeSlicing: {renameByDefault: true, resources: [{name: nvidia.com/gpu, replicas: 3}]}}
  ```
- **Rights.** `files/rbac.yaml` is written from the table in the operator's code. With `watch.namespaces` the operator needs
  Roles only, in those namespaces and its own, and one cluster-wide right: to create tokenreviews. A namespace of the list that
  refuses (its Role is gone, or it is) is let go and reported (`videojob_namespaces_closed`, one line of the log), the others go
  on; it is asked again every half minute.
- **People** get VideoJobs through the built-in roles view, edit and admin. File transfer by the `videojob` command needs
  `videojob-uploader` besides: `kubectl create rolebinding -n NS up --clusterrole videojob-uploader --user WHO`.
- **GitOps.** The conditions follow kstatus: Flux and `helm --wait` wait for VideoJobs as they are. For Argo CD put
  `files/argocd/health.lua` into the ConfigMap `argocd-cm`, key `resource.customizations.health.videojob.dev_VideoJob`.
- **Uninstall** in any order: there are no finalizers. CRDs, VideoJobs and stores stay until you delete them.

## Values

"""


def readme() -> str:
    """The chart's README: what to know before installing, and every value."""
    mark = MARK.replace("crds/videojob_api", "hack/chart.py and hack/chart_values.py")
    return f"<!-- {mark} -->\n{README}{values_table()}"


def files(crds: dict[str, str], rules: dict[str, Any]) -> dict[str, str]:
    """Every generated file of the chart, by its path below the project's root."""
    return {
        **{f"{CHART}/files/{name}": text for name, text in crds.items()},
        f"{CHART}/files/defaults.yaml": f"# {MARK}\n{dump_yaml(*defaults())}",
        f"{CHART}/files/rbac.yaml": f"# {MARK.replace('crds/videojob_api', 'videojob_operator.cluster.rbac')}\n"
        + dump_yaml(rules),
        f"{CHART}/values.yaml": values_yaml(),
        f"{CHART}/values.schema.json": values_schema(),
        f"{CHART}/README.md": readme(),
    }
