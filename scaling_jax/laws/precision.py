"""Low-precision training and quantisation (Kumar et al. 2024, Chen et al. 2025, Sun et al. 2025): bits as a
resource.

`precision`, `precision_ptq`, `precision_unified`, `precision_qat` and `precision_fp` are laws to fit;
`precision_optimum` is a planner, which reads the best bits off the constants of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import Interval, NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation
from scaling_jax.laws._starts import grid

__all__ = [
    "PrecisionOptimum",
    "precision",
    "precision_fp",
    "precision_optimum",
    "precision_ptq",
    "precision_qat",
    "precision_unified",
]

CITE = "Kumar et al. 2024 (arXiv:2411.04330)"
BITS = dict.fromkeys(("P_w", "P_a", "P_kv"), "bits")
UNITS = {"N": "parameters", "D": "tokens", **BITS, "E": "nats/token", "target": "nats/token"}
RANGES = {
    "alpha": (0.1, 1.0),
    **dict.fromkeys(("gamma_w", "gamma_a", "gamma_kv"), (0.5, 4.0)),
    **dict.fromkeys(("n_w", "n_a", "n_kv"), (0.0, 2.0)),
}
PRIORS = {
    "E": ("normal", 0.7, 0.5),
    "A": ("normal", 8.0, 3.0),
    "B": ("normal", 9.0, 3.0),
    "alpha": ("normal", 0.4, 0.15),
    **dict.fromkeys(("gamma_w", "gamma_a", "gamma_kv"), ("normal", 0.5, 0.7)),
    **dict.fromkeys(("n_w", "n_a", "n_kv"), ("normal", 0.5, 1.0)),
}


def _worth(P: jax.Array, gamma: jax.Array, n: jax.Array) -> jax.Array:
    """Share of a parameter that is left at P bits; a trace where the form would turn negative."""
    return jnp.maximum(-jnp.expm1(n - P / gamma), 1e-9)


@law(cite=f"{CITE}, eq. 3", ranges=RANGES, units=UNITS, priors=PRIORS)
def precision(
    N, D, P_w, P_a, P_kv, *,
    E: Positive, A: Positive, B: Positive, alpha: Real,
    gamma_w: Positive, gamma_a: Positive, gamma_kv: Positive, n_w: Real, n_a: Real, n_kv: Real,
):  # fmt: skip
    r"""Loss of a model trained with P_w, P_a and P_kv bits in weights, activations and key-value cache.

    $$L = E + A\,N_{eff}^{-\alpha} + B\,D^{-\alpha}, \qquad
      N_{eff} = N \prod_{x \in \{w, a, kv\}} \left(1 - e^{n_x - P_x/\gamma_x}\right)$$

    Args:
        N: parameters.
        D: training tokens.
        P_w, P_a, P_kv: training precision of weights, activations and key-value cache, bits.
        E, A, B, alpha: the law at full precision, `chinchilla_tied`.
        gamma_w, gamma_a, gamma_kv: bits in which the loss of worth falls by a factor e.
        n_w, n_a, n_kv: offsets; 0 is the plain form.

    Returns:
        Loss in nats/token; many bits give Chinchilla.

    Known to go wrong: below about 3.2 bits the published factors turn negative (they are held at a trace
    here). How the offsets enter is inferred: with this sign the published constants give the published
    optimum of 7 bits.

    Source: Kumar et al. 2024, eq. 3 (integer training: gamma 2.67, 2.21, .96; offsets .30, 1.41, 2.42; E
    2.765, alpha .4965).

    >>> constants = {"A": 4299.0, "B": 18060.0, "E": 2.7648, "alpha": 0.4965,
    ...              "gamma_w": 2.6745, "gamma_a": 2.2102, "gamma_kv": 0.9578,
    ...              "n_w": 0.3037, "n_a": 1.4072, "n_kv": 2.4185}
    >>> precision(1e8, 1e10, [4, 16], [4, 16], [4, 16], **constants).round(4).tolist()
    [4.0037, 3.4205]
    """
    worth = _worth(P_w, gamma_w, n_w) * _worth(P_a, gamma_a, n_a) * _worth(P_kv, gamma_kv, n_kv)
    return E + A / (N * worth) ** alpha + B / D**alpha


def _ptq_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Rates of decay on the scale of the bits tried; growth with data and fall with size from a grid."""
    return grid(gamma_post=[0.2, 0.4, 0.7, 1.2, 2.0], gamma_D=[0.2, 0.5, 1.0], gamma_N=[0.2, 0.5, 1.0])


@law(
    cite=f"{CITE}, eq. 2",
    starts=_ptq_starts,
    ranges={"gamma_D": (0.05, 1.5), "gamma_N": (0.05, 1.5), "gamma_post": (0.1, 3.0)},
    units={"N": "parameters", "D": "tokens", "P_post": "bits", "target": "nats/token"},
    priors={
        "C_T": ("normal", -3.0, 3.0),
        "gamma_D": ("normal", 0.5, 0.3),
        "gamma_N": ("normal", 0.5, 0.3),
        "gamma_post": ("normal", -0.5, 0.7),
    },
    target="degradation",
)
def precision_ptq(N, D, P_post, *, C_T: Positive, gamma_D: Real, gamma_N: Real, gamma_post: Positive):
    r"""Rise of the loss when trained weights are rounded to P_post bits afterwards.

    $$\delta_{PTQ} = C_T\,\frac{D^{\gamma_D}}{N^{\gamma_N}}\,e^{-P_{post}/\gamma_{post}}$$

    Args:
        N: parameters.
        D: training tokens: the longer the training, the larger the damage.
        P_post: bits after training.
        C_T: scale.
        gamma_D, gamma_N: exponents of data and size.
        gamma_post: bits in which the damage falls by a factor e.

    Returns:
        Rise of the loss, nats/token.

    Known to go wrong: C_T, gamma_D and gamma_N are nearly collinear where D/N varies little.

    Source: Kumar et al. 2024, eq. 2 (C_T .0598, gamma_D .5068, gamma_N .3439, gamma_post .5907).

    >>> round(precision_ptq(1e8, 1e10, 3.0, C_T=0.0598, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.5907), 4)
    0.0772
    """
    return C_T * D**gamma_D / N**gamma_N * jnp.exp(-P_post / gamma_post)


@law(
    cite=f"{CITE}, eq. 9",
    ranges=RANGES
    | {"gamma_D": (0.05, 1.5), "gamma_N": (0.05, 1.5), "gamma_post": (0.2, 3.0)}
    | dict.fromkeys(("C_w", "C_a", "C_kv"), (0.05, 3.0)),
    units=UNITS | {"P_post": "bits"},
    priors=PRIORS
    | {
        "C_T": ("normal", -3.0, 3.0),
        "gamma_D": ("normal", 0.5, 0.3),
        "gamma_N": ("normal", 0.5, 0.3),
        "gamma_post": ("normal", -0.5, 0.7),
        **dict.fromkeys(("C_w", "C_a", "C_kv"), ("normal", -0.7, 1.0)),
    },
)
def precision_unified(
    N, D, P_w, P_a, P_kv, P_post, *,
    E: Positive, A: Positive, B: Positive, alpha: Real,
    gamma_w: Positive, gamma_a: Positive, gamma_kv: Positive, n_w: Real, n_a: Real, n_kv: Real,
    C_T: Positive, gamma_D: Real, gamma_N: Real, gamma_post: Positive,
    C_w: Positive, C_a: Positive, C_kv: Positive,
):  # fmt: skip
    r"""Loss of a model trained at some precision and rounded to another afterwards.

    $$L = E + A\,N_{eff}^{-\alpha} + B\,D^{-\alpha} + \delta, \qquad
      \delta = C_T\,\frac{D^{\gamma_D}}{N_{eff}^{\gamma_N}}\,e^{-P_{post}/\gamma_{post}}
      \prod_{x \in \{w, a, kv\}} \left(1 - e^{-C_x (P_x - P_{post})}\right)$$

    Args:
        N: parameters.
        D: training tokens.
        P_w, P_a, P_kv: training precision, bits.
        P_post: bits after training; at the training precision or above nothing is lost.
        E, A, B, alpha, gamma_w, gamma_a, gamma_kv, n_w, n_a, n_kv: as in `precision`.
        C_T, gamma_D, gamma_N, gamma_post: as in `precision_ptq`, with N_eff in place of N.
        C_w, C_a, C_kv: how fast training at low precision makes rounding harmless, per bit.

    Returns:
        Loss in nats/token.

    Known to go wrong: seventeen parameters; the paper fits them in stages (`fixed=` the first ones) and
    prints a further constant b 1.1277 whose part is not clear.

    Source: Kumar et al. 2024, eq. 9.

    >>> constants = {"A": 4299.0, "B": 18060.0, "E": 2.7648, "alpha": 0.4965,
    ...              "gamma_w": 2.6745, "gamma_a": 2.2102, "gamma_kv": 0.9578,
    ...              "n_w": 0.3037, "n_a": 1.4072, "n_kv": 2.4185,
    ...              "C_T": 0.0598, "gamma_D": 0.5068, "gamma_N": 0.3439, "gamma_post": 0.5907,
    ...              "C_w": 1.0, "C_a": 1.0, "C_kv": 1.0}
    >>> precision_unified(1e8, 1e10, 16, 16, 16, [3, 16], **constants).round(4).tolist()
    [3.4979, 3.4205]
    """
    worth = _worth(P_w, gamma_w, n_w) * _worth(P_a, gamma_a, n_a) * _worth(P_kv, gamma_kv, n_kv)
    damage = C_T * D**gamma_D / (N * worth) ** gamma_N * jnp.exp(-P_post / gamma_post)
    for C, P in ((C_w, P_w), (C_a, P_a), (C_kv, P_kv)):
        damage = damage * -jnp.expm1(-C * jnp.maximum(P - P_post, 0.0))  # nothing is lost at P and above
    return E + A / (N * worth) ** alpha + B / D**alpha + damage


@law(
    cite="Chen et al. 2025 (arXiv:2505.14302)",
    ranges={"gamma_D": (-0.2, 0.5), "gamma_G": (0.1, 1.5), "gamma_N": (0.0, 0.8)},
    units={"N": "parameters", "D": "tokens", "G": "numbers per quantisation group"}
    | {"target": "nats/token"},
    priors={
        "k": ("normal", -2.0, 2.0),
        "gamma_D": ("normal", 0.1, 0.1),
        "gamma_G": ("normal", -0.5, 0.5),
        "gamma_N": ("normal", 0.25, 0.15),
    },
    target="degradation",
)
def precision_qat(
    N, D, G: Annotated[jax.Array, Interval(1.0, np.inf)], *,
    k: Positive, gamma_D: Real, gamma_G: Positive, gamma_N: Real,
):  # fmt: skip
    r"""Rise of the loss when a model is trained to be quantised in groups of G numbers.

    $$\delta = k\,D^{\gamma_D}\,(\log_2 G)^{\gamma_G}\,N^{-\gamma_N}$$

    Args:
        N: parameters.
        D: training tokens.
        G: numbers that share a scale; 1 loses nothing.
        k: scale.
        gamma_D, gamma_G, gamma_N: exponents of data, of the logarithm of the group, and of size.

    Returns:
        Rise of the loss, nats/token.

    Known to go wrong: one set of constants for each choice of bits. The paper's text defines the rise with
    the opposite sign.

    Source: Chen et al. 2025 (weights and activations of 4 bits: k .1582, gamma_N .2186, gamma_D .0745,
    gamma_G .7779).

    >>> round(precision_qat(594e6, 1e11, 128, k=0.1582, gamma_N=0.2186, gamma_D=0.0745, gamma_G=0.7779), 4)
    0.0573
    """
    grain = jnp.log2(G)
    grouped = grain > 0
    return k * D**gamma_D / N**gamma_N * jnp.where(grouped, jnp.where(grouped, grain, 1.0) ** gamma_G, 0.0)


@law(
    cite="Sun et al. 2025 (arXiv:2501.02423), eq. 26",
    ranges={"alpha": (0.1, 0.7), "beta": (0.1, 0.8), "delta": (0.5, 5.0), "nu": (0.5, 5.0)},
    units={"N": "parameters", "D": "tokens", "e": "exponent bits", "m": "mantissa bits"}
    | {"G": "numbers that share a scale", "E": "nats/token", "target": "nats/token"},
    priors={
        "E": ("normal", 0.5, 0.5),
        "A": ("normal", 5.0, 2.0),
        "alpha": ("normal", 0.3, 0.15),
        "B": ("normal", 9.0, 3.0),
        "beta": ("normal", 0.4, 0.2),
        "gamma": ("normal", 9.0, 2.0),
        "delta": ("normal", 3.0, 1.0),
        "nu": ("normal", 3.0, 1.0),
    },
)
def precision_fp(
    N, D, e: NonNegative, m: NonNegative, G: Annotated[jax.Array, Interval(1.0, np.inf)], *,
    E: Positive, A: Positive, alpha: Real, B: Positive, beta: Real, gamma: Positive, delta: Real, nu: Real,
):  # fmt: skip
    r"""Loss of a model trained in floating-point numbers of e exponent and m mantissa bits, scaled in blocks.

    $$L = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}
      + \frac{D^{\beta}}{N^{\alpha}}\,\frac{\log_2 G}{\gamma\,(e + .5)^{\delta} (m + .5)^{\nu}}$$

    Args:
        N: parameters.
        D: training tokens. Beyond $(B \gamma N^{\alpha} (e + .5)^{\delta} (m + .5)^{\nu} /
            \log_2 G)^{1/2\beta}$ of them more data hurts.
        e, m: bits of exponent and of mantissa.
        G: numbers that share a scale; 1 loses nothing. The authors count a scale per channel as
            2^13.1567.
        E: irreducible loss, nats/token.
        A, alpha, B, beta: scales and exponents of size and data.
        gamma: how harmless low precision is.
        delta, nu: what bits of exponent and of mantissa are worth; of P = e + m + 1 bits the best
            mantissa has nu P / (delta + nu) - .5.

    Returns:
        Loss in nats/token.

    Known to go wrong: the same alpha and beta serve the plain terms and the last one. Of one format gamma,
    delta and nu are one number; vary both kinds of bits.

    Source: Sun et al. 2025, eq. 26 and table 2.

    >>> constants = {"E": 1.9061, "A": 69.2343, "alpha": 0.2368, "B": 68973.0621, "beta": 0.5162}
    >>> more = {"gamma": 11334.5197, "delta": 3.1926, "nu": 2.9543}
    >>> precision_fp(1e9, 1e11, [2, 4, 8], [1, 3, 7], 128, **constants, **more).round(3).tolist()
    [2.598, 2.563, 2.563]
    """
    worth = gamma * (e + 0.5) ** delta * (m + 0.5) ** nu
    return E + A / N**alpha + B / D**beta + D**beta / N**alpha * jnp.log2(G) / worth


class PrecisionOptimum(NamedTuple):
    """Best run of a budget: P (bits), N (parameters), D (tokens), all broadcast over C."""

    P: np.ndarray
    N: ArrayLike
    D: Numbers


@relation
def precision_optimum(
    C: ArrayLike,
    *,
    A: float,
    B: float,
    alpha: float,
    gamma_w: float,
    gamma_a: float,
    gamma_kv: float,
    n_w: float = 0.0,
    n_a: float = 0.0,
    n_kv: float = 0.0,
    beta: float | None = None,
    N: ArrayLike | None = None,
    bits: tuple[float, float] = (3.2, 64.0),
) -> PrecisionOptimum:
    r"""The precision, size and tokens that minimise `precision` when cost is proportional to the bits.

    $$C = \tfrac{6}{16}\,N D P, \qquad \frac{d \ln f}{d \ln P} = 1 \text{ at the optimum, }
      f(P) = \prod_x \left(1 - e^{n_x - P/\gamma_x}\right)$$

    One precision for weights, activations and cache. With the size free it does not depend on C, since bits
    and parameters cost the same; at a given size it grows with the logarithm of C.

    Args:
        C: training compute, FLOP at 16 bits (a run at P bits costs P/16).
        A, B, alpha, gamma_w, gamma_a, gamma_kv, n_w, n_a, n_kv: constants of `precision`.
        beta: exponent of data, where it differs from alpha.
        N: a given size; None chooses it too.
        bits: the range searched; the law is not valid below 3.2 bits.

    Returns:
        A `PrecisionOptimum`; P ends on a bound of `bits` where the optimum lies outside.

    Note: the paper's own question in closed form. `sj.plan` with `sj.cost.precision` gives the same run, and
        with other costs, limits and draws of a fit its kin.

    Source: Kumar et al. 2024, section 4.3 (7 to 8 bits).

    >>> constants = {"A": 4299.0, "B": 18060.0, "alpha": 0.4965,
    ...              "gamma_w": 2.6745, "gamma_a": 2.2102, "gamma_kv": 0.9578,
    ...              "n_w": 0.3037, "n_a": 1.4072, "n_kv": 2.4185}
    >>> best = precision_optimum([1e20, 1e24], **constants)
    >>> best.P.round(3).tolist()
    [7.002, 7.002]
    """
    budget = np.asarray(C, dtype=float)
    beta = alpha if beta is None else beta
    shape = np.broadcast_shapes(budget.shape, () if N is None else np.shape(N))
    pairs = ((gamma_w, n_w), (gamma_a, n_a), (gamma_kv, n_kv))

    def worth(P: np.ndarray) -> np.ndarray:
        return np.prod([np.maximum(-np.expm1(n - P / g), 1e-9) for g, n in pairs], axis=0)

    def elasticity(P: np.ndarray) -> np.ndarray:
        return np.sum([P / g / np.maximum(np.expm1(P / g - n), 1e-9) for g, n in pairs], axis=0)

    def still_worth_more(P: np.ndarray) -> np.ndarray:
        """Whether a further bit gains more than it costs."""
        if N is None:
            return elasticity(P) > 1
        size = alpha * A * np.multiply(N, worth(P)) ** -alpha
        data = beta * B * (16 * budget / (np.multiply(6, N) * P)) ** -beta
        return size * elasticity(P) > data

    P = _bisect(still_worth_more, *(np.full(shape, end, dtype=float) for end in bits))
    product = 16 * budget / (6 * P)
    if N is None:
        gain = (alpha * A * worth(P) ** -alpha / (beta * B)) ** (1 / (alpha + beta))
        N = gain * product ** (beta / (alpha + beta))
    return PrecisionOptimum(P, N, np.divide(product, N))


def _bisect(below: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where `below` turns false between low and high, or the end nearest to it."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        more = below(middle)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return 0.5 * (low + high)
