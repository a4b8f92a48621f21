"""The states of a concern and of a message, and the moves between them: one table, nothing moves otherwise."""

from __future__ import annotations

from enum import StrEnum

from triage.errors import CareConcernsError


class ConcernState(StrEnum):
    """Where a concern stands; a person moves it on, and a further message makes it wait again."""

    NEW = "new"
    REVIEWED = "reviewed"
    CLOSED = "closed"
    JOINED = "joined"
    ERASED = "erased"


class Disposition(StrEnum):
    """What became of a message: each has exactly one once triage has seen it."""

    CONCERN = "concern"
    DUPLICATE = "duplicate"
    SET_ASIDE = "set_aside"
    SPAM = "spam"


CONCERN_MOVES: dict[ConcernState, frozenset[ConcernState]] = {
    ConcernState.NEW: frozenset({ConcernState.REVIEWED, ConcernState.JOINED, ConcernState.ERASED}),
    ConcernState.REVIEWED: frozenset(
        {
            ConcernState.NEW,
            ConcernState.REVIEWED,
            ConcernState.CLOSED,
            ConcernState.JOINED,
            ConcernState.ERASED,
        }
    ),
    ConcernState.CLOSED: frozenset(
        {ConcernState.NEW, ConcernState.REVIEWED, ConcernState.JOINED, ConcernState.ERASED}
    ),
    # Its messages are in another concern, and what comes for it goes there.
    ConcernState.JOINED: frozenset({ConcernState.ERASED}),
    ConcernState.ERASED: frozenset(),
}

# Nothing leads back to nowhere, and nothing that became a concern stops being one.
MESSAGE_MOVES: dict[Disposition, frozenset[Disposition]] = {
    Disposition.SET_ASIDE: frozenset(
        {Disposition.CONCERN, Disposition.DUPLICATE, Disposition.SET_ASIDE, Disposition.SPAM}
    ),
    Disposition.SPAM: frozenset({Disposition.CONCERN, Disposition.SET_ASIDE}),
    Disposition.DUPLICATE: frozenset({Disposition.CONCERN}),
    Disposition.CONCERN: frozenset(),
}


class MoveRefused(CareConcernsError):
    """A move that the table does not know."""


def check_move(before: ConcernState, after: ConcernState) -> None:
    """MoveRefused unless a concern may go from `before` to `after`."""
    if after not in CONCERN_MOVES[before]:
        raise MoveRefused(f"a concern that is {before} cannot become {after}")


def check_message_move(before: Disposition, after: Disposition) -> None:
    """MoveRefused unless a message may go from `before` to `after`."""
    if after not in MESSAGE_MOVES[before]:
        raise MoveRefused(f"a message that is {before} cannot become {after}")


def as_mermaid() -> str:
    """Both tables as a Mermaid state diagram, for docs/states.md."""
    lines = ["stateDiagram-v2", "    [*] --> new: triage, from a message"]
    lines += [
        f"    {before} --> {after}: {'a further message' if after is ConcernState.NEW else 'a person'}"
        for before, targets in CONCERN_MOVES.items()
        for after in sorted(targets)
    ]
    lines += [
        f"    message_{before} --> message_{after}: read again or a person"
        for before, targets in MESSAGE_MOVES.items()
        for after in sorted(targets)
    ]
    return "\n".join(lines) + "\n"
