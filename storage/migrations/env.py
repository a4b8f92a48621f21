"""How Alembic reaches the database."""

from typing import Any, Literal

from alembic import context

from storage.database import make_engine
from storage.tables import Base


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our own types into migrations by name."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "base.UtcDateTime()"
    if kind == "type" and type(item).__name__ == "JSON":
        return "base.Json"
    return False


engine = make_engine(context.config.attributes["url"], pool_size=1)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=render_item
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
