"""The mail listener: `250` only for what is durably stored, `451` for any fault of ours."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.intake import Intake
from bot.settings import Settings
from storage.messages import Received
from triage.vocabulary import Channel

log = logging.getLogger(__name__)

_STORED = "250 2.0.0 Stored"
_OUR_FAULT = "451 4.3.0 Not stored, please try again"
_FULL = "452 4.3.1 Busy, please try again"
_NOT_HERE = "550 5.1.1 No such mailbox here"
_TOO_MANY = "452 4.5.3 Too many recipients"
_COMMANDS = 500


class Handler:
    """aiosmtpd's hooks: who may be written to, and the one door for what they write."""

    def __init__(self, intake: Intake, settings: Settings) -> None:
        self._intake = intake
        self._settings = settings
        self._accept_for = frozenset(address.lower() for address in settings.smtp_accept_for)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept the recipient, or say why not."""
        if self._accept_for and address.lower() not in self._accept_for:
            return _NOT_HERE
        if len(envelope.rcpt_tos) >= self._settings.smtp_recipients:
            return _TOO_MANY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the message; `250` once that is durable."""
        content = envelope.content
        if not isinstance(content, bytes):
            return _OUR_FAULT
        received = Received(
            raw=content,
            channel=Channel.EMAIL,
            received_at=datetime.now(UTC),
            envelope={
                "mail_from": envelope.mail_from or "",
                "rcpt_tos": list(envelope.rcpt_tos),
                "peer": _peer(session),
            },
        )
        try:
            await asyncio.wrap_future(self._intake.submit(received))
        except Exception as error:  # noqa: BLE001  the sender keeps the message and tries again
            log.warning("a message was refused for now: %s", type(error).__name__)
            return _OUR_FAULT
        return _STORED

    async def handle_exception(self, error: Exception) -> str:
        """Any other fault: aiosmtpd on its own would answer 500 and quote the error."""
        log.warning("a mail session failed: %s", type(error).__name__)
        return _OUR_FAULT


def _peer(session: Session) -> str:
    peer: Any = session.peer
    return str(peer[0]) if isinstance(peer, tuple) else ""


class Listener(Controller):
    """aiosmtpd in a thread of its own, with our limits."""

    def __init__(self, intake: Intake, settings: Settings) -> None:
        self._settings = settings
        super().__init__(
            Handler(intake, settings), hostname=settings.smtp_host, port=settings.smtp_port, ready_timeout=10
        )

    def factory(self) -> SMTP:
        """One protocol object for each session."""
        return SMTP(
            self.handler,
            data_size_limit=self._settings.smtp_max_bytes,
            enable_SMTPUTF8=True,
            decode_data=False,
            hostname="careconcerns",
            ident="careconcerns",
            timeout=self._settings.smtp_timeout_seconds,
            command_call_limit=_COMMANDS,
            loop=self.loop,
        )

    @property
    def bound_port(self) -> int:
        """The port in use, also when a free one was asked for."""
        server: Any = self.server
        return int(server.sockets[0].getsockname()[1])
