r"""The likelihood behind every objective: its own density with the scale profiled, and the criteria that rest
on it.

An objective that charges a residual rho(r) is the negative logarithm of the density exp(-t rho(r)) / Z(t).
With t chosen best, the log-likelihood is a function of the mean charge alone, so the law that minimises the
objective maximises the likelihood. This is the one place where likelihoods, AICc and BIC are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.checked import shown
from scaling_jax.core.counts import saturated
from scaling_jax.core.objective import Objective
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.uncertainty.tails import erf

__all__ = ["Information", "information", "log_likelihood", "mean_log_density", "standardised_log_likelihood"]

HALVINGS = 60


class Information(NamedTuple):
    """What a fit's likelihood says: log_likelihood, n rows of positive weight, k parameters (the scale
    counts), AICc, BIC."""

    log_likelihood: float
    n: int
    k: int
    aicc: float
    bic: float


def mean_log_density(objective: Objective, charge: ArrayLike) -> np.ndarray:
    r"""The highest mean log-density per row that any scale gives residuals of a mean charge.

    $$\max_t \left(-t\,\bar\rho - \log\int e^{-t\rho(r)}\,dr\right)$$

    The maximum lies at 1/2 <= t rho <= 1, Gaussian and Laplace residuals being the ends, so halving that
    interval finds it.

    Args:
        objective: gives rho.
        charge: mean of rho over rows, any shape.

    Returns:
        Mean log-density of the residuals on the objective's scale, same shape; infinite for a perfect fit.

    >>> from scaling_jax import SquaredError
    >>> round(float(mean_log_density(SquaredError(), 1.0)) + 0.5 * (1 + math.log(2 * math.pi)), 9)
    0.0
    """
    if objective.counts is not None:
        return -np.asarray(charge, dtype=float)  # it is the likelihood itself, and has no scale
    delta, over, scale = objective.numbers
    charge = np.asarray(charge, dtype=float)
    perfect, charge = charge <= 0, np.where(charge > 0, charge, 1.0)
    if delta == 0:  # corners: two exponentials, t rho = 1 exactly
        return np.where(perfect, np.inf, -1 - np.log(charge * (1 + 1 / over)))

    def centre_and_tail(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Integrals of exp(-t rho) where it is quadratic and where it is linear, both sides of zero."""
        sharpness = np.stack([t * scale, t * scale * over])
        centre = np.sqrt(math.pi / (2 * sharpness)) * erf(delta * np.sqrt(sharpness / 2))
        tail = (
            np.zeros_like(centre)
            if np.isinf(delta)
            else np.exp(-(delta**2) * sharpness / 2) / (delta * sharpness)
        )
        return centre.sum(axis=0), tail.sum(axis=0)

    def short_of(u: np.ndarray) -> np.ndarray:
        centre, tail = centre_and_tail(u / charge)
        return (0.5 * centre + tail) / (
            centre + tail
        ) - u  # the expected t rho, less u = t times the mean charge

    u = _bisect(short_of, np.full(charge.shape, 0.5), np.ones(charge.shape))
    return np.where(perfect, np.inf, -u - np.log(sum(centre_and_tail(u / charge))))


def standardised_log_likelihood(residuals: ArrayLike, delta: float = 1e-3) -> float:
    r"""The highest log-likelihood of residuals under Huber's density with its threshold in units of the
    scale.

    $$\max_\sigma \sum_i \left[-\mathrm{Hub}_\delta(r_i/\sigma) - \log\sigma\right]
      - n \log\left(\sqrt{2\pi}\,(1 - 2\,\mathrm{sf}(\delta)) + \tfrac{2}{\delta} e^{-\delta^2/2}\right)$$

    With a small delta this is all but a Laplace density. It ranks parameters as Besiroglu et al. 2024
    (arXiv:2404.10102) do; unlike `log_likelihood` it is not highest at the optimum of the Huber objective,
    whose threshold is in units of the residual.

    Args:
        residuals: (rows,), such as log(prediction) - log(loss).
        delta: threshold in standardised units.

    >>> round(standardised_log_likelihood([-0.1, 0.2, -0.3], delta=1e3), 6)
    0.340272
    """
    size = np.abs(np.asarray(residuals, dtype=float))

    def too_wide(log_sigma: np.ndarray) -> np.ndarray:
        scaled = size / np.exp(log_sigma)
        return np.sum(scaled * np.minimum(scaled, delta)) - len(size)

    span = np.log(np.max(size)) + np.array([-60.0, 60.0])
    sigma = np.exp(_bisect(too_wide, span[:1], span[1:]))[0]
    scaled = size / sigma
    inner = np.minimum(scaled, delta)
    normaliser = math.sqrt(2 * math.pi) * math.erf(delta / math.sqrt(2)) + 2 / delta * math.exp(
        -(delta**2) / 2
    )
    return float(
        -np.sum(inner * (scaled - 0.5 * inner)) - len(size) * (math.log(sigma) + math.log(normaliser))
    )


def log_likelihood(fit: Fitted, of: str = "target") -> float:
    """The log-likelihood of a fit under its objective's own density, scale profiled.

    Weights count as repeated rows and are scaled to one per row on average, so that weights times a constant
    change nothing.

    Args:
        fit: a fit with its data.
        of: "target": density of the target in natural units, comparable between objectives on logs and on raw
            values (the Jacobian is in); "residual": density on the objective's scale.

    Raises:
        DataError: when the data are not attached.
        ValueError: for another word.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 2, 4, 8], "loss": [1.01, 0.99, 1.02, 0.98]}
    >>> fit = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError(on="raw"))
    >>> round(log_likelihood(fit), 3)
    11.308
    """
    if of not in ("target", "residual"):
        raise ValueError(
            f"of={shown(of)}: 'target' is the density of the target itself, 'residual' that on the "
            "objective's "
            "scale."
        )
    runs = fit.data()
    used = runs.weight > 0
    weight = runs.weight[used] * used.sum() / runs.weight.sum()
    total = used.sum() * float(mean_log_density(fit.objective, fit.objective_value / runs.weight.sum()))
    if of == "target" and fit.objective.counts is not None:
        assert runs.target_se is not None
        return float(total + weight @ saturated(runs.target[used], np.round(runs.target_se[used] ** -2)))
    if of == "target":
        if fit.objective.on == "log":
            total -= float(weight @ np.log(runs.target[used]))
        if runs.target_se is not None:
            total -= float(weight @ np.log(runs.target_se[used]))
    return float(total)


def information(fit: Fitted) -> Information:
    r"""AICc and BIC of a fit, with what they are made of.

    $$\mathrm{AICc} = -2\ell + 2k + \frac{2k(k+1)}{n-k-1}, \qquad \mathrm{BIC} = -2\ell + k\log n$$

    k counts the free parameters and the scale (counts have none); AICc is NaN when n <= k + 1.

    Source: Hurvich and Tsai 1989; Schwarz 1978.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 2, 4, 8], "loss": [1.01, 0.99, 1.02, 0.98]}
    >>> found = information(sj.fit(sj.laws.power_law, table))
    >>> found.n, found.k, found.aicc
    (4, 3, nan)
    """
    if fit.reason:
        return Information(np.nan, 0, 0, np.nan, np.nan)
    n, k = int((fit.data().weight > 0).sum()), int(fit.evidence.free.sum()) + (fit.objective.counts is None)
    found = log_likelihood(fit)
    aicc = -2 * found + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.nan
    return Information(found, n, k, aicc, -2 * found + k * math.log(n))


def _bisect(falling: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a falling function crosses zero, elementwise."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        above = falling(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return 0.5 * (low + high)
