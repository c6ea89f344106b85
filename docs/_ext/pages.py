"""What every page gets: formulas and arguments of docstrings set by Sphinx, Colab buttons on notebooks."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

COLAB = "https://colab.research.google.com/github/scaling-jax/scaling_jax/blob/main/docs"
SECTION = re.compile(r"^Args:\n((?:(?: {4,}.*)?\n)+)", re.M)
ENTRY = re.compile(r"^ {4}(\S[^:\n]*): ?((?:.*\n)(?:(?: {8,}.*)?\n)*)", re.M)


def formulas(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings write formulas between double dollars, as notebooks show them; Sphinx wants directives."""
    text = re.sub(
        r"^\$\$(.+?)\$\$$",
        lambda found: ".. math::\n\n   " + " ".join(found[1].split()) + "\n",
        "\n".join(lines),
        flags=re.S | re.M,
    )
    lines[:] = text.splitlines()


def arguments(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Arguments as a table."""
    text = SECTION.sub(lambda found: _table(found[1]), "\n".join([*lines, ""]))
    lines[:] = text.splitlines()


def _table(section: str) -> str:
    rows = [(names.strip(), " ".join(words.split())) for names, words in ENTRY.findall(section)]
    cells = "".join(f"   * - ``{names}``\n     - {words}\n" for names, words in rows)
    return (
        ".. list-table::\n   :header-rows: 1\n   :widths: 18 82\n   :class: arguments\n\n"
        f"   * - argument\n     - meaning\n{cells}\n"
    )


def colab(app: Sphinx, doctree: nodes.document) -> None:
    """A notebook's first line after its title: open it, with what it needs, in Colab."""
    if not app.env.docname.startswith("notebooks/"):
        return
    title = next(iter(doctree.findall(nodes.title)))
    link = nodes.reference("", "Open in Colab", refuri=f"{COLAB}/{app.env.docname}.ipynb", classes=["colab"])
    title.parent.insert(title.parent.index(title) + 1, nodes.paragraph("", "", link))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", formulas, priority=400)
    app.connect("autodoc-process-docstring", arguments, priority=410)
    app.connect("doctree-read", colab)
    return {"parallel_read_safe": True}
