"""Reading registers of care services from files."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from storage.register_import import RegisterImport, SkippedRow, SourceFormat, read_register
from triage.errors import BadInput
from triage.vocabulary import Provider

ROOT = Path(__file__).parents[2]

Table = Sequence[Sequence[str | int]]

DIRECTORY_HEADINGS = [
    "Location ID", "Dormant (Y/N)", "Care home?", "Location Name", "Location Telephone Number",
    "Location Web Address", "Care homes beds", "Location Inspection Directorate",
    "Location Latest Overall Rating", "Location Local Authority", "Location Street Address",
    "Location Address Line 2", "Location City", "Location Postal Code", "Brand Name", "Provider Name",
    "Service type - Care home service with nursing", "Service type - Domiciliary care service",
]  # fmt: skip
LARCH: list[str | int] = [
    "1-1234567890", "N", "Y", "Larch House", 1632960101, "www.larchhouse.example", 28, "Adult social care",
    "Good", "Wrenshire", "12 Church Lane", "Upper End", "Harrowmere", "XW1 2AB", "BRAND Meridian Care Group",
    "Larch House Care Limited", "Y", "",
]  # fmt: skip
LARCH_READ = Provider(
    provider_id="1-1234567890", name="Larch House", brand="Meridian Care Group",
    organisation="Larch House Care Limited", street="12 Church Lane, Upper End", town="Harrowmere",
    postcode="XW1 2AB", telephone="01632960101", email_domains=("larchhouse.example",),
    service_types=("Care home service with nursing",), beds=28, rating="Good",
)  # fmt: skip
SIMPLE_HEADER = (
    "id,name,former_names,brand,organisation,street,town,postcode,telephone,email_domains,"
    "service_types,beds,rating"
)
WEEKLY_HEADER = (
    "Name,Also known as,Address,Postcode,Phone number,Service's website (if available),Service types,"
    "Date of latest check,Specialisms/services,Provider name,Local authority,Region,Location URL,"
    "CQC Location ID (for office use only),CQC Provider ID (for office use only)"
)


def directory_row(**changes: str | int) -> list[str | int]:
    """The row of Larch House with some cells changed; spaces of a heading are underscores."""
    row = dict(zip(DIRECTORY_HEADINGS, LARCH, strict=True))
    plain = {re.sub(r"\W+", "_", heading).strip("_"): heading for heading in DIRECTORY_HEADINGS}
    row.update({plain[name]: value for name, value in changes.items()})
    return list(row.values())


def write_ods(path: Path, sheets: dict[str, Table]) -> Path:
    """The smallest OpenDocument spreadsheet with these sheets."""

    def cell(value: str | int) -> str:
        kind = f'float" office:value="{value}' if isinstance(value, int) else "string"
        text = escape(str(value))
        return f'<table:table-cell office:value-type="{kind}"><text:p>{text}</text:p></table:table-cell>'

    body = "".join(
        f'<table:table table:name="{name}">'
        + "".join(
            f"<table:table-row>{''.join(cell(value) for value in row)}</table:table-row>" for row in rows
        )
        + "</table:table>"
        for name, rows in sheets.items()
    )
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces}><office:body>'
        f"<office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/></m:manifest>',
        )
        file.writestr("content.xml", content)
    return path


def write_xlsx(path: Path, sheets: dict[str, Table]) -> Path:
    """The smallest Office workbook with these sheets."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def cell(value: str | int) -> str:
        if isinstance(value, int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'

    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
        )
        for n, rows in enumerate(sheets.values(), 1):
            body = "".join(f"<row>{''.join(cell(value) for value in row)}</row>" for row in rows)
            file.writestr(
                f"xl/worksheets/sheet{n}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
            )
    return path


WRITERS = {".ods": write_ods, ".xlsx": write_xlsx}


def read_directory(folder: Path, *rows: Sequence[str | int], suffix: str = ".xlsx") -> RegisterImport:
    """What is read of a care directory with these rows."""
    sheets: dict[str, Table] = {
        "README": [["Care directory with filters", ""], ["1 September 2026", ""]],
        "HSCA_Active_Locations": [DIRECTORY_HEADINGS, *rows],
        "Dual_Registration_Locations": [["Location ID", "Linked"], ["1-1", "1-2"]],
    }
    return read_register(WRITERS[suffix](folder / f"directory{suffix}", sheets))


def read_simple(folder: Path, text: str, encoding: str = "utf-8") -> RegisterImport:
    """What is read of a simple CSV of this text below the usual header."""
    path = folder / "register.csv"
    path.write_bytes(f"{SIMPLE_HEADER}\r\n{text}".encode(encoding))
    return read_register(path)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_care_directory_is_read_from_either_spreadsheet(tmp_path: Path, suffix: str) -> None:
    """Every field finds its place, the lost 0 of the telephone comes back, other sheets are passed over."""
    found = read_directory(tmp_path, LARCH, suffix=suffix)

    assert found.providers == [LARCH_READ]
    assert found.source_format is SourceFormat.CARE_DIRECTORY
    assert found.skipped == []


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_headings_may_stand_below_other_lines(tmp_path: Path, suffix: str) -> None:
    """Titles and notes above the headings are passed over, and row numbers count them."""
    rows: Table = [
        ["CQC"],
        ["Updated monthly"],
        [" "],
        DIRECTORY_HEADINGS,
        LARCH,
        directory_row(Location_Name=""),
    ]
    found = read_register(WRITERS[suffix](tmp_path / f"d{suffix}", {"HSCA_Active_Locations": rows}))

    assert found.providers == [LARCH_READ]
    assert found.skipped == [SkippedRow(6, "the column 'location name' is empty")]


def test_other_spellings_of_the_headings_are_known(tmp_path: Path) -> None:
    """ "Location Post Code" and odd capitals and spaces are the same columns."""
    changed = {"Location Postal Code": "Location Post Code", "Location ID": " LOCATION  id"}
    headings = [changed.get(heading, heading) for heading in DIRECTORY_HEADINGS]
    table: Table = [headings, LARCH]
    found = read_register(write_ods(tmp_path / "d.ods", {"Sheet1": table}))

    assert found.providers == [LARCH_READ]


def test_dormant_services_and_other_sectors_are_left_out_and_counted(tmp_path: Path) -> None:
    """A dentist and a dormant home are no faults: they are counted apart."""
    found = read_directory(
        tmp_path,
        directory_row(Location_ID="1-20001", Dormant_Y_N="Y"),
        directory_row(Location_ID="1-20002", Location_Inspection_Directorate="Primary medical services"),
        directory_row(Location_ID="1-20003", Location_Inspection_Directorate="Primary medical services"),
        LARCH,
    )

    assert found.providers == [LARCH_READ]
    assert found.left_out == {"dormant": 1, "not adult social care": 2}
    assert found.skipped == []


def test_a_dash_means_nothing(tmp_path: Path) -> None:
    """Cells with "-" are empty: no brand, no web address, no beds."""
    row = directory_row(Brand_Name="-", Location_Web_Address="-", Care_homes_beds="-")
    (provider,) = read_directory(tmp_path, row).providers

    assert (provider.brand, provider.email_domains, provider.beds) == ("", (), None)


def test_faulty_rows_are_skipped_with_number_and_reason(tmp_path: Path) -> None:
    """One bad row never loses the others."""
    found = read_directory(
        tmp_path,
        directory_row(Location_ID="RXX01"),
        directory_row(Location_ID=""),
        LARCH,
        LARCH,
        directory_row(Location_ID="1-20004", Care_homes_beds="many"),
    )

    assert found.providers == [LARCH_READ]
    assert found.skipped == [
        SkippedRow(2, "'RXX01' is no CQC location id"),
        SkippedRow(3, "the column 'location id' is empty"),
        SkippedRow(5, "the id 1-1234567890 already stands in row 4"),
        SkippedRow(6, "'many' is no number of beds"),
    ]


def test_services_of_other_councils_are_read_as_out_of_area(tmp_path: Path) -> None:
    """With the names of our authorities the others are kept and marked."""
    rows: Table = [
        DIRECTORY_HEADINGS,
        LARCH,
        directory_row(Location_ID="1-20005", Location_Local_Authority="Elsewhere"),
    ]
    path = write_xlsx(tmp_path / "d.xlsx", {"HSCA_Active_Locations": rows})

    assert [provider.in_area for provider in read_register(path).providers] == [True, True]
    ours = read_register(path, local_authorities=["wrenshire"])
    assert [provider.in_area for provider in ours.providers] == [True, False]


def test_the_weekly_directory_is_read_below_its_preamble(tmp_path: Path) -> None:
    """Four lines stand above the headings; the town is the last piece of the address."""
    path = tmp_path / "15_April_2026_CQC_directory.csv"
    path.write_text(
        'Care Quality Commission,,\n15 April 2026,,\n"A note, with a comma",,\n,,\n' + WEEKLY_HEADER + "\n"
        'Larch House,The Larches,"12 Church Lane,Upper End,Harrowmere",XW1 2AB,1632960101,'
        "http://www.larchhouse.example/home,Residential homes|Nursing homes,01/02/2026,Dementia,"
        "Larch House Care Limited,Wrenshire,East,https://cqc.example/1-123456,1-123456,1-99\n"
        'Smile,,"1 High Street,Wexley",XW7 1AA,,,Dentist,,,Smile Ltd,Wrenshire,East,,1-123457,1-98\n',
        encoding="utf-8-sig",
    )
    found = read_register(path)

    assert found.source_format is SourceFormat.WEEKLY_DIRECTORY
    assert found.left_out == {"not adult social care": 1}
    assert found.providers == [
        Provider(
            provider_id="1-123456", name="Larch House", former_names=("The Larches",),
            organisation="Larch House Care Limited", street="12 Church Lane, Upper End", town="Harrowmere",
            postcode="XW1 2AB", telephone="01632960101", email_domains=("larchhouse.example",),
            service_types=("Residential homes", "Nursing homes"),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_our_own_csv_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    """Accents, lists and empty cells arrive whole, with a byte order mark or without."""
    found = read_simple(
        tmp_path,
        "A1,Café Côte House,Old Name; Older Name,,,3 Mill Road,Wexley,XW1 1AA,01632 960101,"
        "a.example; b.example,Care home;Nursing,12,Good\r\n",
        encoding,
    )

    assert found.source_format is SourceFormat.SIMPLE_CSV
    assert found.providers == [
        Provider(
            provider_id="A1", name="Café Côte House", former_names=("Old Name", "Older Name"),
            street="3 Mill Road", town="Wexley", postcode="XW1 1AA", telephone="01632 960101",
            email_domains=("a.example", "b.example"), service_types=("Care home", "Nursing"), beds=12,
            rating="Good",
        )
    ]  # fmt: skip


def test_our_own_csv_needs_only_an_id_and_a_name(tmp_path: Path) -> None:
    """Other columns may be missing, short rows are filled up and blank lines passed over."""
    path = tmp_path / "r.csv"
    path.write_text("Name,ID,in_area\nLarch House,A1,no\n\nElm Court,A2\n,A3\n", encoding="utf-8")
    found = read_register(path)

    assert found.providers == [Provider("A1", "Larch House", in_area=False), Provider("A2", "Elm Court")]
    assert found.skipped == [SkippedRow(5, "the column 'name' is empty")]


def test_an_invented_register_can_be_read(tmp_path: Path) -> None:
    """What script/make_register writes is read without a fault, the same for the same seed."""
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in paths:
        command = [sys.executable, str(ROOT / "script" / "make_register"), str(path), "--count", "500"]
        subprocess.run(command, check=True, capture_output=True)
    found = read_register(paths[0])

    assert len(found.providers) == 500
    assert found.skipped == []
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_files_of_other_kinds_are_refused_in_one_sentence(tmp_path: Path) -> None:
    """Missing, empty, broken and unknown files each say what is wrong."""
    files = {
        "empty.csv": b"",
        "blank.csv": b"\n \n,,\n",
        "unknown.csv": b"a,b\n1,2\n",
        "headings.csv": SIMPLE_HEADER.encode(),
        "broken.xlsx": b"PK\x03\x04 not a workbook",
        "binary.csv": b"\x00\x01\x02\xff" * 20,
    }
    said = {}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in [*files, "missing.csv"]:
        with pytest.raises(BadInput) as refusal:
            read_register(tmp_path / name)
        said[name] = str(refusal.value).replace(f"{tmp_path}/", "")

    assert said == {
        "empty.csv": "empty.csv is empty.",
        "blank.csv": "blank.csv is empty.",
        "unknown.csv": "unknown.csv has no row with known headings: a CQC directory has a column "
        "'Location ID', our own CSV has 'id' and 'name'.",
        "headings.csv": "headings.csv has headings and no rows below them.",
        "broken.xlsx": "broken.xlsx cannot be opened as a spreadsheet; save it again as .xlsx, .ods or .csv.",
        "binary.csv": "binary.csv is not a text file; save it as CSV in UTF-8.",
        "missing.csv": "There is no file missing.csv.",
    }


def test_the_ratings_file_is_refused_by_name(tmp_path: Path) -> None:
    """CQC's other monthly file looks alike and holds each service many times."""
    headings = ["Location ID", "Location Name", "Service / Population Group", "Domain", "Latest Rating"]
    path = write_ods(
        tmp_path / "ratings.ods", {"Locations": [headings, ["1-123456", "Larch", "Overall", "", ""]]}
    )

    with pytest.raises(BadInput, match="latest ratings"):
        read_register(path)
