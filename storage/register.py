"""The register of providers in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.tables import ProviderRow
from triage.vocabulary import Provider

_CHUNK = 500
_COLUMNS = [
    ProviderRow.__table__.c["id" if field.name == "provider_id" else field.name] for field in fields(Provider)
]


def save_register(session: Session, providers: Sequence[Provider], *, now: datetime, audit: Audit) -> None:
    """Make these the listed providers: new ones added, known ones brought up to date, absent ones unlisted.

    Nothing is deleted: concerns about a service that closed keep pointing to it.
    """
    session.execute(update(ProviderRow).values(listed=False))
    for start in range(0, len(providers), _CHUNK):
        chunk = providers[start : start + _CHUNK]
        known = session.scalars(
            select(ProviderRow).where(ProviderRow.id.in_([provider.provider_id for provider in chunk]))
        )
        rows = {row.id: row for row in known}
        for provider in chunk:
            values = _values(provider) | {"listed": True, "imported_at": now}
            row = rows.get(provider.provider_id)
            if row is None:
                session.add(ProviderRow(id=provider.provider_id, **values))
            else:
                for column, value in values.items():
                    setattr(row, column, value)
        session.flush()
        session.expunge_all()
    record(session, audit, "register")


def _values(provider: Provider) -> dict[str, object]:
    values = asdict(provider)
    del values["provider_id"]
    return {column: _fitting(column, value) for column, value in values.items()}


def _fitting(column: str, value: object) -> object:
    """The value as its column takes it: PostgreSQL would refuse a whole register for one cell too long."""
    if isinstance(value, str):
        return value[: getattr(ProviderRow.__table__.c[column].type, "length", None)]
    return list(value) if isinstance(value, tuple) else value


def listed_providers(session: Session) -> Iterable[Provider]:
    """Every listed provider, by id."""
    # Columns, not rows: of 55,000 objects with a life in the session none would be used again.
    query = select(*_COLUMNS).where(ProviderRow.listed).order_by(ProviderRow.id)
    once: dict[Any, Any] = {}
    for values in session.execute(query.execution_options(yield_per=1000)):
        yield Provider(*(_kept_once(value, once) for value in values))


def _kept_once(value: Any, once: dict[Any, Any]) -> Any:
    # Towns, owners and types of service come again and again.
    plain = tuple(value) if isinstance(value, list) else value
    return once.setdefault(plain, plain) if isinstance(plain, str | tuple) else plain


def provider_by_id(session: Session, provider_id: str) -> ProviderRow | None:
    """The provider of that id, listed or not; None when there is none."""
    return session.get(ProviderRow, provider_id)


def find_providers(session: Session, words: str, *, limit: int = 20) -> list[ProviderRow]:
    """Providers whose name, town or postcode holds the words, listed ones first, by name."""
    query = select(ProviderRow)
    for word in words.split():
        query = query.where(
            ProviderRow.name.icontains(word, autoescape=True)
            | ProviderRow.town.icontains(word, autoescape=True)
            | ProviderRow.postcode.icontains(word, autoescape=True)
        )
    query = query.order_by(ProviderRow.listed.desc(), ProviderRow.name, ProviderRow.id).limit(limit)
    return list(session.scalars(query))


def register_stamp(session: Session) -> tuple[int, str]:
    """How many are listed, and when the register was last imported: changes when the register does."""
    count, latest = session.execute(
        select(func.count(), func.max(ProviderRow.imported_at)).where(ProviderRow.listed)
    ).one()
    return count, str(latest)
