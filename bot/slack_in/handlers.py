"""Bolt's listeners, the same for Socket Mode and HTTP: stored first, acknowledged after.

Bolt would acknowledge an event before its listener ran; `process_before_response` turns that round,
and an error in a listener then becomes no acknowledgement at all, so that Slack delivers again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from slack_bolt import Ack, BoltResponse, Respond
from slack_bolt import App as BoltApp
from slack_bolt.authorization import AuthorizeResult

from bot.app import App
from bot.slack_calls import SlackCalls, web_client
from bot.slack_in.door import Door, Outcome
from bot.slack_in.forms import (
    ALREADY_REPORTED,
    COMMAND,
    FORM_ID,
    NOT_STORED,
    REPORTED,
    SHORTCUT_ID,
    TRY_AGAIN,
    concern_form,
    refusal,
)
from bot.slack_in.staff import Staff
from bot.slack_reading import FORM_STORY, SlackFacts
from triage.errors import CareConcernsError

log = logging.getLogger(__name__)

_REFUSED = (Outcome.REFUSED, Outcome.REFUSED_BEFORE)


class Handlers:
    """What happens with each kind of delivery; `say_gap` is called when one could not be taken in."""

    def __init__(
        self,
        app: App,
        *,
        calls: SlackCalls,
        staff: Staff,
        door: Door,
        aside: Executor,
        say_gap: Callable[[], None],
    ) -> None:
        self._settings = app.settings
        self._calls = calls
        self._staff = staff
        self._door = door
        self._aside = aside
        self._say_gap = say_gap

    def on_message(self, body: dict[str, Any]) -> None:
        """A post, reply, edit or deletion."""
        try:
            outcome, facts = self._door.take_in(body)
        except Exception:
            self._say_gap()
            raise
        if outcome is Outcome.REFUSED and facts is not None and facts.user:
            self._aside.submit(self._whisper_refusal, facts)

    def on_shortcut(self, body: dict[str, Any], ack: Ack, respond: Respond) -> None:
        """ "Report as care concern", pressed on any message."""
        outcome, _ = self._door.take_in(body)
        ack()
        words = REPORTED if outcome is Outcome.KEPT else ALREADY_REPORTED
        self._aside.submit(_respond, respond, refusal(self._settings) if outcome in _REFUSED else words)

    def on_command(self, body: dict[str, Any], ack: Ack) -> None:
        """`/concern`, with or without words behind it: opens the form."""
        try:
            if not self._staff.may_use(str(body.get("user_id") or "")):
                self._door.refuse(f"command/{body.get('trigger_id')}", "command")
                ack(refusal(self._settings))
                return
            form = concern_form(self._settings, story=str(body.get("text") or "").strip())
            self._calls.open_view(str(body["trigger_id"]), form)
        except CareConcernsError as error:
            log.warning("the form could not be opened: %s", error)
            ack(TRY_AGAIN)
        else:
            ack()

    def on_form(self, body: dict[str, Any], ack: Ack) -> None:
        """The form, sent: its sender sees it close only once it is stored."""
        try:
            outcome, _ = self._door.take_in(body)
        except Exception as error:  # noqa: BLE001  whatever it was, the person still has the words and is told
            log.warning("a form could not be stored: %s", type(error).__name__)
            ack(response_action="errors", errors={FORM_STORY: NOT_STORED})
            return
        if outcome in _REFUSED:
            ack(response_action="errors", errors={FORM_STORY: refusal(self._settings)})
        else:
            ack()

    def on_user_change(self, event: dict[str, Any]) -> None:
        """Somebody's standing changed: ask anew the next time."""
        user = event.get("user")
        if isinstance(user, dict):
            self._staff.forget(str(user.get("id") or ""))

    def _whisper_refusal(self, facts: SlackFacts) -> None:
        try:
            thread_ts = facts.root_ts if facts.is_reply else ""
            self._calls.whisper(facts.channel, facts.user, refusal(self._settings), thread_ts=thread_ts)
        except CareConcernsError as error:
            log.warning("a refusal could not be told: %s", error)


def _respond(respond: Respond, words: str) -> None:
    try:
        respond(words, response_type="ephemeral")
    except Exception as error:  # noqa: BLE001  the report itself is stored: this is a courtesy
        log.warning("a shortcut could not be answered: %s", type(error).__name__)


def bolt_app(app: App, handlers: Handlers, staff: Staff) -> BoltApp:
    """Bolt with our listeners; it asks nothing of Slack until the first delivery comes."""
    quiet = logging.getLogger("slack_bolt.ours")
    quiet.setLevel(logging.ERROR)  # its warnings quote what was delivered
    token = app.settings.slack_bot_token.get_secret_value()

    def authorize(**_: Any) -> AuthorizeResult:
        own = staff.identity()
        return AuthorizeResult(
            enterprise_id=own.enterprise,
            team_id=own.team,
            bot_user_id=own.user,
            bot_id=own.bot,
            bot_token=token,
        )

    bolt = BoltApp(
        logger=quiet,
        name="careconcerns",
        client=web_client(app.settings, token=None),
        authorize=authorize,
        signing_secret=app.settings.slack_signing_secret.get_secret_value(),
        process_before_response=True,
    )
    bolt.event("message")(handlers.on_message)
    bolt.event("user_change")(handlers.on_user_change)
    bolt.event(re.compile(".*"))(_nothing)
    bolt.message_shortcut(SHORTCUT_ID)(handlers.on_shortcut)
    bolt.command(COMMAND)(handlers.on_command)
    bolt.view(FORM_ID)(handlers.on_form)
    bolt.error(_not_acknowledged)
    return bolt


def _nothing() -> None:
    """Other events are none of ours; they are acknowledged so that Slack stops sending them."""


def _not_acknowledged(error: Exception) -> BoltResponse:
    log.warning("a delivery from Slack was not taken in: %s", type(error).__name__)
    return BoltResponse(status=503, body="")
