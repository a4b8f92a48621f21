"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")


def wait_for(
    look: Callable[[], _Found], *, seconds: float = 60, what: str = "it", every: float = 0.05
) -> _Found:
    """What `look` returns as soon as it is true; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(every)
    return found
