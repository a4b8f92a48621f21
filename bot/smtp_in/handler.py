"""What we do with each command that matters: who may be written to, and the one door for what is written."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.intake import Intake
from bot.settings import Settings
from bot.smtp_in.limits import BytesInFlight, Hold
from bot.steps import Step, reached
from storage.messages import Received
from triage.vocabulary import Channel

log = logging.getLogger(__name__)

STORED = "250 2.0.0 Stored"
OUR_FAULT = "451 4.3.0 Not stored, please try again"
NO_ROOM = "452 4.3.1 Too much mail at once, please try again"
_OK = "250 2.1.0 OK"
_NOT_TEXT = "553 5.6.7 The address is not UTF-8"
_NOT_HERE = "550 5.1.1 No such mailbox here"
_TOO_MANY = "452 4.5.3 Too many recipients"
_NULL_SENDER = "<>"


class MailEnvelope(Envelope):
    """An envelope with the account of the bytes that its message holds."""

    hold: Hold | None = None


class Handler:
    """aiosmtpd's hooks; a session refuses to go on without one of HOOKS."""

    HOOKS = frozenset({"MAIL", "RCPT", "DATA"})

    def __init__(self, intake: Intake, settings: Settings, in_flight: BytesInFlight) -> None:
        self._intake = intake
        self._most_recipients = settings.smtp_recipients
        self._in_flight = in_flight
        self._finished = _Finished()
        self._accept_for = frozenset(address.lower() for address in settings.smtp_accept_for)

    def __dir__(self) -> list[str]:
        # aiosmtpd looks through all names for every connection.
        return _HOOK_NAMES

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the sender, unless there is no room now for a message of the size that is announced."""
        if not _is_text(address):
            return _NOT_TEXT
        announced = next((option[5:] for option in options if option.startswith("SIZE=")), "0")
        if not self._in_flight.has_room_for(int(announced)):
            return NO_ROOM
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return _OK

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept the recipient, or say why not."""
        if not _is_text(address):
            return _NOT_TEXT
        if self._accept_for and not _forms_of(address) & self._accept_for:
            return _NOT_HERE
        if len(envelope.rcpt_tos) >= self._most_recipients:
            return _TOO_MANY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: MailEnvelope) -> str:  # noqa: N802
        """Store the message; `250` once that is durable."""
        content, hold = envelope.content, envelope.hold
        if not isinstance(content, bytes) or hold is None:
            return OUR_FAULT
        reached(Step.RECEIVED)
        received = Received(
            raw=content,
            channel=Channel.EMAIL,
            received_at=datetime.now(UTC),
            envelope={
                "mail_from": "" if envelope.mail_from == _NULL_SENDER else envelope.mail_from,
                "rcpt_tos": list(envelope.rcpt_tos),
                "peer": peer_of(session),
                "helo": str(session.host_name or "")[:255],
            },
        )
        return await self._store(received, envelope, hold)

    async def _store(self, received: Received, envelope: MailEnvelope, hold: Hold) -> str:
        loop = asyncio.get_running_loop()
        promise, answered = self._intake.submit(received), loop.create_future()

        def settle() -> None:
            hold.release()
            if not answered.done():
                answered.set_result(None)

        # The bytes are held until they are stored or refused, also when the client is gone before that:
        # who sends and hangs up again and again would otherwise fill the memory.
        envelope.hold = None
        promise.add_done_callback(lambda _: self._finished.bring(loop, settle))
        try:
            await answered
        except asyncio.CancelledError:
            # The client is gone. What nobody has begun to store is taken back: the client will try again.
            promise.cancel()
            raise
        error = promise.exception()
        if error is not None:
            log.warning("a message was refused for now: %s", type(error).__name__)
            return OUR_FAULT
        return STORED

    async def handle_exception(self, error: Exception) -> str:
        """Any other fault: aiosmtpd on its own would answer 500 and quote the error."""
        log.warning("a mail session failed: %s", type(error).__name__)
        return OUR_FAULT


_HOOK_NAMES = [name for name in Handler.__dict__ if name.startswith("handle_")]


class _Finished:
    """Brings what another thread has finished into the event loop: one wake-up for all of a group."""

    def __init__(self) -> None:
        self._waiting: collections.deque[Callable[[], None]] = collections.deque()
        self._called = False

    def bring(self, loop: asyncio.AbstractEventLoop, settle: Callable[[], None]) -> None:
        """Have `settle` called in the loop, soon; safe from any thread."""
        self._waiting.append(settle)
        if not self._called:
            self._called = True
            # The loop is closed when the service stops before the message is stored: nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle_all)

    def _settle_all(self) -> None:
        # First: what is added from here on has a call of its own.
        self._called = False
        while self._waiting:
            self._waiting.popleft()()


def _is_text(address: str) -> bool:
    # Bytes that were no UTF-8 come as surrogates, which nothing behind us can store.
    return not any("\ud800" <= character <= "\udfff" for character in address)


def _forms_of(address: str) -> frozenset[str]:
    """The address, and the mailbox it belongs to when it carries a tag: desk+tag@council.example."""
    local, _, domain = address.lower().rpartition("@")
    return frozenset({f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}"})


def peer_of(session: Session | None) -> str:
    """The address of the client, empty when it is not known."""
    peer: Any = session.peer if session is not None else None
    return str(peer[0]) if isinstance(peer, tuple) else ""
