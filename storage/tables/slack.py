"""What is known of Slack beside the messages themselves: threads, posts, answers, files, how far channels were read.

A post is named by its channel and its `ts`, Slack's own time stamp, unique in the channel and ordered.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, UtcDateTime


class SlackThreadRow(Base):
    """A thread, named by its first post, and the concern that further posts in it belong to."""

    __tablename__ = "slack_threads"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    root_ts: Mapped[str] = mapped_column(String(32), primary_key=True)
    concern_id: Mapped[str | None] = mapped_column(ForeignKey("concerns.id"), index=True)


class SlackPostRow(Base):
    """One post: the message that holds its readings, and the version of it that was read last."""

    __tablename__ = "slack_posts"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    ts: Mapped[str] = mapped_column(String(32), primary_key=True)
    root_ts: Mapped[str] = mapped_column(String(32))
    message_id: Mapped[str | None] = mapped_column(ForeignKey("messages.id"))
    version_ts: Mapped[str] = mapped_column(String(32), default="")
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_slack_posts_message_id", "message_id"),)


class SlackAnswerRow(Base):
    """Where a post of ours landed."""

    __tablename__ = "slack_answers"

    outgoing_id: Mapped[str] = mapped_column(ForeignKey("outgoing.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    ts: Mapped[str] = mapped_column(String(32))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SlackFileRow(Base):
    """A file that came with a message; `content` is sealed, and empty while or where it is not kept."""

    __tablename__ = "slack_files"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    file_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SlackChannelRow(Base):
    """How far a watched channel was read: nothing older than `since_ts`, everything up to `seen_ts`."""

    __tablename__ = "slack_channels"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    since_ts: Mapped[str] = mapped_column(String(32))
    seen_ts: Mapped[str] = mapped_column(String(32))
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SlackContactRow(Base):
    """The last sign of life by one way to or from Slack, and what has been wrong with it since."""

    __tablename__ = "slack_contacts"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    contact_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
