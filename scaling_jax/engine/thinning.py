"""Rows that stand for a long table while starts are sought: some of every stretch of it, and its extremes."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.arrays import Columns, Numbers

__all__ = ["LONG", "REPRESENTATIVES", "representative_rows"]

LONG = 4096  # padded rows; a longer table is searched on representatives
REPRESENTATIVES = 2048
GOLDEN = 0.5 * (5**0.5 - 1)


def representative_rows(
    weight: Numbers, inputs: Columns, most: int, order: Numbers | None = None
) -> tuple[Numbers, Numbers]:
    """At most `most` rows of a table, and the factors (picked,) by which their weights stand for all rows.

    The table is cut into equal stretches, half by weight and half by rows, and one row is taken out of each,
    at a place that differs from stretch to stretch: grids have periods. A row that weighs much is never left
    out, one that weighs nothing never taken, and the largest and smallest of every input are added.

    Args:
        weight: (rows,).
        inputs: columns (rows,).
        most: how many.
        order: (rows,) positions in the order in which the table is cut; as it stands if None.
    """
    order = np.arange(len(weight)) if order is None else order
    used = order[weight[order] > 0]
    if len(used) <= most:
        return np.sort(used), np.ones(len(used))
    chance = 0.5 * weight[used] / np.sum(weight[used]) + 0.5 / len(used)
    extremes = [pick(column[used]) for column in inputs.values() for pick in (np.argmin, np.argmax)]
    stretch = np.arange(most - len(extremes))
    at = (stretch + stretch * GOLDEN % 1) / len(stretch)
    regular = np.searchsorted(np.cumsum(chance), at).clip(max=len(used) - 1)
    picked, hits = np.unique(np.append(regular, np.array(extremes, dtype=int)), return_counts=True)
    return used[picked], hits / (most * chance[picked])
