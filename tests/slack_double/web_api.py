"""The stand-in's Web API over HTTP: the methods that we use, answering as Slack does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.slack_double import workspace as ids
from tests.slack_double.faults import Faults
from tests.slack_double.workspace import Workspace

Arguments = dict[str, Any]
_MOST_TEXT = 40_000


@dataclass(frozen=True)
class Call:
    """One call that came in; `at` is of the monotonic clock."""

    method: str
    arguments: Arguments
    status: int
    at: float


class WebApi:
    """The server; `socket_url()` says where apps.connections.open sends people."""

    def __init__(self, workspace: Workspace, faults: Faults, socket_url: Callable[[], str]) -> None:
        self.workspace = workspace
        self.faults = faults
        self.calls: list[Call] = []
        self._socket_url = socket_url
        self._methods: dict[str, Callable[[Arguments], Arguments]] = {
            "auth.test": self._auth_test,
            "apps.connections.open": lambda _: {"url": self._socket_url()},
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.info": self._conversation,
            "users.info": self._user,
            "views.open": self._open_view,
            "files.info": self._file,
        }
        api = self

        class Handler(_Handler):
            web_api = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="double-http", daemon=True).start()

    @property
    def address(self) -> str:
        """http://host:port"""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def calls_of(self, method: str) -> list[Call]:
        """The calls of that method, the first first."""
        return [call for call in self.calls if call.method == method]

    def answer(self, method: str, arguments: Arguments, token: str) -> tuple[int, dict[str, str], Arguments]:
        """Status, headers and body for a call."""
        wait = self.faults.next_wait(method)
        status, headers, body = self._answer(method, arguments, token, wait)
        self.calls.append(Call(method, arguments, status, time.monotonic()))
        return status, headers, body

    def _answer(
        self, method: str, arguments: Arguments, token: str, wait: int | None
    ) -> tuple[int, dict[str, str], Arguments]:
        if wait is not None:
            return 429, {"Retry-After": str(wait)}, {"ok": False, "error": "ratelimited"}
        if method in self.faults.outages:
            return 503, {}, {"ok": False, "error": "service_unavailable"}
        expected = ids.APP_TOKEN if method == "apps.connections.open" else ids.BOT_TOKEN
        if token != expected:
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        if method not in self._methods:
            return 200, {}, {"ok": False, "error": "unknown_method"}
        body = self._methods[method](arguments)
        return 200, {}, {"ok": "error" not in body, **body}

    def _auth_test(self, _: Arguments) -> Arguments:
        return {
            "url": self.address,
            "team": "Council",
            "user": "concerns",
            "team_id": ids.TEAM,
            "user_id": ids.BOT_USER,
            "bot_id": ids.BOT,
            "is_enterprise_install": False,
        }

    def _post_message(self, arguments: Arguments) -> Arguments:
        channel = str(arguments.get("channel"))
        if channel.startswith("U"):
            if channel not in self.workspace.users:
                return {"error": "channel_not_found"}
            channel = f"D{channel[1:]}"
            self.workspace.channels.setdefault(channel, [])
        if channel not in self.workspace.channels:
            return {"error": "channel_not_found"}
        text, thread_ts = str(arguments.get("text") or ""), arguments.get("thread_ts")
        if not text:
            return {"error": "no_text"}
        if len(text) > _MOST_TEXT:
            return {"error": "msg_too_long"}
        if thread_ts and not self.workspace.thread(channel, str(thread_ts)):
            return {"error": "thread_not_found"}
        post = {
            "type": "message",
            "user": ids.BOT_USER,
            "bot_id": ids.BOT,
            "team": ids.TEAM,
            "text": text,
            "ts": self.workspace.next_ts(),
        }
        if thread_ts:
            post["thread_ts"] = str(thread_ts)
        self.workspace.add_post(channel, post)
        return {"channel": channel, "ts": post["ts"], "message": post}

    def _post_ephemeral(self, arguments: Arguments) -> Arguments:
        if arguments.get("channel") not in self.workspace.channels:
            return {"error": "channel_not_found"}
        self.workspace.ephemerals.append(arguments)
        return {"message_ts": self.workspace.next_ts()}

    def _history(self, arguments: Arguments) -> Arguments:
        channel = str(arguments.get("channel"))
        if channel not in self.workspace.channels:
            return {"error": "channel_not_found"}
        return self._page(self.workspace.history(channel), arguments)

    def _replies(self, arguments: Arguments) -> Arguments:
        channel, root_ts = str(arguments.get("channel")), str(arguments.get("ts"))
        if channel not in self.workspace.channels:
            return {"error": "channel_not_found"}
        thread = self.workspace.thread(channel, root_ts)
        if not thread:
            return {"error": "thread_not_found"}
        oldest = _oldest(arguments)
        return self._page(
            [thread[0], *(post for post in thread[1:] if oldest(post))], arguments | {"oldest": "0"}
        )

    def _page(self, posts: list[dict[str, Any]], arguments: Arguments) -> Arguments:
        wanted = [post for post in posts if _oldest(arguments)(post)]
        start, limit = int(arguments.get("cursor") or 0), int(arguments.get("limit") or 100)
        more = start + limit < len(wanted)
        return {
            "messages": wanted[start : start + limit],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _conversation(self, arguments: Arguments) -> Arguments:
        channel = arguments.get("channel")
        if channel not in self.workspace.channels:
            return {"error": "channel_not_found"}
        return {"channel": {"id": channel, "is_channel": True, "is_ext_shared": False}}

    def _user(self, arguments: Arguments) -> Arguments:
        user = self.workspace.users.get(str(arguments.get("user")))
        return {"user": user} if user else {"error": "user_not_found"}

    def _open_view(self, arguments: Arguments) -> Arguments:
        if not arguments.get("trigger_id"):
            return {"error": "invalid_arguments"}
        view = arguments["view"]
        view = json.loads(view) if isinstance(view, str) else view
        opened = view | {"id": f"V{self.workspace.number():06d}"}
        self.workspace.views.append(opened)
        return {"view": opened}

    def _file(self, arguments: Arguments) -> Arguments:
        file = self.workspace.files.get(str(arguments.get("file")))
        return {"file": file.facts} if file else {"error": "file_not_found"}


def _oldest(arguments: Arguments) -> Callable[[dict[str, Any]], bool]:
    oldest = float(arguments.get("oldest") or 0)
    inclusive = str(arguments.get("inclusive") or "0").lower() in ("1", "true")
    return lambda post: float(post["ts"]) > oldest or (inclusive and float(post["ts"]) == oldest)


class _Handler(BaseHTTPRequestHandler):
    web_api: WebApi
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing on the tests' output."""

    def do_GET(self) -> None:
        """A read method with its arguments in the query, or a file."""
        parts = urlsplit(self.path)
        if parts.path.startswith("/files/"):
            self._file(parts.path.split("/")[2])
        else:
            self._method(parts.path, _first(parse_qs(parts.query)))

    def do_POST(self) -> None:
        """Any method, with a form or JSON as its body; or an answer to a response_url."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parts = urlsplit(self.path)
        is_json = "json" in (self.headers.get("Content-Type") or "")
        arguments = json.loads(body or "{}") if is_json else _first(parse_qs(body))
        if parts.path.startswith("/response/"):
            self.web_api.workspace.responses.append(arguments)
            self._send(200, {}, b"ok", "text/plain")
        else:
            self._method(parts.path, arguments)

    def _method(self, path: str, arguments: Arguments) -> None:
        method = path.removeprefix("/api/")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        token = str(arguments.pop("token", "") or token)
        status, headers, body = self.web_api.answer(method, arguments, token)
        if self.web_api.faults.loses_answer(method):
            self.close_connection = True
            self.connection.close()
            return
        self._send(status, headers, json.dumps(body).encode(), "application/json; charset=utf-8")

    def _file(self, file_id: str) -> None:
        api = self.web_api
        api.calls.append(Call("file", {"id": file_id}, 0, time.monotonic()))
        wait, stored = api.faults.next_wait("file"), api.workspace.files.get(file_id)
        if wait is not None:
            self._send(429, {"Retry-After": str(wait)}, b"", "text/plain")
        elif self.headers.get("Authorization") != f"Bearer {ids.BOT_TOKEN}":
            self._send(200, {}, b"<html>log in</html>", "text/html")
        elif stored is None:
            self._send(404, {}, b"", "text/plain")
        else:
            self._send(200, {}, stored.content, stored.content_type)

    def _send(self, status: int, headers: dict[str, str], body: bytes, content_type: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _first(query: dict[str, list[str]]) -> Arguments:
    return {name: values[0] for name, values in query.items()}
