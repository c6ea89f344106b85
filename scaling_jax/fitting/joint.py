"""Replicates of groups that share parameters: in each, the shared values are fitted again, to all groups at
once.

Every group is first searched with the shared values held where the fit has them, as a fit of its own is; then
all groups of a replicate go together to their joint optimum. Nothing loops over replicates: they are lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.arrow import gain_left, polish_jointly
from scaling_jax.engine.coordinates import search_points
from scaling_jax.engine.corners import sharpened
from scaling_jax.engine.devices import Place, exact_device
from scaling_jax.engine.newton import Polished, polish
from scaling_jax.engine.problem import Problem
from scaling_jax.fitting.refits import (
    Batch,
    Refits,
    Variant,
    joined,
    refit,
    roughness_of,
    ways_at_a_time,
)
from scaling_jax.fitting.replicates import search_device

__all__ = ["Joint", "refit_jointly", "shared_columns"]

SHARPER = (1e-1, 1e-2, 1e-3, 1e-4)  # of the residuals' scale: how far a corner is rounded off


def refit_jointly(variants: Sequence[Variant], shared: Sequence[str]) -> list[Refits]:
    """Solves every way of groups that share parameters.

    Args:
        variants: one per group, equally many ways of each: way i of all is one joint problem.
        shared: the parameters that take one value for all groups.

    Returns:
        What became of each group.
    """
    ways = len(variants[0].weight)
    at_once = max(1, min(ways_at_a_time(v.fit) for v in variants) // len(variants))
    parts = [
        _solved([_some_ways(v, slice(at, at + at_once)) for v in variants], shared)
        for at in range(0, ways, at_once)
    ]
    return [joined(own) for own in zip(*parts, strict=True)]


def _some_ways(variant: Variant, part: slice) -> Variant:
    target = None if variant.target is None else variant.target[part]
    return replace(variant, weight=variant.weight[part], target=target)


def _solved(variants: list[Variant], shared: Sequence[str]) -> list[Refits]:
    held = refit(variants, careful=False)
    free = [replace(v, fixed=_without(v.fixed, shared)) for v in variants]
    batch = Batch.of(free)
    problem = batch.ways(slice(None), analyses=False)
    numbers = np.stack([one.numbers for one in held])
    known = np.stack([v.fit.numbers for v in variants])[:, None, :]
    begin = search_points(batch.whole.law, np.where(np.isfinite(numbers), numbers, known), batch.free)
    z, values = _brought_home(problem, begin, shared_columns(batch.whole.law, shared), variants)
    numbers = problem.natural_numbers(z).reshape(numbers.shape)
    values = values.reshape(numbers.shape[:2])
    return [Refits(n, v, one.moved) for n, v, one in zip(numbers, values, held, strict=True)]


def shared_columns(law: Law, names: Sequence[str]) -> np.ndarray:
    """Positions of the shared numbers among a law's."""
    return np.array([i for i, label in enumerate(law.labels) if label.split("[")[0] in names], dtype=int)


def _without(fixed: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    return {label: value for label, value in fixed.items() if label.split("[")[0] not in names}


def _brought_home(
    problem: Problem, begin: np.ndarray, columns: np.ndarray, variants: list[Variant]
) -> tuple[np.ndarray, np.ndarray]:
    """From (groups, ways, k) to every lane's place (lanes, k) in its joint optimum, and its value there.

    A second round begins each replicate at the optimum of another, which may lie in a lower basin.
    """
    groups, ways, k = begin.shape
    lanes = np.arange(groups * ways)
    first = variants[0].fit
    device = search_device(first.spec, problem, len(lanes))
    smooth = variants[0].objective.smooth
    rough = None if smooth else np.repeat([roughness_of(v.fit) for v in variants], ways)
    here = Joint(problem, lanes.reshape(groups, ways).T, columns, rough, device)
    one = here.ends(begin.transpose(1, 0, 2))
    other = here.ends(np.roll(one.z, 1, axis=0))
    z = np.where((other.value < one.value)[:, None, None], other.z, one.z)
    z = z.transpose(1, 0, 2).reshape(-1, k)
    return z, polish(here.sharpest, z, lanes, exact_device(device), 0).value


@dataclass(frozen=True, eq=False)
class Joint:
    """Joint problems of a batch.

    Args:
        problem: the batch, in which shared coordinates move.
        fit: (problems, groups) which fit of it each group is.
        columns: the shared coordinates.
        roughness: (fits,) the residuals' scale, for objectives with a corner; None for the others.
        device: where lanes run.
    """

    problem: Problem
    fit: np.ndarray
    columns: np.ndarray
    roughness: np.ndarray | None
    device: Place

    def ends(self, z: np.ndarray) -> Polished:
        """Where the joint problems that begin at z (problems, groups, k) end; corners are approached through
        ever sharper ones."""
        for problem in self._sharper:
            found = polish_jointly(problem, z, self.fit, self.columns, exact_device(self.device))
            z = found.z
        return found._replace(value=np.where(np.isfinite(found.value), found.value, np.inf))

    def gain_left(self, at: Polished) -> np.ndarray:
        """(problems,) the share of each joint objective that one more step would gain."""
        return gain_left(self.sharpest, at, self.columns, self.fit)

    @property
    def sharpest(self) -> Problem:
        """The batch as its optimum is defined."""
        return self._sharper[-1]

    @cached_property
    def _sharper(self) -> list[Problem]:
        if self.roughness is None:
            return [self.problem]
        numbers = [sharpened(self.problem.data.numbers, self.roughness, factor) for factor in SHARPER]
        return [self.problem.with_numbers(n) for n in numbers]
