"""Which runs to pay for: a choice of candidates whose fit predicts best where it matters (V-optimal design).

What a set of runs teaches is the sum of their information matrices, so the choice needs no refit: every group
of candidates is one matrix and one cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from scaling_jax.core.law import Law

__all__ = ["Design", "v_optimal"]

EXHAUSTIVE = 2**21
CHUNK = 2**16


@dataclass(frozen=True)
class Design:
    """Chosen runs; made by `sj.v_optimal`.

    chosen: the groups' names (row labels where every candidate is its own group); rows: positions of their
    candidates;
    criterion: summed prediction variance over the targets, in units of one run's noise variance; cost: spent
    of the budget;
    method: "exhaustive" or "exchange".
    """

    chosen: list[Any]
    rows: np.ndarray
    criterion: float
    cost: float
    method: str

    def __repr__(self) -> str:
        return (
            f"<Design: {', '.join(map(str, self.chosen))}; criterion {self.criterion:.5g}; cost "
            f"{self.cost:g}; {self.method}>"
        )


def v_optimal(
    source: Any,
    candidates: Any,
    budget: float,
    *,
    groups: Any = None,
    cost: Any = None,
    include: Sequence[Any] = (),
    targets: Any = None,
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

    Returns:
        A `Design`. Every combination is tried where there are at most two million; beyond, the best of an
        exchange from a greedy start.

    Raises:
        ValueError: if `include` is unknown or dearer than the budget, or if no affordable choice determines
            the parameters.

    Source: Ruan et al. 2024 (arXiv:2405.10938), section 5; Pukelsheim 1993.

    >>> v_optimal(None, [[1, 0], [1, 1], [1, 2], [1, 3]], budget=2).chosen
    [0, 3]
    """
    frame = candidates if isinstance(candidates, pd.DataFrame) else pd.DataFrame(candidates)
    X, made = _features(source, frame)
    goal = X if targets is None else _features(source, targets)[0]
    names, member = _grouped(frame, groups)
    costs = np.bincount(
        member, np.ones(len(X)) if cost is None else np.asarray(_column(frame, cost), dtype=float), len(names)
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
    return Design(
        chosen, np.flatnonzero(best[member]), float(value), float(costs[best].sum()), search.__name__[1:]
    )


def _features(source: Any, table: Any) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of the predictions, (rows, parameters), and the information of the runs already made."""
    if source is None:
        X = np.atleast_2d(np.asarray(table, dtype=np.float64))
        return X, np.zeros((X.shape[1], X.shape[1]))
    if isinstance(source, tuple):
        law, params = source
        frame = pd.DataFrame(table)
        X = _gradients(
            law, law.flatten(params), {n: frame[n].to_numpy(dtype=float) for n in law.inputs}, False
        )
        return X, np.zeros((X.shape[1], X.shape[1]))
    on_log, free = source.objective.on == "log", [label not in source.fixed for label in source.law.labels]
    runs = source.data()
    known = _gradients(source.law, source.numbers, runs.inputs, on_log)[:, free]
    if runs.target_se is not None:
        known = known / runs.target_se[:, None] * np.median(runs.target_se)
    made = (known * runs.weight[:, None]).T @ known
    return _gradients(source.law, source.numbers, source.inputs_of(table), on_log)[:, free], made


def _gradients(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray], on_log: bool) -> np.ndarray:
    def one(p: Any, row: Any) -> Any:
        value = law.apply(law.unflatten(p), row)
        return jnp.log(value) if on_log else value

    with jax.enable_x64(True):
        rows = {name: jnp.asarray(values, dtype=jnp.float64) for name, values in inputs.items()}
        return np.asarray(jax.vmap(jax.grad(one), (None, 0))(jnp.asarray(numbers, dtype=jnp.float64), rows))


def _column(frame: pd.DataFrame, source: Any) -> Any:
    return frame[source] if isinstance(source, str) else source


def _grouped(frame: pd.DataFrame, groups: Any) -> tuple[list[Any], np.ndarray]:
    if groups is None:
        return list(frame.index), np.arange(len(frame))
    member, names = pd.factorize(np.asarray(_column(frame, groups)))
    return list(names), member


def _values(M: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """tr(goal M^-1) for a stack of matrices; infinite where M is singular to rounding."""
    good = np.linalg.cond(M) < 1e13
    safe = np.where(good[:, None, None], M, np.eye(M.shape[-1]))
    return np.where(
        good, np.trace(np.linalg.solve(safe, np.broadcast_to(goal, M.shape)), axis1=1, axis2=2), np.inf
    )


def _exhaustive(
    information: np.ndarray,
    made: np.ndarray,
    goal: np.ndarray,
    costs: np.ndarray,
    forced: np.ndarray,
    budget: float,
) -> tuple[np.ndarray, float]:
    optional = np.flatnonzero(~forced)
    base, spent = made + information[forced].sum(axis=0), costs[forced].sum()
    best, best_value = forced.copy(), np.inf
    for first in range(0, 2 ** len(optional), CHUNK):
        code = np.arange(first, min(first + CHUNK, 2 ** len(optional)))
        taken = (code[:, None] >> np.arange(len(optional))) & 1
        taken = taken[spent + taken @ costs[optional] <= budget * (1 + 1e-12)]
        if not len(taken):
            continue
        values = _values(base + np.tensordot(taken, information[optional], 1), goal)
        if (low := int(np.argmin(values))) is not None and values[low] < best_value:
            best_value = float(values[low])
            best = forced.copy()
            best[optional] = taken[low].astype(bool)
    return best, best_value


def _exchange(
    information: np.ndarray,
    made: np.ndarray,
    goal: np.ndarray,
    costs: np.ndarray,
    forced: np.ndarray,
    budget: float,
) -> tuple[np.ndarray, float]:
    """Greedy additions, then additions and swaps while any of them helps; a ridge stands in until the matrix
    is regular."""
    ridge = 1e-9 * np.trace(information.sum(axis=0)) / len(goal) * np.eye(len(goal))
    chosen = forced.copy()
    value = float(_values((made + ridge + information[chosen].sum(axis=0))[None], goal)[0])
    while True:
        outs = [-1, *np.flatnonzero(chosen & ~forced)]
        moves = [(o, i) for o in outs for i in np.flatnonzero(~chosen)]
        left = budget * (1 + 1e-12) - costs[chosen].sum()
        moves = [(o, i) for o, i in moves if costs[i] - (costs[o] if o >= 0 else 0.0) <= left]
        if not moves:
            break
        base = made + ridge + information[chosen].sum(axis=0)
        stack = np.stack([base + information[i] - (information[o] if o >= 0 else 0.0) for o, i in moves])
        values = _values(stack, goal)
        low = int(np.argmin(values))
        if values[low] >= value * (1 - 1e-12):
            break
        value, (out, in_) = float(values[low]), moves[low]
        chosen[in_] = True
        if out >= 0:
            chosen[out] = False
    return chosen, float(_values((made + information[chosen].sum(axis=0))[None], goal)[0])
