"""What a writer added is found among histories, signatures and forwards, and never lost."""

from __future__ import annotations

import pytest

from bot.email_parsing import parse_email
from tests.bot.email_shapes import ALL_SHAPES, FORWARDS, REPLIES, SIGNATURES, TRAPS, Shape


def _squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("shape", ALL_SHAPES, ids=lambda shape: shape.name)
def test_new_text_keeps_what_the_writer_said(shape: Shape) -> None:
    """Every sentence of the writer, and of a forwarded mail, is in new_text."""
    new_text = _squeezed(parse_email(shape.raw).new_text)
    assert [kept for kept in shape.keeps if _squeezed(kept) not in new_text] == []


@pytest.mark.parametrize("shape", ALL_SHAPES, ids=lambda shape: shape.name)
def test_new_text_sets_history_and_signature_apart(shape: Shape) -> None:
    """Quoted history, signatures, banners and disclaimers are not in new_text, and still in text."""
    message = parse_email(shape.raw)
    assert [dropped for dropped in shape.drops if dropped in message.new_text] == []
    assert [
        lost for lost in (*shape.drops, *shape.keeps) if _squeezed(lost) not in _squeezed(message.text)
    ] == []


@pytest.mark.parametrize("shape", FORWARDS, ids=lambda shape: shape.name)
def test_a_forward_names_its_original_author(shape: Shape) -> None:
    """The From line of the forwarded mail is the original author."""
    author = parse_email(shape.raw).original_author
    assert (author.address if author else "") == shape.author


@pytest.mark.parametrize("shape", REPLIES + SIGNATURES + TRAPS, ids=lambda shape: shape.name)
def test_no_other_mail_has_an_original_author(shape: Shape) -> None:
    """A reply is its sender's own."""
    assert parse_email(shape.raw).original_author is None


def test_there_are_enough_shapes() -> None:
    """The promise is kept over at least sixty ways to write a mail."""
    assert len(ALL_SHAPES) >= 60
