"""Several audits side by side: a leaderboard, and what changed between two audits.

Audits that were judged by different rules (profile, grid, limits) are refused.
"""

from ase_probe.compare.differences import KINDS, Change, changes, regressions
from ase_probe.compare.ranking import Comparison, Entry, compare

__all__ = [
    "KINDS",
    "Change",
    "Comparison",
    "Entry",
    "changes",
    "compare",
    "regressions",
]
