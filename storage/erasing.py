"""Erasing: the content of a concern's messages goes, a tombstone stays that knows them when they come again.

Keyed digests are all that is left of a message: nobody can tell from them what it said, yet a mailbox
that delivers it once more, or Slack, cannot bring it back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from storage.attachments import erase_attachments
from storage.audit import Audit, record
from storage.concerns import references_of
from storage.encryption import KeyRing
from storage.messages import dispose, what_it_says
from storage.outgoing import OutgoingState
from storage.slack import FileState
from storage.tables import (
    AnsweredRow,
    AssessmentRow,
    ConcernRow,
    CorrectionRow,
    DispositionRow,
    LinkRow,
    MessageCheckRow,
    MessageRow,
    OutgoingRow,
    ReadingRow,
    ShadowAnswerRow,
    SlackFileRow,
    TombstoneRow,
)
from triage.errors import BadInput
from triage.lifecycle import ConcernState, Disposition, check_move
from triage.vocabulary import Message

LONGEST_BECAUSE = 500
_ERASED_COPY = "a copy of a message that was erased"


@dataclass(frozen=True)
class Tombstone:
    """What is left of an erased concern."""

    messages: int
    erased_at: datetime
    erased_by: str
    because: str


def erase(session: Session, keys: KeyRing, concern: ConcernRow, *, because: str, audit: Audit) -> int:
    """Remove the content of the locked concern's messages and of their copies; returns how many messages.

    BadInput without a reason, or for a concern whose messages are elsewhere.
    """
    reason = because.strip()
    if not reason:
        raise BadInput("Enter why it is erased")
    if len(reason) > LONGEST_BECAUSE:
        raise BadInput(f"The reason must be {LONGEST_BECAUSE} characters or fewer")
    if concern.joined_to is not None:
        target = references_of(session, [concern.joined_to])[concern.joined_to]
        raise BadInput(f"{concern.reference} was joined to {target}: erase that one")
    check_move(ConcernState(concern.state), ConcernState.ERASED)
    _leave_no_trace_on_disk(session)
    message_ids = _messages_and_copies(session, concern.id)
    for message_id in message_ids:
        _bury(session, keys, concern.id, message_id, reason, audit)
        _empty(session, keys, message_id)
    family = [concern, *session.scalars(select(ConcernRow).where(ConcernRow.joined_to == concern.id))]
    for one in family:
        _empty_concern(session, keys, one)
    details = {"messages": len(message_ids)}
    record(session, Audit(audit.at, audit.actor, "erased", details), f"concern:{concern.id}")
    return len(message_ids)


def _leave_no_trace_on_disk(session: Session) -> None:
    # SQLite otherwise leaves what was deleted in the file until the page is used again.
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA secure_delete=ON"))


def _messages_and_copies(session: Session, concern_id: str) -> list[str]:
    found = list(
        session.scalars(select(DispositionRow.message_id).where(DispositionRow.concern_id == concern_id))
    )
    newest = found
    while newest:
        query = select(DispositionRow.message_id).where(
            DispositionRow.duplicate_of.in_(newest), DispositionRow.message_id.not_in(found)
        )
        newest = list(session.scalars(query))
        found = [*found, *newest]
    return found


def _bury(
    session: Session, keys: KeyRing, concern_id: str, message_id: str, because: str, audit: Audit
) -> None:
    message = session.get_one(MessageRow, message_id)
    reading = session.scalars(
        select(ReadingRow)
        .where(ReadingRow.message_id == message_id)
        .order_by(ReadingRow.version.desc())
        .limit(1)
    ).first()
    header_id = reading.header_id if reading is not None else None
    session.add(
        TombstoneRow(
            message_id=message_id,
            concern_id=concern_id,
            family=message.channel,
            content_lookup=keys.lookup(message.digest),
            header_lookup=keys.lookup(header_id) if header_id else None,
            words_lookup=_words_lookup(
                keys, reading.subject, reading.text, [file["sha256"] for file in reading.attachments]
            )
            if reading is not None
            else None,
            erased_at=audit.at,
            erased_by=audit.actor,
            because=because,
        )
    )


def _words_lookup(keys: KeyRing, subject: str, words: str, digests: Iterable[str]) -> str:
    said = json.dumps(what_it_says(subject, words, list(digests)), ensure_ascii=False)
    return keys.lookup(hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest())


def _empty(session: Session, keys: KeyRing, message_id: str) -> None:
    """Take everything out of a message but that it was there: rows, channel, times and the channel's own id."""
    message = session.get_one(MessageRow, message_id)
    message.raw = keys.seal(b"", place=f"messages.raw:{message_id}")
    message.envelope = keys.seal_json({}, place=f"messages.envelope:{message_id}")
    message.digest, message.size = "", 0
    erase_attachments(session, message_id)
    nobody = {"sender": None, "reply_to": None, "original_author": None}
    for reading in session.scalars(select(ReadingRow).where(ReadingRow.message_id == message_id)):
        reading.subject = reading.text = reading.new_text = ""
        reading.sender = keys.seal_json(nobody, place=f"readings.sender:{message_id}")
        reading.sender_lookup = reading.header_id = None
        reading.attachments, reading.defects = [], []
    for assessment in session.scalars(select(AssessmentRow).where(AssessmentRow.message_id == message_id)):
        assessment.read_text, assessment.details = "", {}
    for file in session.scalars(select(SlackFileRow).where(SlackFileRow.message_id == message_id)):
        place = f"slack_files.content:{message_id}/{file.file_id}"
        file.content, file.sha256, file.size = keys.seal(b"", place=place), "", 0
        file.state = FileState.ERASED.value
    for table in (AnsweredRow, MessageCheckRow, ShadowAnswerRow):
        session.execute(delete(table).where(table.message_id == message_id))


def _empty_concern(session: Session, keys: KeyRing, concern: ConcernRow) -> None:
    concern.state, concern.due_at, concern.needs_review = ConcernState.ERASED.value, None, False
    concern.themes, concern.abuse_types, concern.redirect = [], [], ""
    concern.provider_id, concern.provider_mention = None, ""
    session.execute(update(CorrectionRow).where(CorrectionRow.concern_id == concern.id).values(note=""))
    touching = or_(LinkRow.concern_id == concern.id, LinkRow.other_id == concern.id)
    session.execute(update(LinkRow).where(touching, LinkRow.state == "open").values(state="kept_apart"))
    for mail in session.scalars(select(OutgoingRow).where(OutgoingRow.subject_id == f"concern:{concern.id}")):
        mail.recipient = keys.seal(b"", place=f"outgoing.recipient:{mail.id}")
        mail.content = keys.seal(b"", place=f"outgoing.content:{mail.id}")
        mail.recipient_lookup = ""
        if mail.state in (OutgoingState.WAITING, OutgoingState.SENDING):
            mail.state = OutgoingState.WITHDRAWN.value


# --- when an erased message comes again


def erased_copy(session: Session, keys: KeyRing, row: MessageRow) -> str | None:
    """The id of an erased message with the very bytes of this one, on the same channel."""
    query = select(TombstoneRow.message_id).where(
        TombstoneRow.content_lookup == keys.lookup(row.digest),
        TombstoneRow.family == row.channel,
        TombstoneRow.message_id != row.id,
    )
    return session.scalars(query.order_by(TombstoneRow.erased_at).limit(1)).first()


def erased_copy_in_words(session: Session, keys: KeyRing, message_id: str, message: Message) -> str | None:
    """The id of an erased message with this Message-ID that said the same.

    Both, so that no other message that borrows the Message-ID is taken for it and emptied.
    """
    if not message.message_id:
        return None
    digests = [file.sha256 for file in message.attachments]
    query = select(TombstoneRow.message_id).where(
        TombstoneRow.header_lookup == keys.lookup(message.message_id[:998]),
        TombstoneRow.words_lookup == _words_lookup(keys, message.subject, message.text, digests),
        TombstoneRow.family == message.channel.value,
        TombstoneRow.message_id != message_id,
    )
    return session.scalars(query.order_by(TombstoneRow.erased_at).limit(1)).first()


def is_erased(session: Session, message_id: str) -> bool:
    """Whether the message was erased."""
    return session.get(TombstoneRow, message_id) is not None


def link_erased_copy(
    session: Session, keys: KeyRing, message_id: str, erased_id: str, *, audit: Audit
) -> None:
    """Count the message as a duplicate of an erased one, and keep nothing of what it says."""
    stone = session.get_one(TombstoneRow, erased_id)
    _bury(session, keys, stone.concern_id, message_id, stone.because, _as_before(stone))
    _empty(session, keys, message_id)
    details = {**audit.details, "duplicate_of": erased_id}
    dispose(
        session,
        message_id,
        Disposition.DUPLICATE,
        audit=Audit(audit.at, audit.actor, "linked_erased", details),
        duplicate_of=erased_id,
        reason=_ERASED_COPY,
    )


def _as_before(stone: TombstoneRow) -> Audit:
    return Audit(at=stone.erased_at, actor=stone.erased_by, action="erased")


def tombstone_of(session: Session, concern_id: str) -> Tombstone | None:
    """What is left of the concern; None unless it was erased."""
    rows = list(session.scalars(select(TombstoneRow).where(TombstoneRow.concern_id == concern_id)))
    if not rows:
        return None
    first = min(rows, key=lambda row: row.erased_at)
    return Tombstone(len(rows), first.erased_at, first.erased_by, first.because)


def count_erased(session: Session) -> int:
    """How many messages were erased."""
    return session.scalar(select(func.count()).select_from(TombstoneRow)) or 0
