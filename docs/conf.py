"""Sphinx configuration: python -m sphinx -W --keep-going -b html docs docs/_build."""

import re

import hmlc

project = "hmlc"
author = "the hmlc authors"
version = release = hmlc.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
# Pages link to Markdown outside docs/, which is no page here; tests/test_docs.py checks all links.
suppress_warnings = ["myst.xref_missing"]

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "inherited-members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = f"hmlc {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
exclude_patterns = ["_build"]


def escape_mathematics(app, what, name, obj, options, lines):
    """Keep x_ and |x| as they are: docstrings are plain text, where reStructuredText sees links."""
    in_example = False
    for i, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and line.strip() != "")
        if not in_example:
            outside = re.split(r"(`[^`]*`|\\.)", line)
            outside[::2] = [re.sub(r"(?<=\w)_(?!\w)|\|", r"\\\g<0>", part) for part in outside[::2]]
            lines[i] = "".join(outside)


def setup(app):
    """Escape after napoleon, which runs at 500, has read the sections."""
    app.connect("autodoc-process-docstring", escape_mathematics, priority=600)
