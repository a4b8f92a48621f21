"""How much one message may cost before it is set aside."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What reading one message may take.

    `wall_seconds`, `cpu_seconds` and `memory_mib` (address space of the whole child, its libraries
    included) hold in a child process only; the other limits hold everywhere.
    """

    wall_seconds: float = 20.0
    cpu_seconds: int = 15
    memory_mib: int = 1024
    most_bytes: int = 50 * MIB
    most_depth: int = 30
    most_parts: int = 500
    most_addresses: int = 500
    most_text_chars: int = 5_000_000
    most_files: int = 200
    most_file_bytes: int = 100 * MIB


DEFAULT_LIMITS = ParseLimits()
