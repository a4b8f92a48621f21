"""The words of attached files beside those of the message: where they stand, and which files need a person."""

from __future__ import annotations

from collections.abc import Sequence

from triage.vocabulary import Attachment, FileSign, FileSpan, Message

MOST_CHARS_OF_ALL_FILES = 200_000
# A message that says less than this may be only the cover of a picture or a recording.
_FEW_WORDS = 12
# Smaller pictures are logos and signatures.
_SMALLEST_PHOTOGRAPH_BYTES = 30_000
_FOR_EYES_AND_EARS = ("image/", "audio/", "video/")
_NOT_READ = frozenset(
    {
        FileSign.ARCHIVE,
        FileSign.LOCKED,
        FileSign.NO_TEXT,
        FileSign.UNREADABLE,
        FileSign.NOT_UNPACKED,
        FileSign.TEXT_CUT,
    }
)


def file_heading(number: int) -> str:
    """The line before the words of a file; the number stands for its name, which may name a person."""
    return f"----- From attached file {number} -----"


def text_with_files(text: str, files: Sequence[Attachment]) -> tuple[str, tuple[FileSpan, ...]]:
    """The text with the words of the files after it, under a heading each, and where they stand."""
    spans: list[FileSpan] = []
    left = MOST_CHARS_OF_ALL_FILES
    for number, file in enumerate(files, start=1):
        words = file.text[:left].strip()
        if not words:
            continue
        text = f"{text}\n\n{file_heading(number)}\n\n"
        spans.append(FileSpan(number, len(text), len(text) + len(words)))
        text += words
        left -= len(words)
    return text, tuple(spans)


def has_unread_files(message: Message) -> bool:
    """Whether a file may say something that nothing but a person can read, see or hear."""
    if sum(len(file.text) for file in message.attachments) > MOST_CHARS_OF_ALL_FILES:
        return True
    says_little = len(message.new_text.split()) < _FEW_WORDS
    return any(
        _NOT_READ.intersection(file.signs) or (says_little and _is_to_be_seen_or_heard(file))
        for file in message.attachments
    )


def _is_to_be_seen_or_heard(file: Attachment) -> bool:
    kind = file.sniffed_type or file.content_type
    return kind.startswith(_FOR_EYES_AND_EARS) and file.size >= _SMALLEST_PHOTOGRAPH_BYTES
