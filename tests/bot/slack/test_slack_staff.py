"""Who may use it: full members of the council's Slack, and nobody else; who may not is told, and leaves no words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.bot.slack.desk import Desk
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for


@pytest.mark.parametrize("user", [ids.GUEST, ids.STRANGER, "U0NOBODY"])
def test_an_outsiders_post_is_refused_and_nothing_is_taken_in(
    desk: Desk, slack: SlackDouble, user: str
) -> None:
    """Told in a whisper; the audit trail has the event id and nothing else."""
    slack.post(GREEN_TEXT, user=user)
    slack.settle()
    (whisper,) = wait_for(lambda: slack.workspace.ephemerals, what="the whisper")
    (entry,) = desk.audit("slack_refused")
    assert (whisper["user"], whisper["channel"]) == (user, ids.CHANNEL)
    assert "999" in whisper["text"]
    assert entry.details == {"event": slack.envelopes[0].payload["event_id"]}
    assert user not in f"{entry.subject}{entry.actor}"
    assert desk.messages() == []


@pytest.mark.parametrize(
    "facts",
    [
        {"is_ultra_restricted": True},
        {"is_stranger": True},
        {"deleted": True},
        {"is_bot": True},
        {"team_id": ids.OTHER_TEAM},
    ],
)
def test_each_mark_of_an_outsider_is_enough(desk: Desk, slack: SlackDouble, facts: dict[str, Any]) -> None:
    """Guests of both kinds, strangers, former members, bots, members of another workspace."""
    slack.workspace.add_user("U0ODD", "odd@council.example", **facts)
    slack.post(GREEN_TEXT, user="U0ODD")
    slack.settle()
    assert desk.messages() == []
    assert len(desk.audit("slack_refused")) == 1


def test_a_member_who_posts_from_another_workspace_is_refused(desk: Desk, slack: SlackDouble) -> None:
    """In a shared channel the event itself says where somebody comes from."""
    slack.post(GREEN_TEXT, user_team=ids.OTHER_TEAM)
    slack.settle()
    assert desk.messages() == []


def test_another_bots_post_is_refused_without_a_whisper(desk: Desk, slack: SlackDouble) -> None:
    """Nobody would read it."""
    slack.post(GREEN_TEXT, user=ids.ROBOT, subtype="bot_message", bot_id="B0ROBOT")
    slack.settle()
    desk.disconnect()
    assert len(desk.audit("slack_refused")) == 1
    assert slack.workspace.ephemerals == []


def test_our_own_posts_are_no_messages(desk: Desk, slack: SlackDouble) -> None:
    """An answer of ours that comes back as an event is neither taken in nor refused."""
    slack.post("Reference: CC-2026-000001.", user=ids.BOT_USER, bot_id=ids.BOT)
    slack.settle()
    assert (desk.messages(), desk.audit("slack_refused")) == ([], [])


def test_a_refusal_is_told_and_written_down_once(desk: Desk, slack: SlackDouble) -> None:
    """However often Slack delivers it."""
    slack.faults.copies = 3
    slack.post(GREEN_TEXT, user=ids.GUEST)
    slack.settle()
    slack.deliver("events_api", slack.envelopes[0].payload)
    slack.settle()
    desk.disconnect()
    assert len(slack.envelopes) == 4
    assert len(slack.workspace.ephemerals) == len(desk.audit("slack_refused")) == 1
    assert desk.messages() == []


def test_slack_is_asked_about_a_person_once(desk: Desk, slack: SlackDouble) -> None:
    """Not for every post; and again when Slack says that something about them changed."""
    for number in range(5):
        slack.post(f"{number}")
        slack.settle()
    assert len(slack.web.calls_of("users.info")) == 1
    slack.workspace.users[ids.ADA]["is_restricted"] = True
    slack.event({"type": "user_change", "user": {"id": ids.ADA}})
    slack.settle()
    slack.post(GREEN_TEXT)
    slack.settle()
    assert len(desk.messages()) == 5
    assert len(desk.audit("slack_refused")) == 1


def test_a_post_of_somebody_unknown_waits_while_slack_cannot_be_asked(desk: Desk, slack: SlackDouble) -> None:
    """Neither taken in nor refused nor lost: it is not acknowledged until Slack answers."""
    slack.faults.outages.add("users.info")
    slack.post(GREEN_TEXT)
    assert not slack.envelopes[0].acked.wait(0.7)
    assert desk.messages() == []
    slack.faults.outages.clear()
    slack.settle()
    assert len(desk.messages()) == 1
    assert desk.audit("slack_refused") == []


def test_a_retry_after_of_users_info_is_kept_to(desk: Desk, slack: SlackDouble) -> None:
    """After a 429 nobody asks again before its time."""
    slack.faults.rate_limits["users.info"] = [2]
    slack.post(GREEN_TEXT)
    slack.settle()
    first, second = slack.web.calls_of("users.info")[:2]
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 2
    assert len(desk.messages()) == 1


def test_the_email_domains_that_are_set_must_fit(make_desk: Callable[..., Desk], slack: SlackDouble) -> None:
    """A full member with another address is not staff."""
    desk = make_desk(slack_email_domains="council.example")
    slack.workspace.add_user("U0TEMP", "temp@agency.example")
    slack.workspace.add_user("U0FAKE", "fake@council.example", is_email_confirmed=False)
    for user in (ids.ADA, "U0TEMP", "U0FAKE"):
        slack.post(GREEN_TEXT, user=user)
    slack.settle()
    assert len(desk.messages()) == 1
    assert len(desk.audit("slack_refused")) == 2


def test_an_organisation_may_be_allowed_as_a_whole(
    make_desk: Callable[..., Desk], slack: SlackDouble
) -> None:
    """Its members in other workspaces of its own are staff; the bot's workspace alone is not enough then."""
    desk = make_desk(slack_teams="E0COUNCIL")
    grid = {"team_id": "T0SECOND", "enterprise_user": {"enterprise_id": "E0COUNCIL"}}
    slack.workspace.add_user("U0GRID", "grid@council.example", **grid)
    slack.post(GREEN_TEXT, user="U0GRID", user_team="T0SECOND")
    slack.post(GREEN_TEXT, user=ids.ADA)
    slack.settle()
    assert len(desk.messages()) == 1
    assert len(desk.audit("slack_refused")) == 1


def test_an_outsider_cannot_use_command_form_or_shortcut(desk: Desk, slack: SlackDouble) -> None:
    """Each says why, and nothing is taken in, not even when the form came from somewhere else."""
    command = slack.command("my words", user=ids.GUEST)
    stolen = {"id": "V0STOLEN", "type": "modal", "callback_id": "care_concern_form"}
    form = slack.submit(stolen, GREEN_TEXT, user=ids.GUEST)
    slack.faults.silent = True
    ts = slack.post(GREEN_TEXT, channel=ids.ELSEWHERE)
    slack.faults.silent = False
    shortcut = slack.shortcut(ts, user=ids.GUEST)
    for envelope in (command, form, shortcut):
        assert envelope.acked.wait(10)
    assert slack.workspace.views == []
    assert "Only full members" in str(command.answer)
    assert form.answer is not None
    assert form.answer["response_action"] == "errors"
    assert "Only full members" in wait_for(lambda: slack.workspace.responses)[0]["text"]
    assert desk.messages() == []
