"""The Slack app that the way in needs: its manifest, and each right with the reason for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.slack_in.forms import COMMAND, SHORTCUT_ID

SCOPES: Mapping[str, str] = {
    "channels:history": "to read posts of the watched public channels, also those missed while away",
    "groups:history": "the same for watched private channels",
    "im:history": "to take in what somebody writes below an answer that only they got",
    "chat:write": "to answer with a reference, and to tell the alert channel of red concerns",
    "commands": f"for {COMMAND} and the shortcut on a message",
    "files:read": "to keep the files of a post with its concern",
    "users:read": "to refuse guests, bots and strangers of shared channels",
    "users:read.email": "to check the email domain of a writer, where CARECONCERNS_SLACK_EMAIL_DOMAINS is set",
}
EVENTS: Mapping[str, str] = {
    "message.channels": "posts, edits and deletions in public channels",
    "message.groups": "the same in private channels",
    "message.im": "replies below an answer that only one person got",
    "user_change": "somebody leaves or becomes a guest: what is known of them is asked for again",
}


def manifest(*, url: str = "") -> dict[str, Any]:
    """The manifest for Slack's "create an app from a manifest"; `url` for HTTP mode, else Socket Mode."""
    address = {"request_url": url} if url else {}
    command = {"command": COMMAND, "description": "Report a care concern", "should_escape": False}
    return {
        "display_information": {
            "name": "Care concerns",
            "description": "Takes reports of care concerns to the council's quality team",
        },
        "features": {
            "bot_user": {"display_name": "Care concerns", "always_online": True},
            "shortcuts": [
                {
                    "name": "Report as care concern",
                    "type": "message",
                    "callback_id": SHORTCUT_ID,
                    "description": "Takes this message to the care concerns desk",
                }
            ],
            "slash_commands": [command | ({"url": url} if url else {})],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": sorted(EVENTS)} | address,
            "interactivity": {"is_enabled": True} | address,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }


def manifest_text(*, url: str = "") -> str:
    """The manifest as JSON."""
    return json.dumps(manifest(url=url), indent=2) + "\n"


def slack_reference() -> str:
    """docs/slack.md: how to set Slack up, and what each right is for."""
    scopes = "\n".join(f"| `{scope}` | {reason} |" for scope, reason in SCOPES.items())
    events = "\n".join(f"| `{event}` | {reason} |" for event, reason in EVENTS.items())
    return _REFERENCE.format(scopes=scopes, events=events, manifest=manifest_text())


_REFERENCE = """\
# Slack

Generated from `bot/slack_in/manifest.py` by `careconcerns slack reference`; do not edit by hand.

1. At https://api.slack.com/apps choose "Create New App", "From a manifest", and paste what
   `careconcerns slack manifest` prints (below), or for HTTP mode what
   `careconcerns slack manifest --url https://YOUR-HOST/slack/events` prints.
2. Socket Mode (we keep a connection open; nothing of ours need be reachable): under "Basic Information" make an
   app-level token with the scope `connections:write`. HTTP mode: copy the signing secret instead.
3. Install the app in the workspace and copy the bot token.
4. Set `CARECONCERNS_SLACK_BOT_TOKEN` and `CARECONCERNS_SLACK_APP_TOKEN` (or `CARECONCERNS_SLACK_MODE=http` and
   `CARECONCERNS_SLACK_SIGNING_SECRET`), `CARECONCERNS_SLACK_CHANNELS` and `CARECONCERNS_SLACK_ALERT_CHANNEL`.
5. Invite the bot to each of these channels. `careconcerns doctor` says when Slack was last reached.

## Rights, and why each

| scope | why |
| --- | --- |
{scopes}

## Events, and why each

| event | why |
| --- | --- |
{events}

Nothing else is asked for: the app sees no channel that it was not invited to, and it posts references, categories and
severities alone.

## Manifest

```json
{manifest}```
"""
