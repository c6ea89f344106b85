"""What a result shows, as plain blocks: sentences, facts, tables, pictures, in sections that may be closed.

A result says it once; notebooks, pages, Markdown and print each have their own way to set it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd

from scaling_jax.reporting.numbers import between, kind_of, written

__all__ = ["Block", "Code", "Facts", "Grid", "Items", "Live", "Picture", "Section", "Words", "grid_of"]

LOWER, UPPER = "lower", "upper"
MIDDLES = ("prediction", "estimate", "median")
HEADINGS = {
    "flops": "compute (FLOP)",
    "spent": "spent (FLOP)",
    "tokens_per_param": "tokens per parameter",
    "extrapolation": "decades beyond the data",
    "worth": "worth of cost",
    "binding": "what binds",
    "backtest_error": "error in back-tests",
    "gpu_hours": "GPU-hours",
    "loss_a": "loss of a",
    "loss_b": "loss of b",
    "run_sd": "scatter of a run",
}
MOST = 400  # rows that a table shows
DIGITS = dict.fromkeys(
    (
        "extrapolation",
        "p",
        "worth",
        "horizon",
        "backtest_error",
        "borrowed",
        "weight",
        "lowest",
        "low",
        "middle",
        "high",
        "highest",
        "t",
        "z",
    ),
    2,
)


@dataclass(frozen=True)
class Words:
    """A paragraph.

    Args:
        text: what it says.
        tone: "plain"; "lead" for what matters first, "care" where it holds only so far, "alarm" where it
            speaks against the result; "quiet" for a note.
    """

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and what is known by them."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table of words.

    Args:
        headings: of the columns.
        rows: the cells.
        right: columns of numbers, which are set to the right.
        note: what was left out.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    note: str = ""


@dataclass(frozen=True)
class Code:
    """Lines of a program."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing for light pages and for dark ones.

    Args:
        name: short, for files.
        words: what it shows, for those who cannot see it, and its caption.
        light, dark: SVG.
        wide: whether it needs the whole width.
    """

    name: str
    words: str
    light: str
    dark: str
    wide: bool = False


@dataclass(frozen=True)
class Live:
    """What a reader can move, on a page with scripts; elsewhere something else stands for it.

    Args:
        name: of the part of the page.
        kind: "chart" or "slider".
        data: a chart's specification or a slider's table, ready for JSON.
        words: what it is.
        instead: what stands for it on paper, or None.
    """

    name: str
    kind: str
    data: Mapping[str, object]
    words: str
    instead: Grid | None = None


Block: TypeAlias = "Words | Items | Facts | Grid | Code | Picture | Live"
"""Whatever a section holds."""


@dataclass(frozen=True)
class Section:
    """Blocks under a title.

    Args:
        title: a few words; empty where the blocks speak for themselves.
        blocks: in their order.
        folded: whether a reader opens it first.
    """

    title: str
    blocks: Sequence[Block] = field(default_factory=list)
    folded: bool = False


def grid_of(
    frame: pd.DataFrame,
    index: bool | None = None,
    headings: Mapping[str, str] | None = None,
    hide: Iterable[str] = (),
    most: int = MOST,
) -> Grid:
    """A frame as a table to read: sensible digits, intervals beside their estimates, headings in words.

    Args:
        frame: the numbers; X_lower and X_upper (or lower and upper) are joined into one column.
        index: whether its labels are shown; by default where they are not just numbers of rows.
        headings: column -> words, in place of the usual ones.
        hide: columns that are left out.
        most: rows to show.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"N": [7e9], "loss": [1.98762], "loss_lower": [1.9], "loss_upper": [2.04]})
    >>> found = grid_of(table)
    >>> found.headings, found.rows
    (('N', 'loss', 'interval'), (('7B', '1.988', '1.9 to 2.04'),))
    """
    said, parts = HEADINGS | dict(headings or {}), []
    shown = frame.head(most)
    labelled = not isinstance(frame.index, pd.RangeIndex) if index is None else index
    if labelled:
        for level in range(shown.index.nlevels):
            name = shown.index.names[level]
            labels = [_cell(label, PLAIN_NAME) for label in shown.index.get_level_values(level)]
            parts.append(("" if name is None else str(name), labels, False))
    names = [str(column) for column in frame.columns]
    ends = {name: pair for name in names if (pair := _ends_of(name, names))}
    taken = {end for pair in ends.values() for end in pair} | set(hide)
    for position, name in enumerate(names):
        column = shown.iloc[:, position]
        if name in taken:
            continue
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        parts.append((said.get(name, name.replace("_", " ")), [_cell(v, name) for v in column], number))
        if name in ends:
            lower, upper = (shown[end].to_numpy(dtype=float) for end in ends[name])
            kind = kind_of(name)
            joined = [
                between(*pair, kind) if np.isfinite(pair[0]) or np.isfinite(pair[1]) else ""
                for pair in zip(lower, upper, strict=True)
            ]
            parts.append(("interval", joined, True))
    note = f"... and {len(frame) - most:,} more rows" if len(frame) > most else ""
    columns = [cells for _, cells, _ in parts]
    rows = tuple(zip(*columns, strict=True)) if columns else ()
    return Grid(tuple(h for h, _, _ in parts), rows, tuple(n for _, _, n in parts), note)


PLAIN_NAME = ""


def _ends_of(name: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The columns that hold a column's interval."""
    pairs = [(f"{name}_{LOWER}", f"{name}_{UPPER}")]
    if name in MIDDLES or (name == "flops" and "inside" in names):
        pairs.append((LOWER, UPPER))
    return next((pair for pair in pairs if set(pair) <= set(names)), None)


def _cell(value: object, column: str) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer) and kind_of(column) == "plain":
        return f"{value:,}" if abs(int(value)) >= 10_000 else str(value)
    if isinstance(value, int | float | np.integer | np.floating):
        return written(float(value), kind_of(column), DIGITS.get(column, 4))
    return "" if value is None else str(value)
