"""Mailboxes that mail is fetched from."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0004_mailboxes"
down_revision = "0003_drafts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "mailboxes",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=False),
        sa.Column("since", base.UtcDateTime(), nullable=False),
        sa.Column("contact_at", base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_mailboxes")),
    )
    op.create_table(
        "mailbox_folders",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["mailboxes.account"], name=op.f("fk_mailbox_folders_account_mailboxes")
        ),
        sa.PrimaryKeyConstraint("account", "folder", name=op.f("pk_mailbox_folders")),
    )
    op.create_table(
        "mailbox_gaps",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("first_at", base.UtcDateTime(), nullable=False),
        sa.Column("next_at", base.UtcDateTime(), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["account"], ["mailboxes.account"], name=op.f("fk_mailbox_gaps_account_mailboxes")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_mailbox_gaps_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("account", "folder", "uidvalidity", "uid", name=op.f("pk_mailbox_gaps")),
    )
    op.create_table(
        "mailbox_counts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("at", base.UtcDateTime(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("in_mailbox", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("gaps", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("mended", sa.Integer(), nullable=False),
        sa.Column("missing_uids", base.Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["mailboxes.account"], name=op.f("fk_mailbox_counts_account_mailboxes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox_counts")),
    )
    with op.batch_alter_table("mailbox_counts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_mailbox_counts_account_folder_at", ["account", "folder", "at"], unique=False
        )


def downgrade() -> None:
    """Take back."""
    for table in ("mailbox_counts", "mailbox_gaps", "mailbox_folders", "mailboxes"):
        op.drop_table(table)
