"""What a recipe is: the stages of a kind of work in order, each with its resolved parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any, Literal

from videojob_api import contract
from videojob_api.fanout import WorkList
from videojob_api.stages import APART, KINDS, StageKind
from videojob_api.v1alpha1 import PlannedFanOut, PlannedGroup, PlanStatus, VideoJobSpec
from videojob_api.v1alpha1.base import StatusModel

CONTAINERS = {"fetch": "fetch", "decode": "work", "commit": "commit", "notify": "notify", "provide": "provide"}
"""Container of each trust."""
MAIN = "main"
"""The one group of Compact."""


@dataclass(frozen=True)
class Step:
    """One stage of a recipe."""

    kind: StageKind
    params: StatusModel
    reads: tuple[str, ...] = ()
    """Kinds of earlier stages whose outputs it reads."""
    threaded: bool = False
    """Whether the number of threads changes its bytes, so that it is part of its key."""
    pending: bool = False
    """Whether its parameters wait for what an earlier group finds; its key is recorded when they are known."""
    after: tuple[str, ...] | None = None
    """Kinds that have to succeed before it starts, where stages run in parallel; None: the step before it."""
    items_of: str | None = None
    """For a fan-out, the kind of the earlier step that lists its work items. Its own key does not depend on the list: each item
    has a key of its own. What `reads` it does."""
    parallelism: int = 1
    """Most work items at once."""
    sees: tuple[str, ...] = ()
    """Kinds of earlier stages whose folders it is shown, though its key does not follow from theirs: what it takes from
    there is named, by its digest, in what it reads or in its work items."""
    accelerated: bool | None = None
    """Whether its models can compute on a GPU; None: the worker class alone decides whether it is given one."""
    online: bool = False
    """Whether it asks providers on the internet: it then has a pod of its own, and decodes nothing in it."""


Recipe = Callable[[VideoJobSpec, PlanStatus], tuple[Step, ...]]
"""Stages of a spec, with what was planned at acceptance."""


def kind_of(stage: str) -> StageKind | None:
    """The row of the stage that status calls `Transcode`, or None for one that this version does not know."""
    return next((row for row in KINDS.values() if row.stage == stage), None)


def kind_named(kind: str | None) -> StageKind | None:
    """The row of a kind, or None."""
    return KINDS.get(kind or "")


def keys(steps: Sequence[Step], threads: int) -> dict[str, str]:
    """Content key of each kind: what it is, its version, its parameters and the keys that it reads."""
    found: dict[str, str] = {}
    lists = {step.kind.kind: step.items_of for step in steps}
    for step in steps:
        params: dict[str, Any] = step.params.dump()
        if step.threaded:
            params["threads"] = threads
        # Which items there are follows from the key of the step that lists them.
        read = dict.fromkeys(name for kind in step.reads for name in (kind, lists[kind]) if name is not None)
        inputs = tuple(found[kind] for kind in read)
        found[step.kind.kind] = contract.content_key(step.kind.kind, step.kind.version, params, inputs)
    return found


def until(steps: Sequence[Step], last: str | None) -> tuple[Step, ...]:
    """The stages up to the one that `spec.stopAfter` names, that one included; all of them without one."""
    names = [step.kind.stage for step in steps]
    return tuple(steps if last not in names else steps[: names.index(last) + 1])


def groups(steps: Sequence[Step], execution: Literal["Compact", "Spread"]) -> tuple[PlannedGroup, ...]:
    """Jobs to run, in order: one for each stage, or one for all that may share a pod.

    In a pod that stages share, those that could run in parallel run one after the other, and a fan-out runs over its items.
    """
    if execution == "Spread":
        return tuple(_alone(step, steps) for step in steps)
    found: list[PlannedGroup] = []
    shared = 0
    several = len({step.kind.slot for step in steps} - {None}) > 1
    for apart, members in groupby(steps, key=lambda step: step.online or step.kind.trust in APART):
        if apart:
            found.extend(_group(step.kind.kind, (step,)) for step in members)
            continue
        for part in _by_slot(tuple(members)):
            shared += 1
            name = MAIN if shared == 1 else f"{MAIN}-{shared}"
            found.append(_group(part[0].kind.kind if several else name, part))
    return tuple(found)


def _by_slot(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """Consecutive stages that take the same slot, or none: who waits for one class never holds another one (A-007)."""
    part: list[Step] = []
    for step in steps:
        held = next((each.kind.slot for each in part if each.kind.slot is not None), None)
        if part and held is not None and step.kind.slot not in (None, held):
            yield tuple(part)
            part = []
        part.append(step)
    if part:
        yield tuple(part)


def joins(group: PlannedGroup, other: PlannedGroup) -> bool:
    """Whether the stages of `other` may follow those of `group` in one pod, although they take a slot of another class. What
    computes on a GPU and what does not never do: a GPU would be held for nothing.
    """
    last = kind_of(group.stages[-1]) if group.stages else None
    first = kind_of(other.stages[0]) if other.stages else None
    return (
        last is not None
        and first is not None
        and first.joins == last.kind
        and None not in (group.slot, other.slot)
        and group.slot != other.slot
        and (group.online, group.accelerated) == (other.online, other.accelerated)
    )


def joined(group: PlannedGroup, other: PlannedGroup) -> PlannedGroup:
    """Both as one Job. It is called after the first one, and so is its slot class; `apart` knows the other one."""
    return group.model_copy(update={"stages": (*group.stages, *other.stages)})


def apart(group: PlannedGroup) -> tuple[PlannedGroup, ...]:
    """What was joined, as it was before; a group in which nothing was joined, as it is."""
    found: list[PlannedGroup] = []
    for stage in group.stages:
        row, before = kind_of(stage), kind_of(found[-1].stages[-1]) if found else None
        if not found:
            found.append(group.model_copy(update={"stages": (stage,)}))
        elif row is not None and before is not None and row.joins == before.kind and row.slot != before.slot:
            found.append(group.model_copy(update={"name": row.kind, "stages": (stage,), "slot": row.slot}))
        else:
            found[-1] = found[-1].model_copy(update={"stages": (*found[-1].stages, stage)})
    return tuple(found) or (group,)


def _alone(step: Step, steps: Sequence[Step]) -> PlannedGroup:
    """The group of one stage: what it waits for, and whether it is a fan-out."""
    planned = {other.kind.kind for other in steps}
    after = None if step.after is None else tuple(kind for kind in step.after if kind in planned)
    source = kind_named(step.items_of)
    fan_out = PlannedFanOut(items_of=source.stage, parallelism=step.parallelism) if source is not None else None
    return _group(step.kind.kind, (step,)).model_copy(update={"after": after, "fan_out": fan_out})


def _group(name: str, members: Sequence[Step]) -> PlannedGroup:
    slots = [step.kind.slot for step in members if step.kind.slot is not None]
    return PlannedGroup(
        name=name, stages=tuple(step.kind.stage for step in members), slot=slots[0] if slots else None,
        online=any(step.online for step in members) or None,
        accelerated=_accelerated(members),
    )  # fmt: skip


def _accelerated(members: Sequence[Step]) -> bool | None:
    said = [step.accelerated for step in members if step.accelerated is not None]
    return any(said) if said else None


def containers(stages: Sequence[str]) -> dict[str, str]:
    """Container of each stage of a group, in order. Consecutive stages of the same trust share one."""
    found: dict[str, str] = {}
    used: list[str] = []
    rows = [row for row in map(kind_of, stages) if row is not None]
    for trust, members in groupby(rows, key=lambda row: row.trust):
        base = CONTAINERS[trust]
        used.append(base)
        count = used.count(base)  # decode, commit, decode: the second `work` is another container
        found.update({row.stage: base if count == 1 else f"{base}-{count}" for row in members})
    return found


def tasks(
    steps: Sequence[Step],
    wanted: Sequence[str],
    known: dict[str, str],
    lists: Mapping[str, WorkList] = MappingProxyType({}),
    anew: Collection[str] = (),
) -> tuple[contract.StageTask, ...]:
    """Stage tasks of one group, with the keys that were recorded at acceptance and the work lists that are known by now, by
    the kind that made them. `anew` are kinds whose work a redrive wants again.
    """
    place = containers(wanted)
    fans = {step.kind.kind: step.items_of for step in steps if step.items_of is not None}
    return tuple(
        contract.StageTask(
            kind=step.kind.kind,
            container=place[step.kind.stage],
            key=known[step.kind.kind],
            params=step.params.dump(),
            inputs=tuple(
                contract.StageInput(
                    stage=kind, key=known[kind], items_of=fans.get(kind), work_list=lists.get(fans.get(kind, ""))
                )
                for kind in dict.fromkeys((*step.reads, *((step.items_of,) if step.items_of else ()), *step.sees))
            ),
            items_of=step.items_of,
            work_list=lists.get(step.items_of or ""),
            online=step.online or None,
            anew=(step.kind.kind in anew) or None,
        )
        for step in steps
        if step.kind.stage in place
    )
