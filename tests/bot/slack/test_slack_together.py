"""Several workers at once, on both databases: one thread is one concern, whoever comes first."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from bot.app import App
from bot.workflows import triage_message
from storage.messages import Received
from storage.oversight import conservation
from storage.slack import advance_channel, begin_channel, channel_progress, note_refusal, slack_message_id
from storage.tables import ConcernRow, SlackPostRow
from tests.factories import GREEN_TEXT, NOW
from triage.vocabulary import Channel

ROOT_TS, CHANNEL = "1795000000.000000", "C1"


def stored(app: App, event: dict[str, Any], external_id: str) -> str:
    """A delivery as the way in keeps it; returns its id."""
    event = {"type": "message", "channel": CHANNEL, "user": "U1"} | event
    raw = json.dumps({"type": "event_callback", "team_id": "T1", "event": event}).encode()
    received = Received(
        raw=raw,
        channel=Channel.SLACK,
        received_at=datetime.now(UTC),
        external_id=external_id,
        message_id=slack_message_id(external_id),
    )
    return app.intake.receive(received)


def test_a_thread_triaged_by_many_at_once_is_one_concern(either_app: App) -> None:
    """The post, its edit and six replies, each by a worker of its own, at the same moment."""
    app, edit_ts = either_app, "1795000009.000000"
    edited = {"ts": ROOT_TS, "user": "U1", "text": f"{GREEN_TEXT} Twice.", "edited": {"ts": edit_ts}}
    ids = [
        stored(app, {"ts": ROOT_TS, "text": GREEN_TEXT}, f"{CHANNEL}/{ROOT_TS}"),
        stored(
            app,
            {"subtype": "message_changed", "ts": edit_ts, "message": edited},
            f"{CHANNEL}/{ROOT_TS}/edited/{edit_ts}",
        ),
    ]
    for number in range(6):
        ts = f"179500000{number + 1}.000000"
        reply = {"ts": ts, "thread_ts": ROOT_TS, "text": f"carpet {number}"}
        ids.append(stored(app, reply, f"{CHANNEL}/{ts}"))
    with ThreadPoolExecutor(len(ids)) as workers:
        list(workers.map(lambda message_id: triage_message(app, message_id, now=NOW), ids))
    with app.database.read() as session:
        accounts = conservation(session)
        assert session.scalar(select(func.count()).select_from(ConcernRow)) == 1
        assert session.scalar(select(func.count()).select_from(SlackPostRow)) == 7
    assert (accounts.received, accounts.concerns, accounts.duplicates) == (8, 7, 1)


def test_the_same_delivery_by_two_ways_at_once_is_stored_once(either_app: App) -> None:
    """The database itself keeps the second one out."""

    def receive(_: int) -> str:
        try:
            return stored(either_app, {"ts": ROOT_TS, "text": GREEN_TEXT}, f"{CHANNEL}/{ROOT_TS}")
        except Exception as error:  # noqa: BLE001  whichever database, it refuses
            return type(error).__name__

    with ThreadPoolExecutor(8) as both:
        results = list(both.map(receive, range(8)))
    with either_app.database.read() as session:
        assert conservation(session).received == 1
    assert results.count(slack_message_id(f"{CHANNEL}/{ROOT_TS}")) == 1
    assert results.count("IntegrityError") == 7


def test_how_far_a_channel_was_read_never_goes_back(either_app: App) -> None:
    """And a watch that began is not begun again."""
    with either_app.database.write() as session:
        begin_channel(session, CHANNEL, "100.000000", NOW)
        advance_channel(session, CHANNEL, "300.000000", NOW)
        advance_channel(session, CHANNEL, "200.000000", NOW)
        begin_channel(session, CHANNEL, "900.000000", NOW)
    with either_app.database.read() as session:
        progress = channel_progress(session, CHANNEL)
    assert progress is not None
    assert (progress.since_ts, progress.seen_ts) == ("100.000000", "300.000000")


def test_a_refusal_is_written_once(either_app: App) -> None:
    """However often it happens."""
    for expected in (True, False):
        with either_app.database.write() as session:
            assert note_refusal(session, "C1/1.0", "Ev1", NOW) is expected
