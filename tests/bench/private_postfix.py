"""A Postfix of our own on a free loopback port, which takes mail into its queue and leaves it there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.bench.measured import CannotMeasure

_POSTFIX = Path("/usr/sbin/postfix")
_START_SECONDS = 15.0

# Held mail is queued as durably as any other, and nothing tries to deliver it meanwhile.
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = bench.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access static:HOLD
smtpd_client_connection_count_limit = 0
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
"""


class PrivatePostfix:
    """A running Postfix; CannotMeasure where there is none, or nobody who may start it."""

    def __init__(self) -> None:
        if not _POSTFIX.exists():
            raise CannotMeasure("Debian's package `postfix` is not installed")
        if os.geteuid() != 0:
            raise CannotMeasure("only root can start a Postfix")
        self._folder = Path(tempfile.mkdtemp(prefix="careconcerns-postfix-"))
        self.port = _free_port()

    def __enter__(self) -> PrivatePostfix:
        self._folder.chmod(0o755)
        for name in ("conf", "queue", "data"):
            (self._folder / name).mkdir()
        shutil.chown(self._folder / "data", "postfix")
        (self._folder / "conf/main.cf").write_text(_MAIN.format(folder=self._folder))
        (self._folder / "conf/master.cf").write_text(_MASTER.format(port=self.port))
        self._command("start")
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(self.port):
            if time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise CannotMeasure("the Postfix did not start")
            time.sleep(0.1)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._command("stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self, word: str) -> None:
        subprocess.run(
            [_POSTFIX, "-c", self._folder / "conf", word], capture_output=True, check=False, timeout=60
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
