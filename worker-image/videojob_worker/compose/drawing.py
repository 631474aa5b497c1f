"""A piece of the video, frame by frame: one scene, or the passage from one to the next (S-020, S-021)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from videojob_api.story.scenes import SceneManifest
from videojob_api.story.segments import Segment

from .planes import Frame, Planes, mix
from .scenery import Scenery, lead

PASSAGE_ZOOM = 0.35
"""How much the earlier picture grows in the transition `zoom`."""
SOFT_EDGE = 0.04
"""Width of the edge of a wipe, in shares of the frame."""


class Output(Protocol):
    """Where frames go."""

    def write(self, data: memoryview) -> None:
        """Take a whole frame."""


def draw(  # noqa: PLR0917 - what is drawn, of what, and where to
    manifest: SceneManifest,
    segment: Segment,
    scenery: Callable[[int, int], Scenery],
    output: Output,
    drawn: Callable[[int], None],
    only: range | None = None,
) -> None:
    """Draw all frames of a piece, in order, or some that follow each other.

    `scenery` makes a scene ready from a frame of its own motion on. `drawn` hears how many there are so far; it may raise.
    """
    frame = Frame.blank(manifest.width, manifest.height)
    data = frame.data.data
    scenes, wanted = manifest.scenes, range(segment.frames) if only is None else only
    first = scenery(segment.scene, segment.first_frame + lead(scenes[segment.scene]) + wanted.start)
    if segment.kind == "scene":
        for count in wanted:
            first.picture(segment.first_frame + count, frame.planes)
            first.words(segment.first_frame + count, frame.planes)
            output.write(data)
            drawn(count + 1 - wanted.start)
        return
    following = scenes[segment.scene + 1]
    second = scenery(following.index, max(0, lead(following) - segment.split) + wanted.start)
    other = Frame.blank(manifest.width, manifest.height)
    passage = PASSAGES[scenes[segment.scene].tail.kind if segment.split else following.head.kind]
    for count in wanted:
        first.picture(segment.first_frame + count, frame.planes)
        second.picture(count - segment.split, other.planes)
        passage(frame.planes, other.planes, (count + 0.5) / segment.frames)
        if count < segment.split:
            first.words(segment.first_frame + count, frame.planes)
        else:
            second.words(count - segment.split, frame.planes)
        output.write(data)
        drawn(count + 1 - wanted.start)


def _eased(share: float) -> float:
    """Slow at both ends."""
    return share * share * (3 - 2 * share)


def _dissolve(under: Planes, over: Planes, share: float) -> None:
    mix(under, over, share)


def _slide(under: Planes, over: Planes, share: float) -> None:
    """The later picture pushes the earlier one out to the left."""
    moved = min(under.width, round(under.width * _eased(share) / 2) * 2)
    for first, second, half in zip(under.all, over.all, (1, 2, 2), strict=True):
        step = moved // half
        if step:
            kept = first.shape[1] - step
            first[:, :kept] = first[:, step:].copy()
            first[:, kept:] = second[:, :step]


def _wipe(under: Planes, over: Planes, share: float) -> None:
    """An edge runs from left to right; what it has passed is the later picture."""
    edge = share * (1 + SOFT_EDGE) - SOFT_EDGE
    for first, second in zip(under.all, over.all, strict=True):
        at = (np.arange(first.shape[1], dtype=np.float32) + 0.5) / first.shape[1]
        passed = np.clip((edge + SOFT_EDGE - at) / SOFT_EDGE, 0, 1)
        whole = int(np.searchsorted(-passed, -1.0, side="right"))
        until = int(np.searchsorted(-passed, 0.0, side="left"))
        first[:, :whole] = second[:, :whole]
        if until > whole:
            part = passed[whole:until]
            blend = first[:, whole:until] * (1 - part) + second[:, whole:until] * part
            first[:, whole:until] = np.rint(blend).astype(np.uint8)


def _zoom(under: Planes, over: Planes, share: float) -> None:
    """The earlier picture comes nearer while it gives way to the later one."""
    grown = 1 + PASSAGE_ZOOM * _eased(share)
    for plane in under.all:
        height, width = plane.shape
        matrix = np.array(
            [[1 / grown, 0, (width - 1) / 2 * (1 - 1 / grown)], [0, 1 / grown, (height - 1) / 2 * (1 - 1 / grown)]]
        )
        plane[:] = cv2.warpAffine(
            plane,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    mix(under, over, share)


PASSAGES: dict[str, Callable[[Planes, Planes, float], None]] = {
    "dissolve": _dissolve,
    "slide": _slide,
    "wipe": _wipe,
    "zoom": _zoom,
}
"""Transitions that show both pictures."""
