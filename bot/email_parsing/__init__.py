"""Raw bytes of an email to a Message: `reading` in this process, `safely` in a child with limits.

The way through: mime (parts) -> bodies (texts and files) -> new_text (history and signature apart).
"""

from __future__ import annotations

from bot.email_parsing.description import describe
from bot.email_parsing.limits import DEFAULT_LIMITS, ParseLimits
from bot.email_parsing.reading import read_message
from bot.email_parsing.safely import close_shared_pool, read_safely
from triage.vocabulary import Channel, Message

__all__ = [
    "DEFAULT_LIMITS",
    "ParseLimits",
    "close_shared_pool",
    "describe",
    "parse_email",
    "parse_email_safely",
]


def parse_email(raw: bytes, *, channel: Channel = Channel.EMAIL) -> Message:
    """The message in `raw`, read in this process; CannotRead when nothing in it can be read."""
    return read_message(raw, channel, DEFAULT_LIMITS)


def parse_email_safely(
    raw: bytes, *, limits: ParseLimits = DEFAULT_LIMITS, channel: Channel = Channel.EMAIL
) -> Message:
    """The message in `raw`, read in a child process within `limits`; CannotRead also when it outgrows them.

    TryAgainLater when no child can be started. Any number of threads may call this.
    """
    return read_safely(raw, channel, limits)
