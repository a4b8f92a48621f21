"""Files from end to end: sent with swaks, understood, scanned by a real ClamAV daemon, opened on the desk."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
from sqlalchemy import select

from storage.database import Database
from storage.tables import ConcernRow
from tests.bot.file_samples import docx
from tests.clamav import EICAR, ClamdServer
from tests.factories import PASSWORD
from tests.journeys.service import Service
from tests.waiting import wait_for

STORY = (
    "On Sunday night I visited my mother at the home. The night carer slapped her across the face and "
    "punched her arm because she would not go to bed. She has a black eye and is frightened of him."
)


def send(service: Service, *files: Path) -> None:
    """A mail that says nothing itself."""
    attachments = [word for file in files for word in ("--attach", f"@{file}")]
    done = subprocess.run(
        [
            "swaks",
            *("--server", f"127.0.0.1:{service.smtp_port}"),
            *("--from", "tom@family.example", "--to", "care.concerns@council.example"),
            *("--header", "Subject: letter", "--body", "Please see attached."),
            *attachments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def the_concern(database: Database) -> ConcernRow | None:
    """The one concern, as soon as it is there."""
    with database.read() as session:
        return session.scalars(select(ConcernRow)).one_or_none()


def token(page: httpx.Response) -> str:
    """The form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return found.group(1)


def log_in(desk: httpx.Client) -> None:
    """As the lead that the command line added."""
    form = {"email": "ada@council.example", "password": PASSWORD, "csrf_token": token(desk.get("/login"))}
    assert "Logged in as" in desk.post("/login", data=form).text


def test_a_letter_is_understood_scanned_and_opened_and_a_virus_is_not(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    """The letter makes the mail a safeguarding concern, and opens once it is clean; the virus never does."""
    scanner = ClamdServer().start()
    try:
        _sent_and_opened(make_service(clamd_address=scanner.address), tmp_path)
    finally:
        scanner.close()


def _sent_and_opened(service: Service, folder: Path) -> None:
    service.start()
    service.add_lead()
    letter, virus = folder / "letter.docx", folder / "virus.txt"
    letter.write_bytes(docx("Dear desk,", STORY))
    virus.write_bytes(EICAR)
    send(service, letter, virus)
    database = service.database()
    concern = wait_for(lambda: the_concern(database), what="the concern")
    database.close()
    assert concern.category == "safeguarding"

    address = f"/concerns/{concern.reference}"
    where = f"http://127.0.0.1:{service.web_port}"
    with httpx.Client(base_url=where, follow_redirects=True, timeout=30) as desk:
        log_in(desk)
        page = wait_for(
            lambda: (page := desk.get(address)).text.count("/files/") == 1 and "Eicar" in page.text and page,
            what="the scan of both files",
        )
        assert "slapped" in page.text
        [file_id] = re.findall(r"/files/(\w+)", page.text)
        answer = desk.post(f"/files/{file_id}", data={"csrf_token": token(page)})
        assert answer.content == letter.read_bytes()
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert "Opened a file that came with the message" in desk.get(address).text
    doctor = service.command("doctor")
    assert "1 attached files are infected and stay closed" in doctor.stdout
    assert "virus scanner ClamAV" in doctor.stdout
