"""Kinds of files as people tell them apart, by type, by name and by the bytes themselves."""

from __future__ import annotations

import mimetypes
from enum import StrEnum


class Kind(StrEnum):
    """What a file is for; its value is how a page names it."""

    PDF = "a PDF"
    WORD = "a text document"
    SHEET = "a spreadsheet"
    SLIDES = "a presentation"
    PICTURE = "a picture"
    SOUND = "a sound recording"
    FILM = "a film"
    TEXT = "plain text"
    WEB_PAGE = "a web page"
    MAIL = "a message"
    ARCHIVE = "an archive of files"
    PROGRAM = "a program"
    UNKNOWN = ""


LOCKED_OFFICE = "application/x-office-locked"
OLE_STORAGE = "application/x-ole-storage"
PROGRAM_TYPE = "application/x-executable"
_WORD_XML = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_SHEET_XML = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_SLIDES_XML = "application/vnd.openxmlformats-officedocument.presentationml."
DOCX, XLSX, PPTX = f"{_WORD_XML}document", f"{_SHEET_XML}sheet", f"{_SLIDES_XML}presentation"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"

_BY_TYPE = {
    "application/pdf": Kind.PDF,
    "application/x-pdf": Kind.PDF,
    "application/msword": Kind.WORD,
    "application/rtf": Kind.WORD,
    "text/rtf": Kind.WORD,
    "application/vnd.ms-word.document.macroenabled.12": Kind.WORD,
    ODT: Kind.WORD,
    "application/vnd.ms-excel": Kind.SHEET,
    "application/vnd.ms-excel.sheet.macroenabled.12": Kind.SHEET,
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": Kind.SHEET,
    ODS: Kind.SHEET,
    "text/csv": Kind.SHEET,
    "application/vnd.ms-powerpoint": Kind.SLIDES,
    ODP: Kind.SLIDES,
    "text/html": Kind.WEB_PAGE,
    "application/xhtml+xml": Kind.WEB_PAGE,
    "message/rfc822": Kind.MAIL,
    "application/vnd.ms-outlook": Kind.MAIL,
    "application/ms-tnef": Kind.MAIL,
    "application/vnd.ms-tnef": Kind.MAIL,
    "application/zip": Kind.ARCHIVE,
    "application/x-zip-compressed": Kind.ARCHIVE,
    "application/x-7z-compressed": Kind.ARCHIVE,
    "application/x-rar-compressed": Kind.ARCHIVE,
    "application/vnd.rar": Kind.ARCHIVE,
    "application/gzip": Kind.ARCHIVE,
    "application/x-gzip": Kind.ARCHIVE,
    "application/x-tar": Kind.ARCHIVE,
    "application/x-bzip2": Kind.ARCHIVE,
    "application/x-xz": Kind.ARCHIVE,
    "application/vnd.ms-cab-compressed": Kind.ARCHIVE,
    PROGRAM_TYPE: Kind.PROGRAM,
    "application/vnd.microsoft.portable-executable": Kind.PROGRAM,
    "application/x-msdownload": Kind.PROGRAM,
    "application/x-dosexec": Kind.PROGRAM,
    "application/x-msdos-program": Kind.PROGRAM,
    "application/java-archive": Kind.PROGRAM,
    "application/java": Kind.PROGRAM,
    "application/x-sh": Kind.PROGRAM,
    "application/x-ms-shortcut": Kind.PROGRAM,
    "application/javascript": Kind.PROGRAM,
    "text/javascript": Kind.PROGRAM,
    "image/svg+xml": Kind.WEB_PAGE,
}
_BY_PREFIX = {
    _WORD_XML: Kind.WORD,
    _SHEET_XML: Kind.SHEET,
    _SLIDES_XML: Kind.SLIDES,
    "image/": Kind.PICTURE,
    "audio/": Kind.SOUND,
    "video/": Kind.FILM,
    "text/": Kind.TEXT,
}
_BY_ENDING = {
    "docm": Kind.WORD,
    "dotx": Kind.WORD,
    "dotm": Kind.WORD,
    "rtf": Kind.WORD,
    "xlsm": Kind.SHEET,
    "xlsb": Kind.SHEET,
    "pptm": Kind.SLIDES,
    "heic": Kind.PICTURE,
    "heif": Kind.PICTURE,
    "webp": Kind.PICTURE,
    "msg": Kind.MAIL,
    "7z": Kind.ARCHIVE,
    "rar": Kind.ARCHIVE,
}
# What a double click runs, on one system or another, or opens in something that runs what is in it.
RUNNING_ENDINGS = frozenset(
    {
        *("ade", "adp", "apk", "app", "appx", "bat", "chm", "cmd", "com", "cpl", "deb", "dll", "dmg", "exe"),
        *(
            "gadget",
            "hlp",
            "hta",
            "htm",
            "html",
            "img",
            "inf",
            "ins",
            "iso",
            "jar",
            "js",
            "jse",
            "lnk",
            "mde",
        ),
        *("mht", "mhtml", "msc", "msi", "msix", "msp", "mst", "one", "pif", "pkg", "pl", "ps1", "ps1xml"),
        *("psm1", "py", "pyw", "reg", "rpm", "scf", "scr", "sct", "settingcontent-ms", "sh", "shb", "svg"),
        *("svgz", "sys", "url", "vb", "vbe", "vbs", "vhd", "vhdx", "wsc", "wsf", "wsh", "xhtml", "xll"),
    }
)
_OPENED_IN_A_BROWSER = frozenset(
    ["htm", "html", "mht", "mhtml", "svg", "svgz", "xhtml", "url", "iso", "img", "one"]
)
# What is written in a narrower kind may be called by the wider one's name.
_ALSO_CALLED = {
    Kind.WORD: {Kind.ARCHIVE},
    Kind.SHEET: {Kind.ARCHIVE},
    Kind.SLIDES: {Kind.ARCHIVE},
    Kind.TEXT: {Kind.SHEET, Kind.MAIL, Kind.WEB_PAGE},
    Kind.WEB_PAGE: {Kind.TEXT, Kind.PICTURE},
    Kind.MAIL: {Kind.TEXT},
    Kind.SOUND: {Kind.FILM},
    Kind.FILM: {Kind.SOUND, Kind.PICTURE},
}


def kind_of_type(content_type: str) -> Kind:
    """The kind that a MIME type stands for."""
    content_type = content_type.lower()
    by_prefix = (kind for prefix, kind in _BY_PREFIX.items() if content_type.startswith(prefix))
    return _BY_TYPE.get(content_type) or next(by_prefix, Kind.UNKNOWN)


def ending_of(filename: str) -> str:
    """What stands after the last dot, in lower case."""
    return filename.rpartition(".")[2].strip().lower() if "." in filename else ""


def kind_of_name(filename: str) -> Kind:
    """The kind that a file's ending stands for."""
    ending = ending_of(filename)
    if ending in RUNNING_ENDINGS and ending not in _OPENED_IN_A_BROWSER:
        return Kind.PROGRAM
    guessed = mimetypes.guess_type(f"name.{ending}")[0] or ""
    return _BY_ENDING.get(ending) or kind_of_type(guessed)


def claimed_kind(filename: str, declared_type: str, sniffed_type: str) -> Kind:
    """The kind that a file claims to be and is not; UNKNOWN when nothing contradicts its bytes."""
    found = kind_of_type(sniffed_type)
    if found is Kind.UNKNOWN:
        return Kind.UNKNOWN
    for claimed in (kind_of_name(filename), kind_of_type(declared_type)):
        if claimed not in (Kind.UNKNOWN, found) and claimed not in _ALSO_CALLED.get(found, ()):
            # A script is text to its bytes: its name tells the truth.
            return Kind.UNKNOWN if found is Kind.TEXT and claimed is Kind.PROGRAM else claimed
    return Kind.UNKNOWN
