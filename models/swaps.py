"""Copies of a text in which what must not matter is changed: sex and kin (guide, section 6)."""

from __future__ import annotations

import re

_PAIRS = (
    ("she", "he"), ("herself", "himself"), ("hers", "his"), ("mum", "dad"), ("mam", "dad"),
    ("mother", "father"),
    ("mummy", "daddy"), ("nan", "grandad"), ("nana", "grandad"), ("gran", "grandad"), ("grandma", "grandpa"),
    ("grandmother", "grandfather"), ("daughter", "son"), ("sister", "brother"), ("wife", "husband"),
    ("aunt", "uncle"), ("auntie", "uncle"), ("niece", "nephew"), ("girl", "boy"), ("girls", "boys"),
    ("lady", "gentleman"), ("ladies", "gentlemen"), ("woman", "man"), ("women", "men"), ("female", "male"),
    ("mrs", "mr"), ("miss", "mr"), ("ms", "mr"), ("widow", "widower"), ("granddaughter", "grandson"),
    ("girlfriend", "boyfriend"), ("lass", "lad"),
)  # fmt: skip
_SWAPS = {b: a for a, b in reversed(_PAIRS)} | dict(_PAIRS) | {"him": "her", "his": "her", "her": "him"}
_WORD = re.compile(r"[A-Za-z]+")
_POSSESSIVE_AHEAD = re.compile(r"\s+[a-z]+")
_NO_NOUN = {"and", "to", "in", "on", "at", "for", "with", "but", "or", "if", "when", "as", "from", "that", "up",
            "out", "the", "a", "is", "was", "again", "off", "down", "by", "because", "about", "after",
            "so"}  # fmt: skip


def swap_sex(text: str) -> str:
    """The text about a person of the other sex; capitals are kept."""

    def other(match: re.Match[str]) -> str:
        word = match.group()
        swapped = _SWAPS.get(word.lower())
        if word.lower() == "her":
            swapped = "his" if _is_possessive(text, match.end()) else "him"
        if swapped is None:
            return word
        if word.isupper() and len(word) > 1:
            return swapped.upper()
        return swapped.capitalize() if word[0].isupper() else swapped

    return _WORD.sub(other, text)


def _is_possessive(text: str, end: int) -> bool:
    ahead = _POSSESSIVE_AHEAD.match(text, end)
    return ahead is not None and ahead.group().strip() not in _NO_NOUN
