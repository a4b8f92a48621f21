"""The worker: one message, one look into a register of national size, its start and its memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measured import Measured

_ROOT = Path(__file__).parents[2]
_LOCATIONS = 55_000
_TIMES = 40
_STARTS = 3

# 120 words, of the kind that people write.
MESSAGE = (
    "I am writing because I am worried about my mother, who has lived on the first floor since the spring. "
    "When we came on Sunday her call bell was out of reach and she had been waiting for help to the toilet "
    "for a long time. Her lunch stood cold on the table and nobody had cut it up for her, although her plan "
    "says that she needs it. She has lost weight and her trousers no longer fit. The carer who came at last "
    "was kind but alone for the whole corridor, and told us that two people had called in sick again. There "
    "was a bruise on her left arm which nobody could explain. Please could somebody look into this soon?"
)


def triage() -> Iterator[Measured]:
    """A message of 120 words, all included, with the encoder where the model has one."""
    from bot.app import model_folder
    from bot.assessing import assess_line, register_from
    from bot.settings import load_settings
    from models.artifact import load_predictors

    with tempfile.TemporaryDirectory(prefix="careconcerns-bench-") as folder:
        register = register_from(_make_register(Path(folder)))
    predictors = load_predictors(model_folder(load_settings()))
    # Another number each time, so that nothing is found again from the time before.
    lines = (
        json.dumps({"id": n, "text": f"{MESSAGE} My telephone number is 01632 960{n:03d}."})
        for n in range(1_000)
    )
    taken = _times(lambda: assess_line(next(lines), predictors=predictors, register=register))
    yield _milliseconds(f"one message of {len(MESSAGE.split())} words, all included", taken, at_most=60)


def provider_match() -> Iterator[Measured]:
    """Names of services in sentences, misspelt by a letter, in a register of 55,000."""
    from storage.register_import import read_register
    from triage.provider_match import Register, match_provider

    with tempfile.TemporaryDirectory(prefix="careconcerns-bench-") as folder:
        providers = read_register(_make_register(Path(folder))).providers
    register = Register.of(providers)
    names = iter([provider.name for provider in providers[:: _LOCATIONS // 100]])

    def match() -> None:
        name = next(names)
        text = f"My father lives at {name[:3]}{name[4:]} and the staff there will not listen to us."
        match_provider(text, register)

    yield _milliseconds("one provider looked up among 55,000", _times(match))


def providers() -> Iterator[Measured]:
    """How many of the written mentions find their service among 55,000, file by file."""
    from tests.triage import test_provider_match as mentions
    from triage.vocabulary import MatchAdvice

    register = mentions.whole_register()
    for name in mentions.MENTIONS:
        every = mentions.outcomes(register, name)
        named = [outcome for outcome in every if outcome.expected]
        free = [outcome for outcome in every if not outcome.expected]
        count, suggested = len(named), sum(outcome.advice is MatchAdvice.SUGGEST for outcome in free)
        five = sum(outcome.all_listed for outcome in named) / count
        first = sum(outcome.first_is_right for outcome in named) / count
        wrong = sum(outcome.wrongly_suggested for outcome in named) / count
        yield Measured(f"{name}: among five", five, detail=f"{count} mentions", at_least=0.95)
        yield Measured(f"{name}: first", first, detail=f"{count} mentions", at_least=0.85)
        yield Measured(f"{name}: wrong at suggest", wrong, detail=f"{count} mentions", at_most=0.03)
        yield Measured(
            f"{name}: suggested for none", suggested / len(free), detail=f"{len(free)} messages", at_most=0
        )


def redaction() -> Iterator[Measured]:
    """Recall and precision of personal data by kind, over all marked texts and over each part for names."""
    from tests.triage import test_redaction as marked

    parts = list(dict.fromkeys(row["part"] for row in marked.read_texts()))
    every = marked.tally(*parts)
    for kind in map(str, marked.PersonalDataKind):
        least = 0.85 if kind == "name" else 0.97
        spans = f"{every.marked[kind]} marked"
        yield Measured(f"{kind}: recall", every.recall(kind), detail=spans, at_least=least)
        yield Measured(f"{kind}: precision", every.precision(kind), detail=f"{every.found[kind]} found")
    for part in parts:
        one = marked.tally(part)
        if one.marked["name"]:
            yield Measured(
                f"names in part {part}: recall", one.recall("name"), detail=f"{one.marked['name']} marked"
            )


def start_up() -> Iterator[Measured]:
    """A worker with its models and 55,000 locations from the database: until it could work, and its memory."""
    from bot.app import build_app, prepare
    from bot.printing import import_providers
    from bot.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="careconcerns-bench-") as folder:
        settings = load_settings(data_dir=Path(folder) / "var", demonstration=False)
        prepare(settings)
        app = build_app(settings)
        import_providers(app, _make_register(Path(folder)), now=datetime.now(UTC))
        app.close()
        environment = os.environ | {"CARECONCERNS_DATA_DIR": str(settings.data_dir)}
        started = [_start_worker(environment) for _ in range(_STARTS)]
    yield Measured(
        "start of a worker with 55,000 locations", statistics.median(s for s, _ in started), "s", at_most=5
    )
    yield Measured(
        "memory of a worker with 55,000 locations",
        statistics.median(megabytes for _, megabytes in started),
        "MB",
        at_most=500,
    )


_WORKER = """
import json, os, sys
from bot.app import build_app
from bot.assessing import assess_line
from bot.settings import load_settings
from tests.bench.mail import peak_mb
app = build_app(load_settings())
register, predictors = app.register(), app.predictors()
assess_line(sys.argv[1], register=register, predictors=predictors)
print(peak_mb(os.getpid()))
"""


def _start_worker(environment: dict[str, str]) -> tuple[float, float]:
    line = json.dumps({"id": 1, "text": MESSAGE})
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, line],
        env=environment,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return time.perf_counter() - started, float(done.stdout)


def _make_register(folder: Path) -> Path:
    path = folder / "register.csv"
    command = [sys.executable, str(_ROOT / "script/make_register"), str(path), "--count", str(_LOCATIONS)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def _times(act: Callable[[], object]) -> list[float]:
    for _ in range(5):
        act()
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1_000)
    return times


def _milliseconds(what: str, times: list[float], *, at_most: float | None = None) -> Measured:
    return Measured(
        what,
        statistics.median(times),
        "ms",
        f"between {min(times):.1f} and {max(times):.1f}",
        at_most=at_most,
    )
