"""The desk as the Slack tests see it: what is stored, what became of it, and the work that waits, done by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text

from bot.app import App
from bot.background import Job
from bot.slack_in import SlackPart
from bot.workflows import jobs, triage_message
from storage.messages import Reading, latest_reading
from storage.oversight import Conservation, conservation
from storage.slack import channel_progress
from storage.tables import (
    AuditRow,
    ConcernRow,
    DispositionRow,
    MessageRow,
    OutgoingRow,
    ReadingRow,
    SlackFileRow,
)
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for
from triage.errors import TryAgainLater

# Red by the quick predictors' own word, whatever the rules say of it.
RED_TEXT = "The night carer assaulted my mother at Rose Court last night. She is very frightened."


class Desk:
    """An App with its Slack way in; background work is done when `work` is called, in the order asked for."""

    def __init__(self, app: App, slack: SlackDouble, part: SlackPart) -> None:
        self.app = app
        self.slack = slack
        self.part = part
        self._jobs: dict[str, Job] = {job.name: job for job in jobs(app)}
        self._done: set[str] = set()
        self._connected = False

    def connect(self) -> None:
        """Start the way in and wait until the stand-in has it and its channel is watched."""
        hellos = self.slack.sockets.hellos
        self.part.start()
        self._connected = True
        if self.app.settings.slack_mode == "socket":
            wait_for(lambda: self.slack.sockets.hellos > hellos, what="the connection")
        if ids.CHANNEL in self.app.settings.slack_channels:
            wait_for(self._is_watched, what="the watch of the channel")

    def _is_watched(self) -> bool:
        with self.app.database.read() as session:
            return channel_progress(session, ids.CHANNEL) is not None

    def disconnect(self) -> None:
        """Stop the way in."""
        if self._connected:
            self.part.stop()
            self._connected = False

    def messages(self) -> list[MessageRow]:
        """What is stored, the first first."""
        return self._all(select(MessageRow).order_by(MessageRow.received_at))

    def concerns(self) -> list[ConcernRow]:
        """The concerns, the first first."""
        return self._all(select(ConcernRow).order_by(ConcernRow.reference))

    def dispositions(self) -> dict[str, str]:
        """What became of each message."""
        return {row.message_id: row.kind for row in self._all(select(DispositionRow))}

    def outgoing(self) -> dict[str, str]:
        """The state of everything to be sent, by id."""
        return {row.id: row.state for row in self._all(select(OutgoingRow))}

    def audit(self, action: str) -> list[AuditRow]:
        """The audit entries of that action."""
        return self._all(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.number))

    def files(self) -> list[SlackFileRow]:
        """The files that are settled."""
        return self._all(select(SlackFileRow))

    def readings(self, message_id: str) -> list[ReadingRow]:
        """Every reading of a message, the first first."""
        query = select(ReadingRow).where(ReadingRow.message_id == message_id).order_by(ReadingRow.version)
        return self._all(query)

    def reading(self, message_id: str) -> Reading:
        """The message as it was last read."""
        with self.app.database.read() as session:
            found = latest_reading(session, self.app.keys, message_id)
        assert found is not None
        return found

    def accounts(self) -> Conservation:
        """The conservation law."""
        with self.app.database.read() as session:
            return conservation(session)

    def _all(self, query: Any) -> list[Any]:
        with self.app.database.read() as session:
            return list(session.scalars(query))

    def wait_for_messages(self, number: int) -> list[MessageRow]:
        """What is stored, once it is so many."""
        wait_for(lambda: len(self.messages()) >= number, seconds=15, what=f"{number} messages")
        return self.messages()

    def triage(self, *message_ids: str) -> None:
        """Triage these messages in this order."""
        for message_id in message_ids:
            triage_message(self.app, message_id, now=datetime.now(UTC))

    def asked(self) -> list[tuple[str, str, str]]:
        """Work that was asked for and not done here: its id, the job and its subject."""
        with self.app.database.read() as session:
            prefix = "" if self.app.database.is_sqlite else "dbos."
            query = (
                f"select workflow_uuid, name from {prefix}workflow_status order by created_at, workflow_uuid"
            )
            rows = session.execute(text(query)).all()
        return [(key, name, key.split(":", 1)[1]) for key, name in rows if key not in self._done]

    def work(self, *names: str, rounds: int = 5) -> list[str]:
        """Do what was asked for (only these jobs, if named); returns what wants to be tried again later."""
        later: list[str] = []
        for _ in range(rounds):
            later = []
            todo = [item for item in self.asked() if not names or item[1] in names]
            for key, name, subject in todo:
                try:
                    self._jobs[name].run(subject)
                except TryAgainLater:
                    later.append(key)
                else:
                    self._done.add(key)
            if not todo or len(later) == len(todo):
                break
        return later

    def take_in(self) -> None:
        """Wait for every delivery to be acknowledged, then do all the work that follows."""
        self.slack.settle()
        self.work()

    def posts_of_bot(self, channel: str = ids.CHANNEL) -> list[dict[str, Any]]:
        """What the bot posted there."""
        posts = self.slack.workspace.channels.get(channel, [])
        return [post for post in posts if post.get("user") == ids.BOT_USER]
