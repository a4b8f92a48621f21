"""A mail client that says exactly what it is told to, byte for byte."""

from __future__ import annotations

import socket
import ssl

_SECONDS = 20.0


class MailClient:
    """One connection to a mail listener; each call gives back the whole reply as text."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), _SECONDS)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def reply(self) -> str:
        """The next reply, all its lines; empty when the connection is closed."""
        lines = []
        while line := self._file.readline():
            lines.append(line.decode())
            if line[3:4] == b" ":
                break
        return "".join(lines)

    def say(self, line: str | bytes) -> str:
        """A command, and its reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.socket.sendall(data)

    def hello(self) -> MailClient:
        """EHLO; gives back the client."""
        assert self.say("EHLO client.example").startswith("250")
        return self

    def begin_message(self, recipient: str = "desk@council.example") -> MailClient:
        """All that comes before the content; gives back the client."""
        for line, code in (("MAIL FROM:<a@b.example>", "250"), (f"RCPT TO:<{recipient}>", "250")):
            reply = self.say(line)
            assert reply.startswith(code), reply
        reply = self.say("DATA")
        assert reply.startswith("354"), reply
        return self

    def end_message(self, data: bytes) -> str:
        """The content as it goes over the wire, the end mark, and the reply."""
        self.send(data + b".\r\n")
        return self.reply()

    def deliver(self, data: bytes) -> str:
        """A whole message, and the reply to it."""
        return self.begin_message().end_message(data)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go over to TLS."""
        assert self.say("STARTTLS").startswith("220")
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")

    def is_closed(self) -> bool:
        """Whether the other side has hung up."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> MailClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
