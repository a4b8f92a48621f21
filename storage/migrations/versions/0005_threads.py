"""Messages that belong together, and what was erased."""

revision = "0005_threads"
down_revision = "0004_mailboxes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""


def downgrade() -> None:
    """Take back."""
