"""A small token server on loopback: Microsoft's and Google's grants, and whether a token is good."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "a-client-secret"


class TokenServer:
    """Gives tokens for SECRET; `asked` keeps the fields of each request for one."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self.good: set[str] = set()
        self.seconds = 3600
        self.answer: tuple[int, dict[str, Any]] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://localhost:{self.port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def grant(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """A new token, or the refusal that was set."""
        self.asked.append(fields)
        if self.answer is not None:
            return self.answer
        if "assertion" not in fields and fields.get("client_secret") != SECRET:
            return 401, {
                "error": "invalid_client",
                "error_description": "AADSTS7000222: the secret has expired",
            }
        token = f"token-{len(self.asked)}"
        self.good.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                fields = {
                    name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()
                }
                self._answer(*server.grant(fields))

            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                if asked.path.endswith("openid-configuration"):
                    tenant = f"{server.url}/tenant"
                    endpoints = {
                        "authorization_endpoint": f"{tenant}/authorize",
                        "token_endpoint": f"{tenant}/token",
                    }
                    self._answer(200, {"issuer": tenant, **endpoints})
                elif parse_qs(asked.query).get("access_token", [""])[0] in server.good:
                    self._answer(200, {"email": "desk"})
                else:
                    self._answer(401, {"error": "invalid_token"})

            def _answer(self, status: int, values: dict[str, Any]) -> None:
                body = json.dumps(values).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler
