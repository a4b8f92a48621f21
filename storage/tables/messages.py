"""What reached us: the bytes, how they were read, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class MessageRow(Base):
    """One message as it came; never changed. `raw` and `envelope` are sealed."""

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64))
    external_id: Mapped[str | None] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("ix_messages_channel_digest", "channel", "digest"),
        Index("ix_messages_channel_external_id", "channel", "external_id"),
        Index("ix_messages_received_at", "received_at"),
    )


class ReadingRow(Base):
    """A message as text, one row for each time it was read; `sender` (the reporter's identity) is sealed."""

    __tablename__ = "readings"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    new_text: Mapped[str] = mapped_column(Text)
    sender: Mapped[bytes] = mapped_column(LargeBinary)
    sender_lookup: Mapped[str | None] = mapped_column(String(64), index=True)
    header_id: Mapped[str | None] = mapped_column(String(998), index=True)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    defects: Mapped[list[str]] = mapped_column(Json)
    auto_reply: Mapped[bool] = mapped_column(Boolean)
    bounce: Mapped[bool] = mapped_column(Boolean)
    bulk: Mapped[bool] = mapped_column(Boolean)


class DispositionRow(Base):
    """What became of a message: exactly one row a message, the conservation law of intake."""

    __tablename__ = "dispositions"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    concern_id: Mapped[str | None] = mapped_column(ForeignKey("concerns.id"), index=True)
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("messages.id"))
    reason: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class MessageCheckRow(Base):
    """What was found out about where a message came from: whether its sender is proven, what marks it as spam.

    Both hold verdicts alone, no address and nothing of the text.
    """

    __tablename__ = "message_checks"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    trust: Mapped[dict[str, Any] | None] = mapped_column(Json)
    spam: Mapped[dict[str, Any] | None] = mapped_column(Json)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
