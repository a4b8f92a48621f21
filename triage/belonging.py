"""Which concern a message may belong to: our token in it, and cheap rules whose reasons a person can check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from triage.vocabulary import Category, Decision, Severity

# Lower case and digits alone: mail systems on the way may change the case of an address.
TAG_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
TAG_LENGTH = 20
"""Twenty of thirty-two letters: a hundred bits, not to be guessed."""

_TOKEN = rf"[{TAG_LETTERS}]{{{TAG_LENGTH}}}"
_TAG = re.compile(_TOKEN, re.IGNORECASE)
_IN_SUBJECT = re.compile(rf"\[\s*CC-\d{{4}}-\d{{6,}}\s+({_TOKEN})\s*\]", re.IGNORECASE)
_REFERENCE = re.compile(r"\bCC-\d{4}-\d{6}\b", re.IGNORECASE)
_MOST_REFERENCES = 5

_WORD = re.compile(r"[^\W\d_]{3,}")
# Words that stand in any subject and say nothing of the matter.
_EMPTY_WORDS = frozenset(
    {"the", "and", "for", "with", "about", "from", "our", "your", "this", "that", "was", "are", "has", "have"}
    | {"been", "fwd", "urgent", "help", "please", "care", "concern", "concerns", "complaint", "query"}
    | {"question", "update", "further", "message", "regarding", "safeguarding", "mail", "email", "report"}
)
_CLOSE = 0.5
_LEAST_SHARED = 2


class Why(StrEnum):
    """Why a message may belong to a concern, or may be a matter of its own."""

    STRANGER_ANSWERS_US = "stranger_answers_us"
    STRANGER_ANSWERS_THEM = "stranger_answers_them"
    UNPROVEN_SENDER = "unproven_sender"
    ANSWERED_BEFORE = "answered_before"
    SAME_SENDER = "same_sender"
    SAME_SERVICE_AND_SUBJECT = "same_service_and_subject"
    QUOTES_REFERENCE = "quotes_reference"
    OTHER_SERVICE = "other_service"
    GRAVER_ROUTE = "graver_route"
    GRAVER_WITH_OTHER_ABUSE = "graver_with_other_abuse"
    GRAVER_WITH_OTHER_THEMES = "graver_with_other_themes"


WHY_WORDS = {
    Why.STRANGER_ANSWERS_US: "it answers our mail about that concern, from an address not seen before",
    Why.STRANGER_ANSWERS_THEM: "it is a reply to a message of that concern, from an address not seen before",
    Why.UNPROVEN_SENDER: "it is a reply to a message of that concern, but its sender could not be confirmed",
    Why.ANSWERED_BEFORE: "it is a reply to a message of that concern, which was read only later",
    Why.SAME_SENDER: "it comes from the same address as that concern, and not long after",
    Why.SAME_SERVICE_AND_SUBJECT: "it seems to be about the same service, and the subjects share words",
    Why.QUOTES_REFERENCE: "it quotes the reference number of that concern",
    Why.OTHER_SERVICE: "it seems to be about another service than the rest of this concern",
    Why.GRAVER_ROUTE: "on its own it would take a more protective route than this concern had",
    Why.GRAVER_WITH_OTHER_ABUSE: "it is graver, and names a type of abuse that this concern did not have",
    Why.GRAVER_WITH_OTHER_THEMES: "it is graver, and has themes that this concern did not have",
}


def tag_of(address: str) -> str | None:
    """The token that an address such as care+TOKEN@council.example carries; None when it carries none."""
    tag = address.rpartition("@")[0].partition("+")[2]
    return tag.lower() if _TAG.fullmatch(tag) else None


def with_tag(address: str, token: str) -> str:
    """The address with the token in it."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def without_tag(address: str) -> str:
    """The mailbox that an address with a tag belongs to, in lower case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def subject_tag(reference: str, token: str) -> str:
    """What stands at the end of the subject of our mail; the reference alone could be guessed."""
    return f"[{reference} {token}]"


def tokens_in(addresses: Iterable[str], subject: str) -> list[str]:
    """Every token of ours in the addresses and the subject, in that order, each once."""
    in_addresses = (tag_of(address) for address in addresses)
    in_subject = (found.lower() for found in _IN_SUBJECT.findall(subject))
    return list(dict.fromkeys([*(tag for tag in in_addresses if tag), *in_subject]))


def references_in(text: str) -> list[str]:
    """The reference numbers that a text quotes, each once, the first few."""
    return list(dict.fromkeys(found.upper() for found in _REFERENCE.findall(text)))[:_MOST_REFERENCES]


@dataclass(frozen=True)
class Arrival:
    """What the rules need to know of a message."""

    at: datetime
    provider_id: str | None
    subject: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """What they need to know of a concern that it may belong to."""

    concern_id: str
    reference: str
    provider_id: str | None
    last_at: datetime
    same_sender: bool
    subjects: tuple[str, ...] = ()


def why_it_may_belong(arrival: Arrival, candidate: Candidate, *, within_days: int) -> tuple[Why, ...]:
    """The rules that speak for the concern; empty when none does."""
    if candidate.reference in arrival.references:
        quoted: tuple[Why, ...] = (Why.QUOTES_REFERENCE,)
    else:
        quoted = ()
    if abs(arrival.at - candidate.last_at) > timedelta(days=within_days):
        return quoted
    return (*quoted, *_recent_reasons(arrival, candidate))


def _recent_reasons(arrival: Arrival, candidate: Candidate) -> Iterator[Why]:
    if candidate.same_sender:
        yield Why.SAME_SENDER
    same_service = arrival.provider_id is not None and arrival.provider_id == candidate.provider_id
    if same_service and any(are_close(arrival.subject, subject) for subject in candidate.subjects):
        yield Why.SAME_SERVICE_AND_SUBJECT


def are_close(one: str, other: str) -> bool:
    """Whether two subjects share most of the words that say something."""
    words, others = _saying(one), _saying(other)
    shared = len(words & others)
    return shared >= _LEAST_SHARED and shared / len(words | others) >= _CLOSE


def _saying(subject: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(subject)} - _EMPTY_WORDS


@dataclass(frozen=True)
class Labelled:
    """The labels of a concern before a further message came."""

    category: Category
    severity: Severity | None
    themes: frozenset[str]
    abuse_types: frozenset[str]
    provider_id: str | None


def why_a_new_matter(before: Labelled, decision: Decision, provider_id: str | None) -> tuple[Why, ...]:
    """The rules that speak for a further message being a matter of its own; empty when none does."""
    return tuple(_new_matter_reasons(before, decision, provider_id))


def _new_matter_reasons(before: Labelled, decision: Decision, provider_id: str | None) -> Iterator[Why]:
    if provider_id and before.provider_id and provider_id != before.provider_id:
        yield Why.OTHER_SERVICE
    if not is_graver(before.category, before.severity, decision):
        return
    was_concern = before.category is not Category.NOT_A_CONCERN
    if was_concern and decision.category.protection > before.category.protection:
        yield Why.GRAVER_ROUTE
    if before.abuse_types and _names_others(decision.abuse_types, before.abuse_types):
        yield Why.GRAVER_WITH_OTHER_ABUSE
    if before.themes and _names_others(decision.themes, before.themes):
        yield Why.GRAVER_WITH_OTHER_THEMES


def _names_others(labels: Iterable[str], known: frozenset[str]) -> bool:
    return bool({str(label) for label in labels} - known)


def is_graver(category: Category, severity: Severity | None, decision: Decision) -> bool:
    """Whether the decision stands for more than these labels do."""
    if decision.category.protection > category.protection:
        return True
    return decision.severity is not None and (severity is None or decision.severity > severity)
