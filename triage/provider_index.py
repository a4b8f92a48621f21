"""The register of care services, indexed for finding names in messages.

Built once, never changed, safe to share between threads. Names that many services share are held
once; tokens point to names, names to services, in flat integer arrays.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from triage.provider_words import (
    EMPTY_WORDS,
    GENERIC_WORDS,
    SERVICE_WORDS,
    STREET_WORDS,
    fold,
    name_tokens,
    word_list,
)
from triage.vocabulary import Provider

Integers: TypeAlias = NDArray[np.int32]

# A word heavier than this tells names apart; the others only go with it.
GENERIC_WEIGHT = 0.3
SERVICE_WEIGHT = 0.05
TOWN_WEIGHT = 0.5
NUMBER_WEIGHT = 0.6
# A domain, number or postcode of more services than this says nothing.
MOST_KEY_OWNERS = 60
_FREE_MAIL = word_list("free_mail")
_BRACKETS = re.compile(r"[()\[\]]")


class NameKind(IntEnum):
    """How a service comes by a name."""

    NAME = 0
    FORMER = 1
    BRAND = 2
    ORGANISATION = 3


@dataclass(frozen=True, slots=True)
class Postings:
    """Lists of integers laid end to end: list i is values[starts[i]:starts[i + 1]]."""

    starts: Integers
    values: Integers

    @classmethod
    def of(cls, owners: Sequence[int], values: Sequence[int], count: int) -> Postings:
        """Group the values by their owner, an integer below `count`."""
        owner = np.asarray(owners, dtype=np.int32)
        order = np.argsort(owner, kind="stable")
        starts = np.zeros(count + 1, dtype=np.int32)
        np.cumsum(np.bincount(owner, minlength=count), out=starts[1:])
        return cls(starts, np.asarray(values, dtype=np.int32)[order])

    def __getitem__(self, index: int) -> list[int]:
        found: list[int] = self.values[self.starts[index] : self.starts[index + 1]].tolist()
        return found

    def size(self, index: int) -> int:
        """How long list `index` is."""
        return int(self.starts[index + 1] - self.starts[index])


def telephone_key(number: str) -> str:
    """A British telephone number as its digits with a leading 0; "" when it is none."""
    digits = "".join(c for c in number if c.isdigit())
    if digits.startswith("0044"):
        digits = digits[4:]
    elif digits.startswith("44") and len(digits) >= 12:
        digits = digits[2:]
    digits = "0" + digits.lstrip("0") if digits else ""
    return digits if 10 <= len(digits) <= 11 else ""


def postcode_key(postcode: str) -> str:
    """A postcode in capitals without its space."""
    return "".join(postcode.split()).upper()


def domain_key(domain: str) -> str:
    """A mail domain in small letters, "" for the free mail services that anybody uses."""
    plain = domain.strip().lower().rpartition("@")[2].removeprefix("www.").rstrip(".")
    return "" if plain in _FREE_MAIL else plain


@lru_cache(maxsize=32768)
def street_key(street: str) -> str:
    """The folded street of an address line, from its first word to the street's kind, without a number."""
    pieces = [_street_words(piece) for piece in street.split(",")]
    ending = (words for words in reversed(pieces) if len(words) >= 2 and words[-1] in STREET_WORDS)
    return " ".join(next(ending, pieces[-1]))


def _street_words(piece: str) -> list[str]:
    """The folded words of a piece of an address, without a house number in front."""
    words = [norm for word in piece.replace("-", " ").split() for norm in fold(word.strip(".()"))]
    while words and words[0][:1].isdigit():
        del words[0]
    return words


@lru_cache(maxsize=8192)
def town_key(town: str) -> str:
    """The folded town, words kept in order."""
    return " ".join(norm for word in town.replace("-", " ").split() for norm in fold(word.strip(".,()")))


@lru_cache(maxsize=65536)
def name_words(name: str) -> tuple[str, ...]:
    """The folded words of a service's name, brackets and empty words left out."""
    return name_tokens(_BRACKETS.sub(" ", name))


class _Interner:
    """Gives each key a small number, in order of arrival."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, key: str) -> int:
        return self.numbers.setdefault(key, len(self.numbers))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Register:
    """The services of a register, indexed; build it with `Register.of`."""

    providers: tuple[Provider, ...]
    words: dict[str, int]
    spelling: tuple[str, ...]
    weights: tuple[float, ...]
    names: tuple[tuple[int, ...], ...]
    names_of_word: Postings
    owners_of_name: Postings
    kinds_of_name: Postings
    names_by_phrase: dict[tuple[int, ...], tuple[int, ...]]
    phrase_only: frozenset[int]
    towns: dict[str, int]
    town_of: Integers
    town_words: frozenset[str]
    streets: dict[str, int]
    street_of: Integers
    providers_on_street: Postings
    in_area: NDArray[np.bool_]
    area_is_known: bool
    by_telephone: dict[str, tuple[int, ...]]
    by_postcode: dict[str, tuple[int, ...]]
    by_domain: dict[str, tuple[int, ...]]
    by_id: dict[str, int]
    by_initials: dict[str, tuple[int, ...]]
    near_words: Callable[[str], tuple[tuple[int, float], ...]]
    near_towns: Callable[[str], tuple[int, ...]]
    providers_in_town: Postings
    # What triage/provider_nearby.py made of a town so far: filled as messages name towns.
    neighbourhoods: dict[int, Any]

    @classmethod
    def of(cls, providers: Iterable[Provider]) -> Register:
        """Index these services; none at all is a register too."""
        return _Builder(tuple(providers)).register()

    def __len__(self) -> int:
        return len(self.providers)

    def __repr__(self) -> str:
        return f"<Register of {len(self)} services>"

    def get(self, provider_id: str) -> Provider | None:
        """The service with that id, None when the register has none."""
        number = self.by_id.get(provider_id)
        return None if number is None else self.providers[number]


def _town_words(towns: Iterable[str]) -> frozenset[str]:
    """The words of all towns, saints left out: "St Mary" is more often a service than a place."""
    found: set[str] = set()
    for town in towns:
        words = town.split()
        found.update(word for before, word in zip(["", *words], words, strict=False) if before != "st")
    return frozenset(found)


def _phrases(
    names: Sequence[tuple[int, ...]],
    weights: Sequence[float],
    phrase_only: frozenset[int],
    towns: set[tuple[int, ...]],
) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Names by their exact words; those of common words only also without "care home" at their end."""
    found: dict[tuple[int, ...], tuple[int, ...]] = {words: (number,) for number, words in enumerate(names)}
    for number in phrase_only:
        words = names[number]
        while len(words) > 2 and weights[words[-1]] == SERVICE_WEIGHT:
            words = words[:-1]
        if words not in towns and number not in found.get(words, ()):
            found[words] = (*found.get(words, ()), number)
    return found


class _Builder:
    """Collects what the index is made of."""

    def __init__(self, providers: tuple[Provider, ...]) -> None:
        self.providers = providers
        self.words, self.towns, self.streets = _Interner(), _Interner(), _Interner()
        self.names: dict[tuple[str, ...], int] = {}
        self.ownership: list[tuple[int, int, int]] = []
        self.places = [self._place(provider) for provider in providers]
        for number, provider in enumerate(providers):
            self._add_names(number, provider)

    def _place(self, provider: Provider) -> tuple[int, int]:
        town, street = town_key(provider.town), street_key(provider.street)
        return (
            self.towns.number(town) if town else -1,
            self.streets.number(street) if street else -1,
        )

    def _add_names(self, number: int, provider: Provider) -> None:
        seen: set[tuple[str, ...]] = set()
        spoken = [(provider.name, NameKind.NAME)]
        spoken += [(name, NameKind.FORMER) for name in provider.former_names]
        spoken += [(provider.brand, NameKind.BRAND), (provider.organisation, NameKind.ORGANISATION)]
        for name, kind in spoken:
            tokens = name_words(name) if name else ()
            if tokens and tokens not in seen:
                seen.add(tokens)
                self.ownership.append((self.names.setdefault(tokens, len(self.names)), number, int(kind)))

    def register(self) -> Register:
        names = self._number_names()
        town_words = _town_words(self.towns.numbers)
        weights = self._weights(names, town_words)
        owner, values = self._name_words(names)
        count = len(names)
        name_numbers = [entry[0] for entry in self.ownership]
        phrase_only = frozenset(
            number
            for number, words in enumerate(names)
            if all(weights[word] <= TOWN_WEIGHT for word in words)
        )
        return Register(
            providers=self.providers,
            words=self.words.numbers,
            spelling=tuple(self.words.numbers),
            weights=weights,
            names=names,
            names_of_word=Postings.of(owner, values, len(weights)),
            owners_of_name=Postings.of(name_numbers, [entry[1] for entry in self.ownership], count),
            kinds_of_name=Postings.of(name_numbers, [entry[2] for entry in self.ownership], count),
            names_by_phrase=_phrases(names, weights, phrase_only, self._town_phrases()),
            phrase_only=phrase_only,
            towns=self.towns.numbers,
            town_of=np.array([town for town, _ in self.places], dtype=np.int32),
            town_words=town_words,
            streets=self.streets.numbers,
            street_of=np.array([street for _, street in self.places], dtype=np.int32),
            providers_on_street=self._on_street(),
            in_area=np.array([provider.in_area for provider in self.providers], dtype=np.bool_),
            area_is_known=len({provider.in_area for provider in self.providers}) > 1,
            by_telephone=self._owners(lambda provider: [telephone_key(provider.telephone)]),
            by_postcode=self._owners(lambda provider: [postcode_key(provider.postcode)]),
            by_domain=self._owners(
                lambda provider: [domain_key(domain) for domain in provider.email_domains]
            ),
            by_id={provider.provider_id: number for number, provider in enumerate(self.providers)},
            by_initials=self._initials(),
            near_words=_word_finder(self.words.numbers),
            near_towns=_town_finder(self.towns.numbers, self._our_towns()),
            providers_in_town=self._in_town(),
            neighbourhoods={},
        )

    def _town_phrases(self) -> set[tuple[int, ...]]:
        return {tuple(self.words.number(word) for word in town.split()) for town in self.towns.numbers}

    def _number_names(self) -> tuple[tuple[int, ...], ...]:
        number = self.words.number
        names = tuple(tuple(number(token) for token in tokens) for tokens in self.names)
        for town in self.towns.numbers:
            for word in town.split():
                number(word)
        return names

    @staticmethod
    def _name_words(names: Sequence[tuple[int, ...]]) -> tuple[list[int], list[int]]:
        pairs = [(word, number) for number, words in enumerate(names) for word in set(words)]
        return [word for word, _ in pairs], [number for _, number in pairs]

    def _weights(self, names: Sequence[tuple[int, ...]], town_words: frozenset[str]) -> tuple[float, ...]:
        """How much of a name each word is: common ones less, kinds of service and towns least."""
        counts = np.bincount(
            np.fromiter((word for words in names for word in words), dtype=np.int32),
            minlength=len(self.words.numbers),
        )
        return tuple(
            SERVICE_WEIGHT if word in SERVICE_WORDS
            else GENERIC_WEIGHT if word in GENERIC_WORDS | EMPTY_WORDS
            else TOWN_WEIGHT if word in town_words
            else NUMBER_WEIGHT if word.isdigit()
            else 1.0 if counts[number] <= 150 else 0.8
            for word, number in self.words.numbers.items()
        )  # fmt: skip

    def _on_street(self) -> Postings:
        held = [(street, number) for number, (_, street) in enumerate(self.places) if street >= 0]
        return Postings.of(
            [street for street, _ in held], [number for _, number in held], len(self.streets.numbers)
        )

    def _our_towns(self) -> frozenset[int]:
        return frozenset(
            town
            for (town, _), provider in zip(self.places, self.providers, strict=True)
            if provider.in_area and town >= 0
        )

    def _in_town(self) -> Postings:
        held = [(town, number) for number, (town, _) in enumerate(self.places) if town >= 0]
        return Postings.of(
            [town for town, _ in held], [number for _, number in held], len(self.towns.numbers)
        )

    def _owners(self, keys: Callable[[Provider], Iterable[str]]) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, provider in enumerate(self.providers):
            for key in keys(provider):
                if key:
                    found[key].append(number)
        return {key: tuple(numbers) for key, numbers in found.items() if len(numbers) <= MOST_KEY_OWNERS}

    def _initials(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = defaultdict(list)
        for words, number in self.names.items():
            if 3 <= len(words) <= 6 and not words[0].isdigit():
                found["".join(word[0] for word in words if word != "and")].append(number)
        return {key: tuple(numbers) for key, numbers in found.items()}


def _word_finder(words: dict[str, int]) -> Callable[[str], tuple[tuple[int, float], ...]]:
    """A cached search for the register's words that are one or two slips of the pen away, nearest first."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for word in words:
        if len(word) >= 4 and word not in GENERIC_WORDS and not word.isdigit():
            by_length[len(word)].append(word)

    @lru_cache(maxsize=20_000)
    def near(word: str) -> tuple[tuple[int, float], ...]:
        slips = 1 if len(word) < 7 else 2
        found: list[tuple[int, float]] = []
        for length in range(len(word) - slips, len(word) + slips + 1):
            for other, distance, _ in process.extract(
                word, by_length.get(length, ()), scorer=OSA.distance, score_cutoff=slips, limit=8
            ):
                if distance:
                    found.append((words[other], 1.0 - 0.7 * float(distance) / max(len(word), length)))
        found.sort(key=lambda pair: -pair[1])
        return tuple(found[:6])

    return near


def _town_finder(towns: dict[str, int], ours: frozenset[int]) -> Callable[[str], tuple[int, ...]]:
    """A cached search for the towns that a word of five letters or more is a slip or two away from."""
    joined = {town.replace(" ", ""): number for town, number in towns.items()}
    spelled = [town for town in joined if len(town) >= 5]

    @lru_cache(maxsize=20_000)
    def near(word: str) -> tuple[int, ...]:
        slips = 1 if len(word) < 9 else 2
        found = process.extract(word, spelled, scorer=OSA.distance, score_cutoff=slips, limit=6)
        near = [joined[town] for town, distance, _ in found if town[0] == word[0] and distance]
        # A council's letters are most often about its own towns.
        return tuple(number for number in near if number in ours) or tuple(near[:2])

    return near
