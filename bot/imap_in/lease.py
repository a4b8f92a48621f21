"""The lease on a mailbox: of several readers one works, and another takes over when it falls silent."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from bot.app import App
from storage.mailboxes import give_up_lease, take_lease

LEASE_SECONDS = 60.0
_RENEW_SECONDS = 15.0


class Lease:
    """Our claim to read the mailbox alone; not for two threads at once, but for `is_ours`."""

    def __init__(self, app: App, account: str, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._account = account
        self._clock = clock
        self._host = socket.gethostname()[:60]
        self._holder = f"{self._host}/{os.getpid()}/{uuid4().hex[:12]}"
        self._good_until = 0.0

    def take(self) -> bool:
        """Take or renew it; False while another reader holds it."""
        asked = time.monotonic()
        holder = self._ask()
        if holder != self._holder and self._is_dead(holder):
            with self._app.database.write() as session:
                give_up_lease(session, self._account, holder)
            holder = self._ask()
        self._good_until = asked + LEASE_SECONDS if holder == self._holder else 0.0
        return holder == self._holder

    def keep(self) -> bool:
        """Renew it when it is time; False as soon as it can no longer be relied upon."""
        if self._good_until - time.monotonic() > LEASE_SECONDS - _RENEW_SECONDS:
            return True
        try:
            return self.take()
        except Exception:  # noqa: BLE001  a database that is away: what was promised still holds until its end
            return time.monotonic() < self._good_until

    def give_up(self) -> None:
        """Let another reader have it."""
        self._good_until = 0.0
        with self._app.database.write() as session:
            give_up_lease(session, self._account, self._holder)

    def _ask(self) -> str:
        now = self._clock()
        with self._app.database.write() as session:
            until = now + timedelta(seconds=LEASE_SECONDS)
            return take_lease(session, self._account, self._holder, now=now, until=until)

    def _is_dead(self, holder: str) -> bool:
        """Whether the holder was a process of this machine that is gone, so that a restart need not wait."""
        host, _, rest = holder.partition("/")
        pid = rest.partition("/")[0]
        if host != self._host or not pid.isdigit() or int(pid) == os.getpid():
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
