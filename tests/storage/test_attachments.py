"""Attached files in the database: kept once, sealed, found by their words, scanned again later, and erased."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.app import App
from storage.attachments import (
    NoSuchAttachment,
    ScanState,
    attachment_by_id,
    attachments_of,
    content_of,
    erase_attachments,
    keep_attachments,
    note_scan,
    scan_figures,
    scans_due,
)
from storage.audit import MACHINE, Audit
from storage.concerns import ConcernFilter, list_concerns
from storage.encryption import add_key
from storage.erasing import erase
from storage.messages import latest_reading
from storage.rotation import reseal_all
from storage.tables import AttachmentRow, AuditRow, ConcernRow, ReadingRow
from tests.bot.email_bytes import attached, multipart, part
from tests.factories import NOW, concern, message_ids, stored, triaged
from triage.vocabulary import Attachment, FileSign

LETTER = Attachment(
    "Margaret Ashdown.pdf",
    "application/pdf",
    7,
    "a" * 64,
    b"content",
    "application/pdf",
    (FileSign.NO_TEXT,),
    "some words",
)


def kept(app: App, *files: Attachment) -> list[str]:
    """The ids of files that were kept with a message of their own."""
    message_id = stored(app)
    with app.database.write() as session:
        return keep_attachments(session, app.keys, message_id, files, now=NOW)


def test_a_file_is_kept_sealed_with_its_name_and_given_back(either_app: App) -> None:
    """A file's name can be a person's."""
    [file_id] = kept(either_app, LETTER)
    with either_app.database.read() as session:
        row = session.get_one(AttachmentRow, file_id)
        assert b"content" not in row.content
        assert b"Margaret" not in row.name
        assert content_of(session, either_app.keys, file_id) == b"content"
        file = attachment_by_id(session, either_app.keys, file_id)
    assert (file.name, file.size, file.state, file.scan_state) == (LETTER.filename, 7, "kept", "unscanned")
    assert file.as_attachment().signs == LETTER.signs
    assert file.as_attachment().text == "some words"


def test_the_same_files_are_kept_once_and_stay_in_order(either_app: App) -> None:
    """A message that is read again brings nothing new."""
    message_id = stored(either_app)
    files = [LETTER, LETTER, Attachment("b.txt", "text/plain", 1, "b" * 64, b"b")]
    for expected in (3, 0):
        with either_app.database.write() as session:
            assert len(keep_attachments(session, either_app.keys, message_id, files, now=NOW)) == expected
    with either_app.database.read() as session:
        found = attachments_of(session, either_app.keys, [message_id])
    assert [(file.position, file.name) for file in found] == [
        (1, LETTER.filename),
        (2, LETTER.filename),
        (3, "b.txt"),
    ]


def test_a_file_whose_bytes_were_not_unpacked_says_so_and_is_not_scanned(app: App) -> None:
    """It stays in the message as it came."""
    [file_id] = kept(app, Attachment("big.iso", "", 10**9, "c" * 64))
    with app.database.read() as session:
        assert attachment_by_id(session, app.keys, file_id).state == "not_unpacked"
        assert scans_due(session, NOW) == []


def test_the_list_of_files_loads_no_content(app: App) -> None:
    """A page with ten films must not hold them in memory."""
    [file_id] = kept(app, LETTER)
    with app.database.read() as session:
        row = session.scalars(select(AttachmentRow)).one()
        assert row.id == file_id
        assert "content" not in row.__dict__


def test_rotation_seals_names_and_contents_again(app: App) -> None:
    """And old keys are no longer needed for them."""
    [file_id] = kept(app, LETTER)
    ring = add_key(app.settings.keys_path)
    app.database.keys = ring
    assert reseal_all(app.database) >= 2
    with app.database.read() as session:
        row = session.get_one(AttachmentRow, file_id)
        assert ring.is_current(row.name)
        assert ring.is_current(row.content)
        assert content_of(session, ring, file_id) == b"content"
    assert reseal_all(app.database) == 0


def test_what_could_not_be_scanned_is_due_again_after_a_growing_wait(either_app: App) -> None:
    """Up to an hour; the audit trail has one line for it, not one for each attempt."""
    [file_id] = kept(either_app, LETTER)
    now, waits = NOW, []
    for attempt in range(12):
        with either_app.database.read() as session:
            assert scans_due(session, now) == [(file_id, attempt)]
        with either_app.database.write() as session:
            note_scan(session, file_id, ScanState.COULD_NOT_SCAN, "away", now=now)
            due_at = session.get_one(AttachmentRow, file_id).next_scan_at
            assert due_at is not None
        waits.append(due_at - now)
        with either_app.database.read() as session:
            assert scans_due(session, due_at - timedelta(seconds=1)) == []
        now = due_at
    assert waits[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert waits[-1] == timedelta(hours=1)
    with either_app.database.write() as session:
        note_scan(session, file_id, ScanState.CLEAN, "", now=now)
    with either_app.database.read() as session:
        assert scans_due(session, now + timedelta(days=9)) == []
        figures = scan_figures(session)
        query = select(AuditRow.details).where(AuditRow.action == "scanned_file").order_by(AuditRow.number)
        results = [details["result"] for details in session.scalars(query)]
    assert (figures.by_state, figures.last_answer_at) == ({ScanState.CLEAN: 1}, now)
    assert results == ["could_not_scan", "clean"]


def test_an_erased_message_leaves_nothing_of_its_files(either_app: App) -> None:
    """Neither bytes nor names nor words, and a scan that comes late changes nothing."""
    [file_id] = kept(either_app, LETTER)
    others = kept(either_app, LETTER)
    with either_app.database.write() as session:
        message_id = attachment_by_id(session, either_app.keys, file_id).message_id
        assert erase_attachments(session, message_id) == 1
    with either_app.database.write() as session:
        note_scan(session, file_id, ScanState.CLEAN, "", now=NOW)
        with pytest.raises(NoSuchAttachment):
            attachment_by_id(session, either_app.keys, file_id)
        assert session.scalars(select(AttachmentRow.id)).all() == others


def test_a_concern_is_found_by_the_words_of_a_file(either_app: App) -> None:
    """As by those of the message."""
    wanted = concern(either_app)
    concern(either_app)
    [message_id] = message_ids(either_app, wanted.id)
    with either_app.database.write() as session:
        keep_attachments(session, either_app.keys, message_id, [LETTER], now=NOW)
    with either_app.database.read() as session:
        found = list_concerns(session, ConcernFilter(words="Some Words"))
    assert [row.reference for row in found] == [wanted.reference]


def test_no_readable_column_holds_the_name_of_a_file(app: App) -> None:
    """The reading gives it back all the same."""
    mail = multipart("mixed", part("See attached."), attached(b"x", "image/png", "Margaret-Ashdown.png"))
    opened = triaged(app, mail)
    [message_id] = message_ids(app, opened.id)
    with app.database.read() as session:
        row = session.scalars(select(ReadingRow)).one()
        assert "Ashdown" not in repr(row.attachments)
        reading = latest_reading(session, app.keys, message_id)
        [file] = attachments_of(session, app.keys, [message_id])
    assert reading is not None
    assert reading.attachments[0]["filename"] == file.name == "Margaret-Ashdown.png"


def test_an_erased_concern_takes_its_files_with_it(app: App) -> None:
    """Nothing of them is left to be opened or found."""
    opened = concern(app)
    [message_id] = message_ids(app, opened.id)
    with app.database.write() as session:
        keep_attachments(session, app.keys, message_id, [LETTER], now=NOW)
    with app.database.write() as session:
        row = session.get_one(ConcernRow, opened.id)
        row.state = "closed"
        audit = Audit(at=NOW, actor=MACHINE, action="erased")
        erase(session, app.keys, row, because="asked for", audit=audit)
    with app.database.read() as session:
        assert session.scalars(select(AttachmentRow.id)).all() == []
