"""Reading names loosely where the place is known: services of the towns that a message names, and our own.

Among all 55,000 services a misspelt or shortened name fits too many. Among the few of one town, or of
our own area, it may be written by ear, cut short, or given as a number and a street alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jellyfish import metaphone
from rapidfuzz import process
from rapidfuzz.distance import OSA

from triage.provider_index import (
    SERVICE_WEIGHT,
    NameKind,
    Register,
    name_words,
    street_key,
)
from triage.provider_words import (
    CARE_WORDS,
    COMMON_WORDS,
    ELSEWHERE_WORDS,
    EMPTY_WORDS,
    FIRST_NAMES,
    GENERIC_WORDS,
    NUMBER_WORDS,
    PERSON_CUES,
    PLACE_WORDS,
    SERVICE_WORDS,
    STREET_WORDS,
    TITLES,
    Token,
    fold,
    is_person,
    word_list,
)

_PLACE_WEIGHT = 0.35
_JOINED, _SPLIT, _BY_EAR = 0.97, 0.95, 0.84
_LEAST_QUALITY = 0.6
_BEFORE_A_PLACE = frozenset({"in", "at", "near", "of", "from", "for", "round"})
_BEFORE_A_NAME = _BEFORE_A_PLACE | word_list("mention_at_cues") | {"the", "is", "and", "re"}
_MOST_TOWNS = 4
_MOST_KEPT = 100
# A register no longer than this is taken for that of one council, where it does not say which services are ours.
_MOST_OF_ONE_AREA = 1500
OUR_AREA = -1


@dataclass(frozen=True, slots=True)
class LocalName:
    """One way to name a service: its words with their weights, or a house number and a street."""

    number: int
    kind: NameKind
    words: tuple[str, ...]
    weights: tuple[float, ...]
    with_article: bool = False
    and_co: bool = False
    house: str = ""
    is_address: bool = False


@dataclass(frozen=True, slots=True)
class NearbyName:
    """A local name read at tokens [first, last]: `score` for how much of it, `quality` for how well spelt.

    For an address `house` says whether its number was read too.
    """

    name: LocalName
    first: int
    last: int
    score: float
    quality: float
    whole: bool
    in_named_town: bool
    used: frozenset[int]
    house: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    first: int
    last: int
    quality: float


_Sightings = Mapping[str, list[_Seen]]


@dataclass(slots=True)
class Neighbourhood:
    """The names of one town's services, or of our own area's, with the words they are made of."""

    names: list[LocalName]
    words: list[str] = field(default_factory=list)
    sounds: dict[str, list[str]] = field(default_factory=dict)
    names_with: dict[str, list[int]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.words = sorted({word for name in self.names for word in name.words if not word.isdigit()})
        self.known = frozenset(word for name in self.names for word in (*name.words, name.house))
        for at, name in enumerate(self.names):
            for word, weight in zip(name.words, name.weights, strict=True):
                if weight > _PLACE_WEIGHT:
                    self.names_with.setdefault(word, []).append(at)
        by_sound: dict[str, list[str]] = defaultdict(list)
        for word in self.words:
            if len(word) > 2:
                by_sound[_sound(word)].append(word)
        self.sounds = dict(by_sound)


@lru_cache(maxsize=65536)
def _sound(word: str) -> str:
    return metaphone(word).replace("0", "T").replace("X", "K" if word.startswith("ch") else "X")


# Which names


def _of_town(register: Register, town: int) -> Neighbourhood:
    """The names of a town, made once; of the towns named longest ago they are made again."""
    kept = register.neighbourhoods
    found = kept.get(town)
    if found is None:
        numbers = _ours(register) if town == OUR_AREA else register.providers_in_town[town]
        found = Neighbourhood([name for number in numbers for name in _local_names(register, int(number))])
        while len(kept) >= _MOST_KEPT:
            kept.pop(next(iter(kept)), None)
        kept[town] = found
    return found


def _ours(register: Register) -> Iterable[int]:
    return np.flatnonzero(register.in_area) if register.area_is_known else range(len(register))


def _local_names(register: Register, number: int) -> Iterator[LocalName]:
    provider = register.providers[number]
    town = {word for part in provider.town.split() for word in name_words(part)}
    spoken = [(provider.name, NameKind.NAME), *((name, NameKind.FORMER) for name in provider.former_names)]
    spoken += [(provider.brand, NameKind.BRAND)] if provider.brand else []
    for text, kind in spoken:
        words = name_words(text)
        if words and not words[0].isdigit():
            kept = tuple(word for word in words if word not in town) or words
            weights = tuple(_weight(register, word) for word in kept)
            if max(weights) <= _PLACE_WEIGHT:
                # "The Lodge", "Independent & Co": only a kind of place or of service to be known by.
                telling = [at for at, word in enumerate(kept) if word in PLACE_WORDS]
                telling += [at for at, word in enumerate(kept) if word not in CARE_WORDS]
                weights = tuple(0.5 if at in telling[:1] else weight for at, weight in enumerate(weights))
            article, and_co = text.lower().startswith("the "), "& co " in f"{text.lower()} "
            yield LocalName(number, kind, kept, weights, article, and_co)
    street = tuple(street_key(provider.street).split())
    if len(street) >= 2 and provider.service_types:
        house = next(
            (piece for piece in provider.street.replace(",", " ").split() if piece[:1].isdigit()), ""
        )
        digits = "".join(letter for letter in house if letter.isdigit())
        yield LocalName(number, NameKind.NAME, street, (1.0,) * len(street), house=digits, is_address=True)


def _weight(register: Register, word: str) -> float:
    if word in PLACE_WORDS:
        return _PLACE_WEIGHT
    if word in SERVICE_WORDS:
        return SERVICE_WEIGHT
    return max(0.5, register.weights[register.words[word]])


def names_nearby(
    tokens: list[Token], towns: Mapping[int, list[int]], register: Register
) -> Iterator[NearbyName]:
    """What the tokens may name among the services of these towns (by number, with where each is named) and ours."""
    norms = {token.norm for token in tokens}
    groups = [(_of_town(register, town), towns[town]) for town in list(towns)[:_MOST_TOWNS]]
    if register.area_is_known or len(register) <= _MOST_OF_ONE_AREA:
        groups.append((_of_town(register, OUR_AREA), []))
    for group, places in groups:
        sightings = _sightings(tokens, group, norms)
        for at in {at for word in sightings for at in group.names_with.get(word, ())}:
            name = group.names[at]
            read = _read_address if name.is_address else _read_name
            found = read(tokens, name, sightings, places)
            if found is not None:
                yield found


# Seeing words


def _sightings(tokens: list[Token], group: Neighbourhood, norms: set[str]) -> _Sightings:
    """Where each word of the neighbourhood stands in the text, letter by letter or nearly."""
    seen: dict[str, list[_Seen]] = defaultdict(list)
    odd: dict[str, list[int]] = defaultdict(list)
    pairs: list[tuple[str, int]] = []
    for at, token in enumerate(tokens):
        if token.norm in group.known:
            seen[token.norm].append(_Seen(at, at, 1.0))
        elif _may_be_misspelt(token.norm):
            odd[token.norm].append(at)
            if at + 1 < len(tokens) and tokens[at + 1].part == token.part and len(token.norm) >= 5:
                pairs.append((token.norm + tokens[at + 1].norm, at))
            if token.end - token.start == len(token.norm) + 1:
                # The "s" that folding took off may be the name's own: "Compas".
                odd[token.norm + "s"].append(at)
        _see_joined(tokens, at, group, seen)
    for at, last, digits in _spelled_numbers(tokens):
        if digits in group.known:
            seen[digits].append(_Seen(at, last, 1.0))
    for norm, places in odd.items():
        for word, quality in _near_words(norm, group).items():
            seen[word].extend(_Seen(at, at, quality) for at in places)
    for both, at in pairs:
        for word, quality in _near_words(both, group).items():
            if len(both) >= 8 and quality > _BY_EAR:
                seen[word].append(_Seen(at, at + 1, _JOINED * quality))
    return seen


def _may_be_misspelt(norm: str) -> bool:
    return len(norm) >= 3 and not norm.isdigit() and norm not in _WELL_SPELT


_NO_SERVICE = ELSEWHERE_WORDS | (STREET_WORDS - PLACE_WORDS)
_WELL_SPELT = COMMON_WORDS | CARE_WORDS | EMPTY_WORDS | TITLES | PERSON_CUES | GENERIC_WORDS | STREET_WORDS


def _see_joined(tokens: list[Token], at: int, group: Neighbourhood, seen: dict[str, list[_Seen]]) -> None:
    """ "Sage Ridge" for Sageridge, and "Lotusstar" for Lotus Star."""
    norm = tokens[at].norm
    if at + 1 < len(tokens) and tokens[at + 1].part == tokens[at].part and norm not in EMPTY_WORDS:
        for between in ("", "s"):
            both = norm + between + tokens[at + 1].norm
            if len(both) >= 6 and both in group.known:
                seen[both].append(_Seen(at, at + 1, _JOINED))
    if len(norm) >= 7 and norm not in group.known and norm not in _WELL_SPELT:
        for cut in range(3, len(norm) - 2):
            left, right = fold(norm[:cut])[0], "house" if norm[cut:] == "ouse" else fold(norm[cut:])[0]
            for ending in (right, f"{right}s"):
                if left in group.known and ending in group.known:
                    seen[left].append(_Seen(at, at, _SPLIT))
                    seen[ending].append(_Seen(at, at, _SPLIT))


def _near_words(norm: str, group: Neighbourhood) -> dict[str, float]:
    """Words of the neighbourhood that the written one may stand for by a slip of the pen or by ear."""
    slips = 1 if len(norm) < 7 else 2
    near: dict[str, float] = {}
    for word, distance, _ in process.extract(
        norm, group.words, scorer=OSA.distance, score_cutoff=slips, limit=12
    ):
        if len(word) >= 5 or (len(word) == 4 and word[0] == norm[0]):
            near[word] = 1.0 - 0.7 * float(distance) / max(len(word), len(norm))
    for heard in {norm, norm.removesuffix("s")}:
        for word in group.sounds.get(_sound(heard), ()):
            if OSA.distance(heard, word) <= 3 and min(len(heard), len(word)) >= 3:
                near[word] = max(near.get(word, 0.0), _BY_EAR)
    return {word: quality for word, quality in near.items() if quality >= _LEAST_QUALITY}


def _spelled_numbers(tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
    """House numbers in words: "one hundred and four", "one five six", "twenty-two"."""
    at = 0
    while at < len(tokens):
        last, digits = _spelled_number(tokens, at)
        if digits:
            yield at, last, digits
        at = last + 1


def _spelled_number(tokens: list[Token], at: int) -> tuple[int, str]:
    values: list[int] = []
    last = at
    for place in range(at, min(at + 7, len(tokens))):
        value = NUMBER_WORDS.get(tokens[place].norm)
        if value is not None:
            values.append(value)
            last = place
        elif tokens[place].norm != "and" or not values or values[-1] < 100:
            break
    if not values:
        return at, ""
    if all(value < 10 for value in values):
        return last, "".join(map(str, values))
    total = 0
    for value in values:
        total = total * 100 if value == 100 else total + value
    return last, str(total or 100)


# Reading names


def _read_name(
    tokens: list[Token], name: LocalName, sightings: _Sightings, places: list[int]
) -> NearbyName | None:
    best: NearbyName | None = None
    for index, word in enumerate(name.words):
        if name.weights[index] <= _PLACE_WEIGHT:
            continue
        for anchor in sightings.get(word, ()):
            found = _around(tokens, name, index, anchor, sightings, places)
            if found is not None and (best is None or found.score > best.score):
                best = found
    return best


def _around(
    tokens: list[Token], name: LocalName, index: int, anchor: _Seen, sightings: _Sightings, places: list[int]
) -> NearbyName | None:
    """How well the words around one word of the name are the rest of it."""
    seen: dict[int, _Seen] = {index: anchor}
    for other, word in enumerate(name.words):
        near = [
            hit
            for hit in sightings.get(word, ())
            if other != index and _close(tokens, anchor, hit, other - index)
        ]
        if near:
            seen[other] = max(near, key=lambda hit: (hit.quality, -abs(hit.first - anchor.first)))
    covered = sum(name.weights[at] * hit.quality for at, hit in seen.items())
    # Kinds of service are left out or added as people like.
    left_out = {SERVICE_WEIGHT: 0.0, _PLACE_WEIGHT: 0.1}
    whole_weight = sum(w if at in seen else left_out.get(w, w) for at, w in enumerate(name.weights))
    if covered / whole_weight < 0.4 or not _convinces(tokens, name, seen, places):
        return None
    first, last = min(hit.first for hit in seen.values()), max(hit.last for hit in seen.values())
    whole = all(at in seen or name.weights[at] == SERVICE_WEIGHT for at in range(len(name.words)))
    if _is_something_else(tokens, name, seen, first, last, whole and bool(places)):
        return None
    score = float((covered / whole_weight) ** 0.5) - 0.3 * _other_service(tokens, name, seen, last)
    score -= 0.25 * _other_kind_of_place(tokens, name, last)
    quality = min(hit.quality for hit in seen.values())
    used = frozenset(at for hit in seen.values() for at in range(hit.first, hit.last + 1))
    return NearbyName(name, first, last, score, quality, whole, bool(places), used)


def _close(tokens: list[Token], anchor: _Seen, hit: _Seen, steps: int) -> bool:
    """Whether a hit stands where the name's next words would, one small word between at most."""
    if tokens[hit.first].part != tokens[anchor.first].part:
        return False
    if hit.first == anchor.first:
        return hit.last == anchor.last
    gap = hit.first - anchor.last - 1 if hit.first > anchor.first else anchor.first - hit.last - 1
    in_order = (hit.first > anchor.first) == (steps > 0)
    return gap <= min(abs(steps), 3) if in_order else gap <= 1


def _convinces(tokens: list[Token], name: LocalName, seen: dict[int, _Seen], places: list[int]) -> bool:
    """Whether enough of the name stands there for it to be no chance."""
    core = [at for at in seen if name.weights[at] > _PLACE_WEIGHT]
    quality = sum(seen[at].quality for at in core) / len(core)
    kind = any(name.weights[at] == _PLACE_WEIGHT for at in seen)
    if len(core) > 1:
        everyday = all(_is_everyday(name.words[at]) for at in core)
        shown = any(tokens[seen[at].first].capital for at in core)
        whole = len(seen) == len(name.words) or bool(places)
        return quality >= 0.75 and (not everyday or shown or whole)
    word, hit = name.words[core[0]], seen[core[0]]
    if name.and_co and [token.norm for token in tokens[hit.last + 1 : hit.last + 3]] == ["and", "co"]:
        return True
    if kind:
        by_pen = hit.quality >= 0.85 and len(word) >= 7 and tokens[hit.first].capital
        return bool(places) or hit.quality == 1.0 or by_pen
    halved = hit.quality < 1.0 and sum(weight > _PLACE_WEIGHT for weight in name.weights) > 1
    if not places or halved:
        return False
    if _is_everyday(word) or word in FIRST_NAMES:
        return _has_article(tokens, name, hit, places) or (
            hit.quality >= 0.8
            and (_service_follows(name, seen, core[0]) or _town_follows(tokens, name, hit, places))
        )
    return quality >= 0.8 and len(word) >= 5 and _stands_as_a_name(tokens, hit, places)


def _is_everyday(word: str) -> bool:
    return word in COMMON_WORDS or word in GENERIC_WORDS or word.removesuffix("s") in COMMON_WORDS


def _has_article(tokens: list[Token], name: LocalName, hit: _Seen, places: list[int]) -> bool:
    """ "at the summer in Ormthorpe", where the name is "The Summer"."""
    if not (name.with_article and hit.first and tokens[hit.first - 1].norm == "the"):
        return False
    cued = hit.first > 1 and tokens[hit.first - 2].norm in _BEFORE_A_PLACE | {"to"}
    return tokens[hit.first].capital or cued or any(hit.last < place <= hit.last + 4 for place in places)


def _service_follows(name: LocalName, seen: dict[int, _Seen], core: int) -> bool:
    """ "Excel Homecare": the everyday word goes on with the name's kind of service."""
    kinds = [hit for at, hit in seen.items() if name.weights[at] == SERVICE_WEIGHT]
    return any(hit.first == seen[core].last + 1 for hit in kinds)


def _town_follows(tokens: list[Token], name: LocalName, hit: _Seen, places: list[int]) -> bool:
    """ "Apex Wexley": a brand's everyday word with a capital, the town right behind."""
    shown = tokens[hit.first].capital and name.words[0] not in FIRST_NAMES and name.kind is NameKind.BRAND
    return shown and any(hit.last < place <= hit.last + 2 for place in places)


def _stands_as_a_name(tokens: list[Token], hit: _Seen, places: list[int]) -> bool:
    token = tokens[hit.first]
    before = tokens[hit.first - 1].norm if hit.first else ""
    beside = any(hit.last < place <= hit.last + 4 or place == hit.first - 1 for place in places)
    return token.capital or beside or before in _BEFORE_A_NAME or hit.first == 0


def _is_something_else(
    tokens: list[Token], name: LocalName, seen: dict[int, _Seen], first: int, last: int, whole: bool
) -> bool:
    """Whether the words are a person, a school, a street."""
    following = (
        tokens[last + 1] if last + 1 < len(tokens) and tokens[last + 1].part == tokens[last].part else None
    )
    if following is not None and not following.comma and following.norm not in name.words:
        saint = following.norm == "st" and last + 2 < len(tokens) and tokens[last + 2].capital
        if following.norm in _NO_SERVICE and not saint:
            return True
    spelt_out = whole and all(hit.quality == 1.0 for hit in seen.values()) and len(seen) > 1
    article = name.with_article and first > 0 and tokens[first - 1].norm == "the"
    few = len(seen) == 1 or not whole or not any(name.weights[at] < 0.5 for at in seen)
    return (
        few
        and not spelt_out
        and not article
        and last - first < 2
        and any(is_person(tokens, at) for at in range(first, last + 1))
    )


def _other_kind_of_place(tokens: list[Token], name: LocalName, last: int) -> bool:
    """Whether "Lodge" follows where the name has "House"."""
    if last + 1 >= len(tokens) or tokens[last + 1].part != tokens[last].part or tokens[last + 1].comma:
        return False
    return tokens[last + 1].norm in PLACE_WORDS and tokens[last + 1].norm not in name.words


def _other_service(tokens: list[Token], name: LocalName, seen: dict[int, _Seen], last: int) -> bool:
    """Whether one word is all there is, with another kind of service behind: "Valley Support"."""
    core = [at for at in seen if name.weights[at] > _PLACE_WEIGHT]
    if len(core) > 1:
        return False
    behind = tokens[seen[core[0]].last + 1 : last + 2]
    return any(token.norm in SERVICE_WORDS and token.norm not in name.words for token in behind)


# Reading addresses


def _read_address(
    tokens: list[Token], name: LocalName, sightings: _Sightings, places: list[int]
) -> NearbyName | None:
    """A house number and a street, in either order; without the number a word of care must be near."""
    for anchor in sightings.get(name.words[0], ()):
        run = _street_run(tokens, name, anchor, sightings)
        if run is None:
            continue
        first, last = run[0].first, run[-1].last
        quality = min(hit.quality for hit in run)
        said = _house_said(tokens, first, last, sightings.get(name.house, ()))
        if said is None and not (places and quality > 0.8 and _care_is_near(tokens, first, last)):
            continue
        if said is not None and not said:
            continue
        if not places and quality < 1.0:
            continue
        used = frozenset(range(first, last + 1))
        return NearbyName(name, first, last, quality, quality, said is True, bool(places), used, said is True)
    return None


def _street_run(
    tokens: list[Token], name: LocalName, anchor: _Seen, sightings: _Sightings
) -> list[_Seen] | None:
    run = [anchor]
    for word in name.words[1:]:
        behind = [
            hit
            for hit in sightings.get(word, ())
            if hit.first == run[-1].last + 1 and tokens[hit.first].part == tokens[anchor.first].part
        ]
        if not behind:
            return None
        run.append(max(behind, key=lambda hit: hit.quality))
    return run


def _house_said(tokens: list[Token], first: int, last: int, own: Iterable[_Seen]) -> bool | None:
    """True where the house number stands beside the street, False where another does, None where none."""
    if any(first - 2 <= hit.last < first or last < hit.first <= last + 3 for hit in own):
        return True
    before = tokens[first - 1].norm if first else ""
    return False if before.isdigit() or before in NUMBER_WORDS else None


def _care_is_near(tokens: list[Token], first: int, last: int) -> bool:
    around = tokens[max(0, first - 9) : first] + tokens[last + 1 : last + 7]
    return any(token.norm in _CARE_PLACES for token in around)


_CARE_PLACES = frozenset({"agency", "home", "nursing", "residential", "supported", "unit"})


# Loosely written towns


def loose_towns(tokens: list[Token], seen: set[int], register: Register) -> Iterator[tuple[int, int]]:
    """Towns that are misspelt or written as two words, each with its token; `seen` are tokens of known towns."""
    for at, token in enumerate(tokens):
        if at in seen:
            continue
        alone = token.norm not in _WELL_SPELT and token.norm not in FIRST_NAMES and len(token.norm) >= 5
        towns = register.near_towns(token.norm) if alone and _may_be_place(tokens, at) else ()
        if not towns and at + 1 < len(tokens) and at + 1 not in seen:
            towns = _towns_in_two(tokens, at, register)
        for town in towns:
            yield town, at


def _may_be_place(tokens: list[Token], at: int) -> bool:
    before = tokens[at - 1].norm if at else ""
    return before in _BEFORE_A_PLACE or tokens[at].comma or not tokens[at].capital or at + 1 == len(tokens)


def _towns_in_two(tokens: list[Token], at: int, register: Register) -> tuple[int, ...]:
    """ "Gill Wold" for Gilwold, where "in" or a comma stands before or the second word ends nothing else."""
    left, right = tokens[at], tokens[at + 1]
    if left.part != right.part or right.comma or len(left.norm + right.norm) < 6:
        return ()
    if left.norm in EMPTY_WORDS or right.norm in EMPTY_WORDS | GENERIC_WORDS:
        return ()
    exact = register.towns.get(left.norm + right.norm)
    return (exact,) if exact is not None else register.near_towns(left.norm + right.norm)
