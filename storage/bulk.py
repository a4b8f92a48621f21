"""Many rows into a table, for the one place where the time of every row counts: the taking in of messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, skip_known: bool = False
) -> None:
    """Insert rows that have the same columns; with `skip_known`, one whose key is there already stays as it is.

    As SQLAlchemy's own way, which puts statement and values together anew for every row and every call.
    """
    columns = tuple(rows[0])
    translated = connection.get_execution_options().get("schema_translate_map", {})
    schema = translated.get(table.schema, table.schema)
    statement, processors = _prepared(connection.dialect, table, schema, columns, skip_known)
    values = [
        tuple(
            process(row[column]) if process is not None else row[column]
            for column, process in zip(columns, processors, strict=True)
        )
        for row in rows
    ]
    connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=64)
def _prepared(
    dialect: Dialect, table: Table, schema: str | None, columns: tuple[str, ...], skip_known: bool
) -> tuple[str, list[Callable[[Any], Any] | None]]:
    quote = dialect.identifier_preparer.quote
    name = f"{quote(schema)}.{quote(table.name)}" if schema else quote(table.name)
    names = ", ".join(quote(column) for column in columns)
    marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(columns))
    known = " ON CONFLICT DO NOTHING" if skip_known else ""
    types = [table.c[column].type.dialect_impl(dialect) for column in columns]
    return (
        f"INSERT INTO {name} ({names}) VALUES ({marks}){known}",
        [kind.bind_processor(dialect) for kind in types],
    )
