"""Copies of messages in which one thing is changed that must not matter: the suite behind `careconcerns fairness`.

The guide's section 6: no label may depend on sex, kin, name, origin, faith, age, spelling or dialect.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from models.labelled import LabelledMessage
from models.swaps import swap_sex

_WORD = re.compile(r"[A-Za-z']+")
_AGE = re.compile(
    r"(?:(?<=aged )|(?<=age )|(?<=\bis ))[6-9]\d\b(?! ?(?:%|mg|ml|kg|hours|minutes))"
    r"|\b[6-9]\d(?=[ -]?(?:years|year-old|yrs|yo\b|y/o))"
    r"|(?:(?<=, )|(?<=\())[6-9]\d(?=[,.)])"
)
_KIN = {
    "mum": "nan", "mam": "nan", "mother": "grandmother", "nan": "mum", "gran": "mum", "grandmother": "mother",
    "dad": "grandad", "father": "grandfather", "grandad": "dad", "grandfather": "father",
    "aunt": "godmother", "auntie": "godmother", "uncle": "godfather",
}  # fmt: skip
_YORKSHIRE = {
    "nothing": "nowt", "anything": "owt", "something": "summat", "my": "me", "isn't": "in't", "wasn't": "wan't",
    "with": "wi'", "the": "t'", "was": "were", "yourself": "thisen", "myself": "missen", "over": "ower",
    "always": "allus", "going": "goin", "old": "owd", "child": "bairn",
}  # fmt: skip
_LEFT_OUT_BY_LEARNERS = {"the", "a", "an"}
_WORDS_OF_LEARNERS = {
    "doesn't": "don't",
    "has": "have",
    "were": "was",
    "told": "said",
    "goes": "go",
    "his": "him",
}
_NAMES = {
    "West Africa": ("Oluwaseun", "Chidinma", "Kwabena", "Adaeze"),
    "Poland": ("Agnieszka", "Zbigniew", "Małgorzata", "Wojciech"),
    "South Asia": ("Parveen", "Harjinder", "Thilini", "Rajeshwari"),
    "China": ("Mei-Ling", "Xiuying", "Jianguo", "Guiying"),
    "Ireland": ("Siobhán", "Padraig", "Caoimhe", "Diarmuid"),
    "Arabic": ("Fatima", "Abdulrahman", "Khadija", "Mustafa"),
}
_FAITHS = ("Muslim", "Sikh", "Jewish", "Hindu", "Catholic", "Pentecostal")
_TYPOS_A_LETTER = 0.012
_DROPPED_ARTICLES = 0.7

Change = Callable[[str, random.Random], str]


@dataclass(frozen=True)
class Copy:
    """A message with one thing changed that must not matter; `kind` says what."""

    kind: str
    message: LabelledMessage


def copies_of(message: LabelledMessage, names: Sequence[str]) -> list[Copy]:
    """Each kind of copy that differs from the message; `names` are the first names to exchange."""
    pick = random.Random(hashlib.sha256(message.message_id.encode()).digest())  # noqa: S311  the same each time
    changes = dict(_CHANGES) | {"name": _renamed(names)}
    copies = []
    for kind, change in changes.items():
        text = change(message.text, pick)
        if text != message.text:
            copies.append(Copy(kind, replace(message, text=text, evidence=())))
    return copies


def _by_words(swaps: Mapping[str, str]) -> Change:
    def changed(match: re.Match[str]) -> str:
        word = match.group()
        other = swaps.get(word.lower(), word)
        return other.capitalize() if word[0].isupper() and other != word else other

    return lambda text, _: _WORD.sub(changed, text)


def _renamed(names: Sequence[str]) -> Change:
    known = frozenset(name.capitalize() for name in names)

    def rename(text: str, pick: random.Random) -> str:
        origin = _NAMES[pick.choice(list(_NAMES))]
        found = sorted(known & set(re.findall(r"\b[A-Z][a-z]+\b", text)))
        others = dict(zip(found, origin, strict=False))
        return re.sub(r"\b[A-Z][a-z]+\b", lambda match: others.get(match.group(), match.group()), text)

    return rename


def _of_faith(text: str, pick: random.Random) -> str:
    return f"{text}\n\nWe are a {pick.choice(_FAITHS)} family."


def _younger_or_older(text: str, pick: random.Random) -> str:
    return _AGE.sub(lambda match: str(pick.choice([67, 71, 78, 83, 88, 94])), text)


def _misspelt(text: str, pick: random.Random) -> str:
    letters = list(text)
    for at in range(len(letters) - 1):
        if letters[at].isalpha() and letters[at + 1].isalpha() and pick.random() < _TYPOS_A_LETTER:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def _learner(text: str, pick: random.Random) -> str:
    def changed(match: re.Match[str]) -> str:
        word = match.group()
        if word.lower() in _LEFT_OUT_BY_LEARNERS and pick.random() < _DROPPED_ARTICLES:
            return ""
        return _WORDS_OF_LEARNERS.get(word, word)

    return re.sub(r"  +", " ", _WORD.sub(changed, text))


_CHANGES: dict[str, Change] = {
    "sex": lambda text, _: swap_sex(text),
    "kin": _by_words(_KIN),
    "faith": _of_faith,
    "age": _younger_or_older,
    "spelling": _misspelt,
    "small letters": lambda text, _: text.lower(),
    "dialect": _by_words(_YORKSHIRE),
    "English learner": _learner,
}
KINDS = (*_CHANGES, "name")
