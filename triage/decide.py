"""From an assessment to a route and an urgency: rules outrank scores upwards, never downwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from triage.red_flags import RedFlags, shipped_red_flags
from triage.vocabulary import (
    MOST_ABUSE_TYPES,
    MOST_THEMES,
    AbuseType,
    Assessment,
    Category,
    Decision,
    Reason,
    RedFlag,
    Severity,
    Theme,
)

_Label = TypeVar("_Label")

# From here on a standing hit asks a person: hits that outrank even this call newsletters and thanks abuse, which
# cost .03 of the category's macro-F1 where it was measured, and found nothing that was one.
_SURELY_NO_CONCERN = 0.9


def decide(assessment: Assessment, *, red_flags: RedFlags | None = None) -> Decision:
    """The labels to show until a person decides, and whether a person must look before they are believed.

    With words from attached files the most protective of both wins: the message alone, and with them.
    """
    rules = red_flags or shipped_red_flags()
    decision = _decide(assessment, rules)
    if assessment.alone is None:
        return decision
    return _most_protective(_decide(assessment.alone, rules), decision, assessment)


def _most_protective(alone: Decision, with_files: Decision, assessment: Assessment) -> Decision:
    category = max(alone.category, with_files.category, key=lambda label: label.protection)
    severities = [one for one in (alone.severity, with_files.severity) if one is not None]
    severity = max(severities, default=None)
    gravest = alone if alone.category is category and alone.themes else with_files
    other = with_files if gravest is alone else alone
    review = _review_reasons(assessment, category, severity)
    return replace(
        with_files,
        category=category,
        severity=severity,
        themes=gravest.themes or other.themes,
        abuse_types=gravest.abuse_types or other.abuse_types,
        needs_review=bool(review),
        review_reasons=review,
        could_also_be=_could_also_be(assessment, category, severity),
        redirect=alone.redirect if category is Category.NOT_A_CONCERN else "",
    )


def _decide(assessment: Assessment, rules: RedFlags) -> Decision:
    raising = _raising(assessment, rules)
    category, severity = _labels(assessment, raising)
    review = _review_reasons(assessment, category, severity)
    return Decision(
        category=category,
        severity=severity,
        themes=_themes(assessment, category, raising),
        abuse_types=_abuse_types(assessment, category, raising),
        needs_review=bool(review),
        review_reasons=review,
        could_also_be=_could_also_be(assessment, category, severity),
        reasons=_reasons(assessment),
        redirect=_redirect(assessment, category, rules),
    )


def _raising(assessment: Assessment, rules: RedFlags) -> list[RedFlag]:
    """The hits that raise the label.

    In what surely is no concern, such as a newsletter about abuse, they ask a person instead.
    """
    if assessment.prediction.category[Category.NOT_A_CONCERN] >= _SURELY_NO_CONCERN:
        return []
    return [flag for flag in assessment.red_flags if rules.raises(flag)]


def _likeliest(probabilities: Mapping[_Label, float]) -> _Label:
    return max(probabilities, key=lambda label: probabilities[label])


def _labels(assessment: Assessment, raising: list[RedFlag]) -> tuple[Category, Severity | None]:
    prediction = assessment.prediction
    category = max(
        [_likeliest(prediction.category), *(flag.category for flag in raising)], key=lambda c: c.protection
    )
    if category is Category.NOT_A_CONCERN:
        return category, None
    return category, max([_likeliest(prediction.severity), *(flag.severity for flag in raising)])


def _themes(assessment: Assessment, category: Category, raising: list[RedFlag]) -> tuple[Theme, ...]:
    if category is Category.NOT_A_CONCERN:
        return ()
    chosen = assessment.prediction.chosen_themes
    by_rule = tuple(dict.fromkeys(theme for flag in raising for theme in flag.themes))
    return (chosen or by_rule)[:MOST_THEMES]


def _abuse_types(assessment: Assessment, category: Category, raising: list[RedFlag]) -> tuple[AbuseType, ...]:
    if category is not Category.SAFEGUARDING:
        return ()
    by_rule = tuple(dict.fromkeys(kind for flag in raising for kind in flag.abuse_types))
    return (assessment.prediction.chosen_abuse_types or by_rule)[:MOST_ABUSE_TYPES]


def _review_reasons(assessment: Assessment, category: Category, severity: Severity | None) -> tuple[str, ...]:
    """Why a person must look: something more protective or more urgent cannot be ruled out."""
    prediction = assessment.prediction
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("could be safeguarding", lambda: _open(prediction.category_set, Category.SAFEGUARDING, category)),
        ("could be a concern", lambda: _may_be_concern(prediction.category_set, category)),
        ("could be red", lambda: severity is not None and _may_be_red(assessment, severity)),
        ("a rule saw more", lambda: _rule_saw_more(assessment, category, severity)),
        ("an attached file could not be read", lambda: assessment.unread_files),
        ("tries to steer the label", lambda: bool(assessment.steering) and severity is not Severity.RED),
    ]
    return tuple(name for name, holds in checks if holds())


def _open(labels: frozenset[Category], label: Category, chosen: Category) -> bool:
    return chosen is not label and label in labels


def _may_be_concern(labels: frozenset[Category], chosen: Category) -> bool:
    return chosen is Category.NOT_A_CONCERN and any(label is not chosen for label in labels)


def _may_be_red(assessment: Assessment, severity: Severity) -> bool:
    return severity is not Severity.RED and Severity.RED in assessment.prediction.severity_set


def _rule_saw_more(assessment: Assessment, category: Category, severity: Severity | None) -> bool:
    return any(
        flag.stands
        and (flag.category.protection > category.protection or severity is None or flag.severity > severity)
        for flag in assessment.red_flags
    )


def _could_also_be(assessment: Assessment, category: Category, severity: Severity | None) -> tuple[str, ...]:
    prediction = assessment.prediction
    categories = [label for label in Category if label in prediction.category_set and label is not category]
    severities: list[Severity] = []
    if severity is not None:
        severities = [label for label in reversed(Severity) if label in prediction.severity_set]
    return (
        *(label.value for label in categories),
        *(label.label for label in severities if label is not severity),
    )


def _reasons(assessment: Assessment) -> tuple[Reason, ...]:
    """Rules first, those that stand before those that are weakened, then the words that moved the models."""
    flags = sorted(assessment.red_flags, key=lambda flag: (not flag.stands, -flag.reason.weight))
    return (*(flag.reason for flag in flags), *assessment.steering, *assessment.prediction.reasons)


def _redirect(assessment: Assessment, category: Category, rules: RedFlags) -> str:
    if category is not Category.NOT_A_CONCERN:
        return ""
    return next(iter(rules.redirects(assessment.read_text)), "")
