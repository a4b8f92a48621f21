"""What every delivery from Slack goes through: is it ours, is it known, may they; then it is stored, then thanked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from bot.app import App
from bot.slack_in.staff import Staff
from bot.slack_reading import Payload, SlackFacts, SlackKind, facts_of
from storage.messages import Received
from storage.slack import (
    is_kept,
    is_known_post,
    is_known_thread,
    is_read_version,
    note_refusal,
    slack_message_id,
    was_refused,
)
from triage.vocabulary import Channel

# Slack waits three seconds for its answer; what takes longer is delivered again and found to be known.
_STORE_SECONDS = 2.5
# Keys to act in somebody's name for a while: of no use to us later, and not to be kept.
_NOT_KEPT = frozenset({"token", "response_url", "response_urls", "trigger_id"})


class Outcome(StrEnum):
    """What came of a delivery."""

    KEPT = "kept"
    KNOWN = "known"
    REFUSED = "refused"
    REFUSED_BEFORE = "refused_before"
    NOT_OURS = "not_ours"


class Door:
    """Takes in what Slack delivers, each thing once; safe from any thread."""

    def __init__(self, app: App, staff: Staff, *, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._staff = staff
        self._clock = clock
        self._watched = frozenset(app.settings.slack_channels)

    def take_in(self, payload: Payload) -> tuple[Outcome, SlackFacts | None]:
        """Store what the payload holds; any error means that it is not stored and must come again."""
        facts = facts_of(payload)
        if facts is None or not self._is_ours(facts):
            return Outcome.NOT_OURS, facts
        message_id = slack_message_id(facts.external_id)
        with self._app.database.read() as session:
            if is_kept(session, message_id) or (
                facts.kind is SlackKind.EDIT
                and is_read_version(session, facts.channel, facts.ts, facts.version_ts)
            ):
                return Outcome.KNOWN, facts
            if was_refused(session, facts.external_id):
                return Outcome.REFUSED_BEFORE, facts
            vouched_for = facts.kind in (SlackKind.EDIT, SlackKind.DELETION) and is_known_post(
                session, facts.channel, facts.ts
            )
        if not vouched_for and not self._staff.may_use(facts.user, facts.teams):
            return self._refuse(facts), facts
        return self._store(payload, facts, message_id), facts

    def refuse(self, name: str, event_id: str) -> bool:
        """Write down a refusal of something that is no message; False when that was written before."""
        with self._app.database.write() as session:
            return note_refusal(session, name, event_id, self._clock())

    def _is_ours(self, facts: SlackFacts) -> bool:
        if facts.kind in (SlackKind.REPORT, SlackKind.FORM) or facts.channel in self._watched:
            return True
        # Elsewhere only what belongs to a concern already: the thread of a report, or of an answer of ours.
        with self._app.database.read() as session:
            if facts.kind is SlackKind.POST and not facts.is_reply:
                return False
            return is_known_thread(session, facts.channel, facts.root_ts) or is_known_post(
                session, facts.channel, facts.ts
            )

    def _refuse(self, facts: SlackFacts) -> Outcome:
        is_new = self.refuse(facts.external_id, facts.event_id)
        return Outcome.REFUSED if is_new else Outcome.REFUSED_BEFORE

    def _store(self, payload: Payload, facts: SlackFacts, message_id: str) -> Outcome:
        kept = {name: value for name, value in payload.items() if name not in _NOT_KEPT}
        received = Received(
            raw=json.dumps(kept, ensure_ascii=False).encode(errors="surrogatepass"),
            channel=Channel.SLACK,
            received_at=self._clock(),
            envelope={"event_id": facts.event_id, "kind": facts.kind.value, "user": facts.user},
            external_id=facts.external_id,
            message_id=message_id,
        )
        try:
            self._app.intake.receive(received, timeout_seconds=_STORE_SECONDS)
        except Exception:
            # The same thing may have come through another socket at the same moment, and won.
            with self._app.database.read() as session:
                if is_kept(session, message_id):
                    return Outcome.KNOWN
            raise
        return Outcome.KEPT
