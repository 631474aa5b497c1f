"""BackgroundRemoval: the person is cut out and put before the background that was asked for (A-001, A-040, A-041)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videojob_api.avatar.tasks import CUTOUT_FILE, PORTRAIT_FILE, SCENE_FILE, SCENES_FILE, MatteParams, of
from videojob_api.contract import StageFile, StageResult, content_key
from videojob_api.keeping import MASK_PARTS
from videojob_api.v1alpha1.avatar import AvatarFile, Matting

from ..base.errors import BadConfig, Permanent, out_of_memory
from ..base.lanes import behind
from ..compose import picture as strangers
from ..storage import files
from ..storage.records import stored
from ..vision import backgrounds, filming, matting, models
from ..vision.boxes import Picture
from ..vision.matting import CutOut
from .context import Context
from .footage import Footage, drawn, film_of, frames
from .kept import once
from .sitting import Sitter, everybody, mounted, named, picture, portrait_of, save, sitters

VERSION = 2
"""Raise it when the same key would give another mask."""
WHITE = "#FFFFFF"
BACKGROUND_FILE = "background.png"


def run(context: Context) -> StageResult:
    """Write each person alone, the background, and both together; all of the same even size. Of a video, both together.

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
    film = film_of(context)
    portrait = picture(context, "upload", PORTRAIT_FILE) if film is None else None
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
    told, parts = list[str](), list[StageFile]()

    def masked() -> Iterator[tuple[int, Sitter, matting.Alpha | None]]:
        """Each person with what the model says; in the stage's own thread, as a model is used by one at a time."""
        for place, one in enumerate(found):
            context.check()
            if place:
                context.progress(10 + 90 * place // len(found), f"Cutting out person #{one.number}")
            raw = None
            if portrait is not None and matter is not None:
                raw = matter.matte(portrait, one.box())
            yield place, one, raw
            if matter is not None and matter.degraded is not None and params.fallback.policy == "Deny":
                raise out_of_memory(f"avatar.matting ({matter.name}), which is to do no less than asked for,")

    def finished(given: tuple[int, Sitter, matting.Alpha | None]) -> tuple[Sitter, str, list[StageFile]]:
        place, one, raw = given
        if portrait is not None:
            return one, *_photographed(context, asked, portrait, one, raw)
        assert film is not None  # noqa: S101 - the one or the other
        return one, *_filmed(context, asked, film, one, turn=(place, len(found)), matter=matter)

    for one, fills, made in behind(masked(), finished) if film is None else map(finished, masked()):
        parts += made
        told.append(f"{'the person' if one.number is None else f'person #{one.number}'} {fills}")
    degraded = (matter.degraded,) if matter is not None and matter.degraded is not None else ()
    if small is not None:
        degraded = (f"the mask was made at {small} pixels, for earlier attempts ran out of memory", *degraded)
    return StageResult(
        kind=context.kind.kind, message="; ".join(told)[:200], parts=tuple(parts), degraded=degraded,
        notes=(matter.note,) if matter is not None and matter.note is not None else (),
        accelerator=matter.accelerator if matter is not None else None,
    )  # fmt: skip


def _photographed(
    context: Context, asked: Matting, portrait: Picture, one: Sitter, raw: matting.Alpha | None
) -> tuple[str, list[StageFile]]:
    """One person's pictures, and how much of them the person fills."""
    person, background = _seated(context, asked, portrait, one, raw)
    scene = backgrounds.place(person, background)

    def written(given: tuple[str, NDArray[np.uint8]]) -> StageFile:
        target = context.staging / of(given[0], one.number)
        save(target, given[1])
        return stored(target)

    pictures = ((CUTOUT_FILE, person), (BACKGROUND_FILE, background), (SCENE_FILE, scene))
    parts = list(behind(pictures, written))
    return f"fills {float((person[..., 3] > 127).mean()):.0%} of {person.shape[1]}x{person.shape[0]}", parts


def _filmed(
    context: Context, asked: Matting, film: Footage, one: Sitter, *, turn: tuple[int, int], matter: matting.Matter | None
) -> tuple[str, list[StageFile]]:  # fmt: skip
    """One person's video before the background, and how much of it the person fills; `turn` is the person's place among how
    many.
    """
    part, size = _even(one.shown((film.width, film.height))), (film.height, film.width)
    shares = list[float]()

    def cut() -> Iterator[tuple[Picture, matting.Alpha, Picture | None]]:
        plain: Picture | None = None
        for number, (frame, alpha) in enumerate(_masks(context, asked, film, one, matter)):
            if number % 10 == 0:
                done = (turn[0] * film.count + number) * 90 // (turn[1] * film.count)
                context.progress(min(99, 10 + done), f"Cutting out frame {number} of {film.count}")
            shares.append(float((alpha[part] > 0.5).mean()))
            if plain is None and matter is not None and asked.blur is None:
                plain = _behind(context, asked, frame, alpha)
            yield frame, alpha, plain

    def scene(given: tuple[Picture, matting.Alpha, Picture | None]) -> Picture:
        frame, alpha, plain = given
        if matter is None:
            return np.ascontiguousarray(frame[part])
        seen = plain if plain is not None else _behind(context, asked, frame, alpha)
        person = matting.cut_out(frame, alpha)
        return backgrounds.place(np.ascontiguousarray(person[part]), np.ascontiguousarray(seen[part]))

    target = context.staging / of(SCENES_FILE, one.number)
    height, width = np.empty(size, np.uint8)[part].shape
    drawn(context, film, behind(cut(), scene), (width, height), target)
    return f"fills {np.mean(shares):.0%} of {width}x{height} in {len(shares)} frames", [stored(target)]


def _masks(
    context: Context, asked: Matting, film: Footage, one: Sitter, matter: matting.Matter | None
) -> Iterator[tuple[Picture, matting.Alpha]]:  # fmt: skip
    if matter is None:
        whole = np.ones((film.height, film.width), np.float32)
        return ((frame, whole) for frame in frames(film))
    return filming.cut_film(
        matter, frames(film), one.way(), smoothing=asked.smoothing, padding=asked.padding,
        alone=not everybody(context).company,
    )  # fmt: skip


def _seated(
    context: Context, asked: Matting, portrait: Picture, one: Sitter, raw: matting.Alpha | None
) -> tuple[CutOut, Picture]:
    """One person alone, and what is seen behind, both as large as what is shown of the portrait."""
    if raw is None:
        alpha, person = np.ones(portrait.shape[:2], np.float32), _whole(portrait)
    else:
        if _company(context):
            raw = matting.own(raw, one.box())
        alpha = matting.refine(portrait, raw, smoothing=asked.smoothing, padding=asked.padding)
        person = matting.cut_out(portrait, alpha)
    part = _even(one.shown((portrait.shape[1], portrait.shape[0])))
    background = _behind(context, asked, portrait, alpha)
    return np.ascontiguousarray(person[part]), np.ascontiguousarray(background[part])


def _company(context: Context) -> bool:
    """Whether there are others in the picture."""
    known = context.earlier("detect").avatar
    return known is not None and known.person_detection is not None and known.person_detection.total_persons > 1


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
