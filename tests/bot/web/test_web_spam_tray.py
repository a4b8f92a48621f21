"""The desk's page of the spam tray."""

from __future__ import annotations

from desk_samples import NOW, Visitor, add_concern, seen_text
from sqlalchemy import select

from bot.app import App
from bot.background import unfinished
from bot.email_parsing import parse_email
from storage.audit import MACHINE, Audit
from storage.message_checks import save_spam_mark
from storage.messages import Received, dispose, keep, save_reading
from storage.tables import AuditRow, DispositionRow
from triage.lifecycle import Disposition
from triage.vocabulary import Channel

RAW = (
    b"From: Prize <x@junk.example>\r\nSubject: <b>Won</b>\r\nX-Spam-Flag: YES\r\n\r\n"
    b"You have won <script>alert(1)</script> a lot.\r\n"
)


def add_spam(app: App) -> str:
    """A message in the tray; returns its id."""
    item = Received(raw=RAW, channel=Channel.EMAIL, received_at=NOW)
    with app.database.write() as session:
        keep(session, app.keys, [item])
        save_reading(session, app.keys, item.message_id, parse_email(RAW), NOW)
        audit = Audit(at=NOW, actor=MACHINE, action="put_in_tray")
        reason = "X-Spam-Flag: YES"
        dispose(session, item.message_id, Disposition.SPAM, audit=audit, reason=reason)
    return item.message_id


def test_the_tray_shows_what_is_in_it_with_the_reasons_and_not_who_wrote_it(desk: App, ada: Visitor) -> None:
    """And the list of concerns says that it is there."""
    assert "spam tray</a>" not in ada.get("/").partition("<main")[2]
    assert "There is nothing in it" in seen_text(ada.get("/spam"))
    add_spam(desk)
    assert "1 message is in the spam tray and not on this list" in seen_text(ada.get("/"))
    page = ada.get("/spam")
    assert "<b>Won</b>" in seen_text(page)
    assert "X-Spam-Flag: YES; nothing in it hints at a concern" in seen_text(page)
    assert "<script>alert" not in page
    assert "junk.example" not in page


def test_one_press_makes_a_concern_of_it_and_who_pressed_is_written_down(desk: App, ada: Visitor) -> None:
    """The job is there for the workers, once however often it is pressed."""
    message_id = add_spam(desk)
    for _ in range(2):
        answer = ada.post(f"/spam/{message_id}/concern", {}, page="/spam")
        assert "The message becomes a concern" in seen_text(answer.text)
    assert unfinished(desk.database) == {"ENQUEUED": 1}
    with desk.database.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "called_a_concern")).all()
    assert len(rows) == 2
    assert all(row.actor != MACHINE and row.subject == f"message:{message_id}" for row in rows)


def test_the_tray_opens_nothing_else(desk: App, ada: Visitor) -> None:
    """Neither a message of a concern nor one that does not exist."""
    add_spam(desk)
    add_concern(desk)
    with desk.database.read() as session:
        other = session.scalars(select(DispositionRow).where(DispositionRow.kind == "concern")).one()
    for message_id in (other.message_id, "none"):
        assert ada.post(f"/spam/{message_id}/concern", {}, page="/spam").status_code == 404
    assert unfinished(desk.database) == {}


def test_a_concern_whose_mail_was_marked_says_so_and_why_it_is_here(desk: App, ada: Visitor) -> None:
    """So that nobody wonders, and the gateway can be told."""
    reference = add_concern(desk)
    with desk.database.write() as session:
        message_id = session.query(DispositionRow).one().message_id
        mark = {"marks": ["X-Spam-Flag: YES"], "hints": ["a rule saw something in it"]}
        save_spam_mark(session, message_id, mark, now=NOW)
    text = seen_text(ada.get(f"/concerns/{reference}"))
    assert "marked this as spam (X-Spam-Flag: YES). It is on the desk because a rule saw something" in text
