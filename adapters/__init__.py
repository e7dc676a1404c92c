"""One file per model family; discovered through the ``ase_probe.adapters`` entry points."""
