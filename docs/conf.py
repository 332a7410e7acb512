"""Sphinx configuration: python -m sphinx -W --keep-going -b html docs <out>."""

import hmlc

project = "hmlc"
author = "the hmlc authors"
copyright = "the hmlc authors"
version = release = hmlc.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "inherited-members": True, "show-inheritance": False}
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = f"hmlc {release}"
exclude_patterns = ["_build"]
