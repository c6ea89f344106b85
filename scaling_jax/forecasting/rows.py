"""The rows a forecast starts from, and the cut-offs inside them: every back-test is the forecast itself,
made from fewer rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scaling_jax.forecasting.mixed import Piece
from scaling_jax.tables.runs import Runs, run_weights

__all__ = ["FEWEST_ROWS", "WEIGHTINGS", "Cut", "Known", "cutoffs"]

FEWEST_ROWS, FEWEST_LEVELS = 3, 2
FACTORS = (2.0, 4.0, 8.0)  # how far below the largest size rows are cut off, beside the horizon asked for
MOST_CUTS = 4
MOST_POINTS = 12  # of each cut-off that are predicted
MOST_PER_RUN = 12  # checkpoints of one run that are used
HALF = 4  # rows that the upper half has at least
REACH = 0.25  # of the range of compute, over which size weights fall by e
WEIGHTINGS = ("all", "size", "half")


@dataclass(frozen=True, eq=False)
class Known:
    """Rows of one family as logarithms.

    Args:
        names: what the inputs are called.
        inputs: (rows, inputs).
        target: (rows,).
        weight: (rows,), which sum to how many runs the rows are worth.
        run: (rows,) codes, or None where every row is a run.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    run: np.ndarray | None

    @classmethod
    def of(cls, runs: Runs) -> Known:
        """A table as read; of a run with many checkpoints some, evenly spaced on the logarithm."""
        names = tuple(runs.inputs)
        inputs, target = np.log(np.stack(list(runs.inputs.values()), axis=1)), np.log(runs.target)
        if runs.run is None:
            return cls(names, inputs, target, runs.weight, None)
        kept = _thinned(inputs.sum(axis=1), runs.run)
        run = np.unique(runs.run[kept], return_inverse=True)[1]
        alike = run_weights(run) / len(run) * (run.max() + 1)
        return cls(names, inputs[kept], target[kept], runs.weight[kept] * alike, run)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Known:
        """Some of the rows."""
        run = None if self.run is None else self.run[rows]
        return Known(self.names, self.inputs[rows], self.target[rows], self.weight[rows], run)

    @cached_property
    def end(self) -> tuple[np.ndarray, float]:
        """The largest inputs and the smallest target: what the rows are measured in."""
        return self.inputs.max(axis=0), float(self.target.min())

    def log_compute(self, points: np.ndarray) -> np.ndarray:
        """(n,) logarithm of N D where the inputs hold both, else of the first input."""
        budget = [i for i, name in enumerate(self.names) if name in ("N", "D")]
        return points[:, budget if len(budget) == 2 else [0]].sum(axis=1)

    @cached_property
    def compute(self) -> np.ndarray:
        """(rows,) that of the rows."""
        return self.log_compute(self.inputs)

    def beyond(self, points: np.ndarray) -> np.ndarray:
        """Decades by which points (n, inputs) lie beyond the range of the rows, the farthest input."""
        low, high = self.inputs.min(axis=0), self.inputs.max(axis=0)
        return np.maximum(np.maximum(points - high, low - points).max(axis=1), 0.0) / np.log(10.0)

    def horizon(self, points: np.ndarray) -> np.ndarray:
        """Decades of compute from the largest row to points (n, inputs)."""
        return (self.log_compute(points) - self.compute.max()) / np.log(10.0)

    def weighted(self, weighting: str) -> np.ndarray:
        """(rows,) the weights under one of `WEIGHTINGS`."""
        if weighting == "half":
            kept = self.compute >= np.median(self.compute)
            return self.weight * kept if kept.sum() >= HALF else self.weight
        if weighting == "size":
            below = self.compute.max() - self.compute
            share = np.exp(-below / max(REACH * below.max(), 1e-9))
            # as many runs as weights so uneven are worth
            worth = (self.weight * share).sum() / (self.weight * share**2).sum()
            return self.weight * share * worth
        return self.weight

    def piece(self, weighting: str) -> Piece:
        """The rows under one weighting, in units of their end."""
        size, level = self.end
        weight = self.weighted(weighting)
        kept = weight > 1e-4 * weight.max()
        rows = self.inputs[kept] - size, self.target[kept] - level, weight[kept]
        return Piece(self.names, *rows, size, level)


@dataclass(frozen=True, eq=False)
class Cut:
    """A table cut off below some size, and what it is to predict.

    Args:
        rows: the rows that stay.
        points: (points, inputs).
        truth: (points,) what happened, NaN for what is asked.
    """

    rows: Known
    points: np.ndarray
    truth: np.ndarray

    @cached_property
    def horizon(self) -> np.ndarray:
        """(points,) decades of compute ahead."""
        return self.rows.horizon(self.points)


def cutoffs(known: Known, asked: np.ndarray) -> list[Cut]:
    """The whole table, asked for points (n, inputs), and then the table without its largest sizes."""
    cuts = [Cut(known, asked, np.full(len(asked), np.nan))]
    levels = [np.unique(column) for column in known.inputs.T]
    by = next((i for i, one in enumerate(levels) if len(one) > FEWEST_LEVELS), None)
    if by is None:
        return cuts
    size, level = known.inputs[:, by], levels[by]
    reach = max(float(asked[:, by].max()) - level[-1], 0.0)
    for limit in _limits(level, [reach, reach / 2, *np.log(FACTORS)]):
        inside = size <= limit
        ahead = _last_rows(known, ~inside)
        if inside.sum() >= FEWEST_ROWS:
            cuts.append(Cut(known.take(inside), known.inputs[ahead], known.target[ahead]))
    return cuts


def _limits(level: np.ndarray, below: Sequence[float]) -> list[float]:
    """Sizes at which to cut, at most some: the nearest level at or under each distance below the largest."""
    found: list[float] = []
    for distance in below:
        at = level[(level <= level[-1] - distance + 1e-9) & (level < level[-1])]
        if distance > 0 and len(at) >= FEWEST_LEVELS and float(at[-1]) not in found:
            found.append(float(at[-1]))
    if not found and len(level) > FEWEST_LEVELS:
        found = [float(level[-2])]
    return sorted(found, reverse=True)[:MOST_CUTS]


def _last_rows(known: Known, left: np.ndarray) -> np.ndarray:
    """Positions of the last row of each run among those left out, at most some, evenly spaced in compute."""
    rows = np.flatnonzero(left)
    rows = rows[np.argsort(known.compute[rows], kind="stable")]
    if known.run is not None:
        rows = np.array(list({known.run[row]: row for row in rows}.values()))
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS)).round().astype(int))]


def _thinned(size: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Positions of at most so many rows per run, evenly spaced, the last one kept, in the table's order."""
    kept = []
    for code in np.unique(run):
        rows = np.flatnonzero(run == code)
        rows = rows[np.argsort(size[rows], kind="stable")]
        if len(rows) > MOST_PER_RUN:
            wanted = np.linspace(size[rows[0]], size[rows[-1]], MOST_PER_RUN)
            nearest = np.abs(size[rows][None] - wanted[:-1, None]).argmin(axis=1)
            rows = rows[np.unique([*nearest, len(rows) - 1])]
        kept.append(rows)
    return np.sort(np.concatenate(kept))
