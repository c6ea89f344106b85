"""What to train with a budget: the size, tokens and loss of its best run, from any law of N and D.

A plan takes whatever stands for a law with parameters: a fit, its bootstrap or posterior, a law with a dict
of parameters, a published entry, or the result of Approach 1 or 2. Where there are draws, it has intervals.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.planning.frontier import along, closed_form, frontier
from scaling_jax.planning.source import LawSource, Optima, Source, source_of
from scaling_jax.tables.scale import TOKENS_FLOP, budgets_of
from scaling_jax.uncertainty.ensemble import check_level, interval, with_ends

__all__ = ["allocation_exponents", "compute_optimal", "inference_optimal"]

LARGEST_SIZE = 1e15  # parameters; a thousand times the largest of today

Quantities: TypeAlias = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From parameter vectors (vectors, labels) to what a plan says of them, (vectors, budgets) by name."""


def compute_optimal(
    source: LawSource | Optima,
    flops: ArrayLike,
    *,
    level: float | None = None,
    given: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    r"""The size, tokens and loss of the best run of each training budget.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND; \qquad
      \text{Chinchilla: } N^* = G\left(\frac{C}{6}\right)^{\frac{\beta}{\alpha+\beta}}, \quad
      G = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha+\beta}}$$

    Args:
        source: a fit; its bootstrap or posterior; `(law, params)`; a published entry; an `sj.isoflop` result.
            The law may be any function of N and D: Chinchilla's kin are solved in closed form, others by a
            search over D.
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
    if isinstance(source, Optima):
        return source.optimal(budgets) if level is None else source.optimal(budgets, level=level)
    plan = _planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        best = closed_form(plan.source.law, numbers, budgets)
        N, D, loss = best or frontier(plan.source.law, numbers, budgets, np.asarray(0.0), plan.given)
        return {"N": N, "D": D, "loss": loss, "tokens_per_param": D / N}

    table = pd.DataFrame({"flops": budgets, **{k: v[0] for k, v in quantities(plan.numbers).items()}})
    table["extrapolation"] = plan.beyond(budgets)
    return plan.with_intervals(table, quantities)


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
    if isinstance(source, Optima):
        return source.exponents() if level is None else source.exponents(level=level)
    plan = _planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        of_size, of_loss = along(plan.source.law, numbers, np.log(budget), plan.given)
        loss = frontier(plan.source.law, numbers, budget, np.asarray(0.0), plan.given).loss
        floor = plan.source.law.unflatten(numbers.T)["E"][:, None] if "E" in plan.source.law.params else 0.0
        return {"N": of_size[:, 0], "D": 1 - of_size[:, 0], "loss": (-of_loss / (loss - floor))[:, 0]}

    table = pd.DataFrame({"estimate": {name: values[0] for name, values in quantities(plan.numbers).items()}})
    if plan.source.draws is not None:
        ends = {name: interval(values, plan.level) for name, values in quantities(plan.source.draws).items()}
        table["lower"] = pd.Series({name: float(lower) for name, (lower, _) in ends.items()})
        table["upper"] = pd.Series({name: float(upper) for name, (_, upper) in ends.items()})
    return table


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(0 <= value < np.inf)


def inference_optimal(
    source: LawSource,
    flops: ArrayLike,
    served: float,
    *,
    level: float | None = None,
    given: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    r"""The best run whose budget pays for its training and for the tokens it will serve.

    $$\min_{N, D} L(N, D) \;\text{ where } C = 6ND + 2N D_{inf}; \qquad
      \text{Chinchilla: } \frac{\alpha A N^{-\alpha}}{\beta B D^{-\beta}} = 1 + \frac{D_{inf}}{3D}$$

    The run is also the cheapest that reaches its loss: both problems have the same first-order condition.

    Args:
        source, level, given: as in `compute_optimal`; an `sj.isoflop` result holds no law to plan from.
        flops: budgets for training and inference together, FLOP.
        served: tokens of inference D_inf over the model's life.

    Returns:
        One row per budget: flops, N (parameters), D (training tokens), loss, tokens_per_param, training_share
        (of the budget), and with draws `_lower` and `_upper` of all but flops. NaN where the law has no
        optimum.

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
    if not _is_amount(served):
        raise ValueError(f"served={served!r}: give the tokens of inference as one number, zero or more.")
    plan = _planned(source, level, given)

    def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
        N, D, loss = frontier(plan.source.law, numbers, budgets, np.asarray(float(served)), plan.given)
        share = 3 * D / (3 * D + float(served))
        return {"N": N, "D": D, "loss": loss, "tokens_per_param": D / N, "training_share": share}

    table = pd.DataFrame({"flops": budgets, **{k: v[0] for k, v in quantities(plan.numbers).items()}})
    return plan.with_intervals(table, quantities)


@dataclass(frozen=True, eq=False)
class _Planned:
    """What a plan is made from.

    Args:
        source: law, parameters, draws.
        level: of the intervals.
        given: values of the law's other inputs.
    """

    source: Source
    level: float
    given: dict[str, float]

    @property
    def numbers(self) -> np.ndarray:
        """(1, labels)."""
        return self.source.numbers[None]

    def beyond(self, flops: np.ndarray) -> np.ndarray:
        """Decades by which budgets lie outside the compute of the fitted runs."""
        rows = self.source.rows
        if not {"N", "D"} <= set(rows):
            return np.full(len(flops), np.nan)
        spent = TOKENS_FLOP * rows["N"] * rows["D"]
        spent = spent[spent > 0]
        low, high = spent.min(initial=np.inf), spent.max(initial=0.0)
        with np.errstate(divide="ignore"):
            beyond = np.maximum(0.0, np.maximum(np.log10(flops / high), np.log10(low / flops)))
        return beyond if len(spent) else np.full(len(flops), np.nan)

    def with_intervals(self, table: pd.DataFrame, quantities: Quantities) -> pd.DataFrame:
        """The table with `_lower` and `_upper` of every quantity, and notes as warnings and in attrs."""
        notes = [*self.source.notes, *_other_compute(self.source.count)]
        if self.source.draws is not None:
            drawn = quantities(self.source.draws)
            table = with_ends(table, drawn, self.level)
            if lost := 100 * np.isnan(drawn["N"]).any(axis=1).mean():
                notes.append(
                    f"{lost:.1f} % of the draws have no optimum inside and are left out of the intervals."
                )
        if (table["N"] > LARGEST_SIZE).any():
            notes.append(
                f"N = {table['N'].max():.2g} is larger than anything that will be trained: check the units "
                "of N, D and the budget, and that N and D are not swapped."
            )
        if table["N"].isna().any():
            notes.append(
                f"Law '{self.source.law.name}' has no optimum inside: with these parameters more of one of N "
                "and D is always better."
            )
        table.attrs["notes"] = notes
        if self.source.draws is not None:
            table.attrs["level"] = self.level
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        return table


def _planned(source: LawSource, level: float | None, given: Mapping[str, float] | None) -> _Planned:
    known = _given(given)
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
    level = 0.9 if level is None else level
    check_level(level)
    return _Planned(replace(found, median=False), level, known)


def _check_names(law: str, inputs: Sequence[str], known: Mapping[str, float]) -> None:
    for name, value in known.items():
        if name in ("N", "D"):
            raise ValueError(
                f"given holds {name}={value:g}, and N and D are what this plan chooses: leave it out, and "
                "ask predict for the loss of a run of your own."
            )
        if name not in inputs:
            raise ValueError(f"given holds {name!r}, and law '{law}' has the inputs {', '.join(inputs)}.")


def _given(given: object) -> dict[str, float]:
    """The values of a law's other inputs, each a number."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"given={given!r}: give a mapping of inputs to numbers, for example {{'U': 1e11}}.")
    try:
        known = {name: float(value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"given={given!r}: give one number for each of the law's other inputs.") from error
    if wrong := [name for name, value in known.items() if not np.isfinite(value)]:
        raise ValueError(f"given {wrong[0]}={known[wrong[0]]}: give a finite number.")
    return known


def _other_compute(count: Mapping[str, str]) -> list[str]:
    """What must be said where runs were counted in other FLOP than a plan at C = 6 N D spends."""
    compute = count.get("C", "6ND")
    if compute.replace(" ", "").replace("*", "").upper() == "6ND":
        return []
    return [
        f"The runs' compute was counted '{compute}', and this plan spends C = 6 N D: convert budgets before "
        "comparing."
    ]
