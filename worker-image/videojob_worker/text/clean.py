"""From what people write to what is read aloud: Markdown and stage directions cleaned away, paragraphs kept (S-016)."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from videojob_api.story.params import Script

from .scripts import joined

# Indented prose is no code, and a line that begins with a year is no list: both are told apart here, not by the parser.
_PARSER = MarkdownIt("commonmark").disable(["code", "list"])

MAX_PARAGRAPH = 20_000
"""Characters of a paragraph in which marks of Markdown are looked for."""

_DIRECTION_WORDS = (
    "applause", "beat", "chuckles?", "cont'?d", "continued", "coughs?", "crying", "excited(?:ly)?", "fades? (?:in|out)",
    "gasps?", "giggles?", "laugh(?:s|ing|ter)?", "music(?: [^()\n]{0,60})?", "narration", "off[- ]?screen", r"o\.?s\.?",
    "pauses?", "long pause", "short pause", "quiet(?:ly)?", "screams?", "sfx[^()\n]{0,60}", "shouts?", "shouting", "sighs?",
    "silence", "smil(?:es|ing)", "sobs?", "softly", "sounds? of [^()\n]{0,60}", "voice[- ]?over", r"v\.?o\.?", "whispers?",
    "whispering", "yawns?", "lacht", "lachend", "seufzt", "flüstert", "flüsternd", "leise", "laut",
    "musik(?: [^()\n]{0,60})?", "kurze pause", "lange pause", "applaus", "rires?", "soupire", "chuchote",
    "musique(?: [^()\n]{0,60})?", "笑", "笑い", "爆笑", "拍手", "沈黙", "間", "ため息", "音楽", "泣", "効果音[^()\n]{0,60}",
)  # fmt: skip
_DIRECTION = re.compile(
    rf"[(（*_]{{1,3}}\s{{0,3}}(?:{'|'.join(_DIRECTION_WORDS)})\s{{0,3}}[.!…]?\s{{0,3}}[)）*_]{{1,3}}", re.IGNORECASE
)
_BRACKETS = re.compile(r"\[[^\[\]\n]{0,400}\](?!\()|［[^［］\n]{0,400}］")
_SLUG = re.compile(
    r"""^(?:
      (?:int|ext|int\./ext|i/e)\.\s.*                                  # INT. KITCHEN - NIGHT
    | (?:(?:smash\s|match\s)?cut\sto|fade\s(?:in|out|to\s\w+)|dissolve\sto)\s*[:.]?
    | (?:scene|szene|scène|escena|act|akt|shot)\s+[0-9ivxlc]+\b(?:\s*[:.\-–—].*)?
    | (?:シーン|場面)\s*[0-9０-９一二三四五六七八九十]+\s*[:：.．\-–—]?.*
    | (?:visuals?|images?|pictures?|video|b-?roll|music|sfx|sounds?|audio|camera|on-?screen(?:\stext)?|caption
        |bild|musik|ton|kamera|映像|音楽)
      \s*[:：].*
    )$""",
    re.IGNORECASE | re.VERBOSE,
)  # fmt: skip
_ASIDE = r"\s*(?:[(（][^()（）]{0,60}[)）])?\s*[:：]\s*"
_SPEAKER = re.compile(
    r"(?:narrator|narration|voice[-\s]?over|voice|host|speaker(?:\s\d+)?|announcer|erzähler(?:in)?|sprecher(?:in)?|stimme"
    r"|narrateur|narratrice|narrador|ナレーター|ナレーション|語り手|話者)" + _ASIDE,
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"[A-ZÄÖÜÉÈÀ][A-ZÄÖÜÉÈÀ.'\s-]{1,30}(?<![\s.])" + _ASIDE)
"""`MARY ANN (whispering):`; a name in mixed case may be the begin of a sentence."""
_BULLET = re.compile(r"^\s{0,3}[-*+•]\s+(?=\S)")
_NUMBER = re.compile(r"^\s{0,3}(\d{1,2})[.)]\s+(?=\S)")
_MARKS = re.compile(r"^\s*(?:[>#]+\s*)*[*_]{0,3}")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_INVISIBLE = re.compile("[\u200b\u200c\u2060\ufeff\u00ad]")


def paragraphs(text: str, markup: str = Script().markup) -> tuple[str, ...]:
    """What is to be read, paragraph by paragraph, each one line.

    Headings divide and are not read, unless there is nothing else.
    """
    plain = unicodedata.normalize("NFC", _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    if markup == "Plain":
        found = [part for part in re.split(r"\n\s*\n", plain) if part.strip()]
        return tuple(line for part in found if (line := joined(part)))
    lines = [_without_direction(line) for line in _FRONT_MATTER.sub("", plain).split("\n")]
    source = "\n".join(_lists(lines))
    if max(map(len, re.split(r"\n\s*\n", source))) > MAX_PARAGRAPH:
        return paragraphs(source, "Plain")  # nobody writes that by hand, and a parser may take for ever
    read, headings = _blocks(source)
    return tuple(line for part in (read or headings) if (line := _tidy(part)))


def _without_direction(line: str) -> str:
    """A line without its stage directions; nothing but marks left means nothing."""
    bare = _MARKS.sub("", line).strip().rstrip("*_").strip()
    if _SLUG.match(bare):
        return ""
    label = re.match(r"^\s*[*_]{1,3}(?P<name>[^*_\n]{1,60}?)[*_]{0,3}\s*[:：]\s*[*_]{0,3}\s*", line)
    if label is not None and _speaker(f"{label['name']}:") is not None:
        line = line[label.end() :]
    elif (spoken_by := _speaker(line.lstrip())) is not None:
        line = line.lstrip()[spoken_by.end() :]
    line = _DIRECTION.sub(" ", _BRACKETS.sub(" ", line))
    return re.sub(r"^\s*[(（][^()（）]*[)）]\s*$", "", line)


def _speaker(line: str) -> re.Match[str] | None:
    """Who speaks, said at the begin of a line."""
    return _SPEAKER.match(line) or _CAPITALS.match(line)


def _lists(lines: list[str]) -> list[str]:
    """Items of lists become paragraphs without their marks; one numbered line alone is prose (`3. Oktober`)."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    numbered = {place for place in filled if _NUMBER.match(lines[place])}
    listed: set[int] = set()
    for first, second in pairwise(filled):
        if {first, second} <= numbered:
            a, b = (int(m[1]) if (m := _NUMBER.match(lines[place])) else 0 for place in (first, second))
            if b == a + 1:
                listed |= {first, second}
    found: list[str] = []
    for place, line in enumerate(lines):
        if _BULLET.match(line) and not re.match(r"^\s*([-*_])(\s*\1){2,}\s*$", line):
            found += ["", _BULLET.sub("", line)]
        elif place in listed:
            found += ["", _NUMBER.sub("", line)]
        else:
            found.append(line)
    return found


def _blocks(source: str) -> tuple[list[str], list[str]]:
    read: list[str] = []
    headings: list[str] = []
    heading = False
    for token in _PARSER.parse(source):
        if token.type in {"heading_open", "heading_close"}:
            heading = token.type == "heading_open"
        elif token.type == "inline":
            (headings if heading else read).append(_inline(token.children or []))
    return read, headings


def _inline(tokens: list[Token]) -> str:
    """The words of a line: of links their text, of pictures and HTML nothing."""
    kept = {"text", "code_inline"}
    return "".join(
        token.content if token.type in kept else "\n" if token.type in {"softbreak", "hardbreak"} else ""
        for token in tokens
    )


def _tidy(text: str) -> str:
    text = joined(re.sub(r"https?://\S+", "", _DIRECTION.sub(" ", text)))
    text = re.sub(r"\s+([,.;:!?…](?:\s|$))", r"\1", text)
    return text.strip() if any(ch.isalnum() for ch in text) else ""
