"""The spam tray: only what the council's own gateway marked, and only where nothing hints at a concern.

Nothing in the tray is ever deleted. It is counted on the desk and in the digest, and one press makes a
concern of any item.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import Any

from bot.app import App
from bot.settings import Settings
from bot.threads import Understood
from storage.audit import MACHINE, Audit
from storage.database import Session
from storage.message_checks import save_spam_mark
from storage.messages import dispose, save_reading, was_heard_before
from triage.lifecycle import Disposition
from triage.spam import hints_of_a_concern
from triage.vocabulary import Channel

RESCUE_JOB = "open_from_tray"
_MOST_HEADER_BYTES = 262_144
_SCORE = re.compile(r"-?\d{1,3}")


def spam_marks(raw: bytes, settings: Settings) -> tuple[str, ...]:
    """What the gateway's headers say against the message; only headers that the setting names are looked at."""
    if not settings.spam_headers:
        return ()
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:_MOST_HEADER_BYTES])
    # The gateway writes on top of what it was given, so the first of each name is its own.
    found = ((name, str(head.get(name) or "").strip()) for name in settings.spam_headers)
    return tuple(
        f"{name}: {value.split(',')[0][:60]}" for name, value in found if _says_spam(name, value, settings)
    )


def _says_spam(name: str, value: str, settings: Settings) -> bool:
    if name.lower() == "x-ms-exchange-organization-scl":
        score = _SCORE.match(value)
        return score is not None and int(score.group()) >= settings.spam_scl_at_least
    return value.lower().startswith("yes")


def put_in_tray(app: App, session: Session, item: Understood, *, now: datetime) -> bool:
    """Put what is marked as spam, and hints at nothing, in the tray; False when it goes to the desk as usual."""
    if item.message.channel is not Channel.EMAIL:
        return False
    marks = spam_marks(item.raw, app.settings)
    if not marks:
        return False
    hints = list(
        hints_of_a_concern(
            item.message, item.assessment, item.decision, most_chance=app.settings.spam_most_chance
        )
    )
    if was_heard_before(session, app.keys, item.message):
        hints.append("its sender has written before")
    mark: dict[str, Any] = {"marks": list(marks), "hints": hints}
    save_spam_mark(session, item.message_id, mark, now=now)
    if hints:
        return False
    save_reading(session, app.keys, item.message_id, item.message, now)
    reason = "; ".join(marks)
    audit = Audit(at=now, actor=MACHINE, action="put_in_tray", details={"marks": list(marks)})
    dispose(session, item.message_id, Disposition.SPAM, audit=audit, reason=reason)
    return True
