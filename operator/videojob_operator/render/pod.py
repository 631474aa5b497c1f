"""The pod of one attempt: restricted, without rights, each container with its own mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from videojob_api import contract, names, notices, places
from videojob_api.avatar import params as avatars
from videojob_api.avatar.tasks import AnimateParams, SpeakParams, WithdrawParams
from videojob_api.contract import FetchParams
from videojob_api.stages import (
    ANIMATE,
    APART,
    AUDIO,
    FETCH,
    IMAGES,
    KINDS,
    NOTIFY,
    PROMPT,
    PUBLISH,
    SCENES,
    SPEAK,
    WITHDRAW,
    Trust,
    trust_of,
)  # fmt: skip
from videojob_api.story import publishing, tasks
from videojob_api.v1alpha1.story_parts import ConfigMapKey, Provider
from videojob_operator.decide.world import CreateJob

from .config import RenderConfig
from .placement import placement

STORE = "store"
SCRATCH = "scratch"
TASK = "task"
TOKEN = "token"  # noqa: S105 - the name of a volume
CONFIG = "config"
SECRET = "source"  # noqa: S105 - the start of a volume's name


def pod_spec(action: CreateJob, namespace: str, config: RenderConfig) -> dict[str, Any]:
    """The pod's spec. Containers run one after another: all but the last are init containers."""
    containers = [container(action, name, namespace, config) for name in action.document.containers()]
    spec = restricted(config, deadline_seconds=action.deadline_seconds) | placement(action.worker)
    if containers[:-1]:
        spec["initContainers"] = containers[:-1]
    return spec | {"containers": containers[-1:], "volumes": volumes(action, config)}


def restricted(config: RenderConfig, *, deadline_seconds: int) -> dict[str, Any]:
    """What every pod of ours has in common: no rights, no root, one try, an end."""
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": deadline_seconds,
        "terminationGracePeriodSeconds": config.grace_seconds,
        "serviceAccountName": config.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": names.UID_65532,
            "runAsGroup": names.UID_65532,
            "fsGroup": names.UID_65532,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def container(action: CreateJob, name: str, namespace: str, config: RenderConfig) -> dict[str, Any]:
    """One container: it runs the stages that the document gives it."""
    return {
        "name": name,
        "image": action.image,
        "imagePullPolicy": config.image_pull_policy,
        "command": ["python3", "-m", "videojob_worker", "run"],
        "env": [
            *({"name": key, "value": value} for key, value in action.worker.environment(gpu=holds_gpu(action, name))),
            {"name": "VIDEOJOB_CONTAINER", "value": name},
            {"name": "VIDEOJOB_POD_UID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "resources": resources(action, name),
        "securityContext": locked(),
        "terminationMessagePath": places.TERMINATION_PATH,
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts(action, name, namespace),
    }


def trust(action: CreateJob, name: str) -> Trust:
    """What the container may touch; its stages are all of one trust, and if they are not, the least of all holds."""
    found = {trust_of(stage) for stage in action.document.stages if stage.container == name}
    return next(iter(found)) if len(found) == 1 else "decode"


def secrets(action: CreateJob) -> tuple[tuple[str, str], ...]:
    """Secrets that the pod's sources, providers or webhook name, each with a key. The operator knows their names alone."""
    found: list[tuple[str | None, str]] = []
    for stage in action.document.stages:
        if stage.kind == FETCH.kind:
            found.append((FetchParams.model_validate(stage.params).source.secret_name, contract.AUTHORIZATION_KEY))
        if stage.kind == NOTIFY.kind:
            found.append((notices.NotifyParams.model_validate(stage.params).secret_name, notices.SECRET_KEY))
        if stage.online and stage.kind == AUDIO.kind:
            spoken = tasks.AudioParams.model_validate(stage.params)
            for take in (spoken, *(spoken.takes or ())):
                found += _credentials(take.voice.providers, tasks.VOICE_KEYS)
        if stage.online and stage.kind == IMAGES.kind:
            sources = tasks.ImageParams.model_validate(stage.params).images.providers
            found += _credentials(sources, tasks.IMAGE_KEYS)
        if stage.online and stage.kind == SPEAK.kind:
            found += _credentials(SpeakParams.model_validate(stage.params).voice.providers, tasks.VOICE_KEYS)
        if stage.online and stage.kind == ANIMATE.kind:
            found += _asked(AnimateParams.model_validate(stage.params).animator)
        if stage.kind == WITHDRAW.kind:
            found += _asked(WithdrawParams.model_validate(stage.params).animator)
        if stage.kind == PROMPT.kind:
            found.append((tasks.PromptParams.model_validate(stage.params).prompt.secret_name, tasks.PROMPT_KEY))
        if stage.kind == PUBLISH.kind:
            for target in publishing.PublishParams.model_validate(stage.params).platforms:
                row = publishing.publisher(target)
                found += [(target.secret_name, key) for key in (row.keys if row is not None else ())]
    return tuple(dict.fromkeys((name, key) for name, key in found if name is not None))


def _credentials(chain: Sequence[Provider], keys: Mapping[str, Sequence[str]]) -> list[tuple[str | None, str]]:
    """What the providers of a chain that go online are given."""
    return [(each.secret_name, key) for each in chain for key in keys.get(each.name, ())]


def _asked(animator: avatars.Animator) -> list[tuple[str | None, str]]:
    """What a provider of avatars that goes online is given."""
    return [(animator.secret_name, key) for key in avatars.AVATAR_KEYS.get(animator.name, ())]


def config_maps(action: CreateJob) -> dict[str, ConfigMapKey]:
    """The entry of a ConfigMap that holds a story's script, by the container that reads it."""
    found: dict[str, ConfigMapKey] = {}
    for stage in action.document.stages:
        if stage.kind == SCENES.kind:
            given = tasks.SceneParsingParams.model_validate(stage.params).story.script.config_map
            found |= {stage.container: given} if given is not None else {}
    return found


def storeless(action: CreateJob) -> bool:
    """Whether the pod sees no store at all: a webhook is told what the document says, and nothing else is there to tell."""
    return all(KINDS[stage.kind].trust == "notify" for stage in action.document.stages)


def locked() -> dict[str, Any]:
    """What no container of ours may do."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def holds_gpu(action: CreateJob, name: str) -> bool:
    """Whether the container is given a GPU."""
    return any(share.gpus for share in action.shares if share.container == name)


def resources(action: CreateJob, name: str) -> dict[str, Any]:
    """What was decided for the container; GPUs are requests and limits in one."""
    share = next(share for share in action.shares if share.container == name)
    limits: dict[str, Any] = {"memory": f"{share.memory_limit_mib}Mi"}
    if share.cpu_limit_millis is not None:
        limits = {"cpu": f"{share.cpu_limit_millis}m"} | limits
    return {
        "requests": {"cpu": f"{share.cpu_millis}m", "memory": f"{share.memory_mib}Mi"},
        "limits": limits | {resource: str(count) for resource, count in share.gpus},
    }


def mounts(action: CreateJob, name: str, namespace: str) -> list[dict[str, Any]]:
    """The store's parts by sub-path: the job's own folder to write, everything else to read.

    What talks to strangers' servers sees at most its own job, and the Secrets that its source or webhook names.
    """
    store = action.document.store
    uid = action.document.job.uid
    given = trust(action, name)
    shared: list[dict[str, Any]] = [
        {"name": STORE, "mountPath": store.inbox, "subPath": f"{namespace}/inbox", "readOnly": True},
        {"name": STORE, "mountPath": store.stock, "subPath": f"{namespace}/stock", "readOnly": True},
        {"name": STORE, "mountPath": store.cache, "subPath": f"{namespace}/cache"}
        | ({} if given == "commit" else {"readOnly": True}),
    ]
    own: list[dict[str, Any]] = [{"name": STORE, "mountPath": store.job, "subPath": f"{namespace}/jobs/{uid}"}]
    if given in APART:
        files = list(dict.fromkeys(secret for secret, _ in secrets(action)))
        kept = [
            {"name": f"{SECRET}-{place}", "mountPath": f"{places.SECRETS_PATH}/{secret}", "readOnly": True}
            for place, secret in enumerate(files)
        ]
        # Providers choose among the team's files and take what was made before; they decode none of it.
        shared = [*shared, *kept] if given == "provide" else kept
    read = config_maps(action).get(name)
    if read is not None:
        shared.append({"name": CONFIG, "mountPath": f"{places.CONFIG_PATH}/{read.name}", "readOnly": True})
    return [
        *(() if storeless(action) else own),
        *shared,
        {"name": SCRATCH, "mountPath": store.scratch},
        {"name": TASK, "mountPath": places.TASK_PATH.rpartition("/")[0], "readOnly": True},
        {"name": TOKEN, "mountPath": places.TOKEN_PATH.rpartition("/")[0], "readOnly": True},
    ]


def volumes(action: CreateJob, config: RenderConfig) -> list[dict[str, Any]]:
    """The claim, scratch space, the document, and a token that only the operator's progress port takes."""
    claim: dict[str, Any] = {"name": STORE, "persistentVolumeClaim": {"claimName": action.claim_name}}
    return [
        *(() if storeless(action) else (claim,)),
        {"name": SCRATCH, "emptyDir": {"sizeLimit": f"{action.scratch_mib}Mi"}},
        task_volume(),
        token_volume(names.audience(action.document.job.uid), config),
        *(
            {
                "name": f"{SECRET}-{place}",
                # Without the Secret the pod starts all the same, and says what is missing.
                "secret": {
                    "secretName": secret,
                    "optional": True,
                    "defaultMode": 0o440,
                    "items": [{"key": key, "path": key} for name, key in secrets(action) if name == secret],
                },
            }
            for place, secret in enumerate(dict.fromkeys(secret for secret, _ in secrets(action)))
        ),
        *(
            {
                "name": CONFIG,
                "configMap": {
                    "name": given.name,
                    "optional": True,
                    "defaultMode": 0o444,
                    "items": [{"key": given.key, "path": given.key}],
                },
            }
            for given in config_maps(action).values()
        ),
    ]


def task_volume() -> dict[str, Any]:
    """The document, through the downward API."""
    field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{names.ANNOTATION_TASK}']"}
    return {
        "name": TASK,
        "downwardAPI": {"items": [{"path": places.TASK_PATH.rpartition("/")[2], "fieldRef": field}]},
    }


def token_volume(audience: str, config: RenderConfig) -> dict[str, Any]:
    """A token that only the operator's port takes, for one purpose."""
    token = {
        "path": places.TOKEN_PATH.rpartition("/")[2],
        "audience": audience,
        "expirationSeconds": config.token_seconds,
    }
    return {"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": token}]}}
