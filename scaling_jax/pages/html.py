"""A page as one HTML file that needs no network: style, scripts, pictures and rows are inside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from scaling_jax.core.optional import needs
from scaling_jax.pages.document import Document
from scaling_jax.pages.vega import vega_script
from scaling_jax.reporting.blocks import Live
from scaling_jax.reporting.html import block_html

__all__ = ["environment", "html_page"]

HERE = Path(__file__).parent / "templates"


def html_page(document: Document, file: Path | None = None) -> str:
    """The page as text."""
    template = environment(autoescape=True).get_template("page.html.j2")
    charts = any(isinstance(block, Live) and block.kind == "chart" for block in document.blocks)
    return str(
        template.render(
            document=document,
            style=(HERE / "page.css").read_text(encoding="utf-8"),
            script=(HERE / "page.js").read_text(encoding="utf-8"),
            vega=vega_script() if charts else "",
        )
    )


def environment(autoescape: bool) -> Any:
    """Templates, with what they need beyond Jinja's own."""
    jinja2 = needs("jinja2", "report", "Reports need")
    markup = needs("markupsafe", "report", "Reports need").Markup
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters |= {
        "set": lambda block: markup(block_html(block)),
        "kind": lambda block: type(block).__name__.lower(),
        "data": _data,
    }
    return made


def _data(what: Any, mime: str) -> str:
    """A file as an address that holds it."""
    text = what if isinstance(what, str) else what.to_csv(index=False)
    return f"data:{mime};base64,{base64.b64encode(text.encode()).decode()}"
