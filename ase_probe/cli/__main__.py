"""``python -m ase_probe.cli``."""

from ase_probe.cli import main

main()
