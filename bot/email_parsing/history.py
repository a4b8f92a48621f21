"""Where, in the text of a mail, an earlier mail begins.

`quotequail` knows these lines in other languages; what it takes for one is believed only with
evidence (an address, a date, a second header), because people write "From: the carers" too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import quotequail

from bot.email_parsing.headers import parse_address
from triage.vocabulary import Address


class Kind(Enum):
    """What announces the earlier mail; some clients use the last three for replies and forwards alike."""

    FORWARD_MARK = "---- Forwarded message ----"
    REPLY_INTRO = "On ... wrote:"
    ORIGINAL_MARK = "-----Original Message-----"
    HEADER_BLOCK = "From: ... Sent: ..."


@dataclass(frozen=True, slots=True)
class Boundary:
    """Lines `start` to `end` announce an earlier mail, whose text begins at `end`."""

    kind: Kind
    start: int
    end: int
    author: Address | None = None


DASHES = r"[-–—_=*~]{2,}"
FORWARD_MARK = re.compile(
    rf"^({DASHES}\s*(begin |start of )?(forwarded|fwd) (message|e-?mail|by\b.*)\s*:?\s*({DASHES})?"
    rf"|{DASHES}\s*neges wedi'i hanfon ymlaen\s*{DASHES}"
    r"|(begin|start of) forwarded (message|e-?mail)\s*:|forwarded message\s*:)$",
    re.IGNORECASE,
)
ORIGINAL_MARK = re.compile(
    rf"^{DASHES}\s*((original|reply) (message|appointment|e-?mail)|neges wreiddiol)\s*{DASHES}$",
    re.IGNORECASE,
)
RULE = re.compile(r"^[_\-=–—*]{5,}$")
MAY_BE_MARK = re.compile(r"^-{2,}|:$")

MAY_BE_INTRO = re.compile(
    r"^(On|Am|Le|El|Em|Op|Den|Ar|Il|W dniu|At|In)\s|^\d{1,4}[-/. ]|<[^<>\s]+@|\[mailto:|\b(wrote|writes)\s*:\s*$"
)
INTRO = re.compile(
    r"^((On|At)\s.{6,300}\b(wrote|writes|said|replied)\s*:"
    r"|.{0,200}[<\[(](mailto:)?[^<>\s]+@[^<>\s]+[>\])].{0,80}\b(wrote|writes)\s*:"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.{0,200}\b(wrote|writes)\s*:"
    r"|Ar\s.{6,300}\bysgrifennodd\b.{0,200}:)$"
)
INTRO_EVIDENCE = re.compile(r"@|\b\d{1,2}[:.]\d{2}\b|\b(19|20)\d\d\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b")
MOST_LINES_SEARCHED = 50_000
MOST_INTRO_LINES = 4
MOST_INTRO_CHARS = 500

HEADER = re.compile(r"^[*_\s|]*([^\W\d_][\w' -]{0,18}?)[*_]*\s?:[*_]*(?:\s+|$)(.*)$")
HEADER_NAMES = {
    "from": "from", "sent": "date", "date": "date", "received": "date", "to": "to", "cc": "cc", "bcc": "cc",
    "subject": "subject", "reply-to": "reply-to", "importance": "other", "attachments": "other", "priority": "other",
    "sensitivity": "other", "when": "date", "oddi wrth": "from", "anfonwyd": "date", "at": "to", "pwnc": "subject",
    "dyddiad": "date",
}  # fmt: skip
# Languages whose mail reaches British councils now and then; quotequail reads their headers.
FOREIGN_FROM = re.compile(r"^\*?(von|de|från|van|от кого)\s?:", re.IGNORECASE)
MAILBOX_LISTS = ("to", "cc")
MOST_BLOCK_LINES = 40
MAILTO = re.compile(r"[\[(](?:mailto:)?([^\s\[\]()<>]+@[^\s\[\]()<>]+)[\])]")
QUOTE_MARK = re.compile(r"^(\s*>)+ ?")


def find_boundary(lines: list[str], begin: int = 0) -> Boundary | None:
    """The first line outside ">" quotes, from `begin` on, where an earlier mail is announced."""
    for number in range(begin, min(len(lines), begin + MOST_LINES_SEARCHED)):
        line = lines[number].strip()
        if not line or line[0] == ">":
            continue
        found = (
            _mark_at(lines, number, line) or _header_block_at(lines, number) or _intro_at(lines, number, line)
        )
        if found:
            return found
    return None


def unquoted(line: str) -> str:
    """A line without its leading quote marks."""
    return QUOTE_MARK.sub("", line)


def _mark_at(lines: list[str], number: int, line: str) -> Boundary | None:
    if len(line) > 120:
        return None
    if FORWARD_MARK.match(line) or (
        MAY_BE_MARK.search(line)
        and _quotequail_type(line) == "forward"
        and not ORIGINAL_MARK.match(line)
        and not RULE.match(line)
    ):
        return _with_headers(Kind.FORWARD_MARK, lines, number)
    if ORIGINAL_MARK.match(line):
        return _with_headers(Kind.ORIGINAL_MARK, lines, number)
    if RULE.match(line):
        below = _next_words(lines, number + 1)
        block = _header_block_at(lines, below) if below - number <= 3 else None
        return Boundary(Kind.HEADER_BLOCK, number, block.end, block.author) if block else None
    return None


def _with_headers(kind: Kind, lines: list[str], number: int) -> Boundary:
    bare = [unquoted(line) for line in lines[number + 1 : number + 1 + MOST_BLOCK_LINES]]
    block = _header_block_at(bare, _next_words(bare, 0))
    if block is None:
        return Boundary(kind, number, number + 1)
    return Boundary(kind, number, number + 1 + block.end, block.author)


def _next_words(lines: list[str], number: int) -> int:
    while number < len(lines) and not lines[number].strip():
        number += 1
    return number


def _quotequail_type(line: str) -> str:
    found = quotequail.unwrap(line)
    return str(found["type"]) if found else ""


def _intro_at(lines: list[str], number: int, line: str) -> Boundary | None:
    if not MAY_BE_INTRO.search(line):
        return None
    joined = ""
    for count in range(MOST_INTRO_LINES):
        more = lines[number + count].strip() if number + count < len(lines) else ""
        joined = f"{joined} {more}".strip()
        if not more or more.startswith(">") or len(joined) > MOST_INTRO_CHARS:
            return None
        if joined[-1] in ":>" and _is_intro(joined):
            return Boundary(Kind.REPLY_INTRO, number, number + count + 1, _author_of_intro(joined))
    return None


def _is_intro(joined: str) -> bool:
    if not INTRO_EVIDENCE.search(joined):
        return False
    return bool(INTRO.match(joined)) or _quotequail_type(joined) == "reply"


def _author_of_intro(joined: str) -> Address | None:
    found = re.search(r"([^,:\d<>]*)<([^<>\s]+@[^<>\s]+)>", joined)
    return parse_address(found.group()) if found else None


def _header_block_at(lines: list[str], number: int) -> Boundary | None:
    """A From line with enough around it to be the head of a mail rather than a person's sentence."""
    first = HEADER.match(lines[number]) if number < len(lines) else None
    if not first:
        return None
    if HEADER_NAMES.get(first.group(1).strip().lower()) != "from":
        return _foreign_block_at(lines, number) if FOREIGN_FROM.match(lines[number].strip()) else None
    values, end = _read_block(lines, number)
    if not _is_head_of_mail(values):
        return None
    return Boundary(Kind.HEADER_BLOCK, number, end, _author(values["from"]))


def _is_head_of_mail(values: dict[str, str]) -> bool:
    """Forms have From and To as well ("From: 3 March"): without an address it takes all that Outlook writes."""
    if "@" in values["from"]:
        return len(values) >= 2
    has_date = any(character.isdigit() for character in values.get("date", ""))
    return has_date and "subject" in values and not values["from"][:1].isdigit()


def _read_block(lines: list[str], number: int) -> tuple[dict[str, str], int]:
    values: dict[str, str] = {}
    current = ""
    end = number
    for position in range(number, min(len(lines), number + MOST_BLOCK_LINES)):
        line = lines[position].strip()
        if not line:
            if position - end >= 1:
                break  # one blank line between headers is layout, two are the end
            continue
        header = HEADER.match(line)
        name = HEADER_NAMES.get(header.group(1).strip().lower()) if header else None
        if header and name and (position in (end, number) or _goes_on(values, end, position)):
            current = name
            values.setdefault(name, header.group(2).strip())
        elif current and position == end and (not values[current] or _is_more_mailboxes(current, line)):
            values[current] = f"{values[current]} {line}".strip()
        else:
            break
        end = position + 1
    return values, end


def _goes_on(values: dict[str, str], end: int, position: int) -> bool:
    """Whether a header after a blank line still belongs: only until the subject, the last of them."""
    return position - end == 1 and "subject" not in values


def _is_more_mailboxes(current: str, line: str) -> bool:
    return current in MAILBOX_LISTS and ("@" in line or ";" in line)


def _foreign_block_at(lines: list[str], number: int) -> Boundary | None:
    found = quotequail.unwrap("\n".join(lines[number : number + 12])) or {}
    if found.get("type") != "forward" or "from" not in found or not {"date", "subject"} & found.keys():
        return None
    end = number
    while end < min(len(lines), number + 12) and lines[end].strip():
        end += 1
    return Boundary(Kind.HEADER_BLOCK, number, end, _author(found["from"]))


def _author(value: str) -> Address | None:
    return parse_address(MAILTO.sub(r"<\1>", value.strip("* ")))
