"""What the automatic answer says: our own wording, the placeholders of the council's, and what is checked on saving.

Somebody who harms the adult may read it over the sender's shoulder. So the default says the same
whatever the matter is, and no placeholder stands for anything that the sender wrote or that we made of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from bot.settings import Settings
from bot.wording import ABUSE_TYPE_WORDS, CATEGORY_WORDS
from storage.answer_texts import answer_text_of
from storage.database import Session
from triage.vocabulary import Category

MOST_SUBJECT = 120
MOST_BODY = 4000

PLACEHOLDERS: Mapping[str, str] = {
    "reference": "the reference, such as CC-2026-000123",
    "council": "the council's name",
    "telephone": "the number of social care in office hours",
    "emergency": "what to do in danger: 999, and the out-of-hours number",
}
_EMERGENCY = """\
If somebody is in danger now, call 999.
When our offices are closed, call {phone}."""
# Words that tell a reader what the matter is.
_TELLING = re.compile(
    r"\b("
    + "|".join(
        re.escape(words)
        for words in {
            CATEGORY_WORDS[Category.SAFEGUARDING],
            CATEGORY_WORDS[Category.CARE_CONCERN],
            CATEGORY_WORDS[Category.REFERRAL],
            *ABUSE_TYPE_WORDS.values(),
            "abuse",
            "abused",
            "harm",
            "complaint",
            "allegation",
            "whistleblowing",
            "provider",
            "care home",
        }
    )
    + r")\b",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True)
class AnswerText:
    """A wording with its placeholders."""

    subject: str
    body: str

    def filled(self, settings: Settings, reference: str) -> AnswerText:
        """The wording as it is sent."""
        values = {
            "reference": reference,
            "council": settings.council_name,
            "telephone": settings.form_office_phone,
            "emergency": _EMERGENCY.format(phone=settings.out_of_hours_phone),
        }
        return AnswerText(self.subject.format_map(values), self.body.format_map(values))

    def errors(self) -> dict[str, str]:
        """What is wrong with it, by field, each with what to do about it."""
        checks = {"subject": self._subject_error(), "body": self._body_error()}
        return {name: error for name, error in checks.items() if error}

    def telling_words(self) -> list[str]:
        """Words in it from which somebody reading over a shoulder would learn what the matter is."""
        found = _TELLING.findall(f"{self.subject}\n{self.body}")
        return sorted({word.lower() for word in found})

    def _subject_error(self) -> str:
        if not self.subject:
            return "Enter a subject"
        if len(self.subject) > MOST_SUBJECT:
            return f"Shorten the subject to {MOST_SUBJECT} characters"
        if "\n" in self.subject or _CONTROL.search(self.subject):
            return "Write the subject on one line"
        if "emergency" in _names(self.subject):
            return "The emergency text has several lines: it belongs into the text"
        return _placeholder_error(self.subject)

    def _body_error(self) -> str:
        if not self.body:
            return "Enter a text"
        if len(self.body) > MOST_BODY:
            return f"Shorten the text to {MOST_BODY} characters"
        if _CONTROL.search(self.body):
            return "Remove the characters that are no text"
        if error := _placeholder_error(self.body):
            return error
        if "reference" not in _names(self.body):
            return "Put {reference} into the text: without it nobody can ask again"
        if "emergency" not in _names(self.body):
            return "Put {emergency} into the text: somebody may be in danger as they read it"
        return ""


DEFAULT = AnswerText(
    subject="We have received your message ({reference})",
    body="""\
Thank you for contacting {council}.

Your message has reached us. Its reference is {reference}.

What happens next
A member of our team will read it. We may not be able to reply to you or tell
you what we find, but we act on what people tell us. If you write again about
this, please answer this mail or give the reference.

{emergency}

This is an automatic answer.
""",
)


def text_in_force(session: Session, category: Category) -> AnswerText:
    """The council's wording for the category, or ours, which is the same for all."""
    row = answer_text_of(session, category)
    wording = AnswerText(row.subject, row.body) if row is not None else DEFAULT
    # What was saved was checked, perhaps by an earlier release that knew other placeholders.
    return DEFAULT if wording.errors() else wording


def _names(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return set()


def _placeholder_error(text: str) -> str:
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    try:
        fields = [(name, spec, how) for _, name, spec, how in Formatter().parse(text) if name is not None]
    except ValueError:
        return f"A curly bracket stands alone. Use {known}, and write {{{{ or }}}} for a bracket of your own"
    for name, spec, how in fields:
        if name not in PLACEHOLDERS or spec or how:
            return f"{{{name}}} cannot be used here. Use {known}"
    return ""
