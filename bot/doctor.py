"""`careconcerns doctor`: is anything lost, stuck or missing?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.app import App, build_app, costs_in_force, model_folder
from bot.background import unfinished
from bot.liveness import Level, signs_of_life
from bot.scanning import check_scanner
from bot.settings import Settings
from bot.wording import CATEGORY_WORDS
from models.manifest import read_manifest
from storage.attachments import scan_figures
from storage.database import Session
from storage.erasing import count_erased
from storage.outgoing import OutgoingState, count_by_state
from storage.oversight import conservation
from storage.people import active_leads, categories_nobody_leads
from storage.register import register_stamp
from storage.slack import slack_contacts
from storage.threads import count_open_links
from triage.errors import CareConcernsError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    well: bool
    text: str


def check_everything(settings: Settings) -> list[Finding]:
    """Every check, in order; what cannot be opened ends the list."""
    findings = [_model(settings)]
    try:
        app = build_app(settings)
        app.database.check_version()
    except CareConcernsError as error:
        return [*findings, Finding(well=False, text=str(error))]
    except Exception as error:  # noqa: BLE001  whatever the database says, a person must see that it is away
        return [*findings, Finding(well=False, text=f"the database cannot be opened: {type(error).__name__}")]
    with closing(app):
        return [*findings, *_database(app, datetime.now(UTC))]


def _model(settings: Settings) -> Finding:
    folder = model_folder(settings)
    try:
        version, costs = read_manifest(folder)["version"], costs_in_force(settings)
        return Finding(well=True, text=f"model {version}, in {folder}; {costs.origin} table of costs")
    except CareConcernsError as error:
        return Finding(well=False, text=str(error))


def _database(app: App, now: datetime) -> Iterator[Finding]:
    with app.database.read() as session:
        accounts = conservation(session)
        signs = signs_of_life(session, app.settings, now)
        mail = count_by_state(session)
        leads = len(active_leads(session))
        links, erased = count_open_links(session), count_erased(session)
        unled = categories_nobody_leads(session)
        providers, _ = register_stamp(session)
        scans = scan_figures(session)
        slack = list(_slack(session, app.settings, now))
    yield Finding(
        well=accounts.holds,
        text=(
            f"{accounts.received} received = {accounts.concerns} concerns + {accounts.duplicates} duplicates"
            f" + {accounts.set_aside} set aside + {accounts.spam} spam + {accounts.waiting} waiting"
        ),
    )
    for sign in signs:
        yield Finding(well=sign.level is Level.GREEN, text=sign.text)
    yield Finding(well=accounts.set_aside == 0, text=f"{accounts.set_aside} messages could not be read")
    yield from (Finding(well=well, text=text) for well, text in check_scanner(app.settings, scans))
    yield from slack
    failed = mail.get(OutgoingState.FAILED, 0) + mail.get(OutgoingState.UNKNOWN, 0)
    yield Finding(well=failed == 0, text=f"{failed} outgoing mails failed or are in doubt")
    work = unfinished(app.database)
    yield Finding(well=work.get("ERROR", 0) == 0, text=f"unfinished work: {dict(work) or 'none'}")
    yield Finding(well=True, text=f"{links} questions about what belongs together wait for a person")
    yield Finding(well=True, text=f"{erased} messages were erased; their tombstones stay")
    yield Finding(well=leads > 0, text=f"{leads} leads")
    if leads and unled:
        names = ", ".join(CATEGORY_WORDS[category] for category in unled)
        yield Finding(
            well=False, text=f"nobody leads {names}: alerts go to every lead, and no digest lists them"
        )
    yield Finding(well=providers > 0, text=f"{providers} providers in the register")


def _slack(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    if not settings.slack_is_set:
        return
    contacts = slack_contacts(session)
    if not contacts:
        yield Finding(well=False, text="Slack: never reached")
    late = timedelta(seconds=3 * settings.slack_catch_up_seconds + 120)
    for contact in contacts:
        name = "Slack" if contact.kind == "web_api" else "Slack's open connection"
        if contact.contact_at is None or contact.problem:
            yield Finding(
                well=False, text=f"{name}: away since {contact.since:%Y-%m-%d %H:%M}: {contact.problem}"
            )
        else:
            silent = now - contact.contact_at
            minutes = int(silent.total_seconds() // 60)
            yield Finding(well=silent < late, text=f"{name}: last contact {minutes} minutes ago")
