"""The commonest plans under names of their own: C = 6 N D, and with the tokens that will be served.

`sj.plan` answers these and every other cost, limit and goal; here are its short forms, as tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import real_numbers, shown
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.cost import Cost, serving, training
from scaling_jax.planning.plan import plan
from scaling_jax.planning.problem import given_values
from scaling_jax.planning.result import Plan, losses_of
from scaling_jax.planning.source import LawSource, Optima, source_of
from scaling_jax.tables.scale import budgets_of

__all__ = ["allocation_exponents", "compute_optimal", "inference_optimal"]

QUANTITIES = ("N", "D", "loss", "tokens_per_param")


def compute_optimal(
    source: LawSource | Optima,
    flops: ArrayLike,
    *,
    level: float | None = None,
    given: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    r"""The size, tokens and loss of the best run of each training budget: `sj.plan` for C = 6 N D.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND; \qquad
      \text{Chinchilla: } N^* = G\left(\frac{C}{6}\right)^{\frac{\beta}{\alpha+\beta}}, \quad
      G = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha+\beta}}$$

    Args:
        source: a fit; its bootstrap or posterior; `(law, params)`; a published entry; an `sj.isoflop` result.
            The law may be any function of N and D, and of inputs that are given.
        flops: training budgets, FLOP.
        level: probability between the two ends of the intervals. None: .9 where draws are given, and no
            intervals for a bare fit (a number makes its bootstrap, 1,000 refits, cached).
        given: values of the law's other inputs, for example `{"U": 1e11}` unique tokens.

    Returns:
        One row per budget: flops, N (parameters), D (tokens), loss, tokens_per_param, extrapolation (decades
        of compute beyond the fitted runs; NaN where those are not known), and with draws `_lower` and
        `_upper` of the first four. NaN where the law has no optimum (an exponent not positive).
        `attrs["notes"]` says how compute and size were counted.

    Raises:
        TypeError: for something that holds no law, or a law without inputs N and D.
        ValueError: for budgets or a level that make no sense, or intervals of bare constants.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 4.

    >>> import scaling_jax as sj
    >>> printed = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> plan = sj.compute_optimal((sj.laws.chinchilla, printed), flops=[5.76e23])
    >>> [f"{value:.3g}" for value in plan.iloc[0, :5]]
    ['5.76e+23', '3.22e+10', '2.98e+12', '1.93', '92.6']
    """
    budgets = budgets_of(flops)
    if isinstance(source, Optima) and not isinstance(source, Fitted):
        return source.optimal(budgets) if level is None else source.optimal(budgets, level=level)
    found = _planned(source, {"flops": budgets}, level, given)
    table = _table(found, QUANTITIES)
    table["extrapolation"] = found.extrapolation.get("compute", np.nan)
    return table


def allocation_exponents(
    source: LawSource | Optima,
    *,
    flops: float = 1e21,
    level: float | None = None,
    given: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    r"""How fast the best size and tokens grow with compute, and the loss falls.

    $$a = \frac{d \ln N^*}{d \ln C}, \quad b = 1 - a, \quad g = -\frac{d \ln (L^* - E)}{d \ln C}; \qquad
      \text{Chinchilla: } a = \frac{\beta}{\alpha+\beta}, \; g = \frac{\alpha\beta}{\alpha+\beta}$$

    Args:
        source, level, given: as in `compute_optimal`.
        flops: the budget at which the exponents are taken; those of Chinchilla do not depend on it.

    Returns:
        Rows N, D, loss with their exponent `estimate`, and `lower`, `upper` where there are draws. The loss
        is taken above the law's floor `E`, where it has one.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 4.

    >>> import scaling_jax as sj
    >>> replicated = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> sj.allocation_exponents((sj.laws.chinchilla, replicated))["estimate"].round(4).to_dict()
    {'N': 0.5126, 'D': 0.4874, 'loss': 0.1783}
    """
    budget = budgets_of(flops)[:1]
    if isinstance(source, Optima) and not isinstance(source, Fitted):
        return source.exponents() if level is None else source.exponents(level=level)
    return _planned(source, {"flops": budget}, level, given).exponents().droplevel("goal").rename_axis(None)


def inference_optimal(
    source: LawSource,
    flops: ArrayLike | None = None,
    served: ArrayLike | None = None,
    *,
    loss: ArrayLike | None = None,
    level: float | None = None,
    given: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    r"""The best run whose budget pays for training and for the tokens it will serve: `sj.plan` for that cost.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND + 2N D_{inf}; \qquad
      \text{Chinchilla: } \frac{\alpha A N^{-\alpha}}{\beta B D^{-\beta}} = 1 + \frac{D_{inf}}{3D}$$

    The run is also the cheapest that reaches its loss: both problems have the same first-order condition.

    Args:
        source, level, given: as in `compute_optimal`; an `sj.isoflop` result holds no law to plan from.
        flops: budgets for training and inference together, FLOP.
        served: the demand, tokens of inference D_inf over the model's life; several for a plan of each.
        loss: in place of budgets, the quality that is wanted at least cost.

    Returns:
        One row per demand and budget (or loss): served where several are asked, flops, N (parameters), D
        (training tokens), loss, tokens_per_param, training_share (of the budget), and with draws `_lower` and
        `_upper`. NaN where the law has no optimum.

    Raises:
        TypeError: for something that holds no law, or a law without inputs N and D.
        ValueError: for budgets, tokens or a level that make no sense, or both budgets and losses.

    Source: Sardana et al. 2024 (arXiv:2401.00448), eq. 3.

    >>> import scaling_jax as sj
    >>> printed = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> plan = sj.inference_optimal((sj.laws.chinchilla, printed), flops=5.76e23, served=1e13)
    >>> bool(plan["tokens_per_param"][0] > 92.6)
    True
    >>> demand = sj.inference_optimal((sj.laws.chinchilla, printed), loss=2.0, served=[1e11, 1e13])
    >>> bool(demand["N"][1] < demand["N"][0])
    True
    """
    if (flops is None) == (loss is None):
        raise ValueError("Say what is wanted: budgets by flops=, or a quality by loss=.")
    goal = {"loss": losses_of(loss)} if loss is not None else {"flops": budgets_of(cast(ArrayLike, flops))}
    parts = []
    for tokens in _demands(served):
        found = _planned(source, goal, level, given, training() + serving(tokens))
        shares = {"": found.point.inputs["D"][0]}
        table = _table(found, QUANTITIES)
        if "D_lower" in table:
            shares |= {"_lower": table["D_lower"].to_numpy(), "_upper": table["D_upper"].to_numpy()}
        for end, D in shares.items():  # rises with D, so its ends are those of D
            table[f"training_share{end}"] = 3 * D / (3 * D + tokens)
        parts.append(table)
    if len(parts) == 1:
        return parts[0]
    whole = pd.concat(parts, ignore_index=True)
    whole.insert(0, "served", np.repeat(_demands(served), len(parts[0])))
    whole.attrs = parts[0].attrs
    return whole


def _demands(served: object) -> list[float]:
    try:
        found = np.atleast_1d(np.asarray(real_numbers(served), dtype=np.float64)).ravel()
    except Exception:  # of any type, for what is no number
        found = np.array([np.nan])
    if not len(found) or not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(
            f"served={shown(served)}: give the tokens of inference, numbers that are zero or more."
        )
    return found.tolist()


def _planned(
    source: LawSource,
    goal: Mapping[str, ArrayLike],
    level: float | None,
    given: Mapping[str, float] | None,
    cost: Cost | None = None,
) -> Plan:
    known = given_values(given)
    found = source_of(source, draws=level is not None)
    _check_names(found.law.name, found.law.inputs, known)
    others = set(found.law.inputs) - {"N", "D"}
    if not {"N", "D"} <= set(found.law.inputs) or others != set(known):
        listed = ", ".join(f"{name!r}: value" for name in found.law.inputs if name in others)
        remedy = f", and values for the others: given={{{listed}}}." if listed else "."
        raise TypeError(
            f"Law '{found.law.name}' has the inputs {', '.join(found.law.inputs)}; this plan needs N and "
            f"D{remedy}"
        )
    if level is not None and found.draws is None:
        raise ValueError(
            "level= asks for intervals, and bare constants have none: give a fit, its bootstrap or posterior."
        )
    return plan(
        found,
        flops=goal.get("flops"),
        loss=goal.get("loss"),
        cost=cost,
        given=known,
        level=0.9 if level is None else level,
    )


def _table(found: Plan, names: Sequence[str]) -> pd.DataFrame:
    """Some columns of a plan with their ends, and its notes."""
    kept = [c for c in found.table if c.removesuffix("_lower").removesuffix("_upper") in ("flops", *names)]
    table = found.table[["flops", *(c for c in kept if c != "flops")]].copy()
    table.attrs = {"notes": found.warnings} | ({"level": found.level} if found.drawn is not None else {})
    return table


def _check_names(law: str, inputs: Sequence[str], known: Mapping[str, float]) -> None:
    for name, value in known.items():
        if name in ("N", "D"):
            raise ValueError(
                f"given holds {name}={value:g}, and N and D are what this plan chooses: leave it out, or ask "
                f"sj.plan(source, flops=, limits={{{name!r}: {value:g}}})."
            )
        if name not in inputs:
            raise ValueError(f"given holds {name!r}, and law '{law}' has the inputs {', '.join(inputs)}.")
