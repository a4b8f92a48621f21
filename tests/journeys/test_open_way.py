"""A pulse through a real service: seen at the start, and never on the desk."""

from __future__ import annotations

from collections.abc import Callable

from storage.oversight import conservation
from storage.signs import PULSE, sign_of
from tests.journeys.service import Service
from tests.waiting import wait_for


def test_a_service_that_starts_shows_within_seconds_that_its_way_is_open(
    make_service: Callable[..., Service],
) -> None:
    """Mail port, database, worker, reader and models have all had it."""
    service = make_service(pulse_minutes="5")
    service.start()
    database = service.database()

    def has_come_through() -> bool:
        with database.read() as session:
            return sign_of(session, PULSE) is not None

    wait_for(has_come_through, what="the pulse")
    with database.read() as session:
        assert conservation(session).received == 0
    doctor = service.command("doctor").stdout
    assert "ok    last pulse through the whole way: less than a minute ago" in doctor
    assert "ok    the mail port: last sign of life less than a minute ago" in doctor
    assert service.stop() == 0
    database.close()
