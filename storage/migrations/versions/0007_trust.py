"""Sender trust, the spam tray, the wording of answers, who reads a mailbox, and Slack's last sign of life."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0007_trust"
down_revision = "0006_attachments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "leads", sa.Column("may_word_answers", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "answer_texts",
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("written_at", base.UtcDateTime(), nullable=False),
        sa.Column("written_by", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["written_by"], ["leads.id"], name=op.f("fk_answer_texts_written_by_leads")),
        sa.PrimaryKeyConstraint("category", "version", name=op.f("pk_answer_texts")),
    )
    op.create_table(
        "message_checks",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("trust", base.Json, nullable=True),
        sa.Column("spam", base.Json, nullable=True),
        sa.Column("checked_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_checks_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_checks")),
    )
    op.create_table(
        "mailbox_leases",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("until", base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_mailbox_leases")),
    )
    op.create_table(
        "slack_contacts",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("contact_at", base.UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=200), nullable=False),
        sa.Column("since", base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_slack_contacts")),
    )


def downgrade() -> None:
    """Take back."""
    for table in ("slack_contacts", "mailbox_leases", "message_checks", "answer_texts"):
        op.drop_table(table)
    op.drop_column("leads", "may_word_answers")
