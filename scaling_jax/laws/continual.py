"""Continual pre-training (Que et al. 2024, Gu et al. 2024): what a share of domain data brings, and what it
costs in general."""

from __future__ import annotations

from typing import Annotated

import jax
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import Interval, NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation
from scaling_jax.laws._shares import power_of_share
from scaling_jax.laws._starts import grid, non_negative_scales

__all__ = ["critical_mixture", "d_cpt", "general_loss"]

QUE = "Que et al. 2024, D-CPT law (arXiv:2406.01375)"
GU = "Gu et al. 2024, CMR scaling law (arXiv:2407.17467)"
Share = Annotated[jax.Array, Interval(0.0, 1.0)]
LEAST_SCALE = 1e-3  # of the lowest loss, for a term that least squares leaves out


def _d_cpt_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Floor and scales by non-negative least squares for each choice of exponents and smallest share."""
    N, D, r = (inputs[name] for name in ("N", "D", "r"))
    axes = grid(
        alpha=[0.2, 0.4], beta=[0.2, 0.4], eta=[0.1, 0.5], gamma=[0.2, 0.6, 1.2], eps=[0.01, 0.1, 0.5]
    )
    found = []
    for alpha, beta, eta, gamma, eps in zip(*axes.values(), strict=True):
        terms = np.stack([np.ones_like(N), N**-alpha, r**eta * D**-beta, (r + eps) ** -gamma], axis=1)
        least = LEAST_SCALE * np.min(target) / np.mean(terms, axis=0)
        found.append(np.maximum(non_negative_scales(terms, target), least))
    return axes | dict(zip("EABC", np.transpose(found), strict=True))


@law(
    cite=QUE,
    starts=_d_cpt_starts,
    ranges={"alpha": (0.1, 0.7), "beta": (0.1, 0.7), "eta": (0.05, 1.0)}
    | {"gamma": (0.1, 1.5), "eps": (0.005, 0.5)},
    units={"N": "parameters", "D": "tokens of continual pre-training", "r": "share"}
    | {"E": "nats/token", "target": "nats/token"},
    priors={
        "E": ("normal", 0.3, 0.6),
        "A": ("normal", 5.0, 3.0),
        "alpha": ("normal", 0.3, 0.15),
        "B": ("normal", 5.0, 3.0),
        "eta": ("normal", -1.0, 1.0),
        "beta": ("normal", 0.3, 0.15),
        "C": ("normal", -1.0, 1.5),
        "eps": ("normal", -2.5, 1.0),
        "gamma": ("normal", 0.5, 0.4),
    },
)
def d_cpt(
    N, D, r: Share, *,
    E: Positive, A: Positive, alpha: Real,
    B: Positive, eta: Positive, beta: Real, C: Positive, eps: Positive, gamma: Real,
):  # fmt: skip
    r"""Loss on a corpus after continual pre-training on D tokens of which a share r is of that corpus.

    $$L = E + A\,N^{-\alpha} + B\,r^{\eta} D^{-\beta} + C\,(r + \varepsilon)^{-\gamma}$$

    Args:
        N: parameters.
        D: tokens of continual pre-training.
        r: share of the corpus whose loss it is, 0 to 1; for the other corpus give 1 - r.
        E: irreducible loss, nats/token.
        A, alpha: scale and exponent of size.
        B, eta, beta: scale of data, and the exponents of share and of tokens.
        C, eps, gamma: what a small share costs; eps keeps it finite where there is none.

    Returns:
        Loss in nats/token. At one r it is `chinchilla`.

    Known to go wrong: nine parameters; without shares near zero eps and C are not told from E. For eta > 0 a
    larger share makes the term of data larger: where it wins over the last one, the corpus's own loss would
    rise with its share. No constants are known to us that can be checked.

    Source: Que et al. 2024.

    >>> constants = {"E": 1.2, "A": 300.0, "alpha": 0.34, "B": 60.0, "beta": 0.25, "eta": 0.3}
    >>> d_cpt(1e9, 1e10, [0.0, 0.5, 1.0], C=0.3, eps=0.1, gamma=0.4, **constants).round(3).tolist()
    [2.215, 1.983, 1.94]
    """
    return E + A / N**alpha + B * power_of_share(r, eta) / D**beta + C / (r + eps) ** gamma


@law(
    cite=GU,
    ranges={"s": (0.3, 4.0)},
    units={"R": "share", "target": "nats/token"},
    priors={"a": ("normal", -2.0, 2.0), "s": ("normal", 0.3, 0.6), "b": ("normal", 0.7, 0.5)},
)
def general_loss(R: Share, *, a: NonNegative, s: Positive, b: Positive):
    r"""General loss after continual pre-training of which a share R is of another domain.

    $$L_{gen} = a\,R^{s} + b$$

    Args:
        R: share of the domain's data, 0 to 1.
        a: by how much the loss is higher where all data are the domain's, nats/token.
        s: exponent.
        b: loss where none are.

    Returns:
        General loss in nats/token; `critical_mixture` reads the largest share off it that costs no more than
        is tolerated.

    Known to go wrong: at one size and number of tokens: the constants change with both.

    Source: Gu et al. 2024.

    >>> general_loss([0.0, 0.5, 1.0], a=0.2, s=2.0, b=2.5).round(3).tolist()
    [2.5, 2.55, 2.7]
    """
    return a * power_of_share(R, s) + b


@relation
def critical_mixture(
    start: ArrayLike, tolerance: ArrayLike = 0.0, *, a: float, s: float, b: float
) -> Numbers:
    r"""The largest share of a domain at which the general loss is no more than tolerated.

    $$R^* = \left(\frac{(1 + T) L_0 - b}{a}\right)^{1/s}$$

    Args:
        start: general loss L_0 before continual pre-training, nats/token.
        tolerance: T, by what share of it the loss may rise.
        a, s, b: constants of `general_loss`.

    Returns:
        The critical mixture ratio, within 0 and 1; 0 where no share is tolerated.

    Source: Gu et al. 2024.

    >>> round(float(critical_mixture(2.5, 0.02, a=0.2, s=2.0, b=2.5)), 3)
    0.5
    """
    room = ((1 + np.asarray(tolerance, dtype=float)) * np.asarray(start, dtype=float) - b) / a
    return np.clip(room, 0.0, 1.0) ** (1 / s)
