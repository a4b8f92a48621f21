"""The mark by which an answer to our mail finds its concern."""

from __future__ import annotations

from email.message import EmailMessage

from bot.settings import Settings
from triage.belonging import subject_tag, with_tag


def thread_mail(mail: EmailMessage, settings: Settings, reference: str, token: str) -> None:
    """Mark a mail of ours so that an answer to it finds its concern."""
    subject, tag = str(mail["Subject"]), subject_tag(reference, token)
    # The tag stands for the reference where the subject names it: twice would be too long for one line.
    named = next((name for name in (f"({reference})", reference) if name in subject), None)
    del mail["Subject"]
    mail["Subject"] = subject.replace(named, tag, 1) if named else f"{subject} {tag}"
    if settings.mail_plus_addressing:
        del mail["Reply-To"]
        mail["Reply-To"] = with_tag(settings.desk_address, token)
