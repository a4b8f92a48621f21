"""Limits of the mail port: what is too much is refused politely, and never costs a message that was accepted."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bot.app import App
from tests.bot.mail_client import MailClient
from tests.bot.mail_listening import listening, stored
from tests.waiting import wait_for

SIZE = 20_000


def test_the_largest_size_is_announced(app: App) -> None:
    """So that a relay refuses a larger message before it sends it."""
    with listening(app, smtp_max_bytes=SIZE) as listener, MailClient(listener.bound_port) as client:
        assert f"SIZE {SIZE}\r\n" in client.say("EHLO client.example")


def test_a_message_of_the_largest_size_is_taken_and_a_byte_more_is_not(app: App) -> None:
    """The session goes on after the refusal."""
    with listening(app, smtp_max_bytes=SIZE) as listener, MailClient(listener.bound_port) as client:
        fits = b"x" * (SIZE - 2) + b"\r\n"
        assert client.hello().deliver(b"x" + fits).startswith("552")
        assert client.deliver(fits).startswith("250")
    assert stored(app) == [fits]


def test_an_announced_size_that_is_too_large_is_refused_at_once(app: App) -> None:
    """Before anything is sent."""
    with listening(app, smtp_max_bytes=SIZE) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        assert client.say(f"MAIL FROM:<a@b.example> SIZE={SIZE + 1}").startswith("552")
        assert client.say(f"MAIL FROM:<a@b.example> SIZE={SIZE}").startswith("250")


def test_what_follows_a_refused_message_is_not_taken_for_commands(app: App) -> None:
    """A message that is too big is read to its end, whatever is in it."""
    with listening(app, smtp_max_bytes=SIZE) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(b"x" * SIZE + b"\r\nQUIT\r\n").startswith("552")
        assert client.say("NOOP").startswith("250")


def test_a_client_that_sends_without_end_is_hung_up_on(app: App) -> None:
    """After twice the largest size."""
    with listening(app, smtp_max_bytes=SIZE) as listener, MailClient(listener.bound_port) as client:
        client.hello().begin_message()
        with pytest.raises(OSError, match=r"reset|pipe"):
            _send_again_and_again(client, b"x" * SIZE)


def test_bytes_over_all_sessions_are_limited_and_given_back(app: App) -> None:
    """While one session holds most of the room, others are asked to come again; then there is room once more."""
    limits = {"smtp_max_bytes": 1_000_000, "smtp_bytes_in_flight": 1_000_000}
    big = b"x" * 699_998 + b"\r\n"
    with listening(app, **limits) as listener:
        in_flight = listener.sessions.in_flight
        with MailClient(listener.bound_port) as first, MailClient(listener.bound_port) as second:
            first.hello().begin_message().send(big)
            wait_for(lambda: in_flight.held > 500_000, what="the first message")
            assert second.hello().deliver(big).startswith("452")
            assert second.say("MAIL FROM:<a@b.example> SIZE=900000").startswith("452")
            assert first.end_message(b"").startswith("250")
            assert second.deliver(big).startswith("250")
        assert in_flight.held == 0
    assert stored(app) == [big, big]


def test_bytes_of_a_client_that_hung_up_are_given_back(app: App) -> None:
    """Else the port would close itself bit by bit."""
    with listening(app) as listener:
        with MailClient(listener.bound_port) as client:
            client.hello().begin_message().send(b"x" * 3_000_000)
            wait_for(lambda: listener.sessions.in_flight.held > 2_000_000, what="the message")
        wait_for(lambda: listener.sessions.in_flight.held == 0, what="giving back")


def test_sessions_are_limited(app: App) -> None:
    """One too many is told 421, and there is room when another has gone."""
    with listening(app, smtp_sessions=2) as listener:
        clients = [MailClient(listener.bound_port) for _ in range(2)]
        with MailClient(listener.bound_port) as one_too_many:
            assert one_too_many.greeting.startswith("421")
            assert one_too_many.is_closed()
        clients.pop().close()
        wait_for(lambda: len(listener.sessions.open) == 1, what="the end of the session")
        with MailClient(listener.bound_port) as another:
            assert another.hello().deliver(b"x\r\n").startswith("250")
        clients.pop().close()


def test_recipients_are_limited(app: App) -> None:
    """Those before the limit get the message."""
    with listening(app, smtp_recipients=2) as listener, MailClient(listener.bound_port) as client:
        client.hello().say("MAIL FROM:<a@b.example>")
        codes = [client.say(f"RCPT TO:<{n}@council.example>")[:3] for n in range(3)]
        assert codes == ["250", "250", "452"]
        client.say("DATA")
        assert client.end_message(b"x\r\n").startswith("250")


def test_commands_are_limited(app: App) -> None:
    """Neither the same one for ever, nor nonsense, nor one without end."""
    with listening(app) as listener:
        with MailClient(listener.bound_port) as client:
            replies = [client.say("NOOP")[:3] for _ in range(501)]
            assert (replies[499], replies[500]) == ("250", "421")
            assert client.is_closed()
        with MailClient(listener.bound_port) as client:
            replies = [client.say("GET / HTTP/1.1")[:3] for _ in range(5)]
            assert replies == ["500"] * 4 + ["502"]
            assert client.is_closed()
        with MailClient(listener.bound_port) as client:
            assert client.say("NOOP " + "x" * 300_000).startswith("500")
            assert client.say("NOOP").startswith("250")


def test_a_silent_client_is_hung_up_on(app: App) -> None:
    """And so is one that keeps talking for too long."""
    with listening(app) as listener:
        listener.sessions.settings = listener.sessions.settings.model_copy(
            update={"smtp_timeout_seconds": 1, "smtp_session_seconds": 3}
        )
        with MailClient(listener.bound_port) as silent:
            assert silent.reply().startswith("421 4.4.2 Nothing")
            assert silent.is_closed()
        with MailClient(listener.bound_port) as talking:
            replies: list[str] = []
            while not replies or replies[-1].startswith("250"):
                assert len(replies) < 100
                time.sleep(0.2)
                replies.append(talking.say("NOOP"))
            assert replies[-1].startswith("421 4.4.2 The session took too long") or talking.is_closed()


def test_a_client_that_reads_nothing_is_cut_off(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The goodbye can never be sent, and the session ends all the same."""
    monkeypatch.setattr("bot.smtp_in.session._GRACE_SECONDS", 0.2)
    monkeypatch.setattr("bot.smtp_in.session._COMMANDS", 10_000_000)
    with listening(app) as listener:
        listener.sessions.settings = listener.sessions.settings.model_copy(update={"smtp_timeout_seconds": 1})
        with MailClient(listener.bound_port) as deaf:
            deaf.hello()
            (session,) = listener.sessions.open
            assert session.transport is not None
            ours = session.transport.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                _send_again_and_again(deaf, b"VRFY a\r\n" * 10_000)
            wait_for(lambda: not listener.sessions.open, seconds=20, what="the end of the session")


def test_fifty_large_messages_at_once_leave_the_memory_small(tmp_path: Path) -> None:
    """The listener as a process of its own: it refuses some for now and stays under 600 MB."""
    environment = os.environ | {
        "CARECONCERNS_DATA_DIR": str(tmp_path / "var"),
        "CARECONCERNS_SMTP_PORT": "0",
        "CARECONCERNS_DEMONSTRATION": "false",
    }
    command = [sys.executable, "-m", "bot.cli", "serve", "--only", "smtp"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as service:
        try:
            port = _announced_port(service)
            replies = _send_at_once(port, sessions=50, size=20_000_000)
            peak = max(_peak_mb(pid) for pid in _children(service.pid))
        finally:
            service.terminate()
            service.wait(30)
    assert set(replies) <= {"250", "452"}
    assert replies.count("250") >= 5
    assert peak < 600


def _send_again_and_again(client: MailClient, data: bytes) -> None:
    for _ in range(10_000):
        client.socket.send(data)


def _announced_port(service: subprocess.Popen[str]) -> int:
    assert service.stdout is not None
    for line in service.stdout:
        if found := re.search(r"127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("the service said no port")


def _send_at_once(port: int, *, sessions: int, size: int) -> list[str]:
    data = (b"x" * 998 + b"\r\n") * (size // 1_000)
    replies: list[str] = []

    def send() -> None:
        with MailClient(port) as client:
            client.socket.settimeout(120)
            replies.append(client.hello().deliver(data)[:3])

    threads = [threading.Thread(target=send) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == sessions
    return replies


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024
