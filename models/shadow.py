"""A candidate beside the model in force: where they agree, where not, and how each did against people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triage.vocabulary import Category, Severity


@dataclass(frozen=True)
class Said:
    """Labels that somebody gave to one message; `needs_review` is of machines alone."""

    category: Category
    severity: Severity | None
    needs_review: bool = False


@dataclass(frozen=True)
class Pair:
    """One message, by its concern's reference, as both models labelled it, and as a person did, if one has."""

    reference: str
    in_force: Said
    shadow: Said
    decided: Said | None = None

    @property
    def differs(self) -> bool:
        """Whether the models gave it another category or severity."""
        return (self.in_force.category, self.in_force.severity) != (
            self.shadow.category,
            self.shadow.severity,
        )


@dataclass(frozen=True)
class AgainstPeople:
    """How one model did on what people decided: counts, and the shares of safeguarding and red that it called."""

    category_right: int
    severity_right: int
    safeguarding_called: int
    red_called: int
    grave_missed: tuple[str, ...]


@dataclass(frozen=True)
class ShadowFigures:
    """All that the report says."""

    messages: int
    same_category: int
    same_severity: int
    review_in_force: int
    review_shadow: int
    differing: tuple[Pair, ...]
    decided: int
    decided_safeguarding: int
    decided_red: int
    in_force: AgainstPeople
    shadow: AgainstPeople


def shadow_figures(pairs: Sequence[Pair]) -> ShadowFigures:
    """Counts over the pairs; those on which the models differ are kept in the order given."""
    decided = [(pair, pair.decided) for pair in pairs if pair.decided is not None]
    return ShadowFigures(
        messages=len(pairs),
        same_category=sum(pair.in_force.category is pair.shadow.category for pair in pairs),
        same_severity=sum(pair.in_force.severity == pair.shadow.severity for pair in pairs),
        review_in_force=sum(pair.in_force.needs_review for pair in pairs),
        review_shadow=sum(pair.shadow.needs_review for pair in pairs),
        differing=tuple(pair for pair in pairs if pair.differs),
        decided=len(decided),
        decided_safeguarding=sum(truth.category is Category.SAFEGUARDING for _, truth in decided),
        decided_red=sum(truth.severity is Severity.RED for _, truth in decided),
        in_force=_against([(pair.reference, pair.in_force, truth) for pair, truth in decided]),
        shadow=_against([(pair.reference, pair.shadow, truth) for pair, truth in decided]),
    )


def _against(rows: Sequence[tuple[str, Said, Said]]) -> AgainstPeople:
    return AgainstPeople(
        category_right=sum(said.category is truth.category for _, said, truth in rows),
        severity_right=sum(said.severity == truth.severity for _, said, truth in rows),
        safeguarding_called=sum(
            truth.category is Category.SAFEGUARDING and said.category is Category.SAFEGUARDING
            for _, said, truth in rows
        ),
        red_called=sum(
            truth.severity is Severity.RED and said.severity is Severity.RED for _, said, truth in rows
        ),
        grave_missed=tuple(reference for reference, said, truth in rows if _misses(said, truth)),
    )


def _misses(said: Said, truth: Said) -> bool:
    """Whether safeguarding or red was neither called nor sent to a person."""
    safeguarding = truth.category is Category.SAFEGUARDING and said.category is not Category.SAFEGUARDING
    red = truth.severity is Severity.RED and said.severity is not Severity.RED
    return (safeguarding or red) and not said.needs_review
