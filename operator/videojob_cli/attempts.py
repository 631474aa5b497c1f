"""Which attempt of a VideoJob is meant, when a person names it in part."""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.contract import Identity
from videojob_api.v1alpha1 import StageStatus, VideoJobStatus
from videojob_operator.decide import recipes

from .errors import CliError


@dataclass(frozen=True)
class Attempt:
    """One attempt of a group, up to one stage of it."""

    job: Identity
    group: str
    number: int
    stage: str
    """As status calls it."""
    kind: str
    container: str
    index: int | None = None
    """Work item of a fan-out."""

    @property
    def folder(self) -> str:
        """A name for it among the attempts of its VideoJob."""
        return f"{self.group}-a{self.number}" + ("" if self.index is None else f"-i{self.index}")

    def __str__(self) -> str:
        item = "" if self.index is None else f", work item {self.index}"
        return f"stage {self.stage}, group {self.group}, attempt {self.number}{item}"


def choose(
    job: Identity, status: VideoJobStatus, stage: str | None, number: int | None, index: int | None = None
) -> Attempt:
    """The attempt that is meant: as told, else that of the latest failure. CliError listing what there is to choose from."""
    rows = {row.name.lower(): row for row in status.stages}
    if status.plan is None or not rows:
        raise CliError(f"VideoJob {job.name} has not begun: there is nothing to run again.")
    failed = status.failure.stage if status.failure is not None else None
    wanted = stage or failed or next((row.name for row in status.stages if _lost(row)), None)
    if wanted is None:
        raise CliError(
            f"No attempt of VideoJob {job.name} has failed (phase {status.phase or 'unknown'}): name one with --stage and "
            "--attempt to run it again all the same."
        )
    row = rows.get(wanted.lower())
    if row is None:
        known = ", ".join(each.name for each in status.stages)
        raise CliError(f"VideoJob {job.name} has no stage {wanted}; --stage takes one of: {known}.")
    if row.attempt == 0:
        raise CliError(f"Stage {row.name} of VideoJob {job.name} has not begun: there is nothing to run again.")
    found = number if number is not None else _failed_attempt(status, row)
    if not 1 <= found <= row.attempt:
        raise CliError(f"Stage {row.name} of VideoJob {job.name} has the attempts 1 to {row.attempt}, not {found}.")
    kind = recipes.kind_of(row.name)
    group = next((group for group in status.plan.groups if group.name == row.group), None)
    if kind is None or group is None:
        raise CliError(
            f"This version of videojob knows no stage {row.name}: take the version that runs on the cluster."
        )
    _check_index(job, row, index)
    return Attempt(job, row.group, found, row.name, kind.kind, recipes.containers(group.stages)[row.name], index)


def _check_index(job: Identity, row: StageStatus, index: int | None) -> None:
    """A fan-out needs the index of a work item, any other stage none. CliError naming those that are not done."""
    items = row.fan_out
    if items is None:
        if index is not None:
            raise CliError(f"Stage {row.name} of VideoJob {job.name} has no work items of its own: leave out --index.")
        return
    known = f"0 to {items.total - 1}" if items.total > 1 else "0 alone"
    left = f"not done: {items.left}" if items.left else "all are done by now"
    if index is None:
        raise CliError(
            f"Stage {row.name} of VideoJob {job.name} runs once for each of {items.total} work items: name one with --index, "
            f"{known} ({left})."
        )
    if not 0 <= index < items.total:
        raise CliError(
            f"Stage {row.name} of VideoJob {job.name} has no work item {index}: --index takes {known} ({left})."
        )


def _lost(row: StageStatus) -> bool:
    return row.failures > 0 or row.disruptions > 0


def _failed_attempt(status: VideoJobStatus, row: StageStatus) -> int:
    """The attempt of the latest failure; after a retry that went well, the one before it."""
    failure = status.failure
    if failure is not None and failure.stage == row.name and failure.attempt is not None:
        return failure.attempt
    return row.attempt - 1 if row.state == "Succeeded" and _lost(row) and row.attempt > 1 else row.attempt
