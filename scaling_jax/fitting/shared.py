"""Groups that share some parameters: one value for all of them, the rest free in each.

With the shared values held the groups are independent, one batch for the engine; from there all go together,
by Newton's method on the arrow-shaped joint Hessian. Three values to begin with are tried at once: quantiles
of what the groups say when fitted apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scaling_jax.core.checked import shown
from scaling_jax.engine.coordinates import search_points, to_natural, to_search
from scaling_jax.engine.devices import default_device
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.fitted import Fitted, Together
from scaling_jax.fitting.joint import Joint, shared_columns
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.refits import roughness_of

__all__ = ["names_in", "solve_shared"]

LEVELS = (0.25, 0.5, 0.75)


def names_in(shared: object) -> tuple[str, ...]:
    """The names of shared parameters, as a user gives them.

    Raises:
        ValueError: for what are no names, one name without a list around it included.
    """
    if shared is None:
        return ()
    if isinstance(shared, str) or not isinstance(shared, Iterable):
        raise ValueError(f"shared={shown(shared)}: give a list of parameters, for example ['alpha'].")
    found = tuple(shared)
    if not all(isinstance(name, str) for name in found):
        raise ValueError(f"shared={shown(shared)}: give a list of parameters, for example ['alpha'].")
    return found


def solve_shared(task: Task, names: list[str], paired: bool = False) -> tuple[list[Fitted], float]:
    """Fits every group with the named parameters common to all.

    Args:
        task: the groups, as `solve_members` takes them.
        names: parameters that take one value for all groups.
        paired: whether the groups are outputs of the same runs.

    Returns:
        The groups' results in order, and the share of the joint objective a Newton step would gain.

    Raises:
        ValueError: if a name is unknown, or fixed or tied as well.
    """
    _check_names(task, names)
    results = list(solve_members(task))
    usable = [i for i, result in enumerate(results) if not result.reason]
    if not usable:
        return results, np.nan
    columns = shared_columns(task.spec.law, names)
    found, ends = _solve_usable(task.some(usable), columns, [results[i] for i in usable])
    together = Together(paired=paired)
    for i, result, hessian in zip(usable, found, ends.hessians, strict=True):
        results[i] = result if result.reason else replace(result, together=together)
        if not result.reason:
            together.hessians.append(hessian)
    results = [replace(result, shared=tuple(names)) for result in results]
    together.members.extend(result for result in results if result.together)
    return results, ends.gain_left


def _check_names(task: Task, names: list[str]) -> None:
    spec, law = task.spec, task.spec.law
    unknown = set(names) - set(law.params)
    if unknown:
        raise ValueError(
            f"Law '{law.name}' has no parameter {', '.join(sorted(unknown))}: it has {', '.join(law.params)}."
        )
    if taken := set(names) & ({*spec.fixed} | {name for group in spec.tied for name in group}):
        raise ValueError(f"{', '.join(sorted(taken))} cannot be shared and fixed or tied at once.")


class _Ends(NamedTuple):
    """Hessians of all groups at the joint optimum, and the share of the objective left to gain."""

    hessians: list[np.ndarray]
    gain_left: float


def _solve_usable(task: Task, columns: np.ndarray, apart: list[Fitted]) -> tuple[list[Fitted], _Ends]:
    """The groups at their joint optimum."""
    law, groups = task.spec.law, len(task)
    known = np.stack([r.numbers for r in apart])
    alone = to_search(law.label_domains, known)[:, columns]
    weights = np.array([len(r.data()) for r in apart], dtype=float)
    begin = np.array([[_weighted_quantile(c, weights, level) for c in alone.T] for level in LEVELS])
    held = _solve_held(task, columns, begin, np.broadcast_to(known, (len(LEVELS), *known.shape)))
    problem, free = build_problem(task)
    device = task.spec.device or default_device(groups * len(LEVELS) * problem.n_rows)
    smooth = task.spec.objective.smooth
    rough = None if smooth else np.array([roughness_of(r) for r in apart])
    fit = np.broadcast_to(np.arange(groups), (len(LEVELS), groups))
    joint = Joint(problem.owned(), fit, columns, rough, device)
    numbers = np.stack([[r.numbers for r in results] for results in held])
    ends = joint.ends(np.stack([search_points(law, n[:, None], free)[:, 0] for n in numbers]))
    best = int(np.argmin(ends.value))
    reached = problem.natural_numbers(ends.z[best])
    found = _solve_held(task, columns, ends.z[best : best + 1, 0, columns], reached[None])[0]
    return found, _Ends(list(ends.hessian[best]), float(joint.gain_left(ends)[best]))


def _solve_held(task: Task, columns: np.ndarray, at: np.ndarray, known: np.ndarray) -> list[list[Fitted]]:
    """The groups with the shared coordinates held at several values (values, shared), each begun at
    (values, groups, labels), as one batch."""
    domains = [task.spec.law.label_domains[i] for i in columns]
    natural = np.clip(to_natural(domains, at), [d.lower for d in domains], [d.upper for d in domains])
    groups, which = len(task), np.tile(np.arange(len(task)), len(at))
    fixed, starts = task.fixed[which], known.reshape(len(which), 1, -1).copy()
    fixed[:, columns] = np.repeat(natural, groups, axis=0)
    starts[:, :, columns] = fixed[:, None, columns]
    results = solve_members(replace(task.some(which), fixed=fixed), starts=starts)
    return [list(results[i : i + groups]) for i in range(0, len(results), groups)]


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][np.searchsorted(reached, level)])
