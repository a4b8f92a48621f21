"""S/MIME bodies: signed content taken out of its wrapping."""

from __future__ import annotations

from dataclasses import dataclass

SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # the name of the type, 1.2.840.113549.1.7.2
MOST_NESTING = 16
OCTETS, SEQUENCE_OR_CONTEXT = 4, 0x20


def signed_content(content: bytes) -> bytes | None:
    """The MIME part inside opaque signed data (CMS, DER or BER); None when it cannot be found."""
    try:
        kind, signed = _children(content, _read(content, 0, 0))
        if content[kind.start : kind.end] != SIGNED_DATA:
            return None
        data = _children(content, _children(content, signed)[0])
        encapsulated = _children(content, data[2])
        return _octets(content, _children(content, encapsulated[1])[0], 0)
    except (IndexError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Value:
    tag: int
    start: int
    end: int
    after: int


def _read(raw: bytes, position: int, nesting: int) -> _Value:
    if nesting > MOST_NESTING:
        raise ValueError("nested too deeply")
    tag, length = raw[position], raw[position + 1]
    start = position + 2
    if length == 0x80:
        return _read_indefinite(raw, tag, start, nesting)
    if length > 0x80:
        size = length & 0x7F
        length = int.from_bytes(raw[start : start + size], "big")
        start += size
    if start + length > len(raw):
        raise ValueError("cut short")
    return _Value(tag, start, start + length, start + length)


def _read_indefinite(raw: bytes, tag: int, start: int, nesting: int) -> _Value:
    position = start
    while raw[position : position + 2] != b"\0\0":
        position = _read(raw, position, nesting + 1).after
    return _Value(tag, start, position, position + 2)


def _children(raw: bytes, value: _Value) -> list[_Value]:
    found: list[_Value] = []
    position = value.start
    while position < value.end:
        found.append(_read(raw, position, 0))
        position = found[-1].after
    return found


def _octets(raw: bytes, value: _Value, nesting: int) -> bytes:
    if nesting > MOST_NESTING or value.tag & 0x1F != OCTETS:
        raise ValueError("no octets")
    if not value.tag & SEQUENCE_OR_CONTEXT:
        return raw[value.start : value.end]
    return b"".join(_octets(raw, child, nesting + 1) for child in _children(raw, value))
