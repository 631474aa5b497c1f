"""BackgroundRemoval: the person is cut out and put before the background that was asked for (A-001, A-040)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from videojob_api.avatar.tasks import CUTOUT_FILE, PORTRAIT_FILE, SCENE_FILE, MatteParams, of
from videojob_api.contract import StageResult, content_key
from videojob_api.keeping import MASK_PARTS
from videojob_api.v1alpha1.avatar import AvatarFile, Matting

from ..base.errors import BadConfig, Permanent, out_of_memory
from ..compose import picture as strangers
from ..storage import files
from ..storage.records import stored
from ..vision import backgrounds, matting, models
from ..vision.boxes import Picture
from ..vision.matting import CutOut
from .context import Context
from .kept import once
from .sitting import Sitter, mounted, named, picture, portrait_of, save, sitters

VERSION = 1
"""Raise it when the same key would give another mask."""
WHITE = "#FFFFFF"
BACKGROUND_FILE = "background.png"
HELD, EDGE = 0.5, 15
"""From this share on a pixel holds a person together; so many pixels round it belong to the edge."""


def run(context: Context) -> StageResult:
    """Write each person alone, the background, and both together; all of the same even size.

    Raises Permanent: what reading avatar.matting.image raises; with `fallback: Deny` also MattingDegraded. Raises Resource when
    memory does not suffice, or suffices for lesser means only and `fallback` is Deny.
    """
    params = context.params
    if not isinstance(params, MatteParams):
        raise BadConfig("BadDocument", "stage matte got another stage's params")
    return once(context, MASK_PARTS, _key(context, params.matting), lambda: _cut(context, params, params.matting))


def _key(context: Context, asked: Matting) -> str:
    """All that shapes what comes out, by its content (A-037)."""
    follows = {
        "matting": asked.dump(), "precision": asked.precision or models.precision(), "side": context.task.working_size,
        "portrait": portrait_of(context), "sitters": [one.dump() for one in sitters(context)], "company": _company(context),
        "background": files.sha256_file(_image(context, asked.image)) if asked.image is not None else None,
    }  # fmt: skip
    return content_key(MASK_PARTS, VERSION, follows, ())


def _image(context: Context, given: AvatarFile) -> Path:
    """The background's file. Raises Permanent: what finding a file of the store raises, with its field."""
    try:
        return context.store.source(given.uri, given.filename)
    except Permanent as error:
        raise Permanent(error.code, f"avatar.matting.image: {error.message}", hint=error.hint) from None


def _cut(context: Context, params: MatteParams, asked: Matting) -> StageResult:
    found = sitters(context)
    portrait = picture(context, "upload", PORTRAIT_FILE)
    matter: matting.Matter | None = None
    small: str | None = None
    context.progress(10, "Cutting the person out")
    if asked.matter != "none":
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
    told, parts = [], []
    for place, one in enumerate(found):
        context.check()
        if place:
            context.progress(10 + 90 * place // len(found), f"Cutting out person #{one.number}")
        person, behind = _seated(context, asked, portrait, one, matter)
        if matter is not None and matter.degraded is not None and params.fallback.policy == "Deny":
            raise out_of_memory(f"avatar.matting ({matter.name}), which is to do no less than asked for,")
        for name, pixels in (
            (CUTOUT_FILE, person),
            (BACKGROUND_FILE, behind),
            (SCENE_FILE, backgrounds.place(person, behind)),
        ):
            target = context.staging / of(name, one.number)
            save(target, pixels)
            parts.append(stored(target))
        who = "the person" if one.number is None else f"person #{one.number}"
        told.append(f"{who} fills {float((person[..., 3] > 127).mean()):.0%} of {person.shape[1]}x{person.shape[0]}")
    degraded = (matter.degraded,) if matter is not None and matter.degraded is not None else ()
    if small is not None:
        degraded = (f"the mask was made at {small} pixels, for earlier attempts ran out of memory", *degraded)
    return StageResult(
        kind=context.kind.kind, message="; ".join(told)[:200], parts=tuple(parts), degraded=degraded,
        notes=(matter.note,) if matter is not None and matter.note is not None else (),
        accelerator=matter.accelerator if matter is not None else None,
    )  # fmt: skip


def _seated(
    context: Context, asked: Matting, portrait: Picture, one: Sitter, matter: matting.Matter | None
) -> tuple[CutOut, Picture]:
    """One person alone, and what is seen behind, both as large as what is shown of the portrait."""
    if matter is None:
        alpha, person = np.ones(portrait.shape[:2], np.float32), _whole(portrait)
    else:
        raw = matter.matte(portrait, one.box())
        if _company(context):
            raw = _own(raw, one)
        alpha = matting.refine(portrait, raw, smoothing=asked.smoothing, padding=asked.padding)
        person = matting.cut_out(portrait, alpha)
    part = _even(one.shown((portrait.shape[1], portrait.shape[0])))
    behind = _behind(context, asked, portrait, alpha)
    return np.ascontiguousarray(person[part]), np.ascontiguousarray(behind[part])


def _company(context: Context) -> bool:
    """Whether there are others in the picture."""
    known = context.earlier("detect").avatar
    return known is not None and known.person_detection is not None and known.person_detection.total_persons > 1


def _own(alpha: NDArray[np.float32], one: Sitter) -> NDArray[np.float32]:
    """A mask without the others: of what hangs together, that which fills most of the middle of the person's box stays."""
    count, labels = cv2.connectedComponents((alpha > HELD).astype(np.uint8))
    left, top, right, bottom = one.box().whole()
    third = (right - left) // 3
    middle = labels[max(0, top) : bottom, max(0, left) + third : max(1, right - third)]
    shares = np.bincount(middle[middle > 0], minlength=count)
    if shares.max(initial=0) == 0:
        return alpha
    near = cv2.dilate((labels == int(shares.argmax())).astype(np.uint8), np.ones((EDGE, EDGE), np.uint8))
    return np.where(near > 0, alpha, np.float32(0))


def _behind(context: Context, asked: Matting, portrait: Picture, alpha: NDArray[np.float32]) -> Picture:
    """The background, as large as the portrait."""
    size = (portrait.shape[1], portrait.shape[0])
    if asked.image is not None:
        path = _image(context, asked.image)
        try:
            given = strangers.read(path)
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
