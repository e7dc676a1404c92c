"""The engine that computes reference curves with PySCF: ``pip install 'ase-probe[pyscf]'``.

Importing this package imports no PySCF; computing does. Reading the curves that it made is the
business of `ase_probe.baselines.tabulated` and needs nothing.
"""
