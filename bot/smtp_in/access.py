"""Who may send us mail: networks that may connect, and the one user who may log in."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.settings import Settings
from triage.errors import BadInput


def may_connect(host: str, networks: Sequence[str]) -> bool:
    """Whether a client at this address is in one of the networks; any is when there are none."""
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A client that reaches an IPv6 socket over IPv4 shows as ::ffff:192.0.2.1.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)


class LogIn:
    """The user and the hash of the password that senders log in with."""

    def __init__(self, settings: Settings) -> None:
        self.needed = bool(settings.smtp_user)
        self._user = settings.smtp_user.encode()
        self._hash = settings.smtp_password_hash.get_secret_value()
        self._hasher = PasswordHasher()
        # One check at a time and not in the event loop: each takes 64 MB and a twentieth of a second.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="smtp-log-in")

    async def is_right(self, user: bytes, password: bytes) -> bool:
        """Whether these are the user and the password."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._check, user, password)

    def _check(self, user: bytes, password: bytes) -> bool:
        try:
            self._hasher.verify(self._hash, password)
        except (VerificationError, InvalidHashError):
            return False
        # Last, so that the time of the answer does not tell whether the user was right.
        return hmac.compare_digest(user, self._user)

    def close(self) -> None:
        """Check no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Certificate:
    """The certificate of STARTTLS and implicit TLS, taken up anew when its file is renewed."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._certificate, self._key = certificate, key
        self._loaded = 0.0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.refresh()

    def refresh(self) -> bool:
        """Load the files when they have changed; BadInput when they cannot be used, and then the old ones stay."""
        try:
            changed = max(path.stat().st_mtime for path in (self._certificate, self._key) if path)
            if changed == self._loaded:
                return False
            # First into a context that is thrown away: half a change would spoil the one in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
            self.context.load_cert_chain(self._certificate, self._key)
        except OSError as error:
            raise BadInput(
                f"CARECONCERNS_SMTP_TLS_CERTIFICATE: {self._certificate} and its key cannot be used: "
                f"{error.strerror or type(error).__name__}"
            ) from None
        self._loaded = changed
        return True


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate that is set, if one is; BadInput when its files cannot be used."""
    if settings.smtp_tls_certificate is None:
        return None
    return Certificate(settings.smtp_tls_certificate, settings.smtp_tls_key)
