"""The form in which a person gives labels: read, checked against the coding guide, and shown again with its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from storage.corrections import Labels
from storage.database import Session
from storage.desk_pages import count_corrections
from storage.provider_figures import ServiceFigure, services_by_id, services_with
from storage.tables import AssessmentRow, ConcernRow
from storage.threads import count_messages
from triage.errors import BadInput
from triage.vocabulary import MOST_ABUSE_TYPES, MOST_THEMES, AbuseType, Category, Severity, Theme

NO_SERVICE = "none"
NO_SEVERITY = "none"
MOST_NOTE = 2000
MOST_FOUND = 20


@dataclass(frozen=True)
class ServiceChoice:
    """A service that the form offers, and why it is there."""

    service: ServiceFigure
    hint: str


@dataclass(frozen=True)
class DecisionForm:
    """The values of the form as text; `seen` is what the person had in sight."""

    category: str = ""
    severity: str = ""
    themes: tuple[str, ...] = ()
    abuse_types: tuple[str, ...] = ()
    provider: str = ""
    search: str = ""
    note: str = ""
    seen: str = ""

    @classmethod
    def of(cls, concern: ConcernRow, seen: str) -> DecisionForm:
        """The labels that stand, to start from."""
        decided = concern.provider_confirmed and not concern.provider_id
        return cls(
            category=concern.category,
            severity=concern.severity or NO_SEVERITY,
            themes=tuple(concern.themes),
            abuse_types=tuple(concern.abuse_types),
            provider=concern.provider_id or (NO_SERVICE if decided else ""),
            seen=seen,
        )

    @classmethod
    def sent(cls, values: MultiDict[str, str]) -> DecisionForm:
        """What a person sent."""
        return cls(
            category=values.get("category", ""),
            severity=values.get("severity", ""),
            themes=tuple(dict.fromkeys(values.getlist("themes"))),
            abuse_types=tuple(dict.fromkeys(values.getlist("abuse_types"))),
            provider=values.get("provider", "")[:40],
            search=values.get("search", "")[:100].replace("\0", " ").strip(),
            note=values.get("note", "").replace("\r\n", "\n").replace("\0", " ").strip(),
            seen=values.get("seen", ""),
        )

    @property
    def is_concern(self) -> bool:
        """Whether the category is one that has a severity and themes."""
        return self.category != Category.NOT_A_CONCERN

    def errors(self) -> dict[str, str]:
        """What is wrong, by field, each with what to do about it."""
        checks = {
            "category": self._category_error(),
            "severity": self._severity_error(),
            "themes": self._themes_error(),
            "abuse_types": self._abuse_types_error(),
            "provider": "" if self.provider else "Select a service, or say that there is none",
            "note": ""
            if len(self.note) <= MOST_NOTE
            else f"The note must be {MOST_NOTE} characters or fewer",
        }
        return {name: error for name, error in checks.items() if error}

    def labels(self) -> Labels:
        """The labels that the form stands for; BadInput where `errors` has something to say."""
        if self.errors():
            raise BadInput("the form has errors")
        return Labels(
            category=Category(self.category),
            severity=Severity.from_label(self.severity) if self.is_concern else None,
            themes=tuple(Theme(theme) for theme in self.themes) if self.is_concern else (),
            abuse_types=tuple(AbuseType(kind) for kind in self.abuse_types),
            provider_id=None if self.provider == NO_SERVICE else self.provider,
        )

    def _category_error(self) -> str:
        return "" if self.category in set(Category) else "Select a category"

    def _severity_error(self) -> str:
        known = {severity.label for severity in Severity}
        return "" if not self.is_concern or self.severity in known else "Select red, amber or green"

    def _themes_error(self) -> str:
        if not self.is_concern:
            return ""
        if not set(self.themes) <= set(Theme):
            return "Select themes from the list"
        return "" if len(self.themes) <= MOST_THEMES else f"Select no more than {MOST_THEMES} themes"

    def _abuse_types_error(self) -> str:
        if not set(self.abuse_types) <= set(AbuseType):
            return "Select types of abuse from the list"
        if self.abuse_types and self.category != Category.SAFEGUARDING:
            return "Types of abuse go with safeguarding only: clear them, or select safeguarding"
        too_many = len(self.abuse_types) > MOST_ABUSE_TYPES
        return f"Select no more than {MOST_ABUSE_TYPES} types of abuse" if too_many else ""


def standing(session: Session, concern: ConcernRow) -> str:
    """What a form carries to tell whether the concern is still as its page showed it."""
    seen = f"{count_corrections(session, concern.id)}-{concern.state}"
    # Nobody confirms labels over a message that came after their page was opened.
    messages = count_messages(session, concern.id)
    return seen if messages < 2 else f"{seen}-{messages}"


@dataclass(frozen=True)
class Choices:
    """The services that the form offers; `more` when a search found more than it shows."""

    services: tuple[ServiceChoice, ...] = ()
    more: bool = False
    found: int = 0


def provider_choices(
    session: Session, concern: ConcernRow, latest: AssessmentRow | None, form: DecisionForm
) -> Choices:
    """The machine's candidates, what stands and what was chosen, and what a search found."""
    hints: dict[str, str] = {}
    for candidate in _candidates(latest.details if latest else {}):
        hints[candidate["id"]] = f"suggested, score {candidate['score']:.2f}"
    if concern.provider_id:
        hints.setdefault(concern.provider_id, "the service that stands now")
    if form.provider not in ("", NO_SERVICE):
        hints.setdefault(form.provider, "your choice")
    found = services_with(session, form.search, limit=MOST_FOUND + 1) if form.search else []
    for service in found[:MOST_FOUND]:
        hints.setdefault(service.provider_id, "found by your search")
    services = services_by_id(session, hints)
    return Choices(
        services=tuple(ServiceChoice(services[key], hint) for key, hint in hints.items() if key in services),
        more=len(found) > MOST_FOUND,
        found=len(found[:MOST_FOUND]),
    )


def _candidates(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    candidates: list[dict[str, Any]] = details.get("provider", {}).get("candidates", [])
    return candidates
