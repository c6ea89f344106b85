"""Sphinx configuration."""

import sys
from importlib.metadata import version as _version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE), str(HERE.parent)]

project = "scaling_jax"
author = "the scaling_jax developers"
release = _version("scaling-jax")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "mathml",
    "pages",
    "run",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline", "attrs_block"]
nb_execution_mode = "auto"  # notebooks are kept without outputs
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # bars of progress, and what libraries say of the lack of theirs
exclude_patterns = ["_build", "_ext", "api.md", "make_*.py", "check_pages.py", "jupyter_execute", "measured"]
html_theme = "furo"
html_title = "scaling_jax"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_math_renderer = "mathml"
autodoc_typehints = "none"
default_role = "code"  # what docstrings set between single backticks
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
suppress_warnings = ["myst.header"]


def _made(app):
    """One page per law and per object, and the pictures and measured figures, made anew for every build."""
    import make_gallery
    import make_measured
    import make_pictures
    import make_reference

    make_gallery.make(HERE / "gallery")
    make_measured.make(HERE / "measured")
    make_pictures.make(HERE / "pictures")
    make_reference.make(HERE / "reference")


def setup(app):
    app.connect("builder-inited", _made)
