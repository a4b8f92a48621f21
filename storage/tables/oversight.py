"""What lets people check on us: the audit trail, mail that went out, workers that are alive."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime

# SQLite counts rows by itself only for a plain INTEGER key.
_RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class AuditRow(Base):
    """One thing that was done, by whom, to what; written in the transaction that did it."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(_RowNumber, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(60))
    details: Mapped[dict[str, Any]] = mapped_column(Json)

    __table_args__ = (Index("ix_audit_subject", "subject"), Index("ix_audit_at", "at"))


class OutgoingRow(Base):
    """One email to send, decided once: `recipient` and `content` are sealed, `header_id` is its Message-ID."""

    __tablename__ = "outgoing"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), index=True)
    subject_id: Mapped[str] = mapped_column(String(60), index=True)
    recipient: Mapped[bytes] = mapped_column(LargeBinary)
    recipient_lookup: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(String(200), default="")
    header_id: Mapped[str | None] = mapped_column(String(250), index=True)

    __table_args__ = (Index("ix_outgoing_recipient_lookup_created_at", "recipient_lookup", "created_at"),)


class WorkerRow(Base):
    """The last sign of life of one worker process."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignRow(Base):
    """The last sign of life of one thing, such as "smtp" or "pulse"; `since` is that of an unbroken row of them."""

    __tablename__ = "signs"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
