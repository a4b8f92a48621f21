"""The conservation law under random mixes: received = concerns + linked copies + set aside + spam + waiting, always.

Messages come by every channel, new, resent and by two ways; they are triaged in any order, again, or not
yet; and what can fail fails: the reader, the models, the commit of the door, the commit of triage.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from bot import workflows
from bot.app import App, build_app, prepare
from bot.email_parsing import parse_email
from bot.entering import store_report
from bot.form_reading import write_by_hand, write_form
from bot.settings import Settings
from bot.workflows import set_aside, triage_message
from storage.messages import Received
from storage.oversight import conservation
from storage.slack import slack_message_id
from storage.tables import ConcernRow, DispositionRow
from tests.factories import GREEN_TEXT, NOW, RED_TEXT, email_bytes, received
from tests.quick_predictors import QuickPredictors
from triage.errors import CannotRead, TryAgainLater
from triage.lifecycle import Disposition
from triage.vocabulary import Channel, Prediction

_JUNK = (
    b"",
    b"\0\xff\xfe" * 40,
    b"Subject: nothing else\r\n\r\n",
    b"PK\x03\x04" + bytes(range(256)) * 4,
    b"From: MAILER-DAEMON@relay.example\r\nSubject: Undelivered\r\nContent-Type: multipart/report\r\n\r\n",
    b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x--\r\n",
)
_WORDS = (GREEN_TEXT, RED_TEXT, "They stole her purse.", "Thank you for the cake.", "")


class Fault(Exception):
    """What the soak lets fail."""


@dataclass
class _FaultyPredictors:
    """The quick ones, which fail when told to."""

    fails: bool = False
    version: str = "quick-1"

    def predict(self, subject: str, text: str) -> Prediction:
        """The quick answer, or a fault."""
        if self.fails:
            raise Fault
        return QuickPredictors().predict(subject, text)


@cache
def _prepared() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="careconcerns-law-")) / "var"
    prepare(Settings(data_dir=folder))
    return folder


class Law(RuleBasedStateMachine):
    """Whatever happens in whatever order, every message is accounted for."""

    @initialize()
    def open(self) -> None:
        """An empty desk."""
        self.folder = Path(tempfile.mkdtemp(prefix="careconcerns-law-"))
        shutil.copytree(_prepared(), self.folder / "var")
        self.app: App = build_app(Settings(data_dir=self.folder / "var", demonstration=False))
        self.predictors = _FaultyPredictors()
        self.app._predictors = self.predictors
        self.now = NOW
        self.kept: list[str] = []
        self.mails: list[bytes] = []
        self.reports: list[Callable[[], str]] = []
        self.slack: list[Received] = []
        self.commit_fails = False
        event.listen(self.app.database.engine, "commit", self._commit)
        event.listen(self.app.database.engine, "checkout", _impatient)

    def _commit(self, _connection: Any) -> None:
        if self.commit_fails:
            raise Fault

    def _keep(self, item: Received) -> str | None:
        """Through the one door; what it refuses must not be there."""
        self.now += timedelta(seconds=1)
        item = replace(item, received_at=self.now)
        try:
            message_id = self.app.intake.receive(item)
        except Exception:  # noqa: BLE001  the channel would send it again
            return None
        self.kept.append(message_id)
        return message_id

    # Ways in

    @rule(words=st.sampled_from(_WORDS), number=st.integers(1, 4), sender=st.sampled_from(("ann", "bob")))
    def mail(self, words: str, number: int, sender: str) -> None:
        """A mail by SMTP; the same words may come under another id."""
        raw = email_bytes(
            f"{words} {number}",
            sender=f"{sender}@family.example",
            message_id=f"<{number}{sender}@family.example>",
        )
        self.mails.append(raw)
        self._keep(received(raw, mail_from=f"{sender}@family.example"))

    @precondition(lambda self: self.mails)
    @rule(data=st.data(), times=st.integers(1, 3))
    def mail_again(self, data: st.DataObject, times: int) -> None:
        """A sender that heard no answer."""
        raw = data.draw(st.sampled_from(self.mails))
        for _ in range(times):
            self._keep(received(raw))

    @precondition(lambda self: self.mails)
    @rule(data=st.data(), number=st.integers(1, 10**6))
    def mail_from_the_mailbox(self, data: st.DataObject, number: int) -> None:
        """The same mail by IMAP, with the headers that the mail server wrote on top."""
        raw = data.draw(st.sampled_from(self.mails))
        raw = (
            b"Return-Path: <ann@family.example>\r\nReceived: from a by b; Fri, 20 Nov 2026 10:00:01 +0000\r\n"
            + raw
        )
        self._keep(
            replace(
                received(raw),
                envelope={"internal_date": NOW.isoformat()},
                external_id=f"desk/INBOX/7/{number}",
            )
        )

    @rule(raw=st.sampled_from(_JUNK))
    def junk(self, raw: bytes) -> None:
        """What is hardly mail at all."""
        self._keep(received(raw))

    @rule(words=st.sampled_from(_WORDS), entry=st.sampled_from(("a" * 32, "b" * 32)), by_hand=st.booleans())
    def report(self, words: str, entry: str, by_hand: bool) -> None:
        """The public form, or a call taken by a lead; sent twice it is one."""
        channel = Channel.BY_HAND if by_hand else Channel.FORM

        def write(receipt: str) -> bytes:
            if by_hand:
                return write_by_hand({"how": "letter", "words": words}, receipt=receipt)
            return write_form({"story": words}, receipt=receipt)

        self.now += timedelta(seconds=1)
        known = set(self._ids())
        try:
            store_report(self.app, channel, write, entry=entry, now=self.now)
        except Exception:  # noqa: BLE001  the page would say so
            return
        self.kept += [message_id for message_id in self._ids() if message_id not in known]

    @rule(
        number=st.integers(1, 3),
        kind=st.sampled_from(("post", "reply", "edit", "deletion")),
        words=st.sampled_from(_WORDS),
    )
    def slack_delivery(self, number: int, kind: str, words: str) -> None:
        """Posts, replies, edits and deletions, in any order and as often as Slack likes."""
        ts = f"179500000{number}.000000"
        edit_ts = f"179500100{number}.000000"
        body: dict[str, Any] = {"type": "message", "channel": "C1", "user": "U1"}
        external_id = f"C1/{ts}"
        if kind == "post":
            body |= {"ts": ts, "text": words}
        elif kind == "reply":
            reply_ts = f"179500050{number}.000000"
            body |= {"ts": reply_ts, "thread_ts": ts, "text": words}
            external_id = f"C1/{reply_ts}"
        elif kind == "edit":
            edited = {"ts": ts, "user": "U1", "text": f"{words} (edited)", "edited": {"ts": edit_ts}}
            body |= {"subtype": "message_changed", "ts": edit_ts, "message": edited}
            external_id += f"/edited/{edit_ts}"
        else:
            body |= {"subtype": "message_deleted", "ts": edit_ts, "deleted_ts": ts}
            external_id += "/deleted"
        raw = json.dumps({"type": "event_callback", "team_id": "T1", "event": body}).encode()
        self._keep(
            Received(
                raw=raw,
                channel=Channel.SLACK,
                received_at=self.now,
                external_id=external_id,
                message_id=slack_message_id(external_id),
            )
        )

    # Faults at the door

    @rule(number=st.integers(1, 4))
    def mail_whose_commit_fails(self, number: int) -> None:
        """The disk is full, the server gone: nothing of it is there, and the sender keeps it."""
        before = len(self._ids())
        with self._failing_commits():
            assert self._keep(received(email_bytes(f"Lost on the way {number}"))) is None
        assert len(self._ids()) == before

    @rule()
    def mail_while_another_writes(self) -> None:
        """The database stays locked for longer than we wait."""
        other = sqlite3.connect(self.app.settings.data_dir / "careconcerns.db", isolation_level=None)
        other.execute("begin immediate")
        try:
            assert self._keep(received(email_bytes("Locked out"))) is None
        finally:
            other.execute("rollback")
            other.close()

    # Triage, and what goes wrong in it

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), fault=st.sampled_from(("", "", "", "reader", "slow", "models", "commit")))
    def triage(self, data: st.DataObject, fault: str) -> None:
        """One message, for the first time or again, with a fault or without."""
        self._triage(data.draw(st.sampled_from(self.kept)), fault)

    @precondition(lambda self: self.kept)
    @rule()
    def triage_all(self) -> None:
        """Everything, as a worker without faults does."""
        for message_id in self.kept:
            self._triage(message_id, "")

    def _triage(self, message_id: str, fault: str) -> None:
        def read(raw: bytes, **_: Any) -> Any:
            if fault == "reader":
                raise TryAgainLater("the process that reads mail did not start")
            if fault == "slow":
                raise CannotRead("it took too long to read")
            return parse_email(raw)

        self.now += timedelta(seconds=1)
        self.predictors.fails = fault == "models"
        with (
            mock.patch.object(workflows, "parse_email_safely", read),
            self._failing_commits(fault == "commit"),
        ):
            try:
                triage_message(self.app, message_id, now=self.now)
            except (TryAgainLater, Fault) as error:
                if fault == "models":
                    # What the engine does with a job that fails for a reason that does not pass.
                    set_aside(self.app, message_id, f"fault in triage: {type(error).__name__}", now=self.now)
        self.predictors.fails = False

    @contextmanager
    def _failing_commits(self, fails: bool = True) -> Iterator[None]:
        self.commit_fails = fails
        try:
            yield
        finally:
            self.commit_fails = False

    # The law

    def _ids(self) -> list[str]:
        from storage.tables import MessageRow

        with self.app.database.read() as session:
            return [message_id for (message_id,) in session.query(MessageRow.id)]

    @invariant()
    def every_message_is_accounted_for(self) -> None:
        """The sum is right, and the door's own count is the database's."""
        if not hasattr(self, "app"):
            return
        with self.app.database.read() as session:
            law = conservation(session)
        assert law.holds, law
        assert sorted(self.kept) == sorted(self._ids())
        assert law.received == len(self.kept)

    def teardown(self) -> None:
        """In the end all are triaged, copies hang on something that is on the desk, and no mail has two concerns."""
        if not hasattr(self, "app"):
            return
        try:
            for message_id in self.kept:
                self._triage(message_id, "")
            self.every_message_is_accounted_for()
            self._nothing_is_hidden()
        finally:
            self.app.close()
            shutil.rmtree(self.folder)

    def _nothing_is_hidden(self) -> None:
        with self.app.database.read() as session:
            law = conservation(session)
            assert law.waiting == 0
            fates = {row.message_id: row for row in session.query(DispositionRow)}
            known = {concern_id for (concern_id,) in session.query(ConcernRow.id)}
        assert known == {row.concern_id for row in fates.values() if row.kind == Disposition.CONCERN}
        for row in fates.values():
            if row.kind == Disposition.DUPLICATE:
                assert _end_of(row, fates).kind in (Disposition.CONCERN, Disposition.SET_ASIDE)
        self._no_mail_has_two_concerns(fates)

    def _no_mail_has_two_concerns(self, fates: dict[str, DispositionRow]) -> None:
        from storage.messages import raw_of

        concerns = Counter[bytes]()
        with self.app.database.read() as session:
            for message_id, row in fates.items():
                raw, _, message = raw_of(session, self.app.keys, message_id)
                if message.channel == Channel.EMAIL and row.kind == Disposition.CONCERN:
                    concerns[raw.partition(b"+0000\r\n")[2] if raw.startswith(b"Return-Path") else raw] += 1
        assert not [raw for raw, times in concerns.items() if times > 1]


def _end_of(row: DispositionRow, fates: dict[str, DispositionRow]) -> DispositionRow:
    """What a chain of copies hangs on."""
    for _ in fates:
        if row.kind != Disposition.DUPLICATE:
            return row
        row = fates[row.duplicate_of or ""]
    raise AssertionError("copies of each other, and of nothing")


def _impatient(connection: Any, *_: Any) -> None:
    connection.execute("pragma busy_timeout=20")


def try_mixes(minutes: float, seed_number: int) -> int:
    """Random mixes for so long; 1 as soon as one breaks the law, with the smallest mix that does."""
    # The faults are meant: nobody wants to read of each.
    logging.disable(logging.ERROR)
    until, mixes = time.monotonic() + minutes * 60, 0
    while time.monotonic() < until:
        run_state_machine_as_test(
            seed(seed_number + mixes)(Law),
            settings=settings(
                max_examples=10,
                stateful_step_count=50,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        mixes += 10
    print(f"{mixes} mixes of up to 50 steps from seed {seed_number}: everything added up, always")
    return 0
