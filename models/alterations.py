"""Copies of a text for training: as somebody else would have typed it, which must not move a label.

Dialects, learners' English, slips of the pen, small letters, missing stops, a word about faith or
origin. The suite that measures whether labels move (models.counterfactuals) has words of its own.
"""

from __future__ import annotations

import random
import re

_WORD = re.compile(r"[A-Za-z']+")
_ARTICLE = re.compile(r"\b(?:the|a|an|The|A) ")
_DIALECTS = (
    {"something": "summat", "nothing": "nuffin", "anything": "owt", "with": "wiv", "them": "'em", "my": "me",
     "you": "yer", "was": "were", "isn't": "ain't", "hasn't": "ain't", "and": "an", "having": "havin",
     "doing": "doin"},
    {"not": "no", "don't": "dinnae", "doesn't": "disnae", "can't": "cannae", "wasn't": "wasnae",
     "little": "wee", "know": "ken", "yes": "aye", "old": "auld", "from": "frae", "was": "wis", "home": "hame",
     "isn't": "isnae", "girl": "lassie", "children": "bairns"},
    {"very": "proper", "are": "am", "is": "be", "aren't": "ay", "haven't": "ay", "you": "yow",
     "going": "gooin", "mum": "mom", "mother": "mom", "always": "allus"},
    {"the": "da", "this": "dis", "that": "dat", "has": "have", "doesn't": "don't", "is": "are", "were": "was",
     "told": "tell", "went": "go", "came": "come", "saw": "see", "her": "she"},
)  # fmt: skip
_ABOUT_THEM = (
    "They are Buddhist.", "We are Methodists.", "She is a Jehovah's Witness.",
    "He goes to the mosque on Fridays.", "The family is Hindu.", "She is Greek Orthodox.", "He keeps kosher.",
    "We are from the Traveller community.", "My parents came from Jamaica.", "They speak Cantonese at home.",
)  # fmt: skip
_SLIPS_A_LETTER = 0.014
_WORDS_IN_DIALECT = 0.8
_ARTICLES_LEFT_OUT = 0.6
_WITHOUT_STOPS = 0.15


def altered(text: str, pick: random.Random) -> tuple[str, bool]:
    """The text as somebody else might have typed it, and whether every character is still in its place."""
    change = pick.random()
    in_place = True
    if change < 0.30:
        text = _with_slips(text, pick)
    elif change < 0.50:
        text, in_place = _in_dialect(text, pick), False
    elif change < 0.62:
        text = _ARTICLE.sub(lambda match: "" if pick.random() < _ARTICLES_LEFT_OUT else match[0], text)
        in_place = False
    elif change < 0.72:
        text += pick.choice(" \n") + pick.choice(_ABOUT_THEM)
    elif change < 0.85:
        text = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    if pick.random() < _WITHOUT_STOPS:
        text = "".join(" " if letter in ",.;:!?" else letter for letter in text)
    return text, in_place


def _with_slips(text: str, pick: random.Random) -> str:
    letters = list(text)
    at = 0
    while at < len(letters) - 1:
        if letters[at].isalpha() and letters[at + 1].isalpha() and pick.random() < _SLIPS_A_LETTER:
            if pick.random() < 0.6:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            else:
                letters[at] = pick.choice("aeiounrst")
            at += 1
        at += 1
    return "".join(letters)


def _in_dialect(text: str, pick: random.Random) -> str:
    words = pick.choice(_DIALECTS)

    def spoken(match: re.Match[str]) -> str:
        return words.get(match[0].lower(), match[0]) if pick.random() < _WORDS_IN_DIALECT else match[0]

    return _WORD.sub(spoken, text)
