"""What a file is by its bytes, whatever it is called."""

from __future__ import annotations

import io
import re
import zipfile

import puremagic

from bot.file_reading.kinds import (
    DOCX,
    LOCKED_OFFICE,
    ODT,
    OLE_STORAGE,
    PPTX,
    PROGRAM_TYPE,
    XLSX,
)

_HEAD_BYTES = 65_536
_ZIP = b"PK\x03\x04"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_PROGRAMS = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!",
)
_SHORTCUT = bytes.fromhex("4c0000000114020000000000c000000000000046")
# The names of the streams of a compound file, as it writes them.
_STREAMS = (
    ("EncryptedPackage", LOCKED_OFFICE),
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
)
_IN_ZIP = (
    ("word/document.xml", DOCX),
    ("xl/workbook.xml", XLSX),
    ("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    ("ppt/presentation.xml", PPTX),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
    ("AndroidManifest.xml", "application/java-archive"),
)
_WEB_PAGE = re.compile(rb"^\s*(<!doctype html|<html|<head|<body|<script)", re.IGNORECASE)
# What puremagic may take a text for: anything else in a text is a chance likeness.
_TYPES_OF_TEXT = ("text/", "message/", "application/rtf", "image/svg+xml")
_LEAST_CONFIDENCE = 0.3


def sniff(content: bytes) -> str:
    """The MIME type of the bytes; "" when nothing is known of them."""
    head = content[:_HEAD_BYTES]
    if head.startswith(_ZIP):
        return _in_zip(content)
    if head.startswith(_OLE):
        return next((kind for name, kind in _STREAMS if has_stream(content, name)), OLE_STORAGE)
    if head.startswith(_PROGRAMS) or (head.startswith(b"MZ") and b"\0" in head[:64]):
        return PROGRAM_TYPE
    if head.startswith(_SHORTCUT):
        return "application/x-ms-shortcut"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    is_text = looks_like_text(head)
    if is_text and _WEB_PAGE.match(head):
        return "text/html"
    return _by_signature(head, is_text=is_text) or ("text/plain" if is_text else "")


def has_stream(content: bytes, name: str) -> bool:
    """Whether a compound file (old Office) has a stream or storage of that name."""
    return name.encode("utf-16-le") in content


def looks_like_text(head: bytes) -> bool:
    """Whether the bytes could be text in any common encoding."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\0", b"")
    odd = sum(byte < 9 or 13 < byte < 32 for byte in head[:4096])
    return bool(head.strip()) and odd <= len(head[:4096]) // 200


def _in_zip(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
                said = archive.read("mimetype").decode("ascii", "replace").strip()
                return said if said.startswith(ODT.rpartition(".")[0]) else "application/zip"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, LookupError):
        return "application/zip"
    return next((kind for name, kind in _IN_ZIP if name in names), "application/zip")


def _by_signature(head: bytes, *, is_text: bool) -> str:
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return ""
    return next(
        (
            one.mime_type
            for one in found
            if one.mime_type
            and one.confidence >= _LEAST_CONFIDENCE
            and (not is_text or one.mime_type.startswith(_TYPES_OF_TEXT))
        ),
        "",
    )
