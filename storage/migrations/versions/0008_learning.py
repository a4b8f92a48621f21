"""Labelling offers, shadow answers and the table of costs."""

revision = "0008_learning"
down_revision = "0007_trust"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""


def downgrade() -> None:
    """Take back."""
