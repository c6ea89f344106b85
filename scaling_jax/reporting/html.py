"""Blocks as HTML, every string of a user's escaped; in a notebook they take its own colours.

Lines and shades are shares of the text's own colour, so that light and dark pages need no second set.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import singledispatch

from scaling_jax.reporting.blocks import Block, Code, Facts, Grid, Items, Picture, Section, Words

__all__ = ["block_html", "notebook_html"]

STYLE = """
.sj-shown{max-width:60em;font-size:.95em;line-height:1.45;margin:.4em 0}
.sj-shown p{margin:.3em 0}
.sj-shown .sj-title{opacity:.65;font-size:.9em;margin-bottom:.2em}
.sj-shown .sj-lead,.sj-shown .sj-care{font-weight:600;font-size:1.1em}
.sj-shown .sj-care{border-left:3px solid #e69f00;padding-left:.6em}
.sj-shown .sj-alarm{border-left:3px solid #d55e00;padding-left:.6em}
.sj-shown .sj-quiet{opacity:.7;font-size:.92em}
.sj-shown h4{font-size:1em;margin:.9em 0 .2em}
.sj-shown ul{margin:.2em 0 .5em;padding-left:1.3em}
.sj-shown .sj-scroll{overflow-x:auto}
.sj-shown table{border-collapse:collapse;margin:.4em 0;font-variant-numeric:tabular-nums;border:0;
background:none;width:auto}
.sj-shown th,.sj-shown td{text-align:left!important;padding:.25em .8em .25em 0!important;border:0;
border-bottom:1px solid color-mix(in srgb,currentColor 16%,transparent);vertical-align:top;background:none}
.sj-shown thead th{font-weight:600;vertical-align:bottom;
border-bottom:1px solid color-mix(in srgb,currentColor 45%,transparent)}
.sj-shown tbody th{font-weight:500;opacity:.75;max-width:14em}
.sj-shown .sj-right{text-align:right!important;white-space:nowrap}
.sj-shown details{margin:.3em 0;border-top:1px solid color-mix(in srgb,currentColor 16%,transparent)}
.sj-shown summary{cursor:pointer;padding:.25em 0;font-weight:600}
.sj-shown pre{white-space:pre-wrap;padding:.6em;background:color-mix(in srgb,currentColor 6%,transparent)}
"""


def notebook_html(title: str, sections: Iterable[Section]) -> str:
    """What a notebook shows for a result.

    >>> shown = notebook_html("<fit>", [Section("", [Words("a < b")]), Section("Data", folded=True)])
    >>> "&lt;fit&gt;" in shown and "a &lt; b" in shown and "<details>" in shown
    True
    """
    style = "".join(line.strip() for line in STYLE.splitlines())
    inside = "".join(map(_section, sections))
    return (
        f'<div class="sj-shown"><style>{style}</style>'
        f'<p class="sj-title">{html.escape(title)}</p>{inside}</div>'
    )


def _section(section: Section) -> str:
    inside, title = "".join(map(block_html, section.blocks)), html.escape(section.title)
    if section.folded:
        return f"<details><summary>{title}</summary>{inside}</details>"
    return f"<h4>{title}</h4>{inside}" if title else inside


@singledispatch
def block_html(block: Block) -> str:
    """One block."""
    return ""


@block_html.register
def _words(block: Words) -> str:
    return f'<p class="sj-{html.escape(block.tone)}">{html.escape(block.text)}</p>'


@block_html.register
def _items(block: Items) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in block.items)}</ul>"


@block_html.register
def _facts(block: Facts) -> str:
    rows = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(said)}</td></tr>" for name, said in block.rows)
    return f'<div class="sj-scroll"><table class="sj-facts"><tbody>{"".join(rows)}</tbody></table></div>'


@block_html.register
def _grid(block: Grid) -> str:
    head = "".join(_cells(block.headings, block.right, "th"))
    rows = "".join(f"<tr>{''.join(_cells(row, block.right, 'td'))}</tr>" for row in block.rows)
    note = f'<p class="sj-quiet">{html.escape(block.note)}</p>' if block.note else ""
    return (
        f'<div class="sj-scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{note}"
    )


@block_html.register
def _code(block: Code) -> str:
    return f"<pre><code>{html.escape(block.text)}</code></pre>"


@block_html.register
def _picture(block: Picture) -> str:
    return f"<p>{html.escape(block.words)}</p>"


def _cells(cells: Sequence[str], right: Sequence[bool], tag: str) -> Iterable[str]:
    for cell, number in zip(cells, right, strict=True):
        side = ' class="sj-right"' if number else ""
        yield f"<{tag}{side}>{html.escape(cell)}</{tag}>"
