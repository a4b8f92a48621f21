"""The words in documents, read by libraries that trust what they read: only ever inside the child with limits."""

from __future__ import annotations

import fnmatch
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lxml import etree
from pypdf import PageObject, PdfReader
from python_calamine import CalamineWorkbook
from striprtf.striprtf import rtf_to_text

from bot.email_parsing.charsets import charset_in_html, decode
from bot.email_parsing.html_text import html_to_text
from bot.email_parsing.plain import tidy
from bot.file_reading.kinds import DOCX, LOCKED_OFFICE, ODP, ODS, ODT, OLE_STORAGE, PPTX, XLSX
from triage.vocabulary import FileSign

MOST_CHARS = 60_000
_MOST_PAGES = 300
_MOST_ROWS = 20_000
_MOST_UNPACKED_BYTES = 80 * 1024 * 1024
_MOST_MEMBERS = 5_000
# What a scanner puts on an empty page, such as a number, is no text.
_FEW_LETTERS = 15


@dataclass(frozen=True)
class Words:
    """The words of a file, and what a person should know of how they were read."""

    text: str = ""
    signs: tuple[FileSign, ...] = ()


def words_of(content: bytes, sniffed_type: str) -> Words:
    """The words of a document of that type; a file without words, such as a picture, has none and no sign."""
    reader = _READERS.get(sniffed_type)
    if reader is None and sniffed_type.startswith("text/"):
        reader = _plain
    return reader(content) if reader else Words()


def shortened(text: str, *signs: FileSign) -> Words:
    """The words tidied, and cut where there are too many."""
    is_long = len(text) > 2 * MOST_CHARS
    text = tidy(text[: 2 * MOST_CHARS])
    if len(text) <= MOST_CHARS and not is_long:
        return Words(text, signs)
    return Words(text[:MOST_CHARS].rstrip(), (*signs, FileSign.TEXT_CUT))


def _plain(content: bytes) -> Words:
    return shortened(decode(content[: 8 * MOST_CHARS], None)[0])


def _web_page(content: bytes) -> Words:
    return shortened(html_to_text(decode(content, charset_in_html(content))[0]))


def _rich_text(content: bytes) -> Words:
    text: str = rtf_to_text(content.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
    return shortened(text)


def _locked(_content: bytes) -> Words:
    return Words(signs=(FileSign.LOCKED,))


def _unreadable(_content: bytes) -> Words:
    return Words(signs=(FileSign.UNREADABLE,))


def _archive(_content: bytes) -> Words:
    return Words(signs=(FileSign.ARCHIVE,))


def _pdf(content: bytes) -> Words:
    document = PdfReader(io.BytesIO(content), strict=False)
    if document.is_encrypted and not document.decrypt(""):
        return _locked(content)
    pages: list[str] = []
    signs: set[FileSign] = set()
    length = 0
    for number, page in enumerate(document.pages):
        if number >= _MOST_PAGES or length > MOST_CHARS:
            signs.add(FileSign.TEXT_CUT)
            break
        pages.append(page.extract_text())
        length += len(pages[-1])
        if _letters(pages[-1]) < _FEW_LETTERS and _has_picture(page):
            signs.add(FileSign.NO_TEXT)
    if not any(map(_letters, pages)):
        signs.add(FileSign.NO_TEXT)
    return shortened("\n\n".join(pages), *sorted(signs))


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _has_picture(page: PageObject) -> bool:
    resources = page.get("/Resources")
    drawn = resources.get_object().get("/XObject") if resources is not None else None
    if drawn is None:
        return False
    return any(one.get_object().get("/Subtype") in ("/Image", "/Form") for one in drawn.get_object().values())


def _sheet(content: bytes) -> Words:
    if content.startswith(b"PK") and _is_too_large(zipfile.ZipFile(io.BytesIO(content))):
        return Words(signs=(FileSign.NOT_UNPACKED,))
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    lines: list[str] = []
    length = 0
    for name in book.sheet_names:
        lines.append(f"{name}:")
        for number, row in enumerate(book.get_sheet_by_name(name).iter_rows()):
            if number >= _MOST_ROWS or length > MOST_CHARS:
                return shortened("\n".join(lines), FileSign.TEXT_CUT)
            cells = [str(cell) for cell in row if cell not in ("", None)]
            if cells:
                lines.append(", ".join(cells))
                length += len(lines[-1])
    return shortened("\n".join(lines))


# --- Office documents are XML in a zip. The common libraries for each leave out what stands in text boxes,
# --- footnotes, comments or tables; reading every run of text leaves out nothing.

_WORD_PARTS = (
    "word/document.xml",
    "word/header*.xml",
    "word/footer*.xml",
    "word/footnotes.xml",
    "word/endnotes.xml",
    "word/comments.xml",
)
_SLIDE_PARTS = ("ppt/slides/slide*.xml", "ppt/notesSlides/*.xml", "ppt/comments/*.xml")
_PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def _word(content: bytes) -> Words:
    return _office(content, _WORD_PARTS)


def _slides(content: bytes) -> Words:
    return _office(content, _SLIDE_PARTS)


def _open_document(content: bytes) -> Words:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if "META-INF/manifest.xml" in archive.namelist() and b"encryption-data" in _member(
            archive, "META-INF/manifest.xml"
        ):
            return _locked(content)
    return _office(content, ("content.xml",))


def _office(content: bytes, patterns: tuple[str, ...]) -> Words:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if _is_too_large(archive):
            return Words(signs=(FileSign.NOT_UNPACKED,))
        names = archive.namelist()
        parts = [name for pattern in patterns for name in sorted(fnmatch.filter(names, pattern))]
        text = "\n\n".join(_runs_of_text(_member(archive, name)) for name in parts)
    has_pictures = any("media/" in name or name.startswith("Pictures/") for name in names)
    if _letters(text) < _FEW_LETTERS and has_pictures:
        return shortened(text, FileSign.NO_TEXT)
    return shortened(text)


def _is_too_large(archive: zipfile.ZipFile) -> bool:
    members = archive.infolist()
    return len(members) > _MOST_MEMBERS or sum(one.file_size for one in members) > _MOST_UNPACKED_BYTES


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    # No more than the directory said is ever unpacked, whatever the member itself would unfold to.
    with archive.open(name) as member:
        return member.read(archive.getinfo(name).file_size)


def _runs_of_text(xml: bytes) -> str:
    return "".join(_pieces(etree.fromstring(xml, etree.XMLParser(**_PARSER))))


def _pieces(root: etree._Element) -> Iterator[str]:
    """The text of an Office or OpenDocument part, a line a paragraph; drawn text boxes are written twice in it."""
    skipped = 0
    is_open_document = etree.QName(root).namespace == "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        name = etree.QName(element).localname
        if name == "Fallback":
            skipped += 1 if event == "start" else -1
        elif skipped:
            continue
        elif event == "start" and (is_open_document or name in ("t", "text")):
            yield element.text or ""
        elif event == "end" and name in ("p", "h", "br", "cr", "line-break"):
            yield "\n"
        elif event == "end" and name in ("tab", "s", "tc", "table-cell"):
            yield " "
        if event == "end" and is_open_document:
            yield element.tail or ""


_READERS: dict[str, Callable[[bytes], Words]] = {
    "application/pdf": _pdf,
    DOCX: _word,
    PPTX: _slides,
    XLSX: _sheet,
    "application/vnd.ms-excel": _sheet,
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": _sheet,
    ODT: _open_document,
    ODP: _open_document,
    ODS: _open_document,
    "application/rtf": _rich_text,
    "text/rtf": _rich_text,
    "text/html": _web_page,
    LOCKED_OFFICE: _locked,
    # The old binary formats have no well-kept reader.
    "application/msword": _unreadable,
    "application/vnd.ms-powerpoint": _unreadable,
    OLE_STORAGE: _unreadable,
    "application/zip": _archive,
    "application/java-archive": _archive,
    "application/x-7z-compressed": _archive,
    "application/x-rar-compressed": _archive,
    "application/vnd.rar": _archive,
    "application/gzip": _archive,
    "application/x-gzip": _archive,
    "application/x-tar": _archive,
    "application/x-bzip2": _archive,
    "application/x-xz": _archive,
    "application/vnd.ms-cab-compressed": _archive,
}
