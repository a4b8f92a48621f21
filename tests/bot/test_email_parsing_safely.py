"""Reading in a child: the same message, and whatever happens to the child, the next one is read."""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.email_parsing import DEFAULT_LIMITS, ParseLimits, parse_email, parse_email_safely
from bot.email_parsing import safely as safely_module
from bot.email_parsing.safely import ReaderPool
from tests.bot.email_bytes import attached, mail, multipart, part
from triage.errors import CannotRead
from triage.vocabulary import Channel

ROOT = Path(__file__).resolve().parents[2]
QUICK = ParseLimits(wall_seconds=1.0, cpu_seconds=30, memory_mib=1024)


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    """One child whose reader does as the message says."""
    pool = ReaderPool(size=1, read_path="tests.bot.misbehaving_reader:read")
    yield pool
    pool.close()


def _read(pool: ReaderPool, body: str, limits: ParseLimits = QUICK) -> str:
    return pool.read(mail(body), Channel.EMAIL, limits).text


def test_a_child_reads_the_same_message() -> None:
    """Every field comes back as it was, files included."""
    raw = multipart(
        "mixed", part("Mum’s bill\n> old"), attached(bytes(range(256)), "image/png", "é.png"), cc="J <j@x.example>",
        in_reply_to="<0@x.example>", reply_to="Tom <t@x.example>",
    )  # fmt: skip
    assert parse_email_safely(raw, channel=Channel.BY_HAND) == parse_email(raw, channel=Channel.BY_HAND)


@pytest.mark.parametrize(
    ("body", "limits", "reason"),
    [
        ("please hang", QUICK, "it took too long to read"),
        ("please spin", ParseLimits(wall_seconds=20, cpu_seconds=1), "it took too long to read"),
        ("please grow", QUICK, "it took too much memory to read"),
        ("please crash", QUICK, "reading it stopped the reader"),
        ("please raise", QUICK, "reading it stopped the reader"),
        ("please write", QUICK, "reading it stopped the reader"),
    ],
)
def test_a_child_that_fails_cannot_read_and_the_next_message_is_read(
    pool: ReaderPool, caplog: pytest.LogCaptureFixture, body: str, limits: ParseLimits, reason: str
) -> None:
    """Hangs, memory bombs and crashes cost one message, and tell nothing of its content."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CannotRead) as refused:
        _read(pool, body, limits)
    assert refused.value.reason == reason
    assert body not in caplog.text
    assert "secret" not in caplog.text
    assert _read(pool, "She fell.") == "She fell."


def test_a_hang_ends_in_time(pool: ReaderPool) -> None:
    """The limit on wall time is kept within a second."""
    began = time.monotonic()
    with pytest.raises(CannotRead):
        _read(pool, "please hang")
    assert time.monotonic() - began < QUICK.wall_seconds + 1


def test_one_child_reads_many_messages_and_is_replaced_in_time(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays warm, but not forever."""
    monkeypatch.setattr(safely_module, "MOST_MESSAGES_PER_CHILD", 3)
    numbers = [_read(pool, "please tell your number") for _ in range(8)]
    assert 3 <= len(set(numbers)) <= 4


def test_a_child_that_died_between_two_messages_is_replaced(pool: ReaderPool) -> None:
    """That it died is not the next message's fault."""
    os.kill(int(_read(pool, "please tell your number")), 9)
    time.sleep(0.1)
    assert _read(pool, "She fell.") == "She fell."


def test_a_child_does_not_know_our_secrets(pool: ReaderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment stay out of the process that reads strangers' bytes."""
    monkeypatch.setenv("CARECONCERNS_KEY", "secret")
    pool.close()
    assert "CARECONCERNS_KEY" not in _read(pool, "please tell your environment")


def test_threads_share_the_children() -> None:
    """Each gets its own message back."""
    pool = ReaderPool(size=2)
    bodies = [f"Message number {number}." for number in range(40)]
    try:
        with ThreadPoolExecutor(8) as threads:
            read = list(threads.map(lambda body: _read(pool, body, DEFAULT_LIMITS), bodies))
    finally:
        pool.close()
    assert read == bodies


def test_a_process_leaves_no_child_behind() -> None:
    """Neither when it ends by itself nor when it is killed in the middle of a hang."""
    program = (
        "import sys, threading, time; from bot.email_parsing.safely import ReaderPool;"
        "from bot.email_parsing import ParseLimits; from triage.vocabulary import Channel;"
        "pool = ReaderPool(1, 'tests.bot.misbehaving_reader:read'); limits = ParseLimits(wall_seconds=1);"
        "print(pool.read(b'Subject: x\\n\\nplease tell your number', Channel.EMAIL, limits).text, flush=True);"
        "threading.Thread(target=pool.read, args=(b'Subject: x\\n\\nplease hang', Channel.EMAIL, limits)).start();"
        "time.sleep(0.3); print('hanging', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "hanging\n"
        parent.kill()
    assert _is_gone_within(child, seconds=6)


def test_a_process_that_ends_takes_its_children_along() -> None:
    """The shared pool is closed at exit."""
    program = (
        "from bot.email_parsing import parse_email_safely; from bot.email_parsing.safely import shared_pool;"
        "parse_email_safely(b'Subject: x\\n\\nShe fell.');"
        "print(shared_pool()._idle.queue[-1]._process.pid)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    assert _is_gone_within(int(ended.stdout), seconds=2)


def _is_gone_within(process: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_message_that_is_too_large_is_not_even_sent() -> None:
    """The limit on bytes needs no child."""
    with pytest.raises(CannotRead, match="larger than 0 MB"):
        parse_email_safely(mail(), limits=ParseLimits(most_bytes=10))


def test_a_child_costs_little_more_than_reading_here() -> None:
    """Less than 15 ms over reading in this process, at the median."""
    raw = mail("She was left in bed again.\r\n" * 20)
    parse_email_safely(raw)
    assert _median_ms(lambda: parse_email_safely(raw)) - _median_ms(lambda: parse_email(raw)) < 15


def _median_ms(run: object) -> float:
    assert callable(run)
    taken = []
    for _ in range(30):
        began = time.perf_counter()
        run()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def test_a_forked_process_starts_readers_of_its_own() -> None:
    """Two processes never talk into one socket."""
    parse_email_safely(mail())
    program = (
        "import os; from bot.email_parsing import parse_email_safely;"
        "parse_email_safely(b'Subject: x\\n\\nfirst'); pid = os.fork();"
        "text = parse_email_safely(b'Subject: x\\n\\nShe fell.').text; assert text == 'She fell.';"
        "os._exit(0) if not pid else None; print(os.waitpid(pid, 0)[1])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "0\n"


def test_no_thread_is_left_behind(pool: ReaderPool) -> None:
    """Reading starts no threads that outlive it."""
    before = threading.active_count()
    _read(pool, "She fell.")
    assert threading.active_count() == before
