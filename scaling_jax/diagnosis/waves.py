r"""Whether neighbouring runs miss the law alike: a wave of any shape, which no single trend has.

$$S = \sum_{g \ne h} \sum_{i \in g,\, j \in h} k(x_i - x_j)\, r_i r_j$$

over rows of different runs g and h, with a bell-shaped k along the prediction and the scale of the runs.
Where the law is true the signs of whole runs are chance, and flipping them gives the distribution of S. What
is left of a kink in the middle of the data, the law's own curve taken out, turns more often than any trend.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["FLIPS", "flips", "thinned", "wave"]

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


def thinned(code: np.ndarray) -> tuple[np.ndarray, int]:
    """(rows,) the runs of the rows that are looked at, numbered, and how many they are."""
    if len(code) <= MOST_ROWS:
        return code, int(code.max(initial=-1)) + 1
    names, run = np.unique(code[:: _step(code)], return_inverse=True)
    return run, len(names)


def wave(
    places: Sequence[np.ndarray],
    residual: np.ndarray,
    enlarged: np.ndarray,
    basis: np.ndarray,
    code: np.ndarray,
) -> np.ndarray:
    """(fits,) probability of residuals as alike among neighbours, were the law true.

    Args:
        places: each (fits, rows), standardised: where rows are neighbours.
        residual: (fits, rows), what the law absorbs taken out.
        enlarged: (fits, rows) the same, with what the fit took of each run's own.
        basis: (fits, rows, k) orthonormal, what the law absorbs.
        code: (fits, rows) number of each row's run, equally many runs among the rows that are looked at.
    """
    seen, runs = slice(None, None, _step(code)), thinned(code[0])[1]
    run = np.stack([thinned(one)[0] for one in code])
    residual, basis = residual[:, seen], basis[:, seen]
    alike = sum(np.exp(-0.5 * ((x[:, seen, None] - x[:, None, seen]) / REACH) ** 2) for x in places)
    alike = np.where(run[:, :, None] == run[:, None, :], 0.0, alike)
    by_run = np.where(run[..., None] == np.arange(runs), enlarged[:, seen, None], 0.0)
    by_run -= basis @ (np.swapaxes(basis, 1, 2) @ by_run)
    pairs = np.swapaxes(by_run, 1, 2) @ alike @ by_run
    signs = flips(runs)
    flipped = np.einsum("fsr,sr->fs", signs @ pairs, signs)
    found = (residual[:, None] @ alike @ residual[..., None])[:, 0]
    return (1 + np.sum(flipped >= found, axis=1)) / (1 + FLIPS)


def _step(code: np.ndarray) -> int:
    return -(-code.shape[-1] // MOST_ROWS)
