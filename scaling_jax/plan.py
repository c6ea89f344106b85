"""What to train with a budget: the size, tokens and loss of the best run, with intervals, from any law of N and D.

A plan takes whatever stands for a law with parameters: a fit, its bootstrap or posterior, a law with a dict of parameters,
a published entry, or the result of Approach 1 or 2.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax import laws
from scaling_jax.engine.frontier import TOKENS_FLOP, along, frontier
from scaling_jax.law import Law
from scaling_jax.uncertainty import tail_of

__all__ = ["allocation_exponents", "compute_optimal"]

CLOSED_FORM = (laws.chinchilla, laws.chinchilla_tied, laws.chinchilla_gamma)


def compute_optimal(source: Any, flops: Any, *, level: float | None = None, given: Mapping[str, float] | None = None) -> pd.DataFrame:
    r"""The size, tokens and loss of the best run of each training budget.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND; \qquad \text{Chinchilla: } N^* = G\left(\frac{C}{6}\right)^{\frac{\beta}{\alpha+\beta}},
      \quad G = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha+\beta}}$$

    Args:
        source: a fit; its bootstrap or posterior; `(law, params)`; a published entry; an `sj.isoflop` result.
            The law may be any function of N and D: Chinchilla's kin are solved in closed form, others by a search over D.
        flops: training budgets, FLOP.
        level: probability between the two ends of the intervals. None: .9 where draws are given, and no intervals for a bare
            fit (a number makes its bootstrap, 1,000 refits, cached).
        given: values of the law's other inputs, for example `{"U": 1e11}` unique tokens.

    Returns:
        One row per budget: flops, N (parameters), D (tokens), loss, tokens_per_param, extrapolation (decades of compute
        beyond the fitted runs; NaN where those are not known), and with draws `_lower` and `_upper` of the first four.
        NaN where the law has no optimum (an exponent not positive). `attrs["notes"]` says how compute and size were counted.

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
    if hasattr(source, "optimal"):
        return source.optimal(budgets) if level is None else source.optimal(budgets, level=level)
    plan = planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        best = _closed(plan.law, numbers, budgets) if plan.law in CLOSED_FORM else None
        N, D, loss = best or frontier(plan.law, numbers, budgets, np.asarray(0.0), plan.given)
        return {"N": N, "D": D, "loss": loss, "tokens_per_param": D / N}

    table = pd.DataFrame({"flops": budgets, **{k: v[0] for k, v in quantities(plan.numbers).items()}})
    table["extrapolation"] = plan.beyond(budgets)
    return plan.with_intervals(table, quantities)


def allocation_exponents(
    source: Any, *, flops: float = 1e21, level: float | None = None, given: Mapping[str, float] | None = None
) -> pd.DataFrame:
    r"""How fast the best size and tokens grow with compute, and the loss falls.

    $$a = \frac{d \ln N^*}{d \ln C}, \quad b = 1 - a, \quad g = -\frac{d \ln (L^* - E)}{d \ln C}; \qquad
      \text{Chinchilla: } a = \frac{\beta}{\alpha+\beta}, \; g = \frac{\alpha\beta}{\alpha+\beta}$$

    Args:
        source, level, given: as in `compute_optimal`.
        flops: the budget at which the exponents are taken; those of Chinchilla do not depend on it.

    Returns:
        Rows N, D, loss with their exponent `estimate`, and `lower`, `upper` where there are draws. The loss is taken above the
        law's floor `E`, where it has one.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 4.

    >>> import scaling_jax as sj
    >>> replicated = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> sj.allocation_exponents((sj.laws.chinchilla, replicated))["estimate"].round(4).to_dict()
    {'N': 0.5126, 'D': 0.4874, 'loss': 0.1783}
    """
    budget = budgets_of(flops)[:1]
    if hasattr(source, "exponents"):
        return source.exponents() if level is None else source.exponents(level=level)
    plan = planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        of_size, of_loss = along(plan.law, numbers, np.log(budget), plan.given)
        loss = frontier(plan.law, numbers, budget, np.asarray(0.0), plan.given).loss
        floor = plan.law.unflatten(numbers.T)["E"][:, None] if "E" in plan.law.params else 0.0
        return {"N": of_size[:, 0], "D": 1 - of_size[:, 0], "loss": (-of_loss / (loss - floor))[:, 0]}

    table = pd.DataFrame({"estimate": {name: values[0] for name, values in quantities(plan.numbers).items()}})
    if plan.draws is not None:
        drawn = quantities(plan.draws)
        table["lower"], table["upper"] = (pd.Series({k: q(v) for k, v in drawn.items()}) for q in plan.ends)
    return table


@dataclass(frozen=True)
class Planned:
    """A law with the parameters a plan is made from.

    law; numbers (1, labels); draws (draws, labels) or None; level; given: the law's other inputs; fitted: smallest and largest
    compute of the fitted runs, or None; notes: what the reader must know about the way things were counted.
    """

    law: Law
    numbers: np.ndarray
    draws: np.ndarray | None
    level: float
    given: dict[str, float]
    fitted: tuple[float, float] | None
    notes: list[str]

    @property
    def ends(self) -> tuple[Any, Any]:
        """Functions of (draws, ...) that give the two ends of the interval; draws without an optimum do not count."""
        tail = tail_of(self.level)
        return (lambda v: _quantile(v, tail)), (lambda v: _quantile(v, 1 - tail))

    def beyond(self, flops: np.ndarray) -> np.ndarray:
        """Decades by which budgets lie outside the compute of the fitted runs."""
        if self.fitted is None:
            return np.full(len(flops), np.nan)
        low, high = self.fitted
        return np.maximum(0.0, np.maximum(np.log10(flops / high), np.log10(low / flops)))

    def with_intervals(self, table: pd.DataFrame, quantities: Any) -> pd.DataFrame:
        """The table with `_lower` and `_upper` of every quantity, its notes in attrs, and what cannot be said as a warning."""
        notes = list(self.notes)
        if self.draws is not None:
            drawn = quantities(self.draws)
            for end, q in zip(("lower", "upper"), self.ends, strict=True):
                table = table.assign(**{f"{name}_{end}": q(values) for name, values in drawn.items()})
            if lost := np.isnan(drawn["N"]).any(axis=1).mean():
                notes.append(f"{100 * lost:.1f} % of the draws have no optimum inside and are left out of the intervals.")
        if table["N"].isna().any():
            notes.append(f"Law '{self.law.name}' has no optimum inside: with these parameters more of one of N and D is always better.")
        table.attrs["notes"] = notes
        if self.draws is not None:
            table.attrs["level"] = self.level
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        return table


def planned(source: Any, level: float | None, given: Mapping[str, float] | None, needs: tuple[str, ...] = ("N", "D")) -> Planned:
    """Reads law, parameters and draws out of whatever a plan is made from."""
    known = {name: float(value) for name, value in (given or {}).items()}
    fit: Any = getattr(source, "fit", source if hasattr(source, "objective_value") else None)
    count = getattr(source if fit is None else fit, "count", None)
    if fit is not None:
        law, numbers = fit.law, fit.numbers
        if fit.reason:
            raise ValueError(f"There is no fit to plan from: {fit.reason}")
    else:
        law, numbers = _constants(source)
        if level is not None:
            raise ValueError("level= asks for intervals, and bare constants have none: give a fit, its bootstrap or posterior.")
    missing = [name for name in needs if name not in law.inputs]
    if missing or set(law.inputs) != {*needs, *known}:
        others = [name for name in law.inputs if name not in needs]
        raise TypeError(
            f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; this plan needs {' and '.join(needs)}"
            + (f", and values for the others: given={{{', '.join(f'{name!r}: value' for name in others)}}}." if others else ".")
        )
    draws = np.asarray(source.numbers) if fit is not None and source is not fit else None
    if draws is None and level is not None:
        draws = fit.draws.numbers
    level = 0.9 if level is None else level
    tail_of(level)
    return Planned(law, np.atleast_2d(numbers), draws, level, known, _fitted_compute(fit), _counted(count))


def budgets_of(flops: Any, what: str = "flops") -> np.ndarray:
    """Positive finite amounts as a flat float64 array."""
    try:
        values = np.atleast_1d(np.asarray(flops, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}={flops!r}: give numbers, for example [1e21, 1e24].") from error
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{what}={flops!r}: give positive, finite numbers in one dimension.")
    return values


def _constants(source: Any) -> tuple[Law, np.ndarray]:
    law, params = source if isinstance(source, tuple) and len(source) == 2 else (getattr(source, n, None) for n in ("law", "params"))
    if not isinstance(law, Law) or not isinstance(params, Mapping):
        raise TypeError(
            f"A plan is made from a fit, its bootstrap or posterior, a published entry, or (law, params), not {type(source).__name__}"
            + ("; pick one group: fits[key]." if isinstance(source, Mapping) else ".")
        )
    if set(params) != set(law.params):
        raise ValueError(f"Law '{law.name}' has the parameters {', '.join(law.params)}; given are {', '.join(params)}.")
    return law, law.flatten(params)


def _closed(law: Law, numbers: np.ndarray, flops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p = {name: values[:, None] for name, values in zip(law.labels, numbers.T, strict=True)}
    alpha, beta = p["alpha"], p.get("beta", p["alpha"])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        exists = (alpha > 0) & (beta > 0) & (p["A"] > 0) & (p["B"] > 0)
        log_G = np.where(exists, np.log(alpha * p["A"]) - np.log(beta * p["B"]), np.nan) / (alpha + beta)
        N = np.exp(log_G + beta / (alpha + beta) * np.log(flops / TOKENS_FLOP))
        D = flops / (TOKENS_FLOP * N)
        loss = p["E"] + (p["A"] * N**-alpha + p["B"] * D**-beta) ** p.get("gamma", 1.0)
    return N, D, loss


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Quantile over draws, those without an optimum left out; NaN where none has one."""
    known = ~np.isnan(values).all(axis=0)
    filled = np.where(known, values, 0.0)
    return np.where(known, np.nanquantile(filled, share, axis=0), np.nan)


def _fitted_compute(fit: Any) -> tuple[float, float] | None:
    runs = fit.data() if getattr(fit, "runs", None) is not None else None
    if runs is None or not {"N", "D"} <= set(runs.inputs):
        return None
    flops = TOKENS_FLOP * runs.inputs["N"] * runs.inputs["D"]
    flops = flops[flops > 0]
    return (float(flops.min()), float(flops.max())) if len(flops) else None


def _counted(count: Any) -> list[str]:
    """Sentences for counts that a plan at C = 6 N D must not pass over."""
    found: list[str] = []
    if not isinstance(count, Mapping):
        return found
    if (size := count.get("N")) and "non" in size.lower():
        found.append(
            f"N is counted '{size}', so C = 6 N D leaves out the embedding's FLOP and N is smaller than the model: the optimum "
            "differs from one in total parameters (Pearce and Song 2024)."
        )
    if (compute := count.get("C")) and compute.replace(" ", "").replace("*", "").upper() != "6ND":
        found.append(f"The runs' compute was counted '{compute}', and this plan spends C = 6 N D: convert budgets before comparing.")
    return found
