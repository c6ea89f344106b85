"""Total against non-embedding parameters (Pearce and Song 2024): relations between the two counts, and a law.

How a run's parameters are counted turns one exponent of the optimum into another. `total_parameters`,
`nonembedding_compute` and `nonembedding_exponent` are that relation; `nonembedding` is the law to fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation

__all__ = [
    "OMEGA",
    "nonembedding",
    "nonembedding_compute",
    "nonembedding_exponent",
    "total_parameters",
]

OMEGA = 47491.0
"""Embedding parameters per cube root of non-embedding ones: vocabulary 32,000, width over depth 39.2."""


@relation
def total_parameters(N: ArrayLike, omega: float = OMEGA) -> Numbers:
    r"""Total parameters of a transformer with N non-embedding ones, at a fixed shape.

    $$N_T = N + \omega N^{1/3}$$

    Args:
        N: non-embedding parameters.
        omega: embedding parameters per cube root of N.

    Returns:
        Parameters.

    Source: Pearce and Song 2024 (arXiv:2406.12907), eq. 6.

    >>> round(float(total_parameters(1e9)) / 1e9, 3)
    1.047
    """
    return np.add(N, omega * np.cbrt(N))


@relation
def nonembedding_compute(
    N: ArrayLike, *, A: float, B: float, alpha: float, beta: float, omega: float = OMEGA
) -> Numbers:
    r"""Non-embedding compute at which N is optimal, when loss follows Chinchilla in total parameters.

    $$C = 6N\left(N + \tfrac{\omega}{3} N^{1/3}\right)^{-1/\beta}
      N_T^{(1 + \alpha)/\beta}\left(\frac{\beta B}{\alpha A}\right)^{1/\beta}$$

    Args:
        N: non-embedding parameters.
        A, B, alpha, beta: constants of `laws.chinchilla`, N counted in total.
        omega: embedding parameters per cube root of N.

    Returns:
        Compute 6 N D, FLOP, embedding parameters not counted.

    Source: Pearce and Song 2024, eq. 11.

    >>> round(float(nonembedding_compute(1e9, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)) / 1e20, 3)
    1.548
    """
    sizes = np.asarray(N, dtype=float)
    slope = (sizes + omega / 3 * np.cbrt(sizes)) ** (-1 / beta)
    total = total_parameters(sizes, omega) ** ((1 + alpha) / beta)
    return 6 * sizes * slope * total * (beta * B / (alpha * A)) ** (1 / beta)


@relation
def nonembedding_exponent(N: ArrayLike, *, alpha: float, beta: float, omega: float = OMEGA) -> np.ndarray:
    r"""Local exponent g of the optimal non-embedding size in non-embedding compute, g = d ln N / d ln C.

    $$\frac{1}{g} = 1 - \frac{1}{\beta}\,\frac{x + \omega/9}{x + \omega/3}
      + \frac{1 + \alpha}{\beta}\,\frac{x + \omega/3}{x + \omega}, \qquad x = N^{2/3}$$

    Args:
        N: non-embedding parameters.
        alpha, beta: exponents of `laws.chinchilla`.
        omega: embedding parameters per cube root of N.

    Returns:
        The exponent: beta / (beta + alpha / 3) for small N, beta / (alpha + beta) for large, with a peak
        between.

    Source: Pearce and Song 2024, eq. 13 (about .78 over Kaplan's range of compute, with the replication's
    constants).

    >>> nonembedding_exponent([1.0, 1e6, 1e15], alpha=0.3478, beta=0.3658).round(3).tolist()
    [0.759, 0.963, 0.513]
    """
    x = np.asarray(N, dtype=float) ** (2 / 3)
    compute = (x + omega / 9) / (x + omega / 3) / beta
    total = (1 + alpha) / beta * (x + omega / 3) / (x + omega)
    return 1 / (1 - compute + total)


@law(
    cite="Pearce and Song 2024 (arXiv:2406.12907), eq. 7",
    ranges={"alpha": (0.05, 1.2), "beta": (0.05, 1.2), "omega": (1e3, 3e6)},
    units={"N": "non-embedding parameters", "D": "tokens", "E": "nats/token", "target": "nats/token"},
    priors={
        "E": ("normal", 0.5, 0.5),
        "A": ("normal", 6.0, 3.0),
        "B": ("normal", 6.0, 3.0),
        "alpha": ("normal", 0.35, 0.15),
        "beta": ("normal", 0.35, 0.15),
        "omega": ("normal", 10.8, 1.0),
    },
)
def nonembedding(N, D, *, E: Positive, A: Positive, B: Positive, alpha: Real, beta: Real, omega: Positive):
    r"""Chinchilla's loss when only the non-embedding parameters of each run are known.

    $$L(N, D) = E + A\left(N + \omega N^{1/3}\right)^{-\alpha} + B\,D^{-\beta}$$

    Args:
        N: non-embedding parameters.
        D: training tokens.
        E, A, B, alpha, beta: as in `chinchilla`, for total parameters.
        omega: embedding parameters per cube root of N; known from vocabulary and shape, so fix it:
            `fixed={"omega": 47491}`.

    Returns:
        Loss in nats/token.

    Known to go wrong: omega is not identified from losses unless the smallest models are a few hundred
    thousand parameters.

    Source: Pearce and Song 2024, eq. 7.

    >>> constants = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> round(nonembedding(1e9, 2e10, omega=47491.0, **constants), 4)
    2.5243
    """
    return E + A * (N + omega * N ** (1 / 3)) ** -alpha + B * D**-beta
