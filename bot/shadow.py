"""Shadow mode: a candidate labels each new message too, later and out of sight, and changes nothing.

The worker asks for it at its own beat, when the message's concern is long open. What fails is noted by the
kind of its error and not tried again.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bot.app import App, costs_in_force
from bot.background import SHADOW_QUEUE
from bot.settings import Settings
from storage.audit import MACHINE, Audit
from storage.messages import raw_of
from storage.shadow import (
    running,
    save_answer,
    start_run,
    stop_run,
    unanswered,
)
from storage.tables import AssessmentRow, ShadowRunRow
from triage.assess import Predictors, assess
from triage.decide import decide
from triage.errors import BadInput
from triage.provider_match import Register
from triage.vocabulary import Channel, Message

log = logging.getLogger(__name__)

SHADOW_JOB = "shadow"
_MOST_ASKED = 50
_NO_REGISTER = Register.of(())
Read = Callable[[App, Channel, bytes], Message]


def shadow_folder(settings: Settings) -> Path:
    """Where the candidate lies while it runs in the shadow."""
    return settings.data_dir / "shadow"


def start_shadow(app: App, candidate: Path, *, now: datetime) -> str:
    """Run the candidate beside the model in force from now on; returns what the gate says of it, as text."""
    from bot.promotion import judge  # noqa: PLC0415  brings the learning libraries

    verdict = judge(candidate, app.settings, now=now)
    folder = shadow_folder(app.settings)
    aside = folder.with_name("shadow.new")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(candidate, aside)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    with app.database.write() as session:
        audit = Audit(at=now, actor=MACHINE, action="shadow_started")
        start_run(session, verdict.version, verdict.as_json(), audit=audit)
    said = "; ".join(verdict.refusals) or "it may take the place of the model in force"
    return f"{verdict.version} runs in the shadow of {verdict.in_force}. The gate: {said}"


def stop_shadow(app: App, *, now: datetime) -> str:
    """End the run; what was said in it is kept. BadInput when there is none."""
    with app.database.write() as session:
        run = stop_run(session, now=now)
    shutil.rmtree(shadow_folder(app.settings), ignore_errors=True)
    if run is None:
        raise BadInput("no candidate runs in the shadow")
    return run.model_version


def ask_for_shadow(app: App) -> None:
    """Ask for the candidate's answer to what was assessed since it runs; nothing is asked where none does."""
    if not shadow_folder(app.settings).is_dir():
        return
    with app.database.read() as session:
        run = running(session)
        waiting = unanswered(session, run, limit=_MOST_ASKED) if run is not None else []
    if run is not None and waiting:
        with app.database.write() as session:
            for assessment_id in waiting:
                # Named by the run, so that workers together ask once for each.
                app.background.enqueue(session, SHADOW_QUEUE, SHADOW_JOB, assessment_id, again=run.id)


class Shadow:
    """The candidate of this worker, loaded when it is first needed and anew when another takes its place."""

    def __init__(self, app: App, *, read: Read, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded: tuple[str, Predictors] | None = None

    def answer(self, assessment_id: str) -> None:
        """Label the assessed message by the candidate and keep that; whatever fails is noted and left."""
        with self._app.database.read() as session:
            run = running(session)
            assessment = session.get(AssessmentRow, assessment_id)
            if run is None or assessment is None:
                return
            raw, _, row = raw_of(session, self._app.keys, assessment.message_id)
        message = self._read(self._app, Channel(row.channel), raw)
        said = assess(message, register=_NO_REGISTER, predictors=self._predictors(run))
        with self._app.database.write() as session:
            save_answer(
                session,
                run.id,
                assessment_id,
                decide(said),
                confidence=max(said.prediction.category.values()),
                now=self._clock(),
            )

    def give_up(self, assessment_id: str, why: str) -> None:
        """Note that the candidate made nothing of it, so that nobody asks again."""
        log.warning("the candidate in the shadow failed on assessment %s: %s", assessment_id, why)
        with self._app.database.write() as session:
            run = running(session)
            if run is not None:
                save_answer(session, run.id, assessment_id, None, failure=why, now=self._clock())

    def _predictors(self, run: ShadowRunRow) -> Predictors:
        from models.artifact import load_predictors  # noqa: PLC0415

        with self._lock:
            if self._loaded is None or self._loaded[0] != run.id:
                settings = self._app.settings
                models = load_predictors(
                    shadow_folder(settings), encoder=settings.encoder, costs=costs_in_force(settings)
                )
                self._loaded = (run.id, models)
            return self._loaded[1]
