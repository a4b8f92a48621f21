"""Mailboxes that mail is fetched from: how far each folder was read, what the server did not give, the counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.encryption import KeyRing
from storage.messages import Received, dispose, disposition_of, keep
from storage.tables import (
    MailboxCountRow,
    MailboxFolderRow,
    MailboxGapRow,
    MailboxLeaseRow,
    MailboxRow,
    MessageRow,
)
from triage.lifecycle import Disposition
from triage.vocabulary import Channel

_MOST_EXTERNAL_ID = 255
_UIDS_TOGETHER = 500
_MISSING_SHOWN = 100


class MailboxState(StrEnum):
    """How it stands with a mailbox."""

    CONNECTED = "connected"
    AWAY = "away"
    REFUSED = "refused"
    FAULT = "fault"


@dataclass(frozen=True)
class Folder:
    """A folder in one life of its numbering: the server gives no UID twice under one UIDVALIDITY."""

    account: str
    name: str
    uidvalidity: int

    def external_id(self, uid: int) -> str:
        """The name of a message that stays its own for ever; also in the database, as `external_id`."""
        place = f"{self.account}:{self.name}"
        tail = f":{self.uidvalidity}:{uid}"
        if len(f"imap:{place}{tail}") > _MOST_EXTERNAL_ID:
            place = hashlib.sha256(place.encode()).hexdigest()
        return f"imap:{place}{tail}"


@dataclass(frozen=True)
class FolderCount:
    """What a count found: messages there now, and how many of them are stored, are gaps, or are missing here.

    `mended` of the missing ones were fetched there and then.
    """

    folder: Folder
    at: datetime
    in_mailbox: int
    stored: int
    gaps: int
    missing: int
    mended: int
    missing_uids: tuple[int, ...] = ()

    @property
    def difference(self) -> int:
        """How many messages of the mailbox are not in the database, nor on the desk as not given."""
        return self.missing - self.mended


def note_state(
    session: Session, account: str, state: MailboxState, *, now: datetime, problem: str = ""
) -> None:
    """Say how it stands with the mailbox; being connected is also a contact."""
    row = session.get(MailboxRow, account)
    if row is None:
        row = MailboxRow(account=account, state="", problem="", since=now, contact_at=None)
        session.add(row)
    if row.state != state:
        row.state, row.since = state.value, now
        details = {"state": state.value, "problem": problem[:200]}
        record(session, Audit(at=now, actor=MACHINE, action="mailbox_state", details=details), "mailbox")
    row.problem = problem[:200]
    if state is MailboxState.CONNECTED:
        row.contact_at = now


def take_lease(session: Session, account: str, holder: str, *, now: datetime, until: datetime) -> str:
    """Become, or stay, the one who reads the mailbox until then; returns who holds it afterwards."""
    row = session.get(MailboxLeaseRow, account, with_for_update=True)
    if row is None:
        row = MailboxLeaseRow(account=account, holder=holder, until=until)
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            # Another reader came at this very moment.
            return session.scalars(
                select(MailboxLeaseRow.holder).where(MailboxLeaseRow.account == account)
            ).one()
        return holder
    if row.holder == holder or row.until <= now:
        row.holder, row.until = holder, until
    return row.holder


def give_up_lease(session: Session, account: str, holder: str) -> None:
    """Let another reader have the mailbox; nothing happens where somebody else holds it."""
    session.execute(
        delete(MailboxLeaseRow).where(MailboxLeaseRow.account == account, MailboxLeaseRow.holder == holder)
    )


def begin(session: Session, folder: Folder, *, now: datetime) -> int:
    """The last UID that was read; 0 for a folder that is new, or whose numbering began anew."""
    row = session.get(MailboxFolderRow, (folder.account, folder.name))
    if row is None:
        row = MailboxFolderRow(
            account=folder.account,
            folder=folder.name,
            uidvalidity=folder.uidvalidity,
            last_uid=0,
            begun_at=now,
        )
        session.add(row)
    elif row.uidvalidity != folder.uidvalidity:
        row.uidvalidity, row.last_uid, row.begun_at = folder.uidvalidity, 0, now
        # What was not given under its old number comes again under a new one.
        session.execute(
            delete(MailboxGapRow).where(
                MailboxGapRow.account == folder.account,
                MailboxGapRow.folder == folder.name,
                MailboxGapRow.uidvalidity != folder.uidvalidity,
                MailboxGapRow.message_id.is_(None),
            )
        )
        audit = Audit(at=now, actor=MACHINE, action="mailbox_rescanned", details={"folder": folder.name})
        record(session, audit, "mailbox")
    return row.last_uid


def advance(session: Session, folder: Folder, last_uid: int) -> None:
    """Every message up to that UID is stored or a gap; it never goes back."""
    row = session.get(MailboxFolderRow, (folder.account, folder.name))
    if row is not None and row.uidvalidity == folder.uidvalidity:
        row.last_uid = max(row.last_uid, last_uid)


def stored_uids(session: Session, folder: Folder, uids: Iterable[int]) -> set[int]:
    """Those of the UIDs whose messages are in the database."""
    found: set[int] = set()
    for chunk in _chunks(uids):
        names = {folder.external_id(uid): uid for uid in chunk}
        query = select(MessageRow.external_id).where(
            MessageRow.channel == Channel.EMAIL.value, MessageRow.external_id.in_(list(names))
        )
        found.update(names[name] for name in session.scalars(query) if name)
    return found


def stored_id(session: Session, folder: Folder, uid: int) -> str | None:
    """The id of the message in the database; None when it is not there."""
    query = select(MessageRow.id).where(
        MessageRow.channel == Channel.EMAIL.value, MessageRow.external_id == folder.external_id(uid)
    )
    return session.scalars(query.order_by(MessageRow.received_at).limit(1)).first()


def _chunks(uids: Iterable[int]) -> Iterator[list[int]]:
    left = iter(uids)
    while chunk := list(islice(left, _UIDS_TOGETHER)):
        yield chunk


def note_gap(
    session: Session, folder: Folder, uid: int, reason: str, *, now: datetime, next_at: datetime
) -> None:
    """The server did not give the message: it is to be asked for again at `next_at`."""
    row = session.get(MailboxGapRow, _gap_key(folder, uid))
    if row is None:
        row = MailboxGapRow(
            account=folder.account,
            folder=folder.name,
            uidvalidity=folder.uidvalidity,
            uid=uid,
            attempts=0,
            first_at=now,
            message_id=None,
        )
        session.add(row)
    row.attempts += 1
    row.reason, row.next_at = reason[:200], next_at


def _gap_key(folder: Folder, uid: int) -> tuple[str, str, int, int]:
    return folder.account, folder.name, folder.uidvalidity, uid


def attempts_of(session: Session, folder: Folder, uid: int) -> int:
    """How often the message was asked for in vain."""
    row = session.get(MailboxGapRow, _gap_key(folder, uid))
    return row.attempts if row is not None else 0


def gap_uids(session: Session, folder: Folder, *, due_at: datetime | None = None) -> list[int]:
    """UIDs that the server did not give, the lowest first; `due_at` for those to be tried again by then."""
    query = select(MailboxGapRow.uid).where(
        MailboxGapRow.account == folder.account,
        MailboxGapRow.folder == folder.name,
        MailboxGapRow.uidvalidity == folder.uidvalidity,
    )
    if due_at is not None:
        query = query.where(MailboxGapRow.next_at <= due_at)
    return list(session.scalars(query.order_by(MailboxGapRow.uid)))


def set_gap_aside(session: Session, keys: KeyRing, folder: Folder, uid: int, *, now: datetime) -> None:
    """Put an item on the desk that stands for a message which the server does not give."""
    row = session.get(MailboxGapRow, _gap_key(folder, uid))
    if row is None or row.message_id is not None:
        return
    stand_in = Received(
        raw=_stand_in(folder, uid, row.reason),
        channel=Channel.EMAIL,
        received_at=now,
        envelope={"mail_from": "", "rcpt_tos": [], "folder": folder.name, "uid": uid},
        external_id=f"gap-{uuid4().hex}",
    )
    keep(session, keys, [stand_in])
    reason = f"the mail server does not give message {uid} of {folder.name}: {row.reason}"
    audit = Audit(at=now, actor=MACHINE, action="set_aside", details={"reason": reason})
    dispose(session, stand_in.message_id, Disposition.SET_ASIDE, audit=audit, reason=reason)
    row.message_id = stand_in.message_id


def _stand_in(folder: Folder, uid: int, reason: str) -> bytes:
    text = (
        f"The mail server does not give the message with the UID {uid} in the folder {folder.name}"
        f" of {folder.account}: {reason}.\n\nOpen the mailbox and read it there. It is asked for again every day.\n"
    )
    head = (
        "Subject: A message that the mail server does not give\nContent-Type: text/plain; charset=utf-8\n\n"
    )
    return (head + text).replace("\n", "\r\n").encode()


def close_gap(session: Session, folder: Folder, uid: int, message_id: str, *, now: datetime) -> None:
    """The message came after all: what stood for it on the desk is linked to it."""
    row = session.get(MailboxGapRow, _gap_key(folder, uid))
    if row is None:
        return
    stand_in = disposition_of(session, row.message_id) if row.message_id else None
    if stand_in is not None and stand_in.kind == Disposition.SET_ASIDE:
        audit = Audit(at=now, actor=MACHINE, action="linked_duplicate", details={"duplicate_of": message_id})
        dispose(session, stand_in.message_id, Disposition.DUPLICATE, audit=audit, duplicate_of=message_id)
    session.delete(row)


def forget_gap(session: Session, folder: Folder, uid: int) -> None:
    """The message is no longer in the folder; what stands for it on the desk stays."""
    row = session.get(MailboxGapRow, _gap_key(folder, uid))
    if row is not None:
        session.delete(row)


def save_count(session: Session, count: FolderCount) -> None:
    """Keep the result of a count, with an audit entry."""
    session.add(
        MailboxCountRow(
            id=uuid4().hex,
            account=count.folder.account,
            folder=count.folder.name,
            at=count.at,
            uidvalidity=count.folder.uidvalidity,
            in_mailbox=count.in_mailbox,
            stored=count.stored,
            gaps=count.gaps,
            missing=count.missing,
            mended=count.mended,
            missing_uids=list(count.missing_uids[:_MISSING_SHOWN]),
        )
    )
    details = {"folder": count.folder.name, "in_mailbox": count.in_mailbox, "missing": count.missing}
    record(session, Audit(at=count.at, actor=MACHINE, action="mailbox_counted", details=details), "mailbox")


def last_counted(session: Session, account: str, folder: str) -> datetime | None:
    """When the folder was last counted."""
    query = select(MailboxCountRow.at).where(
        MailboxCountRow.account == account, MailboxCountRow.folder == folder
    )
    return session.scalars(query.order_by(MailboxCountRow.at.desc()).limit(1)).first()


@dataclass(frozen=True)
class MailboxReport:
    """A mailbox as the desk and `doctor` show it: its state, each folder's latest count, what was not given."""

    account: str
    state: MailboxState
    problem: str
    since: datetime
    contact_at: datetime | None
    counts: tuple[FolderCount, ...]
    gaps: tuple[MailboxGapRow, ...]


def mailbox_reports(session: Session) -> list[MailboxReport]:
    """Every mailbox that was ever fetched from."""
    rows = session.scalars(select(MailboxRow).order_by(MailboxRow.account))
    return [
        MailboxReport(
            account=row.account,
            state=MailboxState(row.state),
            problem=row.problem,
            since=row.since,
            contact_at=row.contact_at,
            counts=tuple(_latest_counts(session, row.account)),
            gaps=tuple(_gaps(session, row.account)),
        )
        for row in rows
    ]


def _latest_counts(session: Session, account: str) -> Iterator[FolderCount]:
    folders = session.scalars(select(MailboxFolderRow.folder).where(MailboxFolderRow.account == account))
    for name in sorted(folders):
        query = select(MailboxCountRow).where(
            MailboxCountRow.account == account, MailboxCountRow.folder == name
        )
        row = session.scalars(query.order_by(MailboxCountRow.at.desc()).limit(1)).first()
        if row is not None:
            yield FolderCount(
                folder=Folder(account, name, row.uidvalidity),
                at=row.at,
                in_mailbox=row.in_mailbox,
                stored=row.stored,
                gaps=row.gaps,
                missing=row.missing,
                mended=row.mended,
                missing_uids=tuple(row.missing_uids),
            )


def _gaps(session: Session, account: str) -> Sequence[MailboxGapRow]:
    query = select(MailboxGapRow).where(MailboxGapRow.account == account)
    return session.scalars(query.order_by(MailboxGapRow.folder, MailboxGapRow.uid)).all()
