"""Files that came with messages, whatever the channel."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class AttachmentRow(Base):
    """One file of a message, kept once; `name` and `content` are sealed, `text` is what words were found in it.

    `content` is empty unless `state` is "kept"; it is loaded only where it is asked for.
    """

    __tablename__ = "attachments"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    declared_type: Mapped[str] = mapped_column(String(255))
    sniffed_type: Mapped[str] = mapped_column(String(255))
    signs: Mapped[list[str]] = mapped_column(Json)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scan_state: Mapped[str] = mapped_column(String(16))
    scan_word: Mapped[str] = mapped_column(String(200))
    scan_attempts: Mapped[int] = mapped_column(Integer)
    scanned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_scan_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_attachments_scan_state_next_scan_at", "scan_state", "next_scan_at"),)
