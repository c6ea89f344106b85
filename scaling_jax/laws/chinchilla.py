"""Chinchilla: loss as a floor plus one power term in parameters and one in tokens (Hoffmann et al. 2022 and its kin)."""

from __future__ import annotations

import numpy as np

from scaling_jax.domains import Positive, Real
from scaling_jax.law import law

__all__ = ["chinchilla"]

EXPONENT = (0.05, 1.2)
GRID = {
    "E": np.exp([-1.0, -0.5, 0.0, 0.5, 1.0]),
    "A": np.exp([0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
    "B": np.exp([0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
    "alpha": [0.0, 0.5, 1.0, 1.5, 2.0],
    "beta": [0.0, 0.5, 1.0, 1.5, 2.0],
}
UNITS = {"N": "parameters", "D": "tokens", "E": "nats/token", "A": "nats/token", "B": "nats/token"}


@law(
    cite="Hoffmann et al. 2022 (arXiv:2203.15556), eq. 2; refitted by Besiroglu et al. 2024 (arXiv:2404.10102)",
    ranges={"alpha": EXPONENT, "beta": EXPONENT},
    grid=GRID,
    units=UNITS,
    priors={
        "E": ("normal", 0.5, 0.5),
        "A": ("normal", 6.0, 3.0),
        "B": ("normal", 6.0, 3.0),
        "alpha": ("normal", 0.35, 0.15),
        "beta": ("normal", 0.35, 0.15),
    },
)
def chinchilla(N, D, *, E: Positive, A: Positive, B: Positive, alpha: Real, beta: Real):
    r"""Loss of a model of N parameters trained on D tokens, each seen once.

    $$L(N, D) = E + A\,N^{-\alpha} + B\,D^{-\beta}$$

    Args:
        N: parameters (Hoffmann et al. count all, embeddings included).
        D: training tokens.
        E: irreducible loss, nats/token.
        A, alpha: scale and exponent of the cost of finite size.
        B, beta: scale and exponent of the cost of finite data.

    Returns:
        Loss in nats/token.

    Known to go wrong: A and alpha (B and beta) are nearly collinear, correlation .999 on published data; stock optimisers
    stop early on it; rounded exponents move the compute optimum by a fifth; it knows nothing of repeated data.

    >>> round(chinchilla(70e9, 1.4e12, E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28), 3)
    1.937
    """
    return E + A / N**alpha + B / D**beta
