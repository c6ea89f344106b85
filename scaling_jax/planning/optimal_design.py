r"""The best that any set of runs can do for one answer: a linear program.

An answer q = c'theta is estimated without bias by weights u on the runs' log losses, g_i being the gradient
of run i's:

$$\operatorname{Var}_{\min} = \frac{1}{B}\Big(\min_u \sum_i |u_i|\,\sigma_i \sqrt{k_i}\Big)^2
  \quad \text{where } \sum_i u_i g_i = c,$$

k_i the cost of a run, sigma_i its scatter and B the budget. A run's share of the budget is
|u_i| sigma_i sqrt(k_i) over the sum of these (Elfving 1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Bound", "efficiency", "least_variance"]

USED = 1e-9


@dataclass(frozen=True, eq=False)
class Bound:
    """The best design where the law is exact.

    Args:
        variance: of the answer, times the budget.
        support: positions of the runs that are used.
        shares: (support,) of the budget.
    """

    variance: float
    support: np.ndarray
    shares: np.ndarray


def least_variance(features: np.ndarray, goal: np.ndarray, sd: np.ndarray, cost: np.ndarray) -> Bound:
    """The least variance that a budget can buy, and where it is spent.

    Args:
        features: (runs, parameters) gradients g_i.
        goal: (parameters,) gradient c of the answer.
        sd: (runs,) scatter of one run.
        cost: (runs,).

    Raises:
        ValueError: where these runs do not determine the answer.
    """
    from scipy.optimize import linprog

    price = sd * np.sqrt(cost)
    size = np.maximum(np.abs(features).max(axis=0), 1e-300)
    # in units of price, so that the program is about numbers near one
    columns = (features / size).T / price
    scale = np.abs(columns).max()
    columns, wanted = columns / scale, goal / size
    found = linprog(
        np.ones(2 * len(price)),
        A_eq=np.hstack([columns, -columns]),
        b_eq=wanted,
        bounds=(0, None),
        method="highs",
    )
    if found.status != 0:
        raise ValueError("These candidates do not determine the answer: add sizes or ratios.")
    used = found.x[: len(price)] + found.x[len(price) :]
    total = used.sum()
    support = np.flatnonzero(used > USED * total)
    return Bound(float((total / scale) ** 2), support, used[support] / total)


def efficiency(
    features: np.ndarray, goal: np.ndarray, sd: np.ndarray, cost: np.ndarray, counts: np.ndarray
) -> float:
    """The bound over the variance of a design with so many runs of each kind, both for what it costs."""
    size = np.maximum(np.abs(features).max(axis=0), 1e-300)
    X = features / size
    information = (X * (counts / sd**2)[:, None]).T @ X
    wanted = goal / size
    variance = float(wanted @ np.linalg.solve(information, wanted))
    return least_variance(features, goal, sd, cost).variance / (variance * float(counts @ cost))
