"""Best runs that need no search: Chinchilla's kin under a cost k N D, without limits.

They are what the solver of `optimum` gives, to rounding, without a program to compile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scaling_jax import laws
from scaling_jax.core.arrays import Numbers
from scaling_jax.core.law import Law

__all__ = ["Closed", "closed_form"]

KIN = (laws.chinchilla, laws.chinchilla_tied, laws.chinchilla_gamma)


class Closed(NamedTuple):
    """Best runs, each (vectors, goals); NaN where there is none."""

    N: Numbers
    D: Numbers
    loss: Numbers
    worth: Numbers
    slope: Numbers
    exists: Numbers
    reached: Numbers


def closed_form(law: Law, numbers: Numbers, flop: float, goals: Numbers, reach: bool) -> Closed | None:
    r"""The best run of a budget C = flop N D, or the cheapest that reaches a loss; None for other laws.

    $$N^* = G \left(\frac{C}{k}\right)^{\frac{\beta}{\alpha+\beta}}, \quad
      L^* = E + \left(K C^{-\frac{\alpha\beta}{\alpha+\beta}}\right)^\gamma, \quad
      A N^{*-\alpha} = \frac{\beta}{\alpha+\beta} (L^* - E)^{1/\gamma}$$

    Args:
        law: the law.
        numbers: (vectors, labels) parameters.
        flop: k of the cost k N D.
        goals: (goals,) or (vectors, goals) budgets or losses.
        reach: whether goals are losses.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 4.
    """
    if law not in KIN:
        return None
    p = {name: values[:, None] for name, values in zip(law.labels, numbers.T, strict=True)}
    alpha, beta, gamma = p["alpha"], p.get("beta", p["alpha"]), p.get("gamma", 1.0)
    shape = np.broadcast_shapes((len(numbers), 1), np.shape(goals))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        exists = (alpha > 0) & (beta > 0) & (p["A"] > 0) & (p["B"] > 0) & (np.asarray(gamma) > 0)
        slope = np.where(exists, beta / (alpha + beta), np.nan)
        if reach:
            left = np.where(goals > p["E"], goals - p["E"], np.nan) ** (1 / gamma)
            N = (p["A"] / (slope * left)) ** (1 / alpha)
            D = (p["B"] / ((1 - slope) * left)) ** (1 / beta)
        else:
            log_G = (np.log(alpha * p["A"]) - np.log(beta * p["B"])) / (alpha + beta)
            N = np.exp(np.where(exists, log_G, np.nan) + slope * np.log(goals / flop))
            D = goals / (flop * N)
        above = (p["A"] * N**-alpha + p["B"] * D**-beta) ** gamma
        worth = gamma * alpha * slope * above
        loss = np.broadcast_to(goals, shape) + 0 * above if reach else p["E"] + above
        reached = (goals > p["E"]) | (not reach)
    whole = (N, D, loss, worth, slope, exists, reached)
    return Closed(*[np.broadcast_to(values, shape) for values in whole])
