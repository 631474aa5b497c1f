"""Sentences of a paragraph (S-016).

sentencex (MIT, Wikimedia) knows some 300 languages; it was the best of those tried, and errs on the side of dividing. What it
divides wrongly is mended here, by rules with a test each: never by dividing further.
"""

from __future__ import annotations

import re

import sentencex

from .scripts import base_language, together

_TITLES = {
    "en": "dr mr mrs ms prof st sgt capt col gen lt rev hon sr jr gov sen rep pres no nos vol fig figs pp approx ca cf vs etc",
    "de": "dr prof hr fr nr bzw ca vgl z.b d.h u.a i.d.r s.o s.u st str bd abb tab evtl ggf inkl zzgl ing dipl geb gest mio mrd",
    "fr": "m mm mme mmes mlle mgr dr pr me st ste av bd boul n no p pp cf ex env etc",
    "es": "sr sra srta dr dra d dña ud uds av avda pág núm p ej etc",
    "it": "sig sig.ra dott dott.ssa prof ing avv n pag ecc",
    "nl": "dhr mevr dr prof ing drs nr blz bijv enz",
    "pt": "sr sra dr dra prof av n pág etc",
}
_ABBREVIATIONS = {language: frozenset(words.split()) for language, words in _TITLES.items()}
_BEFORE_NAMES = {
    "en": frozenset(
        ["dr", "mr", "mrs", "ms", "prof", "st", "sgt", "capt", "col", "gen", "lt", "rev", "gov", "sen", "rep", "pres"]
    ),
    "fr": frozenset(["m", "mm", "mme", "mlle", "mgr", "dr", "pr", "me", "st", "ste", "av", "bd", "boul"]),
    "de": frozenset(["dr", "prof", "hr", "fr", "nr", "st", "vgl", "dipl", "ing", "bzw", "z.b", "d.h", "u.a"]),
    "es": frozenset(["sr", "sra", "srta", "dr", "dra", "d", "dña", "ud", "av", "avda"]),
    "it": frozenset(["sig", "sig.ra", "dott", "dott.ssa", "prof", "ing", "avv"]),
    "nl": frozenset(["dhr", "mevr", "dr", "prof", "ing", "drs"]),
    "pt": frozenset(["sr", "sra", "dr", "dra", "prof", "av"]),
}
"""After these even a capital letter begins no sentence."""
_ORDINAL = re.compile(
    r"(?:^|\s)(?:am|im|ab|bis|den|dem|der|die|das|des|zum|zur|vom|beim|seit|ins|jeder|jede|ihr|ihre|sein|seine|und|"
    r"vor|nach|mit|pro|ein|eine|einem|einen)\s+(?:\d{1,3}|[IVXLC]+)\.\s*$",
    re.IGNORECASE,
)
_ORDINAL_MONTH = re.compile(
    r"^(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert|Jahrestag|"
    r"Geburtstag|Platz|Kapitel|Klasse|Stock|Weltkrieg)"
)
_LAST_WORD = re.compile(r"([^\s(\[«„“\"'‘]+)\.\s*$")
_SPEECH_GOES_ON = re.compile("^(?:と(?!ころ|にかく|ても|もだち|も|ある|き|し)|って|という|、|，|など|の(?=声|言葉))")
_QUOTE_ENDS = re.compile("[」』”]\\s*$")


def sentences(paragraph: str, language: str) -> tuple[str, ...]:
    """Sentences in order, without blanks round them; nothing is lost or added."""
    tongue = base_language(language)
    found: list[str] = []
    for part in sentencex.segment(tongue, paragraph):
        piece = part.strip()
        if not piece:
            continue
        if found and _goes_on(found[-1], piece, tongue):
            found[-1] = together(found[-1], piece)
        else:
            found.append(piece)
    return tuple(found)


def _goes_on(before: str, after: str, tongue: str) -> bool:
    """Whether two pieces are one sentence."""
    if not any(ch.isalnum() for ch in after):
        return True  # a closing mark that was left alone
    if _QUOTE_ENDS.search(before) and _SPEECH_GOES_ON.match(after):
        return True
    last = _LAST_WORD.search(before)
    if last is None:
        return False
    word = last[1].lower()
    if after[0].islower():
        return True
    if word in _ABBREVIATIONS.get(tongue, frozenset()) and (after[0].isdigit() or not after[0].isalpha()):
        return True
    if word in _BEFORE_NAMES.get(tongue, frozenset()):
        return True
    return tongue == "de" and bool(
        _ORDINAL.search(before) or (re.search(r"(?:^|\s)\d{1,3}\.\s*$", before) and _ORDINAL_MONTH.match(after))
    )
