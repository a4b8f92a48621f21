"""Finding the words of a message that look like a care service's name, without any register."""

from __future__ import annotations

from dataclasses import dataclass

from triage.provider_words import (
    CARE_WORDS,
    COMMON_WORDS,
    ELSEWHERE_WORDS,
    EMPTY_WORDS,
    FIRST_NAMES,
    GENERIC_WORDS,
    NOT_ACRONYMS,
    PERSON_CUES,
    PLACE_WORDS,
    PURE_STREET_WORDS,
    TITLES,
    Token,
    is_person,
    read_tokens,
    word_list,
)

LEAST_SCORE = 2.5

_CONNECTORS = word_list("mention_connectors")
_AT_CUES = word_list("mention_at_cues")
_SERVICE_CUES = word_list("mention_service_cues")
_CARE_TAILS = word_list("mention_care_tails")
_SERVICES_DO = word_list("mention_services_do")
_NOT_NAMES = word_list("mention_not_names")
_NAME_ENDS = PLACE_WORDS | {
    "care",
    "home",
    "homecare",
    "support",
    "service",
    "agency",
    "living",
    "centre",
    "solution",
    "carer",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """Words that look like a service's name, at [start, end) of the text; "" and -1 when there are none.

    Found only in the subject, they have their text and the span -1.
    """

    text: str = ""
    start: int = -1
    end: int = -1


def find_mention(text: str, subject: str = "") -> Mention:
    """The words most like the name of a care service, taken from the subject where the text has none."""
    found = _best(text)
    if found is not None:
        return Mention(text[found[0] : found[1]], *found)
    found = _best(subject) if subject else None
    return Mention(subject[found[0] : found[1]]) if found is not None else Mention()


def _best(text: str) -> tuple[int, int] | None:
    """The span of the best run of words, None where no run is good enough."""
    tokens = read_tokens(text)
    runs = [*_capital_runs(tokens), *_small_runs(tokens)]
    best: tuple[float, int, int] | None = None
    for first, last in runs:
        score = _score(tokens, first, last)
        if score >= LEAST_SCORE and (best is None or score > best[0] + 0.01):
            best = (score, first, last)
    if best is None:
        return None
    _, first, last = best
    return tokens[first].start, tokens[last].end


def _joined(tokens: list[Token], at: int) -> bool:
    """Whether the token there goes on with the one before it."""
    return tokens[at].part == tokens[at - 1].part and not tokens[at].comma


def _capital_runs(tokens: list[Token]) -> list[tuple[int, int]]:
    """Stretches of words with capitals, small connecting words inside allowed."""
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        if not tokens[at].capital or _opens_sentence(tokens, at):
            at += 1
            continue
        last = _run_end(tokens, at)
        runs.append((at, last))
        at = last + 1
    return runs


def _opens_sentence(tokens: list[Token], at: int) -> bool:
    """Whether the capital there is only that of a sentence's ordinary first word, a title or "I"."""
    token = tokens[at]
    if token.end - token.start == 1 and token.norm != "and":
        return True
    if token.norm in EMPTY_WORDS | TITLES:
        return True
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    goes_on = following is not None and _joined(tokens, at + 1) and (
        following.capital or following.norm in _CARE_TAILS or _bridges(tokens, at + 1)
    )  # fmt: skip
    return token.first and token.norm in COMMON_WORDS and not goes_on


def _bridges(tokens: list[Token], at: int) -> bool:
    """Whether a small connecting word there leads on to another capital: "Haven at Home"."""
    if tokens[at].norm not in _CONNECTORS or at + 1 >= len(tokens):
        return False
    following = tokens[at + 1]
    if tokens[at - 1].norm in PERSON_CUES | CARE_WORDS or not following.capital or len(following.norm) == 1:
        return False
    return _joined(tokens, at + 1) and (tokens[at].norm != "at" or following.norm in GENERIC_WORDS)


def _run_end(tokens: list[Token], at: int) -> int:
    last = at
    for following in range(at + 1, min(at + 7, len(tokens))):
        if not _joined(tokens, following):
            break
        token = tokens[following]
        if len(token.norm) == 1:
            break
        if token.capital:
            last = following
        elif token.norm not in _CONNECTORS or not (token.norm == "the" or _bridges(tokens, following)):
            break
    return last


def _small_runs(tokens: list[Token]) -> list[tuple[int, int]]:
    """Stretches like "larch house" or "willow and oak" in messages that do without capitals."""
    runs: list[tuple[int, int]] = []
    for at in range(len(tokens)):
        if _is_odd_word(tokens[at]) and not tokens[at].capital:
            last = at
            while last + 1 < len(tokens) and last - at < 3 and _joined(tokens, last + 1):
                if tokens[last + 1].norm in _NAME_ENDS or _is_odd_word(tokens[last + 1]):
                    last += 1
                else:
                    break
            while last > at and tokens[last].norm not in _NAME_ENDS:
                last -= 1
            if last > at:
                runs.append((at, last))
    return runs


def _is_odd_word(token: Token) -> bool:
    """Whether the word is none of those that everyday messages are made of."""
    return len(token.norm) >= 4 and token.norm not in COMMON_WORDS | CARE_WORDS | GENERIC_WORDS | PERSON_CUES


def _score(tokens: list[Token], first: int, last: int) -> float:
    """How much a run looks like the name of a care service."""
    run = tokens[first : last + 1]
    own = [token for token in run if token.norm not in GENERIC_WORDS | EMPTY_WORDS | {"st", "and"}]
    capital = run[0].capital
    if not capital and not _is_introduced(tokens, first, last):
        return 0.0
    if not own and not _is_bare_place(tokens, first, last):
        return 0.0
    if _is_something_else(tokens, first, last):
        return 0.0
    if all(token.norm in COMMON_WORDS for token in run) and (len(run) == 1 or run[-1].norm not in _NAME_ENDS):
        return 0.0
    score = 1.0 if capital else 0.0
    score += _shape_score(run, own)
    score += _tail_score(tokens, last)
    score += _cue_score(tokens, first, last)
    return score


def _is_introduced(tokens: list[Token], first: int, last: int) -> bool:
    """Whether words in small letters stand behind "at", "from" or before "care home"."""
    before = tokens[first - 1].norm if first else ""
    return before in _AT_CUES or (first > 1 and before == "the" and tokens[first - 2].norm in _AT_CUES) or (
        last + 1 < len(tokens) and tokens[last + 1].norm in _CARE_TAILS
    ) or tokens[last].norm in _CARE_TAILS  # fmt: skip


def _is_bare_place(tokens: list[Token], first: int, last: int) -> bool:
    """Whether it is "the Lodge": a kind of place with a capital and an article, as a name."""
    if last != first or first == 0 or tokens[first].first or not tokens[first].capital:
        return False
    return tokens[first].norm in PLACE_WORDS and tokens[first - 1].norm == "the"


def _is_something_else(tokens: list[Token], first: int, last: int) -> bool:
    """Whether the run is a person, street, ward, school, acronym or authority."""
    run = tokens[first : last + 1]
    following = tokens[last + 1] if last + 1 < len(tokens) and _joined(tokens, last + 1) else None
    if run[-1].norm in PURE_STREET_WORDS | ELSEWHERE_WORDS and run[-1].norm != "st":
        return True
    if run[-1].norm == "st" and len(run) > 1:
        return True
    if following is not None and following.norm in PURE_STREET_WORDS | ELSEWHERE_WORDS:
        return True
    if first and tokens[first - 1].norm.isdigit() and run[-1].norm in PURE_STREET_WORDS | PLACE_WORDS:
        return True
    if len(run) == 1 and (run[0].norm in _NOT_NAMES or run[0].norm.upper() in NOT_ACRONYMS):
        return True
    if run[0].norm in _NOT_NAMES and all(token.norm in _NOT_NAMES | GENERIC_WORDS for token in run):
        return True
    if any(token.norm == "council" for token in run):
        return True
    return _is_whole_person(tokens, first, last)


def _is_whole_person(tokens: list[Token], first: int, last: int) -> bool:
    if last - first >= 2 and tokens[last].norm in PLACE_WORDS:
        return False
    if any(is_person(tokens, at) for at in range(first, last + 1)):
        return True
    two = last - first == 1
    return two and tokens[first].norm in FIRST_NAMES and bool(first) and tokens[first - 1].norm in PERSON_CUES


def _shape_score(run: list[Token], own: list[Token]) -> float:
    """What the run's own words say: "... House", "... Care", "Saint ..."."""
    if own and len(run) > 1 and run[-1].norm in _NAME_ENDS:
        return 2.5
    if own and any(token.norm in _NAME_ENDS for token in run):
        return 1.5
    if run[0].norm == "st" and len(run) > 1:
        return 1.25
    if len(own) < 2:
        return 0.0
    return 1.5 if run[0].first else 0.75


def _tail_score(tokens: list[Token], last: int) -> float:
    """What comes right after: "Larch House care home", "Brightway carers", "Caremoor rang"."""
    if last + 1 >= len(tokens) or not _joined(tokens, last + 1):
        return 0.0
    following = tokens[last + 1].norm
    if following in _CARE_TAILS:
        return 2.5
    return 1.5 if following in _SERVICES_DO and tokens[last].capital else 0.0


def _cue_score(tokens: list[Token], first: int, last: int) -> float:
    """What comes before: "carers from ...", "resident at the ...", and care words close by."""
    before = [token.norm for token in tokens[max(0, first - 6) : first] if token.part == tokens[first].part]
    article = 1 if before and before[-1] == "the" else 0
    preposition = before[-1 - article] if len(before) > article else ""
    capital, placed = tokens[first].capital, tokens[last].norm in PLACE_WORDS
    run_is_plain = not any(token.norm in _NAME_ENDS for token in tokens[first : last + 1])
    score = 0.5 if {token.norm for token in tokens if token.part == tokens[first].part} & CARE_WORDS else 0.0
    score += 0.75 if article and capital and (not tokens[first - 1].first or placed) else 0.0
    score += _preposition_score(preposition, before[: len(before) - 1 - article], capital)
    if preposition in ("in", "near") and not article and not placed and run_is_plain:
        # A word or two behind "in" are most often a town.
        score -= 2.0
    if preposition in ("at", "in") and set(before[-2:-1]) & _CARE_TAILS and run_is_plain:
        # "Larch nursing home in Welby" names the town last.
        score -= 1.0
    if tokens[first].comma and preposition not in _AT_CUES:
        # So is what follows a comma.
        score -= 1.0
    return score


def _preposition_score(preposition: str, before: list[str], capital: bool) -> float:
    if preposition in ("called", "named"):
        return 1.5
    if preposition in ("agency", "home", "is") and set(before[-3:]) & _SERVICE_CUES | {preposition} & {
        "agency"
    }:
        return 1.5
    if preposition not in _AT_CUES:
        return 0.0
    score = 1.0 if capital and preposition in ("with", "at", "by", "for") else 0.5
    return score + (1.0 if set(before[-2:]) & _SERVICE_CUES else 0.0)
