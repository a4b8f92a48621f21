"""Bounces: tied to the mail of ours that came back, shown on its concern, counted, and never answered."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select

from bot.app import App
from bot.email_parsing import parse_email
from bot.wording import failure_words
from bot.workflows import triage_message
from storage.messages import disposition_of
from storage.outgoing import OutgoingKind, OutgoingState, mark_outgoing, outgoing_by_id, undelivered_answers
from storage.oversight import conservation
from storage.tables import AuditRow, ConcernRow, DispositionRow, OutgoingRow
from tests.factories import NOW, RED_TEXT, email_bytes, lead, received, stored, triaged
from triage.lifecycle import Disposition

LATER = NOW + timedelta(hours=1)
DAEMON = "MAILER-DAEMON@mx.family.example"


def answered(app: App, sender: str = "susan@family.example") -> tuple[ConcernRow, bytes]:
    """A concern and the answer to its sender, which was sent."""
    concern = triaged(app, email_bytes(sender=sender), mail_from=sender)
    outgoing_id = f"acknowledgement-{concern.id}"
    with app.database.write() as session:
        mail = outgoing_by_id(session, app.keys, outgoing_id)
        mark_outgoing(session, outgoing_id, OutgoingState.SENT, now=NOW)
    assert mail is not None
    return concern, mail.content


def report(
    returned: bytes,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    words: str = "Your message could not be delivered.",
    part: str = "message/rfc822",
    recipient: str = "susan@family.example",
) -> bytes:
    """A bounce as RFC 3464 wants it."""
    return (
        (
            f"From: Mail Delivery System <{DAEMON}>\r\nTo: care.concerns@council.example\r\n"
            "Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            f"--b\r\nContent-Type: text/plain\r\n\r\n{words}\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.family.example\r\n\r\n"
            f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
            f"Diagnostic-Code: smtp; 550 {status} no\r\n\r\n"
            f"--b\r\nContent-Type: {part}\r\n\r\n"
        ).encode()
        + returned
        + b"\r\n--b--\r\n"
    )


def exim(returned: bytes) -> bytes:
    """A bounce as Exim writes it, with no machine-readable part."""
    return (
        f"From: Mail Delivery System <{DAEMON}>\r\nTo: care.concerns@council.example\r\n"
        "Subject: Mail delivery failed: returning message to sender\r\nAuto-Submitted: auto-replied\r\n"
        "X-Failed-Recipients: susan@family.example\r\n\r\n"
        "This message was created automatically by mail delivery software.\r\n\r\n"
        "A message that you sent could not be delivered to one or more of its\r\n"
        "recipients. This is a permanent error. The following address(es) failed:\r\n\r\n"
        "  susan@family.example\r\n    550 5.1.1 unknown user\r\n\r\n"
        "------ This is a copy of the message, including all the headers. ------\r\n\r\n"
    ).encode() + returned


def qmail(_returned: bytes) -> bytes:
    """A bounce as qmail writes it, and without what was returned."""
    return (
        f"From: {DAEMON}\r\nTo: care.concerns@council.example\r\nSubject: failure notice\r\n"
        "Return-Path: <>\r\n\r\n"
        "Hi. This is the qmail-send program at family.example.\r\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
        "<susan@family.example>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n"
    ).encode()


def exchange(returned: bytes) -> bytes:
    """A bounce as Exchange writes it: no null sender, the original only by reference."""
    original = message_from_bytes(returned, policy=policy.default)
    text = report(
        b"Subject: We have received your message\r\n", part="text/rfc822-headers", recipient="s@x.example"
    )
    return f"In-Reply-To: {original['Message-ID']}\r\n".encode() + text


def took(app: App, raw: bytes, *, mail_from: str = "") -> DispositionRow:
    """What became of a mail that came back."""
    message_id = stored(app, received(raw, mail_from=mail_from, received_at=LATER))
    triage_message(app, message_id, now=LATER)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("shape", "mail_from"),
    [
        pytest.param(report, "", id="rfc-3464"),
        pytest.param(
            lambda mail: report(mail.partition(b"\r\n\r\n")[0], part="text/rfc822-headers"), "", id="headers"
        ),
        pytest.param(exim, "", id="exim"),
        pytest.param(qmail, "", id="qmail-by-its-recipient"),
        pytest.param(
            exchange, "MicrosoftExchange329e71ec88ae4615@council.example", id="exchange-by-reference"
        ),
    ],
)
def test_a_bounce_of_an_answer_is_tied_to_it_and_shown_on_its_concern(
    either_app: App, shape: object, mail_from: str
) -> None:
    """The mail is marked as failed with the code, no concern is opened, and nobody is answered."""
    app = either_app
    concern, mail = answered(app)
    answered(app, "bob@family.example")
    assert callable(shape)
    known = took(app, shape(mail), mail_from=mail_from)
    assert (known.kind, known.concern_id) == (Disposition.CONCERN, concern.id)
    assert "failed" in known.reason
    with app.database.read() as session:
        row = session.get_one(OutgoingRow, f"acknowledgement-{concern.id}")
        answers = session.scalars(select(OutgoingRow).where(OutgoingRow.kind == "acknowledgement")).all()
        accounts = conservation(session)
        [failure] = undelivered_answers(session, concern.id)
        [entry] = session.scalars(select(AuditRow).where(AuditRow.action == "bounced")).all()
        assert len(session.scalars(select(ConcernRow)).all()) == 2
    assert row.state == OutgoingState.FAILED
    assert failure == "it came back: 5.1.1"
    assert failure_words(failure) == "it came back: 5.1.1 (there is no such address)"
    assert entry.subject == f"concern:{concern.id}"
    assert len(answers) == 2
    assert (accounts.received, accounts.concerns) == (3, 3)
    assert accounts.holds


def test_a_delayed_mail_is_noted_and_not_called_failed(app: App) -> None:
    """It may still arrive."""
    concern, mail = answered(app)
    assert took(app, report(mail, action="delayed", status="4.4.1")).concern_id == concern.id
    with app.database.read() as session:
        assert session.get_one(OutgoingRow, f"acknowledgement-{concern.id}").state == OutgoingState.SENT
        assert undelivered_answers(session, concern.id) == []


def test_a_bounce_of_something_else_stays_in_sight_as_an_ordinary_message(app: App) -> None:
    """Somebody may have written in our name, or a person of the team from their own program."""
    answered(app)
    foreign = email_bytes(message_id="<other@elsewhere.example>")
    known = took(app, report(foreign, recipient="nobody@else.example"))
    assert known.kind == Disposition.CONCERN
    with app.database.read() as session:
        assert len(session.scalars(select(ConcernRow)).all()) == 2
        kinds = session.scalars(select(OutgoingRow.kind)).all()
        states = session.scalars(select(OutgoingRow.state)).all()
    assert kinds == ["acknowledgement"]
    assert states == ["sent"]


def test_something_grave_that_looks_like_a_bounce_is_a_concern_of_its_own(app: App) -> None:
    """Anybody can write a bounce: what a rule sees in it is never tucked away."""
    concern, mail = answered(app)
    known = took(app, report(mail, words=RED_TEXT))
    assert known.kind == Disposition.CONCERN
    assert known.concern_id != concern.id
    with app.database.read() as session:
        opened = session.get_one(ConcernRow, known.concern_id)
    assert opened.severity == "red"


def test_a_person_s_mail_with_a_report_in_it_is_no_bounce(app: App) -> None:
    """It came from somebody, not from a mail server."""
    concern, mail = answered(app)
    known = took(app, report(mail), mail_from="susan@family.example")
    assert known.concern_id != concern.id


def test_a_bounced_alert_is_tied_to_its_concern_and_a_bounced_digest_stays_in_sight(app: App) -> None:
    """Either is marked, so that the desk and `doctor` count it."""
    from bot.digests import send_due_digests

    lead(app)
    red = triaged(app, email_bytes(RED_TEXT))
    send_due_digests(app, NOW)
    with app.database.read() as session:
        rows = {row.kind: row.id for row in session.scalars(select(OutgoingRow))}
        mails = {kind: outgoing_by_id(session, app.keys, key) for kind, key in rows.items()}
    alert, digest = mails[OutgoingKind.ALERT], mails[OutgoingKind.DIGEST]
    assert alert is not None
    assert digest is not None
    assert took(app, report(alert.content, status="5.2.2")).concern_id == red.id
    assert took(app, report(digest.content, status="5.2.2")).concern_id != red.id
    with app.database.read() as session:
        states = {row.kind: (row.state, row.failure) for row in session.scalars(select(OutgoingRow))}
        assert undelivered_answers(session, red.id) == []
    assert states["alert"] == states["digest"] == ("failed", "it came back: 5.2.2")


@pytest.mark.parametrize(
    "raw",
    [
        report(b"", status="\xff" * 50),
        report(b"Message-ID: " + b"<" * 100_000),
        b"From: <mailer-daemon@x.example>\r\n"
        + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 400,
        exim(b"\xff\x00" * 10_000),
    ],
    ids=["odd-status", "many-brackets", "deep", "binary"],
)
def test_a_hostile_bounce_is_read_like_any_other_message(raw: bytes) -> None:
    """Whatever it claims."""
    message = parse_email(raw)
    assert message.delivery is None or message.delivery.action in ("failed", "delayed")
