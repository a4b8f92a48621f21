"""The shortcut on any message, and /concern with its form."""

from __future__ import annotations

from typing import Any

import pytest

from storage.messages import Received
from tests.bot.slack.desk import RED_TEXT, Desk
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for


def post_unheard(slack: SlackDouble, text: str, **more: Any) -> str:
    """A post that the bot is not told of."""
    slack.faults.silent = True
    ts = slack.post(text, **more)
    slack.faults.silent = False
    return ts


def test_a_reported_message_becomes_a_concern_with_its_writer_and_its_reporter(
    desk: Desk, slack: SlackDouble
) -> None:
    """The reporter is the sender; whose words they are is recorded beside, whoever that is."""
    ts = post_unheard(slack, GREEN_TEXT, channel=ids.ELSEWHERE, user=ids.STRANGER)
    slack.shortcut(ts)
    desk.take_in()
    (concern,) = desk.concerns()
    (row,) = desk.messages()
    reading = desk.readings(row.id)[0]
    sealed = desk.app.keys.unseal_json(reading.sender, place=f"readings.sender:{row.id}")
    assert concern.category == "care_concern"
    assert sealed["sender"]["name"] == ids.ADA
    assert sealed["original_author"]["name"] == ids.STRANGER


def test_only_the_reporter_hears_of_a_report(desk: Desk, slack: SlackDouble) -> None:
    """Whoever wrote what was reported may be reading the channel: the answer is a direct message."""
    ts = post_unheard(slack, GREEN_TEXT, channel=ids.ELSEWHERE, user=ids.BEN)
    slack.shortcut(ts)
    desk.take_in()
    assert desk.posts_of_bot(ids.ELSEWHERE) == []
    (answer,) = desk.posts_of_bot("D0ADA")
    assert desk.concerns()[0].reference in answer["text"]
    assert wait_for(lambda: slack.workspace.responses)[0]["response_type"] == "ephemeral"


def test_a_reply_below_the_direct_answer_joins_the_concern(desk: Desk, slack: SlackDouble) -> None:
    """The reporter adds to the report where they were answered."""
    ts = post_unheard(slack, GREEN_TEXT, channel=ids.ELSEWHERE)
    slack.shortcut(ts)
    desk.take_in()
    (answer,) = desk.posts_of_bot("D0ADA")
    slack.post(RED_TEXT, channel="D0ADA", thread_ts=answer["ts"])
    desk.take_in()
    (concern,) = desk.concerns()
    assert concern.severity == "red"
    assert desk.accounts().concerns == 2


def test_replies_to_a_reported_message_join_its_concern(desk: Desk, slack: SlackDouble) -> None:
    """Also in a channel that is not watched."""
    ts = post_unheard(slack, GREEN_TEXT, channel=ids.ELSEWHERE)
    slack.shortcut(ts)
    desk.take_in()
    slack.post("It was the second time.", channel=ids.ELSEWHERE, thread_ts=ts)
    slack.post("Lunch?", channel=ids.ELSEWHERE)
    desk.take_in()
    assert len(desk.concerns()) == 1
    assert desk.accounts().concerns == 2


def test_a_message_reported_twice_or_taken_in_already_is_one(desk: Desk, slack: SlackDouble) -> None:
    """Two reporters, and a post of a watched channel: one concern each."""
    watched = slack.post(GREEN_TEXT)
    elsewhere = post_unheard(slack, RED_TEXT, channel=ids.ELSEWHERE)
    slack.settle()
    slack.shortcut(watched, channel=ids.CHANNEL)
    slack.shortcut(elsewhere)
    slack.settle()
    slack.shortcut(elsewhere, user=ids.BEN)
    desk.take_in()
    assert len(desk.messages()) == len(desk.concerns()) == 2


def test_the_command_opens_a_form_that_puts_danger_first(desk: Desk, slack: SlackDouble) -> None:
    """With the words that were typed behind it already in place."""
    command = slack.command("she fell twice")
    slack.settle()
    (view,) = slack.workspace.views
    assert command.answer is None
    assert "999" in view["blocks"][0]["text"]["text"]
    assert view["blocks"][1]["element"]["initial_value"] == "she fell twice"
    assert desk.messages() == []


def test_a_form_becomes_a_concern_and_is_answered_to_its_sender_alone(desk: Desk, slack: SlackDouble) -> None:
    """Story and service are the words; no channel hears of it."""
    slack.command()
    slack.settle()
    form = slack.submit(slack.workspace.views[0], GREEN_TEXT, service="Rose Court")
    desk.take_in()
    (row,) = desk.messages()
    assert form.answer is None
    assert desk.reading(row.id).text == f"Service or place: Rose Court\n\n{GREEN_TEXT}"
    assert len(desk.posts_of_bot("D0ADA")) == 1
    assert desk.posts_of_bot() == desk.posts_of_bot(ids.ELSEWHERE) == []


def test_a_form_sent_twice_is_one_report(desk: Desk, slack: SlackDouble) -> None:
    """The same view, pressed twice."""
    slack.command()
    slack.settle()
    for _ in range(2):
        slack.submit(slack.workspace.views[0], GREEN_TEXT)
    desk.take_in()
    assert len(desk.concerns()) == 1


def test_a_form_that_cannot_be_stored_keeps_its_words_and_says_so(
    desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form stays open with the words in it; it never closes on a report that is lost."""

    def failing(_: Received, **__: Any) -> str:
        raise OSError("disk full")

    slack.command()
    slack.settle()
    monkeypatch.setattr(desk.app.intake, "receive", failing)
    form = slack.submit(slack.workspace.views[0], GREEN_TEXT)
    slack.settle()
    assert form.answer is not None
    assert form.answer["response_action"] == "errors"
    assert "has not been stored" in str(form.answer["errors"])


def test_the_command_says_so_when_slack_does_not_open_the_form(desk: Desk, slack: SlackDouble) -> None:
    """Rather than nothing at all."""
    slack.faults.outages.add("views.open")
    command = slack.command()
    slack.settle()
    assert "try again" in str(command.answer)
