"""What the stand-in's workspace holds: people, channels with their posts, files, and what the bot did."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

TEAM, OTHER_TEAM = "T0COUNCIL", "T0PROVIDER"
BOT_USER, BOT = "U0BOT", "B0BOT"
BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "xoxb-double", "xapp-double", "signing-double"
CHANNEL, ALERTS, ELSEWHERE = "C0CONCERNS", "C0ALERTS", "C0ELSEWHERE"
ADA, BEN, GUEST, STRANGER, ROBOT = "U0ADA", "U0BEN", "U0GUEST", "U0STRANGER", "U0ROBOT"


@dataclass
class StoredFile:
    """A file as files.info shows it, with its bytes."""

    facts: dict[str, Any]
    content: bytes
    content_type: str


@dataclass
class Workspace:
    """The state behind the Web API; every list is in the order of things happening."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    channels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    ephemerals: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _last_ts: float = 0.0
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        for channel in (CHANNEL, ALERTS, ELSEWHERE):
            self.channels[channel] = []
        self.add_user(ADA, "ada@council.example")
        self.add_user(BEN, "ben@council.example")
        self.add_user(GUEST, "guest@agency.example", is_restricted=True)
        self.add_user(STRANGER, "sid@provider.example", team_id=OTHER_TEAM, is_stranger=True)
        self.add_user(ROBOT, "", is_bot=True)
        self.add_user(BOT_USER, "", is_bot=True)

    def add_user(self, user: str, email: str, **facts: Any) -> None:
        """A person, a full member unless `facts` say otherwise."""
        marks = ("deleted", "is_bot", "is_app_user", "is_restricted", "is_ultra_restricted", "is_stranger")
        defaults: dict[str, Any] = dict.fromkeys(marks, False)
        self.users[user] = {
            "id": user,
            "team_id": TEAM,
            "name": user.lower(),
            "is_email_confirmed": True,
            "profile": {"email": email},
            **defaults,
            **facts,
        }

    def next_ts(self) -> str:
        """A time stamp like Slack's: now, and unique in the whole workspace."""
        with self.lock:
            self._last_ts = max(time.time(), self._last_ts + 0.000001)
            return f"{self._last_ts:.6f}"

    def number(self) -> int:
        """The next number for an id."""
        with self.lock:
            return next(self._numbers)

    def add_post(self, channel: str, post: dict[str, Any]) -> dict[str, Any]:
        """Put a post where history and replies find it."""
        with self.lock:
            self.channels.setdefault(channel, []).append(post)
        return post

    def find(self, channel: str, ts: str) -> dict[str, Any]:
        """The post of that ts."""
        with self.lock:
            return next(post for post in self.channels[channel] if post["ts"] == ts)

    def remove(self, channel: str, ts: str) -> dict[str, Any]:
        """Take the post away; one with replies leaves a tombstone, as in Slack."""
        with self.lock:
            post = self.find(channel, ts)
            before = dict(post)
            if self._replies(channel, ts):
                post.clear()
                post.update(
                    {"type": "message", "subtype": "tombstone", "ts": ts, "user": "USLACKBOT",
                     "thread_ts": ts, "text": "This message was deleted."}
                )  # fmt: skip
            else:
                self.channels[channel].remove(post)
            return before

    def _replies(self, channel: str, root_ts: str) -> list[dict[str, Any]]:
        return [
            post
            for post in self.channels.get(channel, [])
            if post.get("thread_ts") == root_ts and post["ts"] != root_ts
        ]

    def history(self, channel: str) -> list[dict[str, Any]]:
        """Posts of the channel, the latest first, without replies; roots say when the last reply came."""
        with self.lock:
            roots = [
                dict(post)
                for post in self.channels[channel]
                if post.get("thread_ts", post["ts"]) == post["ts"]
                or post.get("subtype") == "thread_broadcast"
            ]
            for root in roots:
                replies = self._replies(channel, root["ts"])
                if replies:
                    root |= {
                        "thread_ts": root["ts"],
                        "reply_count": len(replies),
                        "latest_reply": replies[-1]["ts"],
                    }
            return sorted(roots, key=lambda post: float(post["ts"]), reverse=True)

    def thread(self, channel: str, root_ts: str) -> list[dict[str, Any]]:
        """The root and its replies, the first first; empty when there is no such root."""
        with self.lock:
            roots = [dict(post) for post in self.channels[channel] if post["ts"] == root_ts]
            return [*roots, *(dict(post) for post in self._replies(channel, root_ts))] if roots else []
