"""Who may use it: full members of the council's own Slack. Guests, bots and strangers of shared channels may not."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.settings import Settings
from bot.slack_calls import BotIdentity, SlackCalls, SlackRefused
from triage.errors import TryAgainLater

_FRESH_SECONDS = 3600.0
# While Slack cannot be asked, an answer this old still counts: who left is locked out of Slack anyway.
_STALE_SECONDS = 86_400.0
_MOST_KNOWN = 50_000
_OUTSIDER = (
    "deleted",
    "is_bot",
    "is_app_user",
    "is_workflow_bot",
    "is_restricted",
    "is_ultra_restricted",
    "is_stranger",
)
_SLACKBOT = "USLACKBOT"


@dataclass(frozen=True)
class _Known:
    user: Mapping[str, Any]
    asked_at: float


class Staff:
    """Answers whether a user may use it, from what Slack says of them; safe from any thread."""

    def __init__(self, calls: SlackCalls, settings: Settings) -> None:
        self._calls = calls
        self._teams = frozenset(settings.slack_teams)
        self._domains = frozenset(domain.lower().lstrip("@") for domain in settings.slack_email_domains)
        self._known: dict[str, _Known] = {}
        self._identity: BotIdentity | None = None
        self._lock = threading.Lock()

    def identity(self) -> BotIdentity:
        """Who we are, asked once; TryAgainLater while Slack is away, SlackRefused when the token is no good."""
        with self._lock:
            if self._identity is None:
                self._identity = self._calls.own_identity()
            return self._identity

    def may_use(self, user_id: str, teams: frozenset[str] = frozenset()) -> bool:
        """Whether the user is one of us; `teams` is what an event says of where they come from.

        TryAgainLater when Slack cannot be asked and nothing is known of them.
        """
        if not user_id or user_id == _SLACKBOT or user_id == self.identity().user:
            return False
        user = self._facts(user_id)
        if user is None or any(user.get(mark) for mark in _OUTSIDER):
            return False
        return self._is_of_ours(user, teams) and self._has_our_address(user)

    def forget(self, user_id: str) -> None:
        """Ask Slack anew about the user next time: something about them changed."""
        self._known.pop(user_id, None)

    def _is_of_ours(self, user: Mapping[str, Any], teams: frozenset[str]) -> bool:
        allowed = self._teams or frozenset({self.identity().team})
        if _map(user.get("enterprise_user")).get("enterprise_id") in allowed:
            return True
        return user.get("team_id") in allowed and teams <= allowed

    def _has_our_address(self, user: Mapping[str, Any]) -> bool:
        if not self._domains:
            return True
        email = str(_map(user.get("profile")).get("email") or "").lower()
        return email.rpartition("@")[2] in self._domains and user.get("is_email_confirmed") is not False

    def _facts(self, user_id: str) -> Mapping[str, Any] | None:
        known, now = self._known.get(user_id), time.monotonic()
        if known is not None and now - known.asked_at < _FRESH_SECONDS:
            return known.user
        try:
            user = self._calls.user(user_id)
        except SlackRefused:
            return None  # Slack shows us no such user
        except TryAgainLater:
            if known is not None and now - known.asked_at < _STALE_SECONDS:
                return known.user
            raise
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[user_id] = _Known(user, now)
        return user


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
