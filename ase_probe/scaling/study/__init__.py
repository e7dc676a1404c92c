"""Sweeps: one TOML file -> runs, on any executor, skipping what is done.

Presets that come with the package: ``smoke`` (minutes), ``laptop`` (hours on two cores) and
``paper`` (the sizes of the study, for a GPU).
"""
