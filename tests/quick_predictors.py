"""Predictors with fixed answers by keyword: the same promise as the trained models, and no waiting."""

from __future__ import annotations

from dataclasses import dataclass

from triage.vocabulary import AbuseType, Category, Prediction, Reason, ReasonKind, Severity, Theme

# The first word that stands in the text decides.
ANSWERS: tuple[tuple[str, Category, Severity], ...] = (
    ("assaulted", Category.SAFEGUARDING, Severity.RED),
    ("purse", Category.SAFEGUARDING, Severity.AMBER),
    ("carpet", Category.CARE_CONCERN, Severity.GREEN),
    ("late visits", Category.CARE_CONCERN, Severity.AMBER),
    ("shower rail", Category.REFERRAL, Severity.GREEN),
)
_SURE = 0.85


@dataclass(frozen=True)
class QuickPredictors:
    """Answers by ANSWERS; what holds none of its words is not a concern."""

    version: str = "quick-1"

    def predict(self, subject: str, text: str) -> Prediction:
        """The fixed answer for the first keyword in subject and text."""
        whole = f"{subject}\n{text}".lower()
        word, category, severity = next(
            (answer for answer in ANSWERS if answer[0] in whole), ("", Category.NOT_A_CONCERN, Severity.GREEN)
        )
        return prediction(category, severity, reasons=_reasons(text, word, category), version=self.version)


def _reasons(text: str, word: str, category: Category) -> tuple[Reason, ...]:
    start = text.lower().find(word) if word else -1
    if start < 0:
        return ()
    end = start + len(word)
    return (Reason(ReasonKind.MODEL, category.value, text[start:end], start, end, 0.8),)


def prediction(
    category: Category,
    severity: Severity,
    *,
    themes: tuple[Theme, ...] = (),
    abuse_types: tuple[AbuseType, ...] = (),
    category_set: frozenset[Category] | None = None,
    severity_set: frozenset[Severity] | None = None,
    reasons: tuple[Reason, ...] = (),
    version: str = "quick-1",
    sure: float = _SURE,
) -> Prediction:
    """A prediction that is sure of these labels, with these sets (default: nothing else is possible)."""
    rest = (1 - sure) / (len(Category) - 1)
    if category is Category.SAFEGUARDING and not abuse_types:
        abuse_types = (AbuseType.NEGLECT,)
    return Prediction(
        category={label: sure if label is category else rest for label in Category},
        severity={label: sure if label is severity else (1 - sure) / 2 for label in Severity},
        themes={theme: 0.9 if theme in themes else 0.01 for theme in Theme},
        abuse_types={kind: 0.9 if kind in abuse_types else 0.01 for kind in AbuseType},
        chosen_themes=themes,
        chosen_abuse_types=abuse_types,
        category_set=frozenset({category}) if category_set is None else category_set,
        severity_set=frozenset({severity}) if severity_set is None else severity_set,
        reasons=reasons,
        model_version=version,
    )
