"""Alerts and digests: what a lead must know, in references and numbers, without a name or a word of the text."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from threading import Barrier

import pytest
from sqlalchemy import select

from bot.app import App
from bot.digests import gather, send_due_digests, write_digest
from storage.audit import MACHINE, Audit
from storage.mailboxes import Folder, FolderCount, MailboxState, begin, note_state, save_count
from storage.outgoing import OutgoingState, mark_outgoing, outgoing_by_id
from storage.register import save_register
from storage.tables import ConcernRow, LeadRow, OutgoingRow
from tests.factories import GREEN_TEXT, NOW, RED_TEXT, concern, email_bytes, lead, received, stored, triaged
from triage.lifecycle import ConcernState
from triage.vocabulary import Category, Provider, Severity, Theme

# Friday 20 November 2026; the digest goes out at half past seven.
DAY = date(2026, 11, 20)
HOUR = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
EARLIER = HOUR - timedelta(hours=3)

DISTRESSING = [
    ("Bernadette Okonkwo <bernadette@okonkwo.example>", "Zopiclone", RED_TEXT),
    (
        "Wiremu <wiremu@tane.example>",
        "Grandfather dragged",
        "The carer Kelvin dragged grandfather Hohepa across the floor and shouted at him.",
    ),
    (
        '"Agnieszka Wójcik" <aga@wojcik.example>',
        "Purse at Fernhollow",
        "Her purse was emptied by Darren, the assaulted lady is in flat 14, Marigold Close.",
    ),
    (
        "Dr Anjali Rao <anjali@surgery.example>",
        "Insulin twice",
        "Insulin was given twice to Mrs Pemberton-Vance, NHS number 943 476 5919, and she was assaulted.",
    ),
]


def mails(app: App, kind: str) -> list[tuple[str, str, str]]:
    """Recipient, subject and body of every mail of the kind that was decided on."""
    with app.database.read() as session:
        ids = session.scalars(select(OutgoingRow.id).where(OutgoingRow.kind == kind).order_by(OutgoingRow.id))
        found = [outgoing_by_id(session, app.keys, outgoing_id) for outgoing_id in ids]
    read = [message_from_bytes(mail.content, policy=policy.default) for mail in found if mail]
    return [(mail["To"], mail["Subject"], mail.get_content()) for mail in read]


def digest(app: App, who: LeadRow, *, now: datetime = HOUR, day: date = DAY) -> str:
    """The lead's digest as text."""
    with app.database.read() as session:
        return write_digest(gather(app, session, who, day, now=now), app.settings)


def section(text: str, title: str) -> list[str]:
    """The references that a section of a digest lists, in order."""
    return re.findall(r"CC-\d{4}-\d{6}", text.partition(title)[2].partition("\n\n")[0])


def own_words(text: str) -> set[str]:
    """The words of a text that are long or capital enough to give something away."""
    return {word.lower() for word in re.findall(r"[^\W_]{4,}", text)}


def everything_said(app: App, who: LeadRow) -> set[str]:
    """The words of all mails that were decided on, and of the digest."""
    sent = [part for kind in ("alert", "acknowledgement") for mail in mails(app, kind) for part in mail[1:]]
    return own_words(" ".join([*sent, digest(app, who)]))


@pytest.mark.parametrize(("sender", "subject", "text"), DISTRESSING)
def test_neither_alert_nor_digest_nor_answer_holds_a_name_or_a_word_of_the_message(
    app: App, sender: str, subject: str, text: str
) -> None:
    """They travel through mailboxes that anybody may open: they say what they say of any red concern."""
    who = lead(app)
    plain = email_bytes("assaulted", sender="x@y.zz", subject="")
    assert triaged(app, plain, now=EARLIER, mail_from="x@y.zz").severity == "red"
    of_any = everything_said(app, who)
    address = sender.partition("<")[2].strip(">")
    raw = email_bytes(text, sender=sender, subject=subject)
    assert triaged(app, raw, now=EARLIER, mail_from=address).severity == "red"
    assert len(mails(app, "alert")) == len(mails(app, "acknowledgement")) == 2
    given_away = (everything_said(app, who) - of_any) & own_words(f"{sender} {subject} {text}")
    assert given_away == set()


def test_an_alert_that_no_lead_covers_goes_to_every_lead_and_says_so(app: App) -> None:
    """A red concern of a category that nobody leads must not wait in silence."""
    lead(app, "ada@council.example", categories=(Category.REFERRAL,))
    lead(app, "bob@council.example", categories=(Category.CARE_CONCERN,))
    red = triaged(app, email_bytes(RED_TEXT))
    assert red.category == Category.SAFEGUARDING
    alerts = mails(app, "alert")
    assert sorted(to for to, _, _ in alerts) == ["ada@council.example", "bob@council.example"]
    assert all("Nobody leads this category" in body for _, _, body in alerts)


def test_an_alert_goes_to_every_lead_of_the_category_for_red_alone(app: App) -> None:
    """Once each, with the reference, the time to look by and a link."""
    lead(app, "ada@council.example", categories=(Category.SAFEGUARDING,))
    lead(app, "bob@council.example", categories=(Category.REFERRAL,))
    lead(app, "cid@council.example")
    triaged(app, email_bytes(GREEN_TEXT), mail_from="a@a.example")
    red = triaged(app, email_bytes(RED_TEXT), mail_from="b@b.example")
    alerts = mails(app, "alert")
    assert sorted(to for to, _, _ in alerts) == ["ada@council.example", "cid@council.example"]
    for _, subject, body in alerts:
        assert "Nobody leads" not in body
        assert subject.startswith(f"RED: [{red.reference} {red.token}]")
        assert f"/concerns/{red.reference}" in body
        assert "20 November 2026, 5:00pm" in body


def test_a_quiet_day_says_nothing_new(app: App) -> None:
    """And no heading stands over nothing."""
    who = lead(app)
    text = digest(app, who)
    assert "Nothing new." in text
    assert "Red" not in text
    assert "Overdue" not in text
    assert "New since" not in text


@pytest.mark.parametrize("what", ["red", "new", "overdue", "review", "set aside", "waiting", "unsent"])
def test_a_day_with_anything_to_know_is_not_quiet(app: App, what: str) -> None:
    """Each of these alone."""
    who = lead(app)
    last_week = HOUR - timedelta(days=7)
    if what == "red":
        concern(app, severity=Severity.RED, opened_at=last_week, due_at=HOUR + timedelta(days=9))
    elif what == "new":
        concern(app, opened_at=EARLIER, due_at=HOUR + timedelta(days=9))
    elif what == "overdue":
        concern(app, opened_at=last_week, due_at=HOUR - timedelta(minutes=1))
    elif what == "review":
        concern(app, opened_at=last_week, due_at=HOUR + timedelta(days=9), needs_review=True)
    elif what == "unsent":
        unsent(app)
    else:
        message_id = stored(app, received(received_at=last_week))
        if what == "set aside":
            from bot.workflows import set_aside

            set_aside(app, message_id, "it took too long to read", now=last_week)
    assert "Nothing new." not in digest(app, who)


def unsent(app: App) -> None:
    """A mail that could not be sent, of a concern that is long closed."""
    opened = triaged(app, now=HOUR - timedelta(days=60))
    with app.database.write() as session:
        row = session.get_one(ConcernRow, opened.id)
        row.state, row.reviewed_at = ConcernState.CLOSED.value, HOUR - timedelta(days=59)
        outgoing_id = f"acknowledgement-{opened.id}"
        mark_outgoing(session, outgoing_id, OutgoingState.FAILED, now=HOUR, failure="550")


def test_reds_come_first_then_what_is_overdue_then_what_is_new(app: App) -> None:
    """Reds by their time, and no red twice."""
    who = lead(app)
    late = concern(app, severity=Severity.AMBER, opened_at=EARLIER, due_at=HOUR - timedelta(hours=1))
    red_later = concern(app, severity=Severity.RED, opened_at=EARLIER, due_at=HOUR + timedelta(hours=5))
    red = concern(app, severity=Severity.RED, opened_at=EARLIER, due_at=HOUR - timedelta(hours=2))
    concern(app, severity=Severity.GREEN, opened_at=EARLIER, due_at=HOUR + timedelta(days=5))
    text = digest(app, who)
    assert section(text, "Red, waiting for a person") == [red.reference, red_later.reference]
    assert section(text, "Overdue") == [late.reference]
    assert text.index("Red, waiting") < text.index("Overdue") < text.index("New since")
    assert "care concern: 4, 2 of them red" in text


def test_a_lead_sees_the_categories_that_they_lead_and_no_others(app: App) -> None:
    """In every part."""
    who = lead(app, categories=(Category.REFERRAL,))
    concern(app, category=Category.SAFEGUARDING, severity=Severity.RED, opened_at=EARLIER, due_at=EARLIER)
    assert "Nothing new." in digest(app, who)
    mine = concern(app, category=Category.REFERRAL, severity=Severity.RED, opened_at=EARLIER, due_at=EARLIER)
    assert section(digest(app, who), "Red, waiting for a person") == [mine.reference]


def test_what_was_reviewed_before_the_digest_hour_is_listed_no_more(app: App) -> None:
    """And what was reviewed after it still stands in the digest of that hour."""
    who = lead(app)
    before = concern(app, severity=Severity.RED, opened_at=EARLIER, reviewed_at=HOUR - timedelta(hours=1))
    after = concern(app, severity=Severity.RED, opened_at=EARLIER, reviewed_at=HOUR + timedelta(hours=1))
    listed = section(digest(app, who, now=HOUR + timedelta(days=3)), "Red, waiting for a person")
    assert listed == [after.reference]
    assert before.reference not in listed


def test_new_on_monday_is_what_came_since_friday(app: App) -> None:
    """A weekend is not forgotten."""
    who = lead(app)
    monday = date(2026, 11, 23)
    concern(app, opened_at=HOUR + timedelta(hours=2))
    concern(app, opened_at=HOUR + timedelta(days=1))
    concern(app, opened_at=HOUR - timedelta(hours=1))
    text = digest(app, who, day=monday, now=HOUR + timedelta(days=3))
    assert "New since 20 November 2026, 7:30am" in text
    assert "care concern: 2" in text


def test_providers_that_move_and_themes_are_counted(app: App) -> None:
    """This week against the week before; the last month against the one before."""
    who = lead(app)
    rose, oak = Provider(provider_id="1-1", name="Rose Court"), Provider(provider_id="1-2", name="Oak Lodge")
    with app.database.write() as session:
        audit = Audit(at=NOW, actor=MACHINE, action="register_imported")
        save_register(session, [rose, oak], now=NOW, audit=audit)
    for days, provider_id in ((1, "1-1"), (2, "1-1"), (9, "1-1"), (1, "1-2"), (9, "1-2")):
        concern(
            app,
            opened_at=HOUR - timedelta(days=days),
            provider_id=provider_id,
            themes=[Theme.STAFFING.value] if provider_id == "1-1" else [],
        )
    concern(app, opened_at=HOUR - timedelta(days=40), themes=[Theme.STAFFING.value])
    text = digest(app, who)
    assert "Rose Court: 2 this week, 1 the week before" in text
    assert "Oak Lodge" not in text
    assert "staffing: 3 (1)" in text


def test_a_digest_is_sent_once_per_lead_and_day(either_app: App) -> None:
    """Even when eight workers ask at the same moment."""
    lead(either_app, "ada@council.example")
    lead(either_app, "bob@council.example")
    together = Barrier(8)

    def ask(_number: int) -> int:
        together.wait()
        return send_due_digests(either_app, HOUR + timedelta(seconds=1))

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(ask, range(8))) == 2
    assert send_due_digests(either_app, HOUR + timedelta(hours=2)) == 0
    recipients = sorted(to for to, _, _ in mails(either_app, "digest"))
    assert recipients == ["ada@council.example", "bob@council.example"]
    assert send_due_digests(either_app, HOUR + timedelta(days=3)) == 2


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        pytest.param(HOUR - timedelta(seconds=1), 0, id="before-the-hour"),
        pytest.param(HOUR, 1, id="at-the-hour"),
        pytest.param(HOUR + timedelta(hours=10), 1, id="late-after-a-stop"),
        pytest.param(HOUR + timedelta(days=1), 0, id="saturday"),
        pytest.param(datetime(2026, 12, 25, 9, 0, tzinfo=UTC), 0, id="christmas"),
        pytest.param(datetime(2026, 12, 28, 9, 0, tzinfo=UTC), 0, id="boxing-day-moved-to-monday"),
        pytest.param(datetime(2026, 7, 1, 6, 29, tzinfo=UTC), 0, id="summer-before-the-hour"),
        pytest.param(datetime(2026, 7, 1, 6, 30, tzinfo=UTC), 1, id="summer-at-the-hour"),
    ],
)
def test_digests_go_out_at_their_hour_on_working_days(app: App, moment: datetime, sent: int) -> None:
    """Local time; a missed one goes out later the same day."""
    lead(app)
    assert send_due_digests(app, moment) == sent


def test_the_subject_of_a_digest_says_how_many_are_red(app: App) -> None:
    """To be read on a telephone."""
    lead(app)
    send_due_digests(app, HOUR)
    concern(app, opened_at=HOUR + timedelta(hours=1))
    send_due_digests(app, HOUR + timedelta(days=3))
    concern(app, severity=Severity.RED, opened_at=HOUR + timedelta(days=3, hours=1))
    send_due_digests(app, HOUR + timedelta(days=4))
    subjects = [subject.rpartition(": ")[2] for _, subject, _ in mails(app, "digest")]
    assert subjects == ["nothing new", "no red", "1 red"]


def test_a_digest_says_whether_the_mailbox_and_the_database_agree(app: App) -> None:
    """A difference is never a quiet day."""
    who = lead(app)
    folder = Folder("desk@council.example/imap.example", "INBOX", 7)
    with app.database.write() as session:
        note_state(session, folder.account, MailboxState.CONNECTED, now=EARLIER)
        begin(session, folder, now=EARLIER)
        save_count(session, FolderCount(folder, EARLIER, in_mailbox=9, stored=9, gaps=0, missing=0, mended=0))
    text = digest(app, who)
    assert "Nothing new." in text
    assert "Mailbox folder INBOX: 9 messages, none is missing here." in text
    with app.database.write() as session:
        save_count(session, FolderCount(folder, HOUR, in_mailbox=12, stored=9, gaps=0, missing=3, mended=1))
    text = digest(app, who)
    assert "Nothing new." not in text
    assert "Mailbox folder INBOX: 12 messages, 2 are missing here." in text
