"""Messages that belong together, and what was erased."""

import secrets

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0005_threads"
down_revision = "0004_mailboxes"
branch_labels = None
depends_on = None

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def upgrade() -> None:
    """Apply."""
    op.execute(
        "ALTER TABLE concerns ADD COLUMN joined_to VARCHAR(32)"
        " CONSTRAINT fk_concerns_joined_to_concerns REFERENCES concerns (id)"
    )
    op.create_index("ix_concerns_joined_to", "concerns", ["joined_to"])
    _renew_tokens()
    op.add_column("outgoing", sa.Column("header_id", sa.String(length=250), nullable=True))
    op.create_index("ix_outgoing_header_id", "outgoing", ["header_id"])
    op.add_column("leads", sa.Column("may_erase", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("concern_id", sa.String(length=32), nullable=False),
        sa.Column("other_id", sa.String(length=32), nullable=True),
        sa.Column("reasons", base.Json, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("made_at", base.UtcDateTime(), nullable=False),
        sa.Column("decided_at", base.UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_links_message_id_messages")),
        sa.ForeignKeyConstraint(["concern_id"], ["concerns.id"], name=op.f("fk_links_concern_id_concerns")),
        sa.ForeignKeyConstraint(["other_id"], ["concerns.id"], name=op.f("fk_links_other_id_concerns")),
        sa.ForeignKeyConstraint(["decided_by"], ["leads.id"], name=op.f("fk_links_decided_by_leads")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    for column in ("message_id", "concern_id", "other_id"):
        op.create_index(f"ix_links_{column}", "links", [column])
    op.create_table(
        "answered",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("header_lookup", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_answered_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", "header_lookup", name=op.f("pk_answered")),
    )
    op.create_index("ix_answered_header_lookup", "answered", ["header_lookup"])
    op.create_table(
        "tombstones",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("concern_id", sa.String(length=32), nullable=False),
        sa.Column("family", sa.String(length=16), nullable=False),
        sa.Column("content_lookup", sa.String(length=64), nullable=False),
        sa.Column("header_lookup", sa.String(length=64), nullable=True),
        sa.Column("words_lookup", sa.String(length=64), nullable=True),
        sa.Column("erased_at", base.UtcDateTime(), nullable=False),
        sa.Column("erased_by", sa.String(length=64), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_tombstones_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["concern_id"], ["concerns.id"], name=op.f("fk_tombstones_concern_id_concerns")
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_tombstones")),
    )
    for column in ("concern_id", "content_lookup", "header_lookup"):
        op.create_index(f"ix_tombstones_{column}", "tombstones", [column])


def _renew_tokens() -> None:
    # No mail ever carried the tokens of before, and their capitals would not survive every mail system.
    concerns = sa.table("concerns", sa.column("id"), sa.column("token"))
    connection = op.get_bind()
    for (concern_id,) in connection.execute(sa.select(concerns.c.id)).all():
        token = "".join(secrets.choice(_LETTERS) for _ in range(20))
        connection.execute(sa.update(concerns).where(concerns.c.id == concern_id).values(token=token))


def downgrade() -> None:
    """Take back."""
    for table in ("tombstones", "answered", "links"):
        op.drop_table(table)
    op.drop_column("leads", "may_erase")
    op.drop_index("ix_outgoing_header_id", table_name="outgoing")
    op.drop_column("outgoing", "header_id")
    op.drop_index("ix_concerns_joined_to", table_name="concerns")
    op.drop_column("concerns", "joined_to")
