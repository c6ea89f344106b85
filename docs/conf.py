"""Sphinx configuration."""

import re
import sys
from importlib.metadata import version as _version
from pathlib import Path

project = "scaling_jax"
author = "the scaling_jax developers"
release = _version("scaling-jax")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
nb_execution_mode = "auto"  # notebooks are kept without outputs
nb_execution_timeout = 300
nb_execution_raise_on_error = True
exclude_patterns = ["_build", "make_*.py", "jupyter_execute"]
html_theme = "furo"
html_title = "scaling_jax"
html_static_path = ["_static"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
suppress_warnings = ["myst.header"]


def _math_blocks(app, what, name, obj, options, lines):
    """Docstrings write formulas between double dollars, as notebooks show them; Sphinx wants directives."""

    def block(match):
        return ".. math::\n\n   " + " ".join(match.group(1).split()) + "\n"

    text = re.sub(r"^\$\$(.+?)\$\$$", block, "\n".join(lines), flags=re.S | re.M)
    lines[:] = text.splitlines()


def _gallery(app):
    """One page per law, and the pictures of the other pages, made anew for every build."""
    here = Path(app.srcdir)
    sys.path[:0] = [str(here), str(here.parent)]
    import make_gallery
    import make_pictures

    make_gallery.make(here / "gallery")
    make_pictures.make(here / "pictures")


def setup(app):
    app.connect("builder-inited", _gallery)
    app.connect("autodoc-process-docstring", _math_blocks)
