"""Which template a story stands on: looked up once, at acceptance, then followed as `status.plan` has it (S-067)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from videojob_api.names import Reason
from videojob_api.story import templates
from videojob_api.v1alpha1 import PlannedTemplate, PlanStatus, VideoJobSpec

from .world import Observed, ProfileView

MAX_SAID = 1000


@dataclass(frozen=True)
class Told:
    """What came of looking a template up."""

    record: PlannedTemplate | None = None
    """What goes on record; None without a template."""
    problem: tuple[Reason, str] | None = None
    """Why it cannot be used, and what helps."""


def look_up(seen: Observed) -> Told:
    """The template of a VideoJob that is not accepted yet, with its blanks filled."""
    story = seen.job.spec.story if seen.job.spec is not None else None
    ref = story.template if story is not None else None
    if story is None or ref is None:
        return Told()
    there = [view for view in seen.profiles if view.spec.story is not None]
    found = next((view for view in there if view.name == ref.name), None)
    if found is None or found.spec.story is None:
        return Told(problem=(Reason.UNKNOWN_PROFILE, _missing(seen, ref.name, there)[:MAX_SAID]))
    try:
        fields = templates.brought(story, ref, found.spec.story)
    except ValueError as error:
        text = f"the template {ref.name} (VideoProfile of namespace {found.namespace}) makes no story: {error}"
        return Told(problem=(Reason.INVALID_TEMPLATE, text[:MAX_SAID]))
    return Told(PlannedTemplate(profile=found.name, namespace=found.namespace, story=fields))


def _missing(seen: Observed, name: str, there: list[ProfileView]) -> str:
    where = dict.fromkeys((seen.job.namespace, seen.config.operator_namespace))
    known = ", ".join(sorted({view.name for view in there})) or "none"
    return (
        f"no VideoProfile {name} with spec.story in namespace {' or '.join(where)}; known templates: {known}. "
        "Create it, or create the VideoJob anew with another spec.story.template.name"
    )


def with_template(spec: VideoJobSpec, record: PlannedTemplate | None) -> VideoJobSpec:
    """The spec with what its template has brought. Raises ValueError when that, written by another version, is no story here."""
    if spec.story is None or record is None:
        return spec
    return spec.model_copy(update={"story": templates.told(spec.story, record.story)})


def effective(seen: Observed, plan: PlanStatus | None, told: Told) -> Observed:
    """What is observed, its story with all that its template brings: no decision but the one to accept it knows of templates."""
    record = plan.template if plan is not None else told.record
    if seen.job.spec is None or record is None:
        return seen
    try:
        return replace(seen, job=replace(seen.job, spec=with_template(seen.job.spec, record)))
    except ValueError as error:
        return replace(seen, job=replace(seen.job, spec=None, spec_error=f"status.plan.template: {error}"))
