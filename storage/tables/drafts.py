"""What the public form keeps until it is sent, or forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, UtcDateTime


class DraftRow(Base):
    """The answers so far, sealed; `id` is the digest of a random token that the browser alone holds."""

    __tablename__ = "drafts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    answers: Mapped[bytes] = mapped_column(LargeBinary)


class DraftFileRow(Base):
    """A file of a draft; its name and its bytes are sealed."""

    __tablename__ = "draft_files"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    draft_id: Mapped[str] = mapped_column(ForeignKey("drafts.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    description: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[bytes] = mapped_column(LargeBinary)
