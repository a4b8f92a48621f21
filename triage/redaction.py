"""Takes personal data out of a text before it leaves the desk or is learned from.

What has a shape (numbers, addresses) is found nearly always; names are found by cues and lists, which
no rule can make complete. So this is a second line: what leaves the desk says as little as it can anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from triage.redaction_kinds import PersonalData, PersonalDataKind
from triage.redaction_names import find_names
from triage.redaction_numbers import blanked, find_numbers_and_addresses

__all__ = ["PersonalData", "PersonalDataKind", "find_personal_data", "redact"]

_PART = re.compile(r"[^\W\d_]+")


def find_personal_data(text: str, *, known_names: Sequence[str] = ()) -> list[PersonalData]:
    """The personal data in a text, in order and without overlaps.

    `known_names` are names from the thread's own fields; they and their parts count wherever they occur.
    """
    shaped = find_numbers_and_addresses(text)
    names = find_names(blanked(text, shaped), known_names)
    return sorted([*shaped, *names], key=lambda item: item.start)


def redact(text: str, *, known_names: Sequence[str] = ()) -> str:
    """The text with a marker in place of each finding; a person keeps one number: "[name 1]"."""
    found = find_personal_data(text, known_names=known_names)
    people = _People(item.text for item in found if item.kind is PersonalDataKind.NAME)
    pieces, end = [], 0
    for item in found:
        marker = (
            f"{item.kind} {people.number(item.text)}"
            if item.kind is PersonalDataKind.NAME
            else str(item.kind)
        )
        pieces += [text[end : item.start], f"[{marker}]"]
        end = item.end
    return "".join([*pieces, text[end:]])


def _parts(name: str) -> frozenset[str]:
    return frozenset(part.lower() for part in _PART.findall(name))


class _People:
    """Who is who among the names of one text: full names first, then their parts."""

    def __init__(self, names: Iterable[str]) -> None:
        written = [_parts(name) for name in names]
        self._numbers: dict[frozenset[str], int] = {}
        self._holders: dict[str, frozenset[str]] = {}
        for parts in written:
            if len(parts) > 1:
                for part in parts:
                    self._holders.setdefault(part, parts)
        for parts in written:
            self._numbers.setdefault(self._whole(parts), len(self._numbers) + 1)

    def _whole(self, parts: frozenset[str]) -> frozenset[str]:
        """The full name that a single part stands for: the first in the text that has it."""
        return self._holders.get(next(iter(parts)), parts) if len(parts) == 1 else parts

    def number(self, name: str) -> int:
        """The person's number, from 1 in the order of the text."""
        return self._numbers[self._whole(_parts(name))]
