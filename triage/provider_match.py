"""Which registered service a message is about: candidates for a person to choose from, never a link.

A name is worth what it covers of the register's name and what it leaves unexplained in the message;
town, street, number and sender then tell namesakes apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from triage.provider_index import (
    GENERIC_WEIGHT,
    NUMBER_WEIGHT,
    NameKind,
    Register,
    domain_key,
    postcode_key,
    telephone_key,
)
from triage.provider_mention import Mention, find_mention
from triage.provider_nearby import NearbyName, loose_towns, names_nearby
from triage.provider_words import (
    CARE_WORDS,
    COMMON_WORDS,
    ELSEWHERE_WORDS,
    EMPTY_WORDS,
    FIRST_NAMES,
    GENERIC_WORDS,
    NOT_ACRONYMS,
    PLACE_WORDS,
    PURE_STREET_WORDS,
    STREET_WORDS,
    TITLES,
    Token,
    fold,
    is_person,
    read_tokens,
)
from triage.vocabulary import MatchAdvice, Provider, ProviderMatch, ProviderMatches

__all__ = ["Mention", "Register", "find_mention", "match_provider"]

# Tuned on the development part of tests/triage/provider_mentions.jsonl only.
SUGGEST_FROM = 0.80
LIST_FROM = 0.60
ASK_MARGIN = 0.06
# From this score on a second service, named by words of its own, makes the machine ask.
_ANOTHER_FROM = 0.72
MOST_CANDIDATES = 5
# Longer lists of namesakes cannot be told apart by reading on; those with something near go first.
_MOST_NAMESAKES = 60
_MOST_NAMES_OF_WORD = 4000
_REACH = 4
# Where a town stands that only the other of text and subject names.
_FAR = -100
_SURE_NEARBY = 0.75
# What a word is worth that people wrote as two, or two that they wrote as one.
_JOINED_QUALITY = 0.97
_SPLIT_QUALITY = 0.95

_ORDINARY = COMMON_WORDS | CARE_WORDS | GENERIC_WORDS | EMPTY_WORDS | TITLES
_TELL_NOTHING = COMMON_WORDS | CARE_WORDS | FIRST_NAMES
_FILLERS = GENERIC_WORDS | EMPTY_WORDS | TITLES
_SELDOM_TOWNS = COMMON_WORDS | FIRST_NAMES | GENERIC_WORDS

_TELEPHONE = re.compile(r"(?<![\d-])(?:\+44|0044|0)(?:[ ()-]?\d){9,11}(?!\d)")
_POSTCODE = re.compile(r"\b([A-Za-z]{1,2}\d[A-Za-z\d]?)\s?(\d[A-Za-z]{2})\b")
_LOCATION_ID = re.compile(r"(?<![\d-])1-\d{6,12}(?!\d)")
_DOMAIN = re.compile(r"(?:@|https?://|\bwww\.)([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
_MOVED_AWAY = re.compile(
    r"\b(?:moved (?:here |there )?from|transferred from|used to (?:live|be|work|stay)(?: in| at| for)?|"
    r"previously (?:at|in|with)|formerly (?:at|in|with)|came (?:to us )?from|was (?:once )?(?:at|in)|"
    r"before that (?:at|in|with)?|not the same as|nothing to do with|not)\s+(?:the\s+)?(?:[a-z]+\s+)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A word of the register seen at tokens [first, last], `quality` 1 for letter by letter.

    `partner` is the word that the other half of a run-together token stands for, -1 for none.
    """

    first: int
    last: int
    word: int
    quality: float
    partner: int = -1


@dataclass(frozen=True, slots=True)
class _Named:
    """A name of the register seen at tokens [first, last], and how well."""

    name: int
    first: int
    last: int
    score: float
    quality: float
    whole: bool
    initials: bool = False


@dataclass(slots=True)
class _Reading:
    """A text with what was seen in it; filled once by `_read`, then only looked at."""

    text: str
    tokens: list[Token]
    register: Register
    in_subject: bool
    hits: dict[int, list[_Hit]] = field(default_factory=dict)
    towns: dict[int, list[int]] = field(default_factory=dict)
    town_tokens: set[int] = field(default_factory=set)
    streets: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)
    street_tokens: set[int] = field(default_factory=set)

    def span(self, first: int, last: int) -> tuple[int, int]:
        if self.in_subject:
            return -1, -1
        return self.tokens[first].start, self.tokens[last].end

    def words(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].start : self.tokens[last].end]


@dataclass(slots=True)
class _Evidence:
    """What speaks for one service so far."""

    score: float
    reasons: list[str]
    mention: str = ""
    start: int = -1
    end: int = -1


def match_provider(
    text: str, register: Register, *, sender_domain: str = "", subject: str = ""
) -> ProviderMatches:
    """The services that the text may be about, best first, and what may be done with the list.

    Spans are places in `text`, -1 for what only subject or sender say. Without a candidate the words
    that look like a name still come as `mention`.
    """
    evidence: dict[int, _Evidence] = {}
    for reading in _readings(text, subject, register):
        for number, found in _from_names(reading):
            _keep_better(evidence, number, found)
        for number, found in _from_streets(reading):
            _keep_better(evidence, number, found)
        for number, found in _from_nearby(reading):
            _keep_better(evidence, number, found)
    _add_keys(evidence, text, subject, sender_domain, register)
    return _advise(evidence, text, subject, register)


def _readings(text: str, subject: str, register: Register) -> Iterator[_Reading]:
    in_text = _read(text, register, in_subject=False)
    in_subject = _read(subject, register, in_subject=True)
    # A town named in the one tells namesakes apart in the other.
    for reading, other in ((in_text, in_subject), (in_subject, in_text)):
        for town in [
            town for town, places in other.towns.items() if places != [_FAR] and town not in reading.towns
        ]:
            reading.towns[town] = [_FAR]
    yield in_text
    if subject:
        yield in_subject


def _keep_better(evidence: dict[int, _Evidence], number: int, found: _Evidence) -> None:
    before = evidence.get(number)
    if before is None or found.score > before.score:
        evidence[number] = found


# Reading


def _read(text: str, register: Register, *, in_subject: bool) -> _Reading:
    reading = _Reading(text, read_tokens(text), register, in_subject)
    if len(register):
        _see_towns(reading)
        _see_streets(reading)
        _see_words(reading)
    return reading


def _see_towns(reading: _Reading) -> None:
    """Note towns of up to three words; one slip of the pen is allowed where a capital stands."""
    tokens, towns = reading.tokens, reading.register.towns
    for at in range(len(tokens)):
        if at in reading.town_tokens:
            continue
        for length in (3, 2, 1):
            key = " ".join(token.norm for token in tokens[at : at + length])
            town = towns.get(key)
            if town is None and length == 1:
                town = _misspelt_town(reading, at)
            if town is not None and _may_be_town(tokens, at, length):
                reading.towns.setdefault(town, []).append(at)
                reading.town_tokens.update(range(at, at + length))
                break


def _misspelt_town(reading: _Reading, at: int) -> int | None:
    token, register = reading.tokens[at], reading.register
    if not token.capital or token.first or len(token.norm) < 6 or token.norm in register.words:
        return None
    previous = reading.tokens[at - 1].norm if at else ""
    if (previous not in ("in", "near") and not token.comma) or _type_follows(reading.tokens, at):
        return None
    for word, _ in register.near_words(token.norm):
        town = register.towns.get(register.spelling[word])
        if town is not None:
            return town
    return None


def _may_be_town(tokens: list[Token], at: int, length: int) -> bool:
    """Whether words that spell a town mean it here: "hope" and "ash" need a capital."""
    token = tokens[at]
    common = token.norm in _SELDOM_TOWNS and length == 1
    return not common or (token.capital and not token.first)


def _see_streets(reading: _Reading) -> None:
    """Note streets that the register knows, with the house number before them."""
    tokens, streets = reading.tokens, reading.register.streets
    for at, token in enumerate(tokens):
        if token.norm not in STREET_WORDS:
            continue
        for length in (4, 3, 2):
            first = at - length + 1
            if first < 0 or tokens[first].part != token.part:
                continue
            street = streets.get(" ".join(word.norm for word in tokens[first : at + 1]))
            if street is not None:
                number = tokens[first - 1].norm if first and tokens[first - 1].norm.isdigit() else ""
                reading.streets.setdefault(street, []).append((first, at, number))
                reading.street_tokens.update(range(first, at + 1))
                break


def _see_words(reading: _Reading) -> None:
    """Note, for each token, the register's words that it may stand for."""
    tokens, register = reading.tokens, reading.register
    for at, token in enumerate(tokens):
        exact = register.words.get(token.norm)
        hits = [_Hit(at, at, exact, 1.0)] if exact is not None else []
        hits += _joined_words(reading, at)
        if _name_like(tokens, at):
            hits += [_Hit(at, at, word, quality) for word, quality in _near(reading, at)]
            if exact is None:
                hits += _split_words(reading, at)
        if hits:
            reading.hits[at] = hits


def _near(reading: _Reading, at: int) -> Iterable[tuple[int, float]]:
    token = reading.tokens[at]
    ordinary = token.norm in _ORDINARY
    if token.end - token.start < 5 or len(token.norm) < 4 or ordinary or token.norm.isdigit():
        return ()
    return reading.register.near_words(token.norm)


def _joined_words(reading: _Reading, at: int) -> list[_Hit]:
    """ "Rose Wood" for Rosewood."""
    tokens, register = reading.tokens, reading.register
    if at + 1 >= len(tokens) or tokens[at + 1].part != tokens[at].part or tokens[at + 1].comma:
        return []
    both = fold(tokens[at].norm + tokens[at + 1].norm)[0]
    if len(both) < 6 or tokens[at].norm in EMPTY_WORDS:
        return []
    word = register.words.get(both)
    return [_Hit(at, at + 1, word, _JOINED_QUALITY)] if word is not None else []


def _split_words(reading: _Reading, at: int) -> list[_Hit]:
    """ "Larchhouse" for Larch House, "willowoak" for Willow & Oak."""
    norm, words = reading.tokens[at].norm, reading.register.words
    if len(norm) < 7:
        return []
    for cut in range(3, len(norm) - 2):
        left, right = words.get(norm[:cut]), words.get(norm[cut:])
        if left is not None and right is not None:
            return [_Hit(at, at, left, _SPLIT_QUALITY, right), _Hit(at, at, right, _SPLIT_QUALITY, left)]
    return []


def _name_like(tokens: list[Token], at: int) -> bool:
    """Whether the word there may be part of a name: a capital, or a word of care close by."""
    token = tokens[at]
    if token.norm in EMPTY_WORDS:
        return False
    if token.capital and not (token.first and token.norm in COMMON_WORDS):
        return True
    return _care_is_near(tokens, at, at)


def _care_is_near(tokens: list[Token], first: int, last: int) -> bool:
    part = tokens[first].part
    around = [*tokens[max(0, first - 4) : first], *tokens[last + 1 : last + 4]]
    if any(token.part == part and token.norm in CARE_WORDS for token in around):
        return True
    behind = tokens[last + 1 : last + 2]
    return bool(behind) and behind[0].part == part and behind[0].norm in PLACE_WORDS


# Names


def _from_names(reading: _Reading) -> Iterator[tuple[int, _Evidence]]:
    named = sorted(_names_seen(reading), key=lambda found: -found.score)
    for found in named[:80]:
        if _is_bare_first_name(reading, found):
            continue
        base = _name_score(reading, found)
        for number, kind in _owners(reading, found):
            yield number, _weigh(reading, found, number, kind, base)


def _is_bare_first_name(reading: _Reading, found: _Named) -> bool:
    """Whether all that was seen is "Holly" without "the" or a word of care: more likely a person."""
    tokens = reading.tokens
    if found.first != found.last or not _looks_first_name(tokens, found.first):
        return False
    article = found.first > 0 and tokens[found.first - 1].norm == "the"
    return not article and not _type_follows(tokens, found.first) and not _in_known_town(reading, found.first)


def _looks_first_name(tokens: list[Token], at: int) -> bool:
    """Whether it is one, or stands beside one: "Rose and Holly"."""
    beside = [
        tokens[to].norm
        for to in (at - 2, at + 2)
        if 0 <= to < len(tokens) and tokens[(at + to) // 2].norm == "and"
    ]
    return tokens[at].norm in FIRST_NAMES or any(norm in FIRST_NAMES for norm in beside)


def _names_seen(reading: _Reading) -> list[_Named]:
    best: dict[tuple[int, int], _Named] = {}
    for found in [*_by_anchor(reading), *_by_phrase(reading), *_by_initials(reading)]:
        key = (found.name, found.first)
        if key not in best or best[key].score < found.score:
            best[key] = found
    return [found for found in best.values() if found.score >= 0.45]


def _by_anchor(reading: _Reading) -> Iterator[_Named]:
    """Names that share a telling word with the text."""
    register, weights = reading.register, reading.register.weights
    for at, hits in reading.hits.items():
        strengths = [_anchor_strength(reading, hit) for hit in hits]
        if not any(strengths):
            continue
        window = _window(reading, at)
        for hit, strength in zip(hits, strengths, strict=True):
            if not strength or weights[hit.word] <= GENERIC_WEIGHT:
                continue
            if register.names_of_word.size(hit.word) > _MOST_NAMES_OF_WORD:
                continue
            for name in register.names_of_word[hit.word]:
                found = _cover(reading, name, hit, window, strength)
                if found is not None:
                    yield found


def _anchor_strength(reading: _Reading, hit: _Hit) -> float:
    """How sure it is that the word there belongs to a service's name: 0 to 1."""
    tokens, at = reading.tokens, hit.first
    token = tokens[at]
    if at in reading.town_tokens:
        return 0.0
    if hit.last > hit.first:
        both = token.capital and tokens[hit.last].capital
        near = _care_is_near(tokens, at, hit.last) or bool({token.norm, tokens[hit.last].norm} & CARE_WORDS)
        return 1.0 if both else 0.95 if near else 0.0
    if token.norm.isdigit() or token.norm in ELSEWHERE_WORDS or _belongs_elsewhere(tokens, at):
        return 0.0
    if is_person(tokens, at):
        return 0.0
    near = _care_is_near(tokens, at, at)
    if token.capital and not token.first:
        return 1.0 if near or token.norm not in COMMON_WORDS else 0.85
    if token.capital:
        return (
            1.0
            if token.norm not in COMMON_WORDS
            else 0.95
            if _type_follows(tokens, at)
            else 0.8
            if near
            else 0.0
        )
    if token.norm in COMMON_WORDS or token.norm.removesuffix("s") in COMMON_WORDS:
        return 0.95 if _type_follows(tokens, at) else 0.0
    return 0.95 if near or _in_known_town(reading, at) else 0.0


def _type_follows(tokens: list[Token], at: int) -> bool:
    """Whether "House", "care home" or the like comes right behind, perhaps after one more word."""
    behind = [token.norm for token in tokens[at + 1 : at + 4] if token.part == tokens[at].part]
    return any(word in GENERIC_WORDS for word in behind[:1]) or (
        len(behind) > 2 and behind[0] == "and" and behind[2] in GENERIC_WORDS
    )


def _in_known_town(reading: _Reading, at: int) -> bool:
    return any(at < place <= at + 4 for places in reading.towns.values() for place in places)


def _belongs_elsewhere(tokens: list[Token], at: int) -> bool:
    """Whether the word is of a ward, a school, a hospital: of something else than a care service."""
    behind = [token for token in tokens[at + 1 : at + 3] if token.part == tokens[at].part and not token.comma]
    return any(token.norm in ELSEWHERE_WORDS for token in behind[:1]) or (
        len(behind) > 1 and behind[1].norm in ELSEWHERE_WORDS and behind[0].capital
    )


def _window(reading: _Reading, at: int) -> dict[int, _Hit]:
    """The best hit of each register word around a token, within its sentence."""
    tokens = reading.tokens
    window: dict[int, _Hit] = {}
    for near in range(max(0, at - _REACH), min(len(tokens), at + _REACH + 3)):
        if tokens[near].part != tokens[at].part:
            continue
        for hit in reading.hits.get(near, ()):
            before = window.get(hit.word)
            closer = before is None or (hit.quality, -abs(near - at)) > (
                before.quality,
                -abs(before.first - at),
            )
            if closer:
                window[hit.word] = hit
    return window


def _cover(
    reading: _Reading, name: int, anchor: _Hit, window: dict[int, _Hit], strength: float
) -> _Named | None:
    """How well the words around an anchor are this name."""
    register, weights = reading.register, reading.register.weights
    total = covered = 0.0
    seen = [anchor]
    for word in register.names[name]:
        weight = weights[word]
        total += weight
        hit = anchor if word == anchor.word else window.get(word)
        if hit is not None and _belongs(reading, hit, anchor, weight):
            covered += weight * hit.quality
            seen.append(hit)
    if anchor.partner >= 0 and anchor.partner not in register.names[name]:
        return None
    if covered / total < 0.45 or not _stands_firm(reading, anchor, seen):
        return None
    first, last = min(hit.first for hit in seen), max(hit.last for hit in seen)
    quality = min(hit.quality for hit in seen)
    used = {at for hit in seen for at in range(hit.first, hit.last + 1)}
    if not _numbers_agree(reading, name, window):
        return None
    score = (covered / total) ** 0.5 * _explained(reading, first, last, used) * strength
    score -= _contradiction(reading, name, first, last)
    whole = covered / total > 0.999
    return _Named(name, first, last, score, quality, whole)


def _stands_firm(reading: _Reading, anchor: _Hit, seen: list[_Hit]) -> bool:
    """Whether a misspelt word has a capital inside its sentence, or more of the name beside it."""
    token = reading.tokens[anchor.first]
    if anchor.quality == 1.0 or anchor.last > anchor.first or (token.capital and not token.first):
        return True
    return any(abs(hit.first - anchor.first) <= 2 for hit in seen if hit.first != anchor.first)


def _belongs(reading: _Reading, hit: _Hit, anchor: _Hit, weight: float) -> bool:
    """Whether a hit is near enough to its anchor to be of the same name."""
    if hit.first == anchor.first:
        return True
    gap = hit.first - anchor.last - 1 if hit.first > anchor.first else anchor.first - hit.last - 1
    # A kind of service stands close; a telling word or a town may stand a little off ("Bluebell in Wexley").
    return gap <= (1 if weight <= GENERIC_WEIGHT and hit.first not in reading.town_tokens else 3)


def _numbers_agree(reading: _Reading, name: int, window: dict[int, _Hit]) -> bool:
    """Whether the house number that is part of a name stands in the text too."""
    first = reading.register.names[name][0]
    if reading.register.weights[first] != NUMBER_WEIGHT:
        return True
    return first in window


def _explained(reading: _Reading, first: int, last: int, used: set[int]) -> float:
    """The part of the run of name-like words around the match that the name accounts for."""
    tokens = reading.tokens
    left, right = first, last
    while left > 0 and _continues(reading, left - 1, left):
        left -= 1
    while right + 1 < len(tokens) and _continues(reading, right + 1, right + 1):
        right += 1
    own = other = 0.0
    for at in range(left, right + 1):
        if at in used:
            own += 1.0
        elif not _is_filler(reading, at):
            other += 1.0
    return own / (own + 0.8 * other) if own else 0.0


def _continues(reading: _Reading, at: int, later: int) -> bool:
    """Whether the token there is of the same written name as its neighbour."""
    token, tokens = reading.tokens[at], reading.tokens
    if token.part != tokens[later - 1 if at == later else later].part or tokens[later].comma:
        return False
    if token.norm == "and":
        beside = (at - 1, at + 1) if 0 < at < len(tokens) - 1 else ()
        return bool(beside) and all(
            len(tokens[near].norm) > 1 and (tokens[near].capital or _is_heavy(reading, near))
            for near in beside
        )
    if at in reading.town_tokens or len(token.norm) == 1:
        return False
    if token.capital:
        return not (token.first and token.norm in COMMON_WORDS)
    goes_on = later == at and tokens[at - 1].norm == "and"
    return _is_heavy(reading, at) if goes_on else _is_telling(reading, at)


def _is_telling(reading: _Reading, at: int) -> bool:
    """Whether a word in small letters is one that tells the register's names apart."""
    if reading.tokens[at].norm in _TELL_NOTHING:
        return False
    return _is_heavy(reading, at)


def _is_heavy(reading: _Reading, at: int) -> bool:
    register = reading.register
    number = register.words.get(reading.tokens[at].norm)
    return number is not None and register.weights[number] > GENERIC_WEIGHT


def _is_filler(reading: _Reading, at: int) -> bool:
    token = reading.tokens[at]
    return token.norm in _FILLERS or at in reading.town_tokens


def _contradiction(reading: _Reading, name: int, first: int, last: int) -> float:
    """What is lost where the text says "Lodge" and the name "House", or a street where the name has none."""
    tokens, register = reading.tokens, reading.register
    words = set(register.names[name])
    lost = 0.0
    kinds = {word for word in words if register.spelling[word] in PLACE_WORDS}
    for at in range(first, min(last + 2, len(tokens))):
        token = tokens[at]
        if token.part != tokens[first].part or (at > last and token.comma):
            break
        number = register.words.get(token.norm)
        if token.norm in PLACE_WORDS and number not in words and (token.capital or not tokens[first].capital):
            lost = max(lost, 0.22 if kinds else 0.12)
        if number not in words and (token.norm in PURE_STREET_WORDS or _is_street(tokens, at)):
            lost = max(lost, 0.5)
    return lost


def _is_street(tokens: list[Token], at: int) -> bool:
    """Whether "St" there is a street and no saint."""
    if tokens[at].norm != "st" or at == 0:
        return False
    return at + 1 == len(tokens) or not tokens[at + 1].capital or tokens[at + 1].part != tokens[at].part


def _by_phrase(reading: _Reading) -> Iterator[_Named]:
    """Names found word for word; those of common words and towns are found in no other way."""
    register, tokens = reading.register, reading.tokens
    for first in range(len(tokens)):
        words: list[int] = []
        for last in range(first, min(first + 6, len(tokens))):
            number = register.words.get(tokens[last].norm)
            if tokens[last].norm in EMPTY_WORDS and words and not tokens[last].comma:
                continue
            apart = last > first and (tokens[last].comma or tokens[last].part != tokens[first].part)
            if number is None or apart:
                break
            words.append(number)
            names = register.names_by_phrase.get(tuple(words), ())
            score = _phrase_score(reading, first, last) if names else 0.0
            for name in names:
                if score and (len(words) > 1 or name in register.phrase_only):
                    whole = len(register.names[name]) == len(words)
                    exact = score * _explained(reading, first, last, set(range(first, last + 1)))
                    exact -= _contradiction(reading, name, first, last)
                    yield _Named(name, first, last, exact if whole else 0.97 * exact, 1.0, whole)


def _phrase_score(reading: _Reading, first: int, last: int) -> float:
    """How sure it is that words which spell a name mean it: 0 to 1."""
    tokens = reading.tokens
    run = [token for token in tokens[first : last + 1] if token.norm not in EMPTY_WORDS]
    if not run or _belongs_elsewhere(tokens, last) or is_person(tokens, first):
        return 0.0
    capitals = sum(token.capital and not token.first for token in run)
    if first == last:
        # "the Lodge": an article, a capital inside the sentence and a word of care close by.
        article = first > 0 and tokens[first - 1].norm == "the"
        alone = run[0].norm in PLACE_WORDS and article and capitals and _care_is_near(tokens, first, last)
        return 0.9 if alone else 0.0
    telling = any(token.norm not in GENERIC_WORDS for token in run)
    if run[-1].norm in PURE_STREET_WORDS:
        return 0.0
    if capitals >= len(run) - 1 and (telling or len(run) > 2):
        return 1.0
    return 0.9 if telling and _care_is_near(tokens, first, last) and run[-1].norm in GENERIC_WORDS else 0.0


def _by_initials(reading: _Reading) -> Iterator[_Named]:
    """ "TVHC" for Tarn Valley Home Care."""
    if reading.text.isupper():
        return
    for at, token in enumerate(reading.tokens):
        word = reading.text[token.start : token.end]
        if not (3 <= len(word) <= 6 and word.isupper()) or word in NOT_ACRONYMS:
            continue
        for name in reading.register.by_initials.get(word.lower(), ()):
            yield _Named(name, at, at, 0.86, 0.9, whole=False, initials=True)


def _owners(reading: _Reading, found: _Named) -> list[tuple[int, NameKind]]:
    """The services of that name; of very many, those first that something near speaks for."""
    register = reading.register
    numbers = register.owners_of_name[found.name]
    kinds = register.kinds_of_name[found.name]
    owners = [(number, NameKind(kind)) for number, kind in zip(numbers, kinds, strict=True)]
    if len(owners) <= _MOST_NAMESAKES:
        return owners
    return sorted(owners, key=lambda owner: not _is_placed(reading, owner[0]))[:_MOST_NAMESAKES]


def _is_placed(reading: _Reading, number: int) -> bool:
    register = reading.register
    town, street = int(register.town_of[number]), int(register.street_of[number])
    return town in reading.towns or street in reading.streets or bool(register.in_area[number])


_KIND_WORDS = {
    NameKind.NAME: "name",
    NameKind.FORMER: "former name",
    NameKind.BRAND: "brand",
    NameKind.ORGANISATION: "organisation",
}
_KIND_LOSS = {NameKind.NAME: 0.0, NameKind.FORMER: 0.02, NameKind.BRAND: 0.04, NameKind.ORGANISATION: 0.06}


def _name_score(reading: _Reading, found: _Named) -> float:
    """What the name itself is worth, and the words around it."""
    score = 0.80 * max(0.0, found.score)
    score += 0.02 if _care_is_near(reading.tokens, found.first, found.last) else 0.0
    score += 0.02 if found.whole and found.quality == 1.0 else 0.0
    before = reading.text[max(0, reading.tokens[found.first].start - 45) : reading.tokens[found.first].start]
    return score - (0.12 if _MOVED_AWAY.search(before) else 0.0)


def _weigh(reading: _Reading, found: _Named, number: int, kind: NameKind, base: float) -> _Evidence:
    """The score of one service for one name seen, with town, street and area."""
    register = reading.register
    start, end = reading.span(found.first, found.last)
    place, words = _place_score(reading, number, found.first, found.last)
    score = base + place - _KIND_LOSS[kind]
    if register.area_is_known:
        # The loss keeps a far service below "suggest" until its town, street or a number is named.
        score += 0.05 if register.in_area[number] else -0.06
    if found.initials and not place:
        score = min(score, 0.74)
    reasons = [_name_reason(found, kind), *words]
    return _Evidence(score, reasons, reading.words(found.first, found.last), start, end)


def _name_reason(found: _Named, kind: NameKind) -> str:
    if found.initials:
        return f"initials of the {_KIND_WORDS[kind]}"
    words = _KIND_WORDS[kind] if found.whole or found.quality < 1.0 else f"part of the {_KIND_WORDS[kind]}"
    if found.quality in (_JOINED_QUALITY, _SPLIT_QUALITY):
        return f"{words}, words split or joined"
    return words if found.quality == 1.0 else f"{words}, spelt differently"


def _place_score(reading: _Reading, number: int, first: int, last: int) -> tuple[float, list[str]]:
    """What the places named in the text say for or against one service."""
    register = reading.register
    town, street = int(register.town_of[number]), int(register.street_of[number])
    score, words = 0.0, []
    if town in reading.towns:
        near = any(first - 6 <= at <= last + 8 for at in reading.towns[town])
        score += 0.13 if near else 0.10
        words.append("town")
    elif reading.towns:
        score -= 0.16 if _other_town_follows(reading, last) else 0.03
    if street in reading.streets:
        if _number_fits(reading, number, street):
            score += 0.12
            words.append("street")
    elif reading.streets and _street_follows(reading, last):
        score -= 0.08
    return score, words


def _other_town_follows(reading: _Reading, last: int) -> bool:
    """Whether a town is named right behind: "Larch House in Welby", "Larch House, Welby"."""
    tokens = reading.tokens
    return any(
        last < at <= last + 4 and tokens[at].part == tokens[last].part
        for places in reading.towns.values()
        for at in places
    )


def _street_follows(reading: _Reading, last: int) -> bool:
    return any(last < seen[0] <= last + 4 for places in reading.streets.values() for seen in places)


def _number_fits(reading: _Reading, number: int, street: int) -> bool:
    """Whether a house number in the text, if any, is that of the service."""
    own = re.findall(r"\d+", reading.register.providers[number].street)
    return any(not seen or not own or seen in own for _, _, seen in reading.streets[street])


# Streets


def _from_streets(reading: _Reading) -> Iterator[tuple[int, _Evidence]]:
    """ "the home on Church Lane, Oakham": a street, a town and a word of care, and no name."""
    register = reading.register
    for street, places in reading.streets.items():
        for first, last, seen in places:
            if not _service_is_meant(reading, first, last):
                continue
            numbers = [
                number
                for number in register.providers_on_street[street]
                if int(register.town_of[number]) in reading.towns and _number_fits(reading, number, street)
            ]
            for number in numbers:
                yield number, _street_evidence(reading, number, (first, last), seen, len(numbers))


def _service_is_meant(reading: _Reading, first: int, last: int) -> bool:
    """Whether "home on" or the like stands before the street."""
    near = [token.norm for token in reading.tokens[max(0, first - 6) : first]]
    nouns = {"home", "agency", "unit", "place"}
    return any(
        (word in nouns and "on" in near[at:]) or word in ("nursing", "residential")
        for at, word in enumerate(near)
    )


def _street_evidence(
    reading: _Reading, number: int, place: tuple[int, int], seen: str, rivals: int
) -> _Evidence:
    register = reading.register
    score = 0.82 if rivals == 1 else 0.72
    score += 0.06 if seen else 0.0
    if register.area_is_known:
        score += 0.04 if register.in_area[number] else -0.06
    if not register.providers[number].beds:
        score -= 0.08
    start, end = reading.span(*place)
    return _Evidence(score, ["street and town"], reading.words(*place), start, end)


# Names read loosely, where the place is known


def _from_nearby(reading: _Reading) -> Iterator[tuple[int, _Evidence]]:
    """Services of the towns named, and ours, by names that are misspelt, cut short or only an address."""
    if not len(reading.register):
        return
    for town, at in loose_towns(reading.tokens, reading.town_tokens, reading.register):
        reading.towns.setdefault(town, []).append(at)
    for found in names_nearby(reading.tokens, reading.towns, reading.register):
        weigh = _weigh_address if found.name.is_address else _weigh_nearby
        yield found.name.number, weigh(reading, found)


def _weigh_nearby(reading: _Reading, found: NearbyName) -> _Evidence:
    whole = found.score * _explained(reading, found.first, found.last, set(found.used))
    named = _Named(-1, found.first, found.last, whole, found.quality, found.whole)
    evidence = _weigh(reading, named, found.name.number, found.name.kind, _name_score(reading, named))
    if not found.in_named_town or found.score < _SURE_NEARBY:
        # Too loose to be suggested: it is listed for a person.
        evidence.score = min(evidence.score, SUGGEST_FROM - 0.01)
    return evidence


def _weigh_address(reading: _Reading, found: NearbyName) -> _Evidence:
    score = (0.86 if found.house else 0.72) * found.quality if found.in_named_town else 0.74
    if reading.register.area_is_known:
        score += 0.04 if reading.register.in_area[found.name.number] else -0.02
    start, end = reading.span(found.first, found.last)
    words = ["street and town" if found.in_named_town else "house number and street"]
    return _Evidence(score, words, reading.words(found.first, found.last), start, end)


# Numbers, postcodes and domains


def _add_keys(
    evidence: dict[int, _Evidence], text: str, subject: str, sender_domain: str, register: Register
) -> None:
    """Add what names a service without words; a key that several share only lifts them."""
    for where, in_text in ((text, True), (subject, False)):
        for match in _LOCATION_ID.finditer(where):
            number = register.by_id.get(match.group())
            if number is not None:
                _lift(evidence, number, 0.97, 0.3, "registration number", _spanned(match, in_text))
        for match in _TELEPHONE.finditer(where):
            owners = register.by_telephone.get(telephone_key(match.group()), ())
            _lift_all(evidence, register, owners, 0.88, 0.15, "telephone number", _spanned(match, in_text))
        for match in _POSTCODE.finditer(where):
            owners = register.by_postcode.get(postcode_key(match.group()), ())
            _lift_all(evidence, register, owners, 0.72, 0.15, "postcode", _spanned(match, in_text))
        for match in _DOMAIN.finditer(where):
            owners = register.by_domain.get(domain_key(match.group(1)), ())
            _lift_all(evidence, register, owners, 0.76, 0.10, "web or mail address", _spanned(match, in_text))
    owners = register.by_domain.get(domain_key(sender_domain), ()) if sender_domain else ()
    _lift_all(evidence, register, owners, 0.81, 0.10, "sender's domain", ("", -1, -1))


def _spanned(match: re.Match[str], in_text: bool) -> tuple[str, int, int]:
    return (match.group(), match.start(), match.end()) if in_text else (match.group(), -1, -1)


def _lift_all(
    evidence: dict[int, _Evidence], register: Register, owners: tuple[int, ...],
    alone: float, more: float, reason: str, seen: tuple[str, int, int],
) -> None:  # fmt: skip
    """Lift each owner of a key; alone it counts fully only for a single owner (of our area)."""
    local = [number for number in owners if register.area_is_known and register.in_area[number]]
    single = len(owners) == 1 or len(local) == 1
    for number in owners:
        fully = len(owners) == 1 or (single and number in local)
        _lift(evidence, number, alone if fully else alone - 0.16, more, reason, seen)


def _lift(
    evidence: dict[int, _Evidence], number: int, alone: float, more: float, reason: str,
    seen: tuple[str, int, int],
) -> None:  # fmt: skip
    found = evidence.get(number)
    if found is None:
        evidence[number] = _Evidence(alone, [reason], *seen)
    elif reason not in found.reasons:
        if found.score < alone * 0.7 and seen[0]:
            found.mention, found.start, found.end = seen
        found.score = max(found.score, alone) + more
        found.reasons.append(reason)


# Advice


def _advise(evidence: dict[int, _Evidence], text: str, subject: str, register: Register) -> ProviderMatches:
    ranked = sorted(evidence.items(), key=lambda item: (-item[1].score, item[0]))
    kept = [(number, found) for number, found in ranked[:MOST_CANDIDATES] if found.score >= LIST_FROM]
    if not kept:
        return ProviderMatches(MatchAdvice.NONE, (), find_mention(text, subject).text)
    candidates = tuple(_candidate(register.providers[number], found) for number, found in kept)
    best, second = kept[0][1].score, ranked[1][1].score if len(ranked) > 1 else 0.0
    mention = candidates[0].mention or find_mention(text, subject).text
    if any(_is_another_place(kept[0][1], found) for _, found in kept[1:]):
        return ProviderMatches(MatchAdvice.ASK, candidates, mention)
    return ProviderMatches(_advice(best, best - second), candidates, mention)


def _is_another_place(best: _Evidence, other: _Evidence) -> bool:
    """Whether other words of the message name another service nearly as surely."""
    if best.start < 0 or other.start < 0 or other.score < _ANOTHER_FROM:
        return False
    return other.end <= best.start or best.end <= other.start


def _advice(best: float, margin: float) -> MatchAdvice:
    if margin < ASK_MARGIN:
        return MatchAdvice.ASK
    return MatchAdvice.SUGGEST if best >= SUGGEST_FROM else MatchAdvice.SHORTLIST


def _candidate(provider: Provider, found: _Evidence) -> ProviderMatch:
    score = round(min(max(found.score, 0.0), 0.99), 3)
    return ProviderMatch(
        found.mention,
        provider.provider_id,
        provider.name,
        score,
        tuple(found.reasons),
        found.start,
        found.end,
    )
