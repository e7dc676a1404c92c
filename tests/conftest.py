"""Shared pieces: one thread everywhere, and calculators that misbehave on purpose."""

import os
import signal

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["ASE_PROBE_NO_CACHE"] = "1"  # no test may pass on what another one computed
# Without bytecode every subprocess would compile the vendors' packages anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Started in the background by a shell, the tests would ignore Ctrl-C, and so would their children.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure.
settings.register_profile("busy", deadline=None)
if not os.environ.get("CI"):  # there hypothesis has a profile of its own: no deadline, no chance
    settings.load_profile("busy")

collect_ignore = ["sample_project"]  # a project of its own, run by test_pytest_plugin.py
