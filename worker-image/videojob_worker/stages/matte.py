"""BackgroundRemoval: the person is cut out and put before the background that was asked for (A-001, A-040)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videojob_api.avatar.tasks import CUTOUT_FILE, PORTRAIT_FILE, SCENE_FILE, MatteParams
from videojob_api.contract import StageResult
from videojob_api.v1alpha1.avatar import Matting

from ..base.errors import BadConfig, Permanent, out_of_memory
from ..compose import picture as strangers
from ..storage.records import stored
from ..vision import backgrounds, matting, models
from ..vision.boxes import Box, Picture
from ..vision.matting import CutOut
from .context import Context
from .sitting import mounted, named, picture, save, sitter

WHITE = "#FFFFFF"
BACKGROUND_FILE = "background.png"


def run(context: Context) -> StageResult:
    """Write the person alone, the background, and both together; all of the same even size.

    Raises Permanent: what reading avatar.matting.image raises; with `fallback: Deny` also MattingDegraded. Raises Resource when
    memory does not suffice, or suffices for lesser means only and `fallback` is Deny.
    """
    params = context.params
    if not isinstance(params, MatteParams):
        raise BadConfig("BadDocument", "stage matte got another stage's params")
    asked, found = params.matting, sitter(context)
    portrait = picture(context, "upload", PORTRAIT_FILE)
    shown = (Box(*found.crop) if found.crop is not None else Box(0, 0, portrait.shape[1], portrait.shape[0])).whole()
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accelerator = None
    context.progress(10, "Cutting the person out")
    if asked.matter == "none":
        alpha = np.ones(portrait.shape[:2], np.float32)
    else:
        precision = asked.precision or models.precision()
        small = context.task.working_size if asked.weights is not None else None
        given = mounted(context, asked.weights, precision) | ({"side": int(small)} if small is not None else {})
        with named("avatar.matting.weights"):
            matter = matting.open_matter(asked.matter, **given)
        if matter.degraded is not None and params.fallback.policy == "Deny":
            text = f"the person would be cut out by lesser means: {matter.degraded}"
            raise Permanent(
                "MattingDegraded", text, hint="set avatar.matting.matter to mediapipe, or fallback.policy to Allow"
            )
        raw = matter.matte(portrait, found.box())
        alpha = matting.refine(portrait, raw, smoothing=asked.smoothing, padding=asked.padding)
        if matter.degraded is not None and params.fallback.policy == "Deny":
            raise out_of_memory(f"avatar.matting ({matter.name}), which is to do no less than asked for,")
        degraded = (matter.degraded,) if matter.degraded is not None else ()
        if small is not None:
            degraded = (f"the mask was made at {small} pixels, for earlier attempts ran out of memory", *degraded)
        notes = (matter.note,) if matter.note is not None else ()
        accelerator = matter.accelerator
    person = matting.cut_out(portrait, alpha) if asked.matter != "none" else _whole(portrait)
    behind = _behind(context, asked, portrait, alpha)
    part = _even(shown)
    person, behind = (np.ascontiguousarray(each[part]) for each in (person, behind))
    for name, pixels in (
        (CUTOUT_FILE, person),
        (BACKGROUND_FILE, behind),
        (SCENE_FILE, backgrounds.place(person, behind)),
    ):
        save(context.staging / name, pixels)
    share = float((person[..., 3] > 127).mean())
    return StageResult(
        kind=context.kind.kind, message=f"the person fills {share:.0%} of {person.shape[1]}x{person.shape[0]}",
        parts=tuple(stored(context.staging / name) for name in (CUTOUT_FILE, BACKGROUND_FILE, SCENE_FILE)),
        degraded=degraded, notes=notes, accelerator=accelerator,
    )  # fmt: skip


def _behind(context: Context, asked: Matting, portrait: Picture, alpha: NDArray[np.float32]) -> Picture:
    """The background, as large as the portrait."""
    size = (portrait.shape[1], portrait.shape[0])
    if asked.image is not None:
        try:
            given = strangers.read(context.store.source(asked.image.uri, asked.image.filename))
        except Permanent as error:
            raise Permanent(error.code, f"avatar.matting.image: {error.message}", hint=error.hint) from None
        return backgrounds.covering(np.asarray(given), size)
    if asked.blur is not None:
        return backgrounds.blurred(portrait, alpha, asked.blur)
    return portrait if asked.matter == "none" else backgrounds.plain(asked.color or WHITE, size)


def _whole(portrait: Picture) -> CutOut:
    return np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])


def _even(edges: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Rows and columns of a part, an even number of each: encoders want that."""
    left, top, right, bottom = edges
    return slice(top, bottom - (bottom - top) % 2), slice(left, right - (right - left) % 2)
