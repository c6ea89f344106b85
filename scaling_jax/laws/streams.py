"""Parallel streams (ParScale, Chen et al. 2025): running a model several times at once in place of a larger
one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import Positive
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid

__all__ = ["parallel_streams"]


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Floors below the lowest loss, exponents and worths from a grid; sizes that meet the median loss."""
    axes = grid(floor=[0.2, 0.6, 0.9], alpha=[0.1, 0.2, 0.4, 0.8], k=[0.1, 0.4, 1.5])
    floor = axes.pop("floor") * np.min(target)
    reducible = np.maximum(np.median(target) - floor, 1e-12)
    log_size = np.log(np.median(inputs["N"])) + np.log(reducible) / axes["alpha"]
    return {"E": floor, "A": np.exp(np.clip(log_size, -300, 300))} | axes


@law(
    cite="Chen et al. 2025 (arXiv:2505.10475)",
    starts=_starts,
    ranges={"alpha": (0.05, 1.0), "k": (0.05, 3.0)},
    units={"N": "non-embedding parameters", "P": "streams", "A": "parameters"}
    | {"E": "nats/token", "target": "nats/token"},
    priors={
        "E": ("normal", 0.0, 0.7),
        "A": ("normal", 18.0, 4.0),
        "alpha": ("normal", -1.5, 0.6),
        "k": ("normal", -1.0, 0.8),
    },
)
def parallel_streams(N, P, *, E: Positive, A: Positive, alpha: Positive, k: Positive):
    r"""Loss of a model of N parameters that answers with P parallel streams of itself.

    $$L = E + \left(\frac{A}{N\,(k \ln P + 1)}\right)^{\alpha}$$

    P streams are worth $k \ln P + 1$ times the parameters.

    Args:
        N: non-embedding parameters, with those that streams add.
        P: parallel streams, 1 for an ordinary model.
        E: irreducible loss at the data used, nats/token.
        A: parameters at which the reducible loss of one stream is 1 (the paper prints it over 10^9).
        alpha: exponent of size.
        k: worth of a factor e more streams, in parameters of the model.

    Returns:
        Loss in nats/token.

    Known to go wrong: at one amount of data (42e9 tokens in the paper); with up to 8 streams nobody can tell
    a logarithm from a power that saturates, so it says nothing of 64.

    Source: Chen et al. 2025 (Stack-V2: E .691, A 1.13e7, alpha .189, k .393).

    >>> parallel_streams(1e9, [1, 8], E=0.6912, A=1.1307e7, alpha=0.18936, k=0.39346).round(4).tolist()
    [1.1191, 1.0733]
    """
    return E + (A / (N * (k * jnp.log(P) + 1))) ** alpha
