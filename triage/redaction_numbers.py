"""Personal data that has a shape: numbers, addresses of all kinds, dates of birth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from triage.redaction_kinds import PersonalData, PersonalDataKind
from triage.redaction_words import FIRST_NAMES, FUNCTION_WORDS, PLAIN_STREET_TYPES, TITLES

Kind = PersonalDataKind

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")

_TEN_DIGITS = re.compile(r"(?<![\d+])(\d{3})([ \t-]?)(\d{3})([ \t-]?)(\d{4})(?!\d)")
_NHS_LABEL = re.compile(r"\bn\.?h\.?s\b[^\d\n]{0,25}$", re.IGNORECASE)
_NHS_NEAR = re.compile(r"\bn\.?h\.?s\b", re.IGNORECASE)
# With its check digit right, a number beside one of these is hardly ever an invoice's.
_PATIENT_NEAR = re.compile(
    r"\b(?:patient|pt|client|resident|service user|dob|born|admitted)\b|\x00", re.IGNORECASE
)
_OTHER_NUMBER = re.compile(
    r"\b(?:invoice|order|account|log|crime|job|ref(?:erence)?)\b[^\n]{0,20}$", re.IGNORECASE
)
_CONTEXT_CHARACTERS = 60

_NATIONAL_INSURANCE = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}[ \t-]?\d{2}[ \t-]?\d{2}[ \t-]?\d{2}[ \t-]?[A-Da-d](?![A-Za-z0-9])"
)

_TELEPHONE = re.compile(
    r"(?<![\w+.])(?:\+[ \t]?\d{1,3}|00[ \t]?44|\(\+?\d{2,5}\)|0)(?:[ \t().-]{0,3}\d){6,12}(?!\w)"
)
_SHORT_TELEPHONE = re.compile(
    r"\b(?:tel|telephone|phone|mob|mobile|ext|(?:ring|call|phone|text)(?:[ ]\w{2,4})?[ ]on)\b[.:]?"
    r"[ ]?(?:no\.?|number)?[: ]{0,2}"
    r"(\d{5,6}|\d{3}[ ]\d{3})(?![\d ]?\d)",
    re.IGNORECASE,
)

_POSTCODE = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{1,2}\d[A-Za-z\d]?[ \t]{0,2}\d[ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}(?![A-Za-z0-9])"
)
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)$")

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?"
    r"|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = (
    r"(?:\d{1,4}[ ]?[./-][ ]?\d{1,2}[ ]?[./-][ ]?\d{2,4}|\d{1,2}[ ]\d{1,2}[ ]\d{2,4}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?[ -]?(?:of[ ])?{_MONTH}\.?,?[ -]?(?:\d{{4}}|['’]?\d{{2}})"
    rf"|{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}}|\d{{8}})(?!\d)"
)
_BIRTH_CUE = (
    r"(?:d\.?[ ]?o\.?[ ]?b\b\.?|date[ ]of[ ]birth|birth[ ]?dates?|born|birthday|b\.|b(?=[ ]\d{1,2}[./-]))"
)
_DATE_OF_BIRTH = re.compile(
    rf"(?<!\w){_BIRTH_CUE}[^\w\n]{{0,6}}\n?(?:(?:is|was|on|the|given|as|recorded|we|i|you|they|have|hold|held|for|him|her|them)[^\w\n]{{1,3}}){{0,5}}({_DATE})",
    re.IGNORECASE,
)
_BIRTH_AFTER = re.compile(
    rf"(?<!\d)({_DATE})[ ]?[(,-]{{0,2}}[ ]?(?:is[ ]\w{{2,5}}[ ])?(?:d\.?o\.?b\b|date[ ]of[ ]birth)",
    re.IGNORECASE,
)

# A whole date of long ago right behind a name.
_BIRTH_BEHIND_NAME = re.compile(
    r"(?<=[a-zA-ZÀ-ɏ])[ ]?,?[ ]\(?(?<!since )(\d{1,2}[./-]\d{1,2}[./-](?:19[1-9]\d|200[0-8]))(?!\d)"
)
_LONG_AGO = re.compile(r"(?<!\d)\d{1,2}[./-]\d{1,2}[./-](?:19[1-9]\d|200[0-8])(?!\d)")
_NAME_BEFORE = re.compile(r"\b[A-ZÀ-Þ][\w'’-]+[ ]?,?[ ]\(?$")

_WORD = r"[A-Za-zÀ-ɏ][\wÀ-ɏ'’.-]{0,24}"
_CAPITAL = r"[A-ZÀ-Þ][\w'’-]{0,24}"
_NUMBER = r"\d{1,4}[A-Za-z]?(?:[ ]?[-–/][ ]?\d{1,4}[A-Za-z]?)?"
_UNIT = (
    r"(?:flat|apartment|apt|unit|room|studio|bungalow|caravan|plot|floor)"
    r"\.?[ ]?(?:no\.?[ ]?)?(?:\d{1,4}[A-Za-z]?|[A-Z])\b"
)
_STREET_TYPE = (
    r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|crescent|cres|terrace|terr|gardens?|gdns|grove|close|cl"
    r"|way|walk|place|pl|square|sq|row|hill|rise|court|ct|mews|parade|park|view|green|quay|wharf|meadows?|croft"
    r"|yard|end|fold|gate|bank|mount|vale|path|promenade|esplanade|boulevard|circus|passage|approach|broadway"
    r"|villas?|cottages?|buildings|mansions|hey|brow|bottom|common|chase|drove|loan|wynd|brae|wood|estate|house|lodge)"
)
_WELSH_STREET = rf"(?:Heol|Ffordd|Stryd|Rhodfa|Clos|Maes|L[oô]n|Cae|Bryn)(?:[ ](?:y|yr|{_CAPITAL})){{1,3}}"
_STREET = re.compile(
    rf"(?<![\w/.£])(?:(?P<unit>{_UNIT})(?:[ ]?,[ ]?|[ ]))?(?P<number>{_NUMBER})[ ]?,?[ ]"
    rf"(?P<street>(?P<words>(?:{_WORD}[ ]){{0,3}}?(?:{_WORD}[ ]))?(?P<type>{_STREET_TYPE})\b\.?"
    rf"|{_WELSH_STREET}|[Tt]he[ ]{_CAPITAL}|[A-Z][a-z]{{2,12}}(?:gate|way|side|wick|mead|croft|field|walk)\b"
    rf"|{_CAPITAL}[ ](?:Exchange|Wharf|Maltings|Quay|Steps|Gardens|Fields))",
    re.IGNORECASE,
)
_BUILDING_TYPE = (
    r"(?:House|Court|Cottages?|Lodge|Mansions|Buildings"
    r"|Point|Towers?|Heights|Villas?|Place|Hall|Gardens|Mews|Farm)"
)
_BUILDING = rf"(?:{_CAPITAL}[ ]){{1,3}}{_BUILDING_TYPE}"
_UNIT_IN_BUILDING = re.compile(
    rf"(?<!\w)(?i:{_UNIT})[ ]?,?[ ](?:at[ ])?(?:{_BUILDING}|The[ ]{_CAPITAL})"
    rf"(?:,[ ]?(?:{_CAPITAL}[ ]){{1,3}}(?i:{_STREET_TYPE})\b)?",
)
_FLAT = re.compile(r"flat|apartment|apt|studio|bungalow", re.IGNORECASE)
_ROOM_BEFORE = re.compile(r"(?:room|ward|bed|unit|rm|bay)s?[ ]?(?:no\.?[ ]?)?$", re.IGNORECASE)
_HOUSE_NAME_BEFORE = re.compile(
    rf"(?:^|(?<=[,.:\n\x00 ]))(?:[Tt]he[ ]{_CAPITAL}(?:[ ]{_CAPITAL})?"
    rf"|(?<![A-Za-z][ ]){_CAPITAL}|(?<=[a-z][ ]){_CAPITAL}),[ ]?$"
)
# Houses that carry a name in place of a number; "House", "Lodge" and "Court" are more often a service's.
_COTTAGE = (
    rf"(?:[Tt]he[ ])?(?:{_CAPITAL}[ ]){{1,2}}"
    r"(?:Cottages?|Farm|Farmhouse|Barn|Forge|Mill|Bungalow|Vicarage|Rectory)"
)
_NAMED_HOUSE = re.compile(rf"(?<!\w){_COTTAGE},[ ]?(?:{_CAPITAL}[ ]){{1,3}}(?i:{_STREET_TYPE})\b")
_NEIGHBOURS_HOUSE = re.compile(
    rf"(?i:neighbou?rs?|friend|letters|parcels)[ ](?:at|to)[ ](?P<house>{_COTTAGE})\b"
)
_HOUSE_NUMBER_SAID = re.compile(r"(?<!\w)(?:[Nn]o\.?|[Nn]umber)[ ]?$")
_BUILDING_BEFORE = re.compile(
    rf"(?:(?i:{_UNIT})[ ]?,?[ ])?{_BUILDING},?[ ]?$|(?i:{_UNIT})[ ]?,?[ ][Tt]he[ ]{_CAPITAL},?[ ]$"
)
_BOX = re.compile(r"(?<!\w)P\.?[ ]?O\.?[ ]?Box[ ](?:no\.?[ ]?)?\d{1,6}", re.IGNORECASE)
_ADDRESS_LABEL = re.compile(
    r"(?im)^(?P<before>[^\n:]{0,30})\baddress(?P<after>[^\n:]{0,25}):[ \t]*(?P<address>[^\n]{4,120})"
)
_ADDRESS_ENDS = re.compile(r"\x00|[.;](?:\s|$)|\b(?:Tel|Phone|Email|DOB|NHS|Postcode)\b")
_NOT_STREET_ADDRESS = re.compile(r"e-?mail|web|ip\b|provider|home\b|service", re.IGNORECASE)
_TOWN = rf"{_CAPITAL}(?:[ -](?:{_CAPITAL}|on|upon|under|le|in|the|by|of)){{0,4}}"
_TOWN_AFTER = re.compile(
    rf"(?P<gap>[ ]?,[ ]?(?:\n[ ]?)?)(?P<town>{_TOWN})"
    r"(?=[ ]?(?:[,.;)\n\x00]|$|(?:and|has|have|is|was|are|for|since|but|who|where|which)\b|[a-z]))"
)
_TOWN_LINES = re.compile(rf"(?:[ ]?,?[ ]?\n[ ]?{_TOWN}){{1,3}}(?=[ ]?,?[ ]?\n?[ ]?\x00)")


def find_numbers_and_addresses(text: str) -> list[PersonalData]:
    """Everything in the text that its shape gives away, without overlaps, in order."""
    found: list[PersonalData] = []
    # Each is blanked out before the next is sought, so that no digit is read twice.
    for find in (
        _emails,
        _dates_of_birth,
        _nhs_numbers,
        _national_insurance,
        _telephones,
        _postcodes,
        _addresses,
    ):
        new = _without_overlaps(find(text))
        found += new
        text = blanked(text, new)
    found += _dates_like_births(text, list(found))
    return sorted(found, key=lambda item: item.start)


def blanked(text: str, found: Iterable[PersonalData]) -> str:
    """The text, as long as before, with a character in place of what was found that belongs to no word."""
    parts, end = [], 0
    for item in sorted(found, key=lambda item: item.start):
        parts += [text[end : item.start], "\x00" * (item.end - item.start)]
        end = item.end
    return "".join([*parts, text[end:]])


def nhs_checksum_holds(digits: str) -> bool:
    """Whether ten digits pass the modulus 11 check of NHS numbers."""
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9]))
    return (11 - total % 11) % 11 == int(digits[9])


def _item(kind: Kind, match: re.Match[str], score: float, group: int | str = 0) -> PersonalData:
    return PersonalData(kind, match.start(group), match.end(group), match.group(group), score)


def _without_overlaps(found: Iterable[PersonalData]) -> list[PersonalData]:
    kept: list[PersonalData] = []
    for item in sorted(found, key=lambda item: (item.start, item.start - item.end)):
        if not kept or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def _emails(text: str) -> Iterator[PersonalData]:
    for match in _EMAIL.finditer(text):
        yield _item(Kind.EMAIL, match, 0.99)


def _dates_of_birth(text: str) -> Iterator[PersonalData]:
    for pattern in (_DATE_OF_BIRTH, _BIRTH_AFTER):
        for match in pattern.finditer(text):
            yield _item(Kind.DATE_OF_BIRTH, match, 0.95, 1)
    for match in _BIRTH_BEHIND_NAME.finditer(text):
        if _NAME_BEFORE.search(text, max(0, match.start() - 30), match.start(1)):
            yield _item(Kind.DATE_OF_BIRTH, match, 0.7, 1)


def _dates_like_births(text: str, found: list[PersonalData]) -> Iterator[PersonalData]:
    """Further whole dates of long ago, where one date of birth was told: the wrong one, the husband's."""
    if any(item.kind is Kind.DATE_OF_BIRTH for item in found):
        for match in _LONG_AGO.finditer(text):
            yield _item(Kind.DATE_OF_BIRTH, match, 0.6)


def _nhs_numbers(text: str) -> Iterator[PersonalData]:
    for match in _TEN_DIGITS.finditer(text):
        before = text[max(0, match.start() - _CONTEXT_CHARACTERS) : match.start()]
        after = text[match.end() : match.end() + _CONTEXT_CHARACTERS]
        holds = nhs_checksum_holds("".join(match.group(1, 3, 5)))
        shaped = bool(match.group(2)) and bool(match.group(4))
        near = _NHS_NEAR.search(before) is not None or _NHS_NEAR.search(after) is not None
        hinted = bool(_PATIENT_NEAR.search(before)) and not _OTHER_NUMBER.search(before)
        if holds and (near or shaped or hinted):
            yield _item(Kind.NHS_NUMBER, match, 0.99 if near else 0.9)
        elif _NHS_LABEL.search(before):
            # With a slip of the pen in it, a labelled number still leads to one person.
            yield _item(Kind.NHS_NUMBER, match, 0.6)


def _national_insurance(text: str) -> Iterator[PersonalData]:
    for match in _NATIONAL_INSURANCE.finditer(text):
        yield _item(Kind.NATIONAL_INSURANCE_NUMBER, match, 0.95)


def _telephones(text: str) -> Iterator[PersonalData]:
    for match in _TELEPHONE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if match.group()[0] in "0(" and not digits.startswith("0044"):
            fits = digits[0] == "0" and len(digits) in (10, 11) and digits[1] in "123578"
        else:
            fits = 10 <= len(digits) <= 15
        if fits:
            yield _item(Kind.TELEPHONE, match, 0.95)
    for match in _SHORT_TELEPHONE.finditer(text):
        yield _item(Kind.TELEPHONE, match, 0.7, 1)


def _postcodes(text: str) -> Iterator[PersonalData]:
    for match in _POSTCODE.finditer(text):
        # "b6 2nd" is no postcode; in capitals it may be one.
        if not _ORDINAL.search(match.group()):
            yield _item(Kind.POSTCODE, match, 0.9)


def _addresses(text: str) -> Iterator[PersonalData]:
    yield from _labelled_addresses(text)
    for match in _STREET.finditer(text):
        in_a_service = match["unit"] is None and _ROOM_BEFORE.search(
            text, max(0, match.start() - 12), match.start()
        )
        if _is_street(match) and not in_a_service:
            start, end = _house_start(text, match.start()), _town_end(text, match.end())
            yield PersonalData(Kind.ADDRESS, start, end, text[start:end], 0.9)
    for match in _NAMED_HOUSE.finditer(text):
        end = _town_end(text, match.end())
        yield PersonalData(Kind.ADDRESS, match.start(), end, text[match.start() : end], 0.8)
    for match in _BOX.finditer(text):
        end = _town_end(text, match.end())
        yield PersonalData(Kind.ADDRESS, match.start(), end, text[match.start() : end], 0.9)
    for match in _NEIGHBOURS_HOUSE.finditer(text):
        yield _item(Kind.ADDRESS, match, 0.7, "house")
    for match in _UNIT_IN_BUILDING.finditer(text):
        if _FLAT.match(match.group()):
            end = _town_end(text, match.end())
            yield PersonalData(Kind.ADDRESS, match.start(), end, text[match.start() : end], 0.85)


def _labelled_addresses(text: str) -> Iterator[PersonalData]:
    for match in _ADDRESS_LABEL.finditer(text):
        if _NOT_STREET_ADDRESS.search(match["before"] + match["after"]):
            continue
        kept = _ADDRESS_ENDS.split(match["address"], maxsplit=1)[0].rstrip(" ,")
        if len(kept) >= 4:
            start = match.start("address")
            yield PersonalData(Kind.ADDRESS, start, start + len(kept), kept, 0.85)


def _is_street(match: re.Match[str]) -> bool:
    """Whether number and words are a street, not "2 of them close": by capitals, or by plain words."""
    words = (match["words"] or "").split()
    kind = match["type"]
    if kind is None:
        return match["street"][:1].isupper()
    small = [word.lower().strip(".,") for word in words]
    if not words:
        return False
    if small[0] == "the":
        return len(words) == 1 and words[0][0].isupper() and kind[0].isupper()
    if any(word in FUNCTION_WORDS for word in small) or any("." in word[:-1] for word in words):
        return False
    if all(word[0].isupper() for word in words):
        return kind[0].isupper() or kind in PLAIN_STREET_TYPES
    return kind.lower() in PLAIN_STREET_TYPES and len(words) <= 2


def _house_start(text: str, start: int) -> int:
    """Where the address begins when the house's name or the flat in a named building stands before."""
    before = text[max(0, start - 70) : start]
    said = _HOUSE_NUMBER_SAID.search(before)
    if said:
        return start - len(before) + said.start()
    match = _BUILDING_BEFORE.search(before) or _HOUSE_NAME_BEFORE.search(before)
    if match and _is_somebody(match.group()):
        return start
    return start - len(before) + match.start() if match else start


def _town_end(text: str, end: int) -> int:
    """Where the address ends with the village, town and county that follow it."""
    lines = _TOWN_LINES.match(text, end)
    if lines:
        return lines.end()
    for _ in range(3):
        match = _TOWN_AFTER.match(text, end)
        if match is None or _is_somebody(match["town"]):
            break
        end = match.end("town")
    return end


def _is_somebody(town: str) -> bool:
    first = town.split(maxsplit=1)[0].lower().strip(",")
    return first in FIRST_NAMES or first in TITLES
