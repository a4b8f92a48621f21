"""The command line of a service for which every day is a working day, so that digests go out on any day of a soak."""

from __future__ import annotations

import sys

from bot import cli, digests, serving


def main() -> None:
    """Run the command line, and its parts, with that one change."""
    serving.PART_COMMAND = (sys.executable, "-m", "tests.soak.every_day", "run-part")
    digests.is_working_day = lambda *_: True
    cli.main()


if __name__ == "__main__":
    main()
