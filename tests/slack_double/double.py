"""The stand-in as a whole, and what people do in its workspace."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from tests.slack_double import workspace as ids
from tests.slack_double.envelopes import Envelope
from tests.slack_double.faults import Faults
from tests.slack_double.sockets import Sockets
from tests.slack_double.web_api import WebApi
from tests.slack_double.workspace import StoredFile, Workspace


class SlackDouble:
    """A running stand-in; a context manager. What people do is delivered as Slack would."""

    def __init__(self, *, ack_seconds: float = 3.0) -> None:
        self.workspace = Workspace()
        self.faults = Faults()
        self.sockets = Sockets(self.faults, ack_seconds=ack_seconds)
        self.web = WebApi(self.workspace, self.faults, self.sockets.url)
        self.envelopes: list[Envelope] = []
        self._held: list[Envelope] = []

    def __enter__(self) -> SlackDouble:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop both servers."""
        self.sockets.close()
        self.web.close()

    @property
    def api_url(self) -> str:
        """The base of the Web API."""
        return f"{self.web.address}/api/"

    # What people do.

    def post(
        self, text: str, *, user: str = ids.ADA, channel: str = ids.CHANNEL, thread_ts: str = "", **more: Any
    ) -> str:
        """A person posts; returns the ts."""
        post = {
            "type": "message",
            "user": user,
            "text": text,
            "ts": self.workspace.next_ts(),
            "team": ids.TEAM,
        }
        post["client_msg_id"] = f"client-{self.workspace.number()}"
        if thread_ts:
            post["thread_ts"] = thread_ts
        post |= more
        self.workspace.add_post(channel, post)
        self.event(post | {"channel": channel, "channel_type": "channel", "event_ts": post["ts"]})
        return str(post["ts"])

    def edit(self, ts: str, text: str, *, channel: str = ids.CHANNEL) -> None:
        """The writer changes the words of a post."""
        post, event_ts = self.workspace.find(channel, ts), self.workspace.next_ts()
        before = dict(post)
        post |= {"text": text, "edited": {"user": post["user"], "ts": event_ts}}
        self.event(
            {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "channel": channel,
                "ts": event_ts,
                "event_ts": event_ts,
                "message": dict(post),
                "previous_message": before,
            }
        )

    def unfurl(self, ts: str, *, channel: str = ids.CHANNEL) -> None:
        """Slack itself adds the preview of a link to a post."""
        post, event_ts = self.workspace.find(channel, ts), self.workspace.next_ts()
        before = dict(post)
        post["attachments"] = [{"from_url": "https://news.example", "title": "News", "text": "a web page"}]
        change = {"subtype": "message_changed", "message": dict(post), "previous_message": before}
        self.event({"type": "message", "channel": channel, "ts": event_ts, "event_ts": event_ts, **change})

    def delete(self, ts: str, *, channel: str = ids.CHANNEL) -> None:
        """The writer deletes a post; one with replies leaves a tombstone."""
        event_ts = self.workspace.next_ts()
        before = self.workspace.remove(channel, ts)
        event: dict[str, Any] = {"type": "message", "channel": channel, "ts": event_ts, "event_ts": event_ts}
        thread = self.workspace.thread(channel, ts)
        if thread:
            event |= {"subtype": "message_changed", "message": thread[0], "previous_message": before}
        else:
            event |= {"subtype": "message_deleted", "deleted_ts": ts, "previous_message": before}
        self.event(event)

    def file(self, name: str, content: bytes, *, content_type: str = "image/jpeg") -> dict[str, Any]:
        """A file put up; its facts go into a post's `files`."""
        file_id = f"F{self.workspace.number():06d}"
        url = f"{self.web.address}/files/{file_id}/{name}"
        facts = {
            "id": file_id,
            "name": name,
            "mimetype": content_type,
            "size": len(content),
            "url_private": url,
            "url_private_download": url,
        }
        self.workspace.files[file_id] = StoredFile(facts, content, content_type)
        return facts

    def shortcut(self, ts: str, *, user: str = ids.ADA, channel: str = ids.ELSEWHERE) -> Envelope:
        """Somebody presses "Report as care concern" on a post."""
        return self.deliver(
            "interactive",
            {
                "type": "message_action",
                "callback_id": "report_care_concern",
                "action_ts": self.workspace.next_ts(),
                "token": "verification-token",
                "team": {"id": ids.TEAM},
                "user": {"id": user, "team_id": ids.TEAM},
                "channel": {"id": channel},
                "message": dict(self.workspace.find(channel, ts)),
                "response_url": f"{self.web.address}/response/{self.workspace.number()}",
                "trigger_id": f"trigger-{self.workspace.number()}",
            },
        )

    def command(self, text: str = "", *, user: str = ids.ADA) -> Envelope:
        """Somebody types /concern."""
        return self.deliver(
            "slash_commands",
            {
                "command": "/concern",
                "text": text,
                "user_id": user,
                "team_id": ids.TEAM,
                "channel_id": ids.ELSEWHERE,
                "trigger_id": f"trigger-{self.workspace.number()}",
                "response_url": f"{self.web.address}/response/{self.workspace.number()}",
            },
        )

    def submit(self, view: dict[str, Any], story: str, *, service: str = "", user: str = ids.ADA) -> Envelope:
        """Somebody sends the form that was opened for them."""
        typed = {"story": story, "service": service or None}
        values = {
            block: {"input": {"type": "plain_text_input", "value": text}} for block, text in typed.items()
        }
        return self.deliver(
            "interactive",
            {
                "type": "view_submission",
                "team": {"id": ids.TEAM},
                "user": {"id": user, "team_id": ids.TEAM},
                "view": view | {"state": {"values": values}},
            },
        )

    # How it is delivered.

    def event(self, event: dict[str, Any]) -> None:
        """Tell the app of an event, as often as the faults say."""
        if self.faults.silent:
            return
        payload = {
            "token": "verification-token",
            "type": "event_callback",
            "team_id": ids.TEAM,
            "api_app_id": "A0",
            "event_id": f"Ev{self.workspace.number():08d}",
            "event_time": int(time.time()),
            "event": event,
            "authorizations": [{"team_id": ids.TEAM, "user_id": ids.BOT_USER, "is_bot": True}],
        }
        for _ in range(self.faults.copies):
            self.deliver("events_api", payload)

    def deliver(self, kind: str, payload: dict[str, Any]) -> Envelope:
        """Send an envelope over the socket, or hold it back."""
        envelope = Envelope(f"envelope-{self.workspace.number()}", kind, payload)
        self.envelopes.append(envelope)
        if self.faults.holding:
            self._held.append(envelope)
        else:
            self.sockets.send(envelope)
        return envelope

    def release(self, *, backwards: bool = False) -> list[Envelope]:
        """Let go what was held back, one after the other, each once the one before is acknowledged."""
        held, self._held = self._held, []
        self.faults.holding = False
        for envelope in reversed(held) if backwards else held:
            self.sockets.send(envelope)
            envelope.acked.wait(10)
        return held

    def settle(self, seconds: float = 15) -> None:
        """Wait until everything delivered is acknowledged."""
        deadline = time.monotonic() + seconds
        for envelope in self.envelopes:
            if not self.faults.silent:
                acked = envelope.acked.wait(max(0.0, deadline - time.monotonic()))
                assert acked, f"{envelope.kind} was not acknowledged"

    def send_http(
        self,
        url: str,
        payload: dict[str, Any],
        *,
        secret: str = ids.SIGNING_SECRET,
        at: float | None = None,
        is_form: bool = False,
    ) -> tuple[int, str]:
        """Deliver by HTTP, signed; returns status and body."""
        body = urlencode({"payload": json.dumps(payload)}) if is_form else json.dumps(payload)
        stamp = str(int(time.time() if at is None else at))
        digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        headers = {
            "Content-Type": kind,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
        }
        request = urllib.request.Request(url, body.encode(), headers)  # noqa: S310  the loopback
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
