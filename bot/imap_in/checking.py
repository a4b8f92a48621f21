"""What `doctor` says of the mailbox: whether it is reached, complete, and for how long its secret is good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.imap_in.connection import account_of
from bot.settings import Settings
from storage.database import Session
from storage.mailboxes import FolderCount, MailboxReport, MailboxState, mailbox_reports

_SECRET_ALARM = timedelta(days=30)
_COUNT_LATE = timedelta(hours=26)


def check_mailbox(session: Session, settings: Settings, now: datetime) -> Iterator[tuple[bool, str]]:
    """Each thing that was looked at, and whether it is well; nothing when no mailbox is set."""
    if not settings.imap_host:
        return
    account = account_of(settings)
    yield from _secret(settings, now)
    report = next((one for one in mailbox_reports(session) if one.account == account), None)
    if report is None:
        yield False, f"mailbox {account}: never reached"
        return
    yield _contact(report, settings, now)
    for count in report.counts:
        yield _count(count, now)
    for gap in report.gaps:
        after = "set aside" if gap.message_id else "asked for again"
        yield (
            False,
            f"message {gap.uid} of {gap.folder} was not given {gap.attempts} times, {after}: {gap.reason}",
        )


def _secret(settings: Settings, now: datetime) -> Iterator[tuple[bool, str]]:
    if settings.imap_login == "password" or settings.imap_oauth_secret_expires is None:
        return
    left = settings.imap_oauth_secret_expires - now.date()
    if left < timedelta(0):
        yield False, f"the mailbox's client secret expired on {settings.imap_oauth_secret_expires}"
    else:
        yield left > _SECRET_ALARM, f"the mailbox's client secret expires in {left.days} days"


def _contact(report: MailboxReport, settings: Settings, now: datetime) -> tuple[bool, str]:
    if report.state is not MailboxState.CONNECTED or report.contact_at is None:
        return (
            False,
            f"mailbox {report.account}: {report.state} since {report.since:%Y-%m-%d %H:%M}: {report.problem}",
        )
    silent = now - report.contact_at
    late = silent > timedelta(seconds=3 * (settings.imap_poll_seconds + settings.imap_timeout_seconds))
    minutes = int(silent.total_seconds() // 60)
    return not late, f"mailbox {report.account}: last contact {minutes} minutes ago"


def _count(count: FolderCount, now: datetime) -> tuple[bool, str]:
    text = (
        f"{count.folder.name}: {count.in_mailbox} in the mailbox = {count.stored} stored + {count.gaps} not given"
        f" + {count.missing} missing ({count.mended} of them fetched), counted {count.at:%Y-%m-%d %H:%M}"
    )
    return count.difference == 0 and now - count.at < _COUNT_LATE, text
