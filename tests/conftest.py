"""Shared pieces: one thread everywhere, and calculators that misbehave on purpose."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Without bytecode every subprocess would compile the vendors' packages anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no failure.
settings.register_profile("busy", deadline=None)
if not os.environ.get("CI"):  # there hypothesis has a profile of its own: no deadline, no chance
    settings.load_profile("busy")
