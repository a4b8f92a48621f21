"""Deliveries on their way to the app, and when each was acknowledged."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Envelope:
    """One delivery, in Socket Mode's wrapping; the times are of the monotonic clock, in seconds."""

    envelope_id: str
    kind: str
    payload: dict[str, Any]
    attempts: int = 0
    first_sent_at: float = 0.0
    sent_at: float = 0.0
    acked_at: float = 0.0
    answer: dict[str, Any] | None = None
    acked: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        """From the first sending to the acknowledgement."""
        return self.acked_at - self.first_sent_at

    def as_frame(self) -> dict[str, Any]:
        """What goes over the socket."""
        frame = {
            "envelope_id": self.envelope_id,
            "type": self.kind,
            "payload": self.payload,
            "accepts_response_payload": self.kind != "events_api",
        }
        if self.kind == "events_api":
            reason = "timeout" if self.attempts > 1 else ""
            frame |= {"retry_attempt": self.attempts - 1, "retry_reason": reason}
        return frame
