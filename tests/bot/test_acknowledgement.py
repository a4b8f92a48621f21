"""The automatic answer: to people alone, by RFC 3834, and never a word of what they wrote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from bot.acknowledgement import answer_to
from bot.app import App
from bot.settings import Settings
from bot.workflows import triage_message
from storage.outgoing import outgoing_by_id
from storage.tables import ConcernRow, OutgoingRow
from tests.factories import NOW, RED_TEXT, email_bytes, message, received, stored, triaged
from triage.vocabulary import Address, Channel

PERSON = {"mail_from": "susan@family.example"}


def answer(app: App, concern: ConcernRow) -> EmailMessage | None:
    """The answer that was decided on for the concern, if any."""
    with app.database.read() as session:
        mail = outgoing_by_id(session, app.keys, f"acknowledgement-{concern.id}")
    return message_from_bytes(mail.content, policy=policy.default) if mail else None


@pytest.mark.parametrize(
    ("fields", "envelope"),
    [
        pytest.param({"auto_reply": True}, PERSON, id="an-automatic-reply"),
        pytest.param({"bounce": True}, PERSON, id="a-bounce"),
        pytest.param({"bulk": True}, PERSON, id="a-list"),
        pytest.param({"channel": Channel.FORM}, PERSON, id="not-a-mail"),
        pytest.param({}, {"mail_from": ""}, id="the-null-sender"),
        pytest.param({}, {"mail_from": "<>"}, id="the-null-sender-as-written"),
        pytest.param({}, {"mail_from": None}, id="no-sender"),
        pytest.param({}, {}, id="no-envelope"),
        pytest.param({}, {"mail_from": "MAILER-DAEMON@mx.example"}, id="a-mail-server"),
        pytest.param({}, {"mail_from": "postmaster@mx.example"}, id="a-postmaster"),
        pytest.param({}, {"mail_from": "no-reply@shop.example"}, id="no-reply"),
        pytest.param({}, {"mail_from": "noreply+7@shop.example"}, id="noreply"),
        pytest.param({}, {"mail_from": "donotreply@shop.example"}, id="donotreply"),
        pytest.param({}, {"mail_from": "bounces-9@shop.example"}, id="bounces"),
        pytest.param({}, {"mail_from": "news-request@list.example"}, id="a-list-s-requests"),
        pytest.param({}, {"mail_from": "owner-news@list.example"}, id="a-list-s-owner"),
        pytest.param({}, {"mail_from": "news-bounces@list.example"}, id="a-list-s-bounces"),
        pytest.param({"sender": Address("", "No-Reply@shop.example")}, PERSON, id="no-reply-in-from"),
        pytest.param({}, {"mail_from": "Care.Concerns@council.example"}, id="ourselves"),
        pytest.param({}, {"mail_from": "second@council.example"}, id="another-address-of-ours"),
        pytest.param({}, {"mail_from": "susan"}, id="no-domain"),
        pytest.param({}, {"mail_from": "susan@localhost"}, id="a-local-name"),
        pytest.param({}, {"mail_from": "a@b.example, c@d.example"}, id="two-addresses"),
        pytest.param({}, {"mail_from": "a@b.example\r\nBcc: c@d.example"}, id="a-header-slipped-in"),
        pytest.param(
            {"sender": Address("", "care.concerns@COUNCIL.example")}, PERSON, id="our-address-in-from"
        ),
    ],
)
def test_nobody_is_answered_who_might_answer_by_machine(
    fields: dict[str, Any], envelope: dict[str, Any]
) -> None:
    """Else two machines would write to each other for ever."""
    settings = Settings(own_addresses="second@council.example")
    assert answer_to(message(**fields), envelope, settings) is None


@pytest.mark.parametrize(
    ("fields", "envelope", "recipient"),
    [
        pytest.param({}, PERSON, "susan@family.example", id="a-person"),
        pytest.param(
            {"sender": Address("", "somebody@else.example")},
            PERSON,
            "susan@family.example",
            id="the-envelope",
        ),
        pytest.param(
            {"reply_to": Address("", "victim@else.example")},
            PERSON,
            "susan@family.example",
            id="not-a-reply-to",
        ),
        pytest.param({}, {"mail_from": "Susan@Family.Example"}, "susan@family.example", id="capitals"),
        pytest.param({}, {"mail_from": "norah@family.example"}, "norah@family.example", id="norah"),
    ],
)
def test_a_person_is_answered_at_the_return_path(
    fields: dict[str, Any], envelope: dict[str, Any], recipient: str
) -> None:
    """RFC 3834, section 4: not at what a header claims."""
    found = answer_to(message(**fields), envelope, Settings())
    assert found is not None
    assert found.address == recipient


def test_the_answer_gives_a_reference_and_numbers_to_call_and_nothing_of_the_text(app: App) -> None:
    """Somebody who harms the adult may read it."""
    concern = triaged(app, email_bytes(RED_TEXT, subject="Rose Court: punched", message_id="<7@f.example>"))
    mail = answer(app, concern)
    assert mail is not None
    body = mail.get_content()
    assert concern.reference in mail["Subject"]
    assert concern.reference in body
    assert "999" in body
    assert app.settings.out_of_hours_phone in body
    written = {word.strip(".,").lower() for word in f"{RED_TEXT} Rose Court punched Susan Hart".split()}
    said = {word.strip(".,()").lower() for word in f"{mail['Subject']} {body}".split()}
    assert written & said <= {"the", "is", "at"}
    assert concern.category not in body
    assert "red" not in said


def test_the_answer_is_marked_as_automatic_and_belongs_to_the_thread(app: App) -> None:
    """So that other machines let it be, and the person's program shows it in its place."""
    concern = triaged(app, email_bytes(message_id="<7@family.example>"))
    mail = answer(app, concern)
    assert mail is not None
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["In-Reply-To"] == mail["References"] == "<7@family.example>"
    assert mail["To"] == "susan@family.example"
    assert app.settings.desk_address in mail["From"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated"},
        {"Precedence": "bulk"},
        {"Precedence": "list"},
        {"Precedence": "junk"},
        {"List_Id": "<news.example>"},
        {"List_Help": "<mailto:help@news.example>"},
        {"List_Unsubscribe": "<mailto:out@news.example>"},
    ],
)
def test_mail_that_says_it_is_automatic_becomes_a_concern_and_gets_no_answer(
    app: App, headers: dict[str, str]
) -> None:
    """As it really comes."""
    assert answer(app, triaged(app, email_bytes(**headers))) is None


def test_one_person_is_answered_once_a_day(app: App) -> None:
    """However often they write; the next day again."""
    answers = [
        answer(app, triaged(app, email_bytes(f"number {hours}"), now=NOW + timedelta(hours=hours)))
        for hours in (0, 1, 23, 25)
    ]
    assert [found is not None for found in answers] == [True, False, False, True]


def test_two_workers_with_mail_of_one_sender_at_once_answer_once(either_app: App) -> None:
    """Each in a transaction of its own, neither seeing the other's answer yet."""
    ids = [stored(either_app, received(email_bytes(f"number {number}"))) for number in range(4)]
    together = Barrier(len(ids))

    def triage(message_id: str) -> None:
        together.wait()
        triage_message(either_app, message_id, now=NOW)

    with ThreadPoolExecutor(len(ids)) as pool:
        list(pool.map(triage, ids))
    with either_app.database.read() as session:
        kinds = list(session.scalars(select(OutgoingRow.kind)))
    assert kinds == ["acknowledgement"]


def test_the_answer_comes_from_the_council_and_does_not_name_the_desk(app: App) -> None:
    """A list of mails on a shared screen shows who wrote, and must not show what about."""
    mail = answer(app, triaged(app))
    assert mail is not None
    assert mail["From"].addresses[0].display_name == "Example Council"


def test_an_address_in_other_letters_is_no_fault(app: App) -> None:
    """SMTPUTF8: whether the answer can be delivered is the relay's matter, the concern is opened."""
    assert triaged(app, mail_from="søren@family.example").reference == "CC-2026-000001"


def test_a_message_id_that_would_break_the_header_is_left_out(app: App) -> None:
    """What comes in cannot add headers to what goes out."""
    raw = email_bytes().replace(b"Message-ID: <", b"Message-ID: <a\r\n b@x.example> <Bcc: c@d.example\r\n <")
    mail = answer(app, triaged(app, raw))
    assert mail is not None
    assert mail["Bcc"] is None
