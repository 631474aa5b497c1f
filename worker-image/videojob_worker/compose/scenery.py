"""From a scene to what is drawn of it: its view, its texts, and when each stands on the screen."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from videojob_api.story.looks import Overlay
from videojob_api.story.scenes import Background, Scene, SceneManifest
from videojob_api.story.timing import BOTH

from . import captions, motion, picture
from .planes import Planes, dim
from .text import Span, Sprite, Style, Typesetter, place, scaled

CARD_SIZE, CARD_WRAP, CARD_LINE = 60, 900, 80
"""S-038: the text card's letters, line width and line height, in pixels of a frame 1080 wide."""
FOCI = ((0.30, 0.38), (0.70, 0.38), (0.30, 0.62), (0.70, 0.62))
"""Where a zoom with a pan goes, as shares of the frame; which of them follows from the picture's digest."""

Locate = Callable[[Background], Path]
"""Finds a background's file."""


@dataclass(frozen=True)
class _Timed:
    """A text over the picture, in frames of the scene's own time."""

    first: int
    end: int
    sprite: Sprite
    rise: int
    """Frames it takes to come."""


class Scenery:
    """One scene, ready to be drawn at any of its frames, and a little before and after them for its neighbours."""

    def __init__(self, manifest: SceneManifest, scene: Scene, view: motion.View, setter: Typesetter) -> None:
        self._manifest, self._scene, self._view, self._setter = manifest, scene, view, setter
        self._frame = (manifest.width, manifest.height)
        self._lead = lead(scene)
        self._said = captions.passage(scene, manifest.fps)
        self._overlays = [timed for timed in map(self._overlay, scene.overlays) if timed is not None]
        self._shown: list[captions.Shown] = []
        self._style: Style | None = None
        burnt = manifest.captions.burn and manifest.captions.style != "none" and bool(scene.text or scene.speech)
        if burnt and not _on_card(scene, manifest, setter):
            self._style = captions.style_of(manifest.captions, manifest.language, setter, self._frame)
            found = captions.phrases(self._said, manifest.captions, manifest.fps, setter, self._style, manifest.width)
            self._shown = captions.shown(self._said, manifest.captions, manifest.fps, found)
        self._starts = [one.first for one in self._shown]
        self._latest: tuple[int, Sprite | None] = (-1, None)

    def picture(self, frame: int, target: Planes) -> None:
        """Draw the background of a frame, faded where the scene comes from black or goes to it; frames may lie outside."""
        self._view.draw((frame + self._lead) / self._manifest.fps, target)
        dim(target, self.light(frame))

    def light(self, frame: int) -> float:
        """How bright the picture is: fade_in and fade_out end at black on the cut (S-021)."""
        head, tail, gain = self._scene.head, self._scene.tail, 1.0
        if head.kind == "fade" and head.frames:
            gain = min(gain, frame / head.frames)
        if tail.kind == "fade" and tail.frames:
            gain = min(gain, (self._scene.frames - 1 - frame) / tail.frames)
        return max(0.0, gain)

    def words(self, frame: int, target: Planes) -> None:
        """Lay what is to be read over a frame of the scene's own time; it does not fade with the picture."""
        for timed in self._overlays:
            if timed.first <= frame < timed.end:
                timed.sprite.draw(target, min(1.0, (frame - timed.first + 1) / timed.rise) if timed.rise else 1.0)
        at = bisect_right(self._starts, frame) - 1
        if at >= 0 and frame < self._shown[at].end:
            if self._latest[0] != at:  # captions come one after the other: the latest alone is kept
                self._latest = (at, self._caption(at))
            sprite = self._latest[1]
            if sprite is not None:
                sprite.draw(target)

    def _caption(self, at: int) -> Sprite | None:
        if self._style is None:
            return None
        return captions.draw(
            self._shown[at], self._said, self._manifest.captions, self._setter, self._style, self._frame
        )

    def _overlay(self, overlay: Overlay) -> _Timed | None:
        fps = self._manifest.fps
        chain = self._setter.fonts.chain(overlay.font, self._manifest.language)
        style = Style(chain, scaled(overlay.size, self._frame), overlay.color)
        lines = self._setter.wrap(overlay.content, style, self._frame[0] * overlay.width_percent / 100)
        sprite = place(self._setter.block([[Span(line)] for line in lines], style), self._frame, overlay.position)
        if sprite is None:
            return None
        first = overlay.start_ms * fps // 1000
        last = self._scene.frames if overlay.duration_ms is None else first + -(-overlay.duration_ms * fps // 1000)
        rise = overlay.animation_ms * fps // 1000 if overlay.animation == "fade_in" else 0
        return _Timed(first, min(last, self._scene.frames), sprite, rise)


def view(manifest: SceneManifest, scene: Scene, locate: Locate, setter: Typesetter) -> motion.View:
    """What a scene's background looks like over time. A clip is opened by whoever draws it. Raises Permanent for a bad image."""
    width, height = manifest.width, manifest.height
    background = scene.background or Background(kind="card")
    if background.kind == "card":
        return motion.Still(picture.whole(card(scene, manifest, background.color, setter), width, height))
    if background.kind == "colour":
        return motion.Still(picture.whole(Image.new("RGB", (64, 64), background.color), width, height))
    if background.kind == "gradient":
        made = picture.gradient(width, height, background.color, background.color_to or background.color)
        return motion.Still(picture.whole(made, width, height))
    path = locate(background)
    least = (round(width * motion.MAX_ZOOM), round(height * motion.MAX_ZOOM))
    return moving(manifest, scene, picture.read(path, ground=background.color, least=least))


def moving(manifest: SceneManifest, scene: Scene, image: Image.Image) -> motion.View:
    """A picture with the scene's motion (S-021)."""
    width, height = manifest.width, manifest.height
    effects = scene.effects
    seconds = _moves(scene) / manifest.fps
    digest = scene.background.file.sha256 if scene.background is not None and scene.background.file is not None else ""
    chance = hashlib.sha256(digest.encode()).digest()[0]
    if "ken_burns" in effects:
        share = FOCI[chance % len(FOCI)] if "pan" in effects else (0.5, 0.5)
        focus = (round(width * share[0] / 2) * 2, round(height * share[1] / 2) * 2)
        window = motion.zoom_window(width, height, focus)
        made = picture.canvas(image, window)
        return motion.Zoom(made, width, height, focus=focus, rate=motion.zoom_rate(seconds))
    if "pan" in effects:
        scale = max(width * motion.PAN_ZOOM / image.width, height * motion.PAN_ZOOM / image.height)
        most = 2 * max(width, height)
        across, up = (min(most, round(side * scale / 2) * 2) for side in image.size)
        canvas = picture.whole(image, across, up)
        ends = motion.pan_path((across, up), (width, height), seconds, backwards=bool(chance % 2))
        return motion.Pan(canvas, *ends, seconds)
    return motion.Still(picture.whole(image, width, height))


def lead(scene: Scene) -> int:
    """Frames by which a scene's picture moves already before the scene begins, while the one before is still seen."""
    return scene.head.frames if scene.head.kind in BOTH else 0


def _moves(scene: Scene) -> int:
    """Frames over which a scene's picture moves: its own, and its neighbours' share of what shows both."""
    return scene.frames + sum(cut.frames for cut in (scene.head, scene.tail) if cut.kind in BOTH)


def _on_card(scene: Scene, manifest: SceneManifest, setter: Typesetter) -> bool:
    """Whether the scene's own card shows all its words: captions over it would say them twice. They stay in the sidecars, and
    where the card has no room for all of them they are burnt as well.
    """
    if scene.background is not None and scene.background.kind != "card":
        return False
    _, lines, room = _lettering(scene, manifest, setter)
    return bool(scene.text) and len(lines) <= room


def _lettering(scene: Scene, manifest: SceneManifest, setter: Typesetter) -> tuple[Style, list[str], int]:
    """A card's letters, all its lines, and how many of them it has room for."""
    ratio = min(manifest.width, manifest.height) / 1080
    style = Style(
        setter.fonts.chain("Arial", manifest.language),
        round(CARD_SIZE * ratio),
        rim=None,
        line_height=round(CARD_LINE * ratio),
    )
    room = max(1, int(manifest.height * 0.7 / style.pitch))
    return style, setter.wrap(scene.text, style, CARD_WRAP * ratio), room


def card(scene: Scene, manifest: SceneManifest, colour: str, setter: Typesetter) -> Image.Image:
    """The scene's text on a plain ground (S-038)."""
    width, height = manifest.width, manifest.height
    style, every, room = _lettering(scene, manifest, setter)
    made, lines = Image.new("RGB", (width, height), colour), every[:room]
    if lines:
        block = setter.block([[Span(line)] for line in lines], style)
        made.paste(block, ((width - block.width) // 2, (height - block.height) // 2), block)
    return made
