"""What is on the desk: concerns, every assessment of them, and what people decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class ConcernRow(Base):
    """One matter on the desk, with the labels that stand now: the machine's until a person decides."""

    __tablename__ = "concerns"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    token: Mapped[str] = mapped_column(String(32), unique=True)
    channel: Mapped[str] = mapped_column(String(16))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    category: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str | None] = mapped_column(String(8))
    themes: Mapped[list[str]] = mapped_column(Json)
    abuse_types: Mapped[list[str]] = mapped_column(Json)
    redirect: Mapped[str] = mapped_column(String(20), default="")
    needs_review: Mapped[bool] = mapped_column(Boolean)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    provider_id: Mapped[str | None] = mapped_column(ForeignKey("providers.id"))
    provider_confirmed: Mapped[bool] = mapped_column(Boolean, default=False)
    provider_mention: Mapped[str] = mapped_column(String(255), default="")
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_by: Mapped[str | None] = mapped_column(ForeignKey("leads.id"))
    joined_to: Mapped[str | None] = mapped_column(ForeignKey("concerns.id"), index=True)
    never_learn: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (
        Index("ix_concerns_state_due_at", "state", "due_at"),
        Index("ix_concerns_provider_id_opened_at", "provider_id", "opened_at"),
        Index("ix_concerns_opened_at", "opened_at"),
    )


class AssessmentRow(Base):
    """What the machine made of a message, and why; every version kept, and it goes where its message goes."""

    __tablename__ = "assessments"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    concern_id: Mapped[str] = mapped_column(ForeignKey("concerns.id"), index=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), index=True)
    version: Mapped[int] = mapped_column(Integer)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    model_version: Mapped[str] = mapped_column(String(64))
    read_text: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str | None] = mapped_column(String(8))
    needs_review: Mapped[bool] = mapped_column(Boolean)
    details: Mapped[dict[str, Any]] = mapped_column(Json)

    __table_args__ = (
        Index("uq_assessments_message_version", "message_id", "version", unique=True),
        Index("ix_assessments_made_at", "made_at"),
    )


class CorrectionRow(Base):
    """What a person decided of a concern: the labels before and after; append-only."""

    __tablename__ = "corrections"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    concern_id: Mapped[str] = mapped_column(ForeignKey("concerns.id"), index=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("leads.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(12))
    before: Mapped[dict[str, Any]] = mapped_column(Json)
    after: Mapped[dict[str, Any]] = mapped_column(Json)
    note: Mapped[str] = mapped_column(Text, default="")


class ReferenceCounterRow(Base):
    """The last number given out in a year, for references such as CC-2026-000123."""

    __tablename__ = "reference_counters"

    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(Integer)
