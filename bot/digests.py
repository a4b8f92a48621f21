"""The daily digest for each lead: what waits, reds first, in references and numbers, without a name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from bot.app import App, is_bank_holiday
from bot.email_out import compose, decide_to_send
from bot.settings import Settings
from bot.steps import Step, reached
from bot.wording import CATEGORY_WORDS, THEME_WORDS, calendar_day, clock_time
from storage.concerns import ConcernFilter, count_concerns, list_concerns
from storage.database import Session
from storage.digest_figures import Mover, provider_movers, theme_counts
from storage.mailboxes import FolderCount, mailbox_reports
from storage.outgoing import OutgoingKind, OutgoingState, count_by_state, is_decided
from storage.oversight import Conservation, conservation
from storage.people import active_leads
from storage.tables import ConcernRow, LeadRow
from triage.deadlines import is_working_day
from triage.vocabulary import Category, Severity, Theme

_MOST_LISTED = 40
_MOST_MOVERS = 5
_MOST_THEMES = 8


@dataclass(frozen=True)
class Digest:
    """Everything one lead's digest of one day says."""

    day: date
    since: datetime
    until: datetime
    categories: tuple[Category, ...]
    reds: tuple[ConcernRow, ...]
    overdue: tuple[ConcernRow, ...]
    new: tuple[tuple[Category, int, int], ...]
    to_review: int
    movers: tuple[Mover, ...]
    themes: tuple[tuple[Theme, int, int], ...]
    accounts: Conservation
    unsent: int
    mailbox: tuple[FolderCount, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing that a lead must know."""
        return not (
            self.reds
            or self.overdue
            or any(count for _, count, _ in self.new)
            or self.to_review
            or self.accounts.set_aside
            or self.accounts.waiting
            or self.unsent
            or any(count.difference for count in self.mailbox)
        )


def gather(app: App, session: Session, lead: LeadRow, day: date, *, now: datetime) -> Digest:
    """The lead's digest of `day`: what waited at its digest hour (today, after that hour: what waits now).

    New is what came since the digest hour of the working day before.
    """
    until = max(digest_hour(app.settings, day), now) if day == _today(app.settings, now) else None
    until = until or digest_hour(app.settings, day)
    since = digest_hour(app.settings, _working_day_before(app.settings, day))
    categories = tuple(Category(category) for category in lead.categories)
    mine = [category.value for category in categories]
    waiting = ConcernFilter(waiting_at=until, categories=mine)
    reds = list_concerns(session, replace(waiting, severity=Severity.RED), limit=_MOST_LISTED)
    overdue = list_concerns(session, replace(waiting, due_before=until), limit=_MOST_LISTED)
    return Digest(
        day=day,
        since=since,
        until=until,
        categories=categories,
        reds=tuple(reds),
        overdue=tuple(concern for concern in overdue if concern.severity != Severity.RED.label),
        new=tuple(_new(session, category, since, until) for category in categories),
        to_review=count_concerns(session, replace(waiting, needs_review=True)),
        movers=tuple(provider_movers(session, mine, until, limit=_MOST_MOVERS)),
        themes=tuple(theme_counts(session, mine, until, limit=_MOST_THEMES)),
        accounts=conservation(session),
        unsent=count_by_state(session).get(OutgoingState.FAILED, 0),
        mailbox=tuple(count for report in mailbox_reports(session) for count in report.counts),
    )


def _new(session: Session, category: Category, since: datetime, until: datetime) -> tuple[Category, int, int]:
    wanted = ConcernFilter(category=category, opened_from=since, opened_before=until)
    red = ConcernFilter(category=category, opened_from=since, opened_before=until, severity=Severity.RED)
    return category, count_concerns(session, wanted), count_concerns(session, red)


def digest_hour(settings: Settings, day: date) -> datetime:
    """The moment of that day at which the digest goes out."""
    return datetime.combine(day, time.fromisoformat(settings.digest_at), tzinfo=ZoneInfo(settings.timezone))


def _today(settings: Settings, now: datetime) -> date:
    return now.astimezone(ZoneInfo(settings.timezone)).date()


def _working_day_before(settings: Settings, day: date) -> date:
    before = day - timedelta(days=1)
    while not is_working_day(before, settings.hours, is_bank_holiday):
        before -= timedelta(days=1)
    return before


def write_digest(digest: Digest, settings: Settings) -> str:
    """The digest as plain text."""
    zone = ZoneInfo(settings.timezone)
    lines = [f"Care concerns: {calendar_day(digest.day)}", ""]
    if digest.is_quiet:
        lines += ["Nothing new."]
    else:
        lines += _section("Red, waiting for a person", [_line(c, zone) for c in digest.reds])
        lines += _section("Overdue", [_line(c, zone) for c in digest.overdue])
        lines += _section(f"New since {clock_time(digest.since, zone)}", _new_lines(digest))
        if digest.to_review:
            lines += [f"The labels of {digest.to_review} concerns need a person's review.", ""]
    lines += _section("Providers with more concerns than the week before", [_mover(m) for m in digest.movers])
    lines += _section("Themes of the last 30 days (and of the 30 before)", [_theme(t) for t in digest.themes])
    lines += _accounts(digest)
    lines += [f"The desk: {settings.desk_url}", "", "This mail carries references only."]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines), ""] if lines else []


def _line(concern: ConcernRow, zone: ZoneInfo) -> str:
    due = f", look by {clock_time(concern.due_at, zone)}" if concern.due_at else ""
    severity = f"{concern.severity}, " if concern.severity else ""
    review = ", needs review" if concern.needs_review else ""
    return f"{concern.reference}  {severity}{CATEGORY_WORDS[Category(concern.category)]}{due}{review}"


def _new_lines(digest: Digest) -> list[str]:
    return [
        f"{CATEGORY_WORDS[category]}: {count}" + (f", {red} of them red" if red else "")
        for category, count, red in digest.new
        if count
    ]


def _mover(mover: Mover) -> str:
    return f"{mover.name}: {mover.this_week} this week, {mover.week_before} the week before"


def _theme(counts: tuple[Theme, int, int]) -> str:
    theme, now, before = counts
    return f"{THEME_WORDS[theme]}: {now} ({before})"


def _accounts(digest: Digest) -> list[str]:
    accounts = digest.accounts
    lines = []
    if accounts.set_aside:
        lines.append(f"{accounts.set_aside} messages could not be read: please look at them on the desk.")
    if accounts.spam:
        lines.append(f"{accounts.spam} messages are in the spam tray.")
    if accounts.waiting:
        lines.append(f"{accounts.waiting} messages wait for triage.")
    lines += [_mailbox_line(count) for count in digest.mailbox]
    if digest.unsent:
        lines.append(f"{digest.unsent} outgoing mails could not be sent.")
    return [*lines, ""] if lines else []


def _mailbox_line(count: FolderCount) -> str:
    missing = f"{count.difference} are missing here" if count.difference else "none is missing here"
    return f"Mailbox folder {count.folder.name}: {count.in_mailbox} messages, {missing}."


def send_due_digests(app: App, now: datetime) -> int:
    """Decide to send today's digest to each lead who has none yet, once its hour has come; returns how many.

    After a stop over the digest hour they go out at the next start, on the same day.
    """
    day = _today(app.settings, now)
    if now < digest_hour(app.settings, day) or not is_working_day(day, app.settings.hours, is_bank_holiday):
        return 0
    with app.database.read() as session:
        waiting = [lead for lead in active_leads(session) if not is_decided(session, _outgoing_id(lead, day))]
    return sum(_send(app, lead, day, now) for lead in waiting)


def _send(app: App, lead: LeadRow, day: date, now: datetime) -> bool:
    with app.database.write() as session:
        outgoing_id = _outgoing_id(lead, day)
        mail = digest_mail(app, session, lead, day, outgoing_id=outgoing_id, now=now)
        decided = decide_to_send(
            app,
            session,
            mail,
            outgoing_id=outgoing_id,
            kind=OutgoingKind.DIGEST,
            subject_id=f"lead:{lead.id}",
            now=now,
        )
        reached(Step.DIGEST_WRITTEN)
    reached(Step.DIGEST_DECIDED)
    return decided


def _outgoing_id(lead: LeadRow, day: date) -> str:
    return f"digest-{day:%Y%m%d}-{lead.id}"


def digest_mail(
    app: App, session: Session, lead: LeadRow, day: date, *, outgoing_id: str, now: datetime
) -> EmailMessage:
    """The digest of one lead and day as a mail."""
    digest = gather(app, session, lead, day, now=now)
    count = f"{len(digest.reds)} red" if digest.reds else "nothing new" if digest.is_quiet else "no red"
    mail = compose(
        app.settings,
        outgoing_id=outgoing_id,
        recipient=lead.email,
        subject=f"Care concerns digest, {calendar_day(day)}: {count}",
        body=write_digest(digest, app.settings),
        now=now,
    )
    mail["Auto-Submitted"] = "auto-generated"
    return mail
