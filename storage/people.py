"""Leads: the people who log in, with passwords hashed by Argon2 and a lock after repeated failures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.database import Database
from storage.tables import LeadRow
from triage.errors import BadInput
from triage.vocabulary import Category

FAILURES_BEFORE_LOCK = 5
LOCK_MINUTES = 15
SHORTEST_PASSWORD = 12
LONGEST_ADDRESS = 254
LONGEST_NAME = 120

_hasher = PasswordHasher()
# Verified when the address is unknown, so that the time of the answer does not tell who exists.
_NOBODYS_HASH = _hasher.hash("nobody has this password")


def add_lead(
    session: Session, *, email: str, name: str, password: str, categories: Sequence[Category], audit: Audit
) -> LeadRow:
    """A new lead; BadInput when the address is taken or no address, or the password is too short."""
    address = email.strip().lower()
    if "@" not in address or any(character.isspace() for character in address):
        raise BadInput(f"{email!r} is not an email address")
    if len(address) > LONGEST_ADDRESS or len(name) > LONGEST_NAME:
        raise BadInput(f"an address has at most {LONGEST_ADDRESS} characters, a name {LONGEST_NAME}")
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(f"a password needs at least {SHORTEST_PASSWORD} characters")
    if session.scalars(select(LeadRow).where(LeadRow.email == address)).first():
        raise BadInput(f"there is a lead with the address {address} already")
    lead = LeadRow(
        id=uuid4().hex,
        email=address,
        name=name,
        password_hash=_hasher.hash(password),
        categories=[category.value for category in categories],
        active=True,
        failed_logins=0,
        created_at=audit.at,
    )
    session.add(lead)
    session.flush()
    record(session, audit, f"lead:{lead.id}")
    return lead


def check_login(database: Database, email: str, password: str, *, now: datetime) -> LeadRow | None:
    """The lead when address and password fit and no lock stands; None, whatever was wrong, otherwise.

    The hash is worked out between two short transactions: it takes long on purpose, and must not hold
    up the taking in of messages.
    """
    with database.read() as session:
        lead = lead_by_email(session, email)
    fits = _fits(lead.password_hash if lead else _NOBODYS_HASH, password)
    if lead is None:
        return None
    with database.write() as session:
        return _note_login(session, lead.id, fits=fits, now=now)


def _note_login(session: Session, lead_id: str, *, fits: bool, now: datetime) -> LeadRow | None:
    lead = session.get(LeadRow, lead_id, with_for_update=True)
    if lead is None or not lead.active:
        return None
    if not fits:
        _note_failure(session, lead, now)
        return None
    if lead.locked_until is not None and lead.locked_until > now:
        return None
    lead.failed_logins, lead.locked_until = 0, None
    record(session, Audit(at=now, actor=lead.id, action="logged_in"), f"lead:{lead.id}")
    return lead


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _note_failure(session: Session, lead: LeadRow, now: datetime) -> None:
    lead.failed_logins += 1
    if lead.failed_logins >= FAILURES_BEFORE_LOCK:
        lead.locked_until = now + timedelta(minutes=LOCK_MINUTES)
        lead.failed_logins = 0
        record(session, Audit(at=now, actor=MACHINE, action="login_locked"), f"lead:{lead.id}")


def set_password(session: Session, lead: LeadRow, password: str, *, audit: Audit) -> None:
    """Give the lead another password; BadInput when it is too short."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(f"a password needs at least {SHORTEST_PASSWORD} characters")
    lead.password_hash, lead.failed_logins, lead.locked_until = _hasher.hash(password), 0, None
    record(session, audit, f"lead:{lead.id}")


def let_word_answers(session: Session, lead: LeadRow, *, may: bool, audit: Audit) -> None:
    """Give the lead the right to change the wording of automatic answers, or take it."""
    lead.may_word_answers = may
    record(session, audit, f"lead:{lead.id}")


def let_erase(session: Session, lead: LeadRow, *, may: bool, audit: Audit) -> None:
    """Give the lead the right to erase the content of concerns, or take it."""
    lead.may_erase = may
    record(session, audit, f"lead:{lead.id}")


def lead_by_id(session: Session, lead_id: str, *, lock: bool = False) -> LeadRow | None:
    """The active lead of that id, or None; `lock` for a change that rests on what they may do."""
    lead = session.get(LeadRow, lead_id, with_for_update=lock)
    return lead if lead is not None and lead.active else None


def lead_by_email(session: Session, email: str) -> LeadRow | None:
    """The active lead with that address, or None."""
    query = select(LeadRow).where(LeadRow.email == email.strip().lower(), LeadRow.active)
    return session.scalars(query).first()


def active_leads(session: Session) -> list[LeadRow]:
    """Everybody who gets a digest, by name."""
    return list(session.scalars(select(LeadRow).where(LeadRow.active).order_by(LeadRow.name, LeadRow.id)))


def categories_nobody_leads(session: Session) -> list[Category]:
    """The categories of concerns whose alerts go to everybody, since no active lead has them."""
    led = {category for lead in active_leads(session) for category in lead.categories}
    return [
        category
        for category in Category
        if category is not Category.NOT_A_CONCERN and category.value not in led
    ]


def names_of(session: Session, lead_ids: Sequence[str]) -> dict[str, str]:
    """The names of leads by id, former ones too."""
    query = select(LeadRow.id, LeadRow.name).where(LeadRow.id.in_(lead_ids))
    return {row.id: row.name for row in session.execute(query)}
