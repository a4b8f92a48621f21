"""What is known of the mailboxes that mail is fetched from; the messages themselves are in `messages`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class MailboxRow(Base):
    """How it stands with a mailbox; `account` is its user and server, such as desk@council.example/imap.example."""

    __tablename__ = "mailboxes"

    account: Mapped[str] = mapped_column(String(255), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    problem: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    contact_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MailboxLeaseRow(Base):
    """Who reads a mailbox, and until when nobody else may."""

    __tablename__ = "mailbox_leases"

    account: Mapped[str] = mapped_column(String(255), primary_key=True)
    holder: Mapped[str] = mapped_column(String(120))
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class MailboxFolderRow(Base):
    """How far a folder was read: every message up to `last_uid` is stored, or is in `mailbox_gaps`."""

    __tablename__ = "mailbox_folders"

    account: Mapped[str] = mapped_column(ForeignKey("mailboxes.account"), primary_key=True)
    folder: Mapped[str] = mapped_column(String(255), primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    last_uid: Mapped[int] = mapped_column(BigInteger)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MailboxGapRow(Base):
    """A message that the server did not give; `message_id` is what stands for it on the desk once that is long ago."""

    __tablename__ = "mailbox_gaps"

    account: Mapped[str] = mapped_column(ForeignKey("mailboxes.account"), primary_key=True)
    folder: Mapped[str] = mapped_column(String(255), primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    uid: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    attempts: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(200))
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    message_id: Mapped[str | None] = mapped_column(ForeignKey("messages.id"))


class MailboxCountRow(Base):
    """One count of a folder against the database; `missing_uids` holds the first hundred."""

    __tablename__ = "mailbox_counts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("mailboxes.account"))
    folder: Mapped[str] = mapped_column(String(255))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    in_mailbox: Mapped[int] = mapped_column(Integer)
    stored: Mapped[int] = mapped_column(Integer)
    gaps: Mapped[int] = mapped_column(Integer)
    missing: Mapped[int] = mapped_column(Integer)
    mended: Mapped[int] = mapped_column(Integer)
    missing_uids: Mapped[list[int]] = mapped_column(Json)

    __table_args__ = (Index("ix_mailbox_counts_account_folder_at", "account", "folder", "at"),)
