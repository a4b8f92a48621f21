"""Who works at the desk."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class LeadRow(Base):
    """A person who logs in, decides, and gets the digest of the categories that they lead."""

    __tablename__ = "leads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))
    categories: Mapped[list[str]] = mapped_column(Json)
    active: Mapped[bool] = mapped_column(Boolean)
    may_word_answers: Mapped[bool] = mapped_column(Boolean, default=False)
    may_erase: Mapped[bool] = mapped_column(Boolean, default=False)
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
