"""Audits for people: terminal text, one HTML page, a small curve plot in characters.

Nothing here computes physics; everything is read from an `Audit`. Rich is imported only to print,
plotly only to write a page. (The imports are eager because the function `text` must win over the
module of the same name.)
"""

from ase_probe.report.html import write_html
from ase_probe.report.plot import text_plot
from ase_probe.report.text import print_audit, text

__all__ = ["print_audit", "text", "text_plot", "write_html"]
