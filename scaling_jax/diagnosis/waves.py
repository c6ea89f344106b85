r"""Whether neighbouring runs miss the law alike: a wave of any shape, which no single trend has.

$$S = \sum_{g \ne h} \sum_{i \in g,\, j \in h} k(x_i - x_j)\, r_i r_j$$

over rows of different runs g and h, with a bell-shaped k along the prediction and the scale of the runs.
Where the law is true the signs of whole runs are chance, and flipping them gives the distribution of S. What
is left of a kink in the middle of the data, the law's own curve taken out, turns more often than any trend.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["FLIPS", "flips", "wave"]

FLIPS = 999
FEW_RUNS = 12  # signs alone would be too few patterns to count
WEBB = np.sqrt([0.5, 1.0, 1.5])
REACH = 0.5  # standard deviations of the rows' places over which they are neighbours
MOST_ROWS = 800  # since pairs are looked at


def flips(runs: int) -> np.ndarray:
    """(FLIPS, runs) signs of whole runs; of few runs with sizes as well (Webb 2023)."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (FLIPS, runs))
    return signs * rng.choice(WEBB, signs.shape) if runs < FEW_RUNS else signs


def wave(
    places: Sequence[np.ndarray],
    residual: np.ndarray,
    enlarged: np.ndarray,
    basis: np.ndarray,
    code: np.ndarray,
) -> float:
    """Probability of residuals as alike among neighbours, were the law true.

    Args:
        places: each (rows,), standardised: where rows are neighbours.
        residual: (rows,), what the law absorbs taken out.
        enlarged: (rows,) the same, with what the fit took of each run's own.
        basis: (rows, k) orthonormal, what the law absorbs.
        code: (rows,) number of each row's run.
    """
    seen = slice(None, None, -(-len(residual) // MOST_ROWS))
    _, run = np.unique(code[seen], return_inverse=True)
    runs = int(run.max()) + 1
    alike = sum(np.exp(-0.5 * ((x[seen, None] - x[None, seen]) / REACH) ** 2) for x in places)
    alike = np.where(run[:, None] == run[None, :], 0.0, alike)
    by_run = np.zeros((len(run), runs))
    by_run[np.arange(len(run)), run] = enlarged[seen]
    by_run -= basis[seen] @ (basis[seen].T @ by_run)
    pairs = by_run.T @ alike @ by_run
    signs = flips(runs)
    flipped = np.sum((signs @ pairs) * signs, axis=1)
    found = float(residual[seen] @ alike @ residual[seen])
    return (1 + int(np.sum(flipped >= found))) / (1 + FLIPS)
