"""A message's text cut where the words behind its labels begin and end, so that a page can mark them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Span:
    """Where the words of one reason stand: characters [start, end) of the text."""

    number: int
    start: int
    end: int
    is_rule: bool
    is_weakened: bool


@dataclass(frozen=True)
class Piece:
    """A run of text that the same reasons cover; `ending` are the numbers of reasons that end with it."""

    text: str
    numbers: tuple[int, ...] = ()
    ending: tuple[int, ...] = ()
    is_rule: bool = False
    is_weakened: bool = False


def pieces(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The whole text in order, cut at every border of a span; spans may overlap, and wrong ones are left out."""
    good = [span for span in spans if 0 <= span.start < span.end <= len(text)]
    cuts = sorted({0, len(text), *(span.start for span in good), *(span.end for span in good)})
    found = []
    for start, end in pairwise(cuts):
        over = [span for span in good if span.start <= start and end <= span.end]
        found.append(
            Piece(
                text=text[start:end],
                numbers=tuple(sorted(span.number for span in over)),
                ending=tuple(sorted(span.number for span in over if span.end == end)),
                is_rule=any(span.is_rule for span in over),
                # Marked as weakened only where nothing that stands covers the same words.
                is_weakened=bool(over) and all(span.is_weakened for span in over),
            )
        )
    return found
