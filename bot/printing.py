"""What single commands do with the database, and the words they answer with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.app import App
from bot.digests import gather, write_digest
from storage.audit import AT_THE_COMMAND_LINE, MACHINE, Audit
from storage.concerns import concern_by_reference
from storage.erasing import erase
from storage.labelled_examples import LabelledExample
from storage.people import active_leads, add_lead, lead_by_email, let_erase, let_word_answers
from storage.register import save_register
from storage.register_import import read_register
from triage.errors import BadInput
from triage.vocabulary import Category


def digests_as_text(app: App, day: date | None, email: str | None, *, now: datetime) -> str:
    """The digest of one lead, or of each; BadInput when there is no such lead."""
    chosen = day or now.astimezone(ZoneInfo(app.settings.timezone)).date()
    with app.database.read() as session:
        if email:
            lead = lead_by_email(session, email)
            if lead is None:
                raise BadInput(f"there is no lead with the address {email}")
            leads = [lead]
        else:
            leads = active_leads(session)
        if not leads:
            raise BadInput("there is no lead yet: careconcerns add-lead")
        texts = [write_digest(gather(app, session, lead, chosen, now=now), app.settings) for lead in leads]
    return "\n".join(texts)


def import_providers(app: App, file: Path, *, now: datetime) -> str:
    """Make the file's providers the listed ones; says how many, and which rows were skipped and why."""
    found = read_register(file)
    with app.database.write() as session:
        details = {"file": file.name, "providers": len(found.providers), "skipped": len(found.skipped)}
        audit = Audit(at=now, actor=MACHINE, action="register_imported", details=details)
        save_register(session, found.providers, now=now, audit=audit)
    lines = [f"{len(found.providers)} providers imported from {file.name} ({found.source_format})"]
    lines += [f"row {row.number} skipped: {row.reason}" for row in found.skipped]
    return "\n".join(lines)


def add_person(
    app: App, email: str, name: str, categories: Sequence[str], password: str, *, now: datetime
) -> str:
    """Add a lead; BadInput for an unknown category, a taken address or a short password."""
    try:
        chosen = [Category(category) for category in categories] or list(Category)
    except ValueError:
        raise BadInput(f"a category is one of {', '.join(Category)}") from None
    with app.database.write() as session:
        add_lead(
            session,
            email=email,
            name=name,
            password=password,
            categories=chosen,
            audit=Audit(at=now, actor=MACHINE, action="lead_added"),
        )
    return f"{email} can log in"


def give_erasing_right(app: App, email: str, *, may: bool, now: datetime) -> str:
    """Let a lead erase the content of concerns, or no longer; BadInput when there is no such lead."""
    with app.database.write() as session:
        lead = lead_by_email(session, email)
        if lead is None:
            raise BadInput(f"there is no lead with the address {email}")
        action = "erasing_right_given" if may else "erasing_right_taken"
        let_erase(session, lead, may=may, audit=Audit(at=now, actor=MACHINE, action=action))
    return f"{email} {'may' if may else 'may no longer'} erase the content of concerns"


def erase_concern(app: App, reference: str, because: str, *, user: str, now: datetime) -> str:
    """Erase the content of a concern's messages; BadInput without a reason or where it was erased before."""
    with app.database.write() as session:
        concern = concern_by_reference(session, reference, lock=True)
        audit = Audit(at=now, actor=f"{AT_THE_COMMAND_LINE}: {user}"[:64], action="erased")
        count = erase(session, app.keys, concern, because=because, audit=audit)
    return f"{concern.reference}: {count} messages erased, their tombstones stay"


def give_wording_right(app: App, email: str, *, may: bool, now: datetime) -> str:
    """Let a lead change the wording of automatic answers, or no longer; BadInput when there is no such lead."""
    with app.database.write() as session:
        lead = lead_by_email(session, email)
        if lead is None:
            raise BadInput(f"there is no lead with the address {email}")
        action = "wording_right_given" if may else "wording_right_taken"
        let_word_answers(session, lead, may=may, audit=Audit(at=now, actor=MACHINE, action=action))
    return f"{email} {'may' if may else 'may no longer'} change the wording of automatic answers"


def example_as_json(example: LabelledExample) -> str:
    """What somebody decided as one line of JSON, redacted, with who decided it and when."""
    return json.dumps(
        {
            "id": example.reference,
            "channel": example.channel,
            "subject": example.subject,
            "text": example.text,
            "category": example.category.value,
            "severity": example.severity.label if example.severity is not None else None,
            "themes": [theme.value for theme in example.themes],
            "abuse_types": [kind.value for kind in example.abuse_types],
            "kind": example.kind,
            "decided_by": example.decided_by,
            "decided_at": example.decided_at.isoformat(),
        },
        ensure_ascii=False,
    )
