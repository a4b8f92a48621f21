"""Messages that could not be read, and whether anything is lost or stuck."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from desk_samples import Visitor, add_concern, add_set_aside, seen_text

import bot.web.desk.set_aside
from bot.app import App
from bot.background import unfinished
from bot.web.context import utc_now
from storage.audit import MACHINE
from storage.mailboxes import Folder, FolderCount, MailboxState, begin, note_state, save_count
from storage.oversight import note_heartbeat
from storage.signs import note_sign
from storage.tables import AuditRow, DispositionRow


def _actions(app: App, subject: str) -> list[tuple[str, bool]]:
    with app.database.read() as session:
        rows = session.query(AuditRow).filter(AuditRow.subject == subject).order_by(AuditRow.number)
        return [(row.action, row.actor == MACHINE) for row in rows]


def test_messages_set_aside_are_listed_with_the_reason(desk: App, ada: Visitor) -> None:
    """When it came, how large it is and why it could not be read."""
    add_set_aside(desk, why="more than 500 parts")
    text = seen_text(ada.get("/set-aside"))
    assert "more than 500 parts" in text
    assert "45 bytes" in text


def test_a_message_as_it_came_is_inert_and_looking_is_audited(desk: App, ada: Visitor) -> None:
    """Markup is text, bytes that are no text are marked, and who looked is written down."""
    message_id = add_set_aside(desk)
    answer = ada.post(f"/set-aside/{message_id}/raw", {}, page="/set-aside")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "Subject: � broken <script>alert(1)" in seen_text(answer.text)
    assert _actions(desk, f"message:{message_id}")[-1] == ("viewed_raw", False)


def test_only_the_first_bytes_are_shown(desk: App, ada: Visitor) -> None:
    """A message of megabytes does not fill the page."""
    message_id = add_set_aside(desk, raw=b"a" * 19_999 + b"b" * 500_000)
    page = ada.post(f"/set-aside/{message_id}/raw", {}, page="/set-aside").text
    assert "bb" not in page[page.index("<pre") : page.index("</pre>")]
    assert "first 20 KB" in seen_text(page)


def test_a_message_can_be_read_again(desk: App, ada: Visitor) -> None:
    """The job is there for the workers, who asked is written down, and the message stays until it is read."""
    message_id = add_set_aside(desk)
    answer = ada.post(f"/set-aside/{message_id}/again", {}, page="/set-aside")
    assert "The message will be read again" in seen_text(answer.text)
    assert unfinished(desk.database) == {"ENQUEUED": 1}
    assert _actions(desk, f"message:{message_id}")[-1] == ("asked_again", False)
    with desk.database.read() as session:
        row = session.get(DispositionRow, message_id)
        assert row is not None
        assert row.kind == "set_aside"


def test_the_raw_view_opens_no_message_of_a_concern(desk: App, ada: Visitor) -> None:
    """It is no way around the hidden sender: a message that was read is not shown here."""
    add_set_aside(desk)
    reference = add_concern(desk)
    with desk.database.read() as session:
        message_id = session.query(DispositionRow).filter(DispositionRow.kind == "concern").one().message_id
    for action in ("raw", "again"):
        answer = ada.post(f"/set-aside/{message_id}/{action}", {}, page="/set-aside")
        assert answer.status_code == 404
        assert ada.post(f"/set-aside/none/{action}", {}, page="/set-aside").status_code == 404
    assert ("viewed_raw", False) not in _actions(desk, f"message:{message_id}")
    assert reference in ada.get("/")


def test_a_queue_that_is_away_is_said_plainly(
    desk: App, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and the message is where it was."""
    from triage.errors import TryAgainLater

    def away(*_args: object) -> None:
        raise TryAgainLater("message x: OperationalError")

    monkeypatch.setattr(bot.web.desk.set_aside, "triage_again", away)
    message_id = add_set_aside(desk)
    answer = ada.post(f"/set-aside/{message_id}/again", {}, page="/set-aside")
    assert answer.status_code == 503


def test_health_accounts_for_every_message(desk: App, ada: Visitor) -> None:
    """Received, concerns, set aside and waiting, and that they add up."""
    add_set_aside(desk)
    add_concern(desk)
    text = seen_text(ada.get("/health"))
    assert "Every message is accounted for" in text
    assert re.search(r"Received ?2", text)
    assert re.search(r"Concerns ?1", text)
    assert re.search(r"Set aside: could not be read ?1", text)


def test_health_warns_when_no_worker_is_alive(desk: App, ada: Visitor) -> None:
    """Messages that nobody will read are not waited for in silence."""
    assert "No worker is alive" in seen_text(ada.get("/health"))
    with desk.database.write() as session:
        note_heartbeat(session, "desk-1", utc_now())
    text = seen_text(ada.get("/health"))
    assert "No worker is alive" not in text
    assert "desk-1: last sign of life" in text


def test_desk_and_health_page_say_what_is_late(desk: App, ada: Visitor) -> None:
    """A pulse that did not come through, on the page that everybody looks at; nothing when all is well."""
    with desk.database.write() as session:
        note_heartbeat(session, "desk-1", utc_now())
    assert "Something is late" not in seen_text(ada.get("/"))
    with desk.database.write() as session:
        note_sign(session, "smtp", utc_now() - timedelta(hours=1), silence=timedelta(minutes=5))
        note_sign(session, "pulse", utc_now() - timedelta(hours=1), silence=timedelta(minutes=5))
    assert "Something is late, so messages may be missing here: last pulse" in seen_text(ada.get("/"))
    assert re.search(
        r"Broken Last pulse through the whole way: 60 minutes ago", seen_text(ada.get("/health"))
    )
    assert re.search(r"Well 1 workers alive", seen_text(ada.get("/health")))


def test_health_shows_each_mailbox_with_its_last_count(desk: App, ada: Visitor) -> None:
    """What is in the mailbox, what is stored, and what is missing here."""
    now = utc_now()
    folder = Folder("desk@council.example/imap.example", "INBOX", 7)
    with desk.database.write() as session:
        note_state(session, folder.account, MailboxState.CONNECTED, now=now)
        begin(session, folder, now=now)
    assert "It has not been counted yet" in seen_text(ada.get("/health"))
    with desk.database.write() as session:
        count = FolderCount(folder, now, in_mailbox=12, stored=9, gaps=0, missing=3, mended=1)
        save_count(session, count)
    text = seen_text(ada.get("/health"))
    assert "Mailbox desk@council.example/imap.example" in text
    assert re.search(r"INBOX ?12 ?9 ?0 ?1 ?2 Missing", text)
