"""Triage of one message, step by step, each safe to repeat."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot.app import App
from bot.background import unfinished
from bot.file_reading.kinds import DOCX
from bot.form_reading import EnclosedFile, write_form
from bot.workflows import set_aside, triage_message, what_the_clock_brings
from storage.attachments import attachments_of, content_of
from storage.concerns import assessments_of, concern_by_id
from storage.messages import disposition_of, latest_reading
from storage.oversight import conservation
from storage.tables import AssessmentRow, AuditRow, ConcernRow, DispositionRow, OutgoingRow, ReadingRow
from tests.bot.email_bytes import attached, multipart, part
from tests.bot.file_samples import JPEG_HEAD, docx, pdf
from tests.factories import (
    GREEN_TEXT,
    NOW,
    RED_TEXT,
    email_bytes,
    lead,
    message_ids,
    received,
    stored,
    triaged,
)
from triage.lifecycle import Disposition
from triage.vocabulary import Channel

LATER = NOW + timedelta(minutes=5)


def count(app: App, table: type) -> int:
    """How many rows there are."""
    with app.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def became(app: App, message_id: str) -> DispositionRow:
    """What became of the message."""
    with app.database.read() as session:
        known = disposition_of(session, message_id)
    assert known is not None
    return known


def test_a_message_becomes_a_concern_with_everything_that_explains_it(either_app: App) -> None:
    """Reading, assessment, disposition, answer and alert, in one go."""
    lead(either_app)
    opened = triaged(either_app, email_bytes(RED_TEXT))
    assert (opened.category, opened.severity, opened.state) == ("safeguarding", "red", "new")
    assert opened.due_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    [message_id] = message_ids(either_app, opened.id)
    with either_app.database.read() as session:
        reading = latest_reading(session, either_app.keys, message_id)
        [assessment] = assessments_of(session, opened.id)
        actions = list(session.scalars(select(AuditRow.action).order_by(AuditRow.number)))
        kinds = list(session.scalars(select(OutgoingRow.kind).order_by(OutgoingRow.kind)))
    assert reading is not None
    assert "punched" in reading.text
    spans = [r for r in assessment.details["reasons"] if r["end"] >= 0]
    assert spans
    for reason in spans:
        assert assessment.read_text[reason["start"] : reason["end"]] == reason["text"]
    assert actions == [
        "lead_added",
        "received",
        "opened",
        "triaged",
        "acknowledgement_decided",
        "alert_decided",
    ]
    assert kinds == ["acknowledgement", "alert"]
    assert sum(unfinished(either_app.database).values()) == 2


def test_triage_done_twice_changes_nothing(app: App) -> None:
    """A kill after the commit brings the step again."""
    lead(app)
    message_id = stored(app, received(email_bytes(RED_TEXT)))
    for _ in range(3):
        triage_message(app, message_id, now=NOW)
    assert [count(app, table) for table in (ConcernRow, AssessmentRow, ReadingRow, OutgoingRow)] == [
        1,
        1,
        1,
        2,
    ]


def test_a_fault_in_mid_triage_leaves_nothing_behind(app: App) -> None:
    """The audit trail says nothing of what did not happen, and the next attempt succeeds."""
    message_id = stored(app)
    broken = replace(app, settings=app.settings.model_copy(update={"timezone": "Nowhere/Atall"}))
    with pytest.raises(Exception, match="Nowhere"):
        triage_message(broken, message_id, now=NOW)
    assert [count(app, table) for table in (ConcernRow, ReadingRow, DispositionRow, OutgoingRow)] == [0] * 4
    triage_message(app, message_id, now=NOW)
    assert count(app, ConcernRow) == 1


def test_the_same_mail_twice_is_one_concern_and_a_linked_copy(either_app: App) -> None:
    """And one answer."""
    raw = email_bytes()
    first = stored(either_app, received(raw))
    second = stored(either_app, received(raw, received_at=LATER))
    for message_id in (second, first, second, first):
        triage_message(either_app, message_id, now=LATER)
    assert became(either_app, first).kind == Disposition.CONCERN
    assert became(either_app, second).kind == Disposition.DUPLICATE
    assert became(either_app, second).duplicate_of == first
    assert count(either_app, ConcernRow) == count(either_app, OutgoingRow) == 1
    with either_app.database.read() as session:
        assert conservation(session).holds


def test_a_mail_that_cannot_be_read_is_set_aside_with_the_reason(app: App) -> None:
    """And counted; with more memory it is read later."""
    hard = replace(app, settings=app.settings.model_copy(update={"parse_seconds": 0.0001}))
    message_id = stored(app, received(email_bytes("word " * 200_000)))
    triage_message(hard, message_id, now=NOW)
    assert became(app, message_id).kind == Disposition.SET_ASIDE
    assert "too long" in became(app, message_id).reason
    assert count(app, ConcernRow) == count(app, OutgoingRow) == 0

    triage_message(app, message_id, now=LATER)
    assert became(app, message_id).kind == Disposition.CONCERN
    assert count(app, ConcernRow) == 1


def test_a_mail_of_nothing_but_garbage_becomes_something_a_person_sees(app: App) -> None:
    """A concern or set aside; never nothing."""
    for raw in (b"", b"\x00" * 100, bytes(range(256)), b"From: \r\n\r\n", b"\r\n\r\n\r\n"):
        triage_message(app, stored(app, received(raw)), now=NOW)
    with app.database.read() as session:
        accounts = conservation(session)
    assert (accounts.received, accounts.waiting) == (5, 0)


def test_what_became_a_concern_is_not_set_aside_afterwards(app: App) -> None:
    """A late fault of another attempt cannot hide it."""
    opened = triaged(app)
    [message_id] = message_ids(app, opened.id)
    set_aside(app, message_id, "fault in triage: KeyError", now=LATER)
    assert became(app, message_id).kind == Disposition.CONCERN


@pytest.mark.parametrize(
    "text",
    ["a\x00b punched her", "\ufffd\ufeff \u2028 punched her", "🙂" * 500, "é" * 70_000],
    ids=["nul", "odd", "emoji", "long"],
)
def test_characters_that_a_database_may_not_like_are_no_fault(either_app: App, text: str) -> None:
    """On both databases alike: PostgreSQL takes no NUL."""
    raw = email_bytes(subject="x\ty").replace(b"The carpet", text.encode())
    opened = triaged(
        either_app, raw.replace(b"Content-Transfer-Encoding: 7bit", b"Content-Transfer-Encoding: 8bit")
    )
    assert opened.reference


def test_a_very_long_header_is_no_fault(either_app: App) -> None:
    """Columns of PostgreSQL have lengths."""
    raw = email_bytes().replace(b"Subject: Rose Court", b"Subject: " + b"Rose Court " * 400)
    raw = raw.replace(b"Message-ID: <", b"Message-ID: <" + b"x" * 3000)
    assert triaged(either_app, raw).reference


def test_a_concern_without_severity_is_due_like_a_green_one(app: App) -> None:
    """Somebody looks at everything."""
    opened = triaged(app, email_bytes("Our spring newsletter is out.", subject="News"))
    with app.database.read() as session:
        row = concern_by_id(session, opened.id)
    assert (row.category, row.severity) == ("not_a_concern", None)
    assert row.due_at == datetime(2026, 11, 27, 17, 0, tzinfo=UTC)


def test_a_message_that_triage_never_heard_of_again_is_put_to_it_once_an_hour(app: App) -> None:
    """After ten minutes; the messages that were triaged are left alone."""
    triaged(app)
    stored(app)
    before = unfinished(app.database).get("ENQUEUED", 0)
    what_the_clock_brings(app, NOW + timedelta(minutes=9))
    assert unfinished(app.database).get("ENQUEUED", 0) == before
    for minutes in (11, 12, 13):
        what_the_clock_brings(app, NOW + timedelta(minutes=minutes))
    assert unfinished(app.database).get("ENQUEUED", 0) == before + 1
    what_the_clock_brings(app, NOW + timedelta(minutes=75))
    assert unfinished(app.database).get("ENQUEUED", 0) == before + 2


def test_a_letter_attached_to_a_mail_that_says_nothing_is_understood(either_app: App) -> None:
    """What it says is explained by its own words, and the file is kept."""
    mail = multipart(
        "mixed", part("Please see attached."), attached(docx("Dear desk,", RED_TEXT), DOCX, "letter.docx")
    )
    opened = triaged(either_app, mail)
    assert (opened.category, opened.severity) == ("safeguarding", "red")
    with either_app.database.read() as session:
        [assessment] = assessments_of(session, opened.id)
        [file] = attachments_of(session, either_app.keys, message_ids(either_app, opened.id))
        content = content_of(session, either_app.keys, file.attachment_id)
    [place] = assessment.details["files"]
    assert assessment.read_text[place["start"] : place["end"]].endswith(RED_TEXT)
    assert any(place["start"] <= reason["start"] < place["end"] for reason in assessment.details["reasons"])
    assert (file.name, file.sniffed_type, content[:2]) == ("letter.docx", DOCX, b"PK")


def test_files_inside_attached_messages_are_kept_too(app: App) -> None:
    """An .eml, and what is in it."""
    inner = multipart("mixed", part("Inner."), attached(pdf("Hello there"), "application/pdf", "inner.pdf"))
    mail = multipart("mixed", part("Forwarded."), part(inner, "message/rfc822"), boundary="outer")
    opened = triaged(app, mail)
    with app.database.read() as session:
        files = attachments_of(session, app.keys, message_ids(app, opened.id))
    assert [file.name for file in files] == ["message.eml", "inner.pdf"]
    assert files[1].text == "Hello there"


def test_a_scanned_document_needs_a_person(app: App) -> None:
    """Nobody may take its silence for nothing to say."""
    mail = multipart("mixed", part(GREEN_TEXT), attached(pdf(scanned=True), "application/pdf", "letter.pdf"))
    opened = triaged(app, mail)
    assert opened.needs_review
    with app.database.read() as session:
        [assessment] = assessments_of(session, opened.id)
    assert "an attached file could not be read" in assessment.details["review_reasons"]


def test_more_files_than_a_message_may_bring_are_described_alone(app: App) -> None:
    """They stay in the message as it came, and a person is asked."""
    parts = [attached(b"file %d" % number, "text/plain", f"{number}.txt") for number in range(220)]
    opened = triaged(app, multipart("mixed", part(GREEN_TEXT), *parts))
    assert opened.needs_review
    with app.database.read() as session:
        files = attachments_of(session, app.keys, message_ids(app, opened.id))
    assert Counter(file.state for file in files) == {"kept": 200, "not_unpacked": 20}


def test_a_report_from_the_form_keeps_its_files(app: App) -> None:
    """As they were uploaded."""
    raw = write_form({"story": GREEN_TEXT}, [EnclosedFile("ceiling.jpg", "image/jpeg", JPEG_HEAD)])
    message_id = stored(app, replace(received(raw), channel=Channel.FORM))
    triage_message(app, message_id, now=NOW)
    with app.database.read() as session:
        [file] = attachments_of(session, app.keys, [message_id])
        assert content_of(session, app.keys, file.attachment_id) == JPEG_HEAD
    assert (file.name, file.sniffed_type) == ("ceiling.jpg", "image/jpeg")
