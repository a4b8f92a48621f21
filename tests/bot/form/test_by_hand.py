"""Recording a call or letter at the desk: through the same door, with the lead's name in the audit trail."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from form_samples import PASSWORD, Person, database_away, messages, raw_messages, seen_text

from bot.app import App
from bot.form_reading import read_by_hand
from bot.web.server import WebServer
from bot.workflows import read_message, triage_message, utc_now
from storage.concerns import concern_by_reference
from storage.tables import AuditRow, ConcernRow, LeadRow
from triage.vocabulary import Channel

TODAY = utc_now().date()
WORDS = "Mrs Ashdown's daughter rang: no carer has come since Friday, and there is no food in the house."


def _fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input[^>]* name="([^"]+)"(?: type="[^"]+")?[^>]* value="([^"]*)"', page))


@pytest.fixture
def lead(server: WebServer) -> Person:
    """A lead who is logged in."""
    person = Person(server)
    token = _fields(person.get("/login"))["csrf_token"]
    values = {"csrf_token": token, "email": "ada@council.example", "password": PASSWORD}
    assert "Logged in as" in person.http.post("/login", data=values).text
    return person


def _record(lead: Person, **changes: str) -> dict[str, str]:
    page = lead.get("/by-hand")
    return {**_fields(page), "how": "telephone", "words": WORDS, **changes}


def test_only_a_lead_can_record(person: Person) -> None:
    """The public form is open to all; this page is not."""
    assert person.http.get("/by-hand").url.path == "/login"
    assert person.http.post("/by-hand", data={"words": WORDS, "how": "letter"}).url.path == "/login"


def test_a_call_becomes_a_message_with_the_leads_id_in_the_audit_trail(app: App, lead: Person) -> None:
    """The record is stored through the one door, in the same transaction as the entry of who did it."""
    stored = lead.http.post(
        "/by-hand", data=_record(lead, name="Ellen", contact="01632 960123", time="2:30pm")
    )
    assert "Stored with the receipt H-" in seen_text(stored.text)
    message = read_message(app, Channel(messages(app)[0].channel), raw_messages(app)[0])
    assert message.text.startswith(WORDS)
    assert "Recorded by Ada Lead from a telephone call" in message.text
    assert message.sender is not None
    assert message.sender.name == "Ellen"
    assert "Ellen" not in message.text
    with app.database.read() as session:
        lead_id = session.query(LeadRow.id).scalar()
        entry = session.query(AuditRow).filter(AuditRow.action == "received").one()
    assert (entry.actor, entry.subject) == (lead_id, f"message:{messages(app)[0].id}")


def test_a_recorded_call_becomes_a_concern_that_its_receipt_finds(app: App, lead: Person) -> None:
    """It is triaged like every message, and the receipt finds it in the list."""
    stored = lead.http.post("/by-hand", data=_record(lead))
    found = re.search(r"H-[0-9A-Z]{4}-[0-9A-Z]{4}", stored.text)
    assert found
    triage_message(app, messages(app)[0].id, now=utc_now())
    with app.database.read() as session:
        reference = session.query(ConcernRow.reference).scalar()
        assert concern_by_reference(session, reference).channel == "by_hand"
    assert reference in lead.get(f"/?words={found.group(0).lower()}")
    assert reference not in lead.get("/?words=H-0000-0000")


@pytest.mark.parametrize(
    ("changes", "error", "link"),
    [
        ({"words": " "}, "Enter what was said or written", "#words"),
        ({"how": "fax"}, "Select how it reached you", "#how"),
        ({"day": "31", "month": "2"}, "Enter a real date", "#taken-day"),
        ({"year": "٢٠٢٦"}, "Enter a real date", "#taken-day"),
        ({"year": str(TODAY.year + 1)}, "The date must not be in the future", "#taken-day"),
        ({"time": "x" * 21}, "Enter a time", "#time"),
        ({"contact": "x" * 301}, "Shorten this", "#contact"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    app: App, lead: Person, changes: dict[str, str], error: str, link: str
) -> None:
    """The summary links to the field, and everything that was written is still there."""
    answered = lead.http.post("/by-hand", data=_record(lead, name="Ellen", **changes))
    assert answered.status_code == 422
    assert f'<a href="{link}">{error}' in answered.text
    assert 'value="Ellen"' in answered.text
    assert messages(app) == []


def test_a_letter_of_last_week_keeps_its_date(app: App, lead: Person) -> None:
    """The day it came is recorded, not only the day it was typed in."""
    day = TODAY - timedelta(days=7)
    sent = _record(lead, how="letter", day=str(day.day), month=str(day.month), year=str(day.year))
    lead.http.post("/by-hand", data=sent)
    assert f"from a letter of {day.day} {day:%B %Y}." in read_by_hand(raw_messages(app)[0]).text


def test_a_record_sent_twice_is_one_message(app: App, lead: Person) -> None:
    """A double press gives the same receipt; the same words in a new record are a new message."""
    record = _record(lead)
    receipts = {
        re.findall(r"H-[0-9A-Z]{4}-[0-9A-Z]{4}", lead.http.post("/by-hand", data=record).text)[0]
        for _ in "12"
    }
    assert (len(receipts), len(messages(app))) == (1, 1)
    lead.http.post("/by-hand", data=_record(lead))
    assert len(messages(app)) == 2


def test_a_record_that_cannot_be_stored_is_shown_again(app: App, lead: Person) -> None:
    """No receipt, the words still on the page, and sending them later stores them once."""
    record = _record(lead)
    with database_away(app, "messages"):
        refused = lead.http.post("/by-hand", data=record)
    assert refused.status_code == 503
    assert "could not be stored" in seen_text(refused.text)
    assert "no carer has come since Friday" in refused.text
    assert "H-" not in seen_text(refused.text)
    assert "Stored with the receipt" in seen_text(lead.http.post("/by-hand", data=record).text)
    assert len(messages(app)) == 1


def test_markup_in_a_record_is_inert(lead: Person) -> None:
    """What looks like a script is text when the page is shown again."""
    answered = lead.http.post(
        "/by-hand", data=_record(lead, how="", words="<script>alert(1)</script>", name='"><b>')
    )
    assert "<script>alert" not in answered.text
    assert '"><b>' not in answered.text
