"""Lists in pages: which rows to show, and the links to the other pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request

from bot.web.context import page_number

PAGE_ROWS = 25


@dataclass(frozen=True)
class Paging:
    """One page of a list of `total` rows."""

    page: int
    total: int
    rows: int = PAGE_ROWS

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(-(-self.total // self.rows), 1)

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.rows

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1; 0 when there is none."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.offset + self.rows, self.total)

    def links(self) -> dict[str, Any] | None:
        """The pagination component's parameters; None when one page holds everything."""
        if self.pages == 1:
            return None
        links: dict[str, Any] = {"items": self._items(), "landmarkLabel": "Pages of this list"}
        if self.page > 1:
            links["previous"] = {"href": page_link(self.page - 1)}
        if self.page < self.pages:
            links["next"] = {"href": page_link(self.page + 1)}
        return links

    def _items(self) -> list[dict[str, Any]]:
        near = {1, self.pages, self.page - 1, self.page, self.page + 1}
        shown = sorted(number for number in near if 1 <= number <= self.pages)
        items: list[dict[str, Any]] = []
        for before, number in zip([0, *shown], shown, strict=False):
            if number > before + 1:
                items.append({"ellipsis": True})
            items.append({"number": number, "href": page_link(number), "current": number == self.page})
        return items


def paging(total: int, rows: int = PAGE_ROWS) -> Paging:
    """The page that was asked for, or the last when there are not so many."""
    last = max(-(-total // rows), 1)
    return Paging(page=min(page_number(), last), total=total, rows=rows)


def page_link(number: int) -> str:
    """The address of another page of the list that is shown."""
    query = [(key, value) for key, value in request.args.items(multi=True) if key != "page" and value]
    return f"{request.path}?{urlencode([*query, ('page', str(number))])}"


def link_with(**changes: str) -> str:
    """The address of the list that is shown, with other choices, from its first page."""
    query = {key: value for key, value in request.args.items() if key != "page"} | changes
    kept = {key: value for key, value in query.items() if value}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path
