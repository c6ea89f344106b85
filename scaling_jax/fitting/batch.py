"""From a specification and a table to the engine's batch, and from its answer back to results.

A fit is a set of rows and a vector of weights; many fits are one batch, padded to a few common lengths so
that thousands of them share a handful of programs. Fixing and tying parameters is data here (a matrix and an
offset), never a recompile.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from scaling_jax.engine.coordinates import search_bounds, to_search
from scaling_jax.engine.curves import curves_of
from scaling_jax.engine.padding import bucket, few_lengths
from scaling_jax.engine.problem import LaneData, Problem
from scaling_jax.fitting.certificate import EPS, target_scale
from scaling_jax.fitting.spec import Spec, fixed_numbers, tied_index
from scaling_jax.tables.runs import Runs

__all__ = ["SEARCH_ROWS", "Task", "build_problem", "padded_lengths"]

WORTH_A_PROGRAM = 400_000  # padded rows, over all fits, whose time compiling one more program costs
SEARCH_ROWS = 192  # of each of many fits; from the ends of the search lanes go on on all rows
SEARCHED = 8  # how much dearer a row is that every start sees


@dataclass(frozen=True, eq=False)
class Task:
    """Fits of one specification to sets of rows of one table.

    Args:
        spec: what to fit and how.
        runs: the table.
        members: per fit the positions of its rows.
        fixed: (fits, labels) values of the numbers that do not move, NaN for the others.
        keys: what each fit is called.
        weights: in place of the table's own, one vector per fit, or (fits, rows) for fits that differ in
            nothing else.
        few: whether padding costs less than compiling for another length of table; None: a fit alone.
    """

    spec: Spec
    runs: Runs
    members: list[np.ndarray]
    fixed: np.ndarray
    keys: list[Hashable]
    weights: list[np.ndarray] | np.ndarray | None = None
    few: bool | None = None

    @classmethod
    def of(cls, spec: Spec, runs: Runs, fixed: np.ndarray | None = None) -> Task:
        """One fit of the whole table."""
        held = fixed_numbers(spec, [None]) if fixed is None else fixed[None]
        return cls(spec, runs, [np.arange(len(runs))], held, [None])

    def __len__(self) -> int:
        return len(self.members)

    @property
    def width(self) -> int:
        """Padded rows of a fit."""
        rows = max(map(len, self.members))
        alone = len(self) == 1 and self.weights is None
        return few_lengths(rows) if (alone if self.few is None else self.few) else bucket(rows)

    def some(self, which: Sequence[int] | np.ndarray) -> Task:
        """The same for some of the fits."""
        own = None if self.weights is None else [self.weights[i] for i in which]
        members, keys = [self.members[i] for i in which], [self.keys[i] for i in which]
        return Task(self.spec, self.runs, members, self.fixed[which], keys, own)


def padded_lengths(sizes: np.ndarray) -> list[int]:
    """Padded lengths that cover all sizes: as many as save more padding than compiling a program for each
    costs."""
    counts = np.bincount([bucket(int(s)) for s in sizes])
    choices = np.flatnonzero(counts).tolist()
    edges = choices[-1:]

    def cost(edges: list[int]) -> int:
        padded = {size: next(e for e in edges if e >= size) for size in choices}
        return sum(int(counts[size]) * (e + SEARCHED * min(e, SEARCH_ROWS)) for size, e in padded.items())

    while len(edges) < len(choices):
        best = min((sorted([*edges, c]) for c in choices if c not in edges), key=cost)
        if cost(edges) - cost(best) < WORTH_A_PROGRAM:
            break
        edges = best
    return edges


def build_problem(task: Task) -> tuple[Problem, np.ndarray]:
    """One batch of fits padded to a bucket of rows, and the moving coordinates (fits, k).

    Many fits share the table's columns and hold positions in them, with one more row of weight 0 for padding.
    One fit, or many that differ in `weights` (fits, rows) only, hold the rows of the first member themselves.
    """
    law, objective, runs = task.spec.law, task.spec.objective, task.runs
    rows, positions, weight = _layout(task)
    apart, n_fits = positions is not None, len(weight) if positions is None else len(positions)
    tie, offset = _ties(task.spec, np.broadcast_to(task.fixed, (n_fits, task.fixed.shape[1])))
    floor, many = _floors(task), n_fits > 1
    lower, upper = search_bounds(law.label_domains)
    data = LaneData(
        inputs={name: column[rows] for name, column in runs.inputs.items()},
        target=objective.scaled(runs.target)[rows],
        weight=weight if many else weight[0],
        scale=np.ones(task.width) if runs.target_se is None else runs.target_se[rows],
        numbers=np.array(objective.numbers),
        tie=tie if many else tie[0],
        offset=offset if many else offset[0],
        lower=lower,
        upper=upper,
        floor=floor if many else floor[0],
        curves=curves_of(law, runs.inputs),
    )
    per_fit = LaneData(
        inputs=dict.fromkeys(data.inputs, apart),
        target=apart,
        weight=many,
        scale=apart and runs.target_se is not None,
        numbers=False,
        tie=many,
        offset=many,
        lower=False,
        upper=False,
        floor=many,
        curves=jax.tree.map(lambda _: False, data.curves),
    )
    return Problem(law, objective.on, n_fits, data, per_fit, positions), (tie != 0).any(axis=1)


def _layout(task: Task) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Which of the table's rows the columns hold, each fit's positions in them, and the weights."""
    runs, members, weights, width = task.runs, task.members, task.weights, task.width
    if len(members) == 1 or isinstance(weights, np.ndarray):
        rows = np.append(members[0], np.full(width - len(members[0]), members[0][0]))
        own = [runs.weight[members[0]]] if weights is None else weights
        return rows, None, _padded(own, width, 0.0, np.float64)
    own = np.append(runs.weight, 0.0) if weights is None else _padded(weights, width, 0.0, np.float64)
    return np.append(np.arange(len(runs)), 0), _padded(members, width, len(runs), np.int32), own


def _ties(spec: Spec, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(fits, k, k) and (fits, k): what makes the law's own coordinates of those that are searched."""
    moving, k = np.isnan(fixed), fixed.shape[1]
    tie = np.zeros((len(fixed), k, k))
    tie[:, np.arange(k), tied_index(spec)] = moving
    return tie, np.where(moving, 0.0, to_search(spec.law.label_domains, fixed))


def _floors(task: Task) -> np.ndarray:
    """(fits,) the objective's values that count as a perfect fit."""
    runs, members, weights = task.runs, task.members, task.weights
    perfect = task.spec.objective.rho(16 * EPS * target_scale(runs, task.spec.objective))
    if isinstance(weights, np.ndarray):
        return weights @ perfect[members[0]]
    own = [runs.weight[m] for m in members] if weights is None else weights
    return np.array([w @ perfect[m] for w, m in zip(own, members, strict=True)])


def _padded(parts: Iterable[np.ndarray], width: int, fill: float, dtype: type) -> np.ndarray:
    parts = list(parts)
    out: np.ndarray = np.full((len(parts), width), fill, dtype=dtype)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out
