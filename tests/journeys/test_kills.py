"""Processes are killed at bad moments: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal

from sqlalchemy import func, select

from storage.database import Database
from storage.tables import ConcernRow, MessageRow
from tests.factories import email_bytes
from tests.journeys.service import Service, is_running
from tests.waiting import wait_for


def count(database: Database, table: type[ConcernRow] | type[MessageRow]) -> int:
    """How many rows there are."""
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_mail_taken_in_before_a_power_cut_is_triaged_exactly_once_afterwards(service: Service) -> None:
    """Only the listener runs, says `250`, and everything is killed; then all is started again."""
    service.start(only="smtp")
    service.send(email_bytes())
    service.kill_everything()
    database = service.database()
    assert count(database, MessageRow) == 1
    assert count(database, ConcernRow) == 0

    service.start()
    wait_for(lambda: service.mails("acknowledgement"), what="the acknowledgement")
    assert service.stop() == 0
    assert count(database, MessageRow) == 1
    assert count(database, ConcernRow) == 1
    assert len(service.mails("acknowledgement")) == 1
    database.close()


def test_a_worker_killed_in_mid_work_is_started_again_and_finishes(service: Service) -> None:
    """Twelve mails; the worker is killed when the first concern is there."""
    service.start()
    for number in range(12):
        sender = f"person{number}@family.example"
        service.send(email_bytes(f"The carpet of room {number} is stained.", sender=sender), sender=sender)
    database = service.database()
    wait_for(lambda: count(database, ConcernRow), what="the first concern")
    [worker] = service.parts("worker")
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: count(database, ConcernRow) == 12, what="all concerns")
    wait_for(lambda: len(service.mails("acknowledgement")) >= 11, what="the acknowledgements")
    assert service.stop() == 0
    assert count(database, ConcernRow) == 12
    database.close()


def test_when_the_supervisor_is_killed_its_parts_end_and_a_restart_goes_on(service: Service) -> None:
    """No listener is left that nobody watches."""
    service.start()
    for number in range(6):
        sender = f"person{number}@family.example"
        service.send(email_bytes(f"The carpet of room {number} is stained.", sender=sender), sender=sender)
    listener, *_ = service.parts("smtp")
    service.kill_supervisor()
    wait_for(lambda: not service.left_over(), seconds=30, what="the end of the parts")
    assert not is_running(listener)

    service.start()
    database = service.database()
    wait_for(lambda: count(database, ConcernRow) == 6, what="six concerns")
    wait_for(lambda: len(service.mails("acknowledgement")) == 6, what="six acknowledgements")
    assert service.stop() == 0
    assert count(database, ConcernRow) == count(database, MessageRow) == 6
    database.close()
