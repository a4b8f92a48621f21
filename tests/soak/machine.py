"""A service under the soak: told where to die, killed as a whole or in one part, and looked at afterwards."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from bot.background import unfinished
from bot.steps import Step
from storage.database import Database
from storage.oversight import conservation
from storage.tables import DispositionRow, MessageRow, OutgoingRow
from tests.bot.mail_relay import Relay
from tests.journeys.service import Service
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
_QUIET_SECONDS = 120.0
_UNFINISHED_MAIL = ("waiting", "sending")
_orders = count(1)


class Machine(Service):
    """A service that sends through a relay of the soak's own."""

    program = (sys.executable, "-m", "tests.soak.every_day")

    def __init__(self, folder: Path, relay: Relay, **changes: str) -> None:
        super().__init__(
            folder,
            mail_relay_host="127.0.0.1",
            mail_relay_port=str(relay.port),
            mail_relay_security="none",
            digest_at="00:00",
            **changes,
        )
        self._order = folder / "stop-at"
        self.leads = 0
        self.opened: Database | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of every command."""
        return {**super().env, "CARECONCERNS_STOP_AT": str(self._order), "PYTHONPATH": str(ROOT)}

    def order(self, step: Step, times: int) -> None:
        """Have the process that comes to the step for the n-th time from now on die there."""
        aside = self._order.with_suffix(".new")
        aside.write_text(f"{step} {times} order-{next(_orders)}")
        aside.replace(self._order)

    def has_obeyed(self) -> bool:
        """Whether the process has died at its step."""
        return not self._order.exists()

    def add_next_lead(self) -> None:
        """One more lead, who has had no digest today."""
        self.leads += 1
        self.add_lead(f"lead{self.leads}@council.example")

    def look(self) -> Database:
        """The database, opened once."""
        if self.opened is None:
            self.opened = self.database()
        return self.opened

    def is_quiet(self) -> bool:
        """Whether all work is done and all mail has come to its end."""
        with self.look().read() as session:
            waiting = conservation(session).waiting
            mail = session.query(OutgoingRow).filter(OutgoingRow.state.in_(_UNFINISHED_MAIL)).count()
        return not waiting and not mail and not unfinished(self.look())

    def wait_until_quiet(self) -> None:
        """As `is_quiet`; AssertionError when it does not come to that by itself."""
        try:
            wait_for(self.is_quiet, seconds=_QUIET_SECONDS, every=0.2, what="the end of all work")
        except AssertionError as error:
            with self.look().read() as session:
                states = Counter(state for (state,) in session.query(OutgoingRow.state))
                law = conservation(session)
            raise AssertionError(f"{error}: {law}, mail {states}, jobs {unfinished(self.look())}") from None

    def holds_the_law(self, database: Database) -> bool:
        """Whether every message is accounted for at this moment."""
        with database.read() as session:
            return conservation(session).holds

    def kill_parts(self, name: str) -> None:
        """SIGKILL for the processes of that part alone; the supervisor starts them again."""
        for pid in self.parts(name):
            os.killpg(pid, signal.SIGKILL)

    def fates(self) -> list[tuple[bytes, str]]:
        """The bytes of every message, and what became of it."""
        database = self.look()
        with database.read() as session:
            rows = (
                session.query(MessageRow, DispositionRow.kind)
                .outerjoin(DispositionRow, DispositionRow.message_id == MessageRow.id)
                .all()
            )
            return [
                (database.keys.unseal(row.raw, place=f"messages.raw:{row.id}"), kind or "waiting")
                for row, kind in rows
            ]

    def outgoing(self, kind: str) -> Counter[str]:
        """How many mails of a kind are in each state."""
        with self.look().read() as session:
            return Counter(s for (s,) in session.query(OutgoingRow.state).filter(OutgoingRow.kind == kind))

    def end(self) -> None:
        """Close and end whatever is left."""
        if self.opened is not None:
            self.opened.close()
        self.close()
