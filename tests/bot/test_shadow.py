"""A candidate in the shadow labels what came since it runs, changes nothing, and may fail without harm."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot import training
from bot.app import App
from bot.background import Worker
from bot.shadow import Shadow, ask_for_shadow, shadow_folder, start_shadow, stop_shadow
from bot.shadow_report import shadow_report, shadow_state
from bot.workflows import jobs, what_the_clock_brings
from models.labelled import FROZEN, load_corpus
from storage.audit import Audit
from storage.concerns import concern_by_id
from storage.corrections import Labels, decide
from storage.erasing import erase
from storage.shadow import running, start_run, unanswered
from storage.tables import ConcernRow, ShadowAnswerRow
from tests.factories import GREEN_TEXT, NOW, email_bytes, lead, triaged
from tests.quick_predictors import QuickPredictors, prediction
from tests.waiting import wait_for
from triage.errors import BadInput
from triage.vocabulary import Category, Prediction, Severity

GATE = {
    "in_force": "quick-1",
    "refusals": ["on 9 frozen messages: red recall called would fall"],
    "grounds": [],
}


class Alarmed(QuickPredictors):
    """A candidate to which everything is red."""

    def predict(self, subject: str, text: str) -> Prediction:
        """Always the same."""
        return prediction(Category.SAFEGUARDING, Severity.RED, version="alarmed-1")


class Broken(QuickPredictors):
    """A candidate that fails."""

    def predict(self, subject: str, text: str) -> Prediction:
        """Never an answer."""
        raise ValueError(text)


def in_the_shadow(app: App, candidate: QuickPredictors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the candidate run from now on."""
    shadow_folder(app.settings).mkdir()
    monkeypatch.setattr("models.artifact.load_predictors", lambda *_, **__: candidate)
    with app.database.write() as session:
        start_run(session, "alarmed-1", GATE, audit=Audit(at=NOW, actor="ada", action="shadow_started"))


def answers(app: App) -> list[ShadowAnswerRow]:
    """What the candidate said."""
    with app.database.read() as session:
        return list(session.scalars(select(ShadowAnswerRow)))


def worked(app: App, done: int) -> None:
    """Let a worker run until the candidate was asked about so many messages."""
    worker = Worker(app.database, jobs(app), executor_id="one", threads=1, silence_seconds=30)
    worker.start(lambda now: what_the_clock_brings(app, now))
    try:
        wait_for(lambda: len(answers(app)) >= done, seconds=90)
    finally:
        worker.stop()


def test_a_worker_asks_the_candidate_about_what_came_since_and_changes_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels alone are kept; the concern is as the model in force made it."""
    triaged(app, email_bytes(), now=NOW - timedelta(hours=1))
    in_the_shadow(app, Alarmed(), monkeypatch)
    concern = triaged(app, email_bytes(GREEN_TEXT + " Again."))
    worked(app, 1)
    [said] = answers(app)
    assert (said.category, said.severity, said.failure) == ("safeguarding", "red", "")
    assert "carpet" not in str(vars(said))
    with app.database.read() as session:
        stands = session.get_one(ConcernRow, concern.id)
        run = running(session)
        assert run is not None
        assert unanswered(session, run, limit=9) == []
    assert (stands.category, stands.severity) == ("care_concern", "green")


def test_a_candidate_that_fails_is_noted_once_and_left(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kind of error, never with the words of a message."""
    in_the_shadow(app, Broken(), monkeypatch)
    triaged(app)
    worked(app, 1)
    [said] = answers(app)
    assert said.failure == "ValueError"
    with app.database.read() as session:
        state = shadow_state(session)
    assert state is not None
    assert (state[1].messages, state[2]) == (0, 1)


def test_nothing_is_asked_where_no_candidate_runs(app: App) -> None:
    """Not even of the database."""
    app.database.close()
    ask_for_shadow(app)


def answered_by_hand(app: App, monkeypatch: pytest.MonkeyPatch) -> ConcernRow:
    """A concern that the candidate labelled too, without a worker."""
    in_the_shadow(app, Alarmed(), monkeypatch)
    concern = triaged(app)
    from bot.workflows import read_message

    shadow = Shadow(app, read=read_message, clock=lambda: NOW)
    with app.database.read() as session:
        run = running(session)
        assert run is not None
        [waiting] = unanswered(session, run, limit=9)
    shadow.answer(waiting)
    shadow.answer(waiting)
    return concern


def test_the_report_names_differences_by_reference_and_says_what_the_gate_says(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how both did against the person who decided."""
    concern = answered_by_hand(app, monkeypatch)
    ada = lead(app)
    with app.database.write() as session:
        row = concern_by_id(session, concern.id)
        labels = Labels(Category.CARE_CONCERN, Severity.GREEN, (), (), None)
        decide(session, row, labels, lead_id=ada.id, now=NOW + timedelta(hours=1), due_at=None)
    report = shadow_report(app)
    assert f"{concern.reference}  care_concern/green  safeguarding/red" in report
    assert "red recall called would fall" in report
    assert "1 of them decided by people (0 safeguarding, 0 red)" in report
    with app.database.read() as session:
        state = shadow_state(session)
    assert state is not None
    assert (state[1].in_force.category_right, state[1].shadow.category_right) == (1, 0)


def test_what_the_candidate_said_goes_where_its_message_goes(
    either_app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased with it."""
    concern = answered_by_hand(either_app, monkeypatch)
    ada = lead(either_app)
    with either_app.database.write() as session:
        audit = Audit(at=NOW, actor=ada.id, action="erased")
        erase(session, either_app.keys, concern_by_id(session, concern.id), because="asked for", audit=audit)
    assert answers(either_app) == []


def test_starting_keeps_a_copy_and_asks_the_gate_and_stopping_ends_it(
    app: App, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate's own folder may change meanwhile."""
    app.settings = app.settings.model_copy(update={"model_dir": small_model, "encoder": False})
    few = load_corpus(FROZEN)[:4]
    monkeypatch.setattr(training, "load_corpus", lambda _: few)
    candidate = Path(shutil.copytree(small_model, app.settings.data_dir / "candidate"))
    assert "it may take the place" in start_shadow(app, candidate, now=NOW)
    assert (shadow_folder(app.settings) / "manifest.json").is_file()
    stop_shadow(app, now=NOW)
    assert not shadow_folder(app.settings).exists()
    with pytest.raises(BadInput, match="no candidate runs"):
        stop_shadow(app, now=NOW)
