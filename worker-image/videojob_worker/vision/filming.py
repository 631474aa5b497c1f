"""A person cut out of a video, frame by frame (A-041): where they are, their mask, and neither jitters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..base.errors import Permanent
from .boxes import Box, Picture
from .matting import Alpha, Matter, Steady, refine
from .people import Detector, Person

LOOK_EVERY = 5
"""Frames from one look of the detector to the next; between them the mask itself tells where the person is."""
_SAME = 0.3
"""Overlap from which a box of the next look is of the same person."""


class Follower:
    """One person through a video: started with the box that was chosen in the first frame."""

    def __init__(
        self, detector: Detector, matter: Matter, first: Person, *, confidence: float = 0.3, overlap: float = 0.45,
        smoothing: bool = True, padding: int = 0,
    ) -> None:  # fmt: skip
        self._detector, self._matter = detector, matter
        self._box = first.box
        self._bounds = (confidence, overlap)
        self._how = {"smoothing": smoothing, "padding": padding}
        self._steady = Steady()
        self._frames = 0
        self.lost = 0
        """Looks in which the person was not found; the box stays where it was."""

    def next(self, frame: Picture) -> tuple[Box, Alpha]:
        """Where the person is in the next frame, and the mask."""
        if self._frames and self._frames % LOOK_EVERY == 0:
            self._look(frame)
        self._frames += 1
        raw = self._matter.matte(frame, self._box)
        alpha = refine(
            frame, raw, doubts=False, smoothing=bool(self._how["smoothing"]), padding=int(self._how["padding"])
        )
        return self._box, self._steady.next(alpha)

    def _look(self, frame: Picture) -> None:
        found = self._detector.detect(frame, *self._bounds)
        near = [person.box for person in found if person.box.overlap(self._box) >= _SAME]
        if not near:
            self.lost += 1
            return
        best, last = max(near, key=self._box.overlap), self._box
        # Half of the way at once: a box that jumps by its own noise would make the mask's border jump.
        self._box = Box(*((old + new) / 2 for old, new in zip(_sides(last), _sides(best), strict=True)))


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def cut_film(follower: Follower, frames: Iterable[Picture]) -> Iterator[tuple[Picture, Box, Alpha]]:
    """Every frame with its box and mask. Raises Permanent (NoPersons) when the person is found in less than half of the looks."""
    count = 0
    for frame in frames:
        box, alpha = follower.next(frame)
        count += 1
        yield frame, box, alpha
    looks = max(0, (count - 1) // LOOK_EVERY)
    if looks >= 2 and follower.lost * 2 > looks:
        raise Permanent(
            "NoPersons", f"the person of the first frame was lost in {follower.lost} of {looks} looks",
            hint="give a video in which one person stays in the picture, or cut it to the part where they do",
        )  # fmt: skip
