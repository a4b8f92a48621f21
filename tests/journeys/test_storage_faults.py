"""The disk is full, or the database server is gone, under traffic: `451`, nothing half-written, and it mends itself."""

from __future__ import annotations

import resource
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from bot.background import unfinished
from storage.database import Database
from storage.oversight import conservation
from storage.tables import AuditRow, DispositionRow, MessageRow, OutgoingRow
from tests.bot.form.form_samples import Person, receipt_on, token_on
from tests.factories import email_bytes
from tests.journeys.service import Service
from tests.postgres_server import PostgresServer
from tests.soak.traffic import Traffic
from tests.waiting import wait_for

MAILS = 60


@contextmanager
def full_disk(service: Service) -> Iterator[None]:
    """No process of the service can write to any file: the kernel refuses, as on a full disk."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in service.note_children()}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, before in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def refusal(service: Service) -> int:
    """What the mail port answers to a mail just now."""
    try:
        service.send(email_bytes("Not now"))
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


class Reporter:
    """Somebody at the last page of the public form."""

    def __init__(self, service: Service) -> None:
        self._person = Person(SimpleNamespace(port=service.web_port))  # type: ignore[arg-type]
        self._person.answer("story", story="No visit since Friday. The carpet is stained.")
        self._token = token_on(self._person.get("/report/check"))

    def send(self) -> tuple[int, str | None]:
        """Press "Send the report"; what the page answers, and the receipt on it."""
        answer = self._person.http.post("/report/send", data={"token": self._token})
        return answer.status_code, receipt_on(answer.text)


def parts(service: Service) -> dict[str, list[int]]:
    """The processes of each part."""
    return {name: service.parts(name) for name in ("smtp", "web", "worker")}


def wait_until_busy(service: Service) -> None:
    """Until the workers are in the middle of it."""
    database = service.database()

    def concerns() -> int:
        with database.read() as session:
            return conservation(session).concerns

    wait_for(lambda: concerns() >= 3, every=0.01, what="the first concerns")
    database.close()


def wait_until_felt(service: Service) -> None:
    """Until the workers, too, have run into it."""
    wait_for(lambda: any("heartbeat failed" in line for line in service.output), what="a failed heartbeat")


def everything_done(database: Database, mails: int) -> bool:
    """Whether all that was taken in is on the desk and answered, and no work is left."""
    with database.read() as session:
        law = conservation(session)
        kinds = Counter(kind for (kind,) in session.query(DispositionRow.kind))
        mail = Counter(state for (state,) in session.query(OutgoingRow.state))
    answered = mail["sent"] + mail["unknown"]
    # The report from the form is a concern without an automatic answer.
    done = law.waiting == 0 and kinds["concern"] == mails + 1 and answered == mails
    return done and not unfinished(database)


def check_once_each(service: Service, traffic: Traffic) -> None:
    """Every mail that got `250` is there once, with one entry that it came, and nothing else is."""
    database = service.database()
    wait_for(lambda: everything_done(database, MAILS), seconds=90, every=0.2, what="the end of all work")
    with database.read() as session:
        law = conservation(session)
        assert law.holds
        entries = session.query(AuditRow).filter(AuditRow.action == "received").count()
        assert entries == session.query(MessageRow).count() == law.concerns + law.duplicates
    assert len(traffic.acknowledged) == law.concerns - 1 == MAILS
    database.close()


@pytest.mark.timeout(240)
def test_a_full_disk_is_a_451_and_all_goes_on_when_there_is_room_again(
    make_service: Callable[..., Service],
) -> None:
    """The mail port and the form refuse; the workers lose no job that they had in hand; nothing is started anew."""
    service = make_service(worker_threads="6")
    service.start()
    before = parts(service)
    traffic, reporter = Traffic(service.smtp_port), Reporter(service)
    traffic.begin(MAILS)
    wait_until_busy(service)
    with full_disk(service):
        assert refusal(service) == 451
        assert reporter.send() == (503, None)
        taken = len(traffic.acknowledged)
        wait_until_felt(service)
        assert refusal(service) == 451
        assert len(traffic.acknowledged) == taken
    traffic.finish()
    assert reporter.send()[1]
    check_once_each(service, traffic)
    assert parts(service) == before


@pytest.mark.timeout(240)
def test_a_database_server_that_crashes_and_comes_back_costs_nothing(
    make_service: Callable[..., Service],
) -> None:
    """While it is away: `451`, and the form says so. Afterwards the same processes go on with what was stored."""
    server = PostgresServer()
    try:
        service = make_service(database_url=server.url(server.create_database()), worker_threads="6")
        service.start()
        before = parts(service)
        traffic, reporter = Traffic(service.smtp_port), Reporter(service)
        traffic.begin(MAILS)
        wait_until_busy(service)
        server.crash()
        assert refusal(service) == 451
        assert reporter.send() == (503, None)
        wait_until_felt(service)
        server.start_again()
        traffic.finish()
        assert reporter.send()[1]
        check_once_each(service, traffic)
        assert parts(service) == before
        assert service.stop() == 0
    finally:
        server.stop()
