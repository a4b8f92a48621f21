"""Messages: kept as they came, read as text, and accounted for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session
from uuid_utils import uuid7

from storage.audit import MACHINE, Audit, record
from storage.encryption import KeyRing
from storage.message_checks import spam_mark_of, trust_of
from storage.tables import AuditRow, DispositionRow, MessageRow, ReadingRow
from triage.errors import CareConcernsError
from triage.lifecycle import Disposition, check_message_move
from triage.vocabulary import Address, Channel, Message, SenderTrust


class NoSuchMessage(CareConcernsError):
    """There is no message of that id."""


@dataclass(frozen=True)
class Received:
    """What a way in hands over: the bytes, and what the channel itself knows of them.

    `envelope` is JSON (SMTP: mail_from, rcpt_tos, peer); `external_id` the channel's own id, if any;
    `actor` the lead who entered it by hand.
    """

    raw: bytes
    channel: Channel
    received_at: datetime
    envelope: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    # In order of time: an id out of order would touch a page of its own in every index, and halve the pace.
    message_id: str = field(default_factory=lambda: uuid7().hex)
    actor: str = MACHINE


@dataclass(frozen=True)
class Reading:
    """A message as it was last read."""

    message_id: str
    version: int
    subject: str
    text: str
    new_text: str
    sender: Address | None
    reply_to: Address | None
    header_id: str | None
    attachments: list[dict[str, Any]]
    defects: list[str]
    auto_reply: bool
    bounce: bool
    bulk: bool
    trust: SenderTrust | None = None
    spam: dict[str, Any] | None = None


@dataclass(frozen=True)
class SealedMessage:
    """A message as its row will be, sealed and ready to add."""

    message: Mapping[str, Any]
    audit: Mapping[str, Any]


def keep(session: Session, keys: KeyRing, batch: Sequence[Received]) -> None:
    """Add the messages as they came, and an audit entry for each, to the transaction."""
    keep_sealed(session, [seal_message(keys, received) for received in batch])


def keep_sealed(session: Session, batch: Sequence[SealedMessage]) -> None:
    """As `keep`, for messages sealed before the transaction began, so that it is short."""
    connection = session.connection()
    connection.execute(_insert_messages, [sealed.message for sealed in batch])
    connection.execute(_insert_audit, [sealed.audit for sealed in batch])


# Tables, not classes: nothing of these rows is used again in the session, and the difference is half the time.
_insert_messages = insert(cast(Table, MessageRow.__table__))
_insert_audit = insert(cast(Table, AuditRow.__table__))


def seal_message(keys: KeyRing, received: Received) -> SealedMessage:
    """The message with its audit entry, sealed."""
    return SealedMessage(message=_message_values(keys, received), audit=_audit_values(received))


def _message_values(keys: KeyRing, received: Received) -> dict[str, Any]:
    place = received.message_id
    return {
        "id": received.message_id,
        "channel": received.channel.value,
        "received_at": received.received_at,
        "digest": hashlib.sha256(received.raw).hexdigest(),
        "external_id": received.external_id,
        "size": len(received.raw),
        "raw": keys.seal(received.raw, place=f"messages.raw:{place}"),
        "envelope": keys.seal_json(dict(received.envelope), place=f"messages.envelope:{place}"),
    }


def _audit_values(received: Received) -> dict[str, Any]:
    return {
        "at": received.received_at,
        "actor": received.actor,
        "action": "received",
        "subject": f"message:{received.message_id}",
        "details": {"channel": received.channel.value, "bytes": len(received.raw)},
    }


def raw_of(session: Session, keys: KeyRing, message_id: str) -> tuple[bytes, dict[str, Any], MessageRow]:
    """The bytes and the envelope of a message, with its row; NoSuchMessage when there is none."""
    row = session.get(MessageRow, message_id)
    if row is None:
        raise NoSuchMessage(f"there is no message {message_id}")
    raw = keys.unseal(row.raw, place=f"messages.raw:{message_id}")
    return raw, keys.unseal_json(row.envelope, place=f"messages.envelope:{message_id}"), row


def earlier_copy(session: Session, row: MessageRow) -> str | None:
    """The id of a message with the same bytes on the same channel that came before this one."""
    same = select(MessageRow.id).where(
        MessageRow.channel == row.channel,
        MessageRow.digest == row.digest,
        MessageRow.id != row.id,
        (MessageRow.received_at < row.received_at)
        | ((MessageRow.received_at == row.received_at) & (MessageRow.id < row.id)),
    )
    return session.scalars(same.order_by(MessageRow.received_at, MessageRow.id).limit(1)).first()


def copy_in_words(session: Session, keys: KeyRing, message_id: str, message: Message) -> str | None:
    """The id of a mail read before with the same Message-ID that says the same, with the same files.

    The mail server writes other headers into what it hands on by SMTP than into what it keeps for IMAP,
    so the bytes of one mail differ by the way it took. In the transaction that opens the concern.
    """
    if message.channel is not Channel.EMAIL or not message.message_id:
        return None
    header_id = message.message_id[:998]
    _one_at_a_time(session, header_id)
    query = (
        select(ReadingRow)
        .join(MessageRow, MessageRow.id == ReadingRow.message_id)
        .where(
            ReadingRow.header_id == header_id,
            ReadingRow.message_id != message_id,
            ReadingRow.sender_lookup == _sender_lookup(keys, message),
            MessageRow.channel == Channel.EMAIL.value,
        )
        .order_by(ReadingRow.read_at, ReadingRow.message_id)
    )
    said = what_it_says(message.subject, message.text, [a.sha256 for a in message.attachments])
    for reading in session.scalars(query):
        if what_it_says(reading.subject, reading.text, [a["sha256"] for a in reading.attachments]) == said:
            return reading.message_id
    return None


def _one_at_a_time(session: Session, header_id: str) -> None:
    # Two workers may have the two copies in hand at once; on SQLite there is one writer anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(header_id, 0))))


def what_it_says(subject: str, text: str, digests: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """What two copies of one mail have in common: the words of subject and text, the digests of files."""
    return subject.split(), text.split(), sorted(digests)


def save_reading(session: Session, keys: KeyRing, message_id: str, message: Message, now: datetime) -> None:
    """Add a reading of the message: the next version, earlier ones stay."""
    latest = session.scalar(select(func.max(ReadingRow.version)).where(ReadingRow.message_id == message_id))
    sender = {
        "sender": asdict(message.sender) if message.sender else None,
        "reply_to": asdict(message.reply_to) if message.reply_to else None,
        "original_author": asdict(message.original_author) if message.original_author else None,
        # A file's name can be a person's.
        "filenames": [attachment.filename for attachment in message.attachments],
    }
    session.add(
        ReadingRow(
            message_id=message_id,
            version=(latest or 0) + 1,
            read_at=now,
            subject=message.subject,
            text=message.text,
            new_text=message.new_text,
            sender=keys.seal_json(sender, place=f"readings.sender:{message_id}"),
            sender_lookup=_sender_lookup(keys, message),
            header_id=message.message_id[:998] if message.message_id else None,
            attachments=[
                {"content_type": a.content_type, "bytes": a.size, "sha256": a.sha256}
                for a in message.attachments
            ],
            defects=list(message.defects),
            auto_reply=message.auto_reply,
            bounce=message.bounce,
            bulk=message.bulk,
        )
    )


def was_heard_before(session: Session, keys: KeyRing, message: Message) -> bool:
    """Whether its sender wrote a message that belongs to a concern."""
    lookup = _sender_lookup(keys, message)
    if lookup is None:
        return False
    query = (
        select(ReadingRow.message_id)
        .join(DispositionRow, DispositionRow.message_id == ReadingRow.message_id)
        .where(ReadingRow.sender_lookup == lookup, DispositionRow.kind == Disposition.CONCERN.value)
    )
    return session.scalars(query.limit(1)).first() is not None


def _sender_lookup(keys: KeyRing, message: Message) -> str | None:
    # Somebody who gave a name alone must not look like everybody else who did.
    return keys.lookup(message.sender.address) if message.sender and message.sender.address else None


def latest_reading(session: Session, keys: KeyRing, message_id: str) -> Reading | None:
    """The message as it was last read; None when it has not been read yet."""
    row = session.scalars(
        select(ReadingRow)
        .where(ReadingRow.message_id == message_id)
        .order_by(ReadingRow.version.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    sealed = keys.unseal_json(row.sender, place=f"readings.sender:{message_id}")
    return Reading(
        message_id=row.message_id,
        version=row.version,
        subject=row.subject,
        text=row.text,
        new_text=row.new_text,
        sender=Address(**sealed["sender"]) if sealed["sender"] else None,
        reply_to=Address(**sealed["reply_to"]) if sealed["reply_to"] else None,
        header_id=row.header_id,
        attachments=_with_names(row.attachments, sealed.get("filenames", [])),
        defects=row.defects,
        auto_reply=row.auto_reply,
        bounce=row.bounce,
        bulk=row.bulk,
        trust=trust_of(session, message_id),
        spam=spam_mark_of(session, message_id),
    )


def _with_names(attachments: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    # Earlier readings kept the names beside the rest.
    return [
        {"filename": name, **facts} for name, facts in zip(names, attachments, strict=False)
    ] or attachments


def disposition_of(session: Session, message_id: str) -> DispositionRow | None:
    """What became of the message; None while triage has not seen it."""
    return session.get(DispositionRow, message_id)


def dispose(
    session: Session,
    message_id: str,
    kind: Disposition,
    *,
    audit: Audit,
    concern_id: str | None = None,
    duplicate_of: str | None = None,
    reason: str = "",
) -> None:
    """Say what became of the message; MoveRefused when it already became something that must stay."""
    row = session.get(DispositionRow, message_id)
    if row is None:
        row = DispositionRow(message_id=message_id)
        session.add(row)
    else:
        check_message_move(Disposition(row.kind), kind)
    row.kind, row.concern_id, row.duplicate_of = kind.value, concern_id, duplicate_of
    row.reason, row.at = reason[:500], audit.at
    record(session, audit, f"message:{message_id}")
