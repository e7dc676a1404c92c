"""The study's data: molecules to learn from, and labelled bonds to judge by.

`qm9` and `moses` read public sets from PyPI packages, `subsets` chooses from them. `level` is the
theory that labelled QM9, with its curves of H2 and two control bonds, and `shots` are labelled
compressed and stretched bonds. Their labels ship with ase-probe; `build` makes them again.
"""
