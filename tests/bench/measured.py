"""One row of the table: what was measured, and what it should be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A figure; `at_least` or `at_most` is what it should be, where somebody has said so."""

    what: str
    figure: float
    unit: str = ""
    detail: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def wanted(self) -> str:
        """The goal in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty without one."""
        if not self.wanted:
            return ""
        low = self.at_least is not None and self.figure < self.at_least
        high = self.at_most is not None and self.figure > self.at_most
        return "FALLS SHORT" if low or high else "ok"


class CannotMeasure(Exception):
    """Something that the measurement needs is missing; the text says what."""


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the rounds: what slows down a whole round drops out."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def spread(figures: Sequence[float]) -> str:
    """The median, and between what."""
    return f"{statistics.median(figures):.0f} ({min(figures):.0f}-{max(figures):.0f})"
