"""What one file is and says, found out inside the child with limits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import exifread

from bot.file_reading.kinds import (
    RUNNING_ENDINGS,
    Kind,
    claimed_kind,
    ending_of,
    kind_of_name,
    kind_of_type,
)
from bot.file_reading.sniffing import has_stream, sniff
from bot.file_reading.words import Words, words_of
from triage.vocabulary import FileSign

_RAN_ON_OPENING = (b"/JavaScript", b"/JS ", b"/JS(", b"/Launch", b"/EmbeddedFile")
_WITH_PLACE = (
    "image/jpeg",
    "image/tiff",
    "image/webp",
    "image/heif",
    "image/heic",
    "image/png",
    "image/avif",
)
_MACRO_ENDINGS = frozenset(["docm", "dotm", "xlsm", "xltm", "xlam", "pptm", "potm", "ppsm", "ppam"])
_DOCUMENTS = (Kind.PDF, Kind.WORD, Kind.SHEET, Kind.SLIDES)


@dataclass(frozen=True)
class Look:
    """What was found: the type by the bytes, what a person should know, and the words."""

    sniffed_type: str
    signs: tuple[FileSign, ...]
    text: str


def look(content: bytes, filename: str, declared_type: str, *, with_words: bool) -> Look:
    """Look at a file; without words it is only told what it is."""
    sniffed = sniff(content)
    signs = list(_signs(content, filename, declared_type, sniffed))
    words = _words(content, filename, declared_type, sniffed) if with_words else Words()
    return Look(sniffed, tuple(dict.fromkeys((*signs, *words.signs))), words.text)


def _signs(content: bytes, filename: str, declared_type: str, sniffed: str) -> Iterator[FileSign]:
    if claimed_kind(filename, declared_type, sniffed) is not Kind.UNKNOWN:
        yield FileSign.OTHER_TYPE
    kind = kind_of_type(sniffed)
    if kind in (Kind.PROGRAM, Kind.WEB_PAGE) or ending_of(filename) in RUNNING_ENDINGS:
        yield FileSign.PROGRAM
    if _has_macros(content, kind, filename):
        yield FileSign.MACROS
    if sniffed in _WITH_PLACE and _holds_place(content):
        yield FileSign.HOLDS_PLACE


def _has_macros(content: bytes, kind: Kind, filename: str) -> bool:
    if kind is Kind.PDF:
        return any(mark in content for mark in _RAN_ON_OPENING)
    if content.startswith(b"{\\rtf"):
        return b"\\objdata" in content
    if kind not in _DOCUMENTS:
        return False
    return (
        b"vbaProject.bin" in content
        or has_stream(content, "_VBA_PROJECT")
        or (ending_of(filename) in _MACRO_ENDINGS)
    )


def _holds_place(content: bytes) -> bool:
    try:
        tags = exifread.process_file(io.BytesIO(content), details=False)
    except Exception:  # noqa: BLE001  a picture that cannot be read shows no place
        return False
    return any(name.startswith("GPS GPSL") for name in tags)


def _words(content: bytes, filename: str, declared_type: str, sniffed: str) -> Words:
    claimed = kind_of_name(filename)
    claimed = claimed if claimed is not Kind.UNKNOWN else kind_of_type(declared_type)
    if not sniffed and claimed in _DOCUMENTS:
        return Words(signs=(FileSign.UNREADABLE,))
    try:
        return words_of(content, sniffed)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the libraries raise whatever comes to them when a file lies
        return Words(signs=(FileSign.UNREADABLE,))
