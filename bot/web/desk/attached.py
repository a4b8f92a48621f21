"""Files that came with messages: what they are, whether they are safe, and the door through which they are opened."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request, send_file
from flask.typing import ResponseReturnValue

from bot.file_reading.kinds import Kind, claimed_kind, kind_of_type
from bot.scanning import is_held
from bot.web.context import by_this_lead, the_app, utc_now
from storage.attachments import (
    KEPT,
    KeptAttachment,
    ScanState,
    attachment_by_id,
    content_of,
)
from storage.audit import record
from triage.vocabulary import FileSign

page = Blueprint("attached", __name__)

_TRICKY = frozenset({FileSign.PROGRAM, FileSign.MACROS, FileSign.OTHER_TYPE})
_SIGN_WORDS = {
    FileSign.PROGRAM: "it can run commands on your computer when it is opened",
    FileSign.MACROS: "holds commands (macros or scripts) that may run when it is opened",
    FileSign.HOLDS_PLACE: "holds a place: it shows where it was taken",
    FileSign.ARCHIVE: "an archive is not opened by the machine: needs a person",
    FileSign.LOCKED: "locked with a password: needs a person",
    FileSign.NO_TEXT: "has no readable text, or pages without: needs a person",
    FileSign.UNREADABLE: "could not be read by the machine: needs a person",
    FileSign.NOT_UNPACKED: "not unpacked, because it or the message is too large: needs a person",
    FileSign.TEXT_CUT: "the machine read only its beginning: needs a person",
}
_STATE_WORDS = {
    "not_unpacked": "not unpacked: it stays in the message as it came",
    "too_large": "too large to fetch",
    "gone": "gone from Slack before it could be fetched",
    "elsewhere": "kept elsewhere: only a link was posted",
    "refused": "could not be fetched",
}
_SAFE_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Download-Options": "noopen",
}
_MOST_NAME_CHARS = 120
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class ShownFile:
    """A file as the pages show it; `held` says why nobody may open it, and is empty where they may."""

    file_id: str
    number: int
    name: str
    kind: str
    size: int
    notes: tuple[str, ...]
    scan: str
    scan_state: str
    held: str
    needs_warning: bool


def shown_files(files: Iterable[KeptAttachment], *, has_scanner: bool) -> list[ShownFile]:
    """What the pages show of the files."""
    return [shown_file(file, has_scanner=has_scanner) for file in files]


def shown_file(file: KeptAttachment, *, has_scanner: bool) -> ShownFile:
    """What the pages show of a file."""
    return ShownFile(
        file_id=file.attachment_id,
        number=file.position,
        name=safe_name(file),
        kind=_found(file).value or file.declared_type or "unknown",
        size=file.size,
        notes=tuple(_notes(file)),
        scan=_scan_words(file, has_scanner=has_scanner),
        scan_state=file.scan_state.value,
        held=_held(file, has_scanner=has_scanner),
        needs_warning=bool(_TRICKY.intersection(file.signs)),
    )


def safe_name(file: KeptAttachment) -> str:
    """The file's name without paths, unseen characters, turned writing, or what a system would trip over."""
    seen = "".join(
        letter for letter in file.name if unicodedata.category(letter)[0] not in "CZ" or letter == " "
    )
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", seen)).strip(". ")
    if _DEVICES.match(name):
        name = f"_{name}"
    if len(name) > _MOST_NAME_CHARS:
        stem, dot, ending = name.rpartition(".")
        keep = dot + ending if dot and len(ending) < 10 else ""
        name = (stem if keep else name)[: _MOST_NAME_CHARS - len(keep)] + keep
    return name or f"file-{file.position}"


def _found(file: KeptAttachment) -> Kind:
    return kind_of_type(file.sniffed_type or file.declared_type)


def _notes(file: KeptAttachment) -> Iterable[str]:
    if file.state != KEPT:
        yield _STATE_WORDS.get(file.state, "not kept")
    for sign in file.signs:
        if sign is FileSign.OTHER_TYPE:
            claimed = claimed_kind(file.name, file.declared_type, file.sniffed_type)
            yield f"says it is {claimed.value or 'something else'}, but is {_found(file).value}"
        elif not (sign is FileSign.NOT_UNPACKED and file.state != KEPT):
            yield _SIGN_WORDS[sign]


def _scan_words(file: KeptAttachment, *, has_scanner: bool) -> str:
    if file.scan_state is ScanState.INFECTED:
        return f"infected: {file.scan_word}"
    if file.scan_state is ScanState.CLEAN:
        return "scanned: nothing found"
    if not has_scanner:
        return "not scanned"
    if file.scan_state is ScanState.COULD_NOT_SCAN:
        return f"could not be scanned, tried again: {file.scan_word}"
    return "waits for the scan"


def _held(file: KeptAttachment, *, has_scanner: bool) -> str:
    if file.state != KEPT:
        return "It is not kept"
    if not is_held(file, has_scanner=has_scanner):
        return ""
    if file.scan_state is ScanState.INFECTED:
        return "The virus scanner found something in it: it stays kept, and nobody can open it here"
    return "It is held back until the virus scanner says that it is clean"


@page.post("/files/<file_id>")
def download(file_id: str) -> ResponseReturnValue:
    """The file, as a download alone; that it was asked for is written down first."""
    app = the_app()
    with app.database.read() as session:
        file = attachment_by_id(session, app.keys, file_id)
    shown = shown_file(file, has_scanner=bool(app.settings.clamd_address))
    if shown.held:
        return _refused("This file cannot be opened", f"{shown.held}.")
    if shown.needs_warning and request.form.get("sure") != "yes":
        return render_template("attached_warning.html", file=shown)
    with app.database.write() as session:
        audit = by_this_lead("opened_file", utc_now(), attachment=file_id, number=file.position)
        record(session, audit, f"message:{file.message_id}")
    with app.database.read() as session:
        content = content_of(session, app.keys, file_id)
    return _as_download(content, shown.name)


def _as_download(content: bytes, name: str) -> Response:
    """Bytes that no browser shows or runs, whatever they are."""
    answer = send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=name,
        conditional=False,
        etag=False,
    )
    answer.headers.update(_SAFE_HEADERS)
    return answer


def _refused(title: str, advice: str) -> ResponseReturnValue:
    return render_template("error.html", title=title, advice=advice), 403
