"""Small files of every kind, made in code: documents with given words, pictures, programs and things that lie."""

from __future__ import annotations

import io
import struct
import zipfile

from pypdf import PdfReader, PdfWriter

PROGRAM = b"MZ\x90\0" + bytes(60) + b"PE\0\0" + bytes(200)
JPEG_HEAD = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_OFFICE = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def zipped(members: dict[str, str | bytes]) -> bytes:
    """A zip of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def docx(*paragraphs: str, **more: str | bytes) -> bytes:
    """A Word document; `more` are further members of the zip, `__` for `/`."""
    text = "".join(f"<w:p><w:r><w:t>{one}</w:t></w:r></w:p>" for one in paragraphs)
    document = f"<w:document {_W}><w:body>{text}</w:body></w:document>"
    rest = {name.replace("__", "/"): content for name, content in more.items()}
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document, **rest})


def footnotes(text: str) -> str:
    """The part of a Word document that holds its footnotes."""
    return f"<w:footnotes {_W}><w:footnote><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:footnote></w:footnotes>"


def pptx(text: str) -> bytes:
    """A presentation of one slide."""
    slide = f"<p:sld xmlns:p='p' {_A}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>"
    return zipped({"ppt/presentation.xml": "<p/>", "ppt/slides/slide1.xml": slide})


def odt(text: str) -> bytes:
    """An OpenDocument text."""
    content = (
        f"<office:document-content {_OFFICE}><office:body><office:text><text:p>{text}</text:p>"
        "</office:text></office:body></office:document-content>"
    )
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def xlsx(*cells: str, vast: bool = False) -> bytes:
    """A workbook with one sheet and one column; a vast one has a cell in its last corner as well."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>{cell}</t></is></c></row>'
        for n, cell in enumerate(cells, start=1)
    )
    if vast:
        rows += '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    relation = f'<Relationship Id="rId1" Type="{_RELATIONS}/'
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'{relations}{relation}officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": (
                f'<workbook xmlns="{main}" xmlns:r="{_RELATIONS}"><sheets>'
                '<sheet name="Visits" sheetId="1" r:id="rId1"/></sheets></workbook>'
            ),
            "xl/_rels/workbook.xml.rels": (
                f'{relations}{relation}worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
            ),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        }
    )


def rtf(text: str) -> bytes:
    """A rich text."""
    return b"{\\rtf1\\ansi " + text.encode("cp1252") + b"}"


def pdf(*pages: str, scanned: bool = False) -> bytes:
    """A PDF with a page for each text; with `scanned` a last page holds a picture and no text."""
    objects: list[bytes] = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids: list[int] = []
    for text in pages:
        drawn = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
        objects.append(b"<</Length %d>>stream\n%b\nendstream" % (len(drawn), drawn))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
            % len(objects)
        )
        kids.append(len(objects))
    if scanned:
        objects.append(
            b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
            b"stream\n\0\nendstream"
        )
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</I %d 0 R>>>>>>"
            % len(objects)
        )
        kids.append(len(objects))
    listed = " ".join(f"{number} 0 R" for number in kids).encode()
    objects[1] = b"<</Type/Pages/Kids[%b]/Count %d>>" % (listed, len(kids))
    return _joined(objects)


def _joined(objects: list[bytes]) -> bytes:
    file, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    file += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, end)
    return bytes(file)


def locked_pdf(text: str) -> bytes:
    """A PDF behind a password."""
    writer, file = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(text)))), io.BytesIO()
    writer.encrypt("secret", algorithm="AES-256")
    writer.write(file)
    return file.getvalue()


def old_office(stream: str) -> bytes:
    """A compound file with a stream of that name."""
    return OLE + stream.encode("utf-16-le") + bytes(500)


def photograph(*, with_place: bool, size: int = 0) -> bytes:
    """A JPEG head, with the latitude of where it was taken or without, filled up to `size` bytes."""
    if not with_place:
        return JPEG_HEAD + b"\xff\xdb" + bytes(size)
    tiff = b"II*\0" + struct.pack("<I", 8)
    tiff += struct.pack("<HHHIII", 1, 0x8825, 4, 1, 26, 0)  # where the part about the place begins
    tiff += struct.pack("<H", 2) + struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0")
    tiff += struct.pack("<HHII", 2, 5, 3, 56) + struct.pack("<I", 0)
    tiff += struct.pack("<6I", 51, 1, 30, 1, 0, 1)
    exif = b"Exif\0\0" + tiff
    return (
        b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xdb\0\x43" + bytes(size + 64)
    )


def bomb(megabytes: int = 200) -> bytes:
    """A Word document of a few hundred kilobytes that unfolds to so many megabytes."""
    return docx("small", word__media__x=bytes(megabytes * 1024 * 1024))
