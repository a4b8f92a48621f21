"""IMAP as a way in: mail is fetched from folders of a mailbox, each message exactly once.

The way through: tokens -> connection -> fetching (one folder, from its cursor on) -> reader (the loop,
which IDLE only wakes). `counting` compares the mailbox with the database, `checking` tells `doctor`.
"""

from __future__ import annotations

from bot.imap_in.checking import check_mailbox
from bot.imap_in.connection import account_of, check_settings
from bot.imap_in.reader import MailboxReader, Waits

__all__ = ["MailboxReader", "Waits", "account_of", "check_mailbox", "check_settings"]
