"""A long story in two languages: one edit makes again what it concerns, and sound, letters and pictures stay together."""

from __future__ import annotations

import hashlib
from pathlib import Path

import longstory
from storybench import StoryBench
from videojob_api.contract import RunResult
from videojob_worker.compose.fonts import book

EDITED, SWAPPED, APART_MS = 5, 17, 100


def ended(result: RunResult) -> RunResult:
    assert result.exit_code == 0, result.failure
    return result


def test_m2_of_36_scenes_an_edit_makes_two_again_and_all_stays_in_step(tmp_path: Path) -> None:
    """S-020, S-022, S-056, S-065: sentence 5 grows, picture 17 is another one. The manifest lists these two as made again, all
    others are the same bytes; in both films each cut, its first letters and its voice lie within 100 ms of each other, by what an
    eye and an ear find in the file; no letter is an empty box.
    """
    count = 36
    first, texts = StoryBench(tmp_path), longstory.sentences(count)
    pictures = longstory.paint(tmp_path / "stock", count + 1)[:count]
    ended(first.whole(**longstory.asked(texts, pictures)))
    kept = first.manifest()
    assert [piece.made for piece in kept.pieces] == [True] * count

    texts[EDITED - 1], pictures[SWAPPED - 1] = longstory.LONGER, f"p{count}.png"
    second = StoryBench(tmp_path, "edited")
    document = second.story(**longstory.asked(texts, pictures))
    ended(second.run("work", document))
    pieces, order, layout = second.pieces(), second.piece_keys(), second.record("layout")
    ended(second.run("commit", document))
    made = second.manifest()

    assert [piece.scenes for piece in made.pieces] == [(f"s{number:03d}",) for number in range(1, count + 1)]
    assert [number for number, piece in enumerate(made.pieces, 1) if piece.made] == [EDITED, SWAPPED]
    for number, (before, after) in enumerate(zip(kept.pieces, made.pieces, strict=True), 1):
        same = number not in {EDITED, SWAPPED}
        assert (before.key == after.key, before.sha256 == after.sha256) == (same, same), number
    assert [hashlib.sha256(pieces[key]).hexdigest() for key in order] == [piece.sha256 for piece in made.pieces]
    assert made.pieces[EDITED - 1].frames > kept.pieces[EDITED - 1].frames

    for bench in (first, second):
        found = longstory.onsets(bench.published("video"))
        scenes = bench.manifest().pieces
        assert len(found.cuts) == len(scenes)
        apart = found.apart()
        assert max(max(row) for row in apart) <= APART_MS, [
            (number, row) for number, row in enumerate(apart, 1) if max(row) > APART_MS
        ]

    assert layout.notes == (), "no font has these characters"
    assert longstory.boxes(book(), "".join(texts), "en") == ""
    (latin,) = {run.face for run in book().runs("lighthouse", book().chain("Arial-Bold", "en"))}
    assert [longstory.boxed(latin, sign) for sign in "灯台light"] == [True] * 2 + [False] * 5, "a box would be found"
