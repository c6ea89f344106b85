"""After pre-training: reinforcement learning, repeated sampling, and too much of a learned reward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from scaling_jax.core.domains import Positive, Real, Unit
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid

__all__ = [
    "best_of_n",
    "coverage",
    "coverage_beta",
    "rl_overoptimisation",
    "rl_sigmoid",
]

GAO = "Gao et al. 2023 (arXiv:2210.10760)"
OPTIMISATION = {"d": "square root of the divergence from the first policy, nats^(1/2)", "target": "reward"}


def _rl_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Midpoints in and beyond the compute spent, slopes from a grid; ends from the rates seen."""
    logs = np.log(inputs["C"])
    spread = max(float(np.ptp(logs)), 1e-6)
    axes = grid(place=logs.min() + spread * np.linspace(-0.2, 1.6, 8), B=[0.4, 1.0, 2.0], top=[0.0, 0.3, 0.8])
    low, high = float(np.min(target)), float(np.max(target))
    top = np.clip(high + axes.pop("top") * (1 - high), 1e-3, 1.0)
    return {"C_mid": np.exp(axes.pop("place")), "A": top, "R0": np.array([np.clip(low, 0, 1)])} | axes


@law(
    cite="Khatri et al. 2025, ScaleRL (arXiv:2510.13786)",
    starts=_rl_starts,
    ranges={"B": (0.2, 3.0)},
    units={"C": "GPU-hours or FLOP", "target": "pass rate"},
    priors={
        "R0": ("beta", 2.0, 4.0),
        "A": ("beta", 4.0, 2.0),
        "C_mid": ("normal", 8.0, 5.0),
        "B": ("normal", 0.0, 0.6),
    },
    target="pass_rate",
)
def rl_sigmoid(C, *, R0: Unit, A: Unit, C_mid: Positive, B: Positive):
    r"""Pass rate of reinforcement learning against the compute spent on it: from the start to a ceiling.

    $$R(C) = R_0 + \frac{A - R_0}{1 + (C_{mid} / C)^{B}}$$

    Args:
        C: compute of the reinforcement learning, GPU-hours or any unit.
        R0: pass rate before it; known, so fix it: `fixed={"R0": 0.31}`.
        A: ceiling.
        C_mid: compute at which half of the way is gone.
        B: steepness.

    Returns:
        Pass rate, a fraction.

    Known to go wrong: A and C_mid are collinear until well past the midpoint, so a curve still rising says
    little of where it ends. The authors drop about the first 1,500 GPU-hours and fit raw rates,
    `sj.SquaredError(on="raw")`.

    Source: Khatri et al. 2025.

    >>> rl_sigmoid([1e3, 1e9], R0=0.3, A=0.7, C_mid=1e3, B=1.0).round(4).tolist()
    [0.5, 0.7]
    """
    return R0 + (A - R0) * jax.nn.sigmoid(B * (jnp.log(C) - jnp.log(C_mid)))


@law(
    cite="Brown et al. 2024 (arXiv:2407.21787), section 3",
    ranges={"A": (0.1, 20.0), "b": (0.05, 1.5)},
    units={"k": "samples per problem", "target": "share of problems solved"},
    priors={"A": ("normal", 1.5, 1.0), "b": ("normal", -1.0, 0.7)},
    target="coverage",
)
def coverage(k, *, A: Positive, b: Positive):
    r"""Share of problems solved by at least one of k samples: the negative logarithm is a power of k.

    $$c(k) = \exp(-A\,k^{-b})$$

    Args:
        k: samples per problem.
        A: minus the logarithm of the share solved by one sample.
        b: exponent.

    Returns:
        Share of problems, a fraction.

    Known to go wrong: a line through a curve that bends: b is not the exponent at many samples, which is
    alpha of `coverage_beta`. Points of one curve share their samples, so their scatter says nothing of error.

    Source: Brown et al. 2024, section 3.

    >>> coverage([1, 100], A=4.2, b=0.34).round(4).tolist()
    [0.015, 0.4158]
    """
    return jnp.exp(-A * k**-b)


@law(
    cite="Schaeffer et al. 2025 (arXiv:2502.17578)",
    ranges={"alpha": (0.03, 1.0), "beta": (1.0, 300.0)},
    units={"k": "samples per problem", "target": "share of problems solved"},
    priors={"alpha": ("normal", -1.5, 0.7), "beta": ("normal", 3.0, 1.0)},
    target="coverage",
)
def coverage_beta(k, *, alpha: Positive, beta: Positive):
    r"""Share of problems solved by at least one of k samples, when their single rates follow a Beta law.

    $$c(k) = 1 - \frac{B(\alpha, \beta + k)}{B(\alpha, \beta)}$$

    Args:
        k: samples per problem.
        alpha: exponent of the hard problems: 1 - c falls as k^-alpha in the end.
        beta: how rare easy problems are.

    Returns:
        Share of problems, alpha / (alpha + beta) at k = 1.

    Known to go wrong: problems never solved carry alpha, and the curve hides them: where successes are
    counted per problem, their own likelihood (`sj.repeated_sampling`) says more than this curve. Stopping at
    the first success biases both.

    Source: Schaeffer et al. 2025 (Pythia 12B on MATH: alpha .2955, beta 12.37).

    >>> coverage_beta([1, 100, 10000], alpha=0.295504, beta=12.3661).round(4).tolist()
    [0.0233, 0.483, 0.8629]
    """
    return -jnp.expm1(gammaln(beta + k) - gammaln(alpha + beta + k) - gammaln(beta) + gammaln(alpha + beta))


@law(
    cite=f"{GAO}, best-of-n",
    units=OPTIMISATION,
    priors={"alpha": ("normal", 0.5, 0.5), "beta": ("normal", -2.5, 1.5)},
    target="reward",
)
def best_of_n(d, *, alpha: Real, beta: Positive):
    r"""True reward of the best of n samples by a learned reward, against the distance from the first policy.

    $$R(d) = d\,(\alpha - \beta d)$$

    Args:
        d: root of the divergence; of the best of n it is (ln n - (n - 1) / n)^(1/2).
        alpha: gain at first.
        beta: loss to over-optimisation; the peak is at alpha / (2 beta).

    Returns:
        True reward above that of the first policy.

    Known to go wrong: beyond the peak few points remain, and beta is what they say. Rewards turn negative, so
    fit raw ones, `sj.SquaredError(on="raw")`.

    Source: Gao et al. 2023, section 3.

    >>> best_of_n([1.0, 4.0], alpha=1.0, beta=0.125).round(4).tolist()
    [0.875, 2.0]
    """
    return d * (alpha - beta * d)


@law(
    cite=f"{GAO}, reinforcement learning",
    units=OPTIMISATION,
    priors={"alpha": ("normal", 0.5, 0.5), "beta": ("normal", -2.0, 1.5)},
    target="reward",
)
def rl_overoptimisation(d, *, alpha: Real, beta: Positive):
    r"""True reward of a policy trained against a learned reward, against its distance from the first one.

    $$R(d) = d\,(\alpha - \beta \ln d)$$

    Args:
        d: root of the divergence from the first policy.
        alpha: gain at distance one.
        beta: loss to over-optimisation; the peak is at exp(alpha / beta - 1).

    Returns:
        True reward above that of the first policy.

    Known to go wrong: its slope at no distance is infinite, so early points are over-predicted. Rewards may
    turn negative, so fit raw ones, `sj.SquaredError(on="raw")`.

    Source: Gao et al. 2023, section 3.

    >>> rl_overoptimisation([1.0, 4.0], alpha=1.0, beta=0.5).round(4).tolist()
    [1.0, 1.2274]
    """
    return d * (alpha - beta * jnp.log(d))
