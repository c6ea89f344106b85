"""Other fits of the same rows: other weights, fixed values, ties, objectives or columns, all in one batch.

A variant is data to the engine, so a profile over a hundred values or a dozen ways to analyse one table cost
one call. Each is solved from the fit's own optimum, the other basins it found, and fresh starts of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from scaling_jax.core.objective import Objective
from scaling_jax.engine.coordinates import natural_numbers, search_points
from scaling_jax.engine.lanes import compile_ahead
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import measure_ahead
from scaling_jax.engine.predict import predict
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import solve
from scaling_jax.engine.starts import default_starts
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import tied_index

__all__ = ["Variant", "like", "solve_variants"]

SOLVER = LM()
FRESH = 6
NODES = 512


@dataclass(frozen=True)
class Variant:
    """One other way to fit the rows: words for people, weight (rows,), objective, fixed values by label,
    ties, other columns."""

    words: str
    weight: np.ndarray
    objective: Objective
    fixed: dict[str, float]
    tied: list[tuple[str, ...]]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)


def like(fit: Fitted, words: str, **changes: Any) -> Variant:
    """The fit's own analysis with something changed."""
    return replace(
        Variant(words, fit.data().weight, fit.objective, dict(fit.fixed), list(fit.tied)), **changes
    )


def solve_variants(
    fit: Fitted, variants: Sequence[Variant], starts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Optima of all variants.

    Args:
        fit: the fit they vary.
        variants: what to solve.
        starts: (variants, starts, labels) points in natural units to begin at as well.

    Returns:
        numbers (variants, labels) in natural units and objective values (variants,), each in its own
        objective's units.
    """
    numbers = np.full((len(variants), len(fit.law.labels)), np.nan)
    values = np.full(len(variants), np.nan)
    kinds = [(v.objective.on, v.objective.smooth) for v in variants]
    groups = [[i for i, own in enumerate(kinds) if own == kind] for kind in sorted(set(kinds))]
    batches = [
        _batch(fit, [variants[i] for i in which], None if starts is None else starts[which])
        for which in groups
    ]
    for which, batch in zip(groups, batches, strict=True):  # all are compiling by now
        found = _solved(fit, batch)[: len(which)]
        part = [variants[i] for i in which]
        numbers[which] = found
        values[which] = [
            _value(fit, v, row) for v, row in zip(part, _predicted(fit, part, found), strict=True)
        ]
    return numbers, values


class _Batch(NamedTuple):
    """Variants whose residuals are on one scale and whose objectives are all smooth or all not, and where
    they start."""

    problem: Problem
    starts: np.ndarray
    smooth: bool


def _batch(fit: Fitted, variants: list[Variant], starts: np.ndarray | None) -> _Batch:
    if len(variants) == 1:
        variants = variants * 2  # one program for one variant and for many
    problem, leader, fixed = _problem(fit, variants)
    own = np.where(np.isnan(fixed)[:, None], _known_optima(fit)[None], fixed[:, None])
    count = len(own[0]) + FRESH + (0 if starts is None else starts.shape[1])
    compile_ahead(problem, SOLVER, len(variants) * count)
    measure_ahead(problem)
    fresh = default_starts(problem, fixed, leader[0], n=FRESH, nodes=NODES)
    more = [] if starts is None else [np.resize(starts, (len(variants), *starts.shape[1:]))]
    points = np.concatenate([own, *more, fresh], axis=1)
    free = (problem.data.tie != 0).any(axis=1)
    return _Batch(problem, search_points(fit.law, points, free), variants[0].objective.smooth)


def _solved(fit: Fitted, batch: _Batch) -> np.ndarray:
    roughness = None
    if not batch.smooth:
        roughness = np.full(batch.problem.n_fits, max(float(np.median(np.abs(fit.residuals))), 1e-9))
    solution = solve(
        batch.problem, batch.starts, SOLVER, screen=False, polish=2, smooth=batch.smooth, roughness=roughness
    )
    return natural_numbers(fit.law, batch.problem, solution.z)


def _problem(fit: Fitted, variants: list[Variant]) -> tuple[Problem, np.ndarray, np.ndarray]:
    """The batch; which number each equals (variants, labels); values of fixed numbers (variants, labels), NaN
    where free."""
    law, runs = fit.law, fit.data()
    spec = replace(fit.spec, objective=variants[0].objective)
    fixed = np.array([[v.fixed.get(label, np.nan) for label in law.labels] for v in variants])
    leader = np.stack([tied_index(replace(spec, tied=v.tied)) for v in variants])
    task = Task(spec, runs, [np.arange(len(runs))], fixed, [None], np.stack([v.weight for v in variants]))
    problem, _ = build_problem(task)
    tie = np.zeros_like(problem.data.tie)
    f, i = np.nonzero(np.isnan(fixed))
    tie[f, i, leader[f, i]] = 1.0
    data, per_fit = problem.data._replace(tie=tie), problem.per_fit
    if changed := sorted({name for v in variants for name in v.inputs}):
        padding = problem.n_rows - len(runs)
        columns = {
            n: np.stack(
                [np.pad(v.inputs.get(n, runs.inputs[n]), (0, padding), mode="edge") for v in variants]
            )
            for n in changed
        }
        data = data._replace(inputs=data.inputs | columns)
        per_fit = per_fit._replace(inputs=per_fit.inputs | dict.fromkeys(changed, True))
    problem = replace(problem, data=jax.tree.map(np.asarray, data), per_fit=per_fit)
    return problem.with_numbers(np.array([v.objective.numbers for v in variants])), leader, fixed


def _known_optima(fit: Fitted) -> np.ndarray:
    """(points, labels) the distinct optima that the fit's own starts found, natural units."""
    x = fit.evidence.basins @ fit.evidence.tie.T + fit.evidence.offset
    return np.stack([d.to_natural(x[:, i]) for i, d in enumerate(fit.law.label_domains)], axis=-1).astype(
        float
    )


def _predicted(fit: Fitted, variants: list[Variant], numbers: np.ndarray) -> list[np.ndarray]:
    """Predictions (rows,) of every variant on its own columns."""
    inputs = fit.data().inputs
    common = predict(fit.law, numbers, inputs)
    return [
        predict(fit.law, n, inputs | v.inputs)[0] if v.inputs else row
        for v, n, row in zip(variants, numbers, common, strict=True)
    ]


def _value(fit: Fitted, variant: Variant, prediction: np.ndarray) -> float:
    runs = fit.data()
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (
            np.log(prediction / runs.target) if variant.objective.on == "log" else prediction - runs.target
        )
        charge = variant.objective.rho(residual if runs.target_se is None else residual / runs.target_se)
    used = variant.weight > 0
    return float(np.sum(variant.weight[used] * charge[used]))
