"""Learning curves in one resource: M3 and M4 of Alabdulmohsin et al. 2022, the rectified law, and a bump."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import NonNegative, Positive, Real
from scaling_jax.core.implicit import root
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid

__all__ = ["bump", "ceiling_power_law", "rectified", "shifted_power_law"]

MOST_LOG_ODDS = 40.0
CEILING = ("e_inf", "e_0", "alpha", "b", "c")
MOST_STARTS = 96


def _shift_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a grid; shifts from far below to just above the smallest 1/x."""
    return grid(g=np.geomspace(1e-3, 3.0, 8) / np.max(inputs["x"]), c=np.geomspace(0.05, 3.0, 12))


@law(
    cite="M3 of Alabdulmohsin et al. 2022 (arXiv:2209.06640), section 3",
    starts=_shift_starts,
    ranges={"c": (0.03, 3.0), "g": (0.0, 1.0)},
    priors={"b": ("normal", 0.0, 5.0), "g": ("halfnormal", 0.0, 1e-3), "c": ("normal", 0.3, 0.5)},
    neighbours=("power_law_floor", "ceiling_power_law"),
)
def shifted_power_law(x, *, b: Positive, g: NonNegative, c: Real):
    r"""A power law of 1/x with a shift: a floor that belongs to the power.

    $$L(x) = b\left(\frac{1}{x} + g\right)^{c}$$

    Args:
        x: the resource (examples, tokens, parameters).
        b: scale.
        g: shift, in 1/x; the floor is b g^c.
        c: exponent; positive when more helps.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: a large g makes b, g and c trade off along a valley; the published fits stop far from
    their optimum (RMSE .089 against .013 for one translation curve).

    Source: Alabdulmohsin et al. 2022, section 3, estimator M3.

    >>> round(shifted_power_law(1e4, b=5.0, g=1e-5, c=0.3), 4)
    0.3246
    """
    return b * (1 / x + g) ** c


def _ceiling_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """For floors below and ceilings above the data, the line that the law becomes; the best first."""
    logs = np.log(inputs["x"])
    floors = np.min(target) * np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.97])
    ceilings = np.max(target) * np.array([1.002, 1.02, 1.1, 1.3, 2.0, 4.0])
    lines = [
        line
        for e_inf, e_0 in itertools.product(floors, ceilings)
        for line in _ceiling_lines(logs, target, e_inf, e_0)
    ]
    best = np.array(sorted(lines))[:MOST_STARTS]
    return dict(zip(CEILING, best.T[1:], strict=True))


def _ceiling_lines(logs: np.ndarray, target: np.ndarray, e_inf: float, e_0: float) -> list[tuple[float, ...]]:
    """Misfit and parameters per alpha at a floor and a ceiling, where the law is a line in ln x.

    The line is ln(L - e_inf) - alpha ln(e_0 - L) = ln b - c ln x.
    """
    above, below = np.log(target - e_inf), np.log(e_0 - target)
    design = np.stack([below, np.ones_like(logs), logs], axis=1)
    free = float(np.clip(_least_squares(design, above)[0], 0.02, 10.0))
    lines: list[tuple[float, ...]] = []
    for alpha in (free, 0.02, 0.3, 1.0):
        height = above - alpha * below
        level, slope = _least_squares(design[:, 1:], height)
        # A residual of the line, over the line's derivative in L, is an error of L; relative ones are summed.
        stretch = 1.0 / (target - e_inf) + alpha / (e_0 - target)
        miss = np.sum(((height - level - slope * logs) / (stretch * target)) ** 2)
        lines.append((miss, e_inf, e_0, alpha, np.exp(np.clip(level, -600, 600)), -slope))
    return lines


def _least_squares(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(design, values, rcond=None)[0]


def _ceiling_equation(u: jax.Array, alpha: jax.Array, right: jax.Array) -> jax.Array:
    """ln(share won) - alpha ln(share left) - right, in the log-odds u of the share."""
    return alpha * jax.nn.softplus(u) - jax.nn.softplus(-u) - right


@law(
    cite="M4 of Alabdulmohsin et al. 2022 (arXiv:2209.06640), eq. 4",
    starts=_ceiling_starts,
    ranges={"e_inf": (0.0, 1.0), "e_0": (0.5, 2.0), "b": (1e-3, 1e3), "c": (0.02, 1.5), "alpha": (0.0, 2.0)},
    priors={
        "e_inf": ("halfnormal", 0.0, 0.3),
        "e_0": ("normal", 0.0, 0.5),
        "b": ("normal", 0.0, 5.0),
        "c": ("normal", 0.3, 0.5),
        "alpha": ("halfnormal", 0.0, 1.0),
    },
)
def ceiling_power_law(x, *, e_inf: NonNegative, e_0: Positive, alpha: NonNegative, b: Positive, c: Real):
    r"""An error that leaves a ceiling (random guessing) slowly, falls as a power, and settles on a floor.

    $$\frac{L - e_\infty}{(e_0 - L)^{\alpha}} = b\,x^{-c}$$

    Args:
        x: the resource (examples, tokens).
        e_inf: floor.
        e_0: ceiling, above every error; often known (1 for an error rate, the chance level).
        alpha: how slowly the ceiling is left; 0 is the power law with a floor.
        b, c: scale and exponent of the fall.

    Returns:
        The error L, in the unit of the target: the one root between floor and ceiling.

    Known to go wrong: fitting the transformed equation (as published) stretches residuals near the floor, so
    that a floor of zero often wins; fit log errors instead. The ceiling is not identified unless some rows
    lie near it: fix it.

    Source: Alabdulmohsin et al. 2022, eq. 4, estimator M4 (there the exponent is written with the other
    sign).

    >>> round(ceiling_power_law(1e6, e_inf=0.1, e_0=1.0, alpha=1.0, b=100.0, c=0.5), 4)
    0.1818
    """
    width = e_0 - e_inf
    right = jnp.log(b) - c * jnp.log(x) - (1 - alpha) * jnp.log(width)
    guess = jnp.where(right > 0, right / jnp.maximum(alpha, 1.0), right)
    odds = root(_ceiling_equation, -700.0, MOST_LOG_ODDS, alpha, right, start=guess, steps=24)
    return jnp.where(odds < 0, e_inf + width * jax.nn.sigmoid(odds), e_0 - width * jax.nn.sigmoid(-odds))


def _rectified_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a grid; midpoints of the fall from far before the data to far behind them."""
    seen = inputs["D"][inputs["D"] > 0]
    axes = grid(
        beta=np.geomspace(0.15, 2.5, 9), middle=np.geomspace(np.min(seen) / 30, np.max(seen) * 30, 10)
    )
    return {"beta": axes["beta"], "D_l": axes["middle"] ** axes["beta"]}


@law(
    cite="Lin et al. 2024 (arXiv:2402.02314), eq. 4",
    starts=_rectified_starts,
    ranges={"D_l": (1e-3, 1e6), "beta": (0.1, 2.5)},
    units={"D": "fine-tuning examples", "E": "nats/token", "target": "nats/token"},
    priors={
        "B": ("normal", 5.0, 5.0),
        "D_l": ("normal", 5.0, 5.0),
        "beta": ("normal", -0.5, 0.5),
        "E": ("halfnormal", 0.0, 2.0),
    },
)
def rectified(D: NonNegative, *, B: Positive, D_l: Positive, beta: Positive, E: NonNegative):
    r"""Loss after fine-tuning on D examples, with what pre-training already taught.

    $$L(D) = \frac{B}{D_l + D^{\beta}} + E$$

    Args:
        D: fine-tuning examples; 0 is the model before fine-tuning.
        B: scale of the reducible loss.
        D_l: pre-learned data size, in examples to the power beta; the fall has its midpoint at D_l^(1/beta).
        beta: exponent of the fall.
        E: irreducible loss, nats/token.

    Returns:
        Loss in nats/token, B / D_l + E at D = 0.

    Known to go wrong: from small sets (below 25,600 examples in the paper's tables) E, D_l and beta are not
    identified and single curves extrapolate wrongly by a factor of two; E reaches zero in a fifth of the
    curves. Surveys that write (D_l + D)^beta, and a project page with an outer exponent, have it wrong.

    Source: Lin et al. 2024, eq. 4.

    >>> rectified([0.0, 1e4], B=100.0, D_l=50.0, beta=0.5, E=1.0).round(4).tolist()
    [3.0, 1.6667]
    """
    return B / (D_l + D**beta) + E


def _bump_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Places over the data and a little beyond, widths in decades, exponents from a grid; heights follow."""
    logs = np.log10(inputs["C"])
    spread = max(float(np.ptp(logs)), 1e-6)
    axes = grid(
        place=logs.min() + spread * np.linspace(-0.1, 1.2, 9),
        w=spread * np.array([0.08, 0.2, 0.5]),
        p=np.array([0.3, 1.0, 3.0]) / spread,
    )
    return {"C_m": 10 ** axes.pop("place")} | axes


@law(
    cite="Lin et al. 2025, SLDBench (arXiv:2507.21184), best form found for U-shaped scores",
    starts=_bump_starts,
    ranges={"p": (0.05, 2.0), "w": (0.05, 3.0)},
    units={"C": "FLOP", "C_m": "FLOP", "w": "decades of compute", "target": "score"},
    priors={
        "d0": ("normal", 0.0, 1.0),
        "d1": ("halfnormal", 0.0, 2.0),
        "p": ("normal", -1.0, 1.0),
        "A": ("normal", 0.0, 0.5),
        "C_m": ("normal", 46.0, 10.0),
        "w": ("normal", -0.7, 0.7),
    },
    target="score",
)
def bump(C, *, d0: Real, d1: NonNegative, p: Positive, A: Real, C_m: Positive, w: Positive):
    r"""A score that rises to a ceiling along compute, with a bump or a dip on the way.

    $$y = d_0 - d_1\,C^{-p} + \frac{A}{1 + \left(\log_{10}(C / C_m) / w\right)^2}$$

    Args:
        C: training compute, FLOP in any unit.
        d0: ceiling.
        d1, p: distance from the ceiling at one unit of C, and the exponent at which it closes.
        A: height of the bump, negative for a dip.
        C_m: compute at its middle.
        w: its half width at half height, decades.

    Returns:
        The score, in the unit of the target.

    Known to go wrong: inside the data a bump and a slower rise look alike; the law is bounded on the right,
    which is all that makes it safer than a polynomial (one of degree 5 misses by thousands of standard
    deviations). Fit raw scores, `sj.SquaredError(on="raw")`.

    Source: Lin et al. 2025, SLDBench, task of easy questions; the scores are Wu and Lo 2024
    (arXiv:2410.01692).

    >>> bump([1.0, 10.0], d0=-0.1, d1=0.5, p=0.5, A=-0.2, C_m=10.0, w=0.5).round(4).tolist()
    [-0.64, -0.4581]
    """
    distance = (jnp.log(C) - jnp.log(C_m)) / (np.log(10) * w)
    return d0 - d1 / C**p + A / (1 + distance**2)
