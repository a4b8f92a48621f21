"""Run as a program: looks at INBOX once, and is killed between the commit of a page and its moving."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime

from bot.app import build_app
from bot.imap_in.connection import account_of, connect
from bot.imap_in.fetching import FolderReader
from bot.settings import load_settings
from storage.mailboxes import MailboxState, note_state


def main() -> None:
    """Look once."""
    settings = load_settings()
    app = build_app(settings)
    with app.database.write() as session:
        note_state(session, account_of(settings), MailboxState.CONNECTED, now=datetime.now(UTC))
    reader = FolderReader(app, account_of(settings), "INBOX", lambda: datetime.now(UTC))
    reader.read(connect(settings, None))


def _killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    FolderReader._move = _killed  # type: ignore[method-assign]
    main()
