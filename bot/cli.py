"""The command line: `careconcerns COMMAND`. A person's mistake is one line on stderr and exit code 2."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

import click

from bot.settings import Settings, load_settings, settings_reference
from triage.errors import BadInput, CareConcernsError

# Every other module is imported by the command that needs it: `--help` answers at once.

_FILE = click.Path(path_type=Path)


class _Commands(click.Group):
    """Turns our own refusals into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it refuses is said in one line."""
        try:
            return super().invoke(ctx)
        except CareConcernsError as error:
            click.echo(f"careconcerns: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="careconcerns")
def main() -> None:
    """The intake desk of a council's adult-social-care quality team."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Results are UTF-8 whatever the locale; what is no character is written as JSON escapes it.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


@main.command()
@click.option(
    "--only", default="", help="Run these parts alone: smtp, imap, slack, web, worker; comma-separated."
)
def serve(only: str) -> None:
    """Run the service until Ctrl-C."""
    from bot.running import run_service

    run_service(load_settings(), only)


@main.command(name="run-part", hidden=True)
@click.argument("name")
def run_part(name: str) -> None:
    """Be one part of the service; `serve` calls this."""
    from bot.serving import run_part as run

    run(name, load_settings())


@main.command()
@click.argument("text")
@click.option("--subject", default="A message to care concerns", show_default=True)
@click.option("--from", "sender", default="a.person@home.example", show_default=True)
def send(text: str, subject: str, sender: str) -> None:
    """Send one message to the running service, through its mail port."""
    from bot.sending import send_text

    settings = load_settings()
    send_text(
        settings,
        text=text,
        subject=subject,
        sender=sender,
        address=(settings.smtp_host, settings.smtp_port),
    )
    click.echo(f"Stored. It is on the desk in a moment: {settings.desk_url}")


@main.command()
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True), default=Path("-"))
@click.option("--register", type=_FILE, help="Register of providers to look names up in.")
@click.option("--model", type=_FILE, help="Folder of the model. Default: the one in force.")
@click.option("--lexical", is_flag=True, help="Do without the sentence encoder.")
def assess(source: Path, register: Path | None, model: Path | None, lexical: bool) -> None:
    """Assess messages given as JSON Lines; needs no database and no running service."""
    from bot.assessing import answer_lines, assess_line, lines_of, register_from

    predictors = _predictors(model, lexical=lexical)
    known = register_from(register)
    with _open(source) as file:
        bad = answer_lines(
            lines_of(file), lambda line: assess_line(line, predictors=predictors, register=known)
        )
    sys.exit(1 if bad else 0)


@main.command()
@click.argument("files", type=_FILE, nargs=-1, required=True)
def parse(files: Sequence[Path]) -> None:
    """Read emails (.eml) and write what is in each as a JSON line."""
    from bot.email_parsing import describe

    bad = 0
    for file in files:
        described = describe(file)
        bad += "error" in described
        click.echo(json.dumps(described, ensure_ascii=False))
    sys.exit(1 if bad else 0)


@main.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Write the figures as JSON.")
@click.option("--model", type=_FILE, help="Folder of the model. Default: the one in force.")
@click.option("--lexical", is_flag=True, help="Do without the sentence encoder.")
def evaluate(file: Path, as_json: bool, model: Path | None, lexical: bool) -> None:
    """Compare what the program says with labelled messages (JSON Lines)."""
    from bot.assessing import evaluate_file
    from models.evaluate import as_table

    figures, bad = evaluate_file(file, _predictors(model, lexical=lexical))
    click.echo(json.dumps(figures, indent=1) if as_json else as_table(figures))
    sys.exit(1 if bad else 0)


@main.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--model", type=_FILE, help="Folder of the model. Default: the one in force.")
@click.option("--lexical", is_flag=True, help="Do without the sentence encoder.")
@click.option("--messages", default=100, show_default=True, help="How many messages to make copies of.")
def fairness(file: Path | None, model: Path | None, lexical: bool, messages: int) -> None:
    """Count how often a label changes with sex, kin, name, faith, age, spelling or dialect.

    Of the messages in FILE, or of the frozen ones; exit code 1 when more than 3 in 100 change.
    """
    from bot.fairness import as_table, flips, share
    from models.labelled import FROZEN, load_corpus

    counted = flips(load_corpus(file or FROZEN)[:messages], _predictors(model, lexical=lexical))
    click.echo(as_table(counted))
    sys.exit(1 if share(counted) > 0.03 else 0)


@main.command()
@click.option("--corpus", "source", type=_FILE, help="Folder of labelled messages. Default: models/corpus.")
@click.option("--out", type=_FILE, help="Folder of the candidate. Default: candidate in the data folder.")
@click.option("--without-corrections", is_flag=True, help="Leave out what people decided at the desk.")
@click.option(
    "--encoder", type=_FILE, help="Folder of the sentence encoder. Default: that of the model in force."
)
def train(source: Path | None, out: Path | None, without_corrections: bool, encoder: Path | None) -> None:
    """Train a candidate model from the corpus and the desk's decisions; `promote` puts it in force."""
    from bot.training import train_candidate

    settings = load_settings()
    folder = out or settings.data_dir / "candidate"
    version = train_candidate(
        source,
        folder,
        settings=settings,
        corrections=not without_corrections,
        encoder_folder=encoder,
        now=datetime.now(UTC),
        say=lambda line: click.echo(line, err=True),
    )
    click.echo(f"{version} is in {folder}. Compare and put it in force: careconcerns promote")


@main.command()
@click.option("--copy", is_flag=True, help="Put the program's table into the data folder, to be changed.")
def lines(copy: bool) -> None:
    """Show what may be missed of each class, and the lines that follow; a changed table needs no training."""
    from bot.costs import copy_costs, lines_report

    settings = load_settings()
    if copy:
        click.echo(f"{copy_costs(settings)} is in force from the next start of the workers.")
    click.echo(lines_report(settings))


@main.group()
def corpus() -> None:
    """The labelled messages that the models learn from."""


@corpus.command()
@click.option("--against", type=_FILE, multiple=True, help="Messages it is measured on: it may share none.")
def check(against: Sequence[Path]) -> None:
    """Check labels, copies, balance and overlap; exit code 1 when the corpus must not be used like this."""
    from bot.training import corpus_report

    complaints, text = corpus_report(against)
    click.echo(text)
    for complaint in complaints:
        click.echo(f"{'WRONG' if complaint.grave else 'note '} {complaint.text}")
    sys.exit(1 if any(complaint.grave for complaint in complaints) else 0)


@corpus.command(name="own")
def own_examples() -> None:
    """Write what people decided at the desk as JSON lines: the very words, redacted, that `train` learns from."""
    from bot.printing import example_as_json
    from bot.training import desk_examples

    for example in desk_examples(load_settings(), now=datetime.now(UTC)):
        click.echo(example_as_json(example))


@main.command()
@click.option(
    "--candidate", type=_FILE, help="Folder of the candidate. Default: candidate in the data folder."
)
def promote(candidate: Path | None) -> None:
    """Put a candidate in force, unless it misses more safeguarding or red messages than the current model."""
    from bot.promotion import promote as put_in_force

    settings = load_settings()
    version = put_in_force(candidate or settings.data_dir / "candidate", settings, now=datetime.now(UTC))
    click.echo(f"{version} is in force from the next start of the workers.")


@main.group()
def shadow() -> None:
    """A candidate that labels every new message too, out of sight, and changes nothing."""


@shadow.command(name="start")
@click.option(
    "--candidate", type=_FILE, help="Folder of the candidate. Default: candidate in the data folder."
)
def shadow_start(candidate: Path | None) -> None:
    """Begin, and say what the gate says of the candidate."""
    from bot.shadow import start_shadow

    with _app() as app:
        folder = candidate or app.settings.data_dir / "candidate"
        click.echo(start_shadow(app, folder, now=datetime.now(UTC)))


@shadow.command(name="stop")
def shadow_stop() -> None:
    """End it; what the candidate said is kept."""
    from bot.shadow import stop_shadow

    with _app() as app:
        click.echo(f"{stop_shadow(app, now=datetime.now(UTC))} no longer runs in the shadow.")


@shadow.command(name="report")
def shadow_report() -> None:
    """Show where the candidate and the model in force differ, and how each did against people."""
    from bot.shadow_report import shadow_report as report

    with _app() as app:
        click.echo(report(app))


@main.command()
def rollback() -> None:
    """Put the model before the last promotion back in force."""
    from bot.promotion import rollback as put_back

    version = put_back(load_settings(), now=datetime.now(UTC))
    click.echo(f"{version} is in force from the next start of the workers.")


@main.command()
@click.option("--print", "show", is_flag=True, help="Print it; without this nothing happens.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day, such as 2026-11-22.")
@click.option("--lead", "email", help="The lead's email address. Default: every lead.")
def digest(show: bool, day: datetime | None, email: str | None) -> None:
    """Show the daily digest of a lead; the service sends it by itself."""
    from bot.printing import digests_as_text

    if not show:
        raise BadInput("the service sends digests by itself; add --print to see one")
    with _app() as app:
        click.echo(digests_as_text(app, day.date() if day else None, email, now=datetime.now(UTC)))


@main.command(name="import-register")
@click.argument("file", type=_FILE)
def import_register(file: Path) -> None:
    """Import the register of providers: a CQC file (.ods, .xlsx, .csv) or our own CSV."""
    from bot.printing import import_providers

    with _app() as app:
        click.echo(import_providers(app, file, now=datetime.now(UTC)))


@main.command()
@click.argument("sources", type=_FILE, nargs=-1, required=True)
@click.option("--out", type=_FILE, help="New folder to keep the database in. Default: it is thrown away.")
@click.option("--register", type=_FILE, help="Register of providers to look names up in.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON line for each message, the table to stderr."
)
@click.option("--lexical", is_flag=True, help="Do without the sentence encoder.")
def replay(
    sources: Sequence[Path], out: Path | None, register: Path | None, as_json: bool, lexical: bool
) -> None:
    """Show what would have become of past mail (mbox, Maildir, .eml); nothing is sent, nothing live is touched."""
    from bot.replay import replay as run

    chosen = load_settings()
    chosen = chosen.model_copy(update={"encoder": chosen.encoder and not lexical})
    report = run(chosen, sources, out=out, register=register, say=lambda line: click.echo(line, err=True))
    if as_json:
        for message in report.messages:
            click.echo(message.as_json())
    click.echo(report.as_table(), err=as_json)


@main.command()
def doctor() -> None:
    """Check that nothing is lost, stuck or missing; exit code 1 when something is."""
    from bot.doctor import check_everything

    findings = check_everything(load_settings())
    for finding in findings:
        click.echo(("ok    " if finding.well else "WRONG ") + finding.text)
    sys.exit(0 if all(finding.well for finding in findings) else 1)


@main.command(name="add-lead")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--category", "categories", multiple=True, help="A category of theirs; repeat. Default: all.")
@click.password_option(help="Asked for when it is not given.")
def add_lead(email: str, name: str, categories: Sequence[str], password: str) -> None:
    """Add a person who logs in and gets the digest."""
    from bot.printing import add_person

    with _app() as app:
        click.echo(add_person(app, email, name, categories, password, now=datetime.now(UTC)))


@main.command()
@click.argument("reference")
@click.option("--because", required=True, help="Why; it is kept, so write no names.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask again.")
def erase(reference: str, because: str, sure: bool) -> None:
    """Erase the content of a concern for ever; a tombstone keeps it from coming back."""
    from getpass import getuser

    from bot.printing import erase_concern

    if not sure:
        click.confirm(f"Erase the content of {reference} for ever?", abort=True)
    with _app() as app:
        click.echo(erase_concern(app, reference, because, user=getuser(), now=datetime.now(UTC)))


@main.command(name="let-erase")
@click.argument("email")
@click.option("--no-longer", is_flag=True, help="Take the right again.")
def let_erase(email: str, no_longer: bool) -> None:
    """Let a lead erase the content of concerns on the desk."""
    from bot.printing import give_erasing_right

    with _app() as app:
        click.echo(give_erasing_right(app, email, may=not no_longer, now=datetime.now(UTC)))


@main.group()
def slack() -> None:
    """Setting up Slack."""


@slack.command()
@click.option("--url", default="", help="HTTP mode: where Slack reaches /slack/events.")
def manifest(url: str) -> None:
    """Print the manifest of the Slack app, for "create an app from a manifest"."""
    from bot.slack_in.manifest import manifest_text

    if url and not url.startswith("https://"):
        raise BadInput("Slack sends to https:// addresses alone")
    click.echo(manifest_text(url=url), nl=False)


@slack.command()
def reference() -> None:
    """Print docs/slack.md."""
    from bot.slack_in.manifest import slack_reference

    click.echo(slack_reference(), nl=False)


@main.command(name="let-word-answers")
@click.argument("email")
@click.option("--no-longer", is_flag=True, help="Take the right instead of giving it.")
def let_word_answers(email: str, no_longer: bool) -> None:
    """Let a lead change the wording of automatic answers on the desk."""
    from bot.printing import give_wording_right

    with _app() as app:
        click.echo(give_wording_right(app, email, may=not no_longer, now=datetime.now(UTC)))


@main.command(name="smtp-password")
@click.password_option(help="Asked for when it is not given.")
def smtp_password(password: str) -> None:
    """Print the hash of a password of the mail port, for CARECONCERNS_SMTP_PASSWORD_HASH."""
    from argon2 import PasswordHasher

    if len(password) < 12:
        raise BadInput("a password needs at least 12 characters")
    click.echo(PasswordHasher().hash(password))


@main.command(name="add-key")
def add_key() -> None:
    """Add a key to the key file: new fields are sealed under it, old keys stay to read old ones."""
    from storage.encryption import add_key as add

    ring = add(load_settings().keys_path)
    click.echo(
        f"{ring.current} seals from the next start. Back the key file up, then: careconcerns rotate-keys"
    )


@main.command(name="rotate-keys")
def rotate_keys() -> None:
    """Seal again, under the current key, every field that an older key sealed; the service may run."""
    from storage.rotation import reseal_all

    with _app() as app:
        click.echo(f"{reseal_all(app.database)} fields sealed again under {app.keys.current}")


@main.command()
@click.option("--reference", is_flag=True, help="Write docs/settings.md to standard output.")
def settings(reference: bool) -> None:
    """Show the settings in force, secrets hidden."""
    if reference:
        click.echo(settings_reference(), nl=False)
        return
    for name, value in load_settings().model_dump().items():
        click.echo(f"CARECONCERNS_{name.upper()}={value}")


def _predictors(model: Path | None, *, lexical: bool) -> Any:
    from bot.app import costs_in_force, model_folder
    from models.artifact import load_predictors

    chosen: Settings = load_settings()
    return load_predictors(
        model or model_folder(chosen),
        encoder=chosen.encoder and not lexical,
        costs=costs_in_force(chosen),
    )


def _app() -> Any:
    from contextlib import closing

    from bot.app import build_app

    app = build_app(load_settings())
    app.database.check_version()
    return closing(app)


def _open(source: Path) -> BinaryIO:
    if str(source) == "-":
        return sys.stdin.buffer
    try:
        return source.open("rb")
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {error.strerror}") from None


if __name__ == "__main__":
    main()
