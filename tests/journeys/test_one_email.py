"""The main job, end to end: a real email becomes a concern, an answer, an alert and a line of the digest."""

from __future__ import annotations

import subprocess
from email import message_from_bytes, policy

from sqlalchemy import select

from storage.database import Database
from storage.oversight import conservation
from storage.tables import ConcernRow
from tests.factories import GREEN_TEXT, RED_TEXT, email_bytes
from tests.journeys.service import Service
from tests.waiting import wait_for


def concerns(database: Database) -> list[ConcernRow]:
    """All concerns, the first first."""
    with database.read() as session:
        return list(session.scalars(select(ConcernRow).order_by(ConcernRow.reference)))


def swaks(service: Service, *, text: str, sender: str) -> None:
    """Send with the tool that mail people use."""
    done = subprocess.run(
        [
            "swaks",
            *("--server", f"127.0.0.1:{service.smtp_port}"),
            *("--from", sender),
            *("--to", "care.concerns@council.example"),
            *("--header", "Subject: my mother"),
            *("--body", text),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_an_email_becomes_a_concern_an_answer_an_alert_and_a_line_of_the_digest(service: Service) -> None:
    """Sent with swaks and with smtplib; then the lead's digest is printed."""
    service.start()
    service.add_lead()
    swaks(service, text=RED_TEXT, sender="tom@family.example")
    service.send(email_bytes(GREEN_TEXT, subject="carpet"))
    database = service.database()
    found = wait_for(lambda: len(concerns(database)) == 2 and concerns(database), what="two concerns")
    red = next(concern for concern in found if concern.severity == "red")
    other = next(concern for concern in found if concern is not red)
    assert red.category == "safeguarding"
    assert other.severity != "red"

    answers = wait_for(
        lambda: len(service.mails("acknowledgement")) == 2 and service.mails("acknowledgement")
    )
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in answers]
    assert {mail["To"] for mail in mails} == {"tom@family.example", "susan@family.example"}
    [alert] = wait_for(lambda: service.mails("alert"), what="the alert")
    assert red.reference in alert.read_text()
    assert "punched" not in "".join(path.read_text() for path in [alert, *answers])

    digest = service.command("digest", "--print")
    assert digest.returncode == 0, digest.stderr
    listed = digest.stdout.partition("Red, waiting for a person")[2].partition("\n\n")[0]
    assert red.reference in listed
    assert other.reference not in listed
    with database.read() as session:
        accounts = conservation(session)
    assert (accounts.received, accounts.concerns, accounts.holds) == (2, 2, True)
    database.close()

    doctor = service.command("doctor")
    assert "2 received = 2 concerns" in doctor.stdout
    assert "WRONG 0 providers" in doctor.stdout
    assert doctor.stdout.count("WRONG") == 1


def test_it_stops_cleanly_on_ctrl_c_and_starts_again_at_once(service: Service) -> None:
    """Exit code 0, no process left, and the second start takes seconds."""
    service.start()
    children = service.note_children()
    assert len(children) >= 3
    assert service.stop() == 0
    assert service.left_over() == []
    assert "Stopped." in "".join(service.output)
    assert "Fatal Python error" not in "".join(service.output)
    assert "Traceback" not in "".join(service.output)
    seconds = service.start()
    assert seconds < 10, seconds
    assert service.stop() == 0
    assert service.left_over() == []
