"""Jobs: asked for in the caller's own transaction, done once, tried again, given up in plain sight."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError

from bot.app import App
from bot.background import ALERT_QUEUE, FILE_QUEUE, MAIL_QUEUE, TRIAGE_QUEUE, Job, Worker, unfinished
from storage.oversight import live_workers
from tests.factories import NOW
from tests.waiting import wait_for
from triage.errors import TryAgainLater

SECRET = "Bernadette was punched"


@dataclass
class Record:
    """What jobs did, from any thread."""

    ran: list[str] = field(default_factory=list)
    gave_up: list[tuple[str, str]] = field(default_factory=list)
    beats: list[datetime] = field(default_factory=list)
    passing: set[str] = field(default_factory=set)
    hold: threading.Event = field(default_factory=threading.Event)

    def run(self, subject_id: str) -> None:
        """Do it, or fail as the id says."""
        self.ran.append(subject_id)
        if subject_id == "bug":
            raise KeyError(SECRET)
        if subject_id == "later" and self.ran.count("later") < 2:
            raise TryAgainLater("message later")
        if subject_id == "away" and self.ran.count("away") < 3:
            kind = InterfaceError if self.ran.count("away") == 2 else OperationalError
            raise kind("insert", {}, Exception(SECRET))
        if subject_id == "long":
            self.hold.wait(30)

    def give_up(self, subject_id: str, why: str) -> None:
        """Note that all attempts failed."""
        self.gave_up.append((subject_id, why))


@pytest.fixture
def record() -> Record:
    """An empty record."""
    return Record()


@pytest.fixture
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that look round often, and try again soon."""
    monkeypatch.setattr("bot.background._HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr("bot.background._FIRST_WAIT_SECONDS", 0.1)


@pytest.fixture
def worker(either_app: App, record: Record) -> Iterator[Worker]:
    """A worker that does the record's jobs."""
    jobs = [
        Job("think", TRIAGE_QUEUE, run=record.run, give_up=record.give_up),
        Job("tell", MAIL_QUEUE, run=record.run, give_up=record.give_up),
    ]
    made = Worker(either_app.database, jobs, executor_id="here-worker-1", threads=2, silence_seconds=30)
    made.start(record.beats.append)
    yield made
    record.hold.set()
    made.stop()


def ask(app: App, *subject_ids: str, again: str = "") -> None:
    """Ask for the jobs in one transaction."""
    with app.database.write() as session:
        for subject_id in subject_ids:
            app.background.enqueue(session, TRIAGE_QUEUE, "think", subject_id, again=again)


def test_a_job_is_asked_for_with_the_callers_transaction_or_not_at_all(either_app: App) -> None:
    """Undone, it was never asked for; asked for twice, it is there once."""
    with either_app.database.write() as session:
        either_app.background.enqueue(session, TRIAGE_QUEUE, "think", "one")
        session.rollback()
    assert unfinished(either_app.database) == {}
    ask(either_app, "one")
    ask(either_app, "one")
    assert unfinished(either_app.database) == {"ENQUEUED": 1}
    ask(either_app, "one", again="20261120T1030")
    assert unfinished(either_app.database) == {"ENQUEUED": 2}


def test_many_jobs_are_asked_for_together_as_one_by_one(either_app: App) -> None:
    """Alone or together, each is there once."""
    ask(either_app, "b")
    with either_app.database.write() as session:
        either_app.background.enqueue_many(session, TRIAGE_QUEUE, "think", ["a", "b", "c"])
        session.flush()
    assert unfinished(either_app.database) == {"ENQUEUED": 3}
    with either_app.database.write() as session, pytest.raises(ValueError, match="letters and digits"):
        either_app.background.enqueue_many(session, TRIAGE_QUEUE, "think", ["x%"])


@pytest.mark.usefixtures("worker")
def test_a_worker_does_each_job_once_gives_up_bugs_and_tries_again_what_passes(
    either_app: App, record: Record
) -> None:
    """And a word of what went wrong reaches neither the engine's tables nor the reason."""
    with either_app.database.write() as session:
        either_app.background.enqueue_many(session, TRIAGE_QUEUE, "think", ["one", "two"])
    ask(either_app, "one", "bug", "later")
    wait_for(lambda: not unfinished(either_app.database), seconds=60, what="the end of all jobs")
    assert sorted(record.ran) == ["bug", "later", "later", "one", "two"]
    assert record.gave_up == [("bug", "KeyError")]
    assert record.beats
    with either_app.database.read() as session:
        workers = [row.executor_id for row in live_workers(session, record.beats[0])]
        schema = "" if either_app.database.is_sqlite else "dbos."
        kept = [
            str(tuple(row))
            for table in ("workflow_status", "operation_outputs")
            for row in session.execute(text(f"select * from {schema}{table}"))
        ]
    assert workers == ["here-worker-1"]
    assert len(kept) >= 5
    assert not [row for row in kept if "Bernadette" in row or "punched" in row]


def test_what_is_asked_for_while_no_worker_runs_is_done_when_one_does(app: App, record: Record) -> None:
    """The database remembers."""
    ask(app, "one")
    jobs = [Job("think", TRIAGE_QUEUE, run=record.run, give_up=record.give_up)]
    worker = Worker(app.database, jobs, executor_id="later-worker-1", threads=1, silence_seconds=30)
    worker.start(record.beats.append)
    try:
        wait_for(lambda: record.ran, what="the job")
    finally:
        worker.stop()
    assert record.ran == ["one"]


def test_a_beat_that_fails_is_followed_by_the_next(
    app: App, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad digest must not stop the sweeping up."""
    monkeypatch.setattr("bot.background._HEARTBEAT_SECONDS", 0.05)

    def fail(now: datetime) -> None:
        record.beats.append(now)
        raise KeyError(NOW)

    worker = Worker(app.database, [], executor_id="beat-worker-1", threads=1, silence_seconds=30)
    worker.start(fail)
    try:
        wait_for(lambda: len(record.beats) > 2, what="three beats")
    finally:
        worker.stop()


def test_a_job_that_waits_for_its_next_try_holds_no_slot(app: App, record: Record) -> None:
    """One slot, a relay that is away for one mail, and the other mail goes out meanwhile."""

    def deliver(subject_id: str) -> None:
        record.ran.append(subject_id)
        if subject_id == "stuck":
            raise TryAgainLater("the relay is away")

    worker = Worker(
        app.database,
        [Job("tell", MAIL_QUEUE, run=deliver, give_up=record.give_up)],
        executor_id="slot-worker-1",
        threads=1,
        silence_seconds=30,
    )
    with app.database.write() as session:
        app.background.enqueue(session, MAIL_QUEUE, "tell", "stuck")
    worker.start(record.beats.append)
    try:
        wait_for(lambda: unfinished(app.database) == {"DELAYED": 1}, what="the wait of the first")
        with app.database.write() as session:
            app.background.enqueue(session, MAIL_QUEUE, "tell", "other")
        wait_for(lambda: "other" in record.ran, what="the second")
        wait_for(lambda: record.ran.count("stuck") > 2, what="more tries of the first")
    finally:
        worker.stop()
    assert record.gave_up == []
    assert record.ran.count("other") == 1


def test_a_job_is_given_up_after_its_last_try_and_not_before(
    app: App, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In plain sight, with how often it was tried."""
    monkeypatch.setattr("bot.background._FIRST_WAIT_SECONDS", 0.1)

    def fail(subject_id: str) -> None:
        record.ran.append(subject_id)
        raise TryAgainLater("away for good")

    jobs = [Job("tell", MAIL_QUEUE, run=fail, give_up=record.give_up, attempts=3)]
    with app.database.write() as session:
        app.background.enqueue(session, MAIL_QUEUE, "tell", "one")
    worker = Worker(app.database, jobs, executor_id="last-worker-1", threads=1, silence_seconds=30)
    worker.start(record.beats.append)
    try:
        wait_for(lambda: record.gave_up, what="the giving up")
    finally:
        worker.stop()
    assert record.ran == ["one"] * 3
    assert record.gave_up == [("one", "tried 3 times")]


def test_slow_files_do_not_hold_up_an_alert(app: App, record: Record) -> None:
    """Every slot for files is taken, and the alert goes out all the same."""
    held = threading.Event()

    def fetch(subject_id: str) -> None:
        record.ran.append(subject_id)
        held.wait(30)

    jobs = [
        Job("fetch", FILE_QUEUE, run=fetch, give_up=record.give_up),
        Job("alert", ALERT_QUEUE, run=record.run, give_up=record.give_up),
    ]
    with app.database.write() as session:
        for number in range(4):
            app.background.enqueue(session, FILE_QUEUE, "fetch", f"file{number}")
    worker = Worker(app.database, jobs, executor_id="files-worker-1", threads=2, silence_seconds=30)
    worker.start(record.beats.append)
    try:
        wait_for(lambda: len(record.ran) == 2, what="the files that are being fetched")
        with app.database.write() as session:
            app.background.enqueue(session, ALERT_QUEUE, "alert", "red")
        wait_for(lambda: "red" in record.ran, what="the alert")
        assert len(record.ran) == 3
    finally:
        held.set()
        worker.stop()


def test_a_database_that_fails_for_a_while_costs_attempts_and_sets_nothing_aside(
    quick_beats: None, either_app: App, worker: Worker, record: Record
) -> None:
    """A message must not be shown as unreadable because the disk was full when it was read."""
    ask(either_app, "away")
    wait_for(lambda: record.ran.count("away") == 3, what="the third attempt")
    wait_for(lambda: not unfinished(either_app.database), what="the end of the work")
    assert record.gave_up == []


def test_a_job_that_the_engine_let_fall_is_done_again_without_a_restart(
    quick_beats: None, either_app: App, worker: Worker, record: Record
) -> None:
    """Its tables say that this worker has it in hand, and no thread has."""
    ask(either_app, "fell")
    wait_for(lambda: not unfinished(either_app.database), what="the first round")
    schema = "" if either_app.database.is_sqlite else "dbos."
    with either_app.database.write() as session:
        session.execute(text(f"delete from {schema}operation_outputs"))
        session.execute(text(f"update {schema}workflow_status set status = 'PENDING', completed_at = null"))
    wait_for(lambda: record.ran == ["fell", "fell"], what="the second round")
    wait_for(lambda: not unfinished(either_app.database), what="the end of the work")
