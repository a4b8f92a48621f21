"""The mail listener: `250` only for what is durably stored, `451` for any fault of ours."""

from bot.smtp_in.listener import Listener

__all__ = ["Listener"]
