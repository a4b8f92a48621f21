"""A real name server on the loopback that answers from the records a test gives it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """Answers over UDP; `silent` makes it take questions and say nothing."""

    def __init__(self, records: Mapping[tuple[str, str], list[str]]) -> None:
        self.records = dict(records)
        self.silent = False
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def place(self) -> str:
        """Where it listens, as the setting wants it."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                packet, asker = self._socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(packet)
            question = query.question[0]
            name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
            self.asked.append(f"{name} {kind}")
            if self.silent:
                continue
            response = dns.message.make_response(query)
            if values := self.records.get((name, kind)):
                response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
            elif not any(known == name for known, _ in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(response.to_wire(), asker)
