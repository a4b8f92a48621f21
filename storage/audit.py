"""The audit trail: an entry is an argument of the write that it records, and lands with it or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from storage.tables import AuditRow

MACHINE = "careconcerns"
AT_THE_COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Audit:
    """Who did what and when; `details` never hold a message's content.

    `actor` is a lead's id, MACHINE, or AT_THE_COMMAND_LINE and a user.
    """

    at: datetime
    actor: str
    action: str
    details: Mapping[str, Any] = field(default_factory=dict)


def record(session: Session, entry: Audit, subject: str) -> None:
    """Add the entry for `subject` ("concern:<id>", "message:<id>" ...) to the session's transaction."""
    session.add(
        AuditRow(
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=subject,
            details=dict(entry.details),
        )
    )
