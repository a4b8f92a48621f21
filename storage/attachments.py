"""Files that came with messages: kept sealed, described without being opened, scanned, and erased."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.encryption import KeyRing
from storage.tables import AttachmentRow
from triage.errors import CareConcernsError
from triage.vocabulary import Attachment, FileSign

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
KEPT = "kept"
NOT_UNPACKED = "not_unpacked"


class NoSuchAttachment(CareConcernsError):
    """There is no attachment of that id."""


class ScanState(StrEnum):
    """What the virus scanner said of a file."""

    UNSCANNED = "unscanned"
    CLEAN = "clean"
    INFECTED = "infected"
    COULD_NOT_SCAN = "could_not_scan"


@dataclass(frozen=True)
class KeptAttachment:
    """What is known of a file without opening it; `state` says whether its bytes are kept, and if not, why."""

    attachment_id: str
    message_id: str
    position: int
    name: str
    size: int
    sha256: str
    declared_type: str
    sniffed_type: str
    signs: tuple[FileSign, ...]
    text: str
    state: str
    scan_state: ScanState
    scan_word: str
    scanned_at: datetime | None

    def as_attachment(self) -> Attachment:
        """The file as triage reads it, without its bytes."""
        return Attachment(
            self.name,
            self.declared_type,
            self.size,
            self.sha256,
            sniffed_type=self.sniffed_type,
            signs=self.signs,
            text=self.text,
        )


def keep_attachments(
    session: Session, keys: KeyRing, message_id: str, files: Sequence[Attachment], *, now: datetime
) -> list[str]:
    """Keep the files of a message; returns the ids of those that were not kept before."""
    sources = [f"{number}:{file.sha256}" for number, file in enumerate(files, start=1)]
    return [
        added
        for source, file in zip(sources, files, strict=True)
        if (added := keep_attachment(session, keys, message_id, file, source=source, now=now))
    ]


def keep_attachment(
    session: Session,
    keys: KeyRing,
    message_id: str,
    file: Attachment,
    *,
    source: str,
    now: datetime,
    state: str = KEPT,
) -> str | None:
    """Keep one file, `source` being its channel's name of it; its id, or None when it was kept before."""
    file_id = attachment_id(message_id, source)
    if session.get(AttachmentRow, file_id) is not None:
        return None
    if file.size and not file.content and state == KEPT:
        state = NOT_UNPACKED
    last = session.scalar(
        select(func.max(AttachmentRow.position)).where(AttachmentRow.message_id == message_id)
    )
    session.add(
        AttachmentRow(
            id=file_id,
            message_id=message_id,
            position=(last or 0) + 1,
            name=keys.seal(file.filename.encode("utf-8", "replace"), place=_name_place(file_id)),
            size=file.size,
            sha256=file.sha256,
            declared_type=file.content_type.replace("\0", "")[:255],
            sniffed_type=file.sniffed_type[:255],
            signs=[sign.value for sign in file.signs],
            text=file.text.replace("\0", ""),
            state=state,
            content=keys.seal(file.content, place=_content_place(file_id)),
            kept_at=now,
            scan_state=ScanState.UNSCANNED.value,
            scan_word="",
            scan_attempts=0,
            scanned_at=None,
            next_scan_at=now if state == KEPT else None,
        )
    )
    session.flush()
    return file_id


def attachment_id(message_id: str, source: str) -> str:
    """The id that follows from the message and its channel's name of the file, so that it is kept once."""
    return hashlib.sha256(f"{message_id}/{source}".encode()).hexdigest()[:32]


def _name_place(file_id: str) -> str:
    return f"attachments.name:{file_id}"


def _content_place(file_id: str) -> str:
    return f"attachments.content:{file_id}"


def attachments_of(session: Session, keys: KeyRing, message_ids: Iterable[str]) -> list[KeptAttachment]:
    """The files of these messages, each message's in order."""
    query = (
        select(AttachmentRow)
        .where(AttachmentRow.message_id.in_(list(message_ids)))
        .order_by(AttachmentRow.message_id, AttachmentRow.position)
    )
    return [_kept(keys, row) for row in session.scalars(query)]


def attachment_by_id(session: Session, keys: KeyRing, file_id: str) -> KeptAttachment:
    """The file of that id; NoSuchAttachment when there is none."""
    return _kept(keys, _row(session, file_id))


def content_of(session: Session, keys: KeyRing, file_id: str) -> bytes:
    """The bytes of the file, empty when they are not kept; NoSuchAttachment when there is none."""
    return keys.unseal(_row(session, file_id).content, place=_content_place(file_id))


def _row(session: Session, file_id: str) -> AttachmentRow:
    row = session.get(AttachmentRow, file_id)
    if row is None:
        raise NoSuchAttachment(f"there is no attachment {file_id}")
    return row


def _kept(keys: KeyRing, row: AttachmentRow) -> KeptAttachment:
    return KeptAttachment(
        attachment_id=row.id,
        message_id=row.message_id,
        position=row.position,
        name=keys.unseal(row.name, place=_name_place(row.id)).decode("utf-8", "replace"),
        size=row.size,
        sha256=row.sha256,
        declared_type=row.declared_type,
        sniffed_type=row.sniffed_type,
        signs=tuple(FileSign(sign) for sign in row.signs),
        text=row.text,
        state=row.state,
        scan_state=ScanState(row.scan_state),
        scan_word=row.scan_word,
        scanned_at=row.scanned_at,
    )


def note_scan(session: Session, file_id: str, state: ScanState, word: str, *, now: datetime) -> None:
    """Write down what the scanner said; what could not be scanned is due again after a growing wait.

    `word` is the name of what was found, or why there was no scan. Nothing happens to an erased file.
    """
    row = session.get(AttachmentRow, file_id)
    if row is None:
        return
    changed = row.scan_state != state.value
    row.scan_state, row.scan_word, row.scanned_at = state.value, word[:200], now
    row.scan_attempts += 1
    row.next_scan_at = None
    if state is ScanState.COULD_NOT_SCAN:
        wait = _FIRST_WAIT * 2 ** min(row.scan_attempts - 1, 10)
        row.next_scan_at = now + min(wait, _LONGEST_WAIT)
    if changed:
        details = {"attachment": file_id, "result": state.value}
        entry = Audit(at=now, actor=MACHINE, action="scanned_file", details=details)
        record(session, entry, f"message:{row.message_id}")


def scans_due(session: Session, now: datetime, *, limit: int = 50) -> list[tuple[str, int]]:
    """Ids of files that wait for a scan, with how often one was tried, the longest waiting first."""
    query = (
        select(AttachmentRow.id, AttachmentRow.scan_attempts)
        .where(
            AttachmentRow.scan_state.in_([ScanState.UNSCANNED.value, ScanState.COULD_NOT_SCAN.value]),
            AttachmentRow.next_scan_at <= now,
        )
        .order_by(AttachmentRow.next_scan_at, AttachmentRow.id)
    )
    return [(file_id, attempts) for file_id, attempts in session.execute(query.limit(limit))]


@dataclass(frozen=True)
class ScanFigures:
    """How many kept files there are by what the scanner said, and when it last said anything."""

    by_state: dict[ScanState, int]
    last_answer_at: datetime | None


def scan_figures(session: Session) -> ScanFigures:
    """Count the kept files by what the scanner said of them."""
    counts = session.execute(
        select(AttachmentRow.scan_state, func.count())
        .where(AttachmentRow.state == KEPT)
        .group_by(AttachmentRow.scan_state)
    )
    answered = [ScanState.CLEAN.value, ScanState.INFECTED.value]
    last = session.scalar(
        select(func.max(AttachmentRow.scanned_at)).where(AttachmentRow.scan_state.in_(answered))
    )
    return ScanFigures({ScanState(state): count for state, count in counts}, last)


def erase_attachments(session: Session, message_id: str) -> int:
    """Delete every file of the message, with its name and its words; returns how many there were."""
    done = session.execute(delete(AttachmentRow).where(AttachmentRow.message_id == message_id))
    return int(getattr(done, "rowcount", 0))
