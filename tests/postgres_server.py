"""A real PostgreSQL server for the tests: Debian's binaries, a temporary folder, a Unix socket, default fsync."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

_BINARIES = Path("/usr/lib/postgresql")
_USER = "postgres"
_START_SECONDS = 60.0


def binaries() -> Path:
    """The folder of the newest server's programs; AssertionError where PostgreSQL is not installed."""
    found = sorted(_BINARIES.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    assert found, "PostgreSQL is missing: script/test installs Debian's package `postgresql`"
    return found[-1].parent


class PostgresServer:
    """A running server, reached through a socket in its own folder; it ends with this process."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="careconcerns-pg-"))
        self._log = self.folder / "log"
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER, _USER)
        data = self.folder / "data"
        self._run([binaries() / "initdb", "-D", data, "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-sync"])
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "max_connections": 200}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._command = [
            *self._as_user(),
            "--pdeathsig",
            "INT",
            binaries() / "postgres",
            "-D",
            data,
            *options,
        ]
        self.start_again()

    def start_again(self) -> None:
        """Start the server, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd="/")
        self._wait()

    def crash(self) -> None:
        """End it without a word to anybody who is connected; `start_again` brings back what was committed."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def _as_user(self) -> list[str]:
        # PostgreSQL refuses to run as root.
        other = ["--reuid", _USER, "--regid", _USER, "--init-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *other]

    def _run(self, command: list[Any]) -> None:
        words = [str(word) for word in command]
        if os.geteuid() == 0:
            words = [*self._as_user(), *words]
        done = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stderr

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("select 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def execute(self, statement: str) -> None:
        """Run a statement as the owner of everything."""
        with psycopg.connect(
            host=str(self.folder), user=_USER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def create_database(self, template: str = "template1") -> str:
        """A new database; returns its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"create database {name} template {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Take it away, whoever is still connected."""
        self.execute(f"drop database if exists {name} with (force)")

    def url(self, name: str) -> str:
        """The address of a database as the setting wants it."""
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.folder}"

    def stop(self) -> None:
        """Stop fast and clear the folder away."""
        self._process.send_signal(2)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
