"""The process part that Slack talks to: a socket that is kept open, or an HTTP port; and the catching up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from slack_bolt import App as BoltApp
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from waitress.server import create_server

from bot.app import App
from bot.slack_calls import SlackCalls
from bot.slack_in.catch_up import CatchUp
from bot.slack_in.door import Door
from bot.slack_in.handlers import Handlers, bolt_app
from bot.slack_in.staff import Staff

log = logging.getLogger(__name__)

HTTP_PATH = "/slack/events"
_MOST_BODY_BYTES = 4 * 1024 * 1024
_AT_ONCE = 10
# The client gives a dead socket up after five pings.
_PING_SECONDS = 3.0
# users.info stands between a delivery and its three seconds.
_CALL_SECONDS = 2
_MOST_WAIT_SECONDS = 30.0


def utc_now() -> datetime:
    """The moment it is, with its zone."""
    return datetime.now(UTC)


class SlackPart:
    """Everything of the way in, started and stopped together; it starts whether Slack is there or not."""

    def __init__(self, app: App, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = app.settings
        calls = SlackCalls(app.settings, timeout_seconds=_CALL_SECONDS)
        staff = Staff(calls, app.settings)
        door = Door(app, staff, clock=clock)
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="slack-aside")
        # Reading history is in no hurry, and its calls are longer.
        self.catch_up = CatchUp(app, calls=SlackCalls(app.settings), staff=staff, door=door, clock=clock)
        handlers = Handlers(
            app, calls=calls, staff=staff, door=door, aside=self._aside, say_gap=self.catch_up.say_gap
        )
        bolt = bolt_app(app, handlers, staff)
        self._reached: _Socket | _Http = (
            _Socket(bolt, app, self.catch_up.say_gap)
            if app.settings.slack_mode == "socket"
            else _Http(bolt, app)
        )
        self.catch_up.is_connected = self._reached.is_connected

    @property
    def address(self) -> str:
        """Where the HTTP port is; empty in Socket Mode."""
        return self._reached.address

    def start(self) -> None:
        """Begin to listen, and to look for what was missed."""
        self._reached.start()
        self.catch_up.start()

    def stop(self) -> None:
        """Stop listening; what is in hand is finished."""
        self._reached.stop()
        self.catch_up.stop()
        self._aside.shutdown(wait=True, cancel_futures=True)


class _Socket:
    """Socket Mode: connects, connects again when the connection ends, and says so, since something may be missed."""

    address = ""

    def is_connected(self) -> bool:
        """Whether the connection stands."""
        return bool(self._handler.client.is_connected())

    def __init__(self, bolt: BoltApp, app: App, say_gap: Callable[[], None]) -> None:
        self._handler = SocketModeHandler(
            bolt,
            app.settings.slack_app_token.get_secret_value(),
            ping_interval=_PING_SECONDS,
            concurrency=_AT_ONCE,
        )
        self._say_gap = say_gap
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="slack-connect", daemon=True)
        self._handler.client.message_listeners.append(self._on_frame)

    def start(self) -> None:
        """Connect as soon as Slack is there."""
        self._thread.start()

    def stop(self) -> None:
        """Close the connection."""
        self._stop.set()
        self._thread.join(timeout=5)
        self._handler.client.close()

    def _connect(self) -> None:
        wait = 1.0
        while not self._stop.is_set():
            try:
                self._handler.connect()  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001  Slack away or the token wrong: tried again either way
                log.warning("no connection to Slack yet: %s", type(error).__name__)
                self._stop.wait(wait)
                wait = min(wait * 2, _MOST_WAIT_SECONDS)
            else:
                return

    def _on_frame(self, _client: Any, frame: dict[str, Any], _raw: str | None = None) -> None:
        if frame.get("type") == "hello":
            self._say_gap()


class _Http:
    """HTTP: one path, signed by Slack; Bolt checks the signature before anything else."""

    is_connected = None

    def __init__(self, bolt: BoltApp, app: App) -> None:
        self._server: Any = create_server(
            SlackRequestHandler(bolt, path=HTTP_PATH),
            host=app.settings.slack_http_host,
            port=app.settings.slack_http_port,
            threads=_AT_ONCE,
            max_request_body_size=_MOST_BODY_BYTES,
            ident="careconcerns",
        )
        self._thread = threading.Thread(target=self._server.run, name="slack-http", daemon=True)

    @property
    def address(self) -> str:
        """Host and port in use."""
        return f"{self._server.effective_host}:{self._server.effective_port}"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand and close."""
        self._server.close()
        self._thread.join(timeout=5)
