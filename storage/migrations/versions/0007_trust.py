"""Sender trust, the spam tray and the wording of answers."""

revision = "0007_trust"
down_revision = "0006_attachments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""


def downgrade() -> None:
    """Take back."""
