"""Is the corpus fit to learn from? Labels, copies, balance, and overlap with what it is measured on."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from models.labelled import LabelledMessage
from triage.vocabulary import AbuseType, Category, Theme

LEAST_THEME = 80
LEAST_ABUSE_TYPE = 60
LEAST_MESSAGES = 4000
LEAST_IN_GROUPS = 600

_SHINGLE_WORDS = 5
_COPY_SHARE = 0.5
_SAME_SENTENCE_WORDS = 8
# A run of words that stands in more messages than this is a form's heading or a footer, no sign of copying.
_MOST_HOLDERS = 12
_WORD = re.compile(r"[a-z0-9']+")
_SENTENCE_END = re.compile(r"[.!?\n]+")


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong, in a sentence; `grave` when the corpus must not be used like this."""

    text: str
    grave: bool


def check_corpus(
    messages: Sequence[LabelledMessage], measured_on: Sequence[LabelledMessage] = ()
) -> Iterator[Complaint]:
    """Every complaint about the messages; `measured_on` are those that figures come from."""
    yield from _ids(messages)
    yield from _copies(messages)
    yield from _balance(messages)
    yield from _evidence(messages)
    yield from _overlap(messages, measured_on)


def _ids(messages: Sequence[LabelledMessage]) -> Iterator[Complaint]:
    for message_id, count in Counter(message.message_id for message in messages).items():
        if count > 1:
            yield Complaint(f"{message_id} stands {count} times", grave=True)


def _copies(messages: Sequence[LabelledMessage]) -> Iterator[Complaint]:
    """Messages that share half of their runs of five words, unless they are one pair or group."""
    shingles = [_shingles(message.text) for message in messages]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, found in enumerate(shingles):
        for shingle in found:
            holders[shingle].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in holders.values():
        if 1 < len(numbers) <= _MOST_HOLDERS:
            shared.update(combinations(numbers, 2))
    for (first, second), count in shared.items():
        smaller = min(len(shingles[first]), len(shingles[second]))
        if count >= _COPY_SHARE * smaller and messages[first].group != messages[second].group:
            yield Complaint(
                f"{messages[second].message_id} is nearly {messages[first].message_id}", grave=True
            )


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    if len(words) < _SHINGLE_WORDS:
        return {tuple(words)}
    return {tuple(words[i : i + _SHINGLE_WORDS]) for i in range(len(words) - _SHINGLE_WORDS + 1)}


def _balance(messages: Sequence[LabelledMessage]) -> Iterator[Complaint]:
    if len(messages) < LEAST_MESSAGES:
        yield Complaint(f"{len(messages)} messages, {LEAST_MESSAGES} are wanted", grave=False)
    grouped = sum(bool(message.pair or message.invariant) for message in messages)
    if grouped < LEAST_IN_GROUPS:
        yield Complaint(f"{grouped} messages in pairs, {LEAST_IN_GROUPS} are wanted", grave=False)
    themes = Counter(theme for message in messages for theme in message.themes)
    kinds = Counter(kind for message in messages for kind in message.abuse_types)
    for theme in Theme:
        if themes[theme] < LEAST_THEME:
            yield Complaint(f"theme {theme}: {themes[theme]}, {LEAST_THEME} are wanted", grave=False)
    for kind in AbuseType:
        if kinds[kind] < LEAST_ABUSE_TYPE:
            yield Complaint(f"abuse type {kind}: {kinds[kind]}, {LEAST_ABUSE_TYPE} are wanted", grave=False)


def _evidence(messages: Sequence[LabelledMessage]) -> Iterator[Complaint]:
    for message in messages:
        if any(not 0 <= start < end <= len(message.text) for start, end in message.evidence):
            yield Complaint(f"{message.message_id}: a marked passage is outside of the text", grave=True)
        elif not message.evidence and message.category is not Category.NOT_A_CONCERN:
            yield Complaint(f"{message.message_id}: no passage is marked", grave=False)


def _overlap(
    messages: Sequence[LabelledMessage], measured_on: Sequence[LabelledMessage]
) -> Iterator[Complaint]:
    known = {sentence for message in measured_on for sentence in _sentences(message.text)}
    for message in messages:
        if known.intersection(_sentences(message.text)):
            yield Complaint(f"{message.message_id} shares a sentence with what it is measured on", grave=True)


def _sentences(text: str) -> Iterator[tuple[str, ...]]:
    for sentence in _SENTENCE_END.split(text.lower()):
        words = tuple(_WORD.findall(sentence))
        if len(words) >= _SAME_SENTENCE_WORDS:
            yield words


def summary(messages: Sequence[LabelledMessage]) -> str:
    """Counts by category, severity, theme and type, as plain text."""
    labels = Counter(
        (m.category.value, m.severity.label if m.severity is not None else "-") for m in messages
    )
    themes = Counter(theme.value for message in messages for theme in message.themes)
    kinds = Counter(kind.value for message in messages for kind in message.abuse_types)
    rows = Counter(message.row for message in messages)
    return "\n".join(
        [
            f"{len(messages)} messages, {len({message.group for message in messages})} groups",
            *(
                f"{category:14s} {severity:6s} {count}"
                for (category, severity), count in sorted(labels.items())
            ),
            "themes: " + ", ".join(f"{name} {count}" for name, count in themes.most_common()),
            "abuse types: " + ", ".join(f"{name} {count}" for name, count in kinds.most_common()),
            "rows: " + ", ".join(f"{name} {count}" for name, count in sorted(rows.items())),
        ]
    )
