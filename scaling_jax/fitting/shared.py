"""Groups that share some parameters: one value for all of them, the rest free in each.

For any value of the shared parameters the groups are independent, one batch for the engine. What is left is a
small problem in the shared coordinates alone, whose gradient is the groups' summed (the inner optimum
contributes nothing to it) and whose exact Hessian is the Schur complement of the arrow-shaped joint one;
damped Newton solves it in a few batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaling_jax.engine.coordinates import to_natural, to_search
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import MEASURE

__all__ = ["solve_shared"]

MOST_STEPS = 40
REACH = 1.0
GAIN_LEFT = 1e-12


@dataclass(frozen=True, eq=False)
class _Point:
    """All groups solved at one value of the shared coordinates, with the reduced problem's derivatives
    there."""

    at: np.ndarray
    results: list[Fitted]
    value: float
    gradient: np.ndarray
    hessian: np.ndarray


def solve_shared(task: Task, names: list[str]) -> tuple[list[Fitted], float]:
    """Fits every group with the named parameters common to all.

    Args:
        task: the groups, as `solve_members` takes them.
        names: parameters that take one value for all groups.

    Returns:
        The groups' results in order, and the share of the joint objective a Newton step in the shared values
        would gain.

    Raises:
        ValueError: if a name is unknown, or fixed or tied as well.
    """
    spec, law = task.spec, task.spec.law
    unknown = set(names) - set(law.params)
    if unknown:
        raise ValueError(
            f"Law '{law.name}' has no parameter {', '.join(sorted(unknown))}: it has {', '.join(law.params)}."
        )
    if taken := set(names) & ({*spec.fixed} | {name for group in spec.tied for name in group}):
        raise ValueError(f"{', '.join(sorted(taken))} cannot be shared and fixed or tied at once.")
    columns = np.array([i for i, label in enumerate(law.labels) if label.split("[")[0] in names])
    apart = solve_members(task)
    usable = [r for r in apart if not r.reason]
    if not usable:
        return apart, np.nan
    alone = np.stack([to_search(law.label_domains, r.numbers)[columns] for r in usable])
    weights = np.array([len(r.data()) for r in usable], dtype=float)
    points = []
    for level in (0.5, 0.25, 0.75):
        start = np.array([_weighted_quantile(column, weights, level) for column in alone.T])
        points.append(_descend(task, columns, start, [r.numbers for r in apart]))
    best = min(points, key=lambda p: p.value)
    return best.results, _gain_left(best)


def _descend(task: Task, columns: np.ndarray, start: np.ndarray, known: list[np.ndarray]) -> _Point:
    """Damped Newton in the shared coordinates; every trial is one batch over the groups."""
    here = _solve_at(task, columns, start, known)
    damping = 1e-6
    for _ in range(MOST_STEPS):
        if _gain_left(here) <= GAIN_LEFT:
            break
        size = np.max(np.abs(np.diag(here.hessian)))
        values, vectors = np.linalg.eigh(here.hessian)
        step = -vectors @ (
            (vectors.T @ here.gradient) / (np.maximum(np.abs(values), 1e-12 * size) + damping * size)
        )
        step *= min(1.0, REACH / np.max(np.abs(step)))
        there = _solve_at(task, columns, here.at + step, [r.numbers for r in here.results])
        if there.value < here.value:
            here, damping = there, damping / 10
        elif damping > 1e6:
            break
        else:
            damping *= 10
    return here


def _solve_at(task: Task, columns: np.ndarray, at: np.ndarray, known: list[np.ndarray]) -> _Point:
    """Solves the groups with the shared values held, from where they were; then measures the joint
    derivatives."""
    held = task.fixed.copy()
    domains = [task.spec.law.label_domains[i] for i in columns]
    natural = to_natural(domains, at)
    held[:, columns] = np.clip(natural, [d.lower for d in domains], [d.upper for d in domains])
    starts = np.stack(known)[:, None, :].copy()
    starts[:, :, columns] = held[:, None, columns]
    results = solve_members(replace(task, fixed=held), starts=starts)
    reached = np.stack([k if r.reason else r.numbers for r, k in zip(results, known, strict=True)])
    measured = replace(task, spec=replace(task.spec, solver=MEASURE))
    whole = solve_members(measured, starts=reached[:, None, :], polish_steps=0)
    gradient, hessian = np.zeros(len(columns)), np.zeros((len(columns), len(columns)))
    for part, result in zip(whole, results, strict=True):
        if result.reason:
            continue
        g, h = part.evidence.gradient, part.evidence.hessian
        local = np.flatnonzero(result.evidence.free & part.evidence.free)
        gradient += g[columns]
        hessian += h[np.ix_(columns, columns)]
        if len(local):
            cross = h[np.ix_(local, columns)]
            inner = np.linalg.lstsq(h[np.ix_(local, local)], np.column_stack([cross, g[local]]), rcond=1e-14)[
                0
            ]
            hessian -= cross.T @ inner[:, :-1]
            gradient -= cross.T @ inner[:, -1]
    value = float(sum(r.evidence.value for r in results if not r.reason))
    return _Point(at, results, value, gradient, 0.5 * (hessian + hessian.T))


def _gain_left(point: _Point) -> float:
    """Share of the joint objective that a Newton step would still gain."""
    values, vectors = np.linalg.eigh(point.hessian)
    along = vectors.T @ point.gradient
    steep = np.maximum(np.abs(values), 1e-14 * np.max(np.abs(values)))
    return float(np.sum(along**2 / steep) / 2 / max(point.value, np.finfo(float).tiny))


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][np.searchsorted(reached, level)])
