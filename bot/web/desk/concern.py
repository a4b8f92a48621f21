"""One concern: its labels and why, its words, who decided what, and (when asked for) who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from bot.app import App
from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.desk.attached import ShownFile, shown_files
from bot.web.desk.decision_form import DecisionForm, provider_choices, standing
from bot.web.desk.erasing import may_erase
from bot.web.desk.history import history_lines, who
from bot.web.highlight import Piece, Span, pieces
from bot.web.showing import chance_words, is_overdue
from storage.attachments import attachments_of
from storage.audit import record
from storage.concerns import NOT_STANDING, assessments_of, concern_by_reference, references_of
from storage.database import Session
from storage.desk_pages import MessageFacts, copies_of, messages_at
from storage.erasing import tombstone_of
from storage.messages import Reading, latest_reading
from storage.outgoing import undelivered_answers
from storage.people import names_of
from storage.provider_figures import services_by_id
from storage.tables import AssessmentRow, ConcernRow
from storage.threads import LinkState, links_of
from triage.belonging import WHY_WORDS
from triage.lifecycle import CONCERN_MOVES, ConcernState
from triage.vocabulary import AbuseType, Theme

page = Blueprint("concern", __name__)

# A page with more is slow to open; the rest is one press away, and the page says so.
MOST_CHARACTERS = 100_000


@dataclass(frozen=True)
class ShownMessage:
    """A message as the page shows it; `pieces` is its text with the words behind the labels marked."""

    facts: MessageFacts
    reading: Reading | None
    pieces: list[Piece]
    characters: int
    cut: bool
    copies: list[MessageFacts]
    files: list[ShownFile]


@dataclass(frozen=True)
class Chance:
    """A label with its probability in words and number."""

    label: str
    chance: float
    words: str


@page.get("/concerns/<reference>")
def show(reference: str) -> ResponseReturnValue:
    """The page of a concern."""
    return concern_page(reference)


@page.post("/concerns/<reference>/sender")
def show_sender(reference: str) -> ResponseReturnValue:
    """The same page with who wrote the messages; that it was asked for is written down first."""
    with the_app().database.write() as session:
        concern = concern_by_reference(session, reference)
        record(session, by_this_lead("viewed_sender", utc_now()), f"concern:{concern.id}")
    return concern_page(reference, with_sender=True)


def concern_page(
    reference: str,
    *,
    form: DecisionForm | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    with_sender: bool = False,
    code: int = 200,
) -> ResponseReturnValue:
    """The page, with the values of a form that was not accepted and what is wrong with them."""
    app, now = the_app(), utc_now()
    with app.database.read() as session:
        concern = concern_by_reference(session, reference)
        if concern.state in NOT_STANDING:
            return _gone_page(session, concern), code
        context = _context(app, session, concern, now)
        seen = standing(session, concern)
        shown_form = form or DecisionForm.of(concern, seen)
        choices = provider_choices(session, concern, context["latest"], shown_form)
    return (
        render_template(
            "concern.html",
            **context,
            form=shown_form,
            seen=seen,
            choices=choices,
            errors=errors or {},
            problem=problem,
            with_sender=with_sender,
        ),
        code,
    )


def _gone_page(session: Session, concern: ConcernRow) -> str:
    """What is left of a concern that was joined to another, or erased."""
    stone = tombstone_of(session, concern.id)
    target = references_of(session, [concern.joined_to] if concern.joined_to else [])
    return render_template(
        "concern_gone.html",
        concern=concern,
        target=target.get(concern.joined_to or "", ""),
        stone=stone,
        eraser=who(stone.erased_by, names_of(session, [stone.erased_by])) if stone else "",
        history=history_lines(session, concern, []),
    )


def _context(app: App, session: Session, concern: ConcernRow, now: datetime) -> dict[str, Any]:
    assessments = assessments_of(session, concern.id)
    latest = assessments[0] if assessments else None
    messages = _messages(app, session, concern, assessments)
    services = services_by_id(session, [concern.provider_id] if concern.provider_id else [])
    reviewer = names_of(session, [concern.reviewed_by]) if concern.reviewed_by else {}
    details = latest.details if latest else {}
    return {
        "concern": concern,
        "undelivered": undelivered_answers(session, concern.id),
        "latest": latest,
        "assessments": assessments,
        "messages": messages,
        "service": services.get(concern.provider_id or ""),
        "reviewer": reviewer.get(concern.reviewed_by or "", ""),
        "reasons": [
            {"number": number, "where": _where(reason, details.get("files", [])), **reason}
            for number, reason in enumerate(details.get("reasons", []), start=1)
        ],
        "category_chances": _chances(details.get("category_probabilities", {})),
        "severity_chances": _chances(details.get("severity_probabilities", {})),
        "history": history_lines(session, concern, [message.facts.message_id for message in messages]),
        "questions": [link for link in links_of(session, concern.id) if link.state is LinkState.OPEN],
        "numbers": {message.facts.message_id: n for n, message in enumerate(messages, start=1)},
        "why_words": WHY_WORDS,
        "may_erase": may_erase(session),
        "overdue": is_overdue(concern.due_at, concern.state, now),
        "all_themes": list(Theme),
        "all_abuse_types": list(AbuseType),
        "moves": CONCERN_MOVES[ConcernState(concern.state)],
    }


def _where(reason: dict[str, Any], files: list[dict[str, int]]) -> str:
    """In which part of what was read the reason's words stand."""
    if reason["start"] < 0:
        return "subject"
    numbers = (file["number"] for file in files if file["start"] <= reason["start"] < file["end"])
    number = next(numbers, None)
    return "message" if number is None else f"attached file {number}"


def _chances(probabilities: dict[str, float]) -> list[Chance]:
    ordered = sorted(probabilities.items(), key=lambda item: -item[1])
    return [Chance(label, chance, chance_words(chance)) for label, chance in ordered]


def _messages(
    app: App, session: Session, concern: ConcernRow, assessments: list[AssessmentRow]
) -> list[ShownMessage]:
    facts = messages_at(session, concern.id)
    by_message: dict[str, AssessmentRow] = {}
    for assessment in assessments:
        by_message.setdefault(assessment.message_id, assessment)
    return [_shown(app, session, fact, by_message.get(fact.message_id), assessments[:1]) for fact in facts]


def _shown(
    app: App,
    session: Session,
    facts: MessageFacts,
    assessment: AssessmentRow | None,
    latest: list[AssessmentRow],
) -> ShownMessage:
    reading = latest_reading(session, app.keys, facts.message_id)
    text = assessment.read_text if assessment else reading.text if reading else ""
    limit = len(text) if request.args.get("whole") else MOST_CHARACTERS
    # Only the assessment that the table of reasons shows is marked: numbers must mean the same in both.
    spans = _spans(assessment) if assessment is not None and assessment in latest else []
    return ShownMessage(
        facts=facts,
        reading=reading,
        pieces=pieces(text[:limit], [_within(span, limit) for span in spans]),
        characters=len(text),
        cut=len(text) > limit,
        copies=copies_of(session, [facts.message_id]),
        files=shown_files(
            attachments_of(session, app.keys, [facts.message_id]),
            has_scanner=bool(app.settings.clamd_address),
        ),
    )


def _spans(assessment: AssessmentRow) -> list[Span]:
    return [
        Span(
            number=number,
            start=reason["start"],
            end=reason["end"],
            is_rule=reason["kind"] == "rule",
            is_weakened=bool(reason["context"]),
        )
        for number, reason in enumerate(assessment.details.get("reasons", []), start=1)
    ]


def _within(span: Span, limit: int) -> Span:
    return Span(span.number, span.start, min(span.end, limit), span.is_rule, span.is_weakened)
