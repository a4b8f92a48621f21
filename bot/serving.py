"""`serve`: one process for each part (mail listener, web pages, workers), all started, watched and stopped here.

The parts are kept apart so that no part's fault or load can hold up the taking in of messages.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.app import App, build_app
from bot.background import Worker
from bot.liveness import PART_SILENCE, SIGN_SECONDS
from bot.pulse import PulseSender
from bot.settings import Settings
from bot.smtp_in import Listener
from storage.signs import note_sign
from triage.errors import BadInput

log = logging.getLogger(__name__)

PARTS = ("smtp", "imap", "slack", "web", "worker")
READY = "ready"
PART_COMMAND = (sys.executable, "-m", "bot.cli", "run-part")
# A machine that is busy with its own start after a power cut takes its time.
_START_SECONDS = 180.0
_STOP_SECONDS = 15.0
_MOST_RESTART_WAIT = 30.0


def parts_of(only: str, settings: Settings) -> list[str]:
    """The names of the processes to run, such as "worker-2"; BadInput for a part that is unknown."""
    wanted = [part.strip() for part in only.split(",") if part.strip()] or list(PARTS)
    for part in wanted:
        if part not in PARTS:
            raise BadInput(f"there is no part {part!r}: choose from {', '.join(PARTS)}")
    if "imap" in wanted and not settings.imap_host:
        if only.strip():
            raise BadInput("fetching mail needs CARECONCERNS_IMAP_HOST")
        wanted.remove("imap")
    if "slack" in wanted and not settings.slack_is_set:
        if only.strip():
            raise BadInput("Slack needs CARECONCERNS_SLACK_BOT_TOKEN, and its app token or signing secret")
        wanted.remove("slack")
    names = [part for part in wanted if part != "worker"]
    if "worker" in wanted:
        names += [f"worker-{number}" for number in range(1, settings.workers + 1)]
    return names


@dataclass
class _Part:
    name: str
    process: subprocess.Popen[str]
    started: float
    ready: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    again_at: float | None = None


class Supervisor:
    """Runs the parts as child processes; one that dies is started again."""

    def __init__(self, names: Sequence[str], *, say: Callable[[str], None]) -> None:
        self._names = names
        self._say = say
        self._stopping = threading.Event()
        self._parts: dict[str, _Part] = {}
        self._restarts: dict[str, int] = {}

    def start(self) -> dict[str, str]:
        """Start every part and wait until each is ready; returns their addresses by name."""
        for name in self._names:
            self._parts[name] = self._spawn(name)
        deadline = time.monotonic() + _START_SECONDS
        for part in self._parts.values():
            while not part.ready.wait(0.1):
                if part.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise BadInput(f"{part.name} did not start: see the lines above")
        return {name: part.address for name, part in self._parts.items()}

    def watch(self) -> None:
        """Until `stop` is asked for, start again whatever dies, with a growing wait."""
        while not self._stopping.wait(0.3):
            for name, part in list(self._parts.items()):
                if part.process.poll() is not None and not self._stopping.is_set():
                    self._start_again(name, part)

    def _start_again(self, name: str, part: _Part) -> None:
        # Its turn is noted, not waited for: another part may die meanwhile.
        if part.again_at is None:
            quick = time.monotonic() - part.started < 60
            count = self._restarts[name] = self._restarts.get(name, 0) + 1 if quick else 1
            wait = min(2.0 ** (count - 1), _MOST_RESTART_WAIT)
            part.again_at = time.monotonic() + wait
            self._say(f"{name} stopped (exit {part.process.returncode}); starting it again in {wait:.0f} s")
        elif time.monotonic() >= part.again_at:
            self._parts[name] = self._spawn(name)

    def ask_to_stop(self) -> None:
        """Make `watch` return; safe in a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop every part, gently, then for certain."""
        self._stopping.set()
        for part in self._parts.values():
            if part.process.poll() is None:
                part.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for part in self._parts.values():
            try:
                part.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()

    def _spawn(self, name: str) -> _Part:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and our own part
            [*PART_COMMAND, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ,
        )
        part = _Part(name, process, time.monotonic())
        threading.Thread(target=self._listen, args=(part,), name=f"listen-{name}", daemon=True).start()
        return part

    def _listen(self, part: _Part) -> None:
        if part.process.stdout is None:
            return
        for line in part.process.stdout:
            if line.startswith(f"{READY} "):
                part.address = line.removeprefix(f"{READY} ").strip()
                part.ready.set()
            else:
                self._say(f"[{part.name}] {line.rstrip()}")


def run_part(name: str, settings: Settings) -> None:
    """Be one part until told to stop, or until the supervisor is gone."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_stop_with_parent, args=(stop,), name="parent", daemon=True).start()
    kind = name.partition("-")[0]
    runs = {"smtp": _run_smtp, "imap": _run_imap, "slack": _run_slack, "web": _run_web, "worker": _run_worker}
    runs[kind](name, settings, stop)


def _stop_with_parent(stop: threading.Event) -> None:
    # The supervisor holds the other end of our standard input: when it dies, however it dies, this ends.
    # Read without sys.stdin, whose lock a thread that waits in it would hold against the end of the process.
    while os.read(0, 1):
        pass
    stop.set()


def _say_ready(address: str) -> None:
    print(f"{READY} {address}", flush=True)  # noqa: T201  the supervisor waits for this line


def _show_life(app: App, name: str, stop: threading.Event) -> None:
    """Until told to stop, note every while that this part is there."""
    while not stop.is_set():
        try:
            with app.database.write() as session:
                note_sign(session, name, datetime.now(UTC), silence=PART_SILENCE)
        except Exception as error:  # noqa: BLE001  the silence itself is what the desk shows
            log.warning("no sign of life: %s", type(error).__name__)
        stop.wait(SIGN_SECONDS)


def _run_smtp(_name: str, settings: Settings, stop: threading.Event) -> None:
    app = build_app(settings)
    listener = Listener(app.intake, settings)
    listener.start()
    _say_ready(f"{settings.smtp_host}:{listener.bound_port}")
    pulse = PulseSender(app, listener.bound_port)
    pulse.start()
    _show_life(app, "smtp", stop)
    pulse.stop()
    listener.stop()
    app.close()


def _run_imap(_name: str, settings: Settings, stop: threading.Event) -> None:
    from bot.imap_in import MailboxReader  # noqa: PLC0415  the other parts need no IMAP

    app = build_app(settings)
    reader = MailboxReader(app)
    reader.start()
    _say_ready(f"{settings.imap_host}:{settings.imap_port}")
    stop.wait()
    reader.stop()
    app.close()


def _run_web(_name: str, settings: Settings, stop: threading.Event) -> None:
    from bot.web.server import serve_web  # noqa: PLC0415  the other parts need no web pages

    app = build_app(settings)
    server = serve_web(app, host=settings.web_host, port=settings.web_port)
    _say_ready(f"{settings.web_host}:{server.port}")
    _show_life(app, "web", stop)
    server.stop()
    app.close()


def _run_slack(_name: str, settings: Settings, stop: threading.Event) -> None:
    from bot.slack_in import SlackPart  # noqa: PLC0415  the other parts need no Slack

    app = build_app(settings)
    part = SlackPart(app)
    part.start()
    _say_ready(part.address)
    stop.wait()
    part.stop()
    app.close()


def _run_worker(name: str, settings: Settings, stop: threading.Event) -> None:
    from bot.email_parsing import close_shared_pool  # noqa: PLC0415
    from bot.workflows import jobs, what_the_clock_brings  # noqa: PLC0415  brings the language libraries

    app = build_app(settings)
    app.predictors()
    worker = Worker(
        app.database,
        jobs(app),
        executor_id=f"{settings.worker_name or socket.gethostname()}-{name}",
        threads=settings.worker_threads,
        silence_seconds=settings.worker_silence_seconds,
    )
    worker.start(lambda now: what_the_clock_brings(app, now))
    _say_ready("")
    stop.wait()
    worker.stop()
    close_shared_pool()
    app.close()
