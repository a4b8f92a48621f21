"""Sealing of single fields with AES-256-GCM, under named keys that can be rotated while we run.

A sealed field is `1 | length of key id | key id | 12-byte nonce | ciphertext and tag`. The place it
belongs to (table, column, row) is authenticated with it, so a sealed value cannot be moved.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from triage.errors import BadInput, CareConcernsError

_FORMAT = 1
_NONCE_BYTES = 12


class CannotUnseal(CareConcernsError):
    """A sealed field was tampered with, moved, or sealed under a key that we do not hold."""


@dataclass(frozen=True)
class KeyRing:
    """All keys by id, 32 bytes each; `current` seals, every key unseals."""

    keys: Mapping[str, bytes]
    current: str
    lookup_key: bytes

    def seal(self, content: bytes, *, place: str) -> bytes:
        """The sealed form of `content`, bound to `place` such as "messages.raw:<id>"."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self.keys[self.current]).encrypt(nonce, content, place.encode())
        key_id = self.current.encode()
        return bytes([_FORMAT, len(key_id)]) + key_id + nonce + sealed

    def unseal(self, sealed: bytes, *, place: str) -> bytes:
        """The content again; CannotUnseal when the key is missing or anything was changed."""
        key_id, rest = _split(sealed)
        if key_id not in self.keys:
            raise CannotUnseal(f"{place}: the key {key_id!r} is not in the key file")
        try:
            return AESGCM(self.keys[key_id]).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise CannotUnseal(f"{place}: the sealed field was changed or moved") from None

    def seal_json(self, value: Any, *, place: str) -> bytes:
        """Any JSON value, sealed."""
        return self.seal(json.dumps(value, ensure_ascii=False).encode(), place=place)

    def unseal_json(self, sealed: bytes, *, place: str) -> Any:
        """The JSON value again; CannotUnseal as `unseal`."""
        return json.loads(self.unseal(sealed, place=place))

    def is_current(self, sealed: bytes) -> bool:
        """Whether the field is sealed under the current key (rotation leaves such fields alone)."""
        return _split(sealed)[0] == self.current

    def lookup(self, value: str) -> str:
        """A keyed digest of an address, equal for equal addresses, that says nothing without the key."""
        return hmac.new(self.lookup_key, value.strip().lower().encode(), hashlib.sha256).hexdigest()


def _split(sealed: bytes) -> tuple[str, bytes]:
    if len(sealed) < 2 or sealed[0] != _FORMAT:
        raise CannotUnseal("a field is not in the sealed format")
    end = 2 + sealed[1]
    return sealed[2:end].decode("ascii", "replace"), sealed[end:]


def create_key_file(path: Path) -> KeyRing:
    """Write a new key file that only its owner can read; FileExistsError when there is one already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"keys": {}, "lookup": base64.b64encode(secrets.token_bytes(32)).decode()}
    _write(path, content | _with_new_key(content), os.O_EXCL)
    return load_key_file(path)


def add_key(path: Path) -> KeyRing:
    """Add a key to the file and make it current; earlier keys stay to unseal what they sealed."""
    content = _read(path)
    aside = path.with_suffix(".new")
    _write(aside, content | _with_new_key(content), os.O_TRUNC)
    aside.replace(path)
    return load_key_file(path)


def load_key_file(path: Path) -> KeyRing:
    """The keys of the file; BadInput when it is missing, unreadable or open to other users."""
    if path.exists() and path.stat().st_mode & 0o077:
        raise BadInput(f"the key file {path} can be read by others: run chmod 600 on it")
    content = _read(path)
    return KeyRing(
        keys={key_id: base64.b64decode(key) for key_id, key in content["keys"].items()},
        current=content["current"],
        lookup_key=base64.b64decode(content["lookup"]),
    )


def _with_new_key(content: Mapping[str, Any]) -> dict[str, Any]:
    key_id = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}"
    key = base64.b64encode(AESGCM.generate_key(256)).decode()
    return {"current": key_id, "keys": {**content["keys"], key_id: key}}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        content["keys"][content["current"]], content["lookup"]
    except FileNotFoundError:
        raise BadInput(f"the key file {path} is missing: without it nothing sealed can be read") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"the key file {path} cannot be read as a key file") from None
    return dict(content)


def _write(path: Path, content: Mapping[str, Any], flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
