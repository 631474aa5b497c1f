"""The narration as text: phrases timed by the voice's own words, in the picture and in files beside it.

Times of words come from whoever spoke. Only a scene that nobody spoke has none; then its words share its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pysubs2
from PIL import Image

from videojob_api.story.looks import Captions
from videojob_api.story.scenes import Scene, SceneManifest, Word, frames_ms

from . import cues
from .text import Span, Sprite, Style, Typesetter, place, scaled

Form = Literal["srt", "vtt"]
CAPTION_TYPES: dict[str, str] = {"srt": "application/x-subrip", "vtt": "text/vtt"}
"""Media types of captions' files."""
WIDTH_SHARE = 0.86
"""Part of the frame's width that a line may take."""
LINGER_MS = 250
"""A phrase stays so much longer than its last word, unless the next one comes."""


@dataclass(frozen=True)
class Passage:
    """What is said without a cut of the picture, in its own time."""

    text: str
    """As it is shown; words point into it."""
    words: tuple[Word, ...]
    frames: int
    """How long it may stand on the screen."""

    def joined(self, words: Sequence[Word]) -> str:
        """Words as they stand in the text, with what is between them; else with blanks."""
        if not words:
            return ""
        if all(word.end > word.begin for word in words) and words[-1].end <= len(self.text):
            return " ".join(self.text[words[0].begin : words[-1].end].split())
        return " ".join(word.text for word in words)


@dataclass(frozen=True)
class Phrase:
    """What stands on the screen at once, in milliseconds of the scene's own time."""

    words: tuple[Word, ...]
    start_ms: int
    end_ms: int
    lines: tuple[tuple[int, int], ...]
    """First and last-but-one word of each line."""


@dataclass(frozen=True)
class Shown:
    """One drawing of a phrase, in frames of the scene's own time."""

    first: int
    end: int
    """First frame that shows it no more."""
    phrase: Phrase
    lit: int | None
    """`karaoke`: so many words are lit; `word`: this one is."""


def passage(scene: Scene, fps: int) -> Passage:
    """What a scene says."""
    return Passage(scene.text, words_of(scene, fps), scene.frames)


def words_of(scene: Scene, fps: int) -> tuple[Word, ...]:
    """A scene's words in its own time: the voice's, else shared out over the scene."""
    if scene.speech is not None and scene.speech.words:
        shift = scene.speech.offset_ms
        return tuple(
            word.model_copy(update={"start_ms": word.start_ms + shift, "end_ms": word.end_ms + shift})
            for word in scene.speech.words
        )
    pieces = [(at, at + len(piece), piece) for at, piece in _pieces(scene.text)]
    if not pieces:
        return ()
    total, whole, found, passed = sum(len(piece) for *_, piece in pieces), frames_ms(scene.frames, fps), [], 0
    for begin, end, piece in pieces:
        start = whole * passed // total
        passed += len(piece)
        found.append(Word(text=piece, start_ms=start, end_ms=whole * passed // total, begin=begin, end=end))
    return tuple(found)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Words of a text with their places; without blanks, passages up to a sign or of eight characters."""
    at = 0
    for word in text.split():
        at = text.index(word, at)
        step = 0
        while step < len(word):
            length = len(word) - step
            if length > 16 and not word.isascii():
                stop = next((n for n in range(1, 8) if word[step + n - 1] in cues.ENDS | cues.PAUSES), 8)
                length = min(length, stop)
            yield at + step, word[step : step + length]
            step += length
        at += len(word)


def phrases(said: Passage, captions: Captions, fps: int, setter: Typesetter, style: Style, width: int) -> list[Phrase]:  # noqa: PLR0917 - the same
    """Cut a passage's words into phrases of at most two lines that fit the frame."""
    measured = cues.Measured(said.words, lambda some: setter.width(said.joined(some), style))
    groups = cues.cut(measured, cues.Room(captions.words_per_line, width * WIDTH_SHARE))
    return [
        _timed(group, groups[at + 1] if at + 1 < len(groups) else None, said, fps) for at, group in enumerate(groups)
    ]


def _timed(lines: cues.Lines, after: cues.Lines | None, said: Passage, fps: int) -> Phrase:
    words, first, end = said.words, lines[0][0], lines[-1][1]
    limit = words[after[0][0]].start_ms if after is not None else frames_ms(said.frames, fps)
    until = min(
        max(words[end - 1].end_ms + LINGER_MS, words[first].start_ms + 1), max(limit, words[first].start_ms + 1)
    )
    return Phrase(
        tuple(words[first:end]), words[first].start_ms, until, tuple((a - first, b - first) for a, b in lines)
    )


def shown(said: Passage, captions: Captions, fps: int, found: Sequence[Phrase]) -> list[Shown]:
    """When each drawing stands on the screen: one a phrase, or one a word for the styles that follow the voice."""
    frames = []
    for phrase in found:
        first = _frame(phrase.start_ms, fps)
        end = min(said.frames, max(-(-phrase.end_ms * fps // 1000), first + 1))
        if captions.style not in {"karaoke", "word"}:
            frames.append(Shown(first, end, phrase, None))
            continue
        starts = [_frame(word.start_ms, fps) for word in phrase.words]
        for number, start in enumerate(starts):
            until = starts[number + 1] if number + 1 < len(starts) else end
            if until > start:
                frames.append(
                    Shown(start, min(until, end), phrase, number + 1 if captions.style == "karaoke" else number)
                )
    return frames


def _frame(milliseconds: int, fps: int) -> int:
    """The frame that is shown at that moment."""
    return milliseconds * fps // 1000


def draw(  # noqa: PLR0917 - what is drawn, and how it looks
    one: Shown, said: Passage, captions: Captions, setter: Typesetter, style: Style, frame: tuple[int, int]
) -> Sprite | None:
    """A drawing, ready to be laid over a frame."""
    return place(block(one, said, captions, setter, style), frame, captions.position)


def block(one: Shown, said: Passage, captions: Captions, setter: Typesetter, style: Style) -> Image.Image:
    """The picture of a drawing alone, RGBA."""
    lines = []
    for begin, end in one.phrase.lines:
        line = one.phrase.words[begin:end]
        if one.lit is None:
            lines.append([Span(said.joined(line))])
            continue
        spans = []
        for at, word in enumerate(line):
            lit = begin + at < one.lit if captions.style == "karaoke" else begin + at == one.lit
            gap = said.joined(line[: at + 1])[len(said.joined(line[:at])) :]
            spans.append(Span(gap or word.text, captions.highlight if lit else None))
        lines.append(spans)
    return setter.block(lines, style)


def style_of(captions: Captions, language: str, setter: Typesetter, frame: tuple[int, int]) -> Style:
    """Letters of the captions in a frame of that size."""
    return Style(setter.fonts.chain(captions.font, language), scaled(captions.size, frame), captions.color)


def sidecars(manifest: SceneManifest, forms: Sequence[Form], setter: Typesetter) -> dict[str, str]:
    """The captions as files, by their form: the same phrases as in the picture, at the video's own times."""
    fps, style = manifest.fps, style_of(manifest.captions, manifest.language, setter, (manifest.width, manifest.height))
    found = [
        (frames_ms(scene.start_frame, fps), said, phrases(said, manifest.captions, fps, setter, style, manifest.width))
        for scene in manifest.scenes
        for said in [passage(scene, fps)]
    ]
    return written(found, forms)


def written(found: Sequence[tuple[int, Passage, Sequence[Phrase]]], forms: Sequence[Form]) -> dict[str, str]:
    """Phrases as files, by their form: each passage with the milliseconds at which it begins."""
    subtitles = pysubs2.SSAFile()
    for at, said, cut in found:
        for phrase in cut:
            text = "\\N".join(said.joined(phrase.words[begin:end]) for begin, end in phrase.lines)
            subtitles.append(pysubs2.SSAEvent(start=at + phrase.start_ms, end=at + phrase.end_ms, text=text))
    return {form: subtitles.to_string(form) for form in forms}
