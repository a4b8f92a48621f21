"""Red flags: the rules of red_flags.toml, found in a text, each hit with the context that weakens it."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from triage.phrases import Phrases, english, expand, sentences
from triage.vocabulary import AbuseType, Category, Reason, ReasonKind, RedFlag, Severity, Theme

_TABLE = Path(__file__).with_name("red_flags.toml")
_SCOPE_TOKENS = 8
_WEIGHT = {"raise": 1.0, "review": 0.6}
_WEAKENED = 0.3


@dataclass(frozen=True)
class Rule:
    """One rule of the table; `raises` is whether a hit that stands raises the label by itself."""

    name: str
    row: str
    raises: bool
    category: Category
    severity: Severity
    abuse_types: tuple[AbuseType, ...]
    themes: tuple[Theme, ...]
    together_with: tuple[str, ...]


class RedFlags:
    """The rules of one table, ready to find; safe to share between threads."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        groups: dict[str, Sequence[str]] = {**table["words"], **table.get("words_more", {})}
        self._nlp = english()
        self._rules = {flag["name"]: _rule(flag) for flag in table["flag"]}
        self._flags = self._phrases({flag["name"]: flag["any"] for flag in table["flag"]}, groups)
        self._groups = self._phrases(dict(groups), {})
        context = dict(table["context"])
        self._context = self._phrases(context, groups)
        self._steering = self._phrases({"steering": table["steering"]["any"]}, groups)
        self._redirects = self._phrases({k: v["any"] for k, v in table["redirect"].items()}, groups)

    def _phrases(self, written: Mapping[str, Iterable[str]], groups: Mapping[str, Sequence[str]]) -> Phrases:
        plain = {
            label: [text for phrase in phrases for text in expand(phrase, groups)]
            for label, phrases in written.items()
        }
        return Phrases(self._nlp, plain)

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Every rule by name."""
        return self._rules

    def raises(self, flag: RedFlag) -> bool:
        """Whether the hit raises the label by itself."""
        return flag.stands and self._rules[flag.reason.name].raises

    def find(self, text: str) -> tuple[RedFlag, ...]:
        """Every hit in the text, in order; spans are characters of it."""
        doc = self._nlp.make_doc(text)
        found: list[RedFlag] = []
        groups_at, flags_at = self._groups.find(doc), self._flags.find(doc)
        if not flags_at:
            return ()
        for sentence in sentences(doc):
            hits = [span for span in flags_at if sentence.start <= span.start < sentence.end]
            if hits:
                present = {span.label_ for span in groups_at if sentence.start <= span.start < sentence.end}
                found += self._hits(doc, sentence, hits, present)
        return tuple(found)

    def _hits(self, doc: Doc, sentence: Span, hits: list[Span], present: set[str]) -> list[RedFlag]:
        widest: dict[str, Span] = {}
        for span in hits:
            rule = self._rules[span.label_]
            if set(rule.together_with) <= present:
                known = widest.get(rule.name)
                widest[rule.name] = span if known is None or len(span) > len(known) else known
        cues = self._context.find(sentence.as_doc(), longest_only=True)
        return [
            _flag(self._rules[name], span, _context_of(span, sentence, cues)) for name, span in widest.items()
        ]

    def steering(self, text: str) -> tuple[Reason, ...]:
        """Words that try to steer the label; they are marked and change nothing."""
        doc = self._nlp.make_doc(text)
        return tuple(
            Reason(
                ReasonKind.RULE, "tries to steer the label", span.text, span.start_char, span.end_char, 0.0
            )
            for span in self._steering.find(doc, longest_only=True)
        )

    def redirects(self, text: str) -> tuple[str, ...]:
        """Other services that the text may be for, such as "children"."""
        hits = self._redirects.find(self._nlp.make_doc(text))
        return tuple(sorted({span.label_ for span in hits}))


def _rule(flag: Mapping[str, Any]) -> Rule:
    return Rule(
        name=flag["name"],
        row=flag["row"],
        raises=flag["effect"] == "raise",
        category=Category(flag["category"]),
        severity=Severity.from_label(flag["severity"]),
        abuse_types=tuple(AbuseType(kind) for kind in flag.get("abuse_types", ())),
        themes=tuple(Theme(theme) for theme in flag.get("themes", ())),
        together_with=tuple(flag.get("with", ())),
    )


def _flag(rule: Rule, span: Span, context: tuple[str, ...]) -> RedFlag:
    weight = _WEAKENED if context else _WEIGHT["raise" if rule.raises else "review"]
    reason = Reason(ReasonKind.RULE, rule.name, span.text, span.start_char, span.end_char, weight, context)
    return RedFlag(reason, rule.category, rule.severity, rule.abuse_types, rule.themes)


def _context_of(span: Span, sentence: Span, cues: list[Span]) -> tuple[str, ...]:
    """The kinds of context the hit stands in; cues count tokens from the sentence's start."""
    start, end = span.start - sentence.start, span.end - sentence.start
    by_kind: dict[str, list[Span]] = defaultdict(list)
    for cue in cues:
        by_kind[cue.label_].append(cue)
    stops = [cue.start for cue in by_kind["stops"]]
    kinds = [
        kind
        for kind in ("negated", "hypothetical")
        if any(_reaches_forward(cue, start, stops) for cue in by_kind[kind])
    ]
    if any(not start <= cue.start < end for cue in by_kind["past"]):
        kinds.append("past")
    if by_kind["policy"]:
        kinds.append("policy")
    return tuple(kinds)


def _reaches_forward(cue: Span, start: int, stops: list[int]) -> bool:
    if not cue.end <= start or start - cue.end > _SCOPE_TOKENS:
        return False
    return not any(cue.end <= stop < start for stop in stops)


@cache
def shipped_red_flags() -> RedFlags:
    """The rules that come with the program."""
    return RedFlags(tomllib.loads(_TABLE.read_text()))
