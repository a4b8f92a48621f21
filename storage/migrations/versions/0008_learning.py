"""Answers of a candidate in the shadow, and concerns that must never be learned from."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0008_learning"
down_revision = "0007_trust"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "concerns", sa.Column("never_learn", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "shadow_runs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("started_at", base.UtcDateTime(), nullable=False),
        sa.Column("stopped_at", base.UtcDateTime(), nullable=True),
        sa.Column("gate", base.Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_runs")),
    )
    op.create_table(
        "shadow_answers",
        sa.Column("assessment_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("made_at", base.UtcDateTime(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=True),
        sa.Column("themes", base.Json, nullable=False),
        sa.Column("abuse_types", base.Json, nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("failure", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_shadow_answers_assessment_id_assessments")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_shadow_answers_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["shadow_runs.id"], name=op.f("fk_shadow_answers_run_id_shadow_runs")
        ),
        sa.PrimaryKeyConstraint("assessment_id", "run_id", name=op.f("pk_shadow_answers")),
    )
    op.create_index("ix_shadow_answers_message_id", "shadow_answers", ["message_id"])
    op.create_index("ix_shadow_answers_run_id", "shadow_answers", ["run_id"])
    op.create_index("ix_assessments_made_at", "assessments", ["made_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_assessments_made_at", "assessments")
    op.drop_table("shadow_answers")
    op.drop_table("shadow_runs")
    op.drop_column("concerns", "never_learn")
