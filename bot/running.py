"""What `serve` shows: set-up, the parts starting, the samples of a first run, and where to look."""

from __future__ import annotations

import secrets
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from bot.app import build_app, prepare
from bot.printing import import_providers
from bot.sending import SAMPLE_REGISTER, play_samples, read_samples
from bot.serving import Supervisor, parts_of
from bot.settings import Settings
from storage.audit import MACHINE, Audit
from storage.people import active_leads, add_lead, let_word_answers
from triage.vocabulary import Category

_DEMONSTRATION_LEAD = "lead@council.example"


def run_service(settings: Settings, only: str) -> None:
    """Set up what is missing, run the parts until Ctrl-C, and on a first run play the samples."""
    names = parts_of(only, settings)
    first = prepare(settings)
    if settings.demonstration and first:
        _prepare_demonstration(settings)
    supervisor = Supervisor(names, say=lambda line: click.echo(line, err=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.ask_to_stop())
    click.echo("Starting " + ", ".join(names) + " ...")
    addresses = supervisor.start()
    try:
        if settings.demonstration and first and "smtp" in addresses:
            _play(settings, addresses["smtp"])
        _show(settings, addresses)
        supervisor.watch()
    finally:
        click.echo("Stopping ...")
        supervisor.stop()
        click.echo("Stopped.")


def _prepare_demonstration(settings: Settings) -> None:
    password = secrets.token_urlsafe(12)
    now = datetime.now(UTC)
    with closing(build_app(settings)) as app:
        import_providers(app, SAMPLE_REGISTER, now=now)
        with app.database.write() as session:
            if not active_leads(session):
                lead = add_lead(
                    session,
                    email=_DEMONSTRATION_LEAD,
                    name="Demonstration Lead",
                    password=password,
                    categories=list(Category),
                    audit=Audit(at=now, actor=MACHINE, action="lead_added"),
                )
                audit = Audit(at=now, actor=MACHINE, action="wording_right_given")
                let_word_answers(session, lead, may=True, audit=audit)
    note = _log_in_note(settings)
    note.touch(mode=0o600)
    note.write_text(f"{_DEMONSTRATION_LEAD} {password}\n")


def _log_in_note(settings: Settings) -> Path:
    return settings.data_dir / "demonstration-log-in.txt"


def _play(settings: Settings, address: str) -> None:
    host, _, port = address.rpartition(":")
    with click.progressbar(length=len(read_samples()), label="Sending fictional samples") as bar:
        play_samples(settings, (host, int(port)), each=lambda: bar.update(1))


def _show(settings: Settings, addresses: dict[str, str]) -> None:
    click.echo("")
    if "web" in addresses:
        click.echo(f"  The desk:       http://{addresses['web']}/")
        if settings.form_open:
            click.echo(f"  Public form:    http://{addresses['web']}/report")
    if "smtp" in addresses:
        click.echo(f"  Mail comes in:  {addresses['smtp']} (SMTP)")
    note = _log_in_note(settings)
    if settings.demonstration and note.exists():
        email, _, password = note.read_text().strip().partition(" ")
        click.echo(f"  Log in as:      {email}")
        click.echo(f"  Password:       {password}")
        click.echo(f"  Mail goes to:   {settings.outbox}/")
    if "smtp" in addresses:
        click.echo('  Send your own:  .venv/bin/careconcerns send "My mother has had no visit since Friday"')
    click.echo("\nCtrl-C stops it.")
