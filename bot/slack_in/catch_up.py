"""What Slack did not deliver, found in the channels' history: after each gap, and every few minutes besides.

The place that a channel was read to is moved by this reading alone, never by a delivery: a delivery
says nothing about the ones before it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bot.app import App
from bot.slack_calls import Answer, RateLimited, SlackCalls
from bot.slack_in.door import Door, Outcome
from bot.slack_in.staff import Staff
from storage.slack import advance_channel, begin_channel, channel_progress, note_contact, standing_posts
from triage.errors import CareConcernsError, TryAgainLater

log = logging.getLogger(__name__)

_OVERLAP_SECONDS = 60.0
_MOST_WAIT_SECONDS = 120.0
_FIRST_WAIT_SECONDS = 1.0
# What is younger is most likely on its way to us as a delivery, which knows more of it: the next look is for that.
_YOUNG_SECONDS = 10.0


class CatchUp:
    """Reads the watched channels from where the last reading ended, in a thread of its own."""

    def __init__(
        self, app: App, *, calls: SlackCalls, staff: Staff, door: Door, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._calls = calls
        self._staff = staff
        self._door = door
        self._clock = clock
        self.is_connected: Callable[[], bool] | None = None
        self.young_seconds = _YOUNG_SECONDS
        self._too_young = False
        self._gap = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="slack-catch-up", daemon=True)

    def start(self) -> None:
        """Begin, with a look for what came while we were away."""
        self._gap.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the page in hand."""
        self._stop.set()
        self._gap.set()
        self._thread.join(timeout=10)

    def say_gap(self) -> None:
        """Something may have been missed: look at once, and for edits and deletions as well."""
        self._gap.set()

    def read_all(self, *, after_gap: bool) -> int:
        """Read every watched channel once; returns how many things were taken in."""
        self._too_young = False
        return sum(
            self.read_channel(channel, after_gap=after_gap) for channel in self._app.settings.slack_channels
        )

    def read_channel(self, channel: str, *, after_gap: bool) -> int:
        """Take in what is in the channel's history and not with us; errors leave the place where it was."""
        now = self._clock()
        with self._app.database.read() as session:
            progress = channel_progress(session, channel)
        if progress is None:
            with self._app.database.write() as session:
                begin_channel(session, channel, _ts(now), now)
            return 0
        start = float(progress.seen_ts) - _OVERLAP_SECONDS
        if after_gap:
            start = min(start, (now - timedelta(days=self._app.settings.slack_catch_up_days)).timestamp())
        oldest = f"{max(start, float(progress.since_ts)):.6f}"
        young_from = (now - timedelta(seconds=self.young_seconds)).timestamp()
        posts = self._everything(lambda: self._calls.history(channel, oldest=oldest), young_from)
        found = sum(self._take_in(channel, post) for post in reversed(posts))
        found += sum(self._replies(channel, post, progress.seen_ts, young_from) for post in posts)
        if after_gap:
            found += self._deletions(channel, oldest, young_from, posts)
        newest = max((_latest(post, young_from) for post in posts), key=float, default=progress.seen_ts)
        with self._app.database.write() as session:
            advance_channel(session, channel, newest, now)
        return found

    def _replies(self, channel: str, post: Answer, since: str, young_from: float) -> int:
        from_ts = f"{max(float(since) - _OVERLAP_SECONDS, 0):.6f}"
        if not post.get("latest_reply") or float(post["latest_reply"]) < float(from_ts):
            return 0
        root_ts = str(post["ts"])
        replies = self._everything(lambda: self._calls.replies(channel, root_ts, oldest=from_ts), young_from)
        return sum(self._take_in(channel, reply) for reply in replies if reply.get("ts") != root_ts)

    def _everything(self, pages: Callable[[], Iterator[list[Answer]]], young_from: float) -> list[Answer]:
        """All pages, without what is too young; when Slack wants to be left alone, again after that time."""
        while True:
            try:
                posts = [message for page in pages() for message in page]
            except RateLimited as error:
                if self._stop.wait(min(error.seconds, _MOST_WAIT_SECONDS)):
                    raise
            else:
                old_enough = [post for post in posts if float(post.get("ts") or 0) <= young_from]
                self._too_young = self._too_young or len(old_enough) < len(posts)
                return old_enough

    def _take_in(self, channel: str, post: Answer) -> int:
        if self._staff.identity().wrote(post) or not post.get("ts"):
            return 0
        event: dict[str, Any] = {"type": "message", "channel": channel}
        found = self._deliver(event | dict(post) | {"channel": channel})
        edited = post.get("edited")
        if not found and isinstance(edited, dict) and edited.get("ts"):
            change = {"subtype": "message_changed", "ts": edited["ts"], "message": dict(post)}
            found = self._deliver(event | change)
        return found

    def _deletions(self, channel: str, oldest: str, young_from: float, posts: list[Answer]) -> int:
        """Posts of ours that are no longer in the history were deleted while nobody told us."""
        standing = {str(post.get("ts")) for post in posts if post.get("subtype") != "tombstone"}
        with self._app.database.read() as session:
            known = [row.ts for row in standing_posts(session, channel, oldest)]
        return sum(
            self._deliver(
                {"type": "message", "subtype": "message_deleted", "channel": channel, "deleted_ts": ts}
            )
            for ts in known
            if ts not in standing and float(ts) <= young_from
        )

    def _deliver(self, event: dict[str, Any]) -> int:
        payload = {"type": "event_callback", "team_id": self._staff.identity().team, "event": event}
        outcome, _ = self._door.take_in(payload)
        return outcome is Outcome.KEPT

    def _work(self) -> None:
        failures = 0
        while not self._stop.is_set():
            after_gap = self._gap.is_set() or failures > 0
            self._gap.clear()
            try:
                self._calls.own_identity()
                found = self.read_all(after_gap=after_gap)
            except Exception as error:  # noqa: BLE001  the place is kept, the next round tries again
                failures += 1
                self._note(_reason(error))
                log.warning("Slack's history could not be read: %s", _reason(error))
                self._stop.wait(min(_FIRST_WAIT_SECONDS * 2.0**failures, _MOST_WAIT_SECONDS))
                continue
            failures = 0
            self._note("")
            if found:
                log.warning("%d things that Slack did not deliver were found in its history", found)
            self._gap.wait(self._until_next())

    def _note(self, problem: str) -> None:
        """Keep the sign of life, or what is wrong, for the desk and `doctor`."""
        now = self._clock()
        try:
            with self._app.database.write() as session:
                note_contact(session, "web_api", now, problem=problem)
                if self.is_connected is not None:
                    lost = "" if self.is_connected() else "it is not connected"
                    note_contact(session, "socket", now, problem=lost)
        except Exception as error:  # noqa: BLE001  it is only a note, and the next round makes it again
            log.warning("the contact with Slack could not be noted: %s", type(error).__name__)

    def _until_next(self) -> float:
        seconds = self._app.settings.slack_catch_up_seconds
        return min(seconds, self.young_seconds) if self._too_young else seconds


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CareConcernsError | TryAgainLater) else type(error).__name__


def _ts(moment: datetime) -> str:
    return f"{moment.timestamp():.6f}"


def _latest(post: Answer, young_from: float) -> str:
    reply = str(post.get("latest_reply") or "0")
    return max(str(post.get("ts") or "0"), reply if float(reply) <= young_from else "0", key=float)
