"""HTTP in place of a socket: the same handlers, behind Slack's signature."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from storage.messages import Received
from tests.bot.slack.desk import Desk
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk that Slack reaches by HTTP."""
    return make_desk(slack_mode="http")


def url_of(desk: Desk) -> str:
    """Where Slack sends to."""
    return f"http://{desk.part.address}/slack/events"


def payload_of(slack: SlackDouble, text: str = GREEN_TEXT) -> dict[str, Any]:
    """A post's event as it would be sent."""
    slack.faults.holding = True
    slack.post(text)
    return slack.envelopes[-1].payload


def test_a_signed_delivery_is_stored_and_acknowledged(desk: Desk, slack: SlackDouble) -> None:
    """200 once it is stored; delivered again, it is one."""
    payload = payload_of(slack)
    for _ in range(2):
        status, _ = slack.send_http(url_of(desk), payload)
        assert status == 200
    desk.work()
    assert len(desk.concerns()) == len(desk.messages()) == 1
    assert len(desk.posts_of_bot()) == 1


@pytest.mark.parametrize(
    ("secret", "age_seconds"), [("another secret", 0), (ids.SIGNING_SECRET, 600)], ids=["forged", "old"]
)
def test_what_slack_did_not_sign_just_now_is_turned_away(
    desk: Desk, slack: SlackDouble, secret: str, age_seconds: int
) -> None:
    """401, and nothing stored: neither a forgery nor a recording."""
    at = time.time() - age_seconds
    status, _ = slack.send_http(url_of(desk), payload_of(slack), secret=secret, at=at)
    assert status == 401
    assert desk.messages() == []


def test_what_could_not_be_stored_is_answered_with_a_fault(
    desk: Desk, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack then tries again; the answer says nothing of the matter."""

    def failing(_: Received, **__: Any) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(desk.app.intake, "receive", failing)
    status, body = slack.send_http(url_of(desk), payload_of(slack))
    assert status >= 500
    assert "disk" not in body


def test_slacks_question_whether_we_are_there_is_answered(desk: Desk, slack: SlackDouble) -> None:
    """url_verification, when the address is set at Slack."""
    status, body = slack.send_http(url_of(desk), {"type": "url_verification", "challenge": "c-123"})
    assert (status, json.loads(body)) == (200, {"challenge": "c-123"})


def test_a_form_by_http_is_a_report(desk: Desk, slack: SlackDouble) -> None:
    """Interactions come form-encoded."""
    slack.faults.holding = True
    view = {"id": "V1", "type": "modal", "callback_id": "care_concern_form"}
    slack.submit(view, GREEN_TEXT)
    status, body = slack.send_http(url_of(desk), slack.envelopes[-1].payload, is_form=True)
    assert (status, body) == (200, "")
    assert len(desk.messages()) == 1


def test_other_paths_and_methods_are_not_there(desk: Desk, slack: SlackDouble) -> None:
    """One path, and nothing to look at."""
    status, _ = slack.send_http(url_of(desk).replace("/events", "/other"), payload_of(slack))
    assert status == 404
