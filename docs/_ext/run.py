"""`{run}`: code of a page that is shown, run when the page is built, and followed by what it gave.

All blocks of a page share one namespace. The last expression of a block is its result: a picture is drawn
twice, on white and on dark; what has an HTML display is shown by it; anything else, and whatever was printed,
is text. The argument of a block says what its picture shows. `:only-result:` leaves the code out, `:width:`
limits a picture. Files that code writes lie with Sphinx's own.
"""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.axes import Axes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DPI = 200
WIDTH = 125  # pixels of a page per inch of a picture
FOLDER = "pictures"  # under the sources, and ignored by git


class Run(SphinxDirective):
    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    # docutils reads it off the class
    option_spec = {"only-result": directives.flag, "width": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        shown: list[nodes.Node] = []
        if "only-result" not in self.options:
            shown.append(nodes.literal_block(code, code, language="python"))
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.chdir(self.env.doctreedir):
            results = self.results(code)
        if said.getvalue():
            shown.append(
                nodes.literal_block(said.getvalue(), said.getvalue(), language="text", classes=["said"])
            )
        return shown + results

    def results(self, code: str) -> list[nodes.Node]:
        space = self.env.current_document.setdefault("run_space", {})
        tree = ast.parse(code, self.env.docname)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, self.env.docname, "exec"), space)
        if last is None:
            return []
        ask = compile(ast.Expression(last.value), self.env.docname, "eval")
        value = eval(ask, space)
        if holds_axes(value):
            plt.close("all")
            return [self.picture(ask, space, dark) for dark in (False, True)]
        if hasattr(value, "_repr_html_"):
            return [nodes.raw("", f'<div class="result">{value._repr_html_()}</div>', format="html")]
        return [nodes.literal_block(str(value), str(value), language="text")] if value is not None else []

    def picture(self, ask, space: dict[str, object], dark: bool) -> nodes.image:
        import scaling_jax as sj

        number = self.env.current_document["run_number"] = self.env.current_document.get("run_number", 0) + 1
        name = f"{FOLDER}/{self.env.docname.replace('/', '-')}-{number}.png"
        path = Path(self.env.srcdir) / name
        path.parent.mkdir(exist_ok=True)
        with sj.plot.style(dark=dark):
            axes = np.ravel(np.asarray(eval(ask, space), dtype=object))
        figure = axes[0].figure.figure
        figure.savefig(path, dpi=DPI)
        width = self.options.get("width", f"{figure.get_figwidth() * WIDTH:.0f}px")
        plt.close("all")
        alt = self.arguments[0] if self.arguments else ""
        image = nodes.image(uri=f"/{name}", alt=alt, width=width)
        image["classes"] = ["only-dark" if dark else "only-light"]
        return image


def holds_axes(value: object) -> bool:
    held = (
        np.ravel(np.asarray(value, dtype=object))
        if isinstance(value, (Axes, np.ndarray, tuple, list))
        else []
    )
    return len(held) > 0 and all(isinstance(one, Axes) for one in held)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("run", Run)
    return {"parallel_read_safe": False}
