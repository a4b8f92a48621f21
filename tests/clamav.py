"""A real ClamAV daemon with a signature of its own, started in a fraction of a second."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from bot.scanning import Clamd, ClamdAway
from tests.waiting import wait_for

CLAMD = "/usr/sbin/clamd"
# The test file that every scanner knows, in two halves so that none takes this file for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ClamdServer:
    """One daemon on a socket of its own; it can be stopped and started again."""

    def __init__(self, *, most_bytes: int = 25_000_000) -> None:
        # A socket's path may have a hundred characters: pytest's folders are longer.
        self._folder = Path(tempfile.mkdtemp(prefix="clamd-"))
        self.address = str(self._folder / "socket")
        self._process: subprocess.Popen[bytes] | None = None
        signatures = self._folder / "signatures"
        signatures.mkdir()
        line = f"{hashlib.md5(EICAR, usedforsecurity=False).hexdigest()}:{len(EICAR)}:Eicar-Test\n"
        (signatures / "own.hdb").write_text(line)
        (self._folder / "clamd.conf").write_text(
            f"LocalSocket {self.address}\nDatabaseDirectory {signatures}\nTemporaryDirectory {self._folder}\n"
            f"Foreground yes\nStreamMaxLength {most_bytes}\nMaxScanSize {most_bytes}\nMaxFileSize {most_bytes}\n"
        )

    def start(self) -> ClamdServer:
        """Start it and wait until it answers."""
        command = [CLAMD, "--config-file", str(self._folder / "clamd.conf")]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        wait_for(self._answers, seconds=30, what="the start of clamd")
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            return bool(Clamd(self.address).version())
        except ClamdAway:
            return False

    def stop(self) -> None:
        """End it; what it would have scanned waits."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
