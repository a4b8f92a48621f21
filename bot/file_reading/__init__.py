"""What an attached file is and says: `looking` inside the child with limits, `safely` from outside."""

from __future__ import annotations

from bot.file_reading.safely import looked_into, looked_into_file

__all__ = ["looked_into", "looked_into_file"]
