"""Slack as a way in: posts, replies, edits, deletions, a message shortcut and a form, by Socket Mode or HTTP."""

from bot.slack_in.part import SlackPart

__all__ = ["SlackPart"]
