"""Measure, and show the table: `python -m tests.bench [names]`; exit code 1 when something falls short."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from tests.bench import imap, learning, mail, slack, understanding
from tests.bench.measured import CannotMeasure, Measured

_BENCHES: dict[str, Callable[[], Iterator[Measured]]] = {
    "smtp-sqlite": mail.smtp_sqlite,
    "smtp-postgres": mail.smtp_postgres,
    "smtp-p99": mail.smtp_p99,
    "memory": mail.memory,
    "imap": imap.imap,
    "slack": slack.slack,
    "triage": understanding.triage,
    "provider-match": understanding.provider_match,
    "providers": understanding.providers,
    "redaction": understanding.redaction,
    "start-up": understanding.start_up,
}
# These train models: half an hour and more, so that they are measured only when they are named.
_SLOW: dict[str, Callable[[], Iterator[Measured]]] = {
    "learning-curve": learning.learning_curve,
    "ablation": learning.ablation,
}


def main(names: list[str]) -> int:
    """Measure what is named, or everything."""
    unknown = [name for name in names if name not in _BENCHES | _SLOW]
    if unknown:
        print(f"there is no {unknown[0]}: choose from {', '.join(_BENCHES | _SLOW)}", file=sys.stderr)
        return 2
    table = Table("what", "measured", "wanted", "", "in numbers")
    short = False
    for name in names or _BENCHES:
        started = time.monotonic()
        try:
            for row in (_BENCHES | _SLOW)[name]():
                short |= row.verdict == "FALLS SHORT"
                table.add_row(
                    row.what, f"{row.figure:.2f} {row.unit}".strip(), row.wanted, row.verdict, row.detail
                )
        except CannotMeasure as error:
            table.add_row(name, "not measured", "", "", str(error))
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    Console().print(table)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
