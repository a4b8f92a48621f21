"""Attached files through ClamAV's daemon, when one is set: held back until it says that they are clean."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from bot.app import App
from bot.background import FILE_QUEUE
from bot.settings import Settings
from storage.attachments import (
    KEPT,
    KeptAttachment,
    NoSuchAttachment,
    ScanFigures,
    ScanState,
    content_of,
    keep_attachment,
    keep_attachments,
    note_scan,
    scans_due,
)
from storage.database import Session
from triage.errors import TryAgainLater
from triage.vocabulary import Attachment, Message

log = logging.getLogger(__name__)

SCAN_JOB = "scan_file"
_SECONDS = 60.0
_QUICK_SECONDS = 5.0
_CHUNK_BYTES = 1024 * 1024
_MOST_ANSWER_BYTES = 4096
_LENGTH = struct.Struct(">I")

Clock = Callable[[], datetime]


class ClamdAway(Exception):
    """The daemon did not answer, or not with a verdict; the text says which and holds nothing of the file."""


@dataclass(frozen=True)
class Verdict:
    """What the daemon said: `found` is the name of what it found, empty for a clean file."""

    found: str


class Clamd:
    """ClamAV's daemon at "host:port" or at the path of its socket.

    Its protocol is three lines, and the clients that wrap it have had no release for years.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def version(self) -> str:
        """What it calls itself and its signatures; ClamdAway when it does not answer."""
        with self._connected(_QUICK_SECONDS) as connection:
            return self._answer(connection, b"zVERSION\0")

    def scan(self, content: bytes) -> Verdict:
        """Whether the content is clean; ClamdAway when there is no verdict."""
        with self._connected(_SECONDS) as connection:
            answer = self._answer(connection, b"zINSTREAM\0", content)
        said = answer.removeprefix("stream: ")
        if said == "OK":
            return Verdict("")
        if said.endswith(" FOUND"):
            return Verdict(said.removesuffix(" FOUND"))
        if "size limit" in said:
            raise ClamdAway("it is larger than the scanner takes")
        raise ClamdAway("the scanner gave no verdict")

    def _connected(self, seconds: float) -> closing[socket.socket]:
        try:
            return closing(self._connect(seconds))
        except OSError as error:
            raise ClamdAway(f"the scanner cannot be reached: {type(error).__name__}") from None

    def _connect(self, seconds: float) -> socket.socket:
        if self._address.startswith("/"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(self._address)
            return connection
        host, _, port = self._address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)

    def _answer(self, connection: socket.socket, command: bytes, content: bytes | None = None) -> str:
        try:
            connection.sendall(command)
            if content is not None:
                self._send(connection, content)
            return self._received(connection)
        except OSError as error:
            raise ClamdAway(f"the scanner broke off: {type(error).__name__}") from None

    def _send(self, connection: socket.socket, content: bytes) -> None:
        try:
            for start in range(0, len(content), _CHUNK_BYTES):
                chunk = content[start : start + _CHUNK_BYTES]
                connection.sendall(_LENGTH.pack(len(chunk)) + chunk)
            connection.sendall(_LENGTH.pack(0))
        except (BrokenPipeError, ConnectionResetError):
            # Of what is too large it takes no more, and says so: that is its answer.
            return

    def _received(self, connection: socket.socket) -> str:
        received = b""
        while not received.endswith(b"\0") and len(received) < _MOST_ANSWER_BYTES:
            more = connection.recv(_MOST_ANSWER_BYTES)
            if not more:
                break
            received += more
        if not received:
            raise ClamdAway("the scanner gave no answer")
        return received.rstrip(b"\0").decode("utf-8", "replace").strip()


def keep_files(app: App, session: Session, message_id: str, message: Message, *, now: datetime) -> None:
    """Keep the files of a message in its own transaction, and ask for their scan where there is a scanner."""
    for file_id in keep_attachments(session, app.keys, message_id, message.attachments, now=now):
        _ask_for_scan(app, session, file_id)


def keep_file_of(
    app: App, session: Session, message_id: str, file: Attachment, *, source: str, state: str, now: datetime
) -> None:
    """As `keep_files` for one file that its channel calls `source`; `state` says why its bytes are not there."""
    file_id = keep_attachment(
        session, app.keys, message_id, file, source=source, now=now, state=state or KEPT
    )
    if file_id is not None:
        _ask_for_scan(app, session, file_id)


def _ask_for_scan(app: App, session: Session, file_id: str, attempt: int = 0) -> None:
    if app.settings.clamd_address:
        app.background.enqueue(session, FILE_QUEUE, SCAN_JOB, file_id, again=str(attempt))


def scan_file(app: App, file_id: str, *, clock: Clock) -> None:
    """Have one file scanned and write down what came of it; a scanner that is away is asked again later."""
    if not app.settings.clamd_address:
        return
    try:
        with app.database.read() as session:
            content = content_of(session, app.keys, file_id)
    except NoSuchAttachment:
        return  # erased meanwhile
    try:
        found = Clamd(app.settings.clamd_address).scan(content).found
        state, word = (ScanState.INFECTED, found) if found else (ScanState.CLEAN, "")
    except ClamdAway as away:
        log.warning("attachment %s: %s", file_id, away)
        state, word = ScanState.COULD_NOT_SCAN, str(away)
    with app.database.write() as session:
        note_scan(session, file_id, state, word, now=clock())


def could_not_scan(app: App, file_id: str, why: str, *, clock: Clock) -> None:
    """Write down that a scan failed for a reason of ours; it is tried again later."""
    with app.database.write() as session:
        note_scan(session, file_id, ScanState.COULD_NOT_SCAN, why, now=clock())


def ask_for_due_scans(app: App, now: datetime) -> None:
    """Ask for every scan that is due: of files that came before there was a scanner, or while it was away."""
    if not app.settings.clamd_address:
        return
    with app.database.read() as session:
        due = scans_due(session, now)
    if not due:
        return
    try:
        with app.database.write() as session:
            for file_id, attempts in due:
                # Named by the attempt, so that workers together ask once.
                _ask_for_scan(app, session, file_id, attempts)
    except Exception as error:  # noqa: BLE001  told apart by its kind alone
        raise TryAgainLater(f"scans: {type(error).__name__}") from None


def is_held(file: KeptAttachment, *, has_scanner: bool) -> bool:
    """Whether nobody may open the file: something was found in it, or it waits for the scanner's word."""
    if file.scan_state is ScanState.INFECTED:
        return True
    return has_scanner and file.scan_state is not ScanState.CLEAN


def check_scanner(settings: Settings, figures: ScanFigures) -> Iterator[tuple[bool, str]]:
    """Whether the scanner answers and what it said of the files; nothing where none is set and none was."""
    counts = {state: figures.by_state.get(state, 0) for state in ScanState}
    if settings.clamd_address:
        last = figures.last_answer_at
        since = f"last verdict {last:%Y-%m-%d %H:%M} UTC" if last else "no verdict yet"
        try:
            yield True, f"virus scanner {Clamd(settings.clamd_address).version()}, {since}"
        except ClamdAway as away:
            yield False, f"virus scanner: {away}; {since}"
        held = counts[ScanState.UNSCANNED] + counts[ScanState.COULD_NOT_SCAN]
        well = counts[ScanState.COULD_NOT_SCAN] == 0
        yield well, f"{held} attached files are held back until they are scanned"
    elif sum(counts.values()):
        yield True, f"no virus scanner is set: {counts[ScanState.UNSCANNED]} attached files are not scanned"
    if counts[ScanState.INFECTED]:
        yield True, f"{counts[ScanState.INFECTED]} attached files are infected and stay closed"
