"""What provider risk and trends are computed from: concerns and services as few plain columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, func, select
from sqlalchemy.orm import Session

from storage.concerns import NOT_STANDING
from storage.tables import ConcernRow, ProviderRow
from triage.lifecycle import ConcernState
from triage.vocabulary import Severity, Theme

_CHUNK = 500


@dataclass(frozen=True)
class ConcernFigure:
    """One concern as a number's part; `confirmed` when a person decided its labels and its provider."""

    reference: str
    provider_id: str | None
    severity: Severity
    themes: tuple[Theme, ...]
    opened_at: datetime
    confirmed: bool


@dataclass(frozen=True)
class ServiceFigure:
    """One service with what a list of services shows."""

    provider_id: str
    name: str
    town: str
    postcode: str
    rating: str
    beds: int | None
    service_types: tuple[str, ...]
    listed: bool


def concern_figures(session: Session, since: datetime, *, provider_id: str = "") -> list[ConcernFigure]:
    """Every concern with a severity from `since` on, the latest first."""
    query = (
        select(
            ConcernRow.reference,
            ConcernRow.provider_id,
            ConcernRow.severity,
            ConcernRow.themes,
            ConcernRow.opened_at,
            ConcernRow.provider_confirmed,
            ConcernRow.state,
        )
        .where(
            ConcernRow.opened_at >= since,
            ConcernRow.severity.is_not(None),
            ConcernRow.state.not_in(NOT_STANDING),
        )
        .order_by(ConcernRow.opened_at.desc(), ConcernRow.reference)
    )
    if provider_id:
        query = query.where(ConcernRow.provider_id == provider_id)
    return [
        ConcernFigure(
            reference=row.reference,
            provider_id=row.provider_id,
            severity=Severity.from_label(str(row.severity)),
            themes=tuple(Theme(theme) for theme in row.themes),
            opened_at=row.opened_at,
            confirmed=row.provider_confirmed and row.state != ConcernState.NEW.value,
        )
        for row in session.execute(query)
    ]


_SERVICE = (
    ProviderRow.id.label("provider_id"),
    ProviderRow.name,
    ProviderRow.town,
    ProviderRow.postcode,
    ProviderRow.rating,
    ProviderRow.beds,
    ProviderRow.service_types,
    ProviderRow.listed,
)


def services_by_id(session: Session, provider_ids: Iterable[str]) -> dict[str, ServiceFigure]:
    """The services with these ids, listed or not."""
    wanted = sorted(set(provider_ids))
    found: dict[str, ServiceFigure] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(*_SERVICE).where(ProviderRow.id.in_(wanted[start : start + _CHUNK]))
        for row in session.execute(query):
            found[row.provider_id] = _service(row._mapping)
    return found


def services_with(session: Session, words: str, *, limit: int) -> list[ServiceFigure]:
    """Services whose name, town or postcode holds every word, listed ones first, by name."""
    query = select(*_SERVICE).where(*_holding(words))
    query = query.order_by(ProviderRow.listed.desc(), ProviderRow.name, ProviderRow.id).limit(limit)
    return [_service(row._mapping) for row in session.execute(query)]


def count_services_with(session: Session, words: str) -> int:
    """How many services hold every word."""
    return session.scalar(select(func.count()).select_from(ProviderRow).where(*_holding(words))) or 0


def _holding(words: str) -> list[ColumnElement[bool]]:
    return [
        ProviderRow.name.icontains(word, autoescape=True)
        | ProviderRow.town.icontains(word, autoescape=True)
        | ProviderRow.postcode.icontains(word, autoescape=True)
        for word in words.split()
    ]


def _service(row: RowMapping) -> ServiceFigure:
    values = dict(row)
    return ServiceFigure(**values | {"service_types": tuple(values["service_types"])})
