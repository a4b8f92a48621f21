"""A database that is locked, full or read-only: mail stays in the mailbox, and is fetched when it can be stored."""

from __future__ import annotations

import os

import pytest
from sqlalchemy.exc import OperationalError

from bot.app import App
from tests.bot.dovecot import Dovecot
from tests.bot.imap.looking import bodies, look
from tests.bot.storage_faults import KINDS, storage_fault
from tests.factories import email_bytes


@pytest.mark.parametrize("kind", KINDS)
def test_mail_is_not_moved_until_it_is_stored(mailbox_app: App, dovecot: Dovecot, kind: str) -> None:
    """Nor is it passed over."""
    with dovecot.client() as client:
        client.create_folder("Processed")
    mailbox_app.settings = mailbox_app.settings.model_copy(update={"imap_processed_folder": "Processed"})
    look(mailbox_app)
    dovecot.append([email_bytes(os.urandom(300_000).hex())])
    with storage_fault(mailbox_app, kind), pytest.raises(OperationalError):
        look(mailbox_app)
    assert len(dovecot.uids()) == 1
    assert bodies(mailbox_app) == []
    assert look(mailbox_app) == 1
    assert dovecot.uids() == []
    assert len(bodies(mailbox_app)) == len(dovecot.uids("Processed")) == 1
