"""The dynamical model of Bordelon, Atanasov and Pehlevan 2024: additive powers of time, size and data."""

from __future__ import annotations

from typing import NamedTuple

from scaling_jax.core.domains import Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import relation

__all__ = ["BordelonExponents", "bordelon_exponents", "dynamical"]

EXPONENT = (0.05, 1.5)
SLOPE = ("normal", 0.4, 0.3)
SCALE = ("normal", 2.0, 3.0)


@law(
    cite="Bordelon, Atanasov and Pehlevan 2024 (arXiv:2402.01092), section 4",
    ranges={"r_t": EXPONENT, "r_N": EXPONENT, "r_P": EXPONENT},
    units={"t": "steps", "N": "features (parameters)", "P": "samples"},
    priors={
        "L0": ("normal", 0.0, 2.0),
        "a_t": SCALE,
        "r_t": SLOPE,
        "a_N": SCALE,
        "r_N": SLOPE,
        "a_P": SCALE,
        "r_P": SLOPE,
    },
)
def dynamical(
    t, N, P, *, L0: Positive, a_t: Positive, r_t: Real, a_N: Positive, r_N: Real, a_P: Positive, r_P: Real
):
    r"""Loss after t steps of N features on P samples, limited by each in turn.

    $$L(t, N, P) = L_0 + a_t\,t^{-r_t} + a_N\,N^{-r_N} + a_P\,P^{-r_P}$$

    Args:
        t: training steps.
        N: features (parameters).
        P: training samples.
        L0: irreducible loss.
        a_t, r_t, a_N, r_N, a_P, r_P: scale and exponent of the cost of finite time, size and data.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: it describes the bottlenecks, not the corners between them; early in training finite
    width costs 1/N whatever the task.

    Source: Bordelon et al. 2024, section 4; `bordelon_exponents` gives the exponents that its theory expects.

    >>> round(dynamical(1e4, 1e3, 1e5, L0=0.1, a_t=1.0, r_t=0.25, a_N=1.0, r_N=0.5, a_P=1.0, r_P=0.5), 4)
    0.2348
    """
    return L0 + a_t * t**-r_t + a_N * N**-r_N + a_P * P**-r_P


class BordelonExponents(NamedTuple):
    """Exponents of loss, and at fixed compute C = N t of the optimal time, size and loss (all positive)."""

    time: float
    size: float
    data: float
    optimal_time: float
    optimal_size: float
    loss_of_compute: float


@relation
def bordelon_exponents(a: float, b: float) -> BordelonExponents:
    r"""The exponents that follow from the power laws of a task's spectrum.

    $$L \sim t^{-(a-1)/b},\ N^{-m},\ P^{-m}, \quad m = \min(a - 1, 2b); \qquad
      t^* \sim C^{\frac{b m}{a - 1 + b m}}, \ N^* \sim C^{\frac{a - 1}{a - 1 + b m}}, \
      L^* \sim C^{-\frac{(a - 1) m}{a - 1 + b m}}$$

    Args:
        a: decay of the target's power along the kernel's eigenfunctions, k^-a; above 1.
        b: decay of the kernel's eigenvalues, k^-b; positive.

    Returns:
        A `BordelonExponents`. Time and size have different exponents, so model and steps do not grow alike.

    Raises:
        ValueError: where the power of the target does not sum (a <= 1) or b is not positive.

    Source: Bordelon et al. 2024, section 4.

    >>> [round(e, 4) for e in bordelon_exponents(a=1.15, b=2.0)]
    [0.075, 0.15, 0.15, 0.6667, 0.3333, 0.05]
    """
    if not (a > 1 and b > 0):
        raise ValueError(f"bordelon_exponents(a={a}, b={b}): the theory needs a > 1 and b > 0.")
    m = min(a - 1, 2 * b)
    whole = a - 1 + b * m
    return BordelonExponents((a - 1) / b, m, m, b * m / whole, (a - 1) / whole, (a - 1) * m / whole)
