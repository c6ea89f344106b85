"""Where lanes begin when nobody says: points spread over what is nonlinear, and a linear solve for the rest.

Parameters that enter a law linearly are found by differentiating it twice. Given the others they follow from
a small least-squares problem, so a seed is already near a valley floor. This serves any law, a user's three
lines included.
"""

from __future__ import annotations

import jax
import numpy as np

from scaling_jax.core.arrays import Columns, Numbers
from scaling_jax.core.law import Law
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.projection import projected
from scaling_jax.engine.sampling import sample_numbers, spread, wide_numbers
from scaling_jax.engine.thinning import LONG, REPRESENTATIVES

__all__ = ["default_starts", "moved_starts", "second_starts", "untied_linear"]

ROWS = 96  # of each of many fits, to rank points by
# of a number's usual size: where one that vanished is lifted to, and what is as good as gone
LIFTED, GONE = 1e-2, 1e-9
NEVER_POSITIVE = 1e-4  # the usual size of a number that no seed has positive
SAME = 1e-12
COMPETES = 2.0  # times the least misfit: nodes are coarse
FURTHER, MOVED_ROWS, MOVED_PLACES = 2.0, 192, 128
PLACES = 8  # along the range of a number, at which a known end is begun again


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # nodes may lie anywhere, and are judged
def default_starts(
    problem: Problem,
    fixed: Numbers,
    tied: Numbers,
    n: int,
    nodes: int,
    rows: int = ROWS,
    wide: int = 0,
) -> Numbers:
    """Seeds in natural units, (fits, n, numbers).

    Args:
        problem: the batch of fits.
        fixed: (fits, numbers), the values of fixed numbers, NaN where free.
        tied: (numbers,), for each number the index of the one it equals.
        n: seeds per fit.
        nodes: how many points are tried per fit.
        rows: of each of many fits, to rank points by.
        wide: how many points from far beyond the usual ranges are tried besides.
    """
    law, free = problem.law, np.isnan(fixed)
    problem = problem.represented(REPRESENTATIVES) if problem.n_rows > LONG else problem.thinned(rows)
    linear = untied_linear(law, tied)
    candidates = _candidates(problem, free, linear, nodes)
    if wide:
        far = wide_numbers(law, spread(wide, free.shape[1]), _inputs_of_first(problem))
        candidates = np.concatenate([candidates, np.repeat(far[None], len(candidates), axis=0)], axis=1)
    candidates = candidates[:, :, tied]
    candidates = np.where(free[:, None, :], candidates, fixed[:, None, :])
    if not linear:
        return candidates[:, _ranks(candidates.shape[1], n)]
    return _choose(law, *projected(problem, candidates, free, linear), n)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def second_starts(
    problem: Problem, fixed: Numbers, tied: Numbers, ends: Numbers, n: int, nodes: int
) -> Numbers:
    """Starts of one fit where the first have left doubts, in natural units, (1, starts, numbers).

    The ends that are known; each of them with one number after the other moved over its whole range, bounds
    left and signs changed, and the linear ones solved for again; and the best `n` of points far beyond the
    usual ranges.

    Args:
        problem, fixed, tied: as for `default_starts`, of one fit.
        ends: (ends, numbers), natural units.
        n, nodes: how many of how many points.
    """
    law, free = problem.law, np.isnan(fixed)
    linear = untied_linear(law, tied)
    inputs = _inputs_of_first(problem)
    moving = [i for i in range(len(law.labels)) if free[0, i] and tied[i] == i and i not in linear]
    scan = wide_numbers(law, np.repeat((np.arange(PLACES) + 0.5)[:, None] / PLACES, free.shape[1], 1), inputs)
    moved = np.repeat(ends[None], max(1, PLACES * len(moving)), axis=0)
    for turn, i in enumerate(moving):
        moved[turn * PLACES : (turn + 1) * PLACES, :, i] = scan[:, i, None]
    moved = moved.reshape(-1, free.shape[1])[: nodes // 2]
    wide = wide_numbers(law, spread(nodes - len(moved), free.shape[1]), inputs)
    points = np.concatenate([moved, wide])[None][:, :, tied]
    points = np.where(free[:, None, :], points, fixed[:, None, :])
    if not linear:
        return np.concatenate([ends[None], points[:, : len(moved) + n]], axis=1)
    seeds, misfits = projected(problem, points, free, linear)
    logs, count = searched_as_logs(law.label_domains), len(moved)
    again = np.where(logs & (seeds[:, :count] <= 0), _usual_size(seeds) * LIFTED, seeds[:, :count])
    far = _choose(law, seeds[:, count:], misfits[:, count:], n)
    return np.concatenate([ends[None], again, far], axis=1)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def moved_starts(
    problem: Problem, fixed: Numbers, tied: Numbers, ends: Numbers, moving: Numbers, n: int
) -> Numbers:
    """Starts of many fits of a law with linear numbers from where each ended, (fits, n + 2, labels).

    The end; the best `n` points with one number after the other moved over its whole range, for where a term
    vanished nothing holds what shaped it, and elsewhere it might return; and all that is not linear further
    out, for what goes on towards a step.

    Args:
        problem, fixed, tied: as for `default_starts`.
        ends: (fits, labels), natural units.
        moving: (fits, labels) which numbers are moved.
        n: how many of the moved points.
    """
    law, free, linear = problem.law, np.isnan(fixed), untied_linear(problem.law, tied)
    problem = problem.represented(REPRESENTATIVES) if problem.rows is None else problem.thinned(MOVED_ROWS)
    unlike = (tied == np.arange(len(tied))) & ~np.isin(np.arange(len(tied)), linear)
    points = _one_moved(law, ends, moving & free & unlike, _inputs_of_first(problem))
    lower, upper = np.array([(d.lower, d.upper) for d in law.label_domains]).T
    further = np.clip(np.where(unlike, FURTHER * ends, ends), lower, upper)
    points = np.concatenate([points, further[:, None]], axis=1)[:, :, tied]
    points = np.where(free[:, None, :], points, fixed[:, None, :])
    seeds, misfits = projected(problem, points, free, linear)
    best = np.argsort(np.where(np.isfinite(misfits[:, :-1]), misfits[:, :-1], np.inf), axis=1)[:, :n]
    chosen = np.concatenate([np.take_along_axis(seeds, best[..., None], axis=1), seeds[:, -1:]], axis=1)
    logs = searched_as_logs(law.label_domains)
    lifted = np.where(logs & (chosen <= 0), _usual_size(seeds) * LIFTED, chosen)
    return np.concatenate([ends[:, None], lifted], axis=1)


def _one_moved(law: Law, ends: Numbers, moving: Numbers, inputs: Columns) -> Numbers:
    """(fits, MOVED_PLACES, labels) the ends with one `moving` number after the other at places of its range,
    most of them usual ones."""
    places = np.repeat(((np.arange(MOVED_PLACES) + 0.5) / MOVED_PLACES)[:, None], len(law.labels), axis=1)
    usual, wide = (
        np.sort(sample_numbers(law, MOVED_PLACES, inputs), axis=0),
        wide_numbers(law, places, inputs),
    )
    scan = np.where((np.arange(MOVED_PLACES) % 8 == 0)[:, None], wide, usual)
    points = np.repeat(ends[:, None], MOVED_PLACES, axis=1)
    count = np.maximum(moving.sum(axis=1), 1)
    for i in range(len(law.labels)):
        turn = np.cumsum(moving, axis=1)[:, i] - 1
        here = moving[:, i, None] & (np.arange(MOVED_PLACES) // 8 % count[:, None] == turn[:, None])
        points[:, :, i] = np.where(here, scan[:, i], points[:, :, i])
    return points


def _inputs_of_first(problem: Problem) -> Columns:
    """What the first fit's rows hold, from which ranges are guessed where none is known."""
    one = problem.lane_data(0)
    return {name: column[one.weight > 0] for name, column in one.inputs.items()}


def untied_linear(law: Law, tied: Numbers) -> tuple[int, ...]:
    """The numbers that enter a law linearly and equal no other, `tied` being as for `default_starts`."""
    return tuple(i for i in linear_parameters(law) if tied[i] == i and not np.any(np.delete(tied, i) == i))


def _candidates(problem: Problem, free: Numbers, linear: tuple[int, ...], nodes: int) -> Numbers:
    """Points per fit, (fits, nodes, numbers): the law's own proposals where it makes any, else samples.

    A table need not be looked at where a range or a linear solve gives every number.
    """
    law = problem.law
    known = [i in linear or label.split("[")[0] in law.ranges for i, label in enumerate(law.labels)]
    looks = law.starts is not None or not all(known)
    differ = problem.per_fit
    own = looks and any(jax.tree.leaves((differ.inputs, differ.target, differ.weight)))
    points = []
    for f in range(problem.n_fits if own else 1):
        one = problem.lane_data(f)
        used = one.weight > 0
        inputs = {name: column[used] for name, column in one.inputs.items()}
        numbers = sample_numbers(law, nodes, inputs)
        if law.starts is not None:
            target = np.exp(one.target[used]) if problem.on == "log" else one.target[used]
            numbers = _each_once(_with_proposals(law, numbers.copy(), inputs, target), numbers, free[f])
        points.append(numbers)
    return np.broadcast_to(np.stack(points), (problem.n_fits, *points[0].shape)).copy()


def _with_proposals(law: Law, numbers: Numbers, inputs: Columns, target: Numbers) -> Numbers:
    """Samples overwritten, in turn, by the values a law proposes for its parameters."""
    proposed = law.proposals(inputs, target)
    turns = max(len(values) for values in proposed.values())
    turn = np.arange(len(numbers)) % turns
    for i, label in enumerate(law.labels):
        if label in proposed:
            values = proposed[label]
            numbers[:, i] = (np.repeat(values, turns) if len(values) == 1 else values)[turn]
    return numbers


def _each_once(proposed: Numbers, samples: Numbers, free: Numbers) -> Numbers:
    """Proposals that fixed numbers have made alike are kept once; samples take the place of the others."""
    if free.all():
        return proposed
    _, first = np.unique(proposed[:, free], axis=0, return_index=True)
    return np.concatenate([proposed[np.sort(first)], samples[: len(proposed) - len(first)]])


def _ranks(available: int, n: int) -> Numbers:
    """Which of ranked candidates to keep: the best, and a spread over the next so that other basins live."""
    if n >= available:
        return np.arange(available)
    best = np.arange((n + 1) // 2)
    rest = np.linspace(len(best), max(len(best), (available - 1) // 2 + n // 2), n - len(best)).astype(int)
    return np.unique(np.clip(np.concatenate([best, rest]), 0, available - 1))


def _choose(law: Law, seeds: Numbers, misfits: Numbers, n: int) -> Numbers:
    """The best seeds per fit, each once; those in which a positive parameter vanished come last, off zero.

    The very last stays there, almost, if it fits about as well as any: where the optimum has lost a term, a
    lane from anywhere else creeps towards it forever.
    """
    logs = searched_as_logs(law.label_domains)
    vanished = np.any(seeds[..., logs] <= 0, axis=-1)
    order, distinct = _best_once(misfits, vanished)
    count = len(_ranks(seeds.shape[1], n))
    ranks = np.stack([np.resize(_ranks(int(many), n), count) for many in distinct])
    chosen = np.take_along_axis(order, ranks, axis=1)
    leanest, lean_misfit = _leanest(misfits, vanished)
    competes = np.isfinite(lean_misfit) & (lean_misfit <= COMPETES * misfits.min(axis=1)) & (count > 3)
    chosen[competes, -1] = leanest[competes]
    picked = np.take_along_axis(seeds, chosen[..., None], axis=1)
    floor = _usual_size(seeds) * np.full((count, 1), LIFTED)
    floor[competes, -1] *= GONE / LIFTED
    return np.where(logs & (picked <= 0), floor, picked)


def _best_once(misfits: Numbers, vanished: Numbers) -> tuple[Numbers, Numbers]:
    """Seeds of each fit in order, best first, repeated ones last; and how many differ.

    A law with few proposals makes them in turn, so that equal misfits are equal seeds.
    """
    order = np.lexsort((misfits, vanished | ~np.isfinite(misfits)), axis=-1)
    ranked = np.take_along_axis(misfits, order, axis=1)
    with np.errstate(invalid="ignore"):
        again = np.diff(ranked, axis=1, prepend=-1.0) <= SAME * np.abs(ranked)
    order = np.take_along_axis(order, np.argsort(again, axis=1, kind="stable"), axis=1)
    return order, (~again).sum(axis=1)


def _leanest(misfits: Numbers, vanished: Numbers) -> tuple[Numbers, Numbers]:
    """The best of each fit's seeds in which a parameter vanished, and its misfit, infinite without one."""
    of_lean = np.where(vanished, misfits, np.inf)
    return np.argmin(of_lean, axis=1), of_lean.min(axis=1)


def _usual_size(seeds: Numbers) -> Numbers:
    """(fits, 1, labels) the geometric mean of each number over the seeds where it is positive."""
    positive = seeds > 0
    count = positive.sum(axis=1, keepdims=True)
    mean_log = np.log(np.where(positive, seeds, 1.0)).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    return np.where(count > 0, np.exp(mean_log), NEVER_POSITIVE)
