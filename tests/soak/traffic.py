"""Senders as mail servers are: what was not answered with `250` is sent again, byte for byte, until it is."""

from __future__ import annotations

import random
import re
import smtplib
import threading
import time
from dataclasses import dataclass, field

from tests.factories import GREEN_TEXT, RED_TEXT, email_bytes

_TIMEOUT_SECONDS = 20
_GIVE_UP_SECONDS = 120.0
_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.MULTILINE)


def id_of(raw: bytes) -> str:
    """The Message-ID of a mail of ours."""
    found = _ID.search(raw)
    assert found, raw[:200]
    return found[1].decode()


@dataclass
class Traffic:
    """All mails of one service's life: those begun, those that got `250`, and how often each was tried."""

    port: int
    attempts: dict[str, int] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, mails: int, *, sessions: int = 4) -> list[str]:
        """Start sending that many new mails over several sessions; returns their Message-IDs."""
        begun = [self._new() for _ in range(mails)]
        for number in range(sessions):
            share = begun[number::sessions]
            thread = threading.Thread(target=self._send, args=(share,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return [message_id for message_id, _, _ in begun]

    def _new(self) -> tuple[str, str, bytes]:
        self._number += 1
        # Everybody writes once: only one automatic answer a day goes to each sender.
        sender = f"person{self._number}@family.example"
        message_id = f"<soak-{self._number}@family.example>"
        text = RED_TEXT if self._number % 7 == 0 else GREEN_TEXT
        raw = email_bytes(f"{text} Number {self._number}.", sender=sender, message_id=message_id)
        self.attempts[message_id] = 0
        return message_id, sender, raw

    def _send(self, share: list[tuple[str, str, bytes]]) -> None:
        for message_id, sender, raw in share:
            deadline = time.monotonic() + _GIVE_UP_SECONDS
            while time.monotonic() < deadline:
                with self._lock:
                    self.attempts[message_id] += 1
                if self._try(sender, raw):
                    with self._lock:
                        self.acknowledged.add(message_id)
                    break
                time.sleep(random.uniform(0.1, 0.3))

    def _try(self, sender: str, raw: bytes) -> bool:
        server = None
        try:
            server = smtplib.SMTP("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS)
            server.sendmail(sender, ["care.concerns@council.example"], raw)
        except (OSError, smtplib.SMTPException):
            return False
        else:
            return True
        finally:
            # What happens after the answer, also a listener that dies, changes nothing of it.
            if server is not None:
                server.close()

    def finish(self) -> None:
        """Wait until every sender has got rid of its mails, or has given up."""
        for thread in self._threads:
            thread.join(_GIVE_UP_SECONDS * 2)
        self._threads.clear()
