"""IMAP: 2,000 waiting messages fetched and stored, against bare imapclient loops on the same mailbox, in one run.

The server is a real Dovecot on loopback. A relay that holds every packet back stands for a mail server in
another town.
"""

from __future__ import annotations

import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from imapclient import IMAPClient
from pydantic import SecretStr

from bot.app import build_app, prepare
from bot.imap_in.connection import account_of, connect
from bot.imap_in.fetching import FolderReader
from bot.settings import Settings
from storage.mailboxes import MailboxState, note_state
from tests.bench.measured import CannotMeasure, Measured, ratio, spread
from tests.bot.dovecot import PASSWORD, USER, Dovecot

_PAGE = 100
_MESSAGES = 2_000
_ROUNDS = 3
_AWAY_SECONDS = 0.02


def _mail(number: int) -> bytes:
    """About 4 KiB."""
    lines = "\r\n".join(f"{number} {line} " + "word " * 12 for line in range(56))
    head = f"From: a@b.example\r\nSubject: {number}\r\nMessage-ID: <{number}@b.example>\r\n\r\n"
    return f"{head}{lines}\r\n".encode()


def _relay(port: int, delay: float) -> int:
    """A port that leads to `port`, with half the delay each way; the bandwidth is not limited."""
    server = socket.create_server(("127.0.0.1", 0))
    # A process of its own: it must not take time from the one that is measured.
    multiprocessing.get_context("fork").Process(
        target=_serve, args=(server, port, delay), daemon=True
    ).start()
    return int(server.getsockname()[1])


def _serve(server: socket.socket, port: int, delay: float) -> None:
    while True:
        near, _ = server.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for one, other in ((near, far), (far, near)):
            late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            threading.Thread(target=_push, args=(late, other), daemon=True).start()
            threading.Thread(target=_pull, args=(one, late, delay), daemon=True).start()


def _pull(source: socket.socket, late: SimpleQueue[tuple[float, bytes]], delay: float) -> None:
    data = b"."
    while data:
        try:
            data = source.recv(262_144)
        except OSError:
            data = b""
        late.put((time.monotonic() + delay / 2, data))


def _push(late: SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
    while True:
        at, data = late.get()
        time.sleep(max(0.0, at - time.monotonic()))
        try:
            target.sendall(data)
        except OSError:
            return
        if not data:
            target.close()
            return


def _bare(port: int, page: int) -> float:
    """Seconds of a loop that fetches everything and keeps nothing."""
    with IMAPClient("127.0.0.1", port, ssl=False) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        began = time.monotonic()
        uids = client.search()
        for start in range(0, len(uids), page):
            client.fetch(uids[start : start + page], ["BODY.PEEK[]"])
        return time.monotonic() - began


def _stored(port: int, messages: int) -> float:
    """Seconds until every message is durable in a new database."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder) / "var",
            demonstration=False,
            imap_host="127.0.0.1",
            imap_port=port,
            imap_security="none",
            imap_user=USER,
            imap_password=SecretStr(PASSWORD),
        )
        prepare(settings)
        app = build_app(settings)
        account = account_of(settings)
        with app.database.write() as session:
            note_state(session, account, MailboxState.CONNECTED, now=datetime.now(UTC))
        reader = FolderReader(app, account, "INBOX", lambda: datetime.now(UTC))
        client = connect(settings, None)
        began = time.monotonic()
        assert reader.read(client) == messages
        seconds = time.monotonic() - began
        client.logout()
        app.close()
        return seconds


def imap() -> Iterator[Measured]:
    """Against a loop that fetches one message at a time, one that fetches a hundred, and one that far away."""
    try:
        server = Dovecot()
    except (AssertionError, OSError) as error:
        raise CannotMeasure(str(error)) from None
    try:
        server.deliver(_mail(number) for number in range(_MESSAGES))
        _bare(server.port, _PAGE)
        yield _compared("bare loop, one message a FETCH", server.port, 1, 0.7)
        yield _compared(f"bare loop, {_PAGE} a FETCH", server.port, _PAGE, None)
        far = _relay(server.port, _AWAY_SECONDS)
        yield _compared(f"bare loop, {_PAGE} a FETCH, 20 ms away", far, _PAGE, None)
    finally:
        server.close()


def _compared(what: str, port: int, page: int, at_least: float | None) -> Measured:
    ours, bare = [], []
    for _ in range(_ROUNDS):
        ours.append(_MESSAGES / _stored(port, _MESSAGES))
        bare.append(_MESSAGES / _bare(port, page))
    detail = f"{spread(ours)} / {spread(bare)} a second"
    return Measured(f"IMAP fetched and durable / {what}", ratio(ours, bare), detail=detail, at_least=at_least)
