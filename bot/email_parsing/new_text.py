"""What this writer added, apart from the history under it; when unsure, everything.

In a forward the forwarded mail is the message: someone passes on a concern with "see below".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.email_parsing.history import Boundary, Kind, find_boundary
from bot.email_parsing.plain import tidy
from bot.email_parsing.signatures import (
    without_banner,
    without_disclaimer,
    without_mobile_lines,
    without_signature,
)
from triage.vocabulary import Address

SUBJECT_TAGS = re.compile(r"^(\s*\[[^\]]{1,40}\]|\s*external\s*:)+", re.IGNORECASE)
REPLY_SUBJECT = re.compile(r"^\s*(re|aw|sv|vs|antw|atb|ynt|odp)\s*(\[\d+\])?\s*:", re.IGNORECASE)
FORWARD_SUBJECT = re.compile(r"^\s*(fwd?|wg|tr|rv|enc|vl|doorst|yml)\s*:", re.IGNORECASE)
POINTS_BELOW = re.compile(
    r"\b(see|read|note|refer to|as per|per|regarding|the)\b.{0,40}\b(below|beneath|underneath|trail|thread|chain)\b"
    r"|\b(e-?mail|message|concern|complaint|correspondence|information|enquiry|query|referral)s? (is |are )?below\b"
    r"|\b(forward(ing|ed)?|pass(ing|ed)? (this|it) on|fyi|fao)\b"
    r"|\bfor your (attention|action|information)\b",
    re.IGNORECASE,
)
ANSWERS_INLINE = re.compile(
    r"\b(answer(s|ed)?|repl(y|ies)|comments?|respon(se|ses|ded|ding))\b.{0,30}"
    r"\b(below|in-?line|in (red|blue|green|bold))\b",
    re.IGNORECASE,
)
ENOUGH_WORDS = 5
MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class NewText:
    """The writer's own words, and who wrote the mail that was forwarded, if one was."""

    new_text: str
    original_author: Address | None = None


def split_new_text(text: str, subject: str, *, is_reply: bool) -> NewText:
    """Set quoted history and signature apart; `is_reply` says whether the headers name an earlier mail."""
    subject = SUBJECT_TAGS.sub("", subject)
    lines = without_banner(text.split("\n"))
    boundary = find_boundary(lines)
    if boundary and _is_forward(boundary, subject):
        kept = without_disclaimer(without_mobile_lines(lines))
        return NewText(tidy("\n".join(kept)) or text, boundary.author)
    is_reply = is_reply or bool(REPLY_SUBJECT.match(subject))
    if FORWARD_SUBJECT.match(subject):
        kept = lines
    elif boundary:
        kept = _without_history(lines, boundary, is_reply=is_reply)
    else:
        kept = _without_stray_quotes(lines) if is_reply else lines
    return NewText(_polished(kept) or tidy("\n".join(kept)) or text)


def _is_forward(boundary: Boundary, subject: str) -> bool:
    if boundary.kind is Kind.FORWARD_MARK or FORWARD_SUBJECT.match(subject):
        return True
    # Outlook announces replies and forwards alike; only the subject tells them apart.
    return boundary.kind is not Kind.REPLY_INTRO and not REPLY_SUBJECT.match(subject)


def _polished(lines: list[str]) -> str:
    polished = tidy("\n".join(without_signature(without_mobile_lines(lines))))
    return polished if _count_words([polished]) else ""


def _without_history(lines: list[str], boundary: Boundary, *, is_reply: bool) -> list[str]:
    above = lines[: boundary.start]
    below = lines[boundary.end :]
    is_marked = boundary.kind is Kind.REPLY_INTRO and _first_words(below).startswith(">")
    if _points_below(above, is_marked=is_marked):
        return lines
    if boundary.kind is Kind.REPLY_INTRO and boundary.author is None and not (is_marked and is_reply):
        return lines  # "On 3 May at 10:30 the manager wrote:" and nothing that says it was a mail
    kept = above + _own_lines_below(below) if is_marked else above
    own = without_signature(without_mobile_lines(kept))
    return kept if _count_words(own) >= (1 if is_reply else ENOUGH_WORDS) else lines


def _own_lines_below(below: list[str]) -> list[str]:
    """What the writer put between and under the quoted lines, up to a history without marks."""
    own = [line for line in below if not line.lstrip().startswith(">")]
    begin = 0
    for _ in range(MOST_ROUNDS):
        boundary = find_boundary(own, begin)
        if boundary is None:
            return own
        if boundary.kind is Kind.REPLY_INTRO:
            # The intro of an older quote whose marked lines are gone already.
            own = own[: boundary.start] + own[boundary.end :]
            begin = boundary.start
        else:
            return own[: boundary.start]
    return own


def _without_stray_quotes(lines: list[str]) -> list[str]:
    """A reply whose quotes have no "On ... wrote:"; a list that a colon announces is not quoted mail."""
    kept: list[str] = []
    before = ""
    is_list = False
    for line in lines:
        if line.startswith(">"):
            is_list = is_list or before.endswith(":")
            if is_list:
                kept.append(line)
            continue
        kept.append(line)
        if line.strip():
            before, is_list = line.strip(), False
    return kept if _count_words(kept) else lines


def _points_below(above: list[str], *, is_marked: bool) -> bool:
    words = " ".join(above)[-4000:]
    if ANSWERS_INLINE.search(words):
        return not is_marked
    return _count_words(above) < 60 and bool(POINTS_BELOW.search(words))


def _first_words(lines: list[str]) -> str:
    return next((line.strip() for line in lines[:50] if line.strip()), "")


def _count_words(lines: list[str]) -> int:
    return sum(1 for line in lines for word in line.split() if any(letter.isalnum() for letter in word))
