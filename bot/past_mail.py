"""Past mail on disk: mbox files, Maildir folders and .eml files, message by message, read and never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.errors import BadInput

# A line of a body may begin with "From ", too: only one after an empty line, with a time of day, divides.
_DIVIDER = re.compile(rb"From \S.*\d\d:\d\d")
_QUOTED_DIVIDER = re.compile(rb"^>(>*From )")
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:")


@dataclass(frozen=True)
class PastMail:
    """One message; `source` is its file, `number` its place in it, counted from 1."""

    source: str
    number: int
    raw: bytes


def past_mail(paths: Sequence[Path]) -> Iterator[PastMail]:
    """Every message of the files and folders, in order; BadInput, before the first one, for what is none."""
    readers = [(path, _kind(path)) for path in paths]
    for path, kind in readers:
        if kind == "mbox":
            yield from _of_mbox(path)
        elif kind == "folder":
            for file in _files(path):
                yield PastMail(str(file), 1, _read(file))
        else:
            yield PastMail(str(path), 1, _read(path))


def _kind(path: Path) -> str:
    if path.is_dir():
        if not _files(path):
            raise BadInput(f"{path} is no Maildir with mail in it, and holds no .eml files")
        return "folder"
    try:
        with path.open("rb") as file:
            first = file.readline(1000)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    if _DIVIDER.match(first):
        return "mbox"
    if path.suffix.lower() == ".eml" or _HEADER.match(first):
        return "eml"
    raise BadInput(f"{path} is no mbox, Maildir or .eml file")


def _files(folder: Path) -> list[Path]:
    """The mails of a Maildir (`new` and `cur`, not `tmp`), or all .eml files below the folder."""
    parts = [folder / name for name in ("new", "cur") if (folder / name).is_dir()]
    if parts:
        found = [file for part in parts for file in part.iterdir() if file.is_file()]
    else:
        found = [file for file in folder.rglob("*") if file.suffix.lower() == ".eml" and file.is_file()]
    return sorted(found, key=lambda file: (file.name, str(file)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


def _of_mbox(path: Path) -> Iterator[PastMail]:
    number, lines, after_empty = 0, list[bytes](), True
    with path.open("rb") as file:
        for line in file:
            if after_empty and _DIVIDER.match(line):
                if number:
                    yield PastMail(str(path), number, _joined(lines))
                number, lines = number + 1, []
            else:
                lines.append(_QUOTED_DIVIDER.sub(rb"\1", line))
            after_empty = not line.strip(b"\r\n")
    yield PastMail(str(path), number, _joined(lines))


def _joined(lines: list[bytes]) -> bytes:
    # The empty line before the next divider belongs to the mbox, not to the mail.
    return b"".join(lines[:-1] if lines and not lines[-1].strip() else lines)
