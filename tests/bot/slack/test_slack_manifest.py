"""The Slack app's manifest: what the code needs, each with its reason, and never stale."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from bot.cli import main
from bot.slack_in.forms import COMMAND, SHORTCUT_ID
from bot.slack_in.manifest import EVENTS, SCOPES, manifest, slack_reference

ROOT = Path(__file__).parents[3]
# What Slack wants for each method that we call.
RIGHTS = {
    "auth.test": set(),
    "users.info": {"users:read", "users:read.email"},
    "chat.postMessage": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "views.open": set(),
    "conversations.history": {"channels:history", "groups:history", "im:history"},
    "conversations.replies": {"channels:history", "groups:history", "im:history"},
    "files.info": {"files:read"},
}


def test_the_manifest_asks_for_what_the_code_calls_and_nothing_more() -> None:
    """A method that is new in the code needs its right named here and there."""
    code = (ROOT / "bot" / "slack_calls.py").read_text()
    called = set(re.findall(r'"((?:auth|users|chat|views|conversations|files)\.[A-Za-z]+)"', code))
    assert called == set(RIGHTS)
    assert set(SCOPES) == set().union(*RIGHTS.values()) | {"commands"}
    assert all(SCOPES.values())
    assert all(EVENTS.values())


def test_the_manifest_names_the_command_and_the_shortcut_of_the_code() -> None:
    """In Socket Mode without addresses, in HTTP mode with one everywhere that Slack sends to."""
    socket = manifest()
    assert socket["features"]["slash_commands"][0]["command"] == COMMAND
    assert socket["features"]["shortcuts"][0]["callback_id"] == SHORTCUT_ID
    assert socket["settings"]["socket_mode_enabled"]
    assert "https" not in json.dumps(socket)
    http = manifest(url="https://slack.council.example/slack/events")
    assert not http["settings"]["socket_mode_enabled"]
    assert json.dumps(http).count("https://slack.council.example/slack/events") == 3


def test_the_page_about_slack_is_what_the_code_says() -> None:
    """`careconcerns slack reference > docs/slack.md` brings it up to date."""
    assert (ROOT / "docs" / "slack.md").read_text() == slack_reference()


def test_the_command_prints_the_manifest() -> None:
    """As JSON; an address that is not https is refused."""
    printed = CliRunner().invoke(main, ["slack", "manifest"])
    assert json.loads(printed.stdout) == manifest()
    assert CliRunner().invoke(main, ["slack", "manifest", "--url", "http://x.example"]).exit_code == 2
