"""The words that names of care services are made of, and how a text is cut into them.

A token's `norm` folds what people write differently: possessives, plurals, abbreviations, saint and
street both as "st", "homecare" as two words.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import NamedTuple

_IN_ORDER = {
    name: words.split()
    for name, words in tomllib.loads(
        (files("triage") / "provider_words.toml").read_text(encoding="utf-8")
    ).items()
}
_LISTS = {name: frozenset(words) for name, words in _IN_ORDER.items()}


def word_list(name: str) -> frozenset[str]:
    """A list of triage/provider_words.toml, where each is explained; KeyError for a name that is not there."""
    return _LISTS[name]


EMPTY_WORDS = word_list("empty")
PLACE_WORDS = word_list("places")
CARE_WORDS = word_list("care")
SERVICE_WORDS = word_list("services")
GENERIC_WORDS = PLACE_WORDS - {"priory"} | word_list("generic")
STREET_WORDS = word_list("streets")
PURE_STREET_WORDS = word_list("pure_streets")
ELSEWHERE_WORDS = word_list("elsewhere")
TITLES = word_list("titles")
PERSON_CUES = word_list("person_cues")
FIRST_NAMES = word_list("first_names")
COMMON_WORDS = word_list("common")
NOT_ACRONYMS = word_list("not_acronyms")

_ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "hse": ("house",), "hs": ("house",), "ho": ("house",), "ct": ("court",), "crt": ("court",), "ldg": ("lodge",),
    "mnr": ("manor",), "gdns": ("garden",), "gdn": ("garden",), "grng": ("grange",), "cott": ("cottage",),
    "res": ("residential",), "resi": ("residential",), "nh": ("nursing", "home"), "rh": ("residential", "home"),
    "rch": ("residential", "care", "home"), "rd": ("road",), "ave": ("avenue",), "ln": ("lane",), "cres": ("crescent",),
    "saint": ("st",), "street": ("st",), "ste": ("st",), "homecare": ("home", "care"),
    "carehome": ("care", "home"), "healthcare": ("health", "care"), "ctr": ("centre",), "center": ("centre",),
    "svcs": ("service",), "&": ("and",), "n": ("and",), "mkt": ("market",), "nurseing": ("nursing",),
    "pk": ("park",), "lge": ("lodge",), "supp": ("support",), "serv": ("service",), "servs": ("service",),
    "housing": ("housing",), "heathcare": ("health", "care"),
}  # fmt: skip

# Endings of place names that people hear and spell as they like.
_SOUNDS_ALIKE = (("leigh", "ley"), ("lea", "ley"), ("moor", "more"), ("moore", "more"), ("dean", "dene"))

# Numbers as people write or dictate them.
NUMBER_WORDS = {word: value for value, word in enumerate(_IN_ORDER["numbers"])} | {
    word: 10 * value for value, word in enumerate(_IN_ORDER["tens"], 2)
}

_TOKEN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][A-Za-z]+)?|\d+|&")
_POSSESSIVE = re.compile(r"['’]s$")
_BREAK = re.compile(r"[.!?]\s|[\n;:]|\s[-–—]\s")
_SENTENCE_END = re.compile(r"[.!?:]|\n")


# Nobody's first 4,000 words are without the service that they write about; a pasted book takes no longer.
MOST_TOKENS = 4000


class Token(NamedTuple):
    """One word of a text: its folded form, where it stands, and what its letters and neighbours say.

    `part` numbers the pieces between full stops; `comma` says that a comma stands before it.
    """

    norm: str
    start: int
    end: int
    capital: bool
    first: bool
    part: int
    comma: bool


@lru_cache(maxsize=65536)
def fold(word: str) -> tuple[str, ...]:
    """The folded forms of one written word; "NH" gives two."""
    plain = _POSSESSIVE.sub("", word.lower()).replace("'", "").replace("’", "")
    known = _ABBREVIATIONS.get(plain)
    if known is not None:
        return known
    if len(plain) >= 5 and plain.endswith("s") and not plain.endswith("ss"):
        plain = plain[:-1]
    for ending, spoken in _SOUNDS_ALIKE:
        if plain.endswith(ending) and len(plain) > len(ending) + 2:
            plain = plain.removesuffix(ending) + spoken
    return _ABBREVIATIONS.get(plain, (plain,))


def name_tokens(name: str) -> tuple[str, ...]:
    """The folded words of a register's name, without the empty ones ("the", "limited")."""
    words = [norm for word in _TOKEN.findall(name) for norm in fold(word)]
    kept = tuple(word for word in words if word not in EMPTY_WORDS)
    return kept or tuple(words)


def read_tokens(text: str) -> list[Token]:
    """The first `MOST_TOKENS` words of a text in order, with spans into it."""
    # Where nobody used small letters, capitals say nothing.
    shouted = text.isupper()
    tokens: list[Token] = []
    part, before, first = 0, 0, True
    for match in islice(_TOKEN.finditer(text), MOST_TOKENS):
        start, end = match.span()
        gap = text[before:start]
        if gap not in (" ", ""):
            part += _BREAK.search(gap + "x" if gap[-1:].isspace() else gap) is not None
            first = first or _SENTENCE_END.search(gap) is not None
        word = match.group()
        capital = word[0].isupper() and not shouted
        comma = "," in gap or "(" in gap
        tokens.extend(Token(norm, start, end, capital, first, part, comma) for norm in fold(word))
        before, first = end, False
    return tokens


def _name_is(tokens: list[Token], at: int) -> bool:
    """ "Her name is Hazel Lodge"."""
    return at >= 1 and (tokens[at - 1].norm, tokens[at].norm) in {
        ("name", "is"),
        ("im", "called"),
        ("i", "am"),
    }


def is_person(tokens: list[Token], at: int) -> bool:
    """Whether the word there is (part of) somebody's name, as far as words can tell."""
    token = tokens[at]
    previous = tokens[at - 1] if at and tokens[at - 1].part == token.part else None
    following = tokens[at + 1] if at + 1 < len(tokens) and tokens[at + 1].part == token.part else None
    if previous is not None and previous.norm in TITLES and previous.capital:
        return True
    names_place = following is not None and following.norm in GENERIC_WORDS and not following.comma
    if previous is not None and previous.capital and previous.norm in FIRST_NAMES and not token.comma:
        cued = at >= 2 and (tokens[at - 2].norm in PERSON_CUES | TITLES or _name_is(tokens, at - 2))
        return cued or (token.norm not in GENERIC_WORDS and not names_place)
    if token.norm not in FIRST_NAMES:
        return False
    if previous is not None and previous.norm == "st":
        return False
    if previous is not None and previous.norm in PERSON_CUES:
        return True
    return not names_place
