"""Cutting a text at the borders of the words behind its labels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.web.highlight import Piece, Span, pieces

spans = st.lists(
    st.builds(
        Span,
        number=st.integers(1, 9),
        start=st.integers(-3, 40),
        end=st.integers(-3, 40),
        is_rule=st.booleans(),
        is_weakened=st.booleans(),
    ),
    max_size=8,
)


@given(st.text(max_size=30), spans)
def test_nothing_of_the_text_is_lost_or_doubled(text: str, marked: list[Span]) -> None:
    """Whatever the spans, the pieces together are the text."""
    assert "".join(piece.text for piece in pieces(text, marked)) == text


@given(st.text(min_size=1, max_size=30), spans)
def test_each_letter_is_marked_by_exactly_the_spans_over_it(text: str, marked: list[Span]) -> None:
    """Overlaps carry every number, and a span that does not fit marks nothing."""
    at = 0
    good = [span for span in marked if 0 <= span.start < span.end <= len(text)]
    for piece in pieces(text, marked):
        over = sorted(span.number for span in good if span.start <= at < span.end)
        assert list(piece.numbers) == over
        at += len(piece.text)


def test_words_that_stand_are_not_shown_as_weakened_by_a_neighbour() -> None:
    """Where a weakened and a standing reason meet, the words stand."""
    weak = Span(number=1, start=0, end=4, is_rule=True, is_weakened=True)
    firm = Span(number=2, start=2, end=4, is_rule=False, is_weakened=False)
    assert pieces("abcdef", [weak, firm]) == [
        Piece("ab", numbers=(1,), is_rule=True, is_weakened=True),
        Piece("cd", numbers=(1, 2), ending=(1, 2), is_rule=True, is_weakened=False),
        Piece("ef"),
    ]
