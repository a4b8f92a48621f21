"""What stands around the words of a writer: banners, signatures, disclaimers, "Sent from my iPhone".

Job titles and disclaimers lead a classifier astray; a lost sentence leads a person into harm. So a
line goes only when it can hardly be anything else, and lines below it that are prose stay.
"""

from __future__ import annotations

import re

BANNER_TAG = re.compile(
    r"^\s*[*\[(<]{1,3}\s*external( (e-?mail|sender|message))?\s*[*\])>]{1,3}\s*:?\s*", re.IGNORECASE
)
BANNER = re.compile(
    r"^\W*(external( (e-?mail|sender|message))?( warning)?|caution( external( e-?mail)?)?)\W*$"
    r"|^\W*((caution|warning|attention|be aware|notice|important|external( e-?mail| sender)?)\W+)*"
    r"this (e-?mail|message|is an external e-?mail)( has| was)?( been)? "
    r"(originat\w+|came|sent|received|come|is)?( from)? ?(an )?(outside|external)"
    r"|^\W*((caution|warning|attention|external( e-?mail| sender)?)\W+)+(do not|don't) (click|open)\b"
    r"|^\W*(do not|don't) (click|open)( on)?( any)? (links?|attachments?)\b.*\b(sender|safe|trust|expect)"
    r"|^\W*you don.?t often get e-?mail from\b"
    r"|^\W*(some people who received this message|learn why this is important)",
    re.IGNORECASE,
)
BANNER_GOES_ON = re.compile(
    r"recogni[sz]e the sender|content is safe|links or (open )?attachments|unless you|learn why this"
    r"|phishing|be vigilant",
    re.IGNORECASE,
)
MOST_BANNER_LINES = 12
MOST_BANNER_CHARS = 600

MOBILE = re.compile(
    r"^\W*(sent (from|using|via|with)|get|envoyé de|gesendet von|anfonwyd o)\s+(my |mon |meinem |fy )?"
    r"(i-?phone|i-?pad|i-?pod|galaxy|samsung|outlook|yahoo|mail for windows|windows (mail|phone)|aol|blackberry"
    r"|huawei|honor|android|xiaomi|oneplus|nokia|motorola|pixel|mobile( phone| device)?|phone|smartphone|tablet"
    r"|proton ?mail|gmail|bt (mail|mobile)|sky|virgin|ee|o2|vodafone|mailbox|the mail\.com|gmx|hotmail)\b"
    r"[\w ,.:/<>()'®™+-]{0,90}$",
    re.IGNORECASE,
)
MOBILE_IS_PROSE = re.compile(
    r"\b(because|as|so|but|since|mum|dad|sorry|carer|she|he|is|was)\b", re.IGNORECASE
)

DISCLAIMER_SIGNS = tuple(
    re.compile(sign, re.IGNORECASE)
    for sign in (
        r"\bthis (e-?mail|message|communication|transmission|footnote)\b",
        r"\b(intended|named) (only |solely )?(recipient|addressee|for)\b|\baddressee\b|\bsolely for the\b",
        r"\b(confidential|privileged)\b",
        r"\b(un-?authori[sz]ed|disclos|disseminat|distribut|reproduc|copying)\w*",
        r"\b(notify|inform|contact|advise) (the sender|us|me|the originator|the system)\b|\bdelete (it|this|the)\b",
        r"\b(virus|malware|monitored|intercepted|liability)\w*",
        r"\b(freedom of information|data protection|gdpr|privacy notice)\b",
        r"\bregistered (office|in england|charity|company)\b|\bcompany (number|no|registration)\b",
        r"\bthink before (you )?print|\bconsider the environment\b",
    )
)
TELLING = re.compile(
    r"\b(i'm|my|mine|she|he|her|his|him|mum|dad|resident|residents|carer|carers|staff)\b", re.IGNORECASE
)
ALONE_DISCLAIMER = re.compile(
    r"^\W*(please )?(think|consider) (before|the environment)|^\W*registered (office|charity|company)\b"
    r"|^\W*registered in england\b|^\W*(disclaimer|confidentiality( notice)?|legal notice)\W*$",
    re.IGNORECASE,
)

SIGN_OFF = re.compile(
    r"^\W*(with\s+)?((very|my)\s+)?(kind|kindest|warm|warmest|best|many|yours|your|all the)?\s*"
    r"(regards|wishes|thanks|thank you|sincerely|faithfully|truly|best|cheers|cofion( gorau| cynnes)?"
    r"|diolch( yn fawr)?|kr|bw)"
    r"(\s+(and|&)\s+(kind\s+|best\s+)?(regards|wishes|thanks))?"
    r"(\s+(very much|again|so much|in advance|in anticipation|for (your|the) \w+))?\W*$",
    re.IGNORECASE,
)
CONTACT = re.compile(
    r"\b(tel|telephone|phone|mobile|mob|fax|e-?mail|direct( dial)?|switchboard|ext)\b\s*[.:]|\bwww\.|https?://|@\w"
    r"|(?<!\w)[+(]?\d[\d ()-]{8,}\d|\b[A-Z]{1,2}\d{1,2}[A-Z]? ?\d[A-Z]{2}\b|^[TMEFW]:",
    re.IGNORECASE,
)
JOB = re.compile(
    r"\b(manager|nurse|matron|worker|officer|director|team|lead|assistant|coordinator|administrator|practitioner"
    r"|therapist|consultant|council|nhs|trust|ltd|limited|llp|directorate|department|surgery|practice|service|services"
    r"|he/him|she/her|they/them|pronouns)\b",
    re.IGNORECASE,
)
RELATION = re.compile(
    r"\b(daughter|son|wife|husband|partner|niece|nephew|sister|brother|mother|father|mum|dad|grand\w+|friend|neighbou?r"
    r"|carer (for|of)|on behalf|attorney|poa|lpa|advocate|next of kin|nok)\b",
    re.IGNORECASE,
)
POSTSCRIPT = re.compile(
    r"^\W*(p\.?\s?){1,3}s\b\.?|^\W*(nb|n\.b\.|ps|edit|update|also|one more thing|please)\b", re.IGNORECASE
)
TELLS_MORE = re.compile(
    r"\b(I|I'm|I've|my|she|he|her|his|him|we|they|them|our|your|you|was|were|has|have|had)\b", re.IGNORECASE
)
MOST_SIGNATURE_LINES = 25
MOST_SIGNATURE_CHARS = 300
MOST_LINES_FROM_END = 60


def without_banner(lines: list[str]) -> list[str]:
    """The lines without an "[EXTERNAL]" warning that a gateway put on top."""
    kept: list[str] = []
    seen = 0
    in_banner = False
    for number, line in enumerate(lines):
        if seen >= MOST_BANNER_LINES:
            return kept + lines[number:]
        seen += bool(line.strip())
        in_banner = _is_banner(line, is_inside=in_banner)
        if not in_banner:
            kept.append(BANNER_TAG.sub("", line))
    return kept


def _is_banner(line: str, *, is_inside: bool) -> bool:
    if len(line) > MOST_BANNER_CHARS:
        return False
    return bool(BANNER.search(line)) or (is_inside and bool(BANNER_GOES_ON.search(line)))


def without_mobile_lines(lines: list[str]) -> list[str]:
    """The lines without what phones add of their own accord."""
    return [line for line in lines if not _is_mobile_line(line)]


def without_signature(lines: list[str]) -> list[str]:
    """The lines without signature and disclaimer; a closing formula and the name under it stay."""
    lines = without_disclaimer(lines)
    lines = _without_delimited_signature(lines)
    lines = _without_closing_block(lines)
    return without_disclaimer(lines)


def without_disclaimer(lines: list[str]) -> list[str]:
    """The lines without legal paragraphs at their end."""
    end = len(lines)
    while end > 0:
        start = _paragraph_start(lines, end)
        paragraph = " ".join(lines[start:end]).strip()
        if paragraph and not _is_disclaimer(paragraph) and not set(paragraph) <= set("_-=* "):
            break
        if paragraph and start == 0:
            break  # all that is there: then it is the message
        end = start
    return lines[:end]


def _paragraph_start(lines: list[str], end: int) -> int:
    start = end - 1
    if lines[start].strip():
        while start > 0 and lines[start - 1].strip():
            start -= 1
    return start


def _is_disclaimer(paragraph: str) -> bool:
    paragraph = paragraph[:5000]
    if ALONE_DISCLAIMER.search(paragraph) and not TELLING.search(paragraph):
        return True
    signs = sum(1 for sign in DISCLAIMER_SIGNS if sign.search(paragraph))
    return signs >= 2 and len(paragraph.split()) >= 8 and (signs >= 4 or not TELLING.search(paragraph))


def _is_mobile_line(line: str) -> bool:
    if len(line) > 160 or not MOBILE.match(line):
        return False
    return not MOBILE_IS_PROSE.search(line)


def _without_delimited_signature(lines: list[str]) -> list[str]:
    for number in range(len(lines) - 1, max(-1, len(lines) - MOST_LINES_FROM_END), -1):
        if lines[number].strip() in ("--", "—", "–") and _has_words(lines[:number]):
            after = _signature_end(lines, number + 1)
            return lines[:number] + lines[after:]
    return lines


def _without_closing_block(lines: list[str]) -> list[str]:
    for number in range(len(lines) - 1, max(-1, len(lines) - MOST_LINES_FROM_END), -1):
        if len(lines[number]) < 70 and SIGN_OFF.match(lines[number]) and _has_words(lines[:number]):
            return _cut_after_name(lines, number)
    return lines


def _cut_after_name(lines: list[str], sign_off: int) -> list[str]:
    name = sign_off + 1
    while name < len(lines) and not lines[name].strip():
        name += 1
    has_name = name < len(lines) and not CONTACT.search(lines[name]) and not _is_prose(lines[name])
    start = name + 1 if has_name else name
    end = _signature_end(lines, start)
    block = lines[start:end]
    if not any(CONTACT.search(line) or JOB.search(line) for line in block):
        return lines
    return lines[:start] + [line for line in block if RELATION.search(line)] + lines[end:]


def _signature_end(lines: list[str], start: int) -> int:
    """The first line after `start` that says something again, or the end."""
    filled = 0
    for number in range(start, len(lines)):
        line = lines[number]
        filled += bool(line.strip())
        if _is_prose(line) or POSTSCRIPT.match(line):
            return number
        if filled > MOST_SIGNATURE_LINES:
            return start  # too long for a signature: keep all of it
    return len(lines)


def _is_prose(line: str) -> bool:
    if len(line) > MOST_SIGNATURE_CHARS:
        return not _is_disclaimer(line)
    words = len(line.split())
    if CONTACT.search(line) and not TELLS_MORE.search(line):
        return False
    if words >= 4 and TELLS_MORE.search(line) and not _is_disclaimer(line):
        return True
    return words >= 9 and line.rstrip().endswith((".", "!", "?")) and not _is_disclaimer(line)


def _has_words(lines: list[str]) -> bool:
    return any(character.isalnum() for line in lines for character in line)
