"""Approach 1: the envelope of training curves, the lowest loss for each compute, or the hull below them."""

from __future__ import annotations

import warnings as python_warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.allocation.lines import Allocation, AllocationDraws
from scaling_jax.core.checked import checked, shown
from scaling_jax.tables.curves import Curves, read_curves
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.ensemble import generator, is_count
from scaling_jax.uncertainty.resample import counts

__all__ = ["Envelope", "envelope"]

METHODS = ("minimum", "hull")
CELLS_AT_ONCE = 2**22
ROUNDING = 1e-9  # of log compute: a grid's ends are those of the longest runs


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Envelope(Allocation):
    """Best runs over compute; made by `sj.envelope`.

    Args:
        table: flops, N, D, loss, run, edge (no smaller or no larger size had spent as much).
        warnings: what a reader must know.
        curves: the training curves.
        method: "minimum" or "hull".
        points: how many amounts of compute.
    """

    curves: Curves
    method: str
    points: int

    @checked
    def bootstrap(self, n: int = 1000, *, seed: int = 0) -> AllocationDraws:
        """Envelopes of runs drawn with replacement, all at once, and the power laws through each.

        A run left out leaves a gap among the sizes, so the intervals are wide where sizes are few, and they
        hold no noise that neighbouring checkpoints of a run share with each other alone.

        Args:
            n: replicates.
            seed: of the random numbers.

        Returns:
            `AllocationDraws`: `.exponents(level)`, `.optimal(flops, level)`, and `.optima(level)` of the
            minimum envelope.

        Raises:
            ValueError: for no replicates.
        """
        if not is_count(n):
            raise ValueError(f"bootstrap({n}): ask for a positive number of replicates.")
        size = len(self.curves.N)
        present = counts(generator(seed).integers(size, size=(n, size)), size) > 0
        rows = np.log(self.inside["flops"].to_numpy()[self.frontier_rows])
        if self.method == "hull":
            steepest, flattest = _hull_slopes(self.curves)[[0, -1]]
            slopes = -np.geomspace(-steepest, -flattest, self.points)
            stages = _by_slope(self.curves, slopes)
        else:
            stages = _by_compute(self.curves, self.inside["flops"].to_numpy())
        parts = []
        step = max(1, CELLS_AT_ONCE // stages.score.size)
        for first in range(0, n, step):
            best = stages.best(present[first : first + step])
            counted = best.counted
            N, D = (np.where(counted, values, np.nan) for values in (best.N, np.exp(best.log_D)))
            if self.method == "hull":
                log_loss = np.stack([(best.score + slopes * c).max(axis=1) for c in rows], axis=1)
            else:
                log_loss = np.where(counted, best.score, np.nan)[:, self.frontier_rows]
            parts.append((np.exp(best.log_C), N, D, np.exp(log_loss)))
        flops, N, D, loss = (np.concatenate(column) for column in zip(*parts, strict=True))
        lines = self.exponents()[["estimate", "intercept"]].to_numpy()
        return AllocationDraws(
            self, flops, N, D, loss, lines, np.ones(flops.shape[1]), "runs resampled with replacement"
        )


@checked
def envelope(
    runs: TableLike,
    *,
    run: str,
    N: str = "N",
    D: str = "D",
    loss: str = "loss",
    flops: str | None = None,
    method: str = "minimum",
    points: int = 1500,
    smooth: float = 0.0,
) -> Envelope:
    r"""The runs of lowest loss for the compute they have spent, and power laws of their size and tokens.

    $$r^*(C) = \arg\min_r L_r(C), \qquad N^*(C) = N_{r^*(C)} \propto C^a, \qquad
      D^*(C) = D_{r^*}(C) \propto C^b$$

    Args:
        runs: one row per checkpoint.
        run: the column that names runs.
        N, D, loss: columns of parameters, tokens seen and loss.
        flops: the column of compute spent; 6 N D by default.
        method: "minimum", the lowest curve at each of `points` amounts of compute, evenly spaced in log; or
            "hull", the vertices of the lower convex hull of all checkpoints in (log compute, log loss).
        points: how many amounts of compute.
        smooth: standard deviation of a Gaussian over each run's log losses, in checkpoints; 0 for none.

    Returns:
        An `Envelope`: `.table`, `.exponents()`, `.optimal(flops)`, `.frontier`, `.bootstrap()`. Points whose
        best size is the smallest or largest that had spent as much compute are marked `edge` and left out of
        the power laws.

    Raises:
        DataError: for a missing column, values that are not positive, a run whose size changes, fewer than
            three sizes, or fewer than two points inside.
        ValueError: for another method, too few points, or a negative width.

    Known to go wrong: rows from the middle of a decaying learning-rate schedule are worse than runs that end
    there, which favours small models trained to their end: give every size several lengths, as Hoffmann et
    al. did. Noise favours lucky runs: smooth.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), section 3.1 (1,500 amounts, Gaussian of 10 steps); hull:
    McLeish et al. 2025 (arXiv:2502.06857).

    >>> import numpy as np, pandas as pd, scaling_jax as sj
    >>> law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> N, D = np.meshgrid(np.geomspace(1e7, 1e10, 40), np.geomspace(1e8, 1e12, 60))
    >>> N, D = N.ravel(), D.ravel()
    >>> curves = pd.DataFrame({"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **law), "run": N})
    >>> sj.envelope(curves, run="run").exponents()["estimate"].round(2).to_dict()
    {'N': 0.45, 'D': 0.55}
    """
    if method not in METHODS:
        raise ValueError(f"method={shown(method)}: use one of {', '.join(METHODS)}.")
    if points < 10 or not 0 <= smooth < np.inf:
        raise ValueError(
            f"points={points:g}, smooth={smooth:g}: points are ten or more, and a width is not negative."
        )
    curves = read_curves(runs, run=run, N=N, D=D, loss=loss, flops=flops, smooth=smooth)
    sizes = len(np.unique(curves.N))
    if sizes < 3:
        raise DataError(
            f"The runs have {sizes} sizes; an optimum needs smaller and larger ones beside it, so three at "
            "least."
        )
    if method == "hull":
        stages = _by_slope(curves, _hull_slopes(curves))
    else:
        stages = _by_compute(curves, _compute_grid(curves, points))
    table = _table(stages, method)
    inside = table[~table["edge"]]
    notes = []
    if len(inside) < 2 or inside["N"].nunique() < 2:
        raise DataError(
            f"{inside['N'].nunique()} sizes are best anywhere between smaller and larger ones, and a power "
            "law needs two: add sizes, or train them for longer."
        )
    if (best := inside["N"].nunique()) < 4:
        notes.append(f"Only {best} sizes are ever best: the exponents rest on {best} steps.")
    if (share := table["edge"].mean()) > 0.5:
        notes.append(
            f"At {100 * share:.0f} % of the points the best size is the smallest or largest that got there: "
            "they are left out."
        )
    for note in notes:
        python_warnings.warn(note, UserWarning, stacklevel=2)
    return Envelope(table=table, warnings=notes, curves=curves, method=method, points=points)


def _table(stages: _Stages, method: str) -> pd.DataFrame:
    best = stages.best(np.ones((1, len(stages.curves.N)), dtype=bool))
    log_C, score = best.log_C[0], best.score[0]
    log_loss = score if method == "minimum" else stages.loss_at(best.winner[0], log_C)
    table = pd.DataFrame({
        "flops": np.exp(log_C), "N": best.N[0], "D": np.exp(best.log_D[0]), "loss": np.exp(log_loss),
        "run": [stages.curves.labels[k] for k in best.winner[0]], "edge": best.edge[0],
    })  # fmt: skip
    return table[np.isfinite(score)].reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class _Stages:
    """What decides which run is best, stage by stage: its loss at a compute, or how low its tangent lies.

    Args:
        curves: the runs.
        score: (runs, stages) the lowest wins, inf where a run is not there.
        log_C, log_D: (runs, stages) compute and tokens of what wins.
    """

    curves: Curves
    score: np.ndarray
    log_C: np.ndarray
    log_D: np.ndarray

    def loss_at(self, winner: np.ndarray, log_C: np.ndarray) -> np.ndarray:
        """Log loss of the winners at their compute."""
        at = zip(winner, log_C, strict=True)
        return np.array([np.interp(c, *self.curves.rows[k][[0, 2]]) for k, c in at])

    def best(self, present: np.ndarray) -> _Best:
        """The best run of each stage, each (draws, stages), among the runs present (draws, runs)."""
        score = np.where(present[:, :, None], self.score, np.inf)
        winner = score.argmin(axis=1)
        stage = np.arange(self.score.shape[1])
        log_C, N = self.log_C[winner, stage], self.curves.N[winner]
        begins, ends = (np.array([c[k] for c, _, _ in self.curves.rows])[:, None] for k in (0, -1))
        at, sizes = log_C[:, None], self.curves.N[:, None]
        there = present[:, :, None] & (begins <= at + ROUNDING) & (at <= ends + ROUNDING)
        smallest = np.where(there, sizes, np.inf).min(axis=1)
        largest = np.where(there, sizes, 0.0).max(axis=1)
        edge = (smallest >= N) | (largest <= N)
        return _Best(winner, score.min(axis=1), log_C, N, self.log_D[winner, stage], edge)


@dataclass(frozen=True, eq=False)
class _Best:
    """The best run of each stage, each (draws, stages); edge: no smaller or no larger one had got there."""

    winner: np.ndarray
    score: np.ndarray
    log_C: np.ndarray
    N: np.ndarray
    log_D: np.ndarray
    edge: np.ndarray

    @property
    def counted(self) -> np.ndarray:
        """Whether a stage has an optimum inside, and not the one of the stage before it again."""
        again = np.zeros_like(self.edge)
        again[:, 1:] = (np.diff(self.winner, axis=1) == 0) & (np.diff(self.log_C, axis=1) == 0)
        return np.isfinite(self.score) & ~self.edge & ~again


def _by_compute(curves: Curves, flops: np.ndarray) -> _Stages:
    log_D, log_loss = curves.at(flops)
    score = np.where(np.isnan(log_loss), np.inf, log_loss)
    return _Stages(curves, score, np.broadcast_to(np.log(flops), score.shape), log_D)


def _by_slope(curves: Curves, slopes: np.ndarray) -> _Stages:
    """A line of given slope is raised until it touches a curve, in a vertex of the hull; the lowest wins."""
    found = []
    for log_C, log_D, log_loss in curves.rows:
        height = log_loss - slopes[:, None] * log_C
        at = height.argmin(axis=1)
        found.append((height.min(axis=1), log_C[at], log_D[at]))
    score, log_C, log_D = np.moveaxis(np.array(found), 1, 0)
    return _Stages(curves, score, log_C, log_D)


def _compute_grid(curves: Curves, points: int) -> np.ndarray:
    ends = np.array([(c[0], c[-1]) for c, _, _ in curves.rows])
    return np.exp(np.linspace(ends.min(), ends.max(), points))


def _hull_slopes(curves: Curves) -> np.ndarray:
    """One slope per vertex of the falling part of the lower convex hull, between those of its two edges."""
    x, _, y = np.concatenate(curves.rows, axis=1)
    hull: list[int] = []
    for k in np.lexsort((y, x)):
        if hull and x[hull[-1]] == x[k]:
            continue
        while len(hull) > 1 and _turns_up(x, y, hull[-2], hull[-1], k) <= 0:
            hull.pop()
        hull.append(int(k))
    edges = np.diff(y[hull]) / np.diff(x[hull])
    edges = edges[edges < 0]
    if not len(edges):
        raise DataError(
            "No run has a lower loss than the one with the least compute: there is no hull to follow."
        )
    return np.concatenate([[2 * edges[0]], (edges[1:] + edges[:-1]) / 2, [edges[-1] / 2]])


def _turns_up(x: np.ndarray, y: np.ndarray, i: int, j: int, k: int) -> float:
    return (x[j] - x[i]) * (y[k] - y[i]) - (y[j] - y[i]) * (x[k] - x[i])
