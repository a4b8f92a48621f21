"""Kill it, break it, fuzz it for as long as you like: `script/soak`; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.soak.kills import DATABASES, PLACES, KillMatrix, prepared

_COLUMNS = (
    ("kills", "kills"),
    ("sent", "sent"),
    ("again", "sent again"),
    ("acknowledged", "acknowledged"),
    ("stored", "stored"),
    ("copies", "linked copies"),
    ("lost", "lost"),
    ("doubled", "doubled"),
    ("second_answers", "2nd answers"),
    ("in_doubt", "answers in doubt"),
    ("unanswered", "unanswered"),
    ("alerts_repeated", "alerts again"),
    ("digests_repeated", "digests again"),
    ("digests_missing", "digests missing"),
)


def main() -> int:
    """Run what is asked for, and print its report."""
    asked = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    what = asked.add_subparsers(dest="what")
    kills = what.add_parser("kills", help="kill -9 at each step of a message's way (the default)")
    for options in (asked, kills):
        options.add_argument("--quick", action="store_true", help="each step once on each database")
        options.add_argument("--rounds", type=int, default=0, help="that often through all steps")
        options.add_argument(
            "--minutes", type=float, default=0, help="as many rounds as begin within this time"
        )
        options.add_argument(
            "--database", choices=DATABASES, action="append", help="on this one alone; repeat"
        )
        options.add_argument("--step", choices=PLACES, action="append", help="at this step alone; repeat")
    law = what.add_parser(
        "law", help="random mixes of channels, copies, junk and faults: does it all add up?"
    )
    fuzz = what.add_parser("fuzz", help="mutated mail: is it read, or said to be unreadable?")
    for options in (law, fuzz):
        options.add_argument("--minutes", type=float, default=5)
        options.add_argument("--seed", type=int, default=int(time.time()), help="where to begin")
    fuzz.add_argument("--findings", type=Path, default=Path("findings"), help="folder for mails that fail")
    chosen = asked.parse_args()
    return {"law": _law, "fuzz": _fuzz}.get(chosen.what, _kills)(chosen)


def _law(chosen: argparse.Namespace) -> int:
    from tests.soak.law import try_mixes

    return try_mixes(chosen.minutes, chosen.seed)


def _fuzz(chosen: argparse.Namespace) -> int:
    from tests.fuzz.long_run import fuzz

    return 1 if fuzz(chosen.minutes, chosen.seed, chosen.findings) else 0


def _kills(chosen: argparse.Namespace) -> int:
    broken = False
    tables = []
    for database in chosen.database or DATABASES:
        print(f"{database}:", flush=True)
        with prepared(database) as matrix:
            rounds = _rounds(matrix, chosen)
            tables.append((database, rounds, matrix))
        broken |= matrix.law_breaks > 0 or any(row.is_broken for row in matrix.rows.values())
    for database, rounds, matrix in tables:
        Console(width=200).print(_report(database, rounds, matrix))
    return 1 if broken else 0


def _rounds(matrix: KillMatrix, chosen: argparse.Namespace) -> int:
    """Whole rounds; every second one kills the process concerned alone."""
    until, done = time.monotonic() + chosen.minutes * 60, 0
    wanted = 1 if chosen.quick else chosen.rounds or (0 if chosen.minutes else 2)
    while done < wanted or (not chosen.quick and time.monotonic() < until):
        matrix.run(chosen.step or PLACES, alone=done % 2 == 1)
        done += 1
    return done


def _report(database: str, rounds: int, matrix: KillMatrix) -> Table:
    table = Table(
        "step",
        *(name for _, name in _COLUMNS),
        title=f"{database}, rounds: {rounds}; times that the numbers did not add up: {matrix.law_breaks}",
    )
    for place, row in matrix.rows.items():
        if row.kills:
            table.add_row(place, *(str(getattr(row, field)) for field, _ in _COLUMNS))
    return table


if __name__ == "__main__":
    sys.exit(main())
