"""Before anything else is imported: one thread for each process's arithmetic, because tests run side by side."""

from __future__ import annotations

import os

# Threads that wait for each other on a busy machine made training on sixty messages ten times slower.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
