"""Which runs to pay for: a choice of candidates whose fit predicts best where it matters (V-optimal design).

What a set of runs teaches is the sum of their information matrices, so the choice needs no refit: every group
of candidates is one matrix and one cost.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.core.settings import own_settings
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.search import Purse, search
from scaling_jax.tables.frames import TableLike

__all__ = ["Design", "v_optimal"]

EXHAUSTIVE = 2**21
CHUNK = 2**16
ROUNDING = 1e-12

Source: TypeAlias = Fitted | tuple[Law, Mapping[str, ArrayLike]] | None
"""A fit, `(law, params)`, or None for a linear law whose features are given."""


@dataclass(frozen=True, eq=False)
class Design:
    """Chosen runs; made by `sj.v_optimal`.

    Args:
        chosen: the groups' names (row labels where every candidate is its own group).
        rows: positions of their candidates.
        criterion: summed prediction variance over the targets, in units of one run's noise variance.
        cost: spent of the budget.
        method: "exhaustive" or "exchange".
    """

    chosen: list[Hashable]
    rows: np.ndarray
    criterion: float
    cost: float
    method: str

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.chosen))
        return f"<Design: {names}; criterion {self.criterion:.5g}; cost {self.cost:g}; {self.method}>"


def v_optimal(
    source: Source,
    candidates: TableLike | ArrayLike,
    budget: float,
    *,
    groups: str | ArrayLike | None = None,
    cost: str | ArrayLike | None = None,
    include: Sequence[Hashable] = (),
    targets: TableLike | ArrayLike | None = None,
) -> Design:
    r"""The candidates, within a budget, whose fit has the least variance of its predictions.

    $$\min_S\; \operatorname{tr}\left[X^T X \left(M_0 + X_S^T X_S\right)^{-1}\right]$$

    X holds one row per run of the gradient of the law's prediction with respect to its parameters (of its
    logarithm, for a fit on logs). For a law linear in features, it is the features.

    Args:
        source: a fit (the runs it was fitted to count as made: they are M_0), `(law, params)`, or None for a
            linear law.
        candidates: table with the law's inputs, one row per possible run; for None a matrix of features
            (rows, features).
        budget: what the chosen may cost together.
        groups: column or array; candidates that share a value are chosen together. None: every candidate
            alone.
        cost: column or array of costs; None counts runs.
        include: groups that are chosen whatever happens.
        targets: table (or matrix) of runs whose predictions matter; the candidates by default.

    Known to go wrong: the law is taken as true, so that many cheap runs are preferred; `sj.next_runs` holds
    the law's own error and says in per cent of the answer what the runs buy.

    Returns:
        A `Design`. Every combination is tried where there are at most two million; beyond, the best of an
        exchange from a greedy start.

    Raises:
        ValueError: for a column that is missing, costs or features that are no finite numbers, negative
            costs, or a budget that is no number; if `include` is unknown or dearer than the budget, or if no
            affordable choice determines the parameters.

    Source: Ruan et al. 2024 (arXiv:2405.10938), section 5; Pukelsheim 1993.

    >>> v_optimal(None, [[1, 0], [1, 1], [1, 2], [1, 3]], budget=2).chosen
    [0, 3]
    """
    frame = _table_of(candidates)
    if not _is_number(budget):
        raise ValueError(f"budget={shown(budget)}: give what the chosen runs may cost together, one number.")
    try:
        include = [include] if isinstance(include, str) else list(include)
    except TypeError:
        raise TypeError(f"include={shown(include)}: give a list of groups.") from None
    X, made = _features(source, frame)
    goal = X if targets is None else _features(source, targets)[0]
    names, member = _grouped(frame, groups)
    costs = np.bincount(member, np.ones(len(X)) if cost is None else _costs(frame, cost), len(names))
    if not (np.isfinite(X).all() and np.isfinite(goal).all()):
        raise ValueError(
            "Features, or gradients of the law, are not finite for some candidates or targets: leave these "
            "out."
        )
    scale = np.sqrt(np.mean(np.square(np.concatenate([X, goal])), axis=0))
    X, goal, made = X / scale, goal / scale, made / np.outer(scale, scale)
    if unknown := [g for g in include if g not in names]:
        raise ValueError(f"include={unknown}: the groups are {', '.join(map(str, names))}.")
    forced = np.isin(np.arange(len(names)), [names.index(g) for g in include])
    if costs[forced].sum() > budget:
        raise ValueError(
            f"The groups in include cost {costs[forced].sum():g}, more than the budget of {budget:g}."
        )
    information = np.zeros((len(names), X.shape[1], X.shape[1]))
    np.add.at(information, member, X[:, :, None] * X[:, None, :])
    search = _exhaustive if 2 ** int((~forced).sum()) <= EXHAUSTIVE else _exchange
    best, value = search(information, made, goal.T @ goal, costs, forced, budget)
    if not np.isfinite(value):
        raise ValueError(
            f"No choice of candidates within {budget:g} determines the {X.shape[1]} parameters: raise the "
            "budget."
        )
    chosen = [name for name, taken in zip(names, best, strict=True) if taken]
    rows, spent = np.flatnonzero(best[member]), float(costs[best].sum())
    return Design(chosen, rows, float(value), spent, search.__name__[1:])


def _table_of(given: TableLike | ArrayLike) -> pd.DataFrame:
    """A table out of what may also be an array of features."""
    try:
        return given if isinstance(given, pd.DataFrame) else pd.DataFrame(given)
    except (TypeError, ValueError) as error:
        raise TypeError(f"candidates={shown(given)}: give a table, or an array (rows, features).") from error


def _features(source: Source, table: TableLike | ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of the predictions, (rows, parameters), and the information of the runs already made."""
    if isinstance(source, Fitted):
        return _features_of_fit(source, table)
    if source is None:
        X = _matrix(table)
    else:
        (law, params), frame = _law_and_params(source), pd.DataFrame(table)
        inputs = {name: _numbers(_column(frame, name), name) for name in law.inputs}
        X = _gradients(law, law.numbers_of(params), inputs, False)
    return X, np.zeros((X.shape[1], X.shape[1]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not (isinstance(value, bool) or np.isnan(value))


def _law_and_params(source: object) -> tuple[Law, object]:
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Law):
        return source[0], source[1]
    raise TypeError(
        "A design is made for a fit, for (law, params), or for None and features, not "
        f"{type(source).__name__}."
    )


def _matrix(table: object) -> np.ndarray:
    try:
        X = np.atleast_2d(np.asarray(table, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError("Features must be numbers, one row of them per candidate.") from error
    if X.ndim > 2 or not X.size:
        raise ValueError(f"Features have shape {X.shape}: give one row of numbers per candidate.")
    return X


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        raise ValueError(
            f"There is no column '{name}': the candidates have {', '.join(map(str, frame.columns))}."
        )
    return frame[name]


def _numbers(values: object, name: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is not a number.") from error


def _features_of_fit(fit: Fitted, table: TableLike) -> tuple[np.ndarray, np.ndarray]:
    on_log, free = fit.objective.on_log, [label not in fit.fixed for label in fit.law.labels]
    runs = fit.data()
    known = _gradients(fit.law, fit.numbers, runs.inputs, on_log)[:, free]
    if runs.target_se is not None:
        known = known / runs.target_se[:, None] * np.median(runs.target_se)
    made = (known * runs.weight[:, None]).T @ known
    return _gradients(fit.law, fit.numbers, fit.inputs_of(table), on_log)[:, free], made


def _gradients(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray], on_log: bool) -> np.ndarray:
    def one(p: jax.Array, row: dict[str, jax.Array]) -> jax.Array:
        value = law.apply(law.unflatten(p), row)
        return jnp.log(value) if on_log else value

    with own_settings():
        rows = {name: jnp.asarray(values, dtype=jnp.float64) for name, values in inputs.items()}
        return np.asarray(jax.vmap(jax.grad(one), (None, 0))(jnp.asarray(numbers, dtype=jnp.float64), rows))


def _costs(frame: pd.DataFrame, cost: str | ArrayLike) -> np.ndarray:
    """(rows,) what each candidate costs."""
    costs = _numbers(_column(frame, cost) if isinstance(cost, str) else cost, "cost")
    if costs.shape != (len(frame),):
        raise ValueError(
            f"cost has shape {costs.shape}: give one number for each of {len(frame)} candidates."
        )
    if (bad := ~(np.isfinite(costs) & (costs >= 0))).any():
        at = int(bad.argmax())
        raise ValueError(f"cost is {costs[at]:g} in row {at}: costs are finite and not negative.")
    return costs


def _grouped(frame: pd.DataFrame, groups: str | ArrayLike | None) -> tuple[list[Hashable], np.ndarray]:
    """The groups' names, and the group of each candidate (rows,)."""
    if groups is None:
        return list(frame.index), np.arange(len(frame))
    labels = np.asarray(_column(frame, groups) if isinstance(groups, str) else groups)
    if labels.shape != (len(frame),) or pd.isna(labels).any():
        raise ValueError(f"groups must name a group for each of {len(frame)} candidates.")
    member, names = pd.factorize(labels)
    return list(names), member


def _values(M: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """tr(goal M^-1) for a stack of matrices; infinite where M is singular to rounding."""
    good = np.linalg.cond(M) < 1e13
    safe = np.where(good[:, None, None], M, np.eye(M.shape[-1]))
    traces = np.trace(np.linalg.solve(safe, np.broadcast_to(goal, M.shape)), axis1=1, axis2=2)
    return np.where(good, traces, np.inf)


def _exhaustive(
    information: np.ndarray,
    made: np.ndarray,
    goal: np.ndarray,
    costs: np.ndarray,
    forced: np.ndarray,
    budget: float,
) -> tuple[np.ndarray, float]:
    """The best of all combinations that the budget allows: what is chosen (groups,), and its criterion."""
    optional = np.flatnonzero(~forced)
    base, spent = made + information[forced].sum(axis=0), costs[forced].sum()
    best, best_value = forced.copy(), np.inf
    for taken in _combinations(len(optional)):
        taken = taken[spent + taken @ costs[optional] <= budget * (1 + ROUNDING)]
        if not len(taken):
            continue
        values = _values(base + np.tensordot(taken, information[optional], 1), goal)
        low = int(np.argmin(values))
        if values[low] < best_value:
            best_value = float(values[low])
            best[optional] = taken[low].astype(bool)
    return best, best_value


def _combinations(n: int) -> Iterator[np.ndarray]:
    """All choices among n as rows of 0 and 1, in chunks that fit into memory."""
    for first in range(0, 2**n, CHUNK):
        code = np.arange(first, min(first + CHUNK, 2**n))
        yield (code[:, None] >> np.arange(n)) & 1


def _exchange(
    information: np.ndarray,
    made: np.ndarray,
    goal: np.ndarray,
    costs: np.ndarray,
    forced: np.ndarray,
    budget: float,
) -> tuple[np.ndarray, float]:
    """The search of `sj.next_runs` with every group bought at most once; returns as `_exhaustive`.

    A ridge stands in until the matrix is regular.
    """
    ridge = 1e-9 * np.trace(information.sum(axis=0)) / len(goal) * np.eye(len(goal))
    judge = _Informed(information, made + ridge, goal)
    chosen = search(judge, Purse(costs, budget, 1.0, np.inf, forced.astype(float))) > 0
    return chosen, float(_values((made + information[chosen].sum(axis=0))[None], goal)[0])


@dataclass(frozen=True, eq=False)
class _Informed:
    """Groups by their information; a `Judge` of choices."""

    information: np.ndarray
    made: np.ndarray
    goal: np.ndarray
    bought: np.ndarray | float = 0.0

    def value(self) -> float:
        return float(_values((self.made + self.bought)[None], self.goal)[0])

    def after(self, counts: np.ndarray) -> _Informed:
        return replace(self, bought=np.tensordot(counts, self.information, 1))

    def plus(self, place: int, runs: float) -> _Informed:
        return replace(self, bought=self.bought + runs * self.information[place])

    def added(self, more: np.ndarray) -> np.ndarray:
        return _values(self.made + self.bought + more[:, None, None] * self.information, self.goal)

    def without(self, out: np.ndarray, fewer: np.ndarray) -> np.ndarray:
        kept = self.made + self.bought - fewer[:, None, None] * self.information[out]
        return _values(kept, self.goal)

    def swapped(self, out: np.ndarray, fewer: np.ndarray, more: np.ndarray) -> np.ndarray:
        ways = zip(out.tolist(), fewer.tolist(), more, strict=True)
        return np.array([self.plus(place, -runs).added(row) for place, runs, row in ways])
