"""The stand-in's Socket Mode: hello, envelopes, acknowledgements, redelivery, refreshes and dropped sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.slack_double.envelopes import Envelope
from tests.slack_double.faults import Faults

_ATTEMPTS = 4


class Sockets:
    """The WebSocket server; an envelope goes to one connection, and again when it is not acknowledged in time."""

    def __init__(self, faults: Faults, *, ack_seconds: float) -> None:
        self.faults = faults
        self.hellos = 0
        self.connections: list[ServerConnection] = []
        self._ack_seconds = ack_seconds
        self._waiting: dict[str, Envelope] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = serve(self._serve, "127.0.0.1", 0)
        for target in (self._server.serve_forever, self._redeliver):
            threading.Thread(target=target, daemon=True).start()

    def url(self) -> str:
        """Where an app connects."""
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link/?ticket=double"

    def close(self) -> None:
        """Close every socket."""
        self._stop.set()
        self._server.shutdown()

    def send(self, envelope: Envelope) -> bool:
        """Deliver once; False when nobody is connected (it is tried again all the same)."""
        with self._lock:
            self._waiting[envelope.envelope_id] = envelope
            envelope.attempts += 1
            envelope.sent_at = time.monotonic()
            envelope.first_sent_at = envelope.first_sent_at or envelope.sent_at
            # Slack uses any of an app's connections.
            connections = self.connections[-1:]
        return any(self._push(connection, envelope.as_frame()) for connection in connections)

    def refresh(self) -> None:
        """What Slack does every few hours: ask for a new connection, and close the old one a little later."""
        for connection in self._all():
            self._push(connection, {"type": "disconnect", "reason": "refresh_requested"})

    def drop(self) -> None:
        """Cut every connection without a word."""
        for connection in self._all():
            with self._lock:
                self.connections.remove(connection)
            connection.socket.shutdown(socket.SHUT_RDWR)

    def _all(self) -> list[ServerConnection]:
        with self._lock:
            return list(self.connections)

    def _push(self, connection: ServerConnection, frame: dict[str, Any]) -> bool:
        try:
            connection.send(json.dumps(frame))
        except (ConnectionClosed, OSError):
            return False
        return True

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self.connections.append(connection)
            self.hellos += 1
        self._push(connection, {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0"}})
        try:
            for frame in connection:
                self._acknowledge(json.loads(frame))
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                if connection in self.connections:
                    self.connections.remove(connection)

    def _acknowledge(self, frame: dict[str, Any]) -> None:
        if self.faults.deaf:
            return
        with self._lock:
            envelope = self._waiting.pop(str(frame.get("envelope_id")), None)
        if envelope is not None:
            envelope.acked_at, envelope.answer = time.monotonic(), frame.get("payload")
            envelope.acked.set()

    def _redeliver(self) -> None:
        while not self._stop.wait(0.05):
            now = time.monotonic()
            with self._lock:
                late = [item for item in self._waiting.values() if now - item.sent_at > self._ack_seconds]
                for item in late:
                    if item.attempts >= _ATTEMPTS:
                        del self._waiting[item.envelope_id]
            for item in late:
                if item.attempts < _ATTEMPTS:
                    self.send(item)

    def wait_for_connection(self, seconds: float = 15, *, look: Callable[[], bool] | None = None) -> None:
        """Until an app is connected."""
        deadline = time.monotonic() + seconds
        while not (look() if look else self.connections):
            assert time.monotonic() < deadline, "no app connected"
            time.sleep(0.02)
