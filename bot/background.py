"""The engine of background work, and the one file that knows DBOS: jobs that survive a kill and resume.

A job is a name and the id of what it is about. Its row lands in the caller's own transaction, so a
message and the work it needs are stored together or not at all. Nothing of a message's content ever
reaches the engine's tables: arguments are ids, and errors are kept as the name of their kind.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Serializer

from storage.database import Database, Session, is_passing, make_work_engine
from storage.oversight import forget_worker, note_heartbeat, silent_workers
from triage.errors import CareConcernsError, TryAgainLater

log = logging.getLogger(__name__)

# Recovery takes up only work of the same version: raise it when the steps of a job change, not with
# every release, so that an upgrade finishes what the release before it had begun.
WORK_VERSION = "1"
ENGINE_NAME = "careconcerns"

TRIAGE_QUEUE = "triage"
# Each queue has slots of its own: a slow file or a relay that is away must never hold up an alert.
ALERT_QUEUE = "alerts"
MAIL_QUEUE = "mail"
FILE_QUEUE = "files"
CHECK_QUEUE = "checks"
SHADOW_QUEUE = "shadow"
_QUEUES = (TRIAGE_QUEUE, ALERT_QUEUE, MAIL_QUEUE, FILE_QUEUE, CHECK_QUEUE, SHADOW_QUEUE)

_POLL_SECONDS = 0.25
_HEARTBEAT_SECONDS = 5.0
_ATTEMPTS = 14
_FIRST_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 600.0
# Between them lie about two days, which is longer than a relay is away.
MANY_ATTEMPTS = 300


class BackgroundFault(CareConcernsError):
    """A job failed for a reason that is not known to pass; the text is the kind of error alone."""


@dataclass(frozen=True)
class Job:
    """What a worker can be asked to do: `run` gets the id, `give_up` the id and why, when all attempts failed."""

    name: str
    queue: str
    run: Callable[[str], None]
    give_up: Callable[[str, str], None]
    attempts: int = _ATTEMPTS


class _JsonSerializer(Serializer):
    """Arguments and results as JSON, so that the engine's tables can hold no code."""

    def serialize(self, data: Any) -> str:
        """JSON; an error becomes its kind and its text, which by our rule names ids alone."""
        if isinstance(data, BaseException):
            return json.dumps({"error": str(data)})
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        """The value, or a BackgroundFault for an error."""
        value = json.loads(serialized_data)
        if isinstance(value, dict) and set(value) == {"error"}:
            return BackgroundFault(value["error"])
        return value

    def name(self) -> str:
        """The name kept beside each value."""
        return "careconcerns_json"


class _Recorder:
    """Stands in for a connection while the engine puts one job into it, and keeps the rows that it wrote.

    The engine knows no way to put many jobs into a caller's transaction but one by one, which for
    twenty messages costs forty statements: more time than the taking in of the messages themselves.
    """

    dialect = None

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.rows: list[tuple[Any, dict[str, Any]]] = []

    def get_execution_options(self) -> Mapping[str, Any]:
        """As a connection's."""
        return self.options

    def execution_options(self, **options: Any) -> None:
        """As a connection's."""
        self.options.update(options)

    def execute(self, statement: Any, values: dict[str, Any]) -> _NoRow:
        """Keep the row; the answer is that of a table in which it is new."""
        self.rows.append((statement, values))
        return _NoRow()


class _NoRow:
    def fetchone(self) -> None:
        """Nothing."""


class Background:
    """The asking side: any process with the database can put jobs into its own transactions."""

    def __init__(self, database: Database) -> None:
        self._engine = make_work_engine(database.url, pool_size=2)
        self._client = DBOSClient(
            system_database_engine=self._engine,
            serializer=_JsonSerializer(),
            application_name=ENGINE_NAME,
            lazy=True,
            retry_connection_errors=False,
        )

    def enqueue(self, session: Session, queue: str, job: str, subject_id: str, *, again: str = "") -> None:
        """Ask for the job within the session's transaction; asked twice for one id, it is done once.

        `again` names a further round for an id whose job was done before.
        """
        options: EnqueueOptions = {
            "workflow_name": job,
            "queue_name": queue,
            "workflow_id": f"{job}:{subject_id}{again and f':{again}'}",
        }
        self._client.enqueue_in_transaction(session, options, subject_id, 1, queue)

    def enqueue_attempt(
        self,
        session: Session,
        queue: str,
        job: str,
        subject_id: str,
        *,
        attempt: int,
        after: str,
        wait: float,
    ) -> None:
        """Ask for the next attempt in `wait` seconds, during which it holds no slot; `after` is the one before it."""
        options: EnqueueOptions = {
            "workflow_name": job,
            "queue_name": queue,
            "workflow_id": f"{after.partition('#')[0]}#{attempt}",
            "delay_seconds": wait,
        }
        self._client.enqueue_in_transaction(session, options, subject_id, attempt, queue)

    def enqueue_many(self, session: Session, queue: str, job: str, subject_ids: Sequence[str]) -> None:
        """As `enqueue` for each id, in as many statements as one id takes; ids are letters and digits."""
        if not all(subject_id.isalnum() for subject_id in subject_ids):
            raise ValueError("an id for many jobs at once must be letters and digits")
        # The engine's own rows for an id that nobody has are copied for each of ours.
        stand_in, recorder = uuid4().hex, _Recorder()
        self.enqueue(cast(Session, recorder), queue, job, stand_in)
        connection = session.connection()
        connection.execution_options(**recorder.options)
        for statement, row in recorder.rows:
            # Its own statement asks for each row back, which would part them again.
            together = type(statement)(statement.table).on_conflict_do_nothing()
            connection.execute(together, [_copied(row, stand_in, subject_id) for subject_id in subject_ids])

    def close(self) -> None:
        """Give back the connections."""
        self._client.destroy()
        self._engine.dispose()


def prepare_engine(database: Database) -> None:
    """Make or bring up to date the engine's own tables in our database."""
    from dbos._sys_db import SystemDatabase  # noqa: PLC0415  the only way in with an engine of ours

    engine = make_work_engine(database.url, pool_size=2)
    url = "sqlite:///ours" if database.is_sqlite else "postgresql://ours"
    tables = SystemDatabase.create(
        system_database_url=url,
        engine_kwargs={},
        engine=engine,
        schema="dbos",
        serializer=_JsonSerializer(),
        executor_id=None,
    )
    tables.run_migrations()
    tables.destroy()
    engine.dispose()


class Worker:
    """The doing side: takes jobs from the queues until it is stopped."""

    def __init__(
        self, database: Database, jobs: list[Job], *, executor_id: str, threads: int, silence_seconds: int
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._silence = timedelta(seconds=silence_seconds)
        self._stop = threading.Event()
        self._engine = make_work_engine(database.url, pool_size=threads + len(_QUEUES) + 2)
        self._asking = Background(database)
        self._jobs = jobs
        self._threads = threads
        self._in_hand = _InHand()
        self._dropped: set[str] = set()

    def start(self, every_beat: Callable[[datetime], None]) -> None:
        """Begin to work; `every_beat(now)` is called every few seconds, for what the clock brings."""
        config: DBOSConfig = {
            "name": ENGINE_NAME,
            "system_database_engine": self._engine,
            "executor_id": self._executor_id,
            "application_version": WORK_VERSION,
            "serializer": _JsonSerializer(),
            "run_migrations": False,
            "use_listen_notify": False,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)
        for job in self._jobs:
            _register(job, self._later, self._in_hand)
        DBOS.launch()
        for queue in _QUEUES:
            DBOS.register_queue(
                queue,
                # What changes nothing may never take the place of what does.
                worker_concurrency=1 if queue == SHADOW_QUEUE else self._threads,
                polling_interval_sec=_POLL_SECONDS,
                on_conflict="always_update",
            )
        threading.Thread(target=self._beat, args=(every_beat,), name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Finish what is in hand, within a few seconds, and stop; the rest waits in the database."""
        self._stop.set()
        DBOS.destroy(workflow_completion_timeout_sec=5)
        self._asking.close()
        self._engine.dispose()

    def _later(self, job: str, queue: str, subject_id: str, attempt: int, after: str, wait: float) -> None:
        with self._database.write() as session:
            self._asking.enqueue_attempt(
                session, queue, job, subject_id, attempt=attempt, after=after, wait=wait
            )

    def _beat(self, every_beat: Callable[[datetime], None]) -> None:
        while not self._stop.is_set():
            now = datetime.now(UTC)
            try:
                with self._database.write() as session:
                    note_heartbeat(session, self._executor_id, now)
                self._take_over(now)
                self._pick_up_dropped()
                every_beat(now)
            except Exception as error:  # noqa: BLE001  the next beat tries again
                log.warning("heartbeat failed: %s", type(error).__name__)
            self._stop.wait(_HEARTBEAT_SECONDS)

    def _take_over(self, now: datetime) -> None:
        # The engine gives a dead worker's jobs to nobody; a silent worker's pending jobs are resumed here.
        with self._database.read() as session:
            silent = silent_workers(session, now - self._silence)
        for executor_id in silent:
            for workflow in DBOS.list_workflows(status="PENDING", executor_id=executor_id):
                DBOS.resume_workflow(workflow.workflow_id)
            with self._database.write() as session:
                forget_worker(session, executor_id)

    def _pick_up_dropped(self) -> None:
        """Resume jobs that are in our hands by the engine's tables alone.

        The engine lets a job fall when the database fails under its own bookkeeping, and takes it up
        again only at the next start of the process. Seen so at two beats, it is not just about to begin.
        """
        mine = DBOS.list_workflows(status="PENDING", executor_id=self._executor_id, load_input=False)
        dropped = {workflow.workflow_id for workflow in mine} - self._in_hand.ids()
        for workflow_id in dropped & self._dropped:
            log.warning("%s was dropped: it is done again", workflow_id)
            DBOS.resume_workflow(workflow_id)
        self._dropped = dropped - self._dropped


class _InHand:
    """The ids of the jobs that threads of this process are at."""

    def __init__(self) -> None:
        self._ids: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, workflow_id: str) -> Iterator[None]:
        """As long as the job is worked at."""
        with self._lock:
            self._ids[workflow_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._ids[workflow_id] -= 1

    def ids(self) -> set[str]:
        """Those of now."""
        with self._lock:
            self._ids = +self._ids
            return set(self._ids)


def _copied(row: Mapping[str, Any], stand_in: str, subject_id: str) -> dict[str, Any]:
    return {
        column: value.replace(stand_in, subject_id) if isinstance(value, str) else value
        for column, value in row.items()
    }


def _register(job: Job, later: Callable[[str, str, str, int, str, float], None], in_hand: _InHand) -> None:
    @DBOS.step(name=f"{job.name}.run")
    def run(subject_id: str) -> float:
        """How long to wait for the next attempt, in seconds; 0 when it is done."""
        return _tried(job, subject_id)

    @DBOS.step(name=f"{job.name}.later", retries_allowed=True, max_attempts=_ATTEMPTS)
    def ask_again(queue: str, subject_id: str, attempt: int, after: str, wait: float) -> None:
        later(job.name, queue, subject_id, attempt, after, wait)

    @DBOS.step(name=f"{job.name}.give_up", retries_allowed=True, max_attempts=_ATTEMPTS)
    def give_up(subject_id: str, why: str) -> None:
        job.give_up(subject_id, why)

    @DBOS.workflow(name=job.name)
    def workflow(subject_id: str, attempt: int = 1, queue: str = job.queue) -> str:
        with in_hand.hold(str(DBOS.workflow_id)):
            return one_attempt(subject_id, attempt, queue)

    def one_attempt(subject_id: str, attempt: int, queue: str) -> str:
        try:
            wanted = run(subject_id)
        except Exception as error:  # noqa: BLE001  whatever it was, the subject is set aside in plain sight
            if not is_passing(error):
                give_up(subject_id, _kind(error))
                return "gave up"
            # The engine could not note what came of it: the job is done again, which is safe.
            wanted = _FIRST_WAIT_SECONDS
        if not wanted:
            return "done"
        if attempt >= job.attempts:
            give_up(subject_id, f"tried {attempt} times")
            return "gave up"
        wait = max(wanted, _wait_after(attempt))
        ask_again(queue, subject_id, attempt + 1, str(DBOS.workflow_id), wait)
        return "later"


def _wait_after(attempt: int) -> float:
    # Bounded before it is raised: after days of attempts the power would be no number any more.
    return min(_FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 20), _LONGEST_WAIT_SECONDS)


def _tried(job: Job, subject_id: str) -> float:
    try:
        _guarded(job, subject_id)
    except TryAgainLater as error:
        log.info("%s %s is tried again later", job.name, subject_id)
        return max(error.seconds, _FIRST_WAIT_SECONDS)
    return 0.0


def _guarded(job: Job, subject_id: str) -> None:
    try:
        job.run(subject_id)
    except TryAgainLater:
        raise
    except Exception as error:  # noqa: BLE001  told apart by its kind alone
        if is_passing(error):
            raise TryAgainLater(f"{job.name} {subject_id}: {type(error).__name__}") from None
        # An error's own text may quote a message: only its kind and place are logged or kept.
        log.error("%s %s failed: %s at %s", job.name, subject_id, type(error).__name__, _place(error))  # noqa: TRY400
        raise BackgroundFault(type(error).__name__) from None


def _kind(error: Exception) -> str:
    return str(error) if isinstance(error, BackgroundFault) else type(error).__name__


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"


def unfinished(database: Database) -> Mapping[str, int]:
    """How many jobs are waiting or in hand, by state (DELAYED, ENQUEUED, PENDING, ERROR)."""
    engine = make_work_engine(database.url, pool_size=1)
    client = DBOSClient(
        system_database_engine=engine, serializer=_JsonSerializer(), application_name=ENGINE_NAME, lazy=True
    )
    try:
        counts: dict[str, int] = {}
        for workflow in client.list_workflows(
            status=["DELAYED", "ENQUEUED", "PENDING", "ERROR"], load_input=False
        ):
            counts[workflow.status] = counts.get(workflow.status, 0) + 1
        return counts
    finally:
        client.destroy()
        engine.dispose()
