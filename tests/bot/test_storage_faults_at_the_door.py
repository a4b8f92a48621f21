"""A database that is locked, full or read-only: `451`, nothing half-written, and stored at the next try."""

from __future__ import annotations

import os

import pytest

from bot.app import App
from bot.background import unfinished
from storage.tables import AuditRow, MessageRow
from tests.bot.mail_client import MailClient
from tests.bot.mail_listening import count_of, listening, stored
from tests.bot.storage_faults import KINDS, storage_fault

# Larger than what free pages could hold.
MAIL = os.urandom(300_000).hex().encode() + b"\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_stored_is_a_451_and_is_taken_when_it_can(app: App, kind: str) -> None:
    """In one and the same session, without a restart of anything."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        with storage_fault(app, kind):
            assert client.deliver(MAIL).startswith("451")
            assert client.deliver(MAIL).startswith("451")
        assert count_of(app.database, MessageRow) == count_of(app.database, AuditRow) == 0
        assert unfinished(app.database) == {}
        assert client.deliver(MAIL).startswith("250")
    assert stored(app) == [MAIL]
