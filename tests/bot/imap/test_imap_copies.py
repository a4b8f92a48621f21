"""One mail that came by two ways is one concern, on both databases and however the two ways race."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from bot.app import App
from bot.workflows import triage_message
from tests.bot.imap.looking import dispositions, utc_now
from tests.factories import email_bytes, received, stored

MAIL = email_bytes("The carpet in the lounge is stained.", message_id="<same@family.example>")


def test_copies_that_two_workers_have_in_hand_at_once_are_one_concern(either_app: App) -> None:
    """Neither sees the other's concern before it is there."""
    ids = [
        stored(either_app, received(b"Received: by way %d\r\n" % way + MAIL, received_at=utc_now()))
        for way in range(4)
    ]
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda message_id: triage_message(either_app, message_id, now=utc_now()), ids))
    assert dispositions(either_app) == Counter(concern=1, duplicate=3)


def test_the_same_words_under_the_same_id_from_somebody_else_are_no_copy(app: App) -> None:
    """A forged copy must not make the real one vanish."""
    for sender in ("susan@family.example", "somebody@else.example"):
        mail = email_bytes("The carpet is stained.", sender=sender, message_id="<same@family.example>")
        triage_message(app, stored(app, received(mail, received_at=utc_now())), now=utc_now())
    assert dispositions(app) == Counter(concern=2)
