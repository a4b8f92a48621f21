"""The public form on a fresh SQLite database, and a person who fills it in with a browser without scripts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from bot.app import App, build_app, prepare
from bot.settings import Settings
from bot.web.server import WebServer
from storage.audit import MACHINE, Audit
from storage.people import add_lead
from storage.register import save_register
from storage.tables import DraftFileRow, DraftRow, MessageRow
from triage.vocabulary import Category, Provider

PASSWORD = "correct horse battery staple"
PHONE = "01632 960999"
STORY = "My mother was left in a wet bed from six until noon. Nobody answered the bell."
LARCH = Provider(
    provider_id="1-9000000001",
    name="Larch House",
    organisation="Larch House Care Limited",
    street="12 Church Lane",
    town="Harrowmere",
    postcode="XW1 2AB",
    telephone="01632 960101",
)
LARCHWOOD = Provider(provider_id="1-9000000002", name="Larchwood Lodge", town="Wexley", postcode="XW7 3LP")
CLOSED = Provider(provider_id="1-9000000003", name="Larch Closed Home", town="Wexley")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 200


def form_settings(folder: Path, **changes: Any) -> Settings:
    """The settings of a council with the form, whatever the environment says."""
    chosen: dict[str, Any] = {
        "data_dir": folder,
        "web_port": 0,
        "council_name": "Harrowmere Council",
        "out_of_hours_phone": PHONE,
        "form_leave_to": "https://weather.example/",
        **changes,
    }
    return Settings(_env_file=None, **chosen)


def prepare_form(folder: Path) -> None:
    """A database with a lead, two services, and one that is no longer registered."""
    settings = form_settings(folder)
    prepare(settings)
    app, now = build_app(settings), datetime.now(UTC)
    entry = Audit(at=now, actor=MACHINE, action="set_up")
    with app.database.write() as session:
        save_register(session, [CLOSED], now=now, audit=entry)
        save_register(session, [LARCH, LARCHWOOD], now=now, audit=entry)
        add_lead(
            session,
            email="ada@council.example",
            name="Ada Lead",
            password=PASSWORD,
            categories=list(Category),
            audit=entry,
        )
    app.close()


@contextmanager
def database_away(app: App, *tables: str) -> Iterator[None]:
    """While this lasts, those tables cannot be reached."""
    path = app.settings.data_dir / "careconcerns.db"

    def rename(ending: str, other: str) -> None:
        connection = sqlite3.connect(path, timeout=15)
        connection.execute("PRAGMA legacy_alter_table=ON")
        for table in tables:
            connection.execute(f"ALTER TABLE {table}{ending} RENAME TO {table}{other}")
        connection.commit()
        connection.close()

    rename("", "_away")
    try:
        yield
    finally:
        rename("_away", "")


def messages(app: App) -> list[MessageRow]:
    """Every message that is stored."""
    with app.database.read() as session:
        return session.query(MessageRow).order_by(MessageRow.received_at).all()


def raw_messages(app: App) -> list[bytes]:
    """The bytes of every message."""
    return [app.keys.unseal(row.raw, place=f"messages.raw:{row.id}") for row in messages(app)]


def draft_counts(app: App) -> tuple[int, int]:
    """How many drafts there are, and how many files of drafts."""
    with app.database.read() as session:
        return session.query(DraftRow).count(), session.query(DraftFileRow).count()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def seen_text(page: str) -> str:
    """What a person reads on a page, on one line."""
    parser = _Text()
    parser.feed(page)
    return " ".join("".join(parser.parts).split())


def token_on(page: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found, "the page has no token"
    return found.group(1)


def receipt_on(page: str) -> str | None:
    """The receipt that a page shows, if any."""
    found = re.search(r"F-[0-9A-Z]{4}-[0-9A-Z]{4}", page)
    return found.group(0) if found else None


class Person:
    """Somebody who fills in the form: follows redirects, and sends each page with the token that it carries."""

    def __init__(self, server: WebServer, **options: Any) -> None:
        base = f"http://127.0.0.1:{server.port}"
        self.http = httpx.Client(base_url=base, follow_redirects=True, timeout=60, **options)
        self.get("/report")

    def get(self, path: str) -> str:
        """The page at the path."""
        return self.http.get(path).text

    def answer(self, step: str, **values: Any) -> httpx.Response:
        """Open a question, fill it in and press Continue."""
        return self.post(f"/report/{step}", values, page=f"/report/{step}")

    def post(
        self, path: str, values: Mapping[str, Any] | None = None, *, page: str = "/report/story", **more: Any
    ) -> httpx.Response:
        """Send a form as it stands on that page."""
        shown = self.get(page)
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown))
        return self.http.post(path, data={**hidden, **(values or {})}, **more)

    def add_file(self, content: bytes, name: str = "photo.jpg") -> httpx.Response:
        """Add a file on the page of files."""
        return self.post(
            "/report/files", {"do": "add"}, page="/report/files", files={"files": (name, content)}
        )

    def send(self) -> httpx.Response:
        """Press "Send the report" on the page of answers."""
        return self.post("/report/send", page="/report/check")

    def close(self) -> None:
        """Give back the connections."""
        self.http.close()
