"""The states and the moves between them, and their picture in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.lifecycle import (
    CONCERN_MOVES,
    MESSAGE_MOVES,
    ConcernState,
    Disposition,
    MoveRefused,
    as_mermaid,
    check_message_move,
    check_move,
)

STATES = Path(__file__).resolve().parents[2] / "docs" / "states.md"


def test_the_picture_in_the_docs_is_the_table() -> None:
    """docs/states.md holds what triage.lifecycle.as_mermaid() says, between its fences."""
    assert STATES.read_text().partition("```mermaid\n")[2].partition("```")[0] == as_mermaid()


def test_the_picture_shows_every_state_and_every_move() -> None:
    """Of concerns and of messages."""
    picture = as_mermaid()
    for concern_before, concern_targets in CONCERN_MOVES.items():
        for after in concern_targets:
            assert f"    {concern_before} --> {after}:" in picture
    for before, targets in MESSAGE_MOVES.items():
        for target in targets:
            assert f"    message_{before} --> message_{target}:" in picture
    assert picture.count("-->") == 1 + sum(map(len, (*CONCERN_MOVES.values(), *MESSAGE_MOVES.values())))


def test_every_state_is_in_the_table() -> None:
    """A state without a row would be a crash."""
    assert set(CONCERN_MOVES) == set(ConcernState)
    assert set(MESSAGE_MOVES) == set(Disposition)


def test_nothing_that_became_a_concern_stops_being_one() -> None:
    """Neither by machine nor by hand."""
    for after in Disposition:
        with pytest.raises(MoveRefused, match="concern"):
            check_message_move(Disposition.CONCERN, after)


def test_a_further_message_brings_back_what_was_decided_and_nothing_is_closed_unseen() -> None:
    """What was joined or erased has no messages to wait with."""
    check_move(ConcernState.REVIEWED, ConcernState.NEW)
    check_move(ConcernState.CLOSED, ConcernState.NEW)
    for before in (ConcernState.NEW, ConcernState.JOINED, ConcernState.ERASED):
        with pytest.raises(MoveRefused):
            check_move(before, ConcernState.NEW)
    with pytest.raises(MoveRefused):
        check_move(ConcernState.NEW, ConcernState.CLOSED)
    check_move(ConcernState.CLOSED, ConcernState.REVIEWED)


def test_what_was_erased_stays_so() -> None:
    """No move leads out of it, and every other state may be left for it."""
    for after in ConcernState:
        with pytest.raises(MoveRefused):
            check_move(ConcernState.ERASED, after)
    for before in set(ConcernState) - {ConcernState.ERASED}:
        check_move(before, ConcernState.ERASED)
