"""Formulas as MathML: browsers set it themselves, so a page needs neither script nor network.

The font is STIX Two Math, which the package ziamath carries, cut down to what formulas use.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import ziamath
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools import subset
from sphinx.application import Sphinx

logging.getLogger("fontTools").setLevel(logging.WARNING)
FONT = Path(ziamath.__file__).parent / "fonts/STIXTwoMath-Regular.ttf"
LETTERS = [(0x20, 0x7E), (0xA0, 0xFF), (0x300, 0x36F), (0x370, 0x3FF), (0x1D434, 0x1D467), (0x1D6E2, 0x1D71B)]
SIGNS = [(0x2010, 0x2063), (0x2100, 0x214F), (0x2190, 0x22FF), (0x2308, 0x230B), (0x27E6, 0x27EB)]


def mathml(tex: str, block: bool = False) -> str:
    """A formula; docutils knows \\bigl and \\bigr alone of the large delimiters."""
    return tex2mathml(re.sub(r"\\([Bb]igg?)(?![a-zA-Z])", r"\\\1l", tex), as_block=block)


def inline(writer, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block(writer, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def write_font(app: Sphinx) -> None:
    """The letters and signs of formulas, with the measures that set them."""
    options = subset.Options(flavor="woff", layout_features=["ssty", "dtls", "flac"])
    font = subset.load_font(str(FONT), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[code for first, last in LETTERS + SIGNS for code in range(first, last + 1)])
    cut.subset(font)
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(folder / "math.woff"), options)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("build-finished", lambda app, error: error or write_font(app))
    return {"parallel_read_safe": True}
