"""A mail listener in a process of its own, for the measurements: `python -m tests.bench.mail_server KIND`.

KIND is "bare" (aiosmtpd with a handler that stores nothing), "idle" (our session, which hands its
messages to nobody) or "ours". Settings come from the environment. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from concurrent.futures import Future

from aiosmtpd.smtp import SMTP

from bot.app import build_app, prepare
from bot.intake import Intake
from bot.settings import load_settings
from bot.smtp_in import Listener
from storage.messages import Received


class _StoresNothing:
    async def handle_DATA(self, *_: object) -> str:  # noqa: N802  aiosmtpd's name
        return "250 OK"


class _IdleIntake(Intake):
    def __init__(self) -> None:
        pass

    def submit(self, received: Received) -> Future[str]:
        """Thank for it and forget it."""
        promise: Future[str] = Future()
        promise.set_result(received.message_id)
        return promise


def _say_and_wait(port: int) -> None:
    print(port, flush=True)
    sys.stdin.read()


def main(kind: str) -> None:
    """Serve on a free port, whose number is printed."""
    if kind == "bare":
        asyncio.run(_serve_bare())
        return
    settings = load_settings()
    if kind == "idle":
        _listen(Listener(_IdleIntake(), settings))
        return
    prepare(settings)
    app = build_app(settings)
    _listen(Listener(app.intake, settings))
    app.close()


async def _serve_bare() -> None:
    loop, handler = asyncio.get_running_loop(), _StoresNothing()
    # Garbage is looked for as seldom as in ours, so that the handler alone makes the difference.
    gc.freeze()
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True, hostname="bench", loop=loop), "127.0.0.1", 0
    )
    await asyncio.to_thread(_say_and_wait, server.sockets[0].getsockname()[1])


def _listen(listener: Listener) -> None:
    listener.start()
    _say_and_wait(listener.bound_port)
    listener.stop()


if __name__ == "__main__":
    main(sys.argv[1])
