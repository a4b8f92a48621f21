"""`careconcerns serve` as a real process, in a data folder of its own, on free ports."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bot.settings import Settings
from storage.database import Database
from storage.encryption import load_key_file
from tests.factories import PASSWORD
from tests.waiting import wait_for

CAREC = [sys.executable, "-m", "bot.cli"]
_ADDRESS = re.compile(r"Mail comes in:\s+(\S+):(\d+)")
_START_SECONDS = 170.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> set[int]:
    """The ids of all processes that come from this one."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    wanted = [pid]
    while wanted:
        children = parents.get(wanted.pop(), [])
        found.update(children)
        wanted += children
    return found


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> list[str]:
    """The words of its command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


class Service:
    """One machine's service: started, killed and started again on the same folder and ports."""

    program = CAREC

    def __init__(self, folder: Path, **changes: str) -> None:
        self.data_dir = folder / "var"
        self.folder = folder
        self.smtp_port, self.web_port = free_port(), free_port()
        chosen = {
            "data_dir": str(self.data_dir),
            "demonstration": "false",
            "encoder": "false",
            "pulse_minutes": "0",
            "smtp_port": str(self.smtp_port),
            "web_port": str(self.web_port),
        } | changes
        self._env = {f"CARECONCERNS_{name.upper()}": value for name, value in chosen.items()}
        self.settings = Settings(
            data_dir=self.data_dir, demonstration=False, database_url=chosen.get("database_url", "")
        )
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self._seen: set[int] = set()
        self._starts = 0

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of every command."""
        return {
            name: value for name, value in os.environ.items() if not name.startswith("CARECONCERNS_")
        } | self._env

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the program to its end."""
        return subprocess.run(
            [*self.program, *words],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def add_lead(self, email: str = "ada@council.example") -> None:
        """A lead, added by the command line."""
        done = self.command("add-lead", email, "--name", "Ada", "--password", PASSWORD)
        assert done.returncode == 0, done.stderr

    def start(self, *, only: str = "") -> float:
        """Start and wait until it says that it runs; returns after how many seconds."""
        began = time.monotonic()
        self._starts += 1
        self.process = subprocess.Popen(
            [*self.program, "serve", *(["--only", only] if only else [])],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        wait_for(self._is_up, seconds=_START_SECONDS, what="the start")
        self.note_children()
        return time.monotonic() - began

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.output.extend(process.stdout)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "".join(self.output)
        return sum("Ctrl-C stops it." in line for line in self.output) == self._starts

    def note_children(self) -> set[int]:
        """All processes of the service that are there now; remembered, to look for them later."""
        assert self.process is not None
        children = children_of(self.process.pid)
        self._seen |= children
        return children

    def parts(self, name: str) -> list[int]:
        """The processes of the parts of that name, such as "worker"."""
        return [
            pid for pid in self.note_children() if any(word.startswith(name) for word in command_of(pid)[-2:])
        ]

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        assert self.process is not None
        self.note_children()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.process = None
        return code

    def kill_everything(self) -> None:
        """SIGKILL for the supervisor and every process below it, as a power cut would."""
        assert self.process is not None
        for pid in [self.process.pid, *self.note_children()]:
            _kill(pid)
        self.process.wait(10)
        wait_for(lambda: not self.left_over(), seconds=20, what="the end of killed processes")
        self.process = None

    def kill_supervisor(self) -> None:
        """SIGKILL for the supervisor alone."""
        assert self.process is not None
        self.note_children()
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def left_over(self) -> list[int]:
        """Children seen before that still run."""
        return [pid for pid in self._seen if is_running(pid)]

    def close(self) -> None:
        """End whatever still runs."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.stop()
        if self.process is not None:
            self.kill_everything()
        for pid in self.left_over():
            _kill(pid)

    def send(self, mail: bytes, *, sender: str = "susan@family.example") -> None:
        """Hand a mail over; returns when the service said `250`."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=30) as server:
            server.sendmail(sender, ["care.concerns@council.example"], mail)

    def database(self) -> Database:
        """Its database, opened here."""
        return Database(self.settings.url, load_key_file(self.settings.keys_path), pool_size=2)

    def mails(self, kind: str) -> list[Path]:
        """The mails of a kind in its outbox, such as "acknowledgement"."""
        return sorted(self.settings.outbox.glob(f"{kind}-*.eml"))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
