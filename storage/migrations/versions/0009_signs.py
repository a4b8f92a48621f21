"""Signs of life: the last time that a part of the service, or the way of a message as a whole, was seen to work."""

import sqlalchemy as sa
from alembic import op

from storage.tables import base

revision = "0009_signs"
down_revision = "0008_learning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "signs",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("since", base.UtcDateTime(), nullable=False),
        sa.Column("at", base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_signs")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("signs")
