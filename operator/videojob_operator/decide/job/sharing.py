"""Sharing: one pod for stages of two slot classes, while nobody waits for a slot of either (A-005, A-007).

Who waits for one class never holds another one, so such stages are groups of their own. But while both slots are free and nobody
wants them, a second pod only costs time: the queue then gives both to one attempt, for which the two groups become one. The Job
is the record of that, by its labels and before the status has it; then the plan on record is, in which the two are one group for
as long as that attempt is in flight, or once it has succeeded. When it has ended otherwise they are two again: what of it has
succeeded is on record. A pod that was lost is decided on anew; after a failure each goes on alone, with what its own failures
call for.
"""

from __future__ import annotations

from .. import recipes
from ..world import JobView
from .draft import Draft, Group


def mate(draft: Draft, group: Group) -> Group | None:
    """The group that may follow in the pod of this one's next attempt, if the queue gives both slots; None when there is none.

    Whose mode is Spread gets a Job for each stage. They share as long as neither has failed and both have begun the same
    attempts, so that one number means both; who goes on with the CPU for want of a GPU goes alone.
    """
    found = _behind(draft, group)
    if found is None or found.succeeded or found.settled != group.settled:
        return None
    alone = group.hopped or found.hopped or group.failures or found.failures
    return None if alone else found


def join(draft: Draft, group: Group, job: JobView | None = None) -> Group:
    """The group with the one behind it in it; with `job`, a Job that was found without a record, only if it holds both."""
    other = _behind(draft, group)
    plan = draft.status.plan
    if plan is None or other is None or (job is not None and other.plan.slot not in job.also):
        return group
    both = recipes.joined(group.plan, other.plan)
    rest = (both if row.name == group.name else row for row in plan.groups if row.name != other.name)
    draft.update(plan=plan.model_copy(update={"groups": tuple(rest)}))
    for stage in other.stages:  # attempts that it had no part in count against no budget
        skipped = max(0, group.settled - stage.settled)
        draft.stage(stage.name, group=group.name, attempt_base=stage.attempt_base + skipped)
    return draft.group(group.name)


def apart(draft: Draft, group: Group) -> tuple[Group, ...]:
    """The groups that were joined, each by itself again; the group alone when nothing was joined."""
    parts = recipes.apart(group.plan)
    plan = draft.status.plan
    if plan is None or len(parts) == 1:
        return (group,)
    split = (part for row in plan.groups for part in (parts if row.name == group.name else (row,)))
    draft.update(plan=plan.model_copy(update={"groups": tuple(split)}))
    for part in parts:
        for stage in part.stages:
            draft.stage(stage, group=part.name)
    return tuple(draft.group(part.name) for part in parts)


def _behind(draft: Draft, group: Group) -> Group | None:
    """The group behind this one, if the two may share a pod at all."""
    plan = draft.status.plan
    if plan is None or plan.execution != "Compact":
        return None
    groups = draft.groups()
    place = [other.name for other in groups].index(group.name)
    other = next(iter(groups[place + 1 :]), None)
    if other is None or other.plan.after is not None or not recipes.joins(group.plan, other.plan):
        return None
    return other
