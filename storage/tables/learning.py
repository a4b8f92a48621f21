"""A candidate model that runs beside the one in force: when, and what it would have said. Labels, never text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class ShadowRunRow(Base):
    """A time in which one candidate ran beside the model in force, and what the gate said of it at the start."""

    __tablename__ = "shadow_runs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    model_version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    gate: Mapped[dict[str, Any]] = mapped_column(Json)


class ShadowAnswerRow(Base):
    """What the candidate made of one assessed message; `failure` names the kind of error where it made nothing."""

    __tablename__ = "shadow_answers"

    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("shadow_runs.id"), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    category: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str | None] = mapped_column(String(8))
    themes: Mapped[list[str]] = mapped_column(Json)
    abuse_types: Mapped[list[str]] = mapped_column(Json)
    needs_review: Mapped[bool] = mapped_column(Boolean)
    confidence: Mapped[float] = mapped_column(Float)
    failure: Mapped[str] = mapped_column(String(60), default="")

    __table_args__ = (Index("ix_shadow_answers_run_id", "run_id"),)
