"""Reading a register of care services from a file, CQC's or our own; nothing is stored here."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from triage.errors import BadInput
from triage.vocabulary import Provider

Row: TypeAlias = Mapping[str, str]
NumberedRows: TypeAlias = Iterator[tuple[int, list[str]]]
_Opened = TypeVar("_Opened")

# CQC's files open with a title, a date and notes; how many lines varies from month to month.
_DEEPEST_HEADER = 60
_WORKBOOKS = frozenset({".ods", ".xlsx", ".xlsm", ".xls", ".xlsb"})
_NOTHING = frozenset({"-", "n/a", "na", "not applicable", "none", "null"})
_LONGEST_ID = 40
_CQC_ID = re.compile(r"1-\d{4,12}")
_ADULT_SOCIAL_CARE = "adult social care"
# The weekly directory has no directorate: these words of its service types are those of social care.
_SOCIAL_CARE_SERVICES = (
    "homecare", "home care", "nursing home", "residential home", "care home", "supported living", "extra care",
    "extra-care", "shared lives", "domiciliary", "supported housing",
)  # fmt: skip
_DIRECTORY_ID = "location id"
_WEEKLY_ID = "cqc location id (for office use only)"
_SIMPLE_COLUMNS = frozenset({"id", "name"})


class SourceFormat(StrEnum):
    """The kinds of file that can be read."""

    CARE_DIRECTORY = "CQC care directory with filters"
    WEEKLY_DIRECTORY = "CQC weekly directory"
    SIMPLE_CSV = "simple CSV"


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that could not be used; `number` counts from 1 at the top of the file or sheet."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class RegisterImport:
    """What a file held: usable services, faulty rows, and how many rows were left out on purpose, by reason."""

    providers: list[Provider]
    skipped: list[SkippedRow]
    source_format: SourceFormat
    left_out: Mapping[str, int] = field(default_factory=dict)


class _FaultyRow(Exception):
    """One row cannot be used; the text is the reason."""


class _LeftOut(Exception):
    """One row is sound and not wanted; the text is the reason."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """A format: how it is known by its header, and how a row becomes a service."""

    source_format: SourceFormat
    needs: frozenset[str]
    read: Callable[[Row, frozenset[str]], Provider]


def read_register(path: Path, *, local_authorities: Collection[str] = ()) -> RegisterImport:
    """The services in a CQC directory (.ods, .xlsx, .csv) or in our own simple CSV.

    With `local_authorities`, services of other councils are read as not `in_area`. BadInput, in one
    sentence, when the file is missing, empty, or none of the known kinds.
    """
    tables = _tables(path)
    wanted = frozenset(name.strip().casefold() for name in local_authorities)
    filled = False
    for rows in tables:
        found = _find_header(rows)
        filled = filled or found.filled
        if found.layout is not None:
            return _read_rows(found.layout, found.columns, rows, wanted, path)
    if not filled:
        raise BadInput(f"{path.name} is empty.")
    raise BadInput(
        f"{path.name} has no row with known headings: a CQC directory has a column 'Location ID', "
        "our own CSV has 'id' and 'name'."
    )


# Files


def _tables(path: Path) -> Iterator[NumberedRows]:
    """The tables of a file, each as numbered rows of text; BadInput when it cannot be opened."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path.name} is empty.")
    if path.suffix.lower() in _WORKBOOKS:
        return _workbook_tables(path)
    return iter([_csv_rows(path)])


def _workbook_tables(path: Path) -> Iterator[NumberedRows]:
    workbook = _opened(path, partial(CalamineWorkbook.from_path, str(path)))
    for name in workbook.sheet_names:
        # A directory's sheet takes hundreds of megabytes: one at a time.
        yield _sheet_rows(_opened(path, partial(workbook.get_sheet_by_name, name)))


def _opened(path: Path, opening: Callable[[], _Opened]) -> _Opened:
    try:
        return opening()
    except (CalamineError, OSError, ValueError) as error:
        raise BadInput(
            f"{path.name} cannot be opened as a spreadsheet; save it again as .xlsx, .ods or .csv."
        ) from error


def _sheet_rows(sheet: CalamineSheet) -> NumberedRows:
    # Rows come one by one: a whole directory as Python objects would need a gigabyte.
    top = sheet.start[0] if sheet.start else 0
    for number, cells in enumerate(sheet.iter_rows(), top + 1):
        yield number, [_cell_text(cell) for cell in cells]


def _cell_text(cell: Any) -> str:
    """A cell as people see it: whole numbers without ".0"."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _csv_rows(path: Path) -> NumberedRows:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Spreadsheet programs on British Windows still save CSV this way; bytes it lacks become "�".
        text = raw.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise BadInput(f"{path.name} is not a text file; save it as CSV in UTF-8.")
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            yield number, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise BadInput(f"{path.name} is no sound CSV file: {error}.") from error


# Headers


@dataclass(frozen=True, slots=True)
class _Header:
    layout: _Layout | None
    columns: list[str]
    filled: bool


def _find_header(rows: NumberedRows) -> _Header:
    """Read on to the row with the headings; its place varies."""
    filled = False
    for number, cells in rows:
        columns = [_column_key(cell) for cell in cells]
        filled = filled or any(columns)
        layout = _layout_of(frozenset(columns))
        if layout is not None:
            return _Header(layout, columns, filled)
        if number >= _DEEPEST_HEADER:
            break
    return _Header(None, [], filled)


def _column_key(heading: str) -> str:
    return " ".join(heading.casefold().split())


def _layout_of(columns: frozenset[str]) -> _Layout | None:
    if _DIRECTORY_ID in columns:
        _refuse_other_cqc_files(columns)
    return next((layout for layout in _LAYOUTS if layout.needs <= columns), None)


def _refuse_other_cqc_files(columns: frozenset[str]) -> None:
    if "service / population group" in columns:
        raise BadInput("This is CQC's file of latest ratings; use its 'Care directory with filters'.")
    if any(column.startswith("location hsca end date") for column in columns):
        raise BadInput("This is CQC's file of closed locations; use its 'Care directory with filters'.")


# Rows


def _read_rows(
    layout: _Layout, columns: Sequence[str], rows: NumberedRows, wanted: frozenset[str], path: Path
) -> RegisterImport:
    providers: list[Provider] = []
    skipped: list[SkippedRow] = []
    left_out: Counter[str] = Counter()
    first_seen: dict[str, int] = {}
    for number, cells in rows:
        if not any(cells):
            continue
        try:
            provider = layout.read(_named(columns, cells), wanted)
            _note_id(provider.provider_id, number, first_seen)
        except _LeftOut as reason:
            left_out[str(reason)] += 1
        except _FaultyRow as reason:
            skipped.append(SkippedRow(number, str(reason)))
        else:
            providers.append(provider)
    if not providers and not skipped and not left_out:
        raise BadInput(f"{path.name} has headings and no rows below them.")
    return RegisterImport(providers, skipped, layout.source_format, dict(left_out))


def _named(columns: Sequence[str], cells: Sequence[str]) -> Row:
    """The cells under their headings, "" for those that say "-" or nothing."""
    row: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        # A heading that comes twice keeps its first column with something in it.
        if not row.get(column):
            row[column] = "" if cell.casefold() in _NOTHING else cell
    return row


def _note_id(provider_id: str, number: int, first_seen: dict[str, int]) -> None:
    before = first_seen.setdefault(provider_id, number)
    if before != number:
        raise _FaultyRow(f"the id {provider_id} already stands in row {before}")


def _first(row: Row, *columns: str) -> str:
    """The first of these columns that holds something."""
    return next((row[column] for column in columns if row.get(column)), "")


def _required(row: Row, *columns: str) -> str:
    value = _first(row, *columns)
    if not value:
        raise _FaultyRow(f"the column '{columns[0]}' is empty")
    return value


def _cqc_id(row: Row, column: str) -> str:
    value = _required(row, column)
    if not _CQC_ID.fullmatch(value):
        raise _FaultyRow(f"'{value[:40]}' is no CQC location id")
    return value


def _beds(value: str) -> int | None:
    if not value:
        return None
    if not value.isdecimal() or int(value) > 5000:
        raise _FaultyRow(f"'{value[:40]}' is no number of beds")
    return int(value)


def _telephone(value: str) -> str:
    """A number with the leading 0 that spreadsheets take away."""
    digits = "".join(value.split())
    return f"0{digits}" if digits.isdecimal() and len(digits) in (9, 10) and digits[0] != "0" else value


def _domains(*addresses: str) -> tuple[str, ...]:
    """The domains of web or mail addresses, each once."""
    found = (re.sub(r"^(?:https?://)?(?:www\.)?", "", address.strip().casefold()) for address in addresses)
    plain = (address.rpartition("@")[2].split("/")[0] for address in found)
    return tuple(dict.fromkeys(domain for domain in plain if "." in domain))


def _parts(value: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(separator) if part.strip())


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _in_area(row: Row, wanted: frozenset[str], *columns: str) -> bool:
    return not wanted or _first(row, *columns).casefold() in wanted


# Formats


def _directory_row(row: Row, wanted: frozenset[str]) -> Provider:
    """A row of the monthly "care directory with filters"."""
    provider_id = _cqc_id(row, _DIRECTORY_ID)
    if _first(row, "location inspection directorate").casefold() != _ADULT_SOCIAL_CARE:
        raise _LeftOut("not adult social care")
    if _first(row, "dormant (y/n)", "dormant").casefold() in ("y", "yes"):
        raise _LeftOut("dormant")
    return Provider(
        provider_id=provider_id,
        name=_required(row, "location name"),
        brand=re.sub(r"^BRAND\s+", "", _first(row, "brand name")),
        organisation=_first(row, "provider name"),
        street=_joined((_first(row, "location street address"), _first(row, "location address line 2"))),
        town=_first(row, "location city", "location town", "location town / city"),
        postcode=_first(row, "location postal code", "location post code", "location postcode"),
        telephone=_telephone(_first(row, "location telephone number", "location phone number")),
        email_domains=_domains(_first(row, "location web address"), _first(row, "provider web address")),
        service_types=_flagged(row, "service type - "),
        beds=_beds(_first(row, "care homes beds", "care home beds", "number of beds")),
        rating=_first(row, "location latest overall rating"),
        in_area=_in_area(row, wanted, "location local authority"),
    )


def _flagged(row: Row, prefix: str) -> tuple[str, ...]:
    """The names of the columns that begin so and hold a Y."""
    return tuple(
        column.removeprefix(prefix).capitalize()
        for column, value in row.items()
        if column.startswith(prefix) and value.casefold() in ("y", "yes")
    )


def _weekly_row(row: Row, wanted: frozenset[str]) -> Provider:
    """A row of the weekly directory; its address is one cell, the town last but for a county."""
    provider_id = _cqc_id(row, _WEEKLY_ID)
    services = _parts(_first(row, "service types", "service type"), "|")
    if not any(word in service.casefold() for service in services for word in _SOCIAL_CARE_SERVICES):
        raise _LeftOut("not adult social care")
    address = _parts(_first(row, "address"), ",")
    return Provider(
        provider_id=provider_id,
        name=_required(row, "name"),
        former_names=_parts(_first(row, "also known as"), "|"),
        organisation=_first(row, "provider name"),
        street=_joined(address[:-1]),
        town=address[-1] if address else "",
        postcode=_first(row, "postcode", "post code", "postal code"),
        telephone=_telephone(_first(row, "phone number", "telephone number")),
        email_domains=_domains(_first(row, "service's website (if available)", "website")),
        service_types=services,
        in_area=_in_area(row, wanted, "local authority"),
    )


def _simple_row(row: Row, wanted: frozenset[str]) -> Provider:
    """A row of our own CSV; `in_area` may be left away and then means yes."""
    return Provider(
        provider_id=_own_id(row),
        name=_required(row, "name"),
        former_names=_parts(_first(row, "former_names"), ";"),
        brand=_first(row, "brand"),
        organisation=_first(row, "organisation"),
        street=_first(row, "street"),
        town=_first(row, "town"),
        postcode=_first(row, "postcode"),
        telephone=_telephone(_first(row, "telephone")),
        email_domains=_domains(*_parts(_first(row, "email_domains"), ";")),
        service_types=_parts(_first(row, "service_types"), ";"),
        beds=_beds(_first(row, "beds")),
        rating=_first(row, "rating"),
        in_area=_yes(_first(row, "in_area")) and _in_simple_area(row, wanted),
    )


def _own_id(row: Row) -> str:
    value = _required(row, "id")
    if len(value) > _LONGEST_ID:
        raise _FaultyRow(f"the id {value[:_LONGEST_ID]}... is longer than {_LONGEST_ID} characters")
    return value


def _in_simple_area(row: Row, wanted: frozenset[str]) -> bool:
    return "local_authority" not in row or _in_area(row, wanted, "local_authority")


def _yes(value: str) -> bool:
    if value.casefold() in ("", "yes", "y", "true", "1"):
        return True
    if value.casefold() in ("no", "n", "false", "0"):
        return False
    raise _FaultyRow(f"'{value[:40]}' in the column 'in_area' is neither yes nor no")


_LAYOUTS = (
    _Layout(SourceFormat.CARE_DIRECTORY, frozenset({_DIRECTORY_ID, "location name"}), _directory_row),
    _Layout(SourceFormat.WEEKLY_DIRECTORY, frozenset({_WEEKLY_ID, "name"}), _weekly_row),
    _Layout(SourceFormat.SIMPLE_CSV, _SIMPLE_COLUMNS, _simple_row),
)
