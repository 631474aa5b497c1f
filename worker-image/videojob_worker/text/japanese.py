"""Japanese as it sounds: phrases with their reading in kana, for voices that read no kanji.

SudachiPy and its small dictionary (both Apache-2.0, new editions every few months) know the readings; pykakasi is under the
GPL, and other dictionaries are larger or no longer kept up. Numbers, and words written as they are not said, are mended here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sudachipy import Morpheme, Tokenizer


@dataclass(frozen=True)
class Phrase:
    """A word with what belongs to it."""

    begin: int
    """Where it begins in the text."""
    end: int
    reading: str
    """In hiragana; punctuation as it stands; empty when nothing is said."""


_JOINS = frozenset({"助詞", "助動詞", "接尾辞", "補助記号", "空白", "記号"})
"""Parts of speech that end a phrase and begin none."""
_NUMBER = re.compile(r"[0-9０-９][0-9０-９,，]*(?:[.．][0-9０-９]+)?")
_NAMES = (
    "えー びー しー でぃー いー えふ じー えいち あい じぇー けー える えむ えぬ おー ぴー きゅー あーる えす てぃー ゆー "
    "ぶい だぶりゅー えっくす わい ぜっと"
)
_LETTERS = dict(zip("abcdefghijklmnopqrstuvwxyz", _NAMES.split(), strict=True))
_UNITS = ("", "じゅう", "ひゃく", "せん")
_LARGE = ("", "まん", "おく", "ちょう", "けい")
_ONES = ("ぜろ", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう")
_CHANGED = {
    ("さん", "ひゃく"): "さんびゃく", ("ろく", "ひゃく"): "ろっぴゃく", ("はち", "ひゃく"): "はっぴゃく",
    ("さん", "せん"): "さんぜん", ("はち", "せん"): "はっせん",
}  # fmt: skip
_DAYS = {
    1: "ついたち", 2: "ふつか", 3: "みっか", 4: "よっか", 5: "いつか", 6: "むいか", 7: "なのか", 8: "ようか", 9: "ここのか",
    10: "とおか", 14: "じゅうよっか", 20: "はつか", 24: "にじゅうよっか",
}  # fmt: skip
_COUNTED = {
    ("月", 4): "しがつ", ("月", 7): "しちがつ", ("月", 9): "くがつ", ("時", 4): "よじ", ("時", 7): "しちじ", ("時", 9): "くじ",
    ("人", 1): "ひとり", ("人", 2): "ふたり", ("人", 4): "よにん", ("年", 4): "よねん", ("円", 4): "よえん",
}  # fmt: skip
_COUNTER = {
    "月": "がつ",
    "時": "じ",
    "人": "にん",
    "年": "ねん",
    "円": "えん",
    "分": "ふん",
    "本": "ほん",
    "日": "にち",
}
_KIN = {("お", "母"): "かあ", ("お", "父"): "とう", ("お", "兄"): "にい", ("お", "姉"): "ねえ"}
_SOFT = {1: "っ", 6: "っ", 8: "っ", 0: "っ"}


@cache
def _tokenizer() -> Tokenizer:
    from sudachipy import Dictionary  # noqa: PLC0415 - 100 MB of dictionary, for Japanese alone

    return Dictionary(dict="small").tokenizer()


def phrases(text: str) -> tuple[Phrase, ...]:
    """The text in phrases, with a reading each; they cover all of it but blanks between them."""
    found: list[Phrase] = []
    at = 0
    for match in _NUMBER.finditer(text):
        found += _words(text, at, match.start(), found)
        reading, end = _number(text, match)
        found.append(Phrase(match.start(), end, reading))
        at = end
    found += _words(text, at, len(text), found)
    return tuple(_gathered(found))


def kana(text: str) -> str:
    """The whole as it is said."""
    return "".join(phrase.reading for phrase in phrases(text))


def _words(text: str, begin: int, end: int, before: list[Phrase]) -> list[Phrase]:
    found: list[Phrase] = []
    prefixed = linked = False
    honoured = ""
    for morpheme in _tokenizer().tokenize(text[begin:end]):
        start, stop = begin + morpheme.begin(), begin + morpheme.end()
        kind = morpheme.part_of_speech()
        reading = _KIN.get((honoured, morpheme.surface())) or _reading(morpheme)
        last = found[-1] if found else None
        follows = kind[0] in _JOINS or (linked and kind[1] == "非自立可能") or prefixed
        if last is not None and follows:
            found[-1] = Phrase(last.begin, stop, last.reading + reading)
        elif last is None and follows and before and before[-1].end == start:
            found.append(Phrase(start, stop, "\0" + reading))  # goes with the number before it
        else:
            found.append(Phrase(start, stop, reading))
        prefixed, linked = kind[0] == "接頭辞", kind[1] == "接続助詞"
        honoured = morpheme.surface() if prefixed else ""
    return found


def _gathered(found: list[Phrase]) -> list[Phrase]:
    """What goes with the phrase before it, put there; phrases of blanks alone left out."""
    whole: list[Phrase] = []
    for phrase in found:
        if phrase.reading.startswith("\0") and whole:
            last = whole[-1]
            whole[-1] = Phrase(last.begin, phrase.end, last.reading + phrase.reading[1:])
        elif phrase.reading.strip() or phrase.begin == phrase.end:
            whole.append(Phrase(phrase.begin, phrase.end, phrase.reading.strip("\0").strip()))
    return whole


def _reading(morpheme: Morpheme) -> str:
    surface, kind = str(morpheme.surface()), morpheme.part_of_speech()
    if kind[0] == "助詞" and surface in {"は", "へ", "を"}:
        return {"は": "わ", "へ": "え", "を": "お"}[surface]
    if surface in {"では", "には", "とは"} and kind[0] in {"助詞", "接続詞"}:
        return surface[:-1] + "わ"
    if all("\u3040" <= ch <= "\u30ff" for ch in surface):
        return hiragana(surface)  # it says itself how it sounds
    latin = unicodedata.normalize("NFKC", surface)
    if latin.isascii() and latin.isalpha():
        return hiragana(morpheme.reading_form()) if _is_kana(morpheme.reading_form()) else _spelt(latin)
    if kind[0] in {"補助記号", "空白"}:
        return surface if surface in "、。！？!?,.…ー" else ""
    if surface == "私":
        return "わたし"
    return hiragana(morpheme.reading_form())


def _is_kana(text: str) -> bool:
    return bool(text) and all("\u3040" <= ch <= "\u30ff" for ch in text)


def _spelt(word: str) -> str:
    """A foreign word: letters by name when it is short and in capitals, else as it is, for the voice to guess."""
    return "".join(_LETTERS[ch] for ch in word.lower()) if word.isupper() and len(word) <= 5 else word


def hiragana(text: str) -> str:
    """Katakana as hiragana."""
    return "".join(chr(ord(ch) - 0x60) if "ァ" <= ch <= "ヶ" else ch for ch in text)


def _number(text: str, match: re.Match[str]) -> tuple[str, int]:
    """Reading of a number with the word it counts, and where that ends."""
    plain = unicodedata.normalize("NFKC", match[0]).replace(",", "")
    whole, _, fraction = plain.partition(".")
    counter = text[match.end() : match.end() + 1]
    percent = counter in {"%", "％"}
    if fraction:
        said = number(int(whole)) + "てん" + "".join(_ONES[int(digit)] for digit in fraction)
        return said + "ぱーせんと" * percent, match.end() + percent
    if (len(whole) > 1 and whole[0] == "0") or len(whole) > 17:
        return "".join(_ONES[int(digit)] for digit in whole), match.end()
    value = int(whole)
    if counter == "日" and value in _DAYS and text[match.end() : match.end() + 2] != "日間":
        return _DAYS[value], match.end() + 1
    if percent:
        return number(value) + "ぱーせんと", match.end() + 1
    if (counter, value) in _COUNTED:
        return _COUNTED[counter, value], match.end() + 1
    if counter in {"月", "時", "年", "円", "人", "日"}:
        last = _COUNTED.get((counter, value % 10)) if value > 10 and counter in {"時", "年", "円"} else None
        return (number(value - value % 10) + last if last else number(value) + _COUNTER[counter]), match.end() + 1
    if counter in {"分", "本"} and value:
        return _sharp(value, _COUNTER[counter]), match.end() + 1
    return number(value), match.end()


def _sharp(value: int, counter: str) -> str:
    """Counters in h: `ippon`, `sanbon`, `juppun`."""
    said, last = number(value), value % 10
    if last in _SOFT and (last or value % 100):
        return said[:-1] + "っ" + chr(ord(counter[0]) + 2) + counter[1:]
    if last == 3:
        return said + chr(ord(counter[0]) + (1 if counter == "ほん" else 2)) + counter[1:]
    if last == 4 and counter == "ふん":
        return said + "ぷん"
    return said + counter


def number(value: int) -> str:
    """A whole number below 10^20 as it is said."""
    if value == 0:
        return _ONES[0]
    parts: list[str] = []
    for large in _LARGE:
        value, four = divmod(value, 10_000)
        if four:
            parts.append(_thousands(four, alone=bool(large)) + large)
    return "".join(reversed(parts))


def _thousands(value: int, *, alone: bool) -> str:
    found = ""
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if not digit:
            continue
        unit, said = _UNITS[place], _ONES[digit]
        if digit == 1 and place:
            found += "いっせん" if place == 3 and alone and value < 2000 and not found and value % 1000 == 0 else unit
        else:
            found += _CHANGED.get((said, unit), said + unit)
    return found
