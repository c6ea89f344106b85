"""A page as Markdown for an appendix; pictures are SVG files in a folder beside it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import singledispatch
from pathlib import Path
from typing import TypeAlias

from scaling_jax.pages.document import Document
from scaling_jax.pages.html import environment
from scaling_jax.reporting.blocks import Block, Code, Facts, Grid, Items, Live, Picture, Words

__all__ = ["markdown_page"]

Files: TypeAlias = Mapping[int, str]
"""Where each picture is, by its identity; empty where none are written."""
SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$!])")


def markdown_page(document: Document, file: Path | None = None) -> str:
    """The page as text; with a file, its pictures are written beside it."""
    folder = "" if file is None else f"{file.stem}_files"
    if file is not None and document.pictures:
        _write_pictures(document, file.parent / folder)
    made = environment(autoescape=False)
    named = {key: f"{folder}/{name}.svg" for key, name in document.files.items()} if folder else {}
    made.filters |= {"plain": escaped, "set": lambda block: block_markdown(block, named)}
    return str(made.get_template("page.md.j2").render(document=document)).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Words that Markdown and HTML take as they are.

    >>> print(escaped("a_b | <b>"))
    a\_b \| &lt;b&gt;
    """
    return SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


@singledispatch
def block_markdown(block: Block, files: Files) -> str:
    """One block."""
    return ""


@block_markdown.register
def _words(block: Words, files: Files) -> str:
    return f"**{escaped(block.text)}**" if block.tone in ("lead", "care", "alarm") else escaped(block.text)


@block_markdown.register
def _items(block: Items, files: Files) -> str:
    return "\n".join(f"- {escaped(item)}" for item in block.items)


@block_markdown.register
def _facts(block: Facts, files: Files) -> str:
    return "\n".join(f"- {escaped(name)}: {escaped(said)}" for name, said in block.rows)


@block_markdown.register
def _grid(block: Grid, files: Files) -> str:
    lines = [block.headings, tuple("---:" if right else ":---" for right in block.right)]
    said = [f"| {' | '.join(map(escaped, row))} |" for row in block.rows]
    head = [f"| {' | '.join(map(escaped, lines[0]))} |", f"| {' | '.join(lines[1])} |"]
    return "\n".join([*head, *said, *(["", escaped(block.note)] if block.note else [])])


@block_markdown.register
def _code(block: Code, files: Files) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", block.text)), 3)
    return f"{fence}python\n{block.text}\n{fence}"


@block_markdown.register
def _picture(block: Picture, files: Files) -> str:
    return f"![{escaped(block.words)}]({files[id(block)]})" if files else ""


@block_markdown.register
def _live(block: Live, files: Files) -> str:
    return _grid(block.instead, files) if block.instead else ""


def _write_pictures(document: Document, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for picture in document.pictures:
        (folder / f"{document.files[id(picture)]}.svg").write_text(picture.light, encoding="utf-8")
