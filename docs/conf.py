"""Sphinx configuration. The reference tables are made from the code on every build."""

import sys
from pathlib import Path

import ase_probe

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference_tables  # noqa: E402  it lies beside this file

reference_tables.write(HERE / "_generated")

project = "ase-probe"
author = "The ase-probe developers"
copyright = author
version = release = ase_probe.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated", "output", "plugin"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

default_role = "py:obj"  # `Curve` in a docstring is a link where there is something to link to
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 70
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def setup(app):
    """Register the one repair that docstrings need."""
    # |x| is an absolute value in our docstrings and a substitution in reStructuredText.
    app.connect("autodoc-process-docstring", _escape_bars, priority=400)


def _escape_bars(app, what, name, obj, options, lines):
    lines[:] = [line.replace("|", "\\|") for line in lines]


html_theme = "furo"
html_title = "ase-probe"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
