"""The sockets of the mail listener and the thread that serves them."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from bot.intake import Intake
from bot.settings import Settings
from bot.smtp_in.access import LogIn, certificate_of
from bot.smtp_in.handler import Handler
from bot.smtp_in.limits import BytesInFlight
from bot.smtp_in.session import MailSession, Sessions
from triage.errors import BadInput

log = logging.getLogger(__name__)

_BACKLOG = 512
_START_SECONDS = 10.0
_HANDSHAKE_SECONDS = 20.0
_LAST_MESSAGES_SECONDS = 10.0
_CERTIFICATE_SECONDS = 60.0


class Listener:
    """Takes mail in, in a thread of its own, until it is stopped."""

    def __init__(self, intake: Intake, settings: Settings) -> None:
        self._settings = settings
        self._certificate = certificate_of(settings)
        self._log_in = LogIn(settings)
        in_flight = BytesInFlight(settings.smtp_bytes_in_flight)
        self.handler = Handler(intake, settings, in_flight)
        self.sessions = Sessions(settings, in_flight, self._log_in)
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self._ports: Future[tuple[int, int | None]] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Listen; OSError when a port cannot be had."""
        # All that is loaded by now stays until the end: looking through it for garbage took a fifth of
        # the time of every delivery.
        gc.freeze()
        self._thread.start()
        self._ports.result(timeout=_START_SECONDS)

    def stop(self) -> None:
        """Take no more sessions, finish the messages in hand, and end."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._log_in.close()

    @property
    def bound_port(self) -> int:
        """The port in use, also when a free one was asked for."""
        return self._ports.result(timeout=0)[0]

    @property
    def bound_tls_port(self) -> int | None:
        """As `bound_port`, of the port with TLS from the first byte, if there is one."""
        return self._ports.result(timeout=0)[1]

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        loop.set_exception_handler(_note_fault)
        try:
            servers = await self._listen(loop)
        except OSError as error:
            self._ports.set_exception(error)
            return
        bound = [int(server.sockets[0].getsockname()[1]) for server in servers]
        self._ports.set_result((bound[0], bound[1] if len(bound) > 1 else None))
        renewals = loop.create_task(self._keep_certificate_fresh())
        await self._stop.wait()
        renewals.cancel()
        for server in servers:
            server.close()
        await self._finish_sessions()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Server]:
        context = self._certificate.context if self._certificate else None
        host, port, tls_port = (
            self._settings.smtp_host,
            self._settings.smtp_port,
            self._settings.smtp_tls_port,
        )
        plain = await loop.create_server(
            lambda: self._new_session(loop, context, implicit_tls=False), host, port, backlog=_BACKLOG
        )
        if tls_port is None:
            return [plain]
        encrypted = await loop.create_server(
            lambda: self._new_session(loop, context, implicit_tls=True),
            host,
            tls_port,
            backlog=_BACKLOG,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
        )
        return [plain, encrypted]

    def _new_session(
        self, loop: asyncio.AbstractEventLoop, context: ssl.SSLContext | None, *, implicit_tls: bool
    ) -> MailSession:
        return MailSession(
            self.handler, self.sessions, tls_context=context, implicit_tls=implicit_tls, loop=loop
        )

    async def _finish_sessions(self) -> None:
        deadline = asyncio.get_running_loop().time() + _LAST_MESSAGES_SECONDS
        while self.sessions.open and asyncio.get_running_loop().time() < deadline:
            for session in list(self.sessions.open):
                if not session.busy:
                    session.say_goodbye("421 4.3.2 The service is stopping")
            await asyncio.sleep(0.02)
        for session in list(self.sessions.open):
            session.cut()

    async def _keep_certificate_fresh(self) -> None:
        while self._certificate is not None:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            try:
                if self._certificate.refresh():
                    log.warning("the renewed certificate is in use")
            except BadInput as error:
                log.warning("the old certificate stays in use: %s", error)


def _note_fault(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    # The loop's own report would quote the error, and with it what a client sent.
    error = context.get("exception")
    if not isinstance(error, OSError):
        log.warning("a mail connection failed: %s", type(error).__name__)
