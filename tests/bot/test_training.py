"""A candidate from the corpus and the desk's decisions, the gate before it, and the lines by a council's costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import promotion, training
from bot.app import App, costs_in_force
from bot.assessing import evaluate_messages
from bot.costs import copy_costs, lines_report
from bot.promotion import judge, promote, rollback
from bot.settings import Settings
from bot.training import desk_examples, train_candidate
from models.artifact import load_predictors, read_manifest
from models.labelled import CORPUS, LabelledMessage
from models.manifest import shipped_model
from models.train import Trained
from storage.concerns import concern_by_id
from storage.corrections import Labels, decide
from storage.labelled_examples import learn_never
from tests.factories import NOW, email_bytes, lead, triaged, with_share
from triage.costs import SHIPPED, shipped_costs
from triage.errors import BadInput
from triage.vocabulary import Category, Severity

TEXTS = (
    "My neighbour Doris Appleby was assaulted by her carer, and the bruise is there to see. Peter Hale, 01632 960123",
    "The carpet in the lounge is stained and the curtains are torn. Peter Hale",
)


def slice_of_the_corpus(folder: Path, messages: list[LabelledMessage]) -> Path:
    """A folder with these messages of the corpus alone."""
    wanted = {message.message_id for message in messages}
    lines = [
        line
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip() and json.loads(line)["id"] in wanted
    ]
    folder.mkdir()
    (folder / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def corpus(small_corpus: list[LabelledMessage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small corpus, in the place of the frozen set too."""
    folder = slice_of_the_corpus(tmp_path / "corpus", small_corpus)
    monkeypatch.setattr(training, "FROZEN", folder)
    return folder


def decided(app: App, number: int, labels: Labels, lead_id: str, text: str = TEXTS[0]) -> str:
    """The id of a concern that a lead decided."""
    concern = triaged(app, email_bytes(f"{text} ({'a' * (number + 1)})", subject="Worried"))
    with app.database.write() as session:
        row = concern_by_id(session, concern.id)
        decide(session, row, labels, lead_id=lead_id, now=NOW, due_at=None)
    return concern.id


RED = Labels(Category.SAFEGUARDING, Severity.RED, (), (), None)
GREEN = Labels(Category.CARE_CONCERN, Severity.GREEN, (), (), None)


@pytest.fixture
def desk(app: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """A desk at which eight concerns were decided, of which two and two are kept back, whatever their ids."""
    seen: dict[str, bool] = {}
    monkeypatch.setattr(
        "models.labelled.in_second_half", lambda group: seen.setdefault(group, len(seen) % 4 in (2, 3))
    )
    ada = lead(app)
    for number in range(8):
        decided(app, number, (RED, GREEN)[number % 2], ada.id, TEXTS[number % 2])
    return app


def trained_with(corpus: Path, folder: Path, settings: Settings, **more: Any) -> list[str]:
    """Train, and what was said while doing so."""
    said: list[str] = []
    train_candidate(corpus, folder, settings=settings, now=NOW, say=said.append, **more)
    return said


def test_a_candidate_keeps_the_encoder_and_learns_from_the_desk(
    desk: App, corpus: Path, tmp_path: Path
) -> None:
    """Both modes, lines on one half, a card, nothing of any message's words, and every decision counted."""
    folder = tmp_path / "candidate"
    said = trained_with(corpus, folder, desk.settings)
    manifest = read_manifest(folder)
    learned = manifest["corpus"]["own"]
    assert learned == 4
    assert any(line.startswith(f"{learned} messages that people decided at the desk") for line in said)
    assert any(f"{8 - learned} more are kept back" in line for line in said)
    assert set(manifest["modes"]) == {"lexical", "blend"}
    assert (folder / "encoder.onnx").read_bytes() == (shipped_model() / "encoder.onnx").read_bytes()
    assert load_predictors(folder).version == manifest["version"]
    assert load_predictors(folder, encoder=False).version.endswith("-lexical")
    card = (folder / "card.md").read_text()
    assert f"{learned} messages that this desk's people decided" in card
    assert "measured with lines drawn on the other half alone" in card
    assert len(manifest["modes"]["blend"]["crossed"]) == 2
    assert "the program's own table of costs" in card
    assert f"| red | {shipped_costs().severity[Severity.RED]:.3f} |" in card
    whole = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix in (".json", ".md"))
    assert b"Appleby" not in whole


def test_decisions_can_be_left_out_and_so_can_the_encoder(
    desk: App, corpus: Path, tmp_path: Path, small_trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an option and by a setting."""
    monkeypatch.setattr(training, "train", lambda *_, own, **__: small_trained if not own else None)
    folder = tmp_path / "candidate"
    lexical_only = desk.settings.model_copy(update={"encoder": False})
    said = trained_with(corpus, folder, lexical_only, corrections=False)
    assert "what people decided at the desk is left out" in said
    manifest = read_manifest(folder)
    assert manifest["corpus"]["own"] == 0
    assert set(manifest["modes"]) == {"lexical"}
    assert "No real message of any person was used." in (folder / "card.md").read_text()


def test_the_desks_examples_are_redacted_and_leave_out_what_must_not_be_learned(desk: App) -> None:
    """Nothing where there is no desk, nothing older than the setting, nothing that was excluded."""
    examples = desk_examples(desk.settings, now=NOW)
    assert len(examples) == 8
    assert not any(word in e.text for e in examples for word in ("Doris", "Appleby", "960123", "Hale"))
    with desk.database.write() as session:
        row = concern_by_id(session, examples[0].concern_id)
        from storage.audit import Audit

        learn_never(session, row, never=True, audit=Audit(at=NOW, actor="ada", action="never_learn"))
    assert len(desk_examples(desk.settings, now=NOW)) == 7
    assert desk_examples(desk.settings, now=NOW + timedelta(days=731)) == []
    assert desk_examples(desk.settings.model_copy(update={"learn_days": 0}), now=NOW) == []
    nowhere = desk.settings.model_copy(update={"data_dir": desk.settings.data_dir / "nowhere"})
    assert desk_examples(nowhere, now=NOW) == []


class Fixed:
    """Stands in for a model: reds are called, or all called green."""

    def __init__(self, version: str, *, sees_reds: bool) -> None:
        self.version = version
        self._sees_reds = sees_reds

    def predict(self, subject: str, text: str) -> Any:
        """By the first word that is known, or always that all is well."""
        from tests.quick_predictors import QuickPredictors, prediction

        if self._sees_reds:
            return QuickPredictors(self.version).predict(subject, text)
        return prediction(Category.CARE_CONCERN, Severity.GREEN, version=self.version)


def test_the_gate_asks_the_desks_own_messages_once_there_are_enough(
    desk: App, corpus: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that misses what people called red at this very desk stays a candidate."""
    settings = desk.settings.model_copy(update={"model_dir": small_model, "encoder": False})
    blind = small_model.with_name("blind")
    monkeypatch.setattr(
        promotion,
        "load_predictors",
        lambda folder, **_: Fixed(folder.name, sees_reds=folder != blind),
    )
    monkeypatch.setattr(
        promotion,
        "frozen_figures",
        lambda *_, **__: evaluate_messages(training.load_corpus(corpus)[:4], Fixed("same", sees_reds=True)),
    )
    monkeypatch.setattr(promotion, "keeps_lines_of_halves", lambda *_, **__: True)
    few = judge(blind, settings, now=NOW)
    assert any("8 messages decided at this desk: from 50 on" in ground for ground in few.grounds)
    assert not any("at this desk" in refusal for refusal in few.refusals)
    monkeypatch.setattr(promotion, "LEAST_OWN", 8)
    enough = judge(blind, settings, now=NOW)
    assert any(
        "messages decided at this desk: red recall called or review would fall" in refusal
        or "messages decided at this desk: red recall called would fall" in refusal
        for refusal in enough.refusals
    )
    assert set(enough.figures) == {"frozen messages", "messages decided at this desk"}
    assert judge(small_model, settings, now=NOW).refusals == []


def test_an_artefact_without_lines_of_halves_is_compared_by_the_lines_in_force(
    app: App, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both alike: else whichever is measured more honestly would lose."""
    old = Path(shutil.copytree(shipped_model(), tmp_path / "old"))
    manifest = json.loads((old / "manifest.json").read_text())
    manifest["modes"]["blend"].pop("crossed", None)
    (old / "manifest.json").write_text(json.dumps(manifest))
    asked: list[bool] = []

    def figures(_: Path, *, crossed: bool, **__: Any) -> dict[str, Any]:
        asked.append(crossed)
        return evaluate_messages(training.load_corpus()[:3], Fixed("same", sees_reds=True))

    monkeypatch.setattr(promotion, "frozen_figures", figures)
    judge(shipped_model(), app.settings.model_copy(update={"model_dir": old}), now=NOW)
    judge(shipped_model(), app.settings.model_copy(update={"model_dir": shipped_model()}), now=NOW)
    assert asked == [False, False, True, True]


def test_the_model_that_comes_with_the_program_follows_a_councils_costs(settings: Settings) -> None:
    """In both modes: it keeps the scores that lines are drawn from."""
    path = copy_costs(settings)
    path.write_text(with_share(path.read_text(), "safeguarding", 0.01))
    assert "-costs." in lines_report(settings)
    assert "-costs." in lines_report(settings.model_copy(update={"encoder": False}))


def test_promotion_and_the_way_back_are_written_down(
    desk: App, corpus: Path, small_model: Path, tmp_path: Path
) -> None:
    """A candidate no worse than the current one is put in force; one command takes it back."""
    settings = desk.settings.model_copy(update={"model_dir": None, "encoder": False})
    shutil.copytree(small_model, settings.data_dir / "model")
    candidate = Path(shutil.copytree(small_model, tmp_path / "candidate"))
    version = promote(candidate, settings, now=NOW)
    assert (settings.data_dir / "model.before").is_dir()
    assert rollback(settings, now=NOW) == version
    from sqlalchemy import select

    from storage.tables import AuditRow

    with desk.database.read() as session:
        entries = session.scalars(select(AuditRow).where(AuditRow.subject == f"model:{version}")).all()
    assert [entry.action for entry in entries] == ["model_promoted", "model_rolled_back"]


def test_a_candidate_that_misses_more_is_refused_and_nothing_changes(
    app: App, corpus: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reasons."""
    settings = app.settings.model_copy(update={"model_dir": small_model.with_name("current")})
    monkeypatch.setattr(
        promotion,
        "load_predictors",
        lambda folder, **_: Fixed(folder.name, sees_reds=folder != small_model),
    )
    reds = [
        replace(message, text="She was assaulted.")
        for message in training.load_corpus(corpus)
        if message.severity is Severity.RED
    ]
    monkeypatch.setattr(
        promotion,
        "frozen_figures",
        lambda folder, **_: evaluate_messages(reds, Fixed(folder.name, sees_reds=folder != small_model)),
    )
    monkeypatch.setattr(promotion, "keeps_lines_of_halves", lambda *_, **__: True)
    with pytest.raises(
        BadInput, match=r"stays a candidate: .*red recall called would fall from 1\.000 to 0\.000"
    ):
        promote(small_model, settings, now=NOW)
    assert not (settings.data_dir / "model").exists()


def test_a_council_changes_its_costs_and_sees_the_lines_move(settings: Settings, small_model: Path) -> None:
    """Copied, changed, shown; nothing is trained."""
    chosen = settings.model_copy(update={"model_dir": small_model})
    assert "the program's own table of costs" in lines_report(chosen)
    path = copy_costs(chosen)
    assert costs_in_force(chosen).origin == "the council's own"
    assert "costs." not in lines_report(chosen).split("\n")[1]
    path.write_text(with_share(path.read_text(), "red", 0.0))
    report = lines_report(chosen)
    assert "the council's own table of costs" in report
    assert "-costs." in report.split("\n")[1]
    with pytest.raises(BadInput, match="there is one already"):
        copy_costs(chosen)
    path.write_text(with_share(SHIPPED.read_text(), "red", 0.45))
    with pytest.raises(BadInput, match="red must be a share"):
        lines_report(chosen)


def test_the_worker_works_by_the_councils_costs(app: App, small_model: Path) -> None:
    """The models that the service loads have the lines of the table in the data folder."""
    app.settings = app.settings.model_copy(update={"model_dir": small_model})
    path = copy_costs(app.settings)
    path.write_text(with_share(path.read_text(), "safeguarding", 0.0))
    app._predictors = None
    assert "-costs." in app.predictors().version
