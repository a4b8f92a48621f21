"""A post, a reply, an edit, a deletion: what people say in Slack is on the desk once, in whatever order it comes."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from storage.messages import Received, raw_of
from storage.slack import slack_message_id
from tests.bot.slack.desk import RED_TEXT, Desk
from tests.factories import GREEN_TEXT, lead
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from triage.errors import TryAgainLater
from triage.vocabulary import Channel


def message_of(ts: str, suffix: str = "", *, channel: str = ids.CHANNEL) -> str:
    """The id under which a post is stored."""
    return slack_message_id(f"{channel}/{ts}{suffix}")


def test_a_post_in_a_watched_channel_becomes_a_concern(desk: Desk, slack: SlackDouble) -> None:
    """Stored, triaged, on the desk, with its words and its writer."""
    slack.post(GREEN_TEXT)
    desk.take_in()
    (concern,) = desk.concerns()
    reading = desk.reading(desk.messages()[0].id)
    assert (concern.channel, concern.category, concern.severity) == ("slack", "care_concern", "green")
    assert reading.text == GREEN_TEXT
    assert reading.sender is not None
    assert reading.sender.address == f"slack:{ids.TEAM}/{ids.ADA}"


def test_the_payload_is_kept_with_its_event_id_and_without_keys(desk: Desk, slack: SlackDouble) -> None:
    """One row holds both; what could be used to act in Slack is not kept."""
    slack.post(GREEN_TEXT)
    slack.settle()
    (row,) = desk.messages()
    with desk.app.database.read() as session:
        raw, envelope, _ = raw_of(session, desk.app.keys, row.id)
    payload = json.loads(raw)
    assert payload["event_id"] == envelope["event_id"] == slack.envelopes[0].payload["event_id"]
    assert payload["event"]["text"] == GREEN_TEXT
    assert "verification-token" not in raw.decode()
    assert GREEN_TEXT.encode() not in row.raw


def test_a_post_elsewhere_is_nobodys_business(desk: Desk, slack: SlackDouble) -> None:
    """A channel that is not watched is acknowledged and left alone."""
    slack.post(GREEN_TEXT, channel=ids.ELSEWHERE)
    slack.settle()
    assert desk.messages() == []


def test_nothing_is_acknowledged_before_it_is_stored(
    desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement comes after the commit, also when the commit takes its time."""
    stored_at: list[float] = []
    receive = desk.app.intake.receive

    def slow(received: Received, *, timeout_seconds: float = 60) -> str:
        time.sleep(0.4)
        message_id = receive(received, timeout_seconds=timeout_seconds)
        stored_at.append(time.monotonic())
        return message_id

    monkeypatch.setattr(desk.app.intake, "receive", slow)
    slack.post(GREEN_TEXT)
    slack.settle()
    assert slack.envelopes[0].acked_at >= stored_at[0]


def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again(
    desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs a redelivery, not a message."""
    receive, faults = desk.app.intake.receive, [OSError("disk full"), OSError("disk full")]

    def failing(received: Received, **more: Any) -> str:
        if faults:
            raise faults.pop()
        return receive(received, **more)

    # The history is left out of it, so that the redelivery alone can bring the post.
    slack.faults.outages.add("conversations.history")
    monkeypatch.setattr(desk.app.intake, "receive", failing)
    slack.post(GREEN_TEXT)
    slack.settle()
    assert slack.envelopes[0].attempts == 3
    assert len(desk.messages()) == 1


def test_a_store_that_hangs_is_not_waited_for_beyond_slacks_patience(
    desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No acknowledgement after three seconds of nothing, and one message when the store is back."""
    submit, hanging = desk.app.intake.submit, [1]

    def hangs_once(received: Received) -> Future[str]:
        return Future() if hanging and hanging.pop() else submit(received)

    monkeypatch.setattr(desk.app.intake, "submit", hangs_once)
    slack.post(GREEN_TEXT)
    slack.settle()
    assert len(desk.messages()) == 1


def test_deliveries_that_come_several_times_are_one_message(desk: Desk, slack: SlackDouble) -> None:
    """The same event at the same moment, three times: all acknowledged, one stored."""
    slack.faults.copies = 3
    for number in range(5):
        slack.post(f"{GREEN_TEXT} ({number})")
    desk.take_in()
    assert len(slack.envelopes) == 15
    assert len(desk.messages()) == len(desk.concerns()) == 5


def test_a_lost_acknowledgement_does_not_double(desk: Desk, slack: SlackDouble) -> None:
    """Slack delivers again what we thought we had acknowledged."""
    slack.faults.deaf = True
    slack.post(GREEN_TEXT)
    desk.wait_for_messages(1)
    slack.faults.deaf = False
    desk.take_in()
    assert slack.envelopes[0].attempts > 1
    assert len(desk.messages()) == len(desk.concerns()) == 1


def test_replies_belong_to_the_concern_of_their_thread(desk: Desk, slack: SlackDouble) -> None:
    """One concern, its messages, and nobody is answered twice."""
    root = slack.post(GREEN_TEXT)
    slack.post("It was the second time.", user=ids.BEN, thread_ts=root)
    desk.take_in()
    slack.post("And again on Friday.", thread_ts=root)
    desk.take_in()
    (concern,) = desk.concerns()
    assert desk.accounts().concerns == 3
    assert len(desk.posts_of_bot()) == 1
    assert len(desk.audit("message_added")) == 2
    assert concern.severity == "green"


def test_a_graver_reply_raises_the_concern_and_a_milder_one_never_lowers_it(
    desk: Desk, slack: SlackDouble
) -> None:
    """Labels go up with what is added, and the leads hear of a red one."""
    lead(desk.app)
    root = slack.post(GREEN_TEXT)
    desk.take_in()
    slack.post(RED_TEXT, thread_ts=root)
    desk.take_in()
    slack.post("Thanks, all.", thread_ts=root)
    desk.take_in()
    (concern,) = desk.concerns()
    assert (concern.category, concern.severity) == ("safeguarding", "red")
    assert [key for key in desk.outgoing() if key.startswith("alert-")]
    assert len(desk.posts_of_bot(ids.ALERTS)) == 1


def test_what_is_added_to_a_concern_that_a_person_has_decided_is_seen_as_a_new_one(
    desk: Desk, slack: SlackDouble
) -> None:
    """A reviewed concern is off the list: a reply opens one that is on it, and further replies join that."""
    root = slack.post(GREEN_TEXT)
    desk.take_in()
    with desk.app.database.write() as session:
        session.merge(desk.concerns()[0]).state = "reviewed"
    slack.post(RED_TEXT, thread_ts=root)
    slack.post("And once more.", thread_ts=root)
    desk.take_in()
    first, second = desk.concerns()
    assert (first.state, first.severity) == ("reviewed", "green")
    assert (second.state, second.severity) == ("new", "red")
    assert desk.audit("continued")[0].details == {"concern": second.reference}


def test_an_edit_is_a_new_version_and_the_old_one_stays(desk: Desk, slack: SlackDouble) -> None:
    """Two readings of one message; the edit itself is accounted for as a version of it."""
    ts = slack.post(GREEN_TEXT)
    desk.take_in()
    slack.edit(ts, RED_TEXT)
    desk.take_in()
    (concern,) = desk.concerns()
    home = message_of(ts)
    assert [row.text for row in desk.readings(home)] == [GREEN_TEXT, RED_TEXT]
    assert concern.severity == "red"
    assert sorted(desk.dispositions().values()) == ["concern", "duplicate"]
    assert desk.accounts().holds


def test_a_link_preview_is_no_edit(desk: Desk, slack: SlackDouble) -> None:
    """Slack says "changed" when it adds a preview: nobody wrote anything."""
    ts = slack.post(GREEN_TEXT)
    slack.unfurl(ts)
    desk.take_in()
    assert len(desk.messages()) == 1


def test_a_deletion_marks_and_removes_nothing(desk: Desk, slack: SlackDouble) -> None:
    """The words stay, with the mark, and the history of the concern says so."""
    ts = slack.post(GREEN_TEXT)
    desk.take_in()
    slack.delete(ts)
    desk.take_in()
    reading = desk.reading(message_of(ts))
    assert (reading.text, reading.defects) == (GREEN_TEXT, ["deleted_in_slack"])
    assert len(desk.audit("deleted_in_slack")) == 1
    assert len(desk.concerns()) == 1


def test_a_deleted_post_with_replies_is_marked_too(desk: Desk, slack: SlackDouble) -> None:
    """Slack leaves a tombstone in its place and calls that a change."""
    root = slack.post(GREEN_TEXT)
    slack.post("It was the second time.", thread_ts=root)
    desk.take_in()
    slack.delete(root)
    desk.take_in()
    assert desk.reading(message_of(root)).text == GREEN_TEXT
    assert "deleted_in_slack" in desk.reading(message_of(root)).defects
    assert len(desk.concerns()) == 1


def test_a_post_deleted_before_it_reached_us_is_on_the_desk_all_the_same(
    desk: Desk, slack: SlackDouble
) -> None:
    """The deletion carries the words, and they open the concern; nobody is answered below what is gone."""
    slack.faults.holding = True
    ts = slack.post(GREEN_TEXT)
    slack.delete(ts)
    slack.release(backwards=True)
    slack.settle()
    desk.triage(message_of(ts, "/deleted"), message_of(ts))
    (concern,) = desk.concerns()
    assert concern.category == "care_concern"
    assert desk.reading(message_of(ts, "/deleted")).text == GREEN_TEXT
    assert desk.accounts().holds
    assert desk.outgoing() == {}


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_delivery_and_of_triage_ends_the_same(desk: Desk, slack: SlackDouble, seed: int) -> None:
    """A post, two edits, a reply, its edit and a deletion, shuffled twice: one concern, the newest words."""
    chance = random.Random(seed)
    slack.faults.holding = True
    root = slack.post(GREEN_TEXT)
    reply = slack.post("A late visit.", thread_ts=root)
    slack.edit(root, f"{GREEN_TEXT} Twice.")
    slack.edit(root, RED_TEXT)
    slack.edit(reply, "Two late visits.")
    slack.delete(reply)
    chance.shuffle(slack._held)
    slack.release()
    slack.settle()
    stored = [row.id for row in desk.wait_for_messages(6)]
    chance.shuffle(stored)
    desk.triage(*stored)
    (concern,) = desk.concerns()
    homes = [key for key, kind in desk.dispositions().items() if kind == "concern"]
    assert (concern.category, concern.severity) == ("safeguarding", "red")
    assert sorted(desk.reading(home).text for home in homes) == sorted(["Two late visits.", RED_TEXT])
    assert [home for home in homes if "deleted_in_slack" in desk.reading(home).defects]
    accounts = desk.accounts()
    assert (accounts.received, accounts.concerns, accounts.waiting) == (6, 2, 0)
    assert accounts.holds


def test_triage_asked_twice_changes_nothing(desk: Desk, slack: SlackDouble) -> None:
    """The engine may repeat a step."""
    ts = slack.post(GREEN_TEXT)
    slack.edit(ts, RED_TEXT)
    desk.take_in()
    before = (desk.readings(message_of(ts)), desk.dispositions(), desk.outgoing())
    desk.triage(*(row.id for row in desk.messages()))
    after = (desk.readings(message_of(ts)), desk.dispositions(), desk.outgoing())
    assert [len(part) for part in before] == [len(part) for part in after]


def test_a_payload_that_is_no_message_is_set_aside_in_plain_sight(desk: Desk) -> None:
    """What cannot be read is counted, and never tried for ever."""
    received = Received(raw=b"[" * 100_000, channel=Channel.SLACK, received_at=datetime.now(UTC))
    desk.app.intake.receive(received)
    desk.triage(received.message_id)
    assert desk.dispositions() == {received.message_id: "set_aside"}


def test_no_word_of_a_message_is_in_the_log(
    desk: Desk, slack: SlackDouble, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when all is well, nor when storing fails."""
    caplog.set_level("DEBUG")
    slack.post("Thistlewood first")
    slack.settle()

    def failing(_: Received, **__: Any) -> str:
        raise TryAgainLater("no")

    monkeypatch.setattr(desk.app.intake, "receive", failing)
    slack.post("Thistlewood second")
    time.sleep(0.5)
    ours = [record for record in caplog.records if not record.name.startswith(("websockets", "sqlalchemy"))]
    assert any("not taken in" in record.getMessage() for record in ours)
    assert not [record for record in ours if "Thistlewood" in f"{record.getMessage()} {record.exc_text}"]
