"""Attachments of messages."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0006_attachments"
down_revision = "0005_threads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("declared_type", sa.String(length=255), nullable=False),
        sa.Column("sniffed_type", sa.String(length=255), nullable=False),
        sa.Column("signs", base.Json, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", base.UtcDateTime(), nullable=False),
        sa.Column("scan_state", sa.String(length=16), nullable=False),
        sa.Column("scan_word", sa.String(length=200), nullable=False),
        sa.Column("scan_attempts", sa.Integer(), nullable=False),
        sa.Column("scanned_at", base.UtcDateTime(), nullable=True),
        sa.Column("next_scan_at", base.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_attachments_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_message_id"), "attachments", ["message_id"])
    op.create_index("ix_attachments_scan_state_next_scan_at", "attachments", ["scan_state", "next_scan_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_attachments_scan_state_next_scan_at", table_name="attachments")
    op.drop_index(op.f("ix_attachments_message_id"), table_name="attachments")
    op.drop_table("attachments")
