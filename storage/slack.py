"""What is remembered of Slack: which posts and threads belong to which concern, how far channels were read, files.

Every function is safe when deliveries come twice or in any order: what they mean is claimed by a row's key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.encryption import KeyRing
from storage.tables import (
    AuditRow,
    Base,
    ConcernRow,
    MessageRow,
    SlackAnswerRow,
    SlackChannelRow,
    SlackContactRow,
    SlackFileRow,
    SlackPostRow,
    SlackThreadRow,
)
from triage.vocabulary import Channel

_REFUSED = "slack_refused"


class FileState(StrEnum):
    """What became of a file that came with a post."""

    KEPT = "kept"
    TOO_LARGE = "too_large"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    REFUSED = "refused"
    ERASED = "erased"


@dataclass(frozen=True)
class ChannelProgress:
    """How far a channel was read: nothing before `since_ts` is ours, everything up to `seen_ts` is taken in."""

    since_ts: str
    seen_ts: str


@dataclass(frozen=True)
class KeptFile:
    """What became of a file of a message; its bytes are among the attachments."""

    file_id: str
    state: FileState
    size: int
    sha256: str


def slack_message_id(external_id: str) -> str:
    """The message id that follows from Slack's own name of a thing, so that the database keeps it once."""
    return hashlib.sha256(f"slack:{external_id}".encode()).hexdigest()[:32]


def is_kept(session: Session, message_id: str) -> bool:
    """Whether a message of that id is stored."""
    return session.scalar(select(MessageRow.id).where(MessageRow.id == message_id)) is not None


def note_refusal(session: Session, external_id: str, event_id: str, now: datetime) -> bool:
    """Write down that somebody who may not use it was refused; False when that was written before."""
    if was_refused(session, external_id):
        return False
    record(
        session,
        Audit(at=now, actor=MACHINE, action=_REFUSED, details={"event": event_id}),
        _refusal_subject(external_id),
    )
    return True


def was_refused(session: Session, external_id: str) -> bool:
    """Whether what goes by that name was refused before."""
    query = select(AuditRow.number).where(
        AuditRow.subject == _refusal_subject(external_id), AuditRow.action == _REFUSED
    )
    return session.scalars(query.limit(1)).first() is not None


def _refusal_subject(external_id: str) -> str:
    # A channel and time would name the post, and with it the person: the digest of both does not.
    return f"slack:{slack_message_id(external_id)}"


def claim_thread(session: Session, channel: str, root_ts: str) -> SlackThreadRow:
    """The thread's row, made when missing and locked: who comes second waits for the first."""
    _insert_once(session, SlackThreadRow, {"channel": channel, "root_ts": root_ts})
    query = select(SlackThreadRow).where(SlackThreadRow.channel == channel, SlackThreadRow.root_ts == root_ts)
    return session.scalars(query.with_for_update()).one()


def claim_post(session: Session, channel: str, ts: str, root_ts: str) -> SlackPostRow:
    """The post's row, made when missing and locked; without a message id while no version of it was read."""
    values = {"channel": channel, "ts": ts, "root_ts": root_ts, "version_ts": ""}
    _insert_once(session, SlackPostRow, values)
    query = select(SlackPostRow).where(SlackPostRow.channel == channel, SlackPostRow.ts == ts)
    return session.scalars(query.with_for_update()).one()


def _insert_once(session: Session, table: type[Base], values: dict[str, Any]) -> None:
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    insert: Any = postgresql.insert if on_postgresql else sqlite.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


def is_known_thread(session: Session, channel: str, root_ts: str) -> bool:
    """Whether the thread belongs to a concern."""
    row = session.get(SlackThreadRow, (channel, root_ts))
    return row is not None and row.concern_id is not None


def is_known_post(session: Session, channel: str, ts: str) -> bool:
    """Whether a version of the post was read."""
    row = session.get(SlackPostRow, (channel, ts))
    return row is not None and row.message_id is not None


def is_read_version(session: Session, channel: str, ts: str, version_ts: str) -> bool:
    """Whether this very version of the post is the one that was read last."""
    row = session.get(SlackPostRow, (channel, ts))
    return row is not None and row.message_id is not None and row.version_ts == version_ts


def post_of_message(session: Session, message_id: str) -> SlackPostRow | None:
    """The post whose readings the message holds; None for another message."""
    return session.scalars(select(SlackPostRow).where(SlackPostRow.message_id == message_id)).first()


def concern_of_thread(session: Session, channel: str, root_ts: str) -> ConcernRow | None:
    """The concern that the thread belongs to; None when there is none yet."""
    row = session.get(SlackThreadRow, (channel, root_ts))
    return session.get(ConcernRow, row.concern_id) if row is not None and row.concern_id else None


def note_answer(session: Session, outgoing_id: str, channel: str, ts: str, now: datetime) -> None:
    """Keep where a post of ours landed."""
    if session.get(SlackAnswerRow, outgoing_id) is None:
        session.add(SlackAnswerRow(outgoing_id=outgoing_id, channel=channel, ts=ts, posted_at=now))


def answer_place(session: Session, outgoing_id: str) -> tuple[str, str] | None:
    """The channel and ts of a post of ours; None when it has not been posted."""
    row = session.get(SlackAnswerRow, outgoing_id)
    return (row.channel, row.ts) if row is not None else None


def keep_file(session: Session, keys: KeyRing, message_id: str, file: KeptFile, *, now: datetime) -> None:
    """Note that a file is kept, or why it is not; audited, and nothing happens when it was done before."""
    if session.get(SlackFileRow, (message_id, file.file_id)) is not None:
        return
    place = f"slack_files.content:{message_id}/{file.file_id}"
    session.add(
        SlackFileRow(
            message_id=message_id,
            file_id=file.file_id,
            state=file.state.value,
            size=file.size,
            sha256=file.sha256,
            content=keys.seal(b"", place=place),
            fetched_at=now,
        )
    )
    details = {"file": file.file_id, "state": file.state.value, "bytes": file.size}
    record(
        session,
        Audit(at=now, actor=MACHINE, action="slack_file", details=details),
        f"message:{message_id}",
    )


def file_ids(session: Session, message_id: str) -> set[str]:
    """The ids of the files of the message that are settled."""
    return set(session.scalars(select(SlackFileRow.file_id).where(SlackFileRow.message_id == message_id)))


def files_of(session: Session, message_id: str) -> list[KeptFile]:
    """What became of the files of the message, by id."""
    query = (
        select(SlackFileRow.file_id, SlackFileRow.state, SlackFileRow.size, SlackFileRow.sha256)
        .where(SlackFileRow.message_id == message_id)
        .order_by(SlackFileRow.file_id)
    )
    return [
        KeptFile(file_id, FileState(state), size, sha256)
        for file_id, state, size, sha256 in session.execute(query)
    ]


def note_contact(session: Session, kind: str, now: datetime, *, problem: str = "") -> None:
    """Note a sign of life by one way to Slack (web_api, socket), or, with a problem, that there was none."""
    row = session.get(SlackContactRow, kind)
    if row is None:
        row = SlackContactRow(kind=kind, contact_at=None, problem="", since=now)
        session.add(row)
    if bool(problem) != bool(row.problem):
        row.since = now
    row.problem = problem[:200]
    if not problem:
        row.contact_at = now


def slack_contacts(session: Session) -> list[SlackContactRow]:
    """The last sign of life by each way to Slack."""
    return list(session.scalars(select(SlackContactRow).order_by(SlackContactRow.kind.desc())))


def last_slack_message(session: Session) -> datetime | None:
    """When the last message came from Slack."""
    query = select(MessageRow.received_at).where(MessageRow.channel == Channel.SLACK.value)
    return session.scalars(query.order_by(MessageRow.received_at.desc()).limit(1)).first()


def channel_progress(session: Session, channel: str) -> ChannelProgress | None:
    """How far the channel was read; None for one that was never watched."""
    row = session.get(SlackChannelRow, channel)
    return ChannelProgress(row.since_ts, row.seen_ts) if row is not None else None


def begin_channel(session: Session, channel: str, ts: str, now: datetime) -> None:
    """Watch the channel from `ts` on; nothing happens when it is watched already."""
    values = {"channel": channel, "since_ts": ts, "seen_ts": ts, "read_at": now}
    _insert_once(session, SlackChannelRow, values)


def advance_channel(session: Session, channel: str, ts: str, now: datetime) -> None:
    """Note that everything up to `ts` is taken in; it never goes back."""
    row = session.get_one(SlackChannelRow, channel, with_for_update=True)
    row.seen_ts, row.read_at = max(row.seen_ts, ts, key=float), now


def standing_posts(session: Session, channel: str, since_ts: str) -> list[SlackPostRow]:
    """Posts that open a thread, from `since_ts` on, and that nobody is known to have deleted."""
    query = select(SlackPostRow).where(
        SlackPostRow.channel == channel,
        SlackPostRow.ts >= since_ts,
        SlackPostRow.ts == SlackPostRow.root_ts,
        SlackPostRow.deleted_at.is_(None),
        SlackPostRow.message_id.is_not(None),
    )
    return list(session.scalars(query))
