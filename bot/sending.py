"""Sending to our own mail port: one message of one's own, or the fictional samples of the demonstration."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from bot.settings import Settings
from triage.errors import BadInput

SAMPLES = Path(__file__).with_name("demonstration")
SAMPLE_REGISTER = SAMPLES / "register.csv"
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Sample:
    """One fictional message of the demonstration."""

    sender: str
    subject: str
    text: str


def send_text(settings: Settings, *, text: str, subject: str, sender: str, address: tuple[str, int]) -> str:
    """Send one message to the mail port and return the server's answer; BadInput when it refuses or is away."""
    if not text.strip():
        raise BadInput("there is nothing to send")
    try:
        with smtplib.SMTP(*address, timeout=_TIMEOUT_SECONDS) as server:
            return _send(server, settings, Sample(sender, subject, text))
    except smtplib.SMTPException as error:
        raise BadInput(f"the mail port refused the message: {error}") from None
    except OSError:
        raise BadInput(f"nothing listens at {address[0]}:{address[1]}: start `script/server` first") from None


def read_samples() -> list[Sample]:
    """The samples, in order."""
    return list(_samples())


def _samples() -> Iterator[Sample]:
    for line in (SAMPLES / "messages.jsonl").read_text(encoding="utf-8").splitlines():
        fields: dict[str, Any] = json.loads(line)
        yield Sample(fields["from"], fields["subject"], fields["text"])


def play_samples(settings: Settings, address: tuple[str, int], *, each: Callable[[], None]) -> int:
    """Send every sample through the mail port; `each` is called after each one."""
    samples = read_samples()
    with smtplib.SMTP(*address, timeout=_TIMEOUT_SECONDS) as server:
        for sample in samples:
            _send(server, settings, sample)
            each()
    return len(samples)


def _send(server: smtplib.SMTP, settings: Settings, sample: Sample) -> str:
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"], mail["To"], mail["Subject"] = sample.sender, settings.desk_address, sample.subject
    mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain="sample.example")
    mail.set_content(sample.text)
    server.send_message(mail)
    return "stored"
