"""Fuzzing for as long as one likes: `script/soak fuzz --minutes N`; each finding is written to a file, once a place."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.checking import TooSlow, check
from tests.fuzz.mutations import mutated


def fuzz(minutes: float, seed: int, folder: Path) -> int:
    """Mutate and check; prints what it did, and returns how many different places failed."""
    found: Counter[str] = Counter()
    until, began, tried, read, slowest = time.monotonic() + minutes * 60, seed, 0, 0, 0.0
    while time.monotonic() < until:
        raw = mutated(Random(seed))
        started = time.process_time()
        try:
            read += check(raw) is not None
        except (Exception, TooSlow) as error:  # noqa: BLE001  a finding
            place = _place(error)
            found[place] += 1
            if found[place] == 1:
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{type(error).__name__}-{seed}.eml"
                path.write_bytes(raw)
                print(f"{place}: {path}", flush=True)
        slowest = max(slowest, time.process_time() - started)
        tried, seed = tried + 1, seed + 1
    print(
        f"{tried} mails from seed {began}: {read} read, {tried - read - found.total()} cannot be read, ",
        end="",
    )
    print(f"{found.total()} failures at {len(found)} places; the slowest took {slowest:.2f} s")
    return len(found)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bot/" in frame.filename or "/triage/" in frame.filename] or frames
    return f"{type(error).__name__} at {ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno}"
