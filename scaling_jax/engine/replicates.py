"""Thousands of replicates of fits that are known well, each brought to its own optimum.

A replicate is a vector of weights (or of targets) under an existing fit, so its lanes begin at optima that
are nearly its own. A quick search in single precision brings each into its basin, the best is polished with
the exact Hessian in double precision, and so is any lane that ended elsewhere and might yet go lower. On an
accelerator all of it is one program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Leaf, Numbers, namespace
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.core.progress import progress_bar
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.aboard import Aboard, descended, polished, run_on
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.devices import Place, exact_device, few_calls, n_parts, whole_program
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Lanes, compile_ahead, run_lanes
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import MOST_STEPS, Polished, measure_ahead, polish
from scaling_jax.engine.on_device import CELLS
from scaling_jax.engine.padding import bucket
from scaling_jax.engine.problem import LaneData, Problem, Sharing
from scaling_jax.engine.ranks import along
from scaling_jax.engine.solver import Solver
from scaling_jax.engine.status import RUNNING, Status

__all__ = ["CAREFUL", "ROUGH", "Replicates", "replicated"]

# finds the basin; what it leaves, 1e-3 of the objective, polishing gains
ROUGH = LM(max_steps=60, tol=1e-3, damping=1e-6, dtype="float32")
# double precision: for corners, and for replicates that the quick search left unfinished
CAREFUL = LM(max_steps=120, tol=1e-5, damping=1e-6)
MIGHT_GO_LOWER = 10 * ROUGH.tol
# quadratic forecast over measured gap; within one valley the ratio has median 1 and 99th percentile 8
SAME_BASIN = 10.0
STEPS_BETWEEN_PACKINGS = 4
LAST_LANES = 64


class Replicates(NamedTuple, Generic[Leaf]):
    """Best point (fits, k) and value (fits,) of each, and the value in the basin of its first start."""

    z: Leaf
    value: Leaf
    home: Leaf


class _Way(NamedTuple, Generic[Leaf]):
    """How lanes are moved, where `own` (fits, lanes) says which.

    search: from (solver, own) to where the starts end, z (fits, starts, k) and value (fits, starts).
    polish: from points (fits, lanes, k) and own, None for all, to what Newton's method makes of them; the
    value is infinite where it is none, or not asked for.
    """

    search: Callable[[Solver, Leaf | None], tuple[Leaf, Leaf]]
    polish: Callable[[Leaf, Leaf | None], Polished[Leaf]]


def replicated(problem: Problem, starts: Numbers, solver: Solver, device: Place) -> Replicates[Numbers]:
    """The optimum of each fit of a problem whose objective has a slope everywhere, from its starts (fits,
    starts, k), its own nearest optimum first."""
    if few_calls(device) and isinstance(solver, LM | LBFGS):
        return _there(problem, starts, solver, device)
    return _optima(solver, _here(problem, starts, solver, device))


def _optima(solver: Solver, way: _Way[AnyArray]) -> Replicates[AnyArray]:
    z, value = way.search(solver, None)
    xp, places = namespace(value), np.arange(value.shape[1])
    nearest = xp.argmin(value, axis=1)[:, None]
    best = way.polish(along(z, nearest), None)
    if solver == ROUGH:  # too fine for single precision, or a start outside the law's reach
        left = (best.status != Status.CONVERGED) & (best.status != Status.STALLED)
        other, level = way.search(CAREFUL, xp.broadcast_to(left, value.shape))
        z, value = xp.where(left[..., None], other, z), xp.where(left, level, value)
        again = way.polish(along(z, xp.argmin(value, axis=1)[:, None]), left)
        best = _where(left & (again.value <= best.value), again, best)
    elsewhere = ~_same_basin(best, z, value) & (places != nearest)
    might = elsewhere & (value < best.value * (1 + MIGHT_GO_LOWER))
    other_ends = way.polish(z, might)
    home = xp.where(elsewhere, value, best.value)[:, 0]
    home = xp.where(might[:, 0], other_ends.value[:, 0], home)
    lowest = xp.argmin(other_ends.value, axis=1)[:, None]
    below, there = along(other_ends.value, lowest), along(other_ends.z, lowest)
    found = xp.where((below < best.value)[..., None], there, best.z)[:, 0]
    least = xp.where(below < best.value, below, best.value)[:, 0]
    return Replicates(found, least, xp.maximum(home, least))


def _where(chosen: AnyArray, new: Polished[AnyArray], old: Polished[AnyArray]) -> Polished[AnyArray]:
    """Lanes (fits, lanes) of `new` that are chosen, the others as they were."""
    xp = namespace(chosen)
    parts = zip(new, old, strict=True)
    return Polished(*(xp.where(chosen.reshape(*chosen.shape, *(1,) * (a.ndim - 2)), a, b) for a, b in parts))


def _same_basin(best: Polished[AnyArray], z: AnyArray, value: AnyArray) -> AnyArray:
    """Whether the quadratic at the optimum explains how far above it each lane ended, (fits, starts)."""
    xp, hessian = namespace(value), best.hessian[:, 0]
    values, vectors = xp.linalg.eigh(xp.where(xp.isfinite(hessian), hessian, 0.0))
    with np.errstate(invalid="ignore"):  # a replicate without an optimum is infinitely far from its lanes
        along_each = xp.einsum("fij,fsi->fsj", vectors, z - best.z)
        forecast = 0.5 * xp.einsum("fsj,fj->fs", along_each**2, abs(values))
        gap = xp.maximum(value - best.value, ROUGH.tol * best.value)
        found: AnyArray = forecast <= SAME_BASIN * gap
    return found


def _here(problem: Problem, starts: Numbers, solver: Solver, device: Place) -> _Way[Numbers]:
    """Round by round."""
    n_fits, n_starts, _ = starts.shape
    compile_ahead(problem, solver, n_fits * n_starts, device)
    measure_ahead(problem, device)

    def search(solver: Solver, own: Numbers | None) -> tuple[Numbers, Numbers]:
        own = np.ones(starts.shape[:2], bool) if own is None else own
        z, value = starts.astype(float), np.full(own.shape, np.inf)
        if own.any():
            z[own], value[own] = _searched(problem, starts[own], np.nonzero(own)[0], solver, device)
        return z, value

    def polish_own(z: Numbers, own: Numbers | None) -> Polished[Numbers]:
        own = np.ones(z.shape[:2], bool) if own is None else own
        out = _unpolished(z)
        if own.any():
            done = polish(problem, z[own], np.nonzero(own)[0], exact_device(device))
            for mine, theirs in zip(out, done, strict=True):
                mine[own] = theirs
        return out._replace(value=np.where(np.isfinite(out.value), out.value, np.inf))

    return _Way(search, polish_own)


def _unpolished(z: Numbers) -> Polished[Numbers]:
    k, lanes = z.shape[-1], z.shape[:2]
    nan = np.full((*lanes, k, k), np.nan)
    return Polished(z.astype(float), np.full(lanes, np.inf), nan[..., 0].copy(), nan, np.zeros(lanes, int))


def _searched(
    problem: Problem, starts: Numbers, fit: Numbers, solver: Solver, device: Place
) -> tuple[Numbers, Numbers]:
    """Lanes (lanes, k) brought into their basins, and their values; they are packed afresh every few
    steps."""
    lanes = Lanes.start(problem, solver, starts, fit)
    running = len(fit)
    with progress_bar(len(np.unique(fit)), "refitting") as progress:
        while running == len(fit) or running > LAST_LANES:  # the last few are finished by polishing
            run_lanes(problem, lanes, solver, STEPS_BETWEEN_PACKINGS, device)
            running = int(np.sum(lanes.state.status == RUNNING))
            progress(len(fit) - running, len(fit))
            if not running:
                break
    value = lanes.state.value.astype(np.float64)
    return lanes.state.z.astype(np.float64), np.where(np.isfinite(value), value, np.inf)


def _there(problem: Problem, starts: Numbers, solver: Solver, device: Place) -> Replicates[Numbers]:
    """In one program, of as many fits at a time as it has room for."""
    n_fits, n_starts, _ = starts.shape
    parts = n_parts(device)
    each = bucket(min(-(-n_fits // parts), max(1, CELLS // (n_starts * problem.n_rows))))
    program, fits = _program(problem.law, problem.on, solver, problem.sharing, each, device), parts * each
    found = []
    for first in range(0, n_fits, fits):
        which = np.arange(first, first + fits)
        some = which.clip(max=n_fits - 1)
        with own_settings():
            ends = program.fetched(starts[some], which < n_fits, problem.lane_data(some))
        found.append([part[: n_fits - first] for part in ends])
    return Replicates(*(np.concatenate(part) for part in zip(*found, strict=True)))


@kept
def _program(
    law: Law, on: Scale, solver: Solver, sharing: Sharing, fits: int, device: Place
) -> Program[Replicates[Array]]:
    def whole(starts: Array, wanted: Array, data: LaneData[Array]) -> Replicates[Array]:
        lanes = Aboard(law, on, data, sharing, fits)

        def asked(own: Array | None, like: Array) -> Array:
            wanted_lanes = jnp.broadcast_to(wanted[:, None], like.shape[:2])
            return wanted_lanes if own is None else wanted_lanes & own

        def search(solver: Solver, own: Array | None) -> tuple[Array, Array]:
            found = run_on(lanes, solver, starts, asked(own, starts))
            return found.z, found.value.astype(float)

        def polish_own(z: Array, own: Array | None) -> Polished[Array]:
            if own is None:
                leader = jnp.zeros(z.shape[:2], int)
                done = polished(lanes, z, asked(own, z), leader, MOST_STEPS)
            else:
                done = descended(lanes, z, asked(own, z), MOST_STEPS)
            return done._replace(value=jnp.where(jnp.isfinite(done.value), done.value, jnp.inf))

        return _optima(solver, _Way(search, polish_own))

    return whole_program(whole, (0, 0, sharing.axes), 0, device)
