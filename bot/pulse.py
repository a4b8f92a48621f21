"""The pulse: a mail of ours that goes the whole way every few minutes, to show that the way is open.

It comes in by the mail port, is stored, read and understood like any other. Then it is taken out, and
the time is noted: it is never a concern, and only bytes that we made ourselves can be a pulse.
"""

from __future__ import annotations

import hmac
import logging
import re
import smtplib
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

from bot.app import App
from storage.encryption import KeyRing
from storage.messages import Received
from storage.signs import PULSE, note_sign, take_out_pulse
from triage.vocabulary import Channel

log = logging.getLogger(__name__)

_HEADER = "X-Care-Concerns-Pulse"
_MARK = re.compile(rb"^X-Care-Concerns-Pulse: (\S{10,40}) [0-9a-f]{64}\r$", re.MULTILINE)
_HEAD_BYTES = 2000
# The mark stays on one line.
_POLICY = SMTP_POLICY.clone(max_line_length=500)
_TIMEOUT_SECONDS = 20


def write_pulse(keys: KeyRing, moment: datetime) -> bytes:
    """The pulse of that moment; nobody without the keys can write it."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = mail["To"] = "pulse@careconcerns.invalid"
    mail["Subject"] = "Pulse"
    mail["Message-ID"] = f"<pulse-{int(moment.timestamp())}@careconcerns.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail[_HEADER] = f"{moment.isoformat()} {keys.lookup(f'pulse {moment.isoformat()}')}"
    mail.set_content("This is no message from anybody. The program sends it to itself.")
    return mail.as_bytes()


def is_pulse(keys: KeyRing, raw: bytes) -> bool:
    """Whether these are, byte for byte, a pulse of ours: nothing that anybody adds can be hidden in one."""
    mark = _MARK.search(raw[:_HEAD_BYTES])
    if mark is None:
        return False
    try:
        moment = datetime.fromisoformat(mark[1].decode())
    except ValueError:
        return False
    return moment.tzinfo is not None and hmac.compare_digest(raw, write_pulse(keys, moment))


def finish_pulse(app: App, message_id: str, *, now: datetime) -> None:
    """Note that it came through, and take it out, in one transaction."""
    silence = 2 * timedelta(minutes=app.settings.pulse_minutes or 1)
    with app.database.write() as session:
        note_sign(session, PULSE, now, silence=silence)
        take_out_pulse(session, message_id)


class PulseSender:
    """Sends a pulse through the mail port at the start and then every few minutes, in a thread of its own."""

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin, unless the setting says never."""
        if self._app.settings.pulse_minutes:
            self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_SECONDS)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                send_pulse(self._app, self._port, now=datetime.now(UTC))
            except Exception as error:  # noqa: BLE001  that none comes through is what the desk shows
                log.warning("a pulse could not be sent: %s", type(error).__name__)
            self._stop.wait(self._app.settings.pulse_minutes * 60)


def send_pulse(app: App, port: int, *, now: datetime) -> None:
    """Send one: through the mail port, or past it where only strangers with a password or from elsewhere may."""
    settings = app.settings
    raw = write_pulse(app.keys, now)
    if settings.smtp_user or settings.smtp_accept_from:
        app.intake.receive(Received(raw=raw, channel=Channel.EMAIL, received_at=now))
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.smtp_host, settings.smtp_host)  # noqa: S104
    recipient = settings.smtp_accept_for[0] if settings.smtp_accept_for else settings.desk_address
    with smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS) as server:
        if settings.smtp_require_tls:
            # To ourselves, over the loopback: whose name the certificate bears does not matter here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            server.starttls(context=context)
        server.sendmail("", [recipient], raw)
