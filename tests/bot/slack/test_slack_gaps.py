"""Dropped sockets and gaps: what Slack did not deliver is found in its history, and nothing is found twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import bot.slack_calls
from bot.slack_calls import RateLimited, SlackCalls
from bot.slack_in.catch_up import CatchUp
from bot.slack_in.door import Door
from bot.slack_in.part import utc_now
from bot.slack_in.staff import Staff
from storage.slack import channel_progress, slack_message_id
from tests.bot.slack.desk import RED_TEXT, Desk
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for
from triage.errors import TryAgainLater


def seen_ts(desk: Desk) -> float:
    """How far the channel was read."""
    with desk.app.database.read() as session:
        progress = channel_progress(session, ids.CHANNEL)
    assert progress is not None
    return float(progress.seen_ts)


def read(desk: Desk, *, young_seconds: float = -1.0) -> int:
    """Look for what was missed, as after a reconnect; the youngest posts too, since no delivery is under way."""
    calls = SlackCalls(desk.app.settings)
    staff = Staff(calls, desk.app.settings)
    door = Door(desk.app, staff, clock=utc_now)
    catch_up = CatchUp(desk.app, calls=calls, staff=staff, door=door, clock=utc_now)
    catch_up.young_seconds = young_seconds
    return catch_up.read_all(after_gap=True)


@pytest.fixture
def lone_desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk that watches the channel, and reads its history when it is told to and not otherwise."""
    desk = make_desk(connected=False)
    read(desk)
    return desk


def test_a_socket_that_drops_is_opened_again_and_the_gap_is_filled(desk: Desk, slack: SlackDouble) -> None:
    """Posts of the time between come from history, those after it by the new socket."""
    desk.part.catch_up.young_seconds = -1.0
    slack.sockets.drop()
    slack.faults.silent = True
    slack.post("carpet, in the gap")
    slack.faults.silent = False
    wait_for(lambda: slack.sockets.hellos >= 2, seconds=30, what="the reconnect")
    wait_for(lambda: len(desk.messages()) == 1, seconds=30, what="the catching up")
    slack.post("carpet, after it")
    desk.wait_for_messages(2)


def test_a_refresh_of_the_connection_loses_nothing(desk: Desk, slack: SlackDouble) -> None:
    """What Slack does every few hours; posts go on meanwhile."""
    slack.post("carpet, before")
    slack.sockets.refresh()
    slack.post("carpet, meanwhile")
    wait_for(lambda: slack.sockets.hellos >= 2, seconds=30, what="the new connection")
    slack.post("carpet, after")
    slack.settle()
    assert len(desk.wait_for_messages(3)) == 3


def test_what_came_while_we_were_down_is_taken_in_at_the_next_start(
    make_desk: Callable[..., Desk], slack: SlackDouble
) -> None:
    """From where the last reading ended."""
    make_desk().disconnect()
    slack.faults.silent = True
    slack.post(GREEN_TEXT)
    slack.faults.silent = False
    again = make_desk(connected=False)
    again.part.catch_up.young_seconds = -1.0
    again.connect()
    again.wait_for_messages(1)


def test_posts_replies_edits_and_deletions_of_a_gap_are_all_found(desk: Desk, slack: SlackDouble) -> None:
    """Of posts that were taken in before it, and of posts of the gap itself."""
    edited, deleted, answered = (slack.post(f"{GREEN_TEXT} ({number})") for number in range(3))
    desk.take_in()
    slack.faults.silent = True
    slack.edit(edited, RED_TEXT)
    slack.delete(deleted)
    slack.post("It was the second time.", thread_ts=answered)
    fresh = slack.post("carpet, in the gap")
    slack.post("carpet, a reply in the gap", thread_ts=fresh)
    assert read(desk) == 5
    desk.work()
    homes = {ts: slack_message_id(f"{ids.CHANNEL}/{ts}") for ts in (edited, deleted, answered, fresh)}
    assert desk.reading(homes[edited]).text == RED_TEXT
    assert desk.reading(homes[deleted]).defects == ["deleted_in_slack"]
    assert len(desk.concerns()) == 4
    assert desk.accounts().concerns == 6
    assert read(desk) == 0


def test_what_is_found_in_history_and_delivered_later_is_one(desk: Desk, slack: SlackDouble) -> None:
    """Slack's late redelivery of a post, and of its edit, changes nothing."""
    slack.faults.holding = True
    ts = slack.post(GREEN_TEXT)
    slack.edit(ts, RED_TEXT)
    assert read(desk) == 1
    desk.work()
    slack.release()
    desk.take_in()
    assert [reading.text for reading in desk.readings(desk.messages()[0].id)] == [RED_TEXT]
    assert len(desk.concerns()) == len(desk.messages()) == 1


def test_a_delivery_does_not_move_the_place_that_history_is_read_from(desk: Desk, slack: SlackDouble) -> None:
    """A later post that did arrive must not hide an earlier one that did not."""
    before = seen_ts(desk)
    slack.faults.silent = True
    slack.post("carpet, lost")
    slack.faults.silent = False
    last = slack.post("carpet, delivered")
    slack.settle()
    assert seen_ts(desk) == before
    assert read(desk) == 1
    assert seen_ts(desk) == float(last)


def test_nothing_from_before_the_watch_began_is_taken_in(
    make_desk: Callable[..., Desk], slack: SlackDouble
) -> None:
    """A channel's past is not ours to read."""
    slack.faults.silent = True
    old = slack.post("carpet, long ago")
    slack.faults.silent = False
    desk = make_desk()
    assert read(desk) == 0
    assert desk.messages() == []
    assert float(old) < seen_ts(desk)


def test_a_gap_of_many_pages_is_read_to_its_end(
    lone_desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page after page."""
    monkeypatch.setattr(bot.slack_calls, "_PAGE", 4)
    slack.faults.silent = True
    for number in range(11):
        slack.post(f"carpet {number}")
    assert read(lone_desk) == 11


def test_history_is_read_again_only_after_the_time_that_slack_asks_for(
    lone_desk: Desk, slack: SlackDouble
) -> None:
    """429 in the middle of a reading: waited out, and nothing skipped."""
    slack.faults.silent = True
    slack.post(GREEN_TEXT)
    before = len(slack.web.calls_of("conversations.history"))
    slack.faults.rate_limits["conversations.history"] = [2]
    assert read(lone_desk) == 1
    first, second = slack.web.calls_of("conversations.history")[before:]
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 2


def test_a_reading_that_fails_leaves_the_place_where_it_was(lone_desk: Desk, slack: SlackDouble) -> None:
    """And the next one finds everything."""
    slack.faults.silent = True
    slack.post(GREEN_TEXT)
    before = seen_ts(lone_desk)
    slack.faults.outages.add("users.info")
    with pytest.raises(TryAgainLater):
        read(lone_desk)
    assert seen_ts(lone_desk) == before
    slack.faults.outages.clear()
    assert read(lone_desk) == 1


def test_an_outsiders_post_of_a_gap_is_not_taken_in_either(lone_desk: Desk, slack: SlackDouble) -> None:
    """Written down once, however often history is read."""
    slack.faults.silent = True
    slack.post(GREEN_TEXT, user=ids.GUEST)
    read(lone_desk)
    read(lone_desk)
    assert lone_desk.messages() == []
    assert len(lone_desk.audit("slack_refused")) == 1


def test_the_youngest_posts_are_left_to_their_delivery(lone_desk: Desk, slack: SlackDouble) -> None:
    """And the place is not moved beyond them."""
    slack.faults.silent = True
    slack.post(GREEN_TEXT)
    assert read(lone_desk, young_seconds=30.0) == 0
    assert seen_ts(lone_desk) < float(slack.workspace.channels[ids.CHANNEL][0]["ts"])
    assert read(lone_desk) == 1


def test_the_next_look_for_the_youngest_posts_is_soon(
    make_desk: Callable[..., Desk], slack: SlackDouble
) -> None:
    """Not only after the time between two looks."""
    desk = make_desk(connected=False)
    desk.part.catch_up.young_seconds = 1.0
    desk.connect()
    slack.faults.silent = True
    slack.post(GREEN_TEXT)
    slack.faults.silent = False
    desk.part.catch_up.say_gap()
    assert len(desk.wait_for_messages(1)) == 1


def test_a_refusal_to_show_the_history_is_no_reason_to_stop(desk: Desk, slack: SlackDouble) -> None:
    """A channel that the bot was thrown out of: the way in goes on."""
    del slack.workspace.channels[ids.CHANNEL]
    with pytest.raises(Exception, match="channel_not_found"):
        read(desk)
    slack.workspace.channels[ids.CHANNEL] = []
    slack.post(GREEN_TEXT)
    slack.settle()
    assert len(desk.messages()) == 1


def test_the_way_in_starts_without_slack_and_connects_when_it_is_there(
    make_desk: Callable[..., Desk], slack: SlackDouble
) -> None:
    """Slack's trouble is never a reason for a part of ours not to start."""
    slack.faults.outages |= {"auth.test", "apps.connections.open", "conversations.history"}
    desk = make_desk(connected=False)
    desk.part.start()
    desk._connected = True
    assert not slack.sockets.connections
    slack.faults.outages.clear()
    wait_for(lambda: slack.sockets.connections, seconds=20, what="the connection")
    slack.post(GREEN_TEXT)
    slack.settle()
    assert len(desk.messages()) == 1


def test_a_method_is_left_alone_until_its_time(lone_desk: Desk, slack: SlackDouble) -> None:
    """Whoever asks: the second caller does not even call."""
    calls: Any = lone_desk.part.catch_up._calls
    slack.faults.rate_limits["users.info"] = [30]
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            calls.user(ids.BEN)
    assert caught.value.seconds <= 30
    assert len(slack.web.calls_of("users.info")) == 1


def test_the_last_contact_with_slack_is_kept_and_said_by_doctor(desk: Desk) -> None:
    """Both ways: Slack's own service, and the open connection."""
    from bot.doctor import _slack
    from storage.slack import note_contact, slack_contacts

    def contacts() -> list[str]:
        with desk.app.database.read() as session:
            return [row.kind for row in slack_contacts(session) if row.contact_at and not row.problem]

    wait_for(lambda: contacts() == ["web_api", "socket"] or desk.part.catch_up.say_gap(), what="both signs")
    with desk.app.database.read() as session:
        now = slack_contacts(session)[0].contact_at
        assert now is not None
        found = list(_slack(session, desk.app.settings, now))
        late = list(_slack(session, desk.app.settings, now + timedelta(days=1)))
    assert [finding.well for finding in found] == [True, True]
    assert [finding.well for finding in late] == [False, False]
    with desk.app.database.write() as session:
        note_contact(session, "web_api", now, problem="Slack auth.test: invalid_auth")
    with desk.app.database.read() as session:
        [api, _] = _slack(session, desk.app.settings, now)
    assert not api.well
    assert "invalid_auth" in api.text
