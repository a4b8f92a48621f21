"""What came of a candidate in the shadow: for the command line as text, for the desk as figures."""

from __future__ import annotations

from bot.app import App
from models.shadow import Pair, Said, ShadowFigures, shadow_figures
from storage.database import Session
from storage.shadow import Beside, beside_each_other, count_failures, latest_run
from storage.tables import ShadowRunRow
from triage.errors import BadInput
from triage.vocabulary import Category, Severity


def shadow_state(session: Session) -> tuple[ShadowRunRow, ShadowFigures, int] | None:
    """The run that is under way, or the last, with its figures and failures; None when there never was one."""
    run = latest_run(session)
    if run is None:
        return None
    pairs = [_pair(one) for one in beside_each_other(session, run)]
    return run, shadow_figures(pairs), count_failures(session, run)


def _pair(one: Beside) -> Pair:
    decided = one.decided
    return Pair(
        reference=one.reference,
        in_force=_said(one.assessment.category, one.assessment.severity, one.assessment.needs_review),
        shadow=_said(one.answer.category, one.answer.severity, one.answer.needs_review),
        decided=_said(decided["category"], decided["severity"]) if decided is not None else None,
    )


def _said(category: str, severity: str | None, needs_review: bool = False) -> Said:
    return Said(Category(category), Severity.from_label(severity) if severity else None, needs_review)


def shadow_report(app: App) -> str:
    """The report as text: agreement, differences by reference, both against people, and the gate."""
    with app.database.read() as session:
        state = shadow_state(session)
    if state is None:
        raise BadInput("no candidate ever ran in the shadow: careconcerns shadow start")
    run, figures, failures = state
    refusals = run.gate.get("refusals", [])
    lines = [
        f"{run.model_version} beside {run.gate.get('in_force', '?')}, {'stopped' if run.stopped_at else 'running'}",
        f"{figures.messages} messages, {failures} more that it could make nothing of",
        f"same category {figures.same_category}, same severity {figures.same_severity}",
        f"sent to review: in force {figures.review_in_force}, candidate {figures.review_shadow}",
        "",
        (
            f"{figures.decided} of them decided by people ({figures.decided_safeguarding} safeguarding, "
            f"{figures.decided_red} red):"
        ),
        f"{'':12s} category  severity  safeguarding   red  missed",
        *(
            f"{name:12s} {did.category_right:8d} {did.severity_right:9d} {did.safeguarding_called:13d} "
            f"{did.red_called:5d} {len(did.grave_missed):7d}"
            for name, did in (("in force", figures.in_force), ("candidate", figures.shadow))
        ),
        "",
        f"The gate: {'; '.join(refusals) or 'it may take the place of the model in force'}",
        *(f"  {ground}" for ground in run.gate.get("grounds", [])),
    ]
    lines += ["", "Where they differ (in force, candidate):"] if figures.differing else []
    lines += [
        f"  {pair.reference}  {_words(pair.in_force)}  {_words(pair.shadow)}" for pair in figures.differing
    ]
    return "\n".join(lines)


def _words(said: Said) -> str:
    severity = said.severity.label if said.severity is not None else "-"
    return f"{said.category.value}/{severity}{' (review)' if said.needs_review else ''}"
