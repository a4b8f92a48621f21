"""`careconcerns replay`: past mail goes through everything but the sending, away from the live database."""

from __future__ import annotations

import json
import mailbox
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot import replay as replaying
from bot.app import App
from bot.cli import main
from bot.past_mail import past_mail
from bot.replay import ReplayReport, replay
from bot.settings import Settings
from storage.database import Database
from storage.encryption import load_key_file
from storage.outgoing import count_by_state
from storage.oversight import conservation
from tests.bot.imap.looking import bodies
from tests.factories import email_bytes
from tests.quick_predictors import QuickPredictors
from triage.errors import BadInput

REGISTER = Path(replaying.__file__).parent / "demonstration" / "register.csv"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed answers by keyword in place of the trained models."""
    monkeypatch.setattr(App, "predictors", lambda _: QuickPredictors())


def past() -> list[bytes]:
    """Four mails, of which two are one; each came with a return path."""
    first = email_bytes("My mother was assaulted at Rose Court last night.", sender="a@one.example")
    texts = ("The carpet in the lounge is stained.", "Thank you for the cake.")
    others = [email_bytes(text, sender=f"b{n}@two.example") for n, text in enumerate(texts)]
    return [
        b"Return-Path: <someone@family.example>\r\n" + mail for mail in (first, others[0], first, others[1])
    ]


def an_mbox(folder: Path) -> Path:
    """The mails as one mbox file."""
    path = folder / "archive.mbox"
    box = mailbox.mbox(path)
    for mail in past():
        box.add(mail)
    box.close()
    return path


def a_maildir(folder: Path) -> Path:
    """The mails as a Maildir, one of them half delivered beside them."""
    path = folder / "maildir"
    box = mailbox.Maildir(path)
    for mail in past():
        box.add(mail)
    (path / "tmp" / "half").write_bytes(b"From: half")
    return path


def eml_files(folder: Path) -> Path:
    """The mails as .eml files in a folder, with a note that is no mail."""
    path = folder / "exported"
    path.mkdir()
    for number, mail in enumerate(past()):
        (path / f"{number}.eml").write_bytes(mail)
    (path / "readme.txt").write_text("not a mail")
    return path


def run(settings: Settings, *paths: Path, **more: Path) -> ReplayReport:
    """A replay, with what it says thrown away."""
    return replay(settings, paths, say=lambda _: None, **more)


@pytest.mark.parametrize("make", [an_mbox, a_maildir, eml_files])
def test_the_same_mail_comes_to_the_same_whatever_it_is_kept_in(
    settings: Settings, tmp_path: Path, make: object
) -> None:
    """Every mail is accounted for: three concerns and one linked copy."""
    report = run(settings, make(tmp_path))  # type: ignore[operator]
    kinds = sorted(one.outcome.kind for one in report.messages)
    assert kinds == ["concern", "concern", "concern", "duplicate"]
    labels = {(one.outcome.category, one.outcome.severity) for one in report.messages}
    assert ("safeguarding", "red") in labels
    assert ("care_concern", "green") in labels


def test_of_two_copies_the_first_in_the_file_is_the_original(settings: Settings, tmp_path: Path) -> None:
    """So that two replays of a file come to the same."""
    report = run(settings, an_mbox(tmp_path))
    assert [one.outcome.kind for one in report.messages] == ["concern", "concern", "duplicate", "concern"]
    assert report.messages[2].outcome.duplicate_of == report.messages[0].outcome.message_id


def test_an_mbox_is_divided_only_where_a_mail_begins(tmp_path: Path) -> None:
    """A sentence may begin with `From`, quoted or not."""
    body = b"Subject: x\n\nHello.\n\nFrom Monday on nobody came.\n>From Tuesday on somebody did.\n"
    path = tmp_path / "box"
    path.write_bytes(
        b"".join(b"From a@b.example Mon Jan  5 10:00:00 2026\n" + body + b"\n" for _ in range(2))
    )
    found = list(past_mail([path]))
    assert [mail.number for mail in found] == [1, 2]
    assert all(mail.raw == body.replace(b">From", b"From") for mail in found)


def test_the_live_database_is_not_touched_and_nothing_is_sent(app: App, tmp_path: Path) -> None:
    """Even with a relay set: the folder of the live service stays as it was, byte for byte."""
    settings = app.settings.model_copy(update={"mail_relay_host": "relay.invalid"})
    before = {path: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}
    report = run(settings, an_mbox(tmp_path))
    assert report.answers == 1
    assert {path: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()} == before
    assert bodies(app) == []


def test_a_kept_database_holds_the_concerns_and_no_mail_that_could_be_sent_later(
    settings: Settings, tmp_path: Path
) -> None:
    """Somebody may start a service on it to look around."""
    out = tmp_path / "replayed"
    report = run(settings, an_mbox(tmp_path), out=out, register=REGISTER)
    kept = settings.model_copy(update={"data_dir": out})
    database = Database(kept.url, load_key_file(kept.keys_path))
    with database.read() as session:
        accounts = conservation(session)
        assert count_by_state(session) == {}
    database.close()
    assert accounts.holds
    assert (accounts.received, accounts.concerns, accounts.duplicates) == (4, 3, 1)
    assert all(one.outcome.reference for one in report.messages if one.outcome.kind == "concern")


def test_a_temporary_database_is_gone_afterwards(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People's mail does not stay behind in a folder that nobody looks at."""
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    run(settings, an_mbox(tmp_path))
    assert list(scratch.iterdir()) == []


def invoke(*words: str, data_dir: Path) -> Result:
    """The command as a person gives it."""
    return CliRunner().invoke(main, ["replay", *words], env={"CARECONCERNS_DATA_DIR": str(data_dir)})


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    """Counts by category and severity, and all that a lead asks next."""
    done = invoke(str(an_mbox(tmp_path)), data_dir=tmp_path / "var")
    assert done.exit_code == 0, done.output
    rows = {line[:36].strip(): line[36:].split() for line in done.stdout.splitlines()}
    assert rows["messages"] == ["4"]
    assert rows["duplicates linked"] == ["1"]
    assert rows["acknowledgements it would have sent"] == ["1"]
    assert "Nothing was sent." in done.stdout
    assert "4 of 4 messages triaged" in done.stderr
    assert not (tmp_path / "var").exists()


def test_json_lines_hold_labels_and_not_a_word_of_the_mail(tmp_path: Path) -> None:
    """The lines may be handed to somebody who may not read the mail."""
    done = invoke("--json", str(an_mbox(tmp_path)), data_dir=tmp_path / "var")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["category"] == "safeguarding"
    assert lines[0]["reference"].startswith("CC-2026-")
    for word in ("assaulted", "carpet", "cake", "one.example"):
        assert word not in done.stdout


@pytest.mark.parametrize("what", ["missing", "empty folder", "no mail", "in use"])
def test_what_is_no_mail_is_one_line_and_exit_code_2(tmp_path: Path, what: str) -> None:
    """And nothing is left behind."""
    note = tmp_path / "note.txt"
    note.write_text("just words\n")
    (tmp_path / "empty").mkdir()
    words = {
        "missing": [str(tmp_path / "nowhere.mbox")],
        "empty folder": [str(tmp_path / "empty")],
        "no mail": [str(note)],
        "in use": ["--out", str(tmp_path), str(an_mbox(tmp_path))],
    }[what]
    done = invoke(*words, data_dir=tmp_path / "var")
    assert done.exit_code == 2
    assert done.stderr.startswith("careconcerns: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_wrong_path_among_good_ones_is_found_before_anything_is_done(tmp_path: Path) -> None:
    """Not after an hour of work."""
    with pytest.raises(BadInput, match=r"nowhere\.mbox"):
        next(past_mail([an_mbox(tmp_path), tmp_path / "nowhere.mbox"]))
