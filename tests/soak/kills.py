"""The kill matrix: `kill -9` at each step of a message's way, again and again, and an account of every mail."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.steps import Step
from tests.bot.mail_relay import Relay
from tests.postgres_server import PostgresServer
from tests.soak.machine import Machine
from tests.soak.traffic import Traffic, id_of
from tests.waiting import wait_for

DATABASES = ("sqlite", "postgresql")
RELAYING = "relaying"
"""Beside the steps of ours: the relay has the mail, and has not said so yet."""
PLACES: tuple[str, ...] = (
    *(step.value for step in Step if step not in (Step.RELAYED, Step.DIGEST_WRITTEN, Step.DIGEST_DECIDED)),
    RELAYING,
    Step.RELAYED.value,
    Step.DIGEST_WRITTEN.value,
    Step.DIGEST_DECIDED.value,
)
_OF_THE_DIGEST = (Step.DIGEST_WRITTEN, Step.DIGEST_DECIDED)
_MAILS = 12
_MOST_TIMES = 4
_KILL_SECONDS = 60.0


@dataclass
class Row:
    """What came of the kills at one step; everything but the kills, mails and copies should be nought."""

    kills: int = 0
    sent: int = 0
    again: int = 0
    acknowledged: int = 0
    stored: int = 0
    copies: int = 0
    lost: int = 0
    doubled: int = 0
    second_answers: int = 0
    in_doubt: int = 0
    unanswered: int = 0
    alerts_repeated: int = 0
    digests_repeated: int = 0
    digests_missing: int = 0

    def add(self, other: Row) -> None:
        """Add the numbers of another row."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    @property
    def is_broken(self) -> bool:
        """Whether the promise was broken: lost, doubled, answered twice, not taken, not stored, never answered."""
        whole = self.sent == self.acknowledged == self.stored
        mails = self.lost or self.doubled or self.second_answers or self.unanswered
        return bool(mails or self.digests_repeated or self.digests_missing) or not whole


class WatchedRelay(Relay):
    """A relay that can call somebody when it has a mail and has not yet said so."""

    def __init__(self) -> None:
        super().__init__()
        self.on_mail: list[threading.Event] = []
        self.go_on = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail; the answer may be held up until the sender is dead."""
        answer = await super().handle_DATA(server, session, envelope)
        if self.on_mail:
            self.on_mail.pop().set()
            # Blocks the relay as a whole, which is what a slow relay looks like from outside.
            self.go_on.wait(_KILL_SECONDS)
        return answer

    def taken_ids(self) -> Counter[tuple[str, str]]:
        """How often each mail was taken, by the Message-ID it answers (if any) and its own."""
        mails = [message_from_bytes(bytes(envelope.content or b"")) for envelope in list(self.taken)]
        return Counter((str(mail["In-Reply-To"] or ""), str(mail["Message-ID"])) for mail in mails)


class KillMatrix:
    """One service on one database, killed step by step while mail comes in."""

    def __init__(self, machine: Machine, relay: WatchedRelay) -> None:
        self.machine = machine
        self.relay = relay
        self.traffic = Traffic(machine.smtp_port)
        self.rows = {place: Row() for place in PLACES}
        self.law_breaks = 0
        self._in_doubt = 0
        self._repeated: Counter[str] = Counter()
        self._done = threading.Event()

    def run(self, places: Iterable[str], *, alone: bool) -> None:
        """Kill once at each place; `alone`: only the process concerned, which the supervisor starts again."""
        for place in places:
            began = time.monotonic()
            row = self._kill_at(place, alone=alone)
            self.rows[place].add(row)
            how = "its process" if alone else "everything"
            verdict = "BROKEN" if row.is_broken else "held"
            print(f"  {place}: {how} killed, {verdict}, {time.monotonic() - began:.1f} s", flush=True)

    def _kill_at(self, place: str, *, alone: bool) -> Row:
        asked = None
        if place == RELAYING:
            self.relay.go_on.clear()
            asked = threading.Event()
            self.relay.on_mail.append(asked)
        else:
            times = 1 if place in _OF_THE_DIGEST else random.randint(1, _MOST_TIMES)
            self.machine.order(Step(place), times)
            if place in _OF_THE_DIGEST:
                self.machine.add_next_lead()
        mails = self.traffic.begin(_MAILS)
        if asked is not None:
            asked.wait(_KILL_SECONDS)
            self._kill_workers_or_all(alone=alone)
            self.relay.go_on.set()
        else:
            wait_for(self.machine.has_obeyed, seconds=_KILL_SECONDS, every=0.005, what=f"a kill at {place}")
            if not alone:
                self.machine.kill_everything()
        if not alone:
            self.machine.start()
        self.traffic.finish()
        self.machine.wait_until_quiet()
        return self._account(mails)

    def _kill_workers_or_all(self, *, alone: bool) -> None:
        if alone:
            self.machine.kill_parts("worker")
        else:
            self.machine.kill_everything()

    def _account(self, mails: list[str]) -> Row:
        stored, concerns = Counter[str](), Counter[str]()
        for raw, kind in self.machine.fates():
            stored[id_of(raw)] += 1
            concerns[id_of(raw)] += kind == "concern"
        taken = self.relay.taken_ids()
        answers = Counter[str]()
        for (answered, _), times in taken.items():
            answers[answered] += times
        in_doubt = self.machine.outgoing("acknowledgement")["unknown"]
        newly_in_doubt, self._in_doubt = in_doubt - self._in_doubt, in_doubt
        repeated = Counter[str]()
        for (_, own_id), times in taken.items():
            repeated[own_id.strip("<").partition("-")[0]] += times - 1
        newly_repeated, self._repeated = repeated - self._repeated, repeated
        digests = sum(1 for _, own_id in taken if own_id.startswith("<digest-"))
        acknowledged = [one for one in mails if one in self.traffic.acknowledged]
        without_answer = sum(1 for one in mails if not answers[one])
        return Row(
            kills=1,
            sent=len(mails),
            again=sum(self.traffic.attempts[one] - 1 for one in mails),
            acknowledged=len(acknowledged),
            stored=sum(1 for one in mails if stored[one]),
            copies=sum(max(0, stored[one] - 1) for one in mails),
            lost=sum(1 for one in acknowledged if not stored[one]),
            doubled=sum(1 for one in mails if stored[one] and concerns[one] != 1),
            second_answers=sum(1 for one in mails if answers[one] > 1),
            in_doubt=newly_in_doubt,
            unanswered=max(0, without_answer - newly_in_doubt),
            alerts_repeated=newly_repeated["alert"],
            digests_repeated=newly_repeated["digest"],
            digests_missing=self.machine.leads - digests,
        )

    @contextmanager
    def watching_the_law(self) -> Iterator[None]:
        """Count from a second connection, all the time, whether every message is accounted for."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join(30)

    def _watch(self) -> None:
        database = self.machine.database()
        while not self._done.wait(0.2):
            self.law_breaks += not self.machine.holds_the_law(database)
        database.close()


@contextmanager
def prepared(database: str, **changes: str) -> Iterator[KillMatrix]:
    """A running service on that database, with a relay; everything ends with it."""
    server = PostgresServer() if database == "postgresql" else None
    with tempfile.TemporaryDirectory(prefix="careconcerns-soak-") as folder, WatchedRelay() as relay:
        if server is not None:
            changes["database_url"] = server.url(server.create_database())
        machine = Machine(Path(folder), relay, **changes)
        try:
            machine.start()
            matrix = KillMatrix(machine, relay)
            with matrix.watching_the_law():
                yield matrix
        except AssertionError:
            print("".join(machine.output[-40:]), flush=True)
            raise
        finally:
            relay.go_on.set()
            machine.end()
            if server is not None:
                server.stop()
