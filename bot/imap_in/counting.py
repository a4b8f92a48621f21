"""The nightly count: is every message of the folder in the database, or on the desk as not given?"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from imapclient import IMAPClient

from bot.app import App
from bot.imap_in.fetching import FolderReader
from storage.mailboxes import FolderCount, begin, gap_uids, last_counted, save_count, stored_uids


def is_time_to_count(app: App, account: str, folder: str, now: datetime) -> bool:
    """Whether the folder was not counted since the last time of day that is set for it."""
    with app.database.read() as session:
        counted_at = last_counted(session, account, folder)
    return counted_at is None or counted_at < _last_time(app, now)


def _last_time(app: App, now: datetime) -> datetime:
    hours, _, minutes = app.settings.imap_count_at.partition(":")
    local = now.astimezone(ZoneInfo(app.settings.timezone))
    today = local.replace(hour=int(hours), minute=int(minutes), second=0, microsecond=0)
    return today if today <= local else today - timedelta(days=1)


def count_folder(app: App, client: IMAPClient, reader: FolderReader, *, now: datetime) -> FolderCount:
    """Count the folder, fetch what is missing there and then, and keep the result."""
    folder = reader.select(client)
    with app.database.write() as session:
        cursor = begin(session, folder, now=now)
    # What came since the last look is no difference: it is not due yet.
    there = {int(uid) for uid in client.search(["UID", f"1:{max(cursor, 1)}"]) if uid <= cursor}
    with app.database.read() as session:
        stored = stored_uids(session, folder, sorted(there))
        gaps = there.intersection(gap_uids(session, folder))
    missing = sorted(there - stored - gaps)
    if missing:
        reader.take_in(client, folder, missing)
    with app.database.read() as session:
        mended = stored_uids(session, folder, missing)
    count = FolderCount(
        folder=folder,
        at=now,
        in_mailbox=len(there),
        stored=len(stored),
        gaps=len(gaps - stored),
        missing=len(missing),
        mended=len(mended),
        missing_uids=tuple(missing),
    )
    with app.database.write() as session:
        save_count(session, count)
    return count
