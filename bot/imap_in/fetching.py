"""One folder, read from its cursor on: each message asked for, stored, and only then moved or passed over.

The cursor is UIDVALIDITY and UID. It knows nothing of the Seen flag, of dates or of page sizes. Each
message carries its place as `external_id` in its own row, so what was stored just before a kill is
known again, whether or not the cursor had moved on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, takewhile
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from bot.app import App
from bot.envelope import return_path
from storage.mailboxes import (
    Folder,
    advance,
    attempts_of,
    begin,
    close_gap,
    forget_gap,
    gap_uids,
    note_gap,
    set_gap_aside,
    stored_id,
    stored_uids,
)
from storage.messages import Received
from triage.errors import CareConcernsError, TryAgainLater
from triage.vocabulary import Channel

log = logging.getLogger(__name__)

_PAGE = 250
_PAGE_BYTES = 16 * 1024 * 1024
_SIZES_TOGETHER = 2000
_SAVE_CURSOR_EVERY = 10
_STORE_SECONDS = 120.0
# After a connection broke over a page, so many messages are fetched one by one, to find the one that breaks it.
_CAREFUL_FOR = 2 * _PAGE

_TRIES_BEFORE_ASIDE = 5
_FIRST_GAP_WAIT = timedelta(minutes=1)
_DAILY = timedelta(days=1)

_TOO_LARGE = "it is larger than is accepted"
_BROKE = "the connection broke over it"
_NO_CONTENT = "the server gave no content"
_REFUSED = "the server refused to give it"


class Interrupted(CareConcernsError):
    """The reading was asked to stop."""


@dataclass(frozen=True)
class _Fetched:
    uid: int
    raw: bytes
    arrived: datetime | None


@dataclass
class _Page:
    """Messages on their way into the database; `last_uid` is the cursor once they are in."""

    last_uid: int
    on_their_way: dict[int, Future[str]]


@dataclass
class FolderReader:
    """Reads one folder over any number of connections, one at a time."""

    app: App
    account: str
    name: str
    clock: Callable[[], datetime]
    alive: Callable[[], None] = lambda: None
    """Called at each step; what it raises ends the reading."""
    _careful: int = field(default=0, init=False)

    @property
    def _moves_to(self) -> str:
        return self.app.settings.imap_processed_folder

    def read(self, client: IMAPClient) -> int:
        """Store everything that is new in the folder; returns how many messages that was."""
        folder = self.select(client)
        with self.app.database.write() as session:
            cursor = begin(session, folder, now=self.clock())
        self._finish_moves(client, folder, cursor)
        taken = self._retry_gaps(client, folder)
        with self.app.database.read() as session:
            passed = set(gap_uids(session, folder))
        new = [uid for uid in _search(client, f"{cursor + 1}:*") if uid > cursor and uid not in passed]
        return taken + self.take_in(client, folder, new)

    def select(self, client: IMAPClient) -> Folder:
        """Open the folder, for reading alone unless mail is to be moved."""
        answer = client.select_folder(self.name, readonly=not self._moves_to)
        if b"UIDVALIDITY" not in answer:
            raise TryAgainLater(f"the server names no UIDVALIDITY for {self.name}")
        return Folder(self.account, self.name, int(answer[b"UIDVALIDITY"]))

    def take_in(self, client: IMAPClient, folder: Folder, uids: Sequence[int]) -> int:
        """Store the messages of these UIDs, the lowest first; one page is stored while the next is fetched."""
        taken, last = 0, 0
        waiting: deque[_Page] = deque()
        try:
            for number, some in zip(count(1), self._pages(client, folder, uids), strict=False):
                waiting.append(self._submit(folder, some, self._fetch(client, folder, some)))
                if len(waiting) > 1:
                    taken += self._settle(client, waiting[0])
                    last = waiting.popleft().last_uid
                if number % _SAVE_CURSOR_EVERY == 0 and last:
                    self._advance(folder, last)
            while waiting:
                taken += self._settle(client, waiting[0])
                last = waiting.popleft().last_uid
        finally:
            # Cut short: what is still on its way must be in, or known not to be, before anybody asks again.
            stored = [(page.last_uid, _are_stored(page)) for page in waiting]
            last = max([last, *(uid for uid, _ in takewhile(lambda page: page[1], stored))])
            if last:
                self._advance(folder, last)
        return taken

    def _advance(self, folder: Folder, last_uid: int) -> None:
        with self.app.database.write() as session:
            advance(session, folder, last_uid)

    # --- fetching

    def _pages(self, client: IMAPClient, folder: Folder, uids: Sequence[int]) -> Iterator[list[int]]:
        """The UIDs in pages of bounded number and bytes; too large ones are noted and left out."""
        start = 0
        while start < len(uids):
            if self._careful:
                self._careful -= 1
                yield [uids[start]]
                start += 1
                continue
            chunk = uids[start : start + _SIZES_TOGETHER]
            for page in self._by_bytes(folder, chunk, self._sizes(client, folder, chunk)):
                start += len(page.passed)
                if page.wanted:
                    yield page.wanted

    def _by_bytes(self, folder: Folder, uids: Sequence[int], sizes: Mapping[int, int]) -> Iterator[_Chosen]:
        chosen = _Chosen([], [])
        bytes_chosen = 0
        for uid in uids:
            size = sizes.get(uid, 0)
            if chosen.wanted and (bytes_chosen + size > _PAGE_BYTES or len(chosen.wanted) >= _PAGE):
                yield chosen
                chosen, bytes_chosen = _Chosen([], []), 0
            chosen.passed.append(uid)
            if size > self.app.settings.imap_max_bytes:
                self._note_gap(folder, uid, _TOO_LARGE, aside=True)
            else:
                chosen.wanted.append(uid)
                bytes_chosen += size
        yield chosen

    def _sizes(self, client: IMAPClient, folder: Folder, uids: Sequence[int]) -> dict[int, int]:
        self.alive()
        try:
            answer = client.fetch(uids, ["RFC822.SIZE"])
        except (IMAPClientAbortError, OSError):
            self._suspect(folder, uids)
            raise
        except IMAPClientError:
            return {}
        return {uid: int(values.get(b"RFC822.SIZE") or 0) for uid, values in answer.items()}

    def _fetch(self, client: IMAPClient, folder: Folder, uids: Sequence[int]) -> list[_Fetched]:
        """Those of the messages that are not stored yet and that the server gives."""
        with self.app.database.read() as session:
            known = stored_uids(session, folder, uids)
        wanted = [uid for uid in uids if uid not in known]
        if self._moves_to and known:
            self._move(client, sorted(known))
        if not wanted:
            return []
        self.alive()
        try:
            answer = client.fetch(wanted, ["BODY.PEEK[]", "INTERNALDATE"])
        except (IMAPClientAbortError, OSError):
            self._suspect(folder, wanted)
            raise
        except IMAPClientError:
            if len(wanted) == 1:
                self._note_gap(folder, wanted[0], _REFUSED)
                return []
            return [fetched for uid in wanted for fetched in self._fetch(client, folder, [uid])]
        return [fetched for uid in wanted if (fetched := self._content(client, folder, uid, answer.get(uid)))]

    def _suspect(self, folder: Folder, uids: Sequence[int]) -> None:
        if len(uids) == 1:
            self._note_gap(folder, uids[0], _BROKE)
        else:
            self._careful = _CAREFUL_FOR

    def _content(
        self, client: IMAPClient, folder: Folder, uid: int, values: Mapping[bytes, Any] | None
    ) -> _Fetched | None:
        raw = values.get(b"BODY[]") if values else None
        if values and isinstance(raw, bytes) and raw:
            return _Fetched(uid, raw, values.get(b"INTERNALDATE"))
        if uid in _search(client, str(uid)):
            self._note_gap(folder, uid, _NO_CONTENT)
        else:
            log.info("message %d of a folder was removed before it could be fetched", uid)
        return None

    # --- storing

    def _submit(self, folder: Folder, uids: Sequence[int], fetched: Sequence[_Fetched]) -> _Page:
        now = self.clock()
        on_their_way = {one.uid: self.app.intake.submit(self._received(folder, one, now)) for one in fetched}
        return _Page(uids[-1], on_their_way)

    def _received(self, folder: Folder, fetched: _Fetched, now: datetime) -> Received:
        return Received(
            raw=fetched.raw,
            channel=Channel.EMAIL,
            received_at=now,
            envelope={
                "mail_from": return_path(fetched.raw),
                "rcpt_tos": [],
                "folder": folder.name,
                "uid": fetched.uid,
                "internal_date": fetched.arrived.isoformat() if fetched.arrived else None,
            },
            external_id=folder.external_id(fetched.uid),
        )

    def _settle(self, client: IMAPClient, page: _Page) -> int:
        """Wait until the page is durable, then move its messages away where that is wanted."""
        for promise in page.on_their_way.values():
            promise.result(timeout=_STORE_SECONDS)
        if self._moves_to:
            self._move(client, list(page.on_their_way))
        return len(page.on_their_way)

    # --- moving

    def _finish_moves(self, client: IMAPClient, folder: Folder, cursor: int) -> None:
        """Move what was stored but not moved when the last connection ended."""
        if not self._moves_to or not cursor:
            return
        left = [uid for uid in _search(client, f"1:{cursor}") if uid <= cursor]
        with self.app.database.read() as session:
            self._move(client, sorted(stored_uids(session, folder, left)))

    def _move(self, client: IMAPClient, uids: list[int]) -> None:
        """Move messages that are stored; one that the server will not move stays, and is stored all the same."""
        if not uids:
            return
        self.alive()
        try:
            if client.has_capability("MOVE"):
                client.move(uids, self._moves_to)
            elif client.has_capability("UIDPLUS"):
                client.copy(uids, self._moves_to)
                client.delete_messages(uids, silent=True)
                client.uid_expunge(uids)
            else:
                log.warning("the mail server can move no single messages: they stay where they are")
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            log.warning("the mail server did not move %d messages: they stay where they are", len(uids))

    # --- what the server does not give

    def _note_gap(self, folder: Folder, uid: int, reason: str, *, aside: bool = False) -> None:
        now = self.clock()
        with self.app.database.write() as session:
            tries = attempts_of(session, folder, uid) + 1
            hopeless = aside or tries >= _TRIES_BEFORE_ASIDE
            pause = _DAILY if hopeless else _FIRST_GAP_WAIT * 2 ** (tries - 1)
            note_gap(session, folder, uid, reason, now=now, next_at=now + pause)
            if hopeless:
                set_gap_aside(session, self.app.keys, folder, uid, now=now)
        log.warning("message %d of a folder was not given: %s", uid, reason)

    def _retry_gaps(self, client: IMAPClient, folder: Folder) -> int:
        """Ask again for each message whose time has come."""
        with self.app.database.read() as session:
            due = gap_uids(session, folder, due_at=self.clock())
        taken = 0
        for uid in due:
            taken += self._retry(client, folder, uid)
        return taken

    def _retry(self, client: IMAPClient, folder: Folder, uid: int) -> int:
        if uid not in _search(client, str(uid)):
            with self.app.database.write() as session:
                set_gap_aside(session, self.app.keys, folder, uid, now=self.clock())
                forget_gap(session, folder, uid)
            return 0
        if self._sizes(client, folder, [uid]).get(uid, 0) > self.app.settings.imap_max_bytes:
            self._note_gap(folder, uid, _TOO_LARGE, aside=True)
            return 0
        taken = self._settle(client, self._submit(folder, [uid], self._fetch(client, folder, [uid])))
        with self.app.database.write() as session:
            message_id = stored_id(session, folder, uid)
            if message_id is not None:
                close_gap(session, folder, uid, message_id, now=self.clock())
        return taken


@dataclass(frozen=True)
class _Chosen:
    """The next page: UIDs to fetch, among those that are passed with it."""

    wanted: list[int]
    passed: list[int]


def _search(client: IMAPClient, uids: str) -> list[int]:
    """Those of the UIDs that are in the folder; `n:*` names the last one too, however low it is."""
    return sorted(int(uid) for uid in client.search(["UID", uids]))


def _are_stored(page: _Page) -> bool:
    """Whether every message of the page is durable, once that is known of each; nothing is raised."""
    _, unknown = wait(page.on_their_way.values(), timeout=_STORE_SECONDS)
    return not unknown and all(promise.exception() is None for promise in page.on_their_way.values())
