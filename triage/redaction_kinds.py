"""What counts as personal data, and the plain object that one finding is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PersonalDataKind(StrEnum):
    """The kinds that are taken out of a text; the value is what its marker says."""

    NHS_NUMBER = "NHS number"
    NATIONAL_INSURANCE_NUMBER = "National Insurance number"
    TELEPHONE = "telephone"
    EMAIL = "email address"
    POSTCODE = "postcode"
    ADDRESS = "address"
    DATE_OF_BIRTH = "date of birth"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One finding: the text at [start, end), and how sure its evidence makes us, between 0 and 1."""

    kind: PersonalDataKind
    start: int
    end: int
    text: str
    score: float
