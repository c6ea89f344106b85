"""Chinchilla (Hoffmann et al. 2022) and its kin: loss as a floor plus power terms in size and data."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.domains import Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid

__all__ = [
    "chinchilla",
    "chinchilla_gamma",
    "chinchilla_tied",
    "multiplicative",
    "width_depth",
    "width_depth_size",
]

EXPONENT = (0.05, 1.2)
GRID = {
    "E": np.exp([-1.0, -0.5, 0.0, 0.5, 1.0]),
    "A": np.exp([0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
    "B": np.exp([0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
    "alpha": [0.0, 0.5, 1.0, 1.5, 2.0],
    "beta": [0.0, 0.5, 1.0, 1.5, 2.0],
}
UNITS = {
    "N": "parameters",
    "D": "tokens",
    "E": "nats/token",
    "target": "nats/token",
}
FLOOR = ("normal", 0.5, 0.5)
SCALE = ("normal", 6.0, 3.0)
SLOPE = ("normal", 0.35, 0.15)


@law(
    cite="Hoffmann et al. 2022 (arXiv:2203.15556), eq. 2; "
    "refitted by Besiroglu et al. 2024 (arXiv:2404.10102)",
    ranges={"alpha": EXPONENT, "beta": EXPONENT},
    grid=GRID,
    units=UNITS,
    priors={"E": FLOOR, "A": SCALE, "B": SCALE, "alpha": SLOPE, "beta": SLOPE},
    neighbours=("chinchilla_gamma", "bracket"),
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

    Known to go wrong: A and alpha (B and beta) are nearly collinear, correlation .999 on published data;
    stock optimisers stop early on it; rounded exponents move the compute optimum by a fifth; it knows nothing
    of repeated data.

    Source: Hoffmann et al. 2022, eq. 2 and 10 (E 1.69, A 406.4, B 410.7, alpha .34, beta .28, Approach 3).

    >>> round(chinchilla(70e9, 1.4e12, E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28), 3)
    1.937
    """
    return E + A / N**alpha + B / D**beta


@law(
    cite="Muennighoff et al. 2023 (arXiv:2305.16264), section 3; Gadre et al. 2024 (arXiv:2403.08540)",
    ranges={"alpha": EXPONENT},
    grid={name: GRID[name] for name in ("E", "A", "B", "alpha")},
    units=UNITS,
    priors={"E": FLOOR, "A": SCALE, "B": SCALE, "alpha": SLOPE},
    neighbours=("chinchilla", "chinchilla_gamma"),
)
def chinchilla_tied(N, D, *, E: Positive, A: Positive, B: Positive, alpha: Real):
    r"""Chinchilla with one exponent for size and data, so that the optimal tokens per parameter never change.

    $$L(N, D) = E + A\,N^{-\alpha} + B\,D^{-\alpha}$$

    Args:
        N: parameters.
        D: training tokens.
        E: irreducible loss, nats/token.
        A, B: scales of the cost of finite size and finite data.
        alpha: common exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: tying moves E and forecasts by percents when the exponents differ (Gadre et al.: E by
    up to .27); use it where too few runs identify two. The same as `tied=[("alpha", "beta")]` on
    `chinchilla`.

    Source: Muennighoff et al. 2023, section 3 (A 521, B 1488, E 1.87, alpha .353).

    >>> round(chinchilla_tied(8.7e9, 178e9, E=1.869, A=520.8, B=1487.7, alpha=0.3526596), 3)
    2.192
    """
    return E + A / N**alpha + B / D**alpha


@law(
    cite="Choshen et al. 2024 (arXiv:2410.11840), appendix; Hestness et al. 2017 (arXiv:1712.00409)",
    ranges={"alpha": (0.01, 0.6), "beta": (0.01, 0.6)},
    units={"N": "parameters", "D": "tokens", "target": "nats/token"},
    priors={"A": ("normal", 4.0, 3.0), "alpha": ("normal", 0.07, 0.05), "beta": ("normal", 0.07, 0.05)},
    neighbours=("chinchilla", "chinchilla_gamma"),
)
def multiplicative(N, D, *, A: Positive, alpha: Real, beta: Real):
    r"""Loss as one product of powers of size and data: a plane on log axes.

    $$L(N, D) = A\,N^{-\alpha}\,D^{-\beta}$$

    Args:
        N: parameters.
        D: training tokens.
        A: loss at one parameter and one token.
        alpha, beta: exponents.

    Returns:
        Loss in nats/token.

    Known to go wrong: it has no floor and no bottleneck: more of either always helps by the same factor.
    Printed with separate constants E A B, of which only the product is identified.

    Source: Choshen et al. 2024, appendix.

    >>> round(multiplicative(1e9, 1e11, A=15.0, alpha=0.04, beta=0.04), 4)
    2.3773
    """
    return A * N**-alpha * D**-beta


def _gamma_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Slopes gamma alpha, gamma beta in Chinchilla's range; both terms share the reducible loss."""
    axes = grid(
        slope_N=[0.15, 0.3, 0.6],
        slope_D=[0.15, 0.3, 0.6],
        floor=[0.2, 0.8],
        gamma=[0.4, 0.7, 1.0, 1.5],
        share=[0.3, 0.7],
    )
    reducible = np.median(target) - axes["floor"] * np.min(target)
    bracket = np.maximum(reducible, 1e-3 * np.median(target)) ** (1 / axes["gamma"])
    alpha, beta = axes["slope_N"] / axes["gamma"], axes["slope_D"] / axes["gamma"]
    return {
        "E": axes["floor"] * np.min(target),
        "A": axes["share"] * bracket * np.median(inputs["N"]) ** alpha,
        "B": (1 - axes["share"]) * bracket * np.median(inputs["D"]) ** beta,
        "alpha": alpha,
        "beta": beta,
        "gamma": axes["gamma"],
    }


@law(
    cite="Beck et al. 2025 (arXiv:2510.02228), xLSTM scaling laws",
    ranges={"alpha": EXPONENT, "beta": EXPONENT, "gamma": (0.3, 1.8)},
    grid={
        "E": np.exp([-1.0, -0.5, 0.0, 0.5, 1.0]),
        "A": np.exp([0.0, 5.0, 10.0, 15.0, 20.0]),
        "B": np.exp([0.0, 5.0, 10.0, 15.0, 20.0]),
        "alpha": [0.0, 0.2, 0.5, 1.0],
        "beta": [0.0, 0.2, 0.5, 1.0],
        "gamma": [0.5, 1.0, 1.5],
    },
    starts=_gamma_starts,
    units=UNITS,
    priors={"E": FLOOR, "A": SCALE, "B": SCALE, "alpha": SLOPE, "beta": SLOPE, "gamma": ("normal", 0.0, 0.5)},
    neighbours=("bracket",),
)
def chinchilla_gamma(
    N, D, *, E: Positive, A: Positive, B: Positive, alpha: Real, beta: Real, gamma: Positive
):
    r"""Chinchilla with one more exponent on the sum of the two costs.

    $$L(N, D) = E + \left(A\,N^{-\alpha} + B\,D^{-\beta}\right)^{\gamma}$$

    Args:
        N: parameters.
        D: training tokens.
        E: irreducible loss, nats/token.
        A, alpha, B, beta: as in `chinchilla`, inside the bracket.
        gamma: how sharply the larger cost dominates; 1 is Chinchilla, 0 the maximum of the two.

    Returns:
        Loss in nats/token.

    Known to go wrong: on over-trained runs alone it is not identified (E to zero, gamma to 9); alpha, beta
    and gamma enter far from the corner only as products.

    Source: Beck et al. 2025, section 3; after Busbridge et al. 2025 (arXiv:2502.08606).

    >>> round(chinchilla_gamma(70e9, 1.4e12, E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28, gamma=1.0), 3)
    1.937
    """
    return E + (A / N**alpha + B / D**beta) ** gamma


@law(
    cite="McLeish et al. 2025 (arXiv:2502.06857), Gemstones",
    ranges={"alpha": EXPONENT, "beta": EXPONENT, "gamma": EXPONENT},
    units={
        "width": "model width",
        "depth": "layers",
        "D": "tokens",
        "E": "nats/token",
        "target": "nats/token",
    },
    priors={
        "E": FLOOR,
        "A": SCALE,
        "B": SCALE,
        "G": SCALE,
        "alpha": ("normal", 0.6, 0.4),
        "beta": ("normal", 0.6, 0.4),
        "gamma": SLOPE,
    },
)
def width_depth(
    width,
    depth,
    D,
    *,
    E: Positive,
    A: Positive,
    alpha: Real,
    B: Positive,
    beta: Real,
    G: Positive,
    gamma: Real,
):
    r"""Loss of a model of given width and depth trained on D tokens.

    $$L(w, l, D) = E + A\,w^{-\alpha} + B\,l^{-\beta} + G\,D^{-\gamma}$$

    Args:
        width: model (embedding) width.
        depth: layers.
        D: training tokens.
        E: irreducible loss, nats/token.
        A, alpha, B, beta, G, gamma: scale and exponent of the cost of finite width, depth and data.

    Returns:
        Loss in nats/token.

    Known to go wrong: with three terms the floor may vanish; the published fits stop early, since sums of
    Huber losses with delta 1e-4 have gradients below default tolerances.

    Source: McLeish et al. 2025, section 4.

    >>> round(width_depth(1024, 24, 1e11, E=1.7, A=60.0, alpha=0.8, B=2.0, beta=1.0, G=400.0, gamma=0.28), 4)
    2.3504
    """
    return E + A * width**-alpha + B * depth**-beta + G * D**-gamma


@law(
    cite="McLeish et al. 2025 (arXiv:2502.06857), Gemstones",
    ranges={"alpha": EXPONENT, "beta": EXPONENT, "gamma": EXPONENT, "delta": EXPONENT},
    units={
        "width": "model width",
        "depth": "layers",
        "N": "parameters",
        "D": "tokens",
        "E": "nats/token",
        "target": "nats/token",
    },
    priors={
        "E": FLOOR,
        "A": SCALE,
        "alpha": ("normal", 0.6, 0.4),
        "B": SCALE,
        "beta": ("normal", 0.6, 0.4),
        "F": SCALE,
        "delta": SLOPE,
        "G": SCALE,
        "gamma": SLOPE,
    },
)
def width_depth_size(
    width,
    depth,
    N,
    D,
    *,
    E: Positive,
    A: Positive,
    alpha: Real,
    B: Positive,
    beta: Real,
    F: Positive,
    delta: Real,
    G: Positive,
    gamma: Real,
):
    r"""Loss of a model of given width, depth and size trained on D tokens.

    $$L(w, l, N, D) = E + A\,w^{-\alpha} + B\,l^{-\beta} + F\,N^{-\delta} + G\,D^{-\gamma}$$

    Args:
        width: model (embedding) width.
        depth: layers.
        N: parameters.
        D: training tokens.
        E: irreducible loss, nats/token.
        A, alpha, B, beta, F, delta, G, gamma: scale and exponent of the cost of finite width, depth, size,
            data.

    Returns:
        Loss in nats/token.

    Known to go wrong: N is nearly width squared times depth, so the first three terms are confused unless the
    table holds very different shapes; expect terms to go extinct.

    Source: McLeish et al. 2025, section 4.

    >>> shape = {"A": 60, "alpha": 0.8, "B": 2, "beta": 1}
    >>> size = {"F": 100, "delta": 0.34, "G": 400, "gamma": 0.28}
    >>> round(width_depth_size(1024, 24, 4e8, 1e11, E=1.7, **shape, **size), 4)
    2.4693
    """
    return E + A * width**-alpha + B * depth**-beta + F * N**-delta + G * D**-gamma
