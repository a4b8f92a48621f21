"""The spam tray: only what the gateway marked and nothing hints at a concern in, and nothing in it is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.app import App
from bot.background import TRIAGE_QUEUE, Worker
from bot.digests import gather, write_digest
from bot.settings import Settings
from bot.spam_tray import RESCUE_JOB, spam_marks
from bot.workflows import jobs, triage_message
from storage.concerns import concern_by_id
from storage.messages import disposition_of, latest_reading
from storage.oversight import conservation
from storage.tables import AssessmentRow, AuditRow, ConcernRow, OutgoingRow
from tests.factories import GREEN_TEXT, NOW, RED_TEXT, email_bytes, lead, received, stored, triaged
from tests.waiting import wait_for
from triage.lifecycle import Disposition

JUNK = "You have won five million dollars. Send your bank details to claim."
MARKED = {"X_Spam_Flag": "YES"}
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def guarded(either_app: App) -> App:
    """An App whose gateway marks spam by two headers."""
    return trusting(either_app, "X-Spam-Flag", "X-MS-Exchange-Organization-SCL")


def trusting(app: App, *headers: str) -> App:
    """The App with these headers named in the setting."""
    return replace(
        app, settings=app.settings.model_copy(update={"spam_headers": headers, "spam_most_chance": 0.06})
    )


def became(app: App, raw: bytes, *, mail_from: str = "x@junk.example") -> str:
    """What became of a mail."""
    message_id = stored(app, received(raw, mail_from=mail_from))
    triage_message(app, message_id, now=NOW)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
    assert known is not None
    return known.kind


def junk(text: str = JUNK, **headers: str) -> bytes:
    """A mail of a stranger, with headers."""
    return email_bytes(text, subject="Claim now", sender="Prize <x@junk.example>", **headers)


@pytest.mark.parametrize(
    ("head", "named", "says"),
    [
        (b"X-Spam-Flag: YES\r\n", "X-Spam-Flag", ("X-Spam-Flag: YES",)),
        (b"X-Spam-Flag: no\r\n", "X-Spam-Flag", ()),
        (b"X-Spam-Flag: NO\r\nX-Spam-Flag: YES\r\n", "X-Spam-Flag", ()),
        (b"X-Spam-Status: Yes, score=9.1\r\n\ttests=X\r\n", "X-Spam-Status", ("X-Spam-Status: Yes",)),
        (b"X-Spam-Status: No, score=1 yes\r\n", "X-Spam-Status", ()),
        (b"X-MS-Exchange-Organization-SCL: 5\r\n", "x-ms-exchange-organization-scl", True),
        (b"X-MS-Exchange-Organization-SCL: 4\r\n", "X-MS-Exchange-Organization-SCL", ()),
        (b"X-MS-Exchange-Organization-SCL: -1\r\n", "X-MS-Exchange-Organization-SCL", ()),
        (b"X-MS-Exchange-Organization-SCL: 99999999999999\r\n", "X-MS-Exchange-Organization-SCL", True),
        (b"X-Spam-Flag: YES\r\n", "", ()),
        (b"X-Spam-Flag: YES\r\n", "X-Spam-Status", ()),
        (b"Subject: x\r\n\r\nX-Spam-Flag: YES\r\n", "X-Spam-Flag", ()),
    ],
)
def test_only_the_headers_that_the_setting_names_mark_anything(
    head: bytes, named: str, says: tuple[str, ...] | bool
) -> None:
    """The topmost of each, at the top of the mail, from the score that the setting names on."""
    marks = spam_marks(head + email_bytes(), Settings(spam_headers=named))
    assert bool(marks) if says is True else marks == says


def test_a_setting_that_names_an_unknown_header_is_refused() -> None:
    """A misspelt one would silently do nothing."""
    with pytest.raises(ValueError, match="X-Spam-Flagg is not one of"):
        Settings(spam_headers="X-Spam-Flagg")


def test_marked_mail_without_a_hint_goes_to_the_tray_and_is_counted(guarded: App) -> None:
    """No concern, no answer to its sender, and the numbers add up."""
    assert became(guarded, junk(**MARKED)) == Disposition.SPAM
    with guarded.database.read() as session:
        accounts = conservation(session)
        assert session.scalars(select(ConcernRow)).all() == []
        assert session.scalars(select(OutgoingRow)).all() == []
    assert (accounts.received, accounts.spam) == (1, 1)
    assert accounts.holds


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(junk(), None, id="not-marked"),
        pytest.param(junk(X_Spam_Flag="NO"), None, id="marked-as-good"),
        pytest.param(junk(X_Spam_Status="Yes, score=9"), None, id="marked-by-a-header-that-is-not-named"),
        pytest.param(junk(RED_TEXT, **MARKED), "a rule saw something", id="a-red-flag"),
        pytest.param(junk("If he hits her again I will call.", **MARKED), "a rule saw", id="a-weakened-flag"),
        pytest.param(junk(GREEN_TEXT, **MARKED), "takes it for a concern", id="a-small-concern"),
        pytest.param(junk(In_Reply_To="<1@x.example>", **MARKED), "answers another mail", id="a-reply"),
        pytest.param(junk(" ", **MARKED), "little in it to read", id="nothing-to-read"),
    ],
)
def test_anything_with_a_hint_of_a_concern_goes_to_the_desk_with_a_note(
    app: App, raw: bytes, why: str | None
) -> None:
    """A frightened person's mail looks like spam to many a machine."""
    guarded = trusting(app, "X-Spam-Flag")
    message_id = stored(guarded, received(raw, mail_from="x@junk.example"))
    triage_message(guarded, message_id, now=NOW)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
        reading = latest_reading(session, app.keys, message_id)
    assert known is not None
    assert known.kind == Disposition.CONCERN
    assert reading is not None
    if why is None:
        assert reading.spam is None
    else:
        assert reading.spam is not None
        assert reading.spam["marks"] == ["X-Spam-Flag: YES"]
        assert any(why in hint for hint in reading.spam["hints"]), reading.spam


def test_a_sender_who_wrote_before_is_never_put_in_the_tray(guarded: App) -> None:
    """Nor is a chance of safeguarding above the limit, however small."""
    triaged(guarded, junk("The carpet is stained."), mail_from="x@junk.example")
    assert became(guarded, junk(**MARKED)) == Disposition.CONCERN
    careful = replace(guarded, settings=guarded.settings.model_copy(update={"spam_most_chance": 0.01}))
    stranger = email_bytes(JUNK, sender="y@junk.example", **MARKED)
    assert became(careful, stranger) == Disposition.CONCERN
    assert became(guarded, email_bytes(JUNK + " Now!", sender="z@junk.example", **MARKED)) == Disposition.SPAM


def test_a_tray_is_not_opened_where_nobody_set_it(app: App) -> None:
    """As delivered, everything goes to the desk."""
    assert became(app, junk(**MARKED)) == Disposition.CONCERN


def test_the_digest_counts_the_tray(app: App) -> None:
    """In numbers alone."""
    guarded = trusting(app, "X-Spam-Flag")
    became(guarded, junk(**MARKED))
    who = lead(app)
    with app.database.read() as session:
        text = write_digest(gather(app, session, who, NOW.date(), now=NOW), app.settings)
    assert "1 messages are in the spam tray" in text
    assert "Claim" not in text


def test_what_a_person_calls_a_concern_becomes_one_once_and_asks_for_a_look(guarded: App) -> None:
    """The machine saw nothing in it: its labels need a person."""
    became(guarded, junk(**MARKED))
    with guarded.database.write() as session:
        message_id = (
            session.scalars(select(AuditRow.subject).where(AuditRow.action == "put_in_tray"))
            .one()
            .partition(":")[2]
        )
        guarded.background.enqueue(session, TRIAGE_QUEUE, RESCUE_JOB, message_id)
    triage_message(guarded, message_id, now=LATER)
    with guarded.database.read() as session:
        assert session.scalars(select(ConcernRow)).all() == []
    worker = Worker(
        guarded.database,
        jobs(guarded, clock=lambda: LATER),
        executor_id="rescue-worker-1",
        threads=1,
        silence_seconds=30,
    )
    worker.start(lambda now: None)

    def opened() -> str | None:
        with guarded.database.read() as session:
            known = disposition_of(session, message_id)
        assert known is not None
        return known.concern_id

    try:
        concern_id = wait_for(opened, what="the concern")
    finally:
        worker.stop()
    triage_message(guarded, message_id, now=LATER, out_of_tray=True)
    assert concern_id is not None
    with guarded.database.read() as session:
        assert concern_by_id(session, concern_id).needs_review
        [assessment] = session.scalars(select(AssessmentRow)).all()
        accounts = conservation(session)
    assert "a person took it out of the spam tray" in assessment.details["review_reasons"]
    assert (accounts.received, accounts.concerns, accounts.spam) == (1, 1, 0)


def test_a_copy_of_what_is_in_the_tray_is_linked_to_it(guarded: App) -> None:
    """The mailbox brings what the mail port brought before."""
    raw = junk(message_id="<spam@junk.example>", **MARKED)
    assert became(guarded, raw) == Disposition.SPAM
    assert became(guarded, b"Received: by other\r\n" + raw) == Disposition.DUPLICATE
    with guarded.database.read() as session:
        assert conservation(session).holds
