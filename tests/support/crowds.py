"""VideoJobs that compete for the slots of a queue, as the API server tells of their pods: who held what when, and who waited.

What the watches of pods and VideoJobs tell is put into one order by `resourceVersion`: all objects share one etcd, and its
counter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Raw = dict[str, Any]
MODELS = {"detect": "yolo", "matte": "birefnet"}
"""Stages with models, and the slots that they take."""
LETTERS = {"speak": "s", "upload": "u", "detect": "D", "matte": "M", "animate": "a", "finish": "f"}
NAME, GROUP = "videojob.dev/name", "videojob.dev/group"


@dataclass(frozen=True)
class Row:
    """A pod came into being, or its last container ended."""

    order: int
    """Place among all changes of all objects."""
    at: datetime
    """To the second."""
    what: str
    """`begins` or `ends`."""
    videojob: str
    group: str
    slots: tuple[str, ...]
    """Model slots of the pod: both, where it has both stages."""
    held: dict[str, frozenset[str]]
    """Which VideoJobs hold a slot of each model class from then on."""
    cards: int
    """GPUs that live pods ask for from then on."""


@dataclass(frozen=True)
class Crowd:
    """Everything that was seen."""

    rows: tuple[Row, ...]
    pods: tuple[Raw, ...]
    """The last state of each."""
    line: dict[str, tuple[str, str]]
    """By VideoJob: since when it is in the queue, and its UID. Who has less is served first."""
    waits: tuple[tuple[int, str, str], ...]
    """What each VideoJob said, in order: place, name, message while it waits for a slot, else nothing."""

    @classmethod
    def of(cls, pods: Iterable[Raw], videojobs: Iterable[Raw], resource: str) -> Crowd:
        """Of the states that two watches have told. `resource`: what GPUs are called."""
        live: dict[str, Raw] = {}
        gone: set[str] = set()
        rows, last = list[Row](), dict[str, Raw]()
        for pod in sorted(pods, key=_order):
            uid = pod["metadata"]["uid"]
            last[uid] = pod
            over = _over(pod)
            if over == (uid not in live):
                continue
            assert uid not in gone, "a pod does not live again"
            if over:
                gone.add(uid)
                del live[uid]
            else:
                live[uid] = pod
            held = {
                slot: frozenset(_label(one, NAME) for one in live.values() if slot in _slots(one))
                for slot in MODELS.values()
            }
            at = _ended(pod) if over else _time(pod["metadata"]["creationTimestamp"])
            cards = sum(_cards(one, resource) for one in live.values())
            rows.append(
                Row(
                    _order(pod), at, "ends" if over else "begins", _label(pod, NAME), _label(pod, GROUP), _slots(pod), held,
                    cards,
                )
            )  # fmt: skip
        line, waits = dict[str, tuple[str, str]](), list[tuple[int, str, str]]()
        for raw in sorted(videojobs, key=_order):
            meta, status = raw["metadata"], raw.get("status") or {}
            if "queuedTime" in status:
                line[meta["name"]] = (status["queuedTime"], meta["uid"])
            queue = status.get("queue") or {}
            waiting = queue.get("reason") == "WaitingForSlot"
            waits.append((_order(raw), meta["name"], str(queue.get("message")) if waiting else ""))
        return cls(tuple(rows), tuple(last.values()), line, tuple(waits))

    def begun(self, group: str) -> list[str]:
        """VideoJobs in the order in which their pods of a stage came into being; of one pod with others, too."""
        slot = MODELS[group]
        return [row.videojob for row in self.rows if row.what == "begins" and slot in row.slots]

    def most(self, slot: str) -> int:
        """Most pods that held a slot at once."""
        return max(len(row.held[slot]) for row in self.rows)

    def most_cards(self) -> int:
        """Most GPUs that were asked for at once."""
        return max(row.cards for row in self.rows)

    def apart(self) -> tuple[Row, ...]:
        """Moments at which nobody held two slots by one pod."""
        return tuple(row for row in self.rows if not frozenset.intersection(*row.held.values()))

    def overtaken(self, slot: str) -> tuple[list[str], int]:
        """Who was served before somebody who stood before them, in words; and how often somebody else stood in the line.

        Whoever begins was granted the slot when it had asked and one was free, and so had all who were seen waiting by then. Who
        is granted in the same moment may begin a little later, but not later than the next slot that becomes free.
        """
        found, contested = list[str](), 0
        begins = {row.videojob: row.order for row in self.rows if row.what == "begins" and slot in row.slots}
        ends = [row.order for row in self.rows if row.what == "ends" and slot in row.slots]
        for who, begun in begins.items():
            asked = max((row.order for row in self.rows if row.videojob == who and row.order < begun), default=0)
            granted = max([asked, *(order for order in ends if order < begun)])
            following = min((order for order in ends if order > begun), default=begun)
            others = [name for name in self._waiting(slot, granted) if name != who and begins[name] > begun]
            contested += bool(others)
            found += [
                f"{who} began with {slot} before {name}, who stood before it"
                for name in others
                if self.line[name] < self.line[who] and begins[name] > following
            ]
        return found, contested

    def _waiting(self, slot: str, order: int) -> list[str]:
        """Who waits for a slot at a moment, as far as it was told."""
        told = {name: message for at, name, message in self.waits if at <= order}
        return [name for name, message in told.items() if f"slot {slot}" in message]

    def picture(self) -> str:
        """A line for each VideoJob, a column for each second."""
        spans = [span for pod in self.pods for span in _spans(pod)]
        first, last = min(start for _, _, start, _ in spans), max(end for _, _, _, end in spans)
        lines = {name: ["."] * (_seconds(first, last) + 1) for name in sorted(self.line, key=self.line.__getitem__)}
        for name, group, start, end in sorted(spans, key=lambda span: span[2]):
            for second in range(_seconds(first, start), max(_seconds(first, end), _seconds(first, start) + 1)):
                lines[name][second] = LETTERS.get(group, "?")
        width = max(map(len, lines))
        drawn = "".join(f"{name:>{width}} {''.join(marks)}\n" for name, marks in lines.items())
        words = ", ".join(f"{letter} {group}" for group, letter in LETTERS.items() if letter in drawn)
        return f"{drawn}a column is a second; {words}, . waits\n"

    def text(self) -> str:
        """The picture, and a table with one line for each change."""
        first = self.rows[0].at
        table = ["| s | VideoJob | stage | | yolo | birefnet | GPUs |", "|--:|---|---|---|--:|--:|--:|"]
        for row in self.rows:
            counts = " | ".join(str(len(row.held[slot])) for slot in MODELS.values())
            table.append(
                f"| {_seconds(first, row.at)} | {row.videojob} | {row.group} | {row.what} | {counts} | {row.cards} |"
            )
        return f"```\n{self.picture()}```\n\n" + "\n".join(table) + "\n"


def _order(raw: Raw) -> int:
    return int(raw["metadata"]["resourceVersion"])


def _label(pod: Raw, name: str) -> str:
    return str(pod["metadata"]["labels"][name])


def _slots(pod: Raw) -> tuple[str, ...]:
    """Of the stages in its task document."""
    stages = json.loads(pod["metadata"]["annotations"]["videojob.dev/task"])["stages"]
    return tuple(MODELS[stage["kind"]] for stage in stages if stage["kind"] in MODELS)


def _reports(pod: Raw) -> Sequence[Raw]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _over(pod: Raw) -> bool:
    """Whether all its containers have ended, or it is taken away."""
    reports = _reports(pod)
    ended = bool(reports) and all("terminated" in report["state"] for report in reports)
    return ended or pod["status"].get("phase") in {"Succeeded", "Failed"} or "deletionTimestamp" in pod["metadata"]


def _cards(pod: Raw, resource: str) -> int:
    """GPUs that it asks for: those of its largest container."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    return max(int((one.get("resources", {}).get("limits") or {}).get(resource, 0)) for one in containers)


def _spans(pod: Raw) -> list[tuple[str, str, datetime, datetime]]:
    """VideoJob, stage group, start and end of each container that has ended."""
    ended = [report["state"]["terminated"] for report in _reports(pod) if "terminated" in report["state"]]
    where = (_label(pod, NAME), _label(pod, GROUP))
    return [(*where, _time(one["startedAt"]), _time(one["finishedAt"])) for one in ended if one.get("startedAt")]


def _ended(pod: Raw) -> datetime:
    return max((end for *_, end in _spans(pod)), default=datetime.now(UTC))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(first: datetime, last: datetime) -> int:
    return round((last - first).total_seconds())
