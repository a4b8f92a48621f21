"""HTML mail to the text that a person would see."""

from __future__ import annotations

import html
import re
from typing import Any

import lxml.etree
import lxml.html
from inscriptis.css_profiles import RELAXED_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig

UNREADABLE_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff\ue000\ue001]")
UNSEEN_TAGS = {
    "script",
    "style",
    "head",
    "title",
    "template",
    "noscript",
    "object",
    "iframe",
    "svg",
    "math",
    "select",
}
UNSEEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|!|$)"
    r"|(?:^|;)\s*opacity\s*:\s*0(?:\.0+)?\s*(?:;|!|$)",
    re.IGNORECASE,
)
QUOTE_CLASSES = {"gmail_quote", "moz-cite", "protonmail_quote", "yahoo_quote", "tutanota_quote"}
BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|tr|table|li|ul|ol|h[1-6]|blockquote|hr|pre|section)\b[^<>]*>", re.IGNORECASE
)
ANY_TAG = re.compile(r"<[!/?a-zA-Z][^<>]*>")
UNSEEN_BLOCK = re.compile(r"<(script|style|head|title)\b", re.IGNORECASE)
PADDING = re.compile(r"(?<=\S) {4,}(?=\S)")
QUOTE_BEGINS, QUOTE_ENDS = "\ue000", "\ue001"
# Beyond these, laying out costs far more than it tells: nested tables pad each other.
MOST_LEVELS = 100
MOST_NESTED_TABLES = 15
MOST_TABLE_CELLS = 20_000
MOST_PADDED_CHARS = 4_000_000
CONFIG = ParserConfig(css=RELAXED_CSS_PROFILE, display_images=False, display_links=False)


def html_to_text(page: str) -> str:
    """The visible words of an HTML page, tables laid out, quoted mail marked with "> "."""
    page = UNREADABLE_XML.sub("", page)
    tree = _parse(page)
    if tree is None:
        return ""
    if _is_monstrous(tree):
        return strip_tags(page)
    _drop_unseen(tree)
    _mark_quotes(tree)
    text: str = Inscriptis(tree, CONFIG).get_text()
    return _quote_marked_lines(PADDING.sub("   ", text))


def _parse(page: str) -> Any:
    if not page.strip():
        return None
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        return lxml.html.document_fromstring(page.encode("utf-8"), parser=parser)
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return None


def _is_monstrous(tree: Any) -> bool:
    """Whether laying this page out could take more time, stack or memory than mail is worth."""
    deepest = most_tables = cells = longest = 0
    level = tables = 0
    for event, element in lxml.etree.iterwalk(tree, events=("start", "end")):
        step = 1 if event == "start" else -1
        level += step
        if element.tag == "table":
            tables += step
        if event == "start":
            cells += element.tag in ("td", "th", "tr", "br", "p", "div") and tables > 0
            longest = max(longest, len(element.text or ""), len(element.tail or "") if tables else 0)
        deepest, most_tables = max(deepest, level), max(most_tables, tables)
    return (
        deepest > MOST_LEVELS
        or most_tables > MOST_NESTED_TABLES
        or cells > MOST_TABLE_CELLS
        or cells * longest > MOST_PADDED_CHARS
    )


def _drop_unseen(tree: Any) -> None:
    for element in list(tree.iter()):
        style = element.get("style") or ""
        is_unseen = (
            element.tag in UNSEEN_TAGS
            or "hidden" in element.attrib
            or (":" in style and UNSEEN_STYLE.search(style))
        )
        if is_unseen and element.getparent() is not None:
            element.drop_tree()


def _mark_quotes(tree: Any) -> None:
    """Quoted mail is a matter of nesting in HTML and of ">" in text: carry it over."""
    for element in tree.iter("blockquote"):
        classes = set((element.get("class") or "").lower().split())
        if (element.get("type") or "").lower() != "cite" and not classes & QUOTE_CLASSES:
            continue
        begin, end = lxml.html.Element("div"), lxml.html.Element("div")
        begin.text, end.text = QUOTE_BEGINS, QUOTE_ENDS
        begin.tail, element.text = element.text, None
        element.insert(0, begin)
        element.append(end)


def _quote_marked_lines(text: str) -> str:
    if QUOTE_BEGINS not in text:
        return text
    lines: list[str] = []
    depth = 0
    for line in text.split("\n"):
        opened, closed = line.count(QUOTE_BEGINS), line.count(QUOTE_ENDS)
        depth += opened
        words = line.replace(QUOTE_BEGINS, "").replace(QUOTE_ENDS, "")
        if words.strip() or not (opened or closed):
            lines.append(">" * depth + " " + words.strip() if depth else words)
        depth = max(0, depth - closed)
    return "\n".join(lines)


def strip_tags(page: str) -> str:
    """The words of a page without any layout: cheap whatever its shape."""
    page = _without_unseen_blocks(page)
    return html.unescape(ANY_TAG.sub("", BLOCK_TAG.sub("\n", page)))


def _without_unseen_blocks(page: str) -> str:
    kept: list[str] = []
    position = 0
    lower = page.lower()
    while opened := UNSEEN_BLOCK.search(page, position):
        kept.append(page[position : opened.start()])
        closed = lower.find(f"</{opened.group(1).lower()}", opened.end())
        if closed < 0:
            # Never closed. What follows may be the message, so only the tag goes.
            position = opened.end()
            kept.append(page[position:])
            return "".join(kept)
        position = closed
    return "".join([*kept, page[position:]])
