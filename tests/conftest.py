"""Shared pieces: one thread everywhere, and calculators that misbehave on purpose."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Without bytecode every subprocess would compile the vendors' packages anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
