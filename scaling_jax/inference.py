"""What to train when the model will also be served: the best run of a budget that pays for training and inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.engine.frontier import frontier
from scaling_jax.plan import budgets_of, planned

__all__ = ["inference_optimal"]


def inference_optimal(
    source: Any, flops: Any, served: float, *, level: float | None = None, given: Mapping[str, float] | None = None
) -> pd.DataFrame:
    r"""The size, tokens and loss of the best run whose budget pays for its training and for the tokens it will serve.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND + 2N D_{inf}; \qquad
      \text{Chinchilla: } \frac{\alpha A N^{-\alpha}}{\beta B D^{-\beta}} = 1 + \frac{D_{inf}}{3D}$$

    The run is also the cheapest that reaches its loss: both problems have the same first-order condition.

    Args:
        source, level, given: as in `compute_optimal`; an `sj.isoflop` result holds no law to plan from.
        flops: budgets for training and inference together, FLOP.
        served: tokens of inference D_inf over the model's life.

    Returns:
        One row per budget: flops, N (parameters), D (training tokens), loss, tokens_per_param, training_share (of the budget),
        and with draws `_lower` and `_upper` of all but flops. NaN where the law has no optimum.

    Raises:
        TypeError: for something that holds no law, or a law without inputs N and D.
        ValueError: for budgets, tokens or a level that make no sense.

    Source: Sardana et al. 2024 (arXiv:2401.00448), eq. 3.

    >>> import scaling_jax as sj
    >>> printed = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> plan = sj.inference_optimal((sj.laws.chinchilla, printed), flops=5.76e23, served=1e13)
    >>> bool(plan["tokens_per_param"][0] > 92.6)
    True
    """
    budgets = budgets_of(flops)
    if not np.ndim(served) == 0 or not 0 <= float(served) < np.inf:
        raise ValueError(f"served={served!r}: give the tokens of inference as one number, zero or more.")
    plan = planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        N, D, loss = frontier(plan.law, numbers, budgets, np.asarray(float(served)), plan.given)
        return {"N": N, "D": D, "loss": loss, "tokens_per_param": D / N, "training_share": 3 * D / (3 * D + float(served))}

    table = pd.DataFrame({"flops": budgets, **{k: v[0] for k, v in quantities(plan.numbers).items()}})
    return plan.with_intervals(table, quantities)
