"""The mail listener: durable accept rate, time from end of data to 250, memory under load."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.measured import CannotMeasure, Measured, ratio, spread
from tests.bench.private_postfix import PrivatePostfix
from tests.bot.mail_client import MailClient
from tests.postgres_server import PostgresServer

_SOURCE = Path("/usr/sbin/smtp-source")
_SESSIONS = 20
_MESSAGE_BYTES = 4_096
_MESSAGES = 1_500
_ROUNDS = 5
_LATENCY_ROUNDS = 3
_LATENCY_SECONDS = 4.0
# The listener ends a session after five hundred commands of a kind.
_MOST_A_SESSION = 450
_BIG_SESSIONS = 50
_BIG_BYTES = 20_000_000


def smtp_sqlite() -> Iterator[Measured]:
    """Against the same aiosmtpd with a handler that stores nothing, our own session, and Postfix."""
    with ExitStack() as running:
        ports = {kind: running.enter_context(_server(kind)) for kind in ("bare", "idle", "ours")}
        missing = ""
        try:
            ports["postfix"] = running.enter_context(PrivatePostfix()).port
        except CannotMeasure as error:
            missing = str(error)
        rates = _rates(ports)
    yield _compared("durable mail on SQLite / aiosmtpd that stores nothing", rates, "bare", 0.8)
    yield _compared("durable mail on SQLite / our session that stores nothing", rates, "idle", None)
    if missing:
        raise CannotMeasure(f"the comparison with Postfix: {missing}")
    yield _compared("durable mail on SQLite / Postfix into its queue", rates, "postfix", 1.0)


def smtp_postgres() -> Iterator[Measured]:
    """As `smtp_sqlite`, on a PostgreSQL server of our own with its default fsync."""
    with ExitStack() as running:
        url = running.enter_context(_postgres())
        ports = {
            "bare": running.enter_context(_server("bare")),
            "ours": running.enter_context(_server("ours", CARECONCERNS_DATABASE_URL=url)),
        }
        rates = _rates(ports)
    yield _compared("durable mail on PostgreSQL / aiosmtpd that stores nothing", rates, "bare", 0.6)


def smtp_p99() -> Iterator[Measured]:
    """From the last byte of the data to 250, with twenty sessions, while one loop writes and syncs a file."""
    ours, bare = [], []
    with _server("ours") as port, tempfile.TemporaryDirectory(prefix="careconcerns-bench-") as folder:
        asyncio.run(_latencies(port, seconds=1.0))
        for _ in range(_LATENCY_ROUNDS):
            syncs: list[float] = []
            beside = threading.Thread(
                target=_sync_loop, args=(Path(folder) / "file", _LATENCY_SECONDS, syncs)
            )
            beside.start()
            ours.append(_p99(asyncio.run(_latencies(port, seconds=_LATENCY_SECONDS))) * 1_000)
            beside.join()
            bare.append(_p99(syncs) * 1_000)
    yield Measured(
        "p99 from end of data to 250 / p99 of a bare fsync loop beside it",
        ratio(ours, bare),
        detail=f"{spread(ours)} ms / {spread(bare)} ms",
        at_most=5,
    )


def memory() -> Iterator[Measured]:
    """The most memory that the listener took while 50 sessions sent 20 MB each at once."""
    replies: list[str] = []
    pids: list[int] = []
    with _server("ours", pids) as port:
        data = (b"x" * 998 + b"\r\n") * (_BIG_BYTES // 1_000)

        def send() -> None:
            with MailClient(port) as client:
                client.socket.settimeout(60)
                replies.append(client.hello().deliver(data)[:3])

        threads = [threading.Thread(target=send) for _ in range(_BIG_SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peak = peak_mb(pids[0])
    counted = ", ".join(f"{replies.count(code)} x {code}" for code in sorted(set(replies)))
    yield Measured("mail listener under 50 sessions of 20 MB", peak, "MB", counted, at_most=600)


def peak_mb(pid: int) -> float:
    """The most memory that a process ever had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def _server(kind: str, pids: list[int] | None = None, **environment: str) -> Iterator[int]:
    """A running tests.bench.mail_server; its port."""
    with tempfile.TemporaryDirectory(prefix="careconcerns-bench-") as folder:
        settings = {
            "CARECONCERNS_DATA_DIR": folder,
            "CARECONCERNS_SMTP_PORT": "0",
            "CARECONCERNS_DEMONSTRATION": "false",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.mail_server", kind],
            env=os.environ | settings | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                if pids is not None:
                    pids.append(process.pid)
                assert process.stdout is not None
                yield int(process.stdout.readline())
            finally:
                process.kill()


@contextmanager
def _postgres() -> Iterator[str]:
    try:
        server = PostgresServer()
    except AssertionError as error:
        raise CannotMeasure(str(error)) from None
    try:
        yield server.url(server.create_database())
    finally:
        server.stop()


def _rates(ports: Mapping[str, int]) -> dict[str, list[float]]:
    """Messages a second of each server, round by round; another one begins each round."""
    if not _SOURCE.exists():
        raise CannotMeasure("smtp-source is missing: it is in Debian's package `postfix`")
    rates: dict[str, list[float]] = {name: [] for name in ports}
    order = list(ports)
    for name in order:
        _send(ports[name], _MESSAGES // 4)
    for _ in range(_ROUNDS):
        for name in order:
            started = time.perf_counter()
            _send(ports[name], _MESSAGES)
            rates[name].append(_MESSAGES / (time.perf_counter() - started))
        order = order[1:] + order[:1]
    return rates


def _send(port: int, messages: int) -> None:
    numbers = ["-s", _SESSIONS, "-l", _MESSAGE_BYTES, "-m", messages]
    addresses = ["-f", "a@b.example", "-t", "desk@council.example", f"127.0.0.1:{port}"]
    subprocess.run([str(word) for word in [_SOURCE, *numbers, *addresses]], check=True, timeout=60)


def _compared(what: str, rates: Mapping[str, list[float]], other: str, at_least: float | None) -> Measured:
    detail = f"{spread(rates['ours'])} / {spread(rates[other])} a second"
    return Measured(what, ratio(rates["ours"], rates[other]), detail=detail, at_least=at_least)


async def _latencies(port: int, *, seconds: float) -> list[float]:
    end = time.perf_counter() + seconds
    each = await asyncio.gather(*(_one_session(port, end) for _ in range(_SESSIONS)))
    return [latency for session in each for latency in session]


async def _one_session(port: int, end: float) -> list[float]:
    data = b"Subject: bench\r\n\r\n" + (b"x" * 62 + b"\r\n") * (_MESSAGE_BYTES // 64) + b".\r\n"
    latencies = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()

    async def say(words: bytes) -> None:
        writer.write(words)
        reply = await reader.readline()
        assert reply[:1] in b"23", reply

    await say(b"HELO bench.example\r\n")
    while time.perf_counter() < end and len(latencies) < _MOST_A_SESSION:
        await say(b"MAIL FROM:<a@b.example>\r\n")
        await say(b"RCPT TO:<desk@council.example>\r\n")
        await say(b"DATA\r\n")
        started = time.perf_counter()
        await say(data)
        latencies.append(time.perf_counter() - started)
    await say(b"QUIT\r\n")
    writer.close()
    return latencies


def _sync_loop(path: Path, seconds: float, times: list[float]) -> None:
    end = time.perf_counter() + seconds
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while time.perf_counter() < end:
            started = time.perf_counter()
            os.write(descriptor, b"x" * _MESSAGE_BYTES)
            os.fsync(descriptor)
            times.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
