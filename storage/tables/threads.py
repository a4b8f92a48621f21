"""What belongs together: links between messages and concerns, what a message answers, and what was erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class LinkRow(Base):
    """A question to a person: may this message belong elsewhere? `reasons` are names of rules, never words."""

    __tablename__ = "links"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), index=True)
    concern_id: Mapped[str] = mapped_column(ForeignKey("concerns.id"), index=True)
    other_id: Mapped[str | None] = mapped_column(ForeignKey("concerns.id"), index=True)
    reasons: Mapped[list[str]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("leads.id"))


class AnsweredRow(Base):
    """A Message-ID that a message names as what it answers, as a keyed digest."""

    __tablename__ = "answered"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    header_lookup: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class TombstoneRow(Base):
    """An erased message: keyed digests by which a copy is known, and who erased it, when and why."""

    __tablename__ = "tombstones"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    concern_id: Mapped[str] = mapped_column(ForeignKey("concerns.id"), index=True)
    family: Mapped[str] = mapped_column(String(16))
    content_lookup: Mapped[str] = mapped_column(String(64), index=True)
    header_lookup: Mapped[str | None] = mapped_column(String(64), index=True)
    words_lookup: Mapped[str | None] = mapped_column(String(64))
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    erased_by: Mapped[str] = mapped_column(String(64))
    because: Mapped[str] = mapped_column(Text)
