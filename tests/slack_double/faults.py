"""What can be made to go wrong at the stand-in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Faults:
    """Switches; by method name where they concern the Web API."""

    # How many seconds each of the next calls is told to wait (429).
    rate_limits: dict[str, list[int]] = field(default_factory=dict)
    # Methods that answer 503.
    outages: set[str] = field(default_factory=set)
    # Methods whose next call takes effect, while its answer is lost.
    lost_answers: set[str] = field(default_factory=set)
    # How often each event is delivered.
    copies: int = 1
    # Events that nobody is told of: only history knows them.
    silent: bool = False
    # Deliveries are gathered, to be let go in another order.
    holding: bool = False
    # Acknowledgements do not arrive.
    deaf: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_wait(self, method: str) -> int | None:
        """The seconds that this call is told to wait, if any."""
        with self.lock:
            waits = self.rate_limits.get(method)
            return waits.pop(0) if waits else None

    def loses_answer(self, method: str) -> bool:
        """Whether the answer of this call is lost; it happens once."""
        with self.lock:
            lost = method in self.lost_answers
            self.lost_answers.discard(method)
            return lost
