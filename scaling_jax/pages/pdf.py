"""A page as PDF, set by Typst: words are handed over as data, so that nothing of a user's is read as
markup."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from scaling_jax.core.optional import needs
from scaling_jax.pages.document import Document
from scaling_jax.reporting.blocks import Block, Code, Facts, Grid, Items, Live, Picture, Words

__all__ = ["pdf_page"]

TEMPLATE = Path(__file__).parent / "templates" / "page.typ"
ROWS = 60  # of a table, on paper


def pdf_page(document: Document, file: Path | None = None) -> bytes:
    """The page as the bytes of a PDF."""
    typst = needs("typst", "report", "Reports as PDF need")
    matplotlib = needs("matplotlib", "report", "Reports need")
    with tempfile.TemporaryDirectory(prefix="scaling_jax-") as folder:
        place = Path(folder)
        for i, picture in enumerate(document.pictures):
            (place / f"{i}.svg").write_text(picture.light, encoding="utf-8")
        numbers = {id(picture): i for i, picture in enumerate(document.pictures)}
        (place / "page.json").write_text(json.dumps(_said(document, numbers)), encoding="utf-8")
        (place / "page.typ").write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
        fonts = [str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")]
        made = typst.compile(str(place / "page.typ"), root=folder, font_paths=fonts)
    assert isinstance(made, bytes)
    return made


def _said(document: Document, numbers: dict[int, int]) -> dict[str, Any]:
    """The page as plain data."""
    return {
        "title": document.title,
        "parts": [
            {
                "title": part.title,
                "sections": [
                    {"title": s.title, "blocks": [_block(block, numbers) for block in s.blocks]}
                    for s in part.sections
                ],
            }
            for part in document.parts
        ],
    }


def _block(block: Block | None, numbers: dict[int, int]) -> dict[str, Any]:
    match block:
        case Words():
            return {"kind": "words", "text": block.text, "tone": block.tone}
        case Items():
            return {"kind": "items", "items": list(block.items)}
        case Facts():
            return {"kind": "facts", "rows": [list(row) for row in block.rows]}
        case Grid():
            return _grid(block)
        case Code():
            return {"kind": "code", "text": block.text}
        case Picture():
            return {
                "kind": "picture",
                "file": f"{numbers[id(block)]}.svg",
                "words": block.words,
            }
        case Live():
            return _block(block.instead, numbers)
        case None:
            return {"kind": "nothing"}


def _grid(block: Grid) -> dict[str, Any]:
    left = len(block.rows) - ROWS
    note = f"... and {left} more rows" if left > 0 else block.note
    return {
        "kind": "grid",
        "headings": list(block.headings),
        "rows": [list(row) for row in block.rows[:ROWS]],
        "right": list(block.right),
        "note": note,
    }
