"""A real mail relay on the loopback, whose answers a test chooses."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.journeys.service import free_port


class Relay:
    """Takes mail, or refuses it with the answers in `rcpt` and `data`."""

    def __init__(self) -> None:
        self.rcpt = ""
        self.data = ""
        self.taken: list[Envelope] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """The chosen answer to a recipient."""
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The chosen answer to a mail."""
        if self.data:
            return self.data
        self.taken.append(envelope)
        return "250 OK"

    def mail(self, number: int = -1) -> EmailMessage:
        """A mail that was taken."""
        content = self.taken[number].content
        assert isinstance(content, bytes)
        return message_from_bytes(content, policy=policy.default)

    def __enter__(self) -> Relay:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
