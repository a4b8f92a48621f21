"""Files that people add: known by their first bytes, never by their name, and given a name that is safe."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

_MOST_NAME = 80


@dataclass(frozen=True)
class Kind:
    """A kind of file that is taken."""

    content_type: str
    suffix: str


_STARTS = (
    (b"\xff\xd8\xff", Kind("image/jpeg", ".jpg")),
    (b"\x89PNG\r\n\x1a\n", Kind("image/png", ".png")),
    (b"GIF87a", Kind("image/gif", ".gif")),
    (b"GIF89a", Kind("image/gif", ".gif")),
    (b"%PDF-", Kind("application/pdf", ".pdf")),
)
_WEBP = Kind("image/webp", ".webp")
_HEIC = Kind("image/heic", ".heic")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_DOC = Kind("application/msword", ".doc")
_DOCX = Kind("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx")
_ODT = Kind("application/vnd.oasis.opendocument.text", ".odt")
_OLE_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_WORD = "WordDocument".encode("utf-16-le")


def kind_of(content: bytes) -> Kind | None:
    """The kind of the file by what is in it; None for one that is not taken."""
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _WEBP
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
        return _HEIC
    if content.startswith(_OLE_START):
        return _DOC if _OLE_WORD in content else None
    return _zipped_kind(content) if content.startswith(b"PK\x03\x04") else None


def _zipped_kind(content: bytes) -> Kind | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return None
    if "word/document.xml" in names and "word/vbaProject.bin" not in names:
        return _DOCX
    is_text = content[30:38] == b"mimetype" and content[38:].startswith(_ODT.content_type.encode())
    return _ODT if is_text else None


def safe_name(name: str, kind: Kind) -> str:
    """The file's own name without folders or odd characters, and with the ending of its true kind."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    plain = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"/\\|?*')
    stem = PurePosixPath(plain).stem.strip(". ")[:_MOST_NAME] or "file"
    return stem + kind.suffix


def numbered_name(number: int, name: str) -> str:
    """A name that says nothing of whose file it is."""
    return f"file-{number}{PurePosixPath(name).suffix}"
