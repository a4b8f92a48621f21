"""Attachments of messages."""

revision = "0006_attachments"
down_revision = "0005_threads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""


def downgrade() -> None:
    """Take back."""
