r"""How one run's checkpoints scatter around the law: an offset of its own, errors that fade along the run,
and noise.

$$r_t = b + u_t + \varepsilon_t, \qquad b \sim N(0, s_b^2), \quad
  \operatorname{cov}(u_t, u_{t'}) = s_u^2 e^{-|\ln D_t - \ln D_{t'}| / \ell}, \quad
  \varepsilon_t \sim N(0, s_\varepsilon^2)$$

on the objective's scale. The four scales are those of the runs that were fitted, by maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

__all__ = ["Scatter", "scatter_of"]

FADES = (0.05, 0.15, 0.5, 1.5)
SHARES = (0.0, 0.3, 0.6, 0.9)
"""Of the variance inside a run that fades; the rest is noise."""
OFFSETS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The offset's scale over that inside a run."""
TINY = 1e-300


@dataclass(frozen=True)
class Scatter:
    """The scales of a run's process.

    Args:
        offset: of the run's own level.
        fading: of errors that fade along the run.
        noise: of every checkpoint alone.
        fade: natural logs along the run over which the errors fade.
        free: degrees of freedom behind the scale inside a run.
    """

    offset: float
    fading: float
    noise: float
    fade: float
    free: int

    def covariance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Between residuals at logs x and y along one run, without the noise."""
        distance = np.abs(x[:, None] - y[None, :])
        return self.offset**2 + self.fading**2 * np.exp(-distance / self.fade)


def scatter_of(runs: Sequence[tuple[np.ndarray, np.ndarray]], flat: bool = False) -> Scatter:
    """The likeliest process of runs, each (logs along the run, residuals).

    Args:
        runs: the runs.
        flat: whether nothing is known of offsets (one run alone): the likelihood then leaves out the level.
    """
    n = sum(len(x) for x, _ in runs)
    taken = len(runs) if flat else 0
    best = (np.inf, Scatter(0.0, 0.0, TINY, 1.0, 1))
    for offset, share, fade in product((0.0,) if flat else OFFSETS, SHARES, FADES):
        if not share and fade != FADES[0]:
            continue  # of noise alone nothing fades
        unit = Scatter(offset, share**0.5, (1 - share) ** 0.5, fade, max(n - taken, 1))
        log_size, square = map(sum, zip(*(_likelihood(unit, x, r, flat) for x, r in runs), strict=True))
        scale2 = max(square / max(n - taken, 1), TINY)
        value = log_size + (n - taken) * np.log(scale2)
        if value < best[0]:
            scale = scale2**0.5
            best = (value, Scatter(scale * offset, scale * unit.fading, scale * unit.noise, fade, unit.free))
    return best[1]


def _likelihood(unit: Scatter, x: np.ndarray, r: np.ndarray, flat: bool) -> tuple[float, float]:
    """Log determinant and weighted square of one run's residuals."""
    V = unit.covariance(x, x) + unit.noise**2 * np.eye(len(x))
    root = np.linalg.cholesky(V + 1e-12 * np.eye(len(x)))
    z = np.linalg.solve(root, r)
    log_size = 2 * float(np.log(np.diag(root)).sum())
    if flat:
        one = np.linalg.solve(root, np.ones(len(x)))
        z = z - one * (one @ z) / (one @ one)
        log_size += float(np.log(one @ one))
    return log_size, float(z @ z)
