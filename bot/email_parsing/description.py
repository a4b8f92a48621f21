"""One message as plain values, for `careconcerns parse`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.email_parsing.limits import DEFAULT_LIMITS
from bot.email_parsing.safely import read_safely
from triage.errors import CannotRead
from triage.vocabulary import Address, Channel, Message


def describe(file: Path) -> dict[str, Any]:
    """What a file of one message holds, ready for JSON; {"file", "error"} when it cannot be read."""
    try:
        message = read_safely(file.read_bytes(), Channel.EMAIL, DEFAULT_LIMITS)
    except CannotRead as refused:
        return {"file": str(file), "error": refused.reason}
    except OSError as failure:
        return {"file": str(file), "error": failure.strerror or "the file cannot be opened"}
    return {"file": str(file), **_described(message)}


def _described(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "from": _mailbox(message.sender),
        "reply_to": _mailbox(message.reply_to),
        "to": [_mailbox(address) for address in message.to],
        "cc": [_mailbox(address) for address in message.cc],
        "date": message.date.isoformat() if message.date else None,
        "subject": message.subject,
        "text": message.text,
        "new_text": message.new_text,
        "attachments": [
            {
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "bytes": attachment.size,
                "sha256": attachment.sha256,
            }
            for attachment in message.attachments
        ],
        "auto_reply": message.auto_reply,
        "bounce": message.bounce,
        "defects": list(message.defects),
    }


def _mailbox(address: Address | None) -> dict[str, str] | None:
    return {"name": address.name, "address": address.address} if address else None
