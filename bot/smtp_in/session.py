"""One mail session: aiosmtpd's, where its own ways would lose mail, time or memory, replaced.

Read beside aiosmtpd/smtp.py 1.4.6, whose names and structure the overrides follow.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import re
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from bot.settings import Settings
from bot.smtp_in.access import LogIn, may_connect
from bot.smtp_in.handler import NO_ROOM, STORED, Handler, MailEnvelope, peer_of
from bot.smtp_in.limits import BytesInFlight, Hold
from bot.steps import Step, reached

# It writes addresses, and at times words of a message, to the log.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

_LINE_END = b"\r\n"
_DOT = b".\r\n"
_END_OF_DATA = _LINE_END + _DOT
_PART_BYTES = 64 * 1024
_GRACE_SECONDS = 5.0
_MOST_SECONDS_TO_STORE = 90.0
_TRIES_TO_LOG_IN = 4
_COMMANDS = 500
_LONGEST_COMMAND = 2048
_LONGEST_LOG_IN = 12_288
_TOO_BIG = "552 5.3.4 The message is too big"
_GONE_TOO_FAR = "421 4.3.0 Far more than the announced size, goodbye"
_PLAIN_ADDRESS = re.compile(
    r"<([\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9.-]+|)>(?=\s|\Z)(.*)", re.ASCII | re.DOTALL
)


class Sessions:
    """What all sessions share: the settings, the log-in, the bytes in flight, and who is connected."""

    def __init__(self, settings: Settings, in_flight: BytesInFlight, log_in: LogIn) -> None:
        self.settings = settings
        self.in_flight = in_flight
        self.log_in = log_in
        self.open: set[MailSession] = set()

    def refusal(self, peer: str) -> str:
        """Why a new session with this client ends at once; empty when it does not."""
        if not may_connect(peer, self.settings.smtp_accept_from):
            return "554 5.7.1 You may not send mail here"
        if len(self.open) > self.settings.smtp_sessions:
            return "421 4.3.2 Too many sessions, please try again"
        return ""


class MailSession(SMTP):
    """The session with one client."""

    # aiosmtpd's limit on lines, which is here that of its reader alone: lines of any length are taken.
    line_length_limit = _PART_BYTES

    def __init__(
        self,
        handler: Handler,
        sessions: Sessions,
        *,
        tls_context: Any,
        implicit_tls: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        settings = sessions.settings
        super().__init__(
            handler,
            data_size_limit=settings.smtp_max_bytes,
            enable_SMTPUTF8=True,
            decode_data=False,
            hostname="careconcerns",
            ident="careconcerns",
            tls_context=None if implicit_tls else tls_context,
            require_starttls=settings.smtp_require_tls and not implicit_tls,
            timeout=settings.smtp_timeout_seconds,
            auth_required=sessions.log_in.needed,
            command_call_limit={"*": _COMMANDS, "AUTH": _TRIES_TO_LOG_IN},
            loop=loop,
        )
        # With implicit TLS everything is encrypted, but aiosmtpd would look for a STARTTLS.
        self._auth_require_tls = not implicit_tls
        # aiosmtpd's are one dictionary for all sessions, which each EHLO changes.
        self.command_size_limits = collections.defaultdict(lambda: _LONGEST_COMMAND, AUTH=_LONGEST_LOG_IN)
        self.command_size_limit = _LONGEST_COMMAND
        self._sessions = sessions
        self._implicit_tls = implicit_tls
        self._quiet_until = 0.0
        self._end_at = 0.0
        self.busy = False

    def __dir__(self) -> list[str]:
        # aiosmtpd looks through all names for every connection: a tenth of a delivery's time.
        return _COMMAND_NAMES

    # The session's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the session; called again, with a fresh state, when STARTTLS is through."""
        if self not in self._sessions.open:
            self._sessions.open.add(self)
            self._end_at = self.loop.time() + self._sessions.settings.smtp_session_seconds
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count the session no more."""
        self._sessions.open.discard(self)
        super().connection_lost(error)

    def say_goodbye(self, reason: str) -> None:
        """Tell the client why, and close; a client that does not read is cut off a little later."""
        transport: Any = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(reason.encode() + b"\r\n")
            transport.close()
            self.loop.call_later(_GRACE_SECONDS, self.cut)

    def cut(self) -> None:
        """Close at once, whatever is still to be sent."""
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    def _reset_timeout(self, duration: float | None = None) -> None:
        # The timer runs on and looks here when it is due: a new one for every command would cost more
        # than the command itself.
        self._quiet_until = self.loop.time() + (duration or self._timeout_duration)
        if self._timeout_handle is None or self._timeout_handle.when() > self._quiet_until:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_at(min(self._quiet_until, self._end_at), self._timeout_cb)

    def _timeout_cb(self) -> None:
        now = self.loop.time()
        if now >= self._end_at:
            self.say_goodbye("421 4.4.2 The session took too long")
        elif now >= self._quiet_until:
            self.say_goodbye("421 4.4.2 Nothing heard for too long")
        else:
            self._set_timer()

    async def _handle_client(self) -> None:
        refusal = self._sessions.refusal(peer_of(self.session))
        if refusal:
            self.say_goodbye(refusal)
            return
        await super()._handle_client()

    def _set_post_data_state(self) -> None:
        self.envelope = MailEnvelope()

    async def _call_handler_hook(self, command: str, *args: Any) -> Any:
        # Without its hook aiosmtpd answers 250 to a message, and drops it.
        status = await super()._call_handler_hook(command, *args)
        if command in Handler.HOOKS and not isinstance(status, str):
            raise TypeError(f"no answer to {command}")
        return status

    # Commands

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802  aiosmtpd's name
        """Say what we can do, in one piece; aiosmtpd's own offers a log-in even when there is none."""
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_post_data_state()
        session: Any = self.session
        session.extended_smtp, session.host_name = True, hostname
        offers = [self.hostname, f"SIZE {self.data_size_limit}", "8BITMIME"]
        if self.tls_context and not self._is_encrypted:
            offers.append("STARTTLS")
        if self._sessions.log_in.needed and self._is_encrypted:
            offers.append("AUTH LOGIN PLAIN")
        lines = [f"250-{offer}" for offer in offers] + ["250 SMTPUTF8"]
        await self.push("\r\n".join(lines))

    @property
    def _is_encrypted(self) -> bool:
        return self._implicit_tls or self._tls_protocol is not None

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """Begin TLS, once; aiosmtpd's own would begin a second one inside the first."""
        if self._is_encrypted:
            await self.push("503 5.5.1 TLS is on already")
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_VRFY(self, _arg: str) -> None:  # noqa: N802
        """Tell nobody who is here."""
        await self.push("252 2.5.0 Send the mail and see")

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        """Log in, where there is a user to log in as; the name of the mechanism in any case of letters."""
        if not self._sessions.log_in.needed:
            await self.push("503 5.5.1 There is no log-in here")
            return
        mechanism, space, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + space + rest)

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """aiosmtpd's, with the check below."""
        return await self._checked(await super().auth_PLAIN(server, args))

    async def auth_LOGIN(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """aiosmtpd's, with the check below."""
        return await self._checked(await super().auth_LOGIN(server, args))

    def _authenticate(self, _mechanism: str, auth_data: Any) -> AuthResult:
        # Refused until `_checked` says otherwise: the check takes its time, and this cannot wait for it.
        return AuthResult(success=False, handled=False, auth_data=auth_data)

    async def _checked(self, result: AuthResult) -> AuthResult:
        given = result.auth_data
        if not isinstance(given, LoginPassword):
            return result
        right = await self._sessions.log_in.is_right(given.login, given.password)
        return AuthResult(success=right, handled=False)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # aiosmtpd's takes a seventh of a delivery's time, and raises on some addresses instead of refusing them.
        plain = _PLAIN_ADDRESS.fullmatch(arg or "")
        if plain is not None:
            return plain[1] or "<>", plain[2]
        try:
            address, rest = super()._getaddr(arg)
        except Exception:  # noqa: BLE001  whatever it stumbled on, it is no address
            return None, None
        return address, rest

    # The message

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take the message and hand it on; aiosmtpd's own refuses long lines and counts no bytes."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        envelope: Any = self.envelope
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT comes first")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self.busy = True
        try:
            status = await self._take_message(envelope)
        finally:
            self.busy = False
            if envelope.hold is not None:
                envelope.hold.release()
            self._set_post_data_state()
        await self.push(status)
        if status == STORED:
            reached(Step.ANSWERED)

    async def _take_message(self, envelope: MailEnvelope) -> str:
        envelope.hold = self._sessions.in_flight.hold()
        parts, refusal = await self._read_parts(envelope.hold)
        if refusal:
            return refusal
        # The time to store it has a limit of its own.
        self._reset_timeout(_MOST_SECONDS_TO_STORE)
        envelope.content = envelope.original_content = _joined(parts)
        return str(await self._call_handler_hook("DATA"))

    async def _read_parts(self, hold: Hold) -> tuple[list[bytes], str]:
        """The message as it came, with the line end before it and the dot after; or why it is refused.

        A refused message is read to its end all the same, as what follows would be taken for commands.
        """
        reader: Any = self._reader
        # A message ends at the dot on a line of its own, and the line end before it may be that of DATA.
        reader._buffer[:0] = _LINE_END
        parts: list[bytes] = []
        size, refusal, ended = -len(_END_OF_DATA), "", False
        while not ended:
            part, ended = await self._read_part(reader)
            size += len(part)
            refusal = refusal or self._refusal(size, part, hold)
            if refusal:
                parts.clear()
                hold.release()
                self._lose_patience(size)
            else:
                parts.append(part)
        return parts, refusal

    async def _read_part(self, reader: asyncio.StreamReader) -> tuple[bytes, bool]:
        try:
            return await reader.readuntil(_END_OF_DATA), True
        except asyncio.LimitOverrunError as more:
            # Not the end yet, nor the beginning of it: those bytes stay in the reader.
            part = await reader.readexactly(more.consumed)
            self._reset_timeout()
            return part, False

    def _refusal(self, size: int, part: bytes, hold: Hold) -> str:
        limit = self._sessions.settings.smtp_max_bytes
        if size > limit:
            return _TOO_BIG
        return "" if hold.grow(len(part)) else NO_ROOM

    def _lose_patience(self, size: int) -> None:
        task = self._handler_coroutine
        if size > 2 * self._sessions.settings.smtp_max_bytes and task is not None:
            self.say_goodbye(_GONE_TOO_FAR)
            task.cancel()


def _joined(parts: list[bytes]) -> bytes:
    """The message of its parts, which are used up: without line end before, dot after and added dots."""
    parts[-1] = parts[-1][: -len(_DOT)]
    parts[0] = parts[0][len(_LINE_END) :]
    message = b"".join(parts)
    parts.clear()
    # RFC 5321, section 4.5.2: a sender puts a dot before every dot that begins a line.
    if _LINE_END + b"." in message:
        message = message.replace(_LINE_END + b".", _LINE_END)
    return message.removeprefix(b".")


_COMMAND_NAMES = [name for name in dir(MailSession) if name.startswith(("auth_", "smtp_"))]
