"""Phrases written by people (`a|b`, `{group}`, `word?`) made into patterns that spaCy finds in a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import spacy
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

_LONGEST_SENTENCE_TOKENS = 60


def english() -> Language:
    """spaCy's English tokeniser with sentences; lines end sentences too, and none is endless."""
    nlp = spacy.blank("en")
    nlp.max_length = 5_000_000
    return nlp


def expand(phrase: str, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every plain phrase that the written one stands for."""
    choices: list[Sequence[str]] = []
    for word in phrase.split():
        if word.startswith("{"):
            choices.append(groups[word.strip("{}")])
        elif word.endswith("?"):
            choices.append([*word[:-1].split("|"), ""])
        else:
            choices.append(word.split("|"))
    for words in product(*choices):
        yield " ".join(word for word in words if word)


class Phrases:
    """Finds phrases by label, without regard to case; built once, safe to share between threads."""

    def __init__(self, nlp: Language, phrases: Mapping[str, Iterable[str]]) -> None:
        self._matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        for label, texts in phrases.items():
            self._matcher.add(label, [nlp.make_doc(text.lower()) for text in texts])

    def find(self, doc: Doc, *, longest_only: bool = False) -> list[Span]:
        """The hits in order, labelled; with `longest_only`, none that overlaps a longer one."""
        spans = self._matcher(doc, as_spans=True)
        if longest_only:
            return list(filter_spans(spans))
        return sorted(spans, key=lambda span: (span.start, span.end))


def sentences(doc: Doc) -> list[Span]:
    """The sentences of a text: cut at full stops, at line ends, and at the latest after sixty tokens."""
    spans, start = [], 0
    for token in doc:
        ends = token.text in {".", "!", "?", "…"} or "\n" in token.text_with_ws
        if ends or token.i + 1 - start >= _LONGEST_SENTENCE_TOKENS:
            spans.append(doc[start : token.i + 1])
            start = token.i + 1
    if start < len(doc):
        spans.append(doc[start:])
    return [span for span in spans if span.text.strip()]
