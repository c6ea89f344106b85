"""Where runs may be trained: a table of places, or ranges that are searched, grid by finer grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Columns
from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.planning.cost import Cost, formula
from scaling_jax.planning.recipes import compute_of
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.numbers import floats
from scaling_jax.tables.read import read_inputs
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Places", "places_of"]

SIZES, DECADES_DOWN = 13, 3.5
RATIOS, RATIO_STEPS = (5.0, 80.0), 5
PER_AXIS = {1: 25, 2: 9, 3: 6}
USUAL = (0.05, 0.95)  # quantiles of tokens per parameter among the runs that were made


@dataclass(frozen=True, eq=False)
class Places:
    """Places and what a run at each costs.

    Args:
        law: whose inputs they are.
        inputs: input -> (places,).
        prices: (places,).
        cost: what prices are made by, or None where they were given one by one.
        axes: (places, axes) logarithms by which finer places are made; None for a table.
        spacing: (axes,) between neighbours.
        ends: (axes, 2) of the region.
        bounds: words of a formula or input -> its two ends.
    """

    law: Law
    inputs: Columns
    prices: np.ndarray
    cost: Cost | None
    axes: np.ndarray | None = None
    spacing: np.ndarray | None = None
    ends: np.ndarray | None = None
    bounds: Mapping[str, tuple[float, float]] | None = None

    def __len__(self) -> int:
        return len(self.prices)

    def within(self, budget: float) -> Places:
        """Those of which a run can be paid.

        Raises:
            ValueError: where none can.
        """
        good = self.prices <= budget * (1 + 1e-9)
        if not good.any():
            raise ValueError(
                f"The cheapest candidate costs {self.prices.min():.3g}, more than the budget of {budget:.3g}."
            )
        return self.taken(good)

    def taken(self, which: np.ndarray) -> Places:
        """Some of them."""
        axes = None if self.axes is None else self.axes[which]
        inputs = {name: column[which] for name, column in self.inputs.items()}
        return replace(self, inputs=inputs, prices=self.prices[which], axes=axes)

    def joined(self, other: Places) -> Places:
        """These and others of the same kind, in a row."""
        axes = None if self.axes is None or other.axes is None else np.vstack([self.axes, other.axes])
        inputs = {name: np.append(column, other.inputs[name]) for name, column in self.inputs.items()}
        return replace(self, inputs=inputs, prices=np.append(self.prices, other.prices), axes=axes)

    def finer(self, around: np.ndarray, budget: float) -> Places:
        """The same and, half as far away as before, new neighbours of some of them (positions)."""
        if self.axes is None or self.spacing is None or self.ends is None:
            return self
        half = self.spacing / 2
        steps = np.array([s for s in product((-1, 0, 1), repeat=len(half)) if any(s)])
        near = (self.axes[around][:, None] + steps * half).reshape(-1, len(half))
        near = np.clip(near, self.ends[:, 0], self.ends[:, 1])
        known = {tuple(row) for row in np.round(self.axes / half, 2)}
        cells, first = np.unique(np.round(near / half, 2), axis=0, return_index=True)
        new = near[[i for i, cell in zip(first, cells, strict=True) if tuple(cell) not in known]]
        made = _region(self.law, new, self.cost, self.bounds or {}, budget)
        return replace(self.joined(made), spacing=half)


def places_of(
    law: Law,
    candidates: TableLike | Mapping[str, tuple[float, float]] | None,
    cost: str | ArrayLike | Cost | None,
    budgets: tuple[float, float],
    made: Columns,
) -> Places:
    """Candidates in the user's words.

    Args:
        law: whose inputs are chosen.
        candidates: a table, ranges of inputs and of formulas of inputs, or None.
        cost: column of the table, a number for each row, one of `sj.cost`, or None.
        budgets: the least and the largest that will be asked about.
        made: inputs of the runs that exist.

    Raises:
        ValueError: for what makes no sense.
    """
    if candidates is None or (ranges := _ranges(candidates)):
        return _of_ranges(law, {} if candidates is None else ranges, cost, budgets, made)
    frame = as_frame(as_columns(candidates))
    inputs = read_inputs(law, frame)
    if isinstance(cost, str) and cost not in frame.columns:
        raise ValueError(f"cost={shown(cost)}: the candidates have {', '.join(map(str, frame.columns))}.")
    if cost is None:
        prices = compute_of(inputs)
    elif isinstance(cost, Cost):
        prices = cost(**inputs)
    else:
        prices = np.asarray(floats(frame[cost]) if isinstance(cost, str) else cost, dtype=np.float64)
    n = len(next(iter(inputs.values())))
    if prices.shape != (n,) or not (np.isfinite(prices) & (prices > 0)).all():
        raise ValueError(f"cost: give a positive, finite number for each of {n} candidates.")
    return Places(law, inputs, prices, None)


def _ranges(candidates: object) -> dict[str, tuple[float, float]]:
    """The pairs of a mapping that holds nothing else."""
    if not isinstance(candidates, Mapping):
        return {}
    pairs = {str(k): v for k, v in candidates.items() if isinstance(v, tuple) and len(v) == 2}
    return pairs if len(pairs) == len(candidates) else {}


def _of_ranges(
    law: Law,
    bounds: dict[str, tuple[float, float]],
    cost: object,
    budgets: tuple[float, float],
    made: Columns,
) -> Places:
    if isinstance(cost, str):
        raise ValueError(f"cost={shown(cost)}: a column of the candidates, which are not given.")
    if not (cost is None or isinstance(cost, Cost)):
        raise ValueError(f"cost={shown(cost)}: with ranges of candidates give one of sj.cost.")
    for name, (low, high) in bounds.items():
        if not (np.isfinite([low, high]).all() and 0 < low <= high):
            raise ValueError(f"candidates {name!r}: ({low!r}, {high!r}) is no range of positive numbers.")
    if set(law.inputs) == {"N", "D"}:
        ends, count = _compute_and_ratio(bounds, budgets, made)
    elif set(law.inputs) <= set(bounds):
        ends = np.log([bounds[name] for name in law.inputs])
        count = [PER_AXIS.get(len(ends), 4)] * len(ends)
    elif len(law.inputs) == 1:
        ends, count = np.log([_budget_range(budgets, made)]), [SIZES]
    else:
        raise ValueError(f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: give candidates=.")
    count = [1 if low == high else n for (low, high), n in zip(ends, count, strict=True)]
    grids = [np.linspace(low, high, n) for (low, high), n in zip(ends, count, strict=True)]
    axes = np.stack([one.ravel() for one in np.meshgrid(*grids, indexing="ij")], axis=1)
    spacing = np.array([np.ptp(g) / max(len(g) - 1, 1) for g in grids])
    spacing = np.where(spacing > 0, spacing, 1.0)
    found = _region(law, axes, cost, bounds, np.inf)
    if not len(found):
        raise ValueError("No place lies within all ranges of candidates=: widen one.")
    return replace(found, spacing=spacing, ends=ends)


def _budget_range(budgets: tuple[float, float], made: Columns) -> tuple[float, float]:
    """Compute of the runs that are thought of: nothing much smaller than what was trained before."""
    least, most = budgets
    low = least * 10**-DECADES_DOWN
    if made and len(next(iter(made.values()))):
        low = max(low, min(float(np.min(compute_of(made))), least * 10**-0.5))
    return low, most


def _compute_and_ratio(
    bounds: dict[str, tuple[float, float]], budgets: tuple[float, float], made: Columns
) -> tuple[np.ndarray, list[int]]:
    """Ends of log compute and log tokens per parameter, and how many of each make the first grid."""
    low, high = _budget_range(budgets, made)
    ratios = RATIOS
    if made and len(next(iter(made.values()))):
        usual = np.quantile(made["D"] / made["N"], USUAL)
        ratios = (min(ratios[0], float(usual[0])), max(ratios[1], float(usual[1])))
    ratios = bounds.get("D / N", ratios)
    if {"N", "D"} <= set(bounds):
        (least_n, most_n), (least_d, most_d) = bounds["N"], bounds["D"]
        low, high = TOKENS_FLOP * least_n * least_d, min(high, TOKENS_FLOP * most_n * most_d)
        ratios = bounds.get("D / N", (least_d / most_n, most_d / least_n))
    if low > high:
        raise ValueError(f"The cheapest candidate costs {low:.3g}, more than the budget of {high:.3g}.")
    return np.log([(low, high), ratios]), [SIZES, RATIO_STEPS]


def _region(
    law: Law, axes: np.ndarray, cost: Cost | None, bounds: Mapping[str, tuple[float, float]], budget: float
) -> Places:
    """The places behind axes, those outside the bounds or too dear left out."""
    columns = np.exp(axes).T
    if set(law.inputs) == {"N", "D"}:
        N = np.sqrt(columns[0] / (TOKENS_FLOP * columns[1]))
        inputs = {"N": N, "D": columns[1] * N}
    else:
        inputs = dict(zip(law.inputs, columns, strict=True))
    prices = np.broadcast_to(compute_of(inputs) if cost is None else cost(**inputs), axes.shape[:1])
    good = prices <= budget * (1 + 1e-9)
    for words, (low, high) in bounds.items():
        value = np.asarray(formula(words).value(inputs))
        good &= (value >= low * (1 - 1e-6)) & (value <= high * (1 + 1e-6))
    return Places(law, inputs, prices, cost, axes, bounds=bounds).taken(good)
