"""The web pages on a port: waitress in a thread, started and stopped by whoever serves."""

from __future__ import annotations

import socket
import threading
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from bot.app import App
from bot.settings import Settings
from bot.web import build_web

THREADS = 8
_ROUND_SECONDS = 1.0
_STOP_SECONDS = 10.0


class WebServer:
    """A running web server; `port` is the one that was bound."""

    def __init__(self, app: App, *, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=128)
        self.port: int = listening.getsockname()[1]
        # A map of its own, so that several servers in one process do not share their connections.
        self._connections: dict[int, Any] = {}
        self._server = create_server(
            build_web(app),
            map=self._connections,
            sockets=[listening],
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
            max_request_body_size=_most_body_bytes(app.settings),
            **_proxy(app.settings),
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> WebServer:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish the answers in hand and give back the port."""
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        # Waitress's own loop ends only with its process; this one ends when it is told to.
        while not self._stopping.is_set():
            wasyncore.loop(timeout=_ROUND_SECONDS, use_poll=True, map=self._connections, count=1)
        self._server.task_dispatcher.shutdown(timeout=5)
        wasyncore.close_all(self._connections, ignore_all=True)


def _most_body_bytes(settings: Settings) -> int:
    # The files of one report, and room for what goes with them; pages of the desk take far less.
    return settings.form_files_megabytes * 1_000_000 + 4_000_000


def _proxy(settings: Settings) -> dict[str, Any]:
    """Whose word is taken for where a visitor comes from."""
    if not settings.web_trusted_proxy:
        return {}
    return {"trusted_proxy": settings.web_trusted_proxy, "trusted_proxy_headers": {"x-forwarded-for"}}


def serve_web(app: App, *, host: str, port: int) -> WebServer:
    """Serve the desk; port 0 takes a free one. The server already answers when this returns."""
    return WebServer(app, host=host, port=port).start()
