"""`sj.report`: results on one page that can be sent to somebody, as HTML, Markdown or PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scaling_jax.core.checked import checked, shown
from scaling_jax.pages.document import Document
from scaling_jax.pages.html import html_page
from scaling_jax.pages.markdown import markdown_page
from scaling_jax.pages.parts import part_of
from scaling_jax.pages.pdf import pdf_page

__all__ = ["report"]

Write = Callable[[Document, Path | None], str | bytes]
WRITERS: dict[str, Write] = {"html": html_page, "md": markdown_page, "pdf": pdf_page}
ENDINGS = {"htm": "html", "markdown": "md"}


@checked
def report(
    *things: object,
    path: str | Path | None = None,
    title: str | None = None,
    format: str | None = None,
) -> str | bytes:
    """One page about one or several results: the verdict in plain words first, then pictures, numbers, and
    the code to repeat them.

    A page of a fit holds pictures, a slider over budgets with the best run beneath it, parameters with
    intervals, predictions beyond the data, the certificate, adequacy, other choices, the reporting checklist,
    the rows, and a program that fits them again. The fit is examined for it (`fit.examine()`). HTML needs no
    network; Markdown and PDF are for a paper's appendix.

    Args:
        *things: fits, groups of fits, forecasts, plans, contrasts, monitors, designs, posteriors, profiles,
            back-tests, sensitivities, approaches, tables. What is said of the first stands first.
        path: the file to write; None writes none. In place of it the last of `things` may be a path.
        title: of the page.
        format: "html", "md" or "pdf", in place of the file's ending.

    Returns:
        What was written: text, or the bytes of a PDF. Pictures of a Markdown file are written into a folder
        beside it, named after it.

    Raises:
        TypeError: for what a report knows nothing of.
        ValueError: for an unknown format.
        ImportError: where a package of the extra `report` is missing, with the remedy.

    >>> import numpy as np, scaling_jax as sj
    >>> x = np.geomspace(1, 100, 12)
    >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.5})
    >>> text = sj.report(fit, format="md", title="A fit")
    >>> text.splitlines()[0], "## Repeat it" in text
    ('# A fit', True)
    """
    if path is None and things and isinstance(things[-1], str | Path):
        path, things = things[-1], things[:-1]
    file = None if path is None else Path(str(path))
    kind = _kind(format, file)
    if file is not None and not file.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {file.parent} to write {file.name} into.")
    if not things:
        raise TypeError("report() takes what is to be reported: sj.report(fit, plan, path='fit.html').")
    parts = tuple(part_of(thing) for thing in _flat(things))
    made = WRITERS[kind](Document(title or (parts[0].title if len(parts) == 1 else "Report"), parts), file)
    if isinstance(made, bytes) and file is not None:
        file.write_bytes(made)
    elif isinstance(made, str) and file is not None:
        file.write_text(made, encoding="utf-8")
    return made


def _kind(format: str | None, file: Path | None) -> str:
    said = format or ("html" if file is None else file.suffix.lstrip(".").lower())
    kind = ENDINGS.get(str(said), str(said))
    if kind not in WRITERS:
        raise ValueError(f"A report is written as html, md or pdf, not as {shown(said)}.")
    return kind


def _flat(things: tuple[object, ...]) -> list[object]:
    """Lists and plain mappings of results are their results."""
    out: list[object] = []
    for thing in things:
        if isinstance(thing, list | tuple):
            out += thing
        elif type(thing) is dict:
            out += thing.values()
        else:
            out.append(thing)
    return out
