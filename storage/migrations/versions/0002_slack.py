"""What is known of Slack: threads, posts, answers, files, and how far channels were read."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0002_slack"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "slack_threads",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("root_ts", sa.String(length=32), nullable=False),
        sa.Column("concern_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["concern_id"], ["concerns.id"], name=op.f("fk_slack_threads_concern_id_concerns")
        ),
        sa.PrimaryKeyConstraint("channel", "root_ts", name=op.f("pk_slack_threads")),
    )
    op.create_index(op.f("ix_slack_threads_concern_id"), "slack_threads", ["concern_id"])
    op.create_table(
        "slack_posts",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("ts", sa.String(length=32), nullable=False),
        sa.Column("root_ts", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=True),
        sa.Column("version_ts", sa.String(length=32), nullable=False),
        sa.Column("deleted_at", base.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_slack_posts_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("channel", "ts", name=op.f("pk_slack_posts")),
    )
    op.create_index("ix_slack_posts_message_id", "slack_posts", ["message_id"])
    op.create_table(
        "slack_answers",
        sa.Column("outgoing_id", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("ts", sa.String(length=32), nullable=False),
        sa.Column("posted_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["outgoing_id"], ["outgoing.id"], name=op.f("fk_slack_answers_outgoing_id_outgoing")
        ),
        sa.PrimaryKeyConstraint("outgoing_id", name=op.f("pk_slack_answers")),
    )
    op.create_table(
        "slack_files",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_at", base.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_slack_files_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", "file_id", name=op.f("pk_slack_files")),
    )
    op.create_table(
        "slack_channels",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("since_ts", sa.String(length=32), nullable=False),
        sa.Column("seen_ts", sa.String(length=32), nullable=False),
        sa.Column("read_at", base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_slack_channels")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("slack_channels")
    op.drop_table("slack_files")
    op.drop_table("slack_answers")
    op.drop_index("ix_slack_posts_message_id", table_name="slack_posts")
    op.drop_table("slack_posts")
    op.drop_index(op.f("ix_slack_threads_concern_id"), table_name="slack_threads")
    op.drop_table("slack_threads")
