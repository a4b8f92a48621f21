"""The same service on PostgreSQL with three workers, by changing one setting."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select, text

from storage.database import Database
from storage.tables import ConcernRow, DispositionRow, OutgoingRow
from tests.factories import email_bytes
from tests.journeys.service import Service
from tests.waiting import wait_for

MAILS = 40


def send(service: Service, number: int) -> None:
    """One mail of its own sender."""
    sender = f"person{number}@family.example"
    service.send(email_bytes(f"The carpet of room {number} is stained.", sender=sender), sender=sender)


def pending_of(database: Database, worker: str) -> int:
    """How many jobs the worker has in hand."""
    with database.read() as session:
        return (
            session.scalar(
                text(
                    "select count(*) from dbos.workflow_status"
                    " where status = 'PENDING' and executor_id like :executor"
                ),
                {"executor": f"%-{worker}"},
            )
            or 0
        )


def test_forty_mails_are_triaged_exactly_once_by_three_workers_of_which_one_is_killed(
    make_service: Callable[..., Service], postgres_url: str
) -> None:
    """The worker dies with work in its hands; whoever gets it, nothing is lost and nothing is double."""
    service = make_service(database_url=postgres_url, workers="3")
    service.start()
    assert len(service.parts("worker")) == 3
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda number: send(service, number), range(MAILS)))
    database = service.database()
    wait_for(lambda: pending_of(database, "worker-2"), what="work in the hands of worker 2", every=0.01)
    [victim] = service.parts("worker-2")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: _done(database) == MAILS, seconds=90, what="forty concerns")
    wait_for(lambda: _answered(service, database) >= MAILS, what="the acknowledgements")
    assert service.stop() == 0

    with database.read() as session:
        references = list(session.scalars(select(ConcernRow.reference)))
        kinds = Counter(session.scalars(select(DispositionRow.kind)))
        answers = Counter(session.scalars(select(OutgoingRow.subject_id)))
    assert len(set(references)) == len(references) == MAILS
    assert kinds == {"concern": MAILS}
    assert len(answers) == MAILS
    assert set(answers.values()) == {1}
    # A mail in the very act of being sent when its worker died is in doubt, and not sent again.
    assert _in_doubt(database) <= 2
    database.close()


def _done(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(ConcernRow)) or 0


def _answered(service: Service, database: Database) -> int:
    return len(service.mails("acknowledgement")) + _in_doubt(database)


def _in_doubt(database: Database) -> int:
    with database.read() as session:
        return (
            session.scalar(
                select(func.count()).select_from(OutgoingRow).where(OutgoingRow.state == "unknown")
            )
            or 0
        )


def test_the_work_of_a_worker_that_never_comes_back_is_taken_over_by_another(
    make_service: Callable[..., Service], postgres_url: str
) -> None:
    """Two machines; one is killed with work in its hands and stays away."""
    here = make_service(database_url=postgres_url, worker_name="here", worker_threads="8")
    here.start(only="smtp,worker")
    for number in range(20):
        send(here, number)
    database = here.database()
    wait_for(lambda: pending_of(database, "worker-1"), what="work in hand", every=0.005)
    here.kill_everything()
    left = pending_of(database, "worker-1")
    assert left > 0
    # As if it had been silent for long, so that the test need not wait.
    with database.write() as session:
        session.execute(text("update workers set seen_at = seen_at - interval '1 hour'"))

    there = make_service(
        database_url=postgres_url, worker_name="there", key_file=str(here.settings.keys_path)
    )
    there.start(only="worker")
    wait_for(lambda: _done(database) == 20, seconds=60, what="twenty concerns")
    wait_for(lambda: not pending_of(database, "worker-1"), seconds=60, what="the end of all work")
    with database.read() as session:
        workers = list(session.scalars(text("select executor_id from workers")))
    assert workers == ["there-worker-1"]
    assert there.stop() == 0
    database.close()
