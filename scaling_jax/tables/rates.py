"""Columns of curves: what a user gives for them becomes positions in a list of distinct curves.

A curve is given by the name of its run, in a column of curves or of rates, or as one for all rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.core.checked import one_line, shown
from scaling_jax.core.curves import Curve, CurveColumn, Rates
from scaling_jax.core.law import Law
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError

__all__ = ["curve_column", "is_one_curve", "taken_apart"]

Named = Mapping[Hashable, Any]
"""Curves, or rates, by name."""


def taken_apart(law: Law, table: TableLike) -> tuple[TableLike, dict[str, Any]]:
    """A mapping without what it gives for curves, and that, by input; any other table as it is."""
    if not isinstance(table, Mapping) or not law.curves:
        return table, {}
    curves = {name: table[name] for name in law.curves if name in table}
    return {name: values for name, values in table.items() if name not in curves}, curves


def is_one_curve(source: object) -> bool:
    """Whether this is one curve, by itself or as its rates."""
    if isinstance(source, Rates):
        return True
    if isinstance(source, str | pd.Series | Mapping) or callable(source):
        return False
    try:
        found = np.asarray(source)
    except ValueError:  # curves of different lengths
        return False
    return found.ndim == 1 and found.dtype.kind in "iuf"


def curve_column(law: Law, name: str, cells: pd.Series, along: np.ndarray, named: Named) -> CurveColumn:
    """What rows see of their curves, each distinct view once.

    Args:
        law: the law.
        name: its input.
        cells: (rows,) curves, rates, or names.
        along: (rows,) the updates at which the curves are seen.
        named: the curves that go by a name.

    Raises:
        DataError: naming the curve that is none, or the first row that has none.
    """
    _check_kind(law, name, cells, named)
    labels = cells.to_numpy()
    given = [named[label] if _names(label, named) else label for label in labels]
    code, first = _codes(given)
    members = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    known: dict[Hashable, Rates] = {}
    views, start, positions = [], 0, np.empty(len(cells))
    for one, rows in zip(first, members, strict=True):
        label = labels[one] if _names(labels[one], named) else None
        rates = _rates(name, given[one], label, cells.index[one], named)
        places, which = np.unique(_on_curve(law, name, along, rates, rows, cells.index), return_inverse=True)
        views.append(rates.seen_from(places))
        positions[rows] = start + which
        start += len(places)
        known |= {labels[row]: rates for row in rows if _names(labels[row], named)}
    return CurveColumn(positions, Curve.joined(views), _others(named, known) | known)


def _others(named: Named, known: Named) -> dict[Hashable, Rates]:
    """Curves of runs that have no rows here, for predictions; what is none of them is not missed yet."""
    found = {}
    for label, cell in named.items():
        if label not in known:
            with suppress(TypeError, ValueError):
                found[label] = cell if isinstance(cell, Rates) else Rates(cell)
    return found


def _on_curve(
    law: Law, name: str, along: np.ndarray, rates: Rates, rows: np.ndarray, index: pd.Index
) -> np.ndarray:
    """Where rows of one curve lie on it: whole updates, none beyond its last."""
    places = along[rows]
    bad = ~((places >= 1) & (places <= len(rates)) & (places == np.floor(places)))
    if bad.any():
        at = int(np.argmax(bad))
        raise DataError(
            f"Input {law.along} is {places[at]:g} in row {one_line(index[rows[at]])}, and its curve {name} "
            f"has updates 1 to {len(rates)}: give whole updates, and the rate of every update up to the last "
            "checkpoint."
        )
    return places


def _check_kind(law: Law, name: str, cells: pd.Series, named: Named) -> None:
    if pd.api.types.is_numeric_dtype(cells.dtype) and not named:
        raise DataError(
            f"Input {name} of law '{law.name}' is the curve of each run, one rate per update, and the "
            f"table has one number per row: give inputs={{{name!r}: {{run: rates}}}} with run=, or make "
            "curves of a log with sj.schedules.from_table."
        )


def _codes(cells: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) the code of each cell, and the first row of each; arrays are told apart by identity."""
    places: dict[Hashable, int] = {}
    keys = [cell if _hashable(cell) else id(cell) for cell in cells]
    code = np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)
    return code, np.unique(code, return_index=True)[1]


def _rates(name: str, cell: Any, label: Hashable, row: object, named: Named) -> Rates:
    if isinstance(cell, Rates):
        return cell
    of = f"run {shown(label)}" if label is not None else f"row {one_line(row)}"
    if not isinstance(cell, np.ndarray | list | tuple | pd.Series):
        known = f"; there are {shown(list(named))}" if named else ""
        raise DataError(f"Input {name} has no curve for {shown(cell)}, in row {one_line(row)}{known}.")
    try:
        return Rates(cell)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Input {name}, the curve of {of}: {one_line(error)}; give one rate for every update."
        ) from None


def _names(cell: object, named: Named) -> bool:
    """Whether a cell is the name of a curve."""
    return _hashable(cell) and cell in named


def _hashable(cell: object) -> bool:
    return not isinstance(cell, np.ndarray | list | tuple | dict | pd.Series)
