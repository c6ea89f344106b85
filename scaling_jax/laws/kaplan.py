"""Kaplan et al. 2020: loss as one bracket in non-embedding parameters and tokens, without a floor."""

from __future__ import annotations

import numpy as np

from scaling_jax.domains import Positive
from scaling_jax.law import law

__all__ = ["kaplan"]


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a small grid; scales so that either term alone gives the median loss at the median run."""
    alphas = np.geomspace(0.03, 0.4, 8)
    a_n, a_d = (g.ravel() for g in np.meshgrid(alphas, alphas))
    shares = np.tile([0.2, 0.5, 0.8], len(a_n))
    a_n, a_d = np.repeat(a_n, 3), np.repeat(a_d, 3)
    bracket = np.median(target) ** (1.0 / a_d)
    N_c = np.median(inputs["N"]) * (shares * bracket) ** (a_d / a_n)
    D_c = np.median(inputs["D"]) * (1.0 - shares) * bracket
    good = np.isfinite(N_c) & np.isfinite(D_c) & (N_c > 0) & (D_c > 0)
    return {"N_c": N_c[good], "D_c": D_c[good], "alpha_N": a_n[good], "alpha_D": a_d[good]}


@law(
    cite="Kaplan et al. 2020 (arXiv:2001.08361), eq. 1.5",
    starts=_starts,
    ranges={"alpha_N": (0.02, 0.5), "alpha_D": (0.02, 0.5), "N_c": (1e8, 1e18), "D_c": (1e8, 1e18)},
    units={"N": "non-embedding parameters", "D": "tokens", "N_c": "parameters", "D_c": "tokens"},
    priors={
        "N_c": ("normal", 32.0, 5.0),
        "D_c": ("normal", 31.0, 5.0),
        "alpha_N": ("normal", -2.5, 0.7),
        "alpha_D": ("normal", -2.3, 0.7),
    },
)
def kaplan(N, D, *, N_c: Positive, D_c: Positive, alpha_N: Positive, alpha_D: Positive):
    r"""Early-stopped loss of N non-embedding parameters on D tokens.

    $$L(N, D) = \left[\left(\frac{N_c}{N}\right)^{\alpha_N/\alpha_D} + \frac{D_c}{D}\right]^{\alpha_D}$$

    Args:
        N: non-embedding parameters.
        D: training tokens.
        N_c, alpha_N: size at which the size-limited loss is 1, and its exponent.
        D_c, alpha_D: tokens at which the data-limited loss is 1, and its exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: it has no floor, so the loss tends to zero; N_c and D_c depend on the tokenizer and extrapolate by ten
    decades, so only their combination with the exponents is identified.

    >>> round(kaplan(1.5e9, 2.3e10, N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103), 3)
    2.31
    """
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D
