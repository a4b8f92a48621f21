"""One shape for all text: line ends, spaces and characters that a person can see."""

from __future__ import annotations

import re
import unicodedata

LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
ODD_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]")
# Controls, soft hyphens, zero-width and direction marks, fillers, tags, variation selectors,
# lone surrogates: none is seen, each can split or hide a word.
UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e01ef]"
)
# Long stacks of accents are vandalism, and composing them takes quadratic time.
STACKED_MARKS = re.compile(
    "([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{8})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
MANY_BLANK_LINES = re.compile(r"\n{4,}")


def tidy(text: str) -> str:
    """Text with `\\n` line ends, composed (NFC), without unseen characters, at most two blank lines in a row."""
    text = ODD_SPACES.sub(" ", LINE_ENDS.sub("\n", text))
    text = STACKED_MARKS.sub(r"\1", UNSEEN.sub("", text))
    text = unicodedata.normalize("NFC", text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return MANY_BLANK_LINES.sub("\n\n\n", text).strip("\n")


def one_line(text: str, most_chars: int = 2000) -> str:
    """Text of a header: tidy, on one line, single spaces, cut at `most_chars`."""
    return " ".join(tidy(text[: most_chars * 4]).split())[:most_chars]


def unflow(text: str, *, delete_space: bool) -> str:
    """Paragraphs of format=flowed (RFC 3676) made whole again; quoted ones keep their ">"."""
    done: list[str] = []
    open_depth = -1
    for line in LINE_ENDS.sub("\n", text).split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        joins = open_depth == depth and bare != "-- "
        if joins:
            done.append(bare)
        else:
            done.append(("\n" if done else "") + (">" * depth + " " if depth else "") + bare)
        open_depth = -1
        if bare.endswith(" ") and bare != "-- ":
            open_depth = depth
            if delete_space:
                done[-1] = done[-1][:-1]
    return "".join(done)
