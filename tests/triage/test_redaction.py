"""Taking personal data out of texts."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from triage.redaction import PersonalData, PersonalDataKind, find_personal_data, redact

TEXTS = [
    Path(__file__).with_name(name)
    for name in ("redaction_texts.jsonl", "redaction_texts_sealed.jsonl", "redaction_texts_last.jsonl")
]
VALID_NHS_NUMBER = "999 526 0182"


def kinds_in(text: str, *known_names: str) -> list[tuple[PersonalDataKind, str]]:
    return [(item.kind, item.text) for item in find_personal_data(text, known_names=known_names)]


def names_in(text: str, *known_names: str) -> list[str]:
    return [found for kind, found in kinds_in(text, *known_names) if kind is PersonalDataKind.NAME]


# Numbers and addresses.


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        (f"Seen today, {VALID_NHS_NUMBER}, no injuries", "NHS number", VALID_NHS_NUMBER),
        ("NHS no: 9995260182", "NHS number", "9995260182"),
        ("her NINO is qq123456c", "National Insurance number", "qq123456c"),
        ("ring 07700 900123 after six", "telephone", "07700 900123"),
        ("ring (01632) 960 123 after six", "telephone", "(01632) 960 123"),
        ("ring +44 7700 900123 after six", "telephone", "+44 7700 900123"),
        ("write to kofi_m@example.net, please", "email address", "kofi_m@example.net"),
        ("she is at zz7 3bn", "postcode", "zz7 3bn"),
        ("he lives at Flat 3, 22 Mill Lane, Wexley.", "address", "Flat 3, 22 Mill Lane, Wexley"),
        ("he lives at 14 acacia avenue", "address", "14 acacia avenue"),
        ("DOB 12/03/1938", "date of birth", "12/03/1938"),
        ("she was born on the 3rd of June 1935", "date of birth", "3rd of June 1935"),
    ],
)
def test_numbers_and_addresses_are_known_by_their_shape(text: str, kind: str, found: str) -> None:
    """Each kind is found as far as it reaches, and nothing beside it."""
    assert [(str(item), words) for item, words in kinds_in(text)] == [(kind, found)]


def test_ten_digits_are_an_nhs_number_only_with_checksum_and_cause() -> None:
    """Order numbers are left alone, whether their checksum fails or nothing says NHS."""
    assert kinds_in("order 1234567890") == []
    assert kinds_in("order 9995260182") == []
    assert kinds_in("order 999 526 0183") == []


def test_a_labelled_nhs_number_with_a_slip_in_it_still_goes() -> None:
    """Behind "NHS number" a wrong digit makes the finding less sure, and the number goes all the same."""
    (found,) = find_personal_data("NHS number: 999 526 0183")

    assert found.kind is PersonalDataKind.NHS_NUMBER
    assert found.score < 0.7


def test_dates_that_are_not_of_birth_stay() -> None:
    """The day of a fall is what a concern is about."""
    assert kinds_in("She fell on 12/03/2025 and again on 3 May.") == []


def test_a_room_of_a_home_is_no_address() -> None:
    """A room number inside a service leads nowhere by itself."""
    assert kinds_in("Room 22, Meadow View has no heating") == []


# Names.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Mrs K fell", ["K"]),
        ("my mum Jean is deaf", ["Jean"]),
        ("resident Arthur Pell was left in a wet bed", ["Arthur Pell"]),
        ("My name is Quillon Zask.", ["Quillon Zask"]),
        ("He fell.\n\nKind regards\nQuillon Zask", ["Quillon Zask"]),
        ("a woman called Zaskia is asleep in the shed", ["Zaskia"]),
        ("Quillon, 84, was on the floor", ["Quillon"]),
        ("Client KD went without tea. KD is diabetic.", ["KD", "KD"]),
        ("my name is chukwuemeka and i work nights", ["chukwuemeka"]),
        ("MRS PELL WAS LEFT ALONE ALL NIGHT", ["PELL"]),
        ("Mr and Mrs Pettifer had no visit", ["Pettifer"]),
        ("@tom.okafor can you look?", ["tom.okafor"]),
    ],
)
def test_a_cue_leads_to_a_name(text: str, names: list[str]) -> None:
    """Titles, kin, roles, introductions, signatures and ages say that a name stands beside them."""
    assert names_in(text) == names


@pytest.mark.parametrize(
    "name",
    [
        "Oluwaseun",
        "Siobhán",
        "Agnieszka",
        "Gurpreet",
        "Xiulan",
        "Llinos",
        "Thandiwe",
        "Mihai",
        "Yusra",
        "Maricel",
    ],
)
def test_first_names_of_many_origins_need_no_cue(name: str) -> None:
    """A name is as well protected whatever country it comes from."""
    assert names_in(f"On Sunday {name} was on her own with thirty people.") == [name]


def test_a_name_found_once_goes_everywhere() -> None:
    """Later mentions go too: bare, owning, shouted, and misspelt by a letter when long."""
    text = "Mrs Brindleton fell. Brindleton's hip hurts. BRINDLETON was not seen, brindelton says."

    assert names_in(text) == ["Brindleton", "Brindleton", "BRINDLETON", "brindelton"]


def test_names_of_the_threads_own_fields_go() -> None:
    """Known names and their parts go wherever they stand, but not where they are ordinary words."""
    text = "Will you call? I saw Zask and Will Marsh near the marsh."

    assert names_in(text, "Quillon Zask <q.zask@example.org>", "Will Marsh") == ["Zask", "Will Marsh"]


def test_a_services_own_display_name_is_nobodys() -> None:
    """The name of a team among a thread's fields takes no words out of the text."""
    assert names_in("The Quality of the food is poor", "Care Quality Team") == []


@pytest.mark.parametrize(
    "text",
    [
        "Larch House and St Anne's Care Home failed the fire check.",
        "In May and June she was on warfarin, bisoprolol and Madopar.",
        "She has Parkinson's and was taken to Queen Elizabeth Hospital in Wexley.",
        "Wexley Council met on Thursday. The Polish carers are kind.",
        "Will the review be soon? I hope so. Bill us in August. The rose bed needs weeding.",
        "HE HAS NOT HAD A BATH SINCE EASTER AND THE STAFF ARE TOO BUSY.",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    """Services, months, medicines, illnesses, towns and ordinary words are what the concern is made of."""
    assert kinds_in(text) == []


# Markers.


def test_markers_say_the_kind_and_keep_people_apart() -> None:
    """One person keeps one number, by full name or by part of it, and another has another."""
    text = "Arthur Pell hit Reg, 84. Mr Pell's daughter Joan rang 07700 900123."

    assert redact(text) == "[name 1] hit [name 2], 84. Mr [name 1]'s daughter [name 3] rang [telephone]."


def test_a_text_without_personal_data_comes_back_as_it_was() -> None:
    """Nothing is added, lost or normalised."""
    text = "Tea was late again…  It's cold – and\tnobody came.\r\n"

    assert redact(text) == text
    assert redact("") == ""


def test_findings_stand_in_order_and_apart() -> None:
    """Each finding is the text's own words, after the one before."""
    for row in read_texts():
        found = find_personal_data(row["text"], known_names=row["known_names"])

        assert all(row["text"][item.start : item.end] == item.text for item in found)
        assert all(one.end <= other.start for one, other in pairwise(found))


# Time.


def test_120_words_take_under_five_milliseconds() -> None:
    """In the median; the least of several runs, for the machine may be busy."""
    words = " ".join(row["text"] for row in read_texts()).split(" ")
    messages = [" ".join(words[at : at + 120]) for at in range(0, 4800, 120)]
    find_personal_data(messages[0])
    medians = []
    for _ in range(3):
        taken = []
        for message in messages:
            start = time.perf_counter()
            find_personal_data(message)
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken))

    assert min(medians) < 0.005


@pytest.mark.parametrize(
    "piece", ["Jean Pell, ", "0", "a@", "1 Mill ", "A. ", "Flat 1 ", "\nRegards", "MRS PELL WENT\n", "x"]
)
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    """A pasted book, or an attack, takes as long a character as a letter does."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.perf_counter()
        find_personal_data(text)
        return time.perf_counter() - start

    assert min(seconds(60_000) for _ in range(2)) < 12 * seconds(15_000) + 0.2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Witness: T. Bello and Mrs I. Kowalczyk.", ["T. Bello", "I. Kowalczyk"]),
        ("Hope was crying. I hope somebody comes.", ["Hope"]),
        ("Grace, who does the laundry, saw it.", ["Grace"]),
        ("I have spoken to Pauline and to Ged.", ["Pauline", "Ged"]),
        ("re Sadiq: he has burns.", ["Sadiq"]),
        ("Rose in room 4 had no bath. A rose stood there.", ["Rose"]),
        ("Mum is at Towerview Manor. Rosewood Court had no bed. Elm Hall is full.", []),
    ],
)
def test_hard_names_are_told_from_words_and_services(text: str, found: list[str]) -> None:
    """Initials with a surname, names that are words, and services that are no people."""
    assert [item.text for item in find_personal_data(text) if item.kind is PersonalDataKind.NAME] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("My patient, 9992245387, fell.", "9992245387"),
        ("The date of birth we hold is 12.12.32.", "12.12.32"),
        ("Our son Callum 7.7.1998 is there.", "7.7.1998"),
        ("Write to PO Box 114, Stanning, please.", "PO Box 114, Stanning"),
        (
            "She lives at Rose Cottage, Back Lane, Little Ashcombe.",
            "Rose Cottage, Back Lane, Little Ashcombe",
        ),
        ("It is No. 5 Ginnel Row with the blue door.", "No. 5 Ginnel Row"),
    ],
)
def test_numbers_and_addresses_in_unusual_shapes_are_found(text: str, found: str) -> None:
    """A number beside a patient, a date behind a name, a box, a cottage."""
    assert [item.text for item in find_personal_data(text)][-1:] == [found]


def test_a_number_that_only_looks_like_the_health_service_is_left() -> None:
    """Ten digits with the right check digit are an order's as long as nothing speaks of a person."""
    assert find_personal_data("Order 9992245387 has come.") == []


# The marked texts.


def read_texts() -> list[dict[str, Any]]:
    return [json.loads(line) for path in TEXTS for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass
class Tally:
    marked: Counter[str] = field(default_factory=Counter)
    recalled: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def recall(self, *kinds: str) -> float:
        return sum(self.recalled[kind] for kind in kinds) / max(1, sum(self.marked[kind] for kind in kinds))

    def precision(self, *kinds: str) -> float:
        return sum(self.right[kind] for kind in kinds) / max(1, sum(self.found[kind] for kind in kinds))

    def table(self) -> str:
        return "\n".join(
            f"{kind:26} {self.marked[kind]:5} recall {self.recall(kind):.3f}  precision {self.precision(kind):.3f}"
            for kind in map(str, PersonalDataKind)
        )

    def add(self, row: dict[str, Any], found: list[PersonalData]) -> None:
        """A marked span counts when each of its letters is covered; a finding when half of its letters are marked."""
        covered: dict[str, set[int]] = defaultdict(set)
        marked: dict[str, set[int]] = defaultdict(set)
        for item in found:
            covered[str(item.kind)].update(letters(row["text"], item.start, item.end))
        for start, end, kind in row["spans"]:
            span = letters(row["text"], start, end)
            marked[kind].update(span)
            self.marked[kind] += 1
            self.recalled[kind] += span <= covered[kind]
        for item in found:
            span = letters(row["text"], item.start, item.end)
            self.found[str(item.kind)] += 1
            self.right[str(item.kind)] += 2 * len(span & marked[str(item.kind)]) >= len(span)


def letters(text: str, start: int, end: int) -> set[int]:
    return {at for at in range(start, end) if text[at].isalnum()}


def tally(*parts: str) -> Tally:
    result = Tally()
    for row in read_texts():
        if row["part"] in parts:
            result.add(row, find_personal_data(row["text"], known_names=row["known_names"]))
    return result


def test_the_marked_texts_are_what_they_should_be() -> None:
    """At least 300 texts, 60 of them without personal data, and each mark within its text."""
    rows = read_texts()

    assert len(rows) >= 480
    assert sum(not row["spans"] for row in rows) >= 60
    for row in rows:
        for start, end, kind in row["spans"]:
            assert kind in set(PersonalDataKind)
            assert row["text"][start:end].strip() == row["text"][start:end] != ""


NUMBERS_AND_ADDRESSES = [str(kind) for kind in PersonalDataKind if kind is not PersonalDataKind.NAME]


# Each part was looked at once before anything was tuned on its misses; docs/decisions/0008-redaction.md has those
# figures. The floors here keep what was reached since. The last part has numbers and addresses only.
@pytest.mark.parametrize(
    ("part", "least_numbers", "least_names", "least_precision"),
    [
        ("development", 0.99, 0.99, 0.99),
        ("second", 0.99, 0.95, 0.96),
        ("held_out", 0.99, 0.85, 0.86),
        ("new_development", 0.99, 0.96, 0.97),
        ("sealed", 0.99, 0.95, 0.96),
        ("last", 0.95, 0.0, 0.0),
    ],
)
def test_marked_personal_data_is_found(
    part: str, least_numbers: float, least_names: float, least_precision: float
) -> None:
    """Recall and precision by kind, shown in a table, do not fall below what was measured."""
    measured = tally(part)
    print(f"\n{part}\n{measured.table()}")  # noqa: T201

    assert measured.recall(*NUMBERS_AND_ADDRESSES) >= least_numbers
    assert measured.recall("name") >= least_names
    assert measured.precision(*NUMBERS_AND_ADDRESSES) >= 0.97
    assert measured.precision("name") >= least_precision
