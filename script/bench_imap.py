"""IMAP: 2,000 waiting messages fetched and stored, against bare imapclient loops on the same mailbox, in one run.

    .venv/bin/python script/bench_imap.py [--messages 2000] [--rounds 3] [--delay-ms 20]

The server is a real Dovecot on loopback. With a delay, a relay between the two holds every packet back
for half of it each way, as a mail server in another town would.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from imapclient import IMAPClient
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bot.app import build_app, prepare
from bot.imap_in.connection import account_of, connect
from bot.imap_in.fetching import FolderReader
from bot.settings import Settings
from storage.mailboxes import MailboxState, note_state
from tests.bot.dovecot import PASSWORD, USER, Dovecot

PAGE = 100


def mail(number: int) -> bytes:
    """About 4 KiB."""
    lines = "\r\n".join(f"{number} {line} " + "word " * 12 for line in range(56))
    head = f"From: a@b.example\r\nSubject: {number}\r\nMessage-ID: <{number}@b.example>\r\n\r\n"
    return f"{head}{lines}\r\n".encode()


def relay(port: int, delay: float) -> int:
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


def bare(port: int, page: int) -> float:
    """Seconds of a loop that fetches everything and keeps nothing."""
    with IMAPClient("127.0.0.1", port, ssl=False) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        began = time.monotonic()
        uids = client.search()
        for start in range(0, len(uids), page):
            client.fetch(uids[start : start + page], ["BODY.PEEK[]"])
        return time.monotonic() - began


def stored(port: int, messages: int) -> float:
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-ms", type=float, default=20.0)
    chosen = parser.parse_args()
    server = Dovecot()
    try:
        server.deliver(mail(number) for number in range(chosen.messages))
        bare(server.port, PAGE)
        far = relay(server.port, chosen.delay_ms / 1000)
        for name, port in (("loopback", server.port), (f"{chosen.delay_ms:.0f} ms away", far)):
            show(name, port, chosen.messages, chosen.rounds)
    finally:
        server.close()


def show(name: str, port: int, messages: int, rounds: int) -> None:
    """One line a kind: messages a second, and the median of the ratios of each round."""
    loops: dict[str, Callable[[], float]] = {
        f"bare, {PAGE} a FETCH": lambda: bare(port, PAGE),
        "bare, one a FETCH": lambda: bare(port, 1),
    }
    times = [(stored(port, messages), {key: loop() for key, loop in loops.items()}) for _ in range(rounds)]
    ours = statistics.median(seconds for seconds, _ in times)
    print(f"{name}: fetched and stored {messages / ours:,.0f} a second")
    for key in loops:
        ratios = [theirs[key] / seconds for seconds, theirs in times]
        rate = messages / statistics.median(theirs[key] for _, theirs in times)
        print(f"  {key}: {rate:,.0f} a second, ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
