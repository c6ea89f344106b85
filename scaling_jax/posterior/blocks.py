"""Rows of several tables laid out in blocks of one width: a run each, or a group where runs are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scaling_jax.tables.runs import DataError, Runs

__all__ = ["Blocks", "codes_of", "offsets_of_runs"]


class Blocks(NamedTuple):
    """How rows lie in blocks (blocks, width).

    Args:
        block, column: (rows,) the place of each row.
        lead: (blocks,) the first row of each block, whose values pad it.
        width: rows of the largest block.
        group: (blocks,) the group of each block.
    """

    block: np.ndarray
    column: np.ndarray
    lead: np.ndarray
    width: int
    group: np.ndarray

    @classmethod
    def of(cls, codes: Sequence[np.ndarray]) -> Blocks:
        """The blocks of several groups, from the block of each row within its group."""
        n_blocks = [int(c.max()) + 1 for c in codes]
        firsts = np.cumsum([0, *n_blocks[:-1]])
        block = np.concatenate([first + code for first, code in zip(firsts, codes, strict=True)])
        order, count = np.argsort(block, kind="stable"), np.bincount(block)
        begins = np.cumsum(count) - count
        column = np.empty(len(block), dtype=int)
        column[order] = np.arange(len(block)) - np.repeat(begins, count)
        group = np.repeat(np.arange(len(codes)), n_blocks)
        return cls(block, column, order[begins], int(count.max()), group)

    @property
    def places(self) -> np.ndarray:
        """(rows,) places in the blocks laid flat."""
        return self.block * self.width + self.column

    @property
    def filled(self) -> np.ndarray:
        """(blocks, width) whether a row lies there."""
        found = np.zeros((len(self.lead), self.width), dtype=bool)
        found[self.block, self.column] = True
        return found

    def laid(self, values: np.ndarray) -> np.ndarray:
        """Values (rows,) as (blocks, width), each block padded with its first."""
        out = np.repeat(values[self.lead][:, None], self.width, axis=1)
        out[self.block, self.column] = values
        return out


def offsets_of_runs(runs: Sequence[Runs], asked: bool | None) -> bool:
    """Whether runs have offsets of their own: as asked, else where one is known to have several rows."""
    known = all(r.run is not None for r in runs)
    if asked and not known:
        raise DataError(
            "run_effects=True needs to know the runs: fit with run=, the column that says which rows are "
            "one run."
        )
    return known and any(_repeats(r) for r in runs) if asked is None else bool(asked)


def _repeats(runs: Runs) -> bool:
    used = np.asarray(runs.run)[runs.weight > 0]
    return len(np.unique(used)) < len(used)


def codes_of(runs: Runs, run_effects: bool) -> np.ndarray:
    """(rows,) a group's blocks, counted from 0: its runs, or all of it."""
    if not run_effects:
        return np.zeros(len(runs), dtype=int)
    return np.unique(np.asarray(runs.run), return_inverse=True)[1]
