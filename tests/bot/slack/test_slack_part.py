"""The Slack part among the parts of `serve`, and its settings."""

from __future__ import annotations

import pytest

from bot.serving import parts_of
from bot.settings import Settings, load_settings
from triage.errors import BadInput


def test_the_part_runs_only_where_slack_is_set() -> None:
    """Without tokens nothing of Slack is started, and asking for it says what is missing."""
    assert "slack" not in parts_of("", Settings())
    with pytest.raises(BadInput, match="SLACK_BOT_TOKEN"):
        parts_of("slack", Settings())
    tokens = {"slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1"}
    assert "slack" in parts_of("", Settings(**tokens))
    assert "slack" not in parts_of("", Settings(**tokens, slack_mode="http"))
    assert "slack" in parts_of("", Settings(**tokens, slack_mode="http", slack_signing_secret="s"))


def test_the_token_cannot_be_sent_in_the_clear() -> None:
    """Another address of the Web API must be https, but for the loopback."""
    with pytest.raises(BadInput, match="CARECONCERNS_SLACK_API_URL"):
        load_settings(slack_api_url="http://slack.example/api/")
    assert Settings(slack_api_url="http://127.0.0.1:9/api").slack_api_url == "http://127.0.0.1:9/api/"


def test_no_secret_of_slack_is_shown() -> None:
    """Not where settings are printed."""
    shown = repr(
        Settings(slack_bot_token="xoxb-secret", slack_app_token="xapp-s3", slack_signing_secret="s3")
    )
    assert "xoxb-secret" not in shown
    assert "s3" not in shown
