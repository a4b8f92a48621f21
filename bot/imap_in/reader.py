"""The loop: connect, read every folder, count when it is time, then wait for IDLE or the clock; and again.

IDLE only wakes the loop: nothing depends on what it says. A connection that is silent for too long is
cut, whatever it is silent in. After a failure the loop waits, longer each time; a refused log-in waits
longest, so that the account is not locked.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from bot.app import App
from bot.imap_in.connection import LoginRefused, account_of, check_settings, connect, cut, say_goodbye
from bot.imap_in.counting import count_folder, is_time_to_count
from bot.imap_in.fetching import FolderReader, Interrupted
from bot.imap_in.lease import Lease
from bot.imap_in.tokens import TokenRefused, Tokens, tokens_for
from storage.mailboxes import MailboxState, note_state
from triage.errors import BadInput, TryAgainLater

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_STOP_SECONDS = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Waits:
    """Seconds to wait: the first and the longest time after a failure, and after a refused log-in."""

    first: float = 1.0
    longest: float = 120.0
    refused_first: float = 300.0
    refused_longest: float = 3600.0
    held: float = 5.0
    """While another reader holds the mailbox."""
    stalled: float = 600.0
    """A connection without any progress for so long is cut."""

    def after(self, failures: int, *, refused: bool) -> float:
        """How long to wait after so many failures in a row; never in step with others who failed together."""
        first, longest = (self.refused_first, self.refused_longest) if refused else (self.first, self.longest)
        # Bounded before it is raised: after days of failures the power would be no number any more.
        wait = min(longest, first * 2.0 ** min(failures - 1, 30))
        return wait * random.uniform(0.75, 1.0)  # noqa: S311  spreading, not secrecy


class HeldByAnother(Exception):
    """Another reader has the mailbox."""


class MailboxReader:
    """Fetches mail from one mailbox until it is stopped."""

    def __init__(
        self, app: App, *, clock: Callable[[], datetime] = _utc_now, waits: Waits | None = None
    ) -> None:
        check_settings(app.settings)
        self.account = account_of(app.settings)
        self._app = app
        self._clock = clock
        self._waits = waits or Waits()
        self._tokens: Tokens | None = tokens_for(app.settings)
        self._lease = Lease(app, self.account, clock)
        self._stopping = threading.Event()
        self._client: IMAPClient | None = None
        self._alive_at = time.monotonic()
        self._failures = 0
        self._state: tuple[MailboxState, str] | None = None
        self._folders = [
            FolderReader(app, self.account, name, clock, alive=self._alive)
            for name in app.settings.imap_folders
        ]
        self._threads = [
            threading.Thread(target=self._work, name="imap", daemon=True),
            threading.Thread(target=self._watch, name="imap-watchdog", daemon=True),
        ]

    def start(self) -> None:
        """Begin; the first contact may fail, and is then tried again."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is on its way into the database and stop, within a few seconds."""
        self._stopping.set()
        worker, watchdog = self._threads
        worker.join(_STOP_SECONDS)
        client = self._client
        if worker.is_alive() and client is not None:
            cut(client)
            worker.join(_STOP_SECONDS)
        watchdog.join(_STOP_SECONDS)

    # --- the loop

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connected()
            except Interrupted:
                return
            except HeldByAnother:
                log.warning("another reader has the mailbox")
                self._stopping.wait(self._waits.held)
            except Exception as error:  # noqa: BLE001  whatever it was, the mail is still in the mailbox
                state, problem = _understood(error)
                self._failures += 1
                self._note(state, problem)
                refused = state is MailboxState.REFUSED
                self._stopping.wait(self._waits.after(self._failures, refused=refused))

    def _connected(self) -> None:
        """One connection, from log-in until it ends, while no other reader has the mailbox."""
        if not self._lease.take():
            raise HeldByAnother
        try:
            self._while_ours()
        finally:
            self._lease.give_up()

    def _while_ours(self) -> None:
        client = connect(self._app.settings, self._tokens)
        self._alive()
        self._client = client
        try:
            self._note(MailboxState.CONNECTED)
            self._make_processed_folder(client)
            while not self._stopping.is_set() and not (self._tokens and self._tokens.is_ending()):
                self._read_everything(client)
                self._failures = 0
                self._rest(client)
        finally:
            self._client = None
            if self._stopping.is_set():
                cut(client)
            else:
                say_goodbye(client)

    def _read_everything(self, client: IMAPClient) -> None:
        for folder in self._folders:
            folder.read(client)
            if is_time_to_count(self._app, self.account, folder.name, self._clock()):
                count_folder(self._app, client, folder, now=self._clock())
        self._note(MailboxState.CONNECTED)

    def _make_processed_folder(self, client: IMAPClient) -> None:
        name = self._app.settings.imap_processed_folder
        if name and not client.folder_exists(name):
            client.create_folder(name)

    # --- between two looks

    def _rest(self, client: IMAPClient) -> None:
        """Wait for mail or for the time of the next look, whichever is first."""
        until = time.monotonic() + self._app.settings.imap_poll_seconds
        if not client.has_capability("IDLE"):
            while time.monotonic() < until and not self._stopping.wait(_LOOK_SECONDS):
                self._alive_at = time.monotonic()
            return
        if len(self._folders) > 1:
            self._folders[0].select(client)
        client.idle()
        while not self._stopping.is_set() and time.monotonic() < until:
            self._alive_at = began = time.monotonic()
            said = client.idle_check(timeout=min(_LOOK_SECONDS, max(0.0, until - began)))
            # Nothing said, and yet no waiting: the other side is gone, and `idle_done` will tell.
            gone = not said and time.monotonic() - began < _LOOK_SECONDS / 2
            if gone or any(_is_news(response) for response in said):
                break
        client.idle_done()

    # --- signs of life

    def _alive(self) -> None:
        self._alive_at = time.monotonic()
        if self._stopping.is_set():
            raise Interrupted

    def _watch(self) -> None:
        """Cut a connection in which nothing moves, such as one that gives a byte a minute."""
        while not self._stopping.wait(_LOOK_SECONDS):
            client = self._client
            if client is not None and not self._lease.keep():
                log.warning("another reader took the mailbox over: this one stops reading")
                cut(client)
            elif client is not None and time.monotonic() - self._alive_at > self._waits.stalled:
                log.warning("the connection to the mailbox is stuck: it is cut")
                self._alive_at = time.monotonic()
                cut(client)

    def _note(self, state: MailboxState, problem: str = "") -> None:
        if (state, problem) != self._state:
            log.warning("mailbox: %s%s", state, f": {problem}" if problem else "")
        self._state = (state, problem)
        try:
            with self._app.database.write() as session:
                note_state(session, self.account, state, now=self._clock(), problem=problem)
        except Exception as error:
            # A database that is away must not end the loop; but a folder cannot be begun without the row.
            log.warning("the state of the mailbox could not be noted: %s", type(error).__name__)
            if state is MailboxState.CONNECTED:
                raise


def _is_news(response: object) -> bool:
    words = response if isinstance(response, tuple) else ()
    return any(word in (b"EXISTS", b"BYE") for word in words)


def _understood(error: Exception) -> tuple[MailboxState, str]:
    """What to say of a failure: never the server's own words, which may quote a message."""
    if isinstance(error, LoginRefused | TokenRefused | BadInput):
        return MailboxState.REFUSED, str(error)
    if isinstance(error, TryAgainLater):
        return MailboxState.AWAY, str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailboxState.AWAY, f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError | IMAPClientError):
        return MailboxState.AWAY, f"the server is away ({type(error).__name__})"
    log.error("reading the mailbox failed: %s at %s", type(error).__name__, _place(error))
    return MailboxState.FAULT, f"a fault of ours: {type(error).__name__}"


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "unknown"
