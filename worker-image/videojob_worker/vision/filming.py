"""A person of a video, followed from look to look and cut out frame by frame, so that neither box nor mask jitters (A-041).

The looks come first and are a detector's work; the masks follow and know all boxes, those to come as well. So a box goes with the
person without lagging behind, and detector and matter need not share a pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..base.errors import Permanent
from ..base.lanes import behind
from .boxes import Box, Picture, steady
from .faces import find_faces
from .matting import Alpha, Matter, Steady, own, refine
from .people import CONFIDENCE, SECOND_CONFIDENCE, Detector, Found, Person

LOOK_EVERY = 5
"""Frames from one look of the detector to the next."""
_SAME = 0.3
"""Overlap from which a box of the next look is of the same person."""
_SETTLE_SECONDS = 0.2
"""Over so long a box is a mean of its neighbours: detectors' boxes jump by their own noise."""
_HELD, _FADE = 0.7, 4
"""Share of a box that the person fills at least while it holds them, and frames in which one gives way to the next."""
_HINT = "give a video in which one person stays in the picture, or cut it to the part where they do"
Look = tuple[Person, ...]
"""Everybody whom the detector saw in one frame."""


@dataclass(frozen=True)
class Way:
    """Where one person is, look by look."""

    boxes: tuple[Box, ...]
    """One for each look; where the person was not found, what lies between the neighbours."""
    lost: int
    """Looks in which the person was not found."""

    @cached_property
    def stays(self) -> tuple[tuple[int, Box], ...]:
        """Boxes that hold the person for as many looks as they can, each with its first look: a matter that sees another part of
        the picture in each frame tells edges in another way in each.
        """
        found = list[tuple[int, Box]]()
        for place, box in enumerate(self.boxes):
            wide = _both(found[-1][1], box) if found else box
            if found and min(wide.overlap(box), wide.overlap(self.boxes[found[-1][0]])) >= _HELD:
                found[-1] = (found[-1][0], wide)
            else:
                found.append((place, box))
        return tuple(found)

    def at(self, frame: int) -> tuple[tuple[Box, float], ...]:
        """Where to look for the person in a frame, with shares of one: of two boxes while one gives way to the next."""
        place = max(at for at, (first, _) in enumerate(self.stays) if first * LOOK_EVERY <= frame)
        first, box = self.stays[place]
        share = (frame - first * LOOK_EVERY + 1) / (_FADE + 1)
        return ((box, 1.0),) if place == 0 or share >= 1 else ((self.stays[place - 1][1], 1 - share), (box, share))


def meet(
    looks: Sequence[Look], *, confidence: float = CONFIDENCE, second: float = SECOND_CONFIDENCE
) -> tuple[int, Found]:
    """The first look in which somebody is seen, and who, as in a picture: where nobody ever surely is, less sure sightings count
    if at least every second look has one.

    Raises Permanent: NoPersons.
    """
    for bound in dict.fromkeys((confidence, min(confidence, second))):
        sighted = [[person for person in look if person.confidence >= bound] for look in looks]
        if bound < confidence and 2 * sum(map(bool, sighted)) < len(looks):
            continue  # what is there for a moment, and not surely, is nobody
        for place, sure in enumerate(sighted):
            if sure:
                ordered = sorted(sure, key=lambda person: (person.box.centre[0], person.box.centre[1]))
                return place, Found(tuple(ordered), bound, again=bound != confidence)
    raise Permanent(
        "NoPersons", f"No persons detected (confidence {min(confidence, second):g}) in {len(looks)} looks at the video",
        hint="give a video in which a person is seen clearly, from the front, with the face in light",
    )  # fmt: skip


def follow(looks: Sequence[Look], start: int, persons: Sequence[Person], rate: float) -> tuple[Way, ...]:
    """Each person's way through the video, from the look in which they were met, backwards and forwards. `rate`: frames a second.

    Raises Permanent (NoPersons) when one of them is found in less than half of the looks.
    """
    boxes: list[list[Box | None]] = [[None] * len(looks) for _ in persons]
    for turn in (range(start, len(looks)), range(start, -1, -1)):
        last = [person.box for person in persons]
        for place in turn:
            for who, box in _matched(last, looks[place]).items():
                boxes[who][place] = last[who] = box
    found = []
    for person, seen in zip(persons, boxes, strict=True):
        lost = sum(box is None for box in seen)
        if lost * 2 > len(seen):
            where = ",".join(str(round(side)) for side in person.box.centre)
            text = f"the person who was met at {where} was lost in {lost} of {len(seen)} looks at the video"
            raise Permanent("NoPersons", text, hint=_HINT)
        found.append(Way(steady(seen, LOOK_EVERY / rate, _SETTLE_SECONDS), lost))
    return tuple(found)


def _matched(last: Sequence[Box], look: Look) -> dict[int, Box]:
    """Who of those that are followed is where in a look: the best pairs first, nobody in two places, no place for two."""
    pairs = sorted(
        ((person.box.overlap(box), who, place) for who, box in enumerate(last) for place, person in enumerate(look)),
        key=lambda pair: -pair[0],
    )
    found: dict[int, Box] = {}
    taken: set[int] = set()
    for overlap, who, place in pairs:
        if overlap >= _SAME and who not in found and place not in taken:
            found[who] = look[place].box
            taken.add(place)
    return found


def _both(one: Box, other: Box) -> Box:
    left, top = min(one.left, other.left), min(one.top, other.top)
    return Box(left, top, max(one.right, other.right), max(one.bottom, other.bottom))


def looked(detector: Detector, frames: Iterable[Picture], *, confidence: float, overlap: float) -> Iterator[Look]:
    """What the detector sees in the frames that are looked at: one of every five; in as many at a time as it may be shown."""
    return behind(frames, lambda frame: detector.detect(frame, confidence, overlap), detector.lanes)


def cut_film(
    matter: Matter, frames: Iterable[Picture], way: Way, *, smoothing: bool = True, padding: int = 0, alone: bool = True
) -> Iterator[tuple[Picture, Alpha]]:  # fmt: skip
    """Every frame with the person's mask. `alone` is whether nobody else is in the video. The model looks at the next frame while
    the masks of the last ones are made fit to be seen.
    """

    def masks() -> Iterator[tuple[Picture, Alpha]]:
        for number, frame in enumerate(frames):
            raw = np.zeros(frame.shape[:2], np.float32)
            for box, share in way.at(number):
                seen = matter.matte(frame, box)
                raw += np.float32(share) * (seen if alone else own(seen, box))
            yield frame, raw

    def fit(given: tuple[Picture, Alpha]) -> tuple[Picture, Alpha]:
        return given[0], refine(*given, doubts=False, smoothing=smoothing, padding=padding)

    calm = Steady()
    for frame, alpha in behind(masks(), fit):
        yield frame, calm.next(alpha)


def best(frames: Iterable[Picture]) -> Picture | None:
    """The frame that shows a face best, by its size and how sharp it is; without any face the sharpest; None without frames."""
    found: Picture | None = None
    most = (False, -1.0)
    for frame in frames:
        seen = find_faces(frame)
        box = max(
            (face.box for face in seen), key=lambda box: box.area, default=Box(0, 0, frame.shape[1], frame.shape[0])
        )
        left, top, right, bottom = box.within(frame.shape[1], frame.shape[0]).whole()
        grey = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
        worth = (bool(seen), float(cv2.Laplacian(grey, cv2.CV_64F).std() * max(1, right - left)))
        if worth > most:
            found, most = frame, worth
    return found
