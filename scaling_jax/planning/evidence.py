"""What further runs are worth to a decision: seeds that settle it, and the value of knowing more."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.uncertainty.tails import normal_quantile

__all__ = ["pairs_to_settle", "seeds_needed", "value_of_information"]

NODES = 400


def seeds_needed(
    difference: float, sd: float, *, rho: float = 0.0, error: float = 0.05, power: float = 0.9
) -> float:
    r"""How many runs of each of two recipes show a difference.

    $$m = 2 (1 - \rho) \left(z_{1-\text{error}} + z_{\text{power}}\right)^2 \left(\frac{s}{d}\right)^2$$

    Args:
        difference: of the two recipes' losses, in the unit of sd (both in logs, say).
        sd: scatter of one run.
        rho: correlation of the errors of runs that are paired (by data order, say); 0 where nothing was
            estimated.
        error: probability of seeing a difference that is not there, one-sided.
        power: probability of seeing it where it is.

    Returns:
        Runs of each recipe, not rounded.

    >>> round(seeds_needed(0.005, 0.0044), 1), round(seeds_needed(0.01, 0.0074), 1)
    (13.3, 9.4)
    """
    return 2 * (1 - rho) * (normal_quantile(1 - error) + normal_quantile(power)) ** 2 * (sd / difference) ** 2


def value_of_information(gap: ArrayLike, sd: ArrayLike, noise: ArrayLike = 0.0) -> np.ndarray:
    r"""How much loss new evidence on two recipes is expected to save.

    $$\tilde s\,\psi(|\mu| / \tilde s), \quad \psi(z) = \varphi(z) - z\,\Phi(-z), \quad
      \tilde s = \frac{s^2}{\sqrt{s^2 + v^2}}$$

    Args:
        gap: expected difference of the losses mu.
        sd: its standard deviation s.
        noise: standard deviation v of the new evidence on the difference; 0 for knowing it exactly.

    Returns:
        Loss saved, in the unit of the gap.

    Source: Raiffa and Schlaifer 1961, section 5.

    >>> float(value_of_information(0.005, 0.01).round(8))
    0.00197797
    """
    from scipy.special import ndtr

    spread = np.square(sd) / np.sqrt(np.square(sd) + np.square(noise))
    z = np.abs(gap) / spread
    return np.asarray(spread * (np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) - z * ndtr(-z)))


def pairs_to_settle(
    gap: float, sd: float, run_sd: float, walk: float, beyond: float, sure: float
) -> tuple[float, float]:
    """What makes a difference sure, if it is what it seems now.

    Args:
        gap, sd: of the log losses at the place that is asked about.
        run_sd: scatter of one run's log loss.
        walk: step of each recipe's own error per root decade.
        beyond: decades from the largest runs to the place.
        sure: probability wanted.

    Returns:
        More runs of each recipe at the place itself, and how many decades below it one more run of each
        would do (NaN where one at the place itself would not).
    """
    z = normal_quantile(sure)
    if gap == 0:
        return np.inf, np.nan
    missing = (z / gap) ** 2 - 1 / max(sd, 1e-300) ** 2
    if missing <= 0:
        return 0.0, 0.0
    seeds = float(np.ceil(2 * run_sd**2 * missing - 1e-9))
    below = np.linspace(0.0, max(beyond, 0.0), NODES)
    enough = 2 * run_sd**2 + 2 * walk**2 * below <= 1 / missing
    return seeds, float(below[enough].max()) if enough.any() else np.nan
