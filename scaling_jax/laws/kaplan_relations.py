"""What follows from the laws of Kaplan et al. 2020: relations and planners, no laws to fit.

Batch, overfitting, stopping, off-size cost and allocation. All take numbers or NumPy arrays and broadcast.
Defaults are the printed constants; they are rounded, so derived numbers agree with each other exactly but
with the paper's direct fits only roughly (section 6 gives .054 and .050 for one exponent).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.laws._numbers import Numbers, relation

__all__ = [
    "PF_DAY",
    "KaplanOptimum",
    "data_to_avoid_overfitting",
    "empirical_allocation",
    "kaplan_learning_rate",
    "kaplan_optimum",
    "min_compute",
    "min_steps",
    "off_size_cost",
    "overfitting",
    "stopping_step",
    "time_and_examples",
]

PF_DAY = 8.64e19
"""FLOP in one petaflop-day."""


@relation
def min_steps(S: ArrayLike, B: ArrayLike, B_crit: ArrayLike) -> Numbers:
    r"""Updates that an unlimited batch would have needed for the same loss.

    $$S_{min} = \frac{S}{1 + B_{crit}/B}$$

    Args:
        S: updates made.
        B, B_crit: batch size and critical batch size at the loss reached, same unit.

    Returns:
        Updates.

    Source: Kaplan et al. 2020, eq. 5.4.

    >>> float(min_steps(1000.0, B=1e6, B_crit=1e6))
    500.0
    """
    return np.divide(S, 1 + np.divide(B_crit, B))


@relation
def min_compute(C: ArrayLike, B: ArrayLike, B_crit: ArrayLike) -> Numbers:
    r"""Compute that a vanishing batch would have needed for the same loss.

    $$C_{min} = \frac{C}{1 + B/B_{crit}}$$

    Args:
        C: compute spent, FLOP.
        B, B_crit: batch size and critical batch size at the loss reached, same unit.

    Returns:
        Compute in the unit of C.

    Source: Kaplan et al. 2020, eq. 5.5.

    >>> float(min_compute(3.0, B=2e6, B_crit=1e6))
    1.0
    """
    return np.divide(C, 1 + np.divide(B, B_crit))


@relation
def time_and_examples(S_min: ArrayLike, E_min: ArrayLike, B: ArrayLike) -> tuple[Numbers, Numbers]:
    r"""Updates and tokens to a loss at batch size B: a hyperbola between fewest updates and fewest tokens.

    $$\left(\frac{S}{S_{min}} - 1\right)\left(\frac{E}{E_{min}} - 1\right) = 1, \qquad
      E = BS, \quad B_{crit} = E_{min}/S_{min}$$

    Args:
        S_min: fewest updates (unlimited batch).
        E_min: fewest tokens (vanishing batch).
        B: batch size, tokens.

    Returns:
        Updates S and tokens E; at B = B_crit twice the fewest of both.

    Source: Kaplan et al. 2020, eq. 5.1 and 5.2 (after McCandlish et al. 2018, arXiv:1812.06162).

    >>> S, E = time_and_examples(100.0, 1e8, B=1e6)
    >>> float(S), float(E)
    (200.0, 200000000.0)
    """
    S = np.multiply(S_min, 1 + np.divide(E_min, S_min) / B)
    return S, np.multiply(B, S)


@relation
def overfitting(
    N: ArrayLike,
    D: ArrayLike,
    *,
    N_c: float = 6.4e13,
    D_c: float = 1.8e13,
    alpha_N: float = 0.076,
    alpha_D: float = 0.103,
) -> Numbers:
    r"""Relative rise of the loss because data are finite: L(N, D) / L(N, infinity) - 1.

    $$\delta L = \left[1 + \left(\frac{N}{N_c}\right)^{\alpha_N/\alpha_D}\frac{D_c}{D}\right]^{\alpha_D} - 1$$

    Args:
        N: non-embedding parameters.
        D: tokens.
        N_c, D_c, alpha_N, alpha_D: constants of `laws.kaplan`.

    Returns:
        The relative rise, a fraction.

    Source: Kaplan et al. 2020, eq. 4.3.

    >>> round(float(overfitting(1e9, 2.3e10)), 4)
    0.0209
    """
    too_few = np.divide(np.divide(N, N_c) ** (alpha_N / alpha_D) * D_c, D)
    return np.expm1(alpha_D * np.log1p(too_few))


@relation
def data_to_avoid_overfitting(
    N: ArrayLike,
    tolerance: float | None = None,
    *,
    N_c: float = 6.4e13,
    D_c: float = 1.8e13,
    alpha_N: float = 0.076,
    alpha_D: float = 0.103,
) -> Numbers:
    r"""Tokens that keep the overfitting of N parameters below a tolerance.

    $$D \ge D_c\,\frac{(N/N_c)^{\alpha_N/\alpha_D}}{(1 + \delta)^{1/\alpha_D} - 1}
      \qquad (\text{printed for } \delta = .02:\ D \ge 5\cdot10^3\,N^{.74})$$

    Args:
        N: non-embedding parameters.
        tolerance: allowed relative rise of the loss; None gives the printed rule for seed noise, 5e3 N^0.74.
        N_c, D_c, alpha_N, alpha_D: constants of `laws.kaplan`.

    Returns:
        Tokens.

    Source: Kaplan et al. 2020, eq. 4.4, and eq. 4.3 solved for D.

    >>> [round(float(data_to_avoid_overfitting(1e9, tolerance)) / 1e9, 1) for tolerance in (None, 0.02)]
    [22.9, 24.1]
    """
    if tolerance is None:
        return 5e3 * np.asarray(N, dtype=float) ** 0.74
    return D_c * np.divide(N, N_c) ** (alpha_N / alpha_D) / np.expm1(np.log1p(tolerance) / alpha_D)


@relation
def stopping_step(
    loss: ArrayLike, converged_loss: ArrayLike, *, S_c: float = 2.1e3, alpha_S: float = 0.76
) -> Numbers:
    r"""A lower bound on the update at which training on finite data should stop.

    $$S_{stop} \ge S_c\,[L(N, D) - L(N, \infty)]^{-1/\alpha_S}$$

    Args:
        loss: early-stopped loss L(N, D), nats/token.
        converged_loss: loss of the same size on unlimited data.
        S_c, alpha_S: constants of `laws.kaplan_steps`.

    Returns:
        Updates.

    Source: Kaplan et al. 2020, eq. 5.7.

    >>> round(float(stopping_step(2.5, 2.4)))
    43452
    """
    return S_c * np.subtract(loss, converged_loss) ** (-1 / alpha_S)


@relation
def off_size_cost(size_ratio: ArrayLike, *, alpha_N: float = 0.077, alpha_S: float = 0.76) -> np.ndarray:
    r"""Compute at equal loss for a model of another size than the optimum, relative to the optimum's.

    $$\frac{C(N)}{C(N_{eff})} = \frac{N}{N_{eff}}
      \left[1 + \frac{\alpha_S}{\alpha_N}\left(1 - \left(\frac{N_{eff}}{N}\right)^{\alpha_N}\right)\right]
      ^{-1/\alpha_S}$$

    Args:
        size_ratio: N / N_eff, size over compute-optimal size.
        alpha_N, alpha_S: constants of `laws.kaplan_steps`.

    Returns:
        The ratio of computes, 1 at the optimum; infinite where the model is too small ever to reach the loss.

    Source: Kaplan et al. 2020, eq. B.13 (their figure 12: between .6 and 2.2 times the optimum costs at most
    a fifth more).

    >>> off_size_cost([0.6, 1.0, 2.2]).round(3).tolist()
    [1.165, 1.0, 1.204]
    """
    ratio = np.asarray(size_ratio, dtype=float)
    bracket = 1 + (alpha_S / alpha_N) * -np.expm1(-alpha_N * np.log(ratio))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bracket > 0, ratio * np.maximum(bracket, 0.0) ** (-1 / alpha_S), np.inf)


class KaplanOptimum(NamedTuple):
    """The compute-optimal run that the laws imply, at one or many losses or budgets.

    loss (nats/token), N (non-embedding parameters), B (tokens, the critical batch), S_min and S (updates), D
    (tokens seen at batch B), C_min (FLOP), and the exponents and scale of L(C_min): alpha_C, C_c (FLOP).
    """

    loss: Numbers
    N: Numbers
    B: Numbers
    S_min: Numbers
    S: Numbers
    D: Numbers
    C_min: ArrayLike
    alpha_C: float
    C_c: float


@relation
def kaplan_optimum(
    C_min: ArrayLike,
    *,
    N_c: float = 6.5e13,
    alpha_N: float = 0.077,
    S_c: float = 2.1e3,
    alpha_S: float = 0.76,
    B_star: float = 2e8,
    alpha_B: float = 0.21,
) -> KaplanOptimum:
    r"""The compute-optimal size, batch and steps in closed form, from L(N, S_min) and B_crit(L).

    $$\frac{1}{\alpha_C} = \frac{1}{\alpha_N} + \frac{1}{\alpha_S} + \frac{1}{\alpha_B}, \quad
      C_c = 6 N_c B_* S_c (1 + r)^{1/\alpha_N + 1/\alpha_S} r^{-1/\alpha_S}, \quad r = \alpha_N/\alpha_S$$
    $$L = (C_c/C_{min})^{\alpha_C}, \quad N = N_c\left(\frac{1 + r}{L}\right)^{1/\alpha_N}, \quad
      S_{min} = S_c\left(\frac{1 + r}{r L}\right)^{1/\alpha_S}, \quad B = B_* L^{-1/\alpha_B}$$

    Args:
        C_min: compute 6 N B S_min, FLOP.
        N_c, alpha_N, S_c, alpha_S: constants of `laws.kaplan_steps`.
        B_star, alpha_B: constants of `laws.kaplan_critical_batch`.

    Returns:
        A `KaplanOptimum`; training stops at a loss (1 + r) times the converged one, about a tenth above it.

    Note: the paper's own question in closed form. `sj.plan` of `laws.kaplan_steps` gives the same run where
        its cost holds the critical batch, and takes other costs, limits and draws of a fit.

    Known to go wrong: with the printed constants alpha_C is .0525 and N(1 PF-day) 6e8, where the paper's
    direct fits give .050 and 1.3e9.

    Source: Kaplan et al. 2020, section 6.1 and appendix B.

    >>> best = kaplan_optimum(PF_DAY)
    >>> round(best.alpha_C, 5), round(best.C_c / PF_DAY / 1e8, 2), round(float(best.N) / 1e8, 2)
    (0.05245, 1.53, 6.04)
    """
    r = alpha_N / alpha_S
    alpha_C = 1 / (1 / alpha_N + 1 / alpha_S + 1 / alpha_B)
    C_c = 6 * N_c * B_star * S_c * (1 + r) ** (1 / alpha_N + 1 / alpha_S) * r ** (-1 / alpha_S)
    loss = np.divide(C_c, C_min) ** alpha_C
    N = N_c * ((1 + r) / loss) ** (1 / alpha_N)
    S_min = S_c * ((1 + r) / (r * loss)) ** (1 / alpha_S)
    B = B_star * loss ** (-1 / alpha_B)
    return KaplanOptimum(loss, N, B, S_min, 2 * S_min, 2 * S_min * B, C_min, alpha_C, C_c)


@relation
def empirical_allocation(C_min: ArrayLike) -> dict[str, Numbers]:
    r"""Size, batch, updates and tokens for a compute budget, as the paper fitted them directly.

    $$N = 1.3\cdot10^9\,C^{.73}, \quad B = 2.0\cdot10^6\,C^{.24}, \quad
      S = 5.4\cdot10^3\,C^{.03}, \quad D = 2\cdot10^{10}\,C^{.27} \qquad (C \text{ in PF-days})$$

    Args:
        C_min: compute, FLOP.

    Returns:
        {"N": parameters, "B": tokens, "S": updates, "D": tokens}.

    Known to go wrong: learning-rate schedules longer than the runs and counting without embeddings made it
    favour large models; Hoffmann et al. 2022 find N ~ C^.5. Its own authors expect it to break down near 1e4
    PF-days.

    Source: Kaplan et al. 2020, eq. 1.7 and 1.8 and section 6.3.

    >>> {name: f"{value:.2g}" for name, value in empirical_allocation(PF_DAY).items()}
    {'N': '1.3e+09', 'B': '2e+06', 'S': '5.4e+03', 'D': '2e+10'}
    """
    C = np.divide(C_min, PF_DAY)
    return {"N": 1.3e9 * C**0.73, "B": 2.0e6 * C**0.24, "S": 5.4e3 * C**0.03, "D": 2e10 * C**0.27}


@relation
def kaplan_learning_rate(N: ArrayLike) -> Numbers:
    r"""Peak learning rate as Kaplan et al. used it.

    $$\eta(N) = .003239 - .0001395 \ln N$$

    Args:
        N: non-embedding parameters.

    Returns:
        Learning rate; negative beyond 1.2e10 parameters, where it means nothing.

    Source: Kaplan et al. 2020, appendix D.6.

    >>> round(float(kaplan_learning_rate(1e9)), 6)
    0.000348
    """
    return np.subtract(0.003239, np.multiply(0.0001395, np.log(N)))
