"""Files looked into one by one in the processes that read mail: a file that breaks one costs its own words alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.email_parsing import ParseLimits
from bot.email_parsing.limits import MIB
from bot.email_parsing.safely import shared_pool
from triage.errors import CannotRead
from triage.vocabulary import Attachment, FileSign, Message

_MOST_FILES = 50
_MOST_SECONDS = 60.0
_MOST_SECONDS_A_FILE = 10.0
# Of a larger file only the beginning is looked at, to tell what it is.
_MOST_BYTES = 30 * MIB
_HEAD_BYTES = 65_536
_MOST_CHARS = 100_000


def looked_into(message: Message, limits: ParseLimits) -> Message:
    """The message with what each of its files is and says; TryAgainLater when no child can be started."""
    if not message.attachments:
        return message
    deadline = time.monotonic() + _MOST_SECONDS
    known = " ".join(message.text.split())
    looked: list[Attachment] = []
    for file in message.attachments:
        in_time = len(looked) < _MOST_FILES and time.monotonic() < deadline
        looked.append(_looked_at(file, limits, with_words=in_time, known=known))
    return replace(message, attachments=tuple(looked))


def looked_into_file(file: Attachment, limits: ParseLimits) -> Attachment:
    """One file with what it is and says, as `looked_into`."""
    return _looked_at(file, limits, with_words=True, known="")


def _looked_at(file: Attachment, limits: ParseLimits, *, with_words: bool, known: str) -> Attachment:
    if not file.content:
        return file
    if not with_words or len(file.content) > _MOST_BYTES:
        return _told_what_it_is(file, limits, FileSign.NOT_UNPACKED)
    try:
        found = _look(file, file.content, limits, with_words=True)
    except CannotRead:
        return _told_what_it_is(file, limits, FileSign.UNREADABLE)
    # The text of a part that has a name is read as the message's own.
    return replace(found, text="") if found.text and " ".join(found.text.split()) in known else found


def _told_what_it_is(file: Attachment, limits: ParseLimits, why: FileSign) -> Attachment:
    try:
        found = _look(file, file.content[:_HEAD_BYTES], limits, with_words=False)
    except CannotRead:
        found = file
    return replace(found, signs=(*found.signs, why))


def _look(file: Attachment, content: bytes, limits: ParseLimits, *, with_words: bool) -> Attachment:
    asked = {"name": file.filename, "type": file.content_type, "with_words": with_words}
    short = replace(limits, wall_seconds=min(limits.wall_seconds, _MOST_SECONDS_A_FILE))
    return _checked(file, shared_pool().look(content, asked, short))


def _checked(file: Attachment, found: Mapping[str, Any]) -> Attachment:
    """The file with what the child says of it; a child that was taken over may say anything, but no more."""
    try:
        signs = tuple(FileSign(sign) for sign in found["signs"])
        text, sniffed = found["text"][:_MOST_CHARS], found["sniffed_type"][:255]
        return replace(file, sniffed_type=str(sniffed), signs=(*file.signs, *signs), text=str(text))
    except (KeyError, TypeError, ValueError):
        raise CannotRead("what was found in a file makes no sense") from None
