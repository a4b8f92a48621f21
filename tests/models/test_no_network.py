"""Understanding a message opens no connection to anywhere."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Every look-up of an address and every connection of Python ends the program; what a library of its own
# would have opened is found among the open files.
CUT_OFF = """
import os, sys

def refuse(event, arguments):
    # Binding is left out: a library of spaCy's tries on loading whether this machine has IPv6.
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        os.write(2, f"tried {event}".encode())
        os._exit(7)

sys.addaudithook(refuse)
from bot.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    files = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{name}")]
    os._exit(8 if any(file.startswith("socket:") for file in files) else ended.code or 0)
"""


@pytest.mark.parametrize("options", [[], ["--lexical"]])
def test_a_message_is_understood_with_the_network_cut(options: list[str]) -> None:
    """With and without the encoder, from loading the models to the answer."""
    line = json.dumps({"id": 1, "text": "A carer at Larch House slapped my mother twice last night."})
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, "assess", *options],
        input=line,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["category"] == "safeguarding"


def test_the_cut_is_noticed() -> None:
    """The same program ends when something does ask for an address."""
    asks = CUT_OFF.replace("from bot.cli import main", "import socket; socket.getaddrinfo('localhost', 80)")
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, timeout=60, check=False)

    assert done.returncode == 7
