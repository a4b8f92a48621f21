"""A running Dovecot for all tests of the way in by IMAP, with an empty mailbox for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.app import App
from bot.imap_in import MailboxReader, Waits
from tests.bot.dovecot import PASSWORD, USER, Dovecot

QUICK = Waits(first=0.1, longest=0.3, refused_first=0.2, refused_longest=0.4, stalled=60)


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A server of the test's own."""
    server = Dovecot()
    yield server
    server.close()


@pytest.fixture
def mailbox_app(app: App, dovecot: Dovecot) -> App:
    """An App whose mailbox is Dovecot's."""
    app.settings = app.settings.model_copy(update=mailbox_settings(dovecot))
    return app


def mailbox_settings(dovecot: Dovecot) -> dict[str, object]:
    """The settings that lead to the server."""
    from pydantic import SecretStr

    return {
        "imap_host": "127.0.0.1",
        "imap_port": dovecot.port,
        "imap_security": "none",
        "imap_user": USER,
        "imap_password": SecretStr(PASSWORD),
        "imap_poll_seconds": 1,
        "imap_timeout_seconds": 10,
    }


@pytest.fixture
def start_reader(mailbox_app: App) -> Iterator[Callable[..., MailboxReader]]:
    """Start readers with changed settings; they are stopped afterwards."""
    started: list[MailboxReader] = []

    def start(waits: Waits = QUICK, **changes: object) -> MailboxReader:
        mailbox_app.settings = mailbox_app.settings.model_copy(update=changes)
        reader = MailboxReader(mailbox_app, waits=waits)
        reader.start()
        started.append(reader)
        return reader

    yield start
    for reader in started:
        reader.stop()
