"""Runs any number of lanes in chunks that fit the cache, on several threads, and drops finished lanes.

A chunk advances by a bounded number of steps per dispatch, so no dispatch lasts long (Ctrl-C works, progress
shows), and between dispatches the lanes still running are packed together again. Lanes of one chunk may
belong to different fits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.devices import Place, across_hosts, lane_program, n_parts, platform, span_hosts
from scaling_jax.engine.kept import kept
from scaling_jax.engine.padding import padded
from scaling_jax.engine.problem import LaneData, Problem, Sharing
from scaling_jax.engine.separable import measured
from scaling_jax.engine.solver import LaneState, Solver
from scaling_jax.engine.status import RUNNING
from scaling_jax.engine.thinning import LONG

__all__ = [
    "FEW_LANES",
    "Chunks",
    "Lanes",
    "Progress",
    "chunk_size",
    "compile_ahead",
    "map_chunks",
    "run_lanes",
]

CELLS_PER_CHUNK = 2**15
SMALL_CHUNK = 32
LARGE_CHUNK = 2048
# a processor runs these in small chunks within moments; compiling another program would take longer
FEW_LANES = 1024
# rows times coordinates from which a lane keeps a processor busy by itself, and runs faster without others
ENOUGH_FOR_ONE = 480
WORTH_A_THREAD = 2**19  # of those cells, times evaluations foreseen, that repay another dispatch
EVALUATIONS = 32  # a lane takes as many steps
SMALLEST_CHUNK = 8  # of tables so long that more do not fit the cache
STEPS_PER_DISPATCH = 24
PROJECTED_STEPS = 6  # where linear numbers are eliminated, lanes end after few
CELLS_PER_DISPATCH = 2**22  # rows times lanes times steps on one device: well under a second

Progress = Callable[[int, int], None] | None
Result = TypeVar("Result")


class Lanes:
    """The states of all lanes, NumPy arrays with a leading lane axis, and the fit each belongs to."""

    def __init__(self, state: LaneState[Numbers], fit: Numbers):
        self.state = state
        self.fit = fit

    @classmethod
    def start(cls, problem: Problem, solver: Solver, z: Numbers, fit: Numbers) -> Lanes:
        """Fresh lanes at the search coordinates z (lanes, k)."""
        logs = searched_as_logs(problem.coordinate_domains)
        return cls(solver.init(np.array(z, dtype=solver.dtype), logs), np.asarray(fit))

    def take(self, which: Numbers) -> Lanes:
        return Lanes(jax.tree.map(lambda leaf: leaf[which], self.state), self.fit[which])

    def put(self, which: Numbers, other: LaneState[Numbers]) -> None:
        """Overwrites the states of some lanes by the first states of `other`, which may be padded."""
        for mine, theirs in zip(jax.tree.leaves(self.state), jax.tree.leaves(other), strict=True):
            mine[which] = np.asarray(theirs)[: len(which)]


def chunk_size(n_lanes: int, n_rows: int, few: int | None = None) -> int:
    """Lanes per chunk: one of two sizes, so that few programs compile.

    What fits the cache, or a small chunk for at most `few` lanes (by default twice the small chunk); one lane
    where rows are taken block by block.
    """
    if n_rows > LONG:
        return 1
    fitting = 1 << max(0, (CELLS_PER_CHUNK // n_rows).bit_length() - 1)
    small, large = (int(np.clip(fitting, SMALLEST_CHUNK, most)) for most in (SMALL_CHUNK, LARGE_CHUNK))
    return large if n_lanes > (few or 2 * small) else small


class Chunks(NamedTuple):
    """How lanes are dealt out: so many in a program, so many of them wanted each time, in turn or side by
    side."""

    in_turn: bool
    size: int
    wanted: int

    @classmethod
    def of(cls, problem: Problem, n_running: int, n_lanes: int, device: Place, evaluations: int) -> Chunks:
        """While `n_running` of `n_lanes` lanes go on, for so many evaluations of each.

        Few lanes that each keep a processor busy run in turn, and are shared out among threads.
        """
        size = _size_on(device, n_running, problem.n_rows)
        cells = problem.n_rows * problem.n_coordinates
        alone = platform(device) != "cpu" or n_parts(device) > 1 or n_lanes > FEW_LANES
        if alone or cells < ENOUGH_FOR_ONE or problem.n_rows > LONG:
            return cls(False, size, size)
        shares = min(_workers(device), max(1, n_running * cells * evaluations // WORTH_A_THREAD))
        return cls(True, SMALL_CHUNK, min(SMALL_CHUNK, -(-n_running // shares)))

    def dealt(self, which: Numbers) -> list[Numbers]:
        return [which[i : i + self.wanted] for i in range(0, len(which), self.wanted)]


def _size_on(device: Place, n_lanes: int, n_rows: int) -> int:
    """Lanes per chunk on a device, or on all devices of a mesh together."""
    parts = n_parts(device)
    few = FEW_LANES if platform(device) == "cpu" else None
    return parts * chunk_size(-(-n_lanes // parts), n_rows, few)


@kept
def _program(
    law: Law,
    on: Scale,
    eliminated: tuple[int, ...],
    solver: Solver,
    sharing: Sharing,
    device: Place,
    in_turn: bool,
) -> Program[LaneState[Array]]:
    """The compiled chunk: steps every running lane until it is done or the budget is spent."""
    measure = measured(law, on, eliminated)

    def run(state: LaneState[Array], data: LaneData[Array], budget: Array) -> LaneState[Array]:
        def unfinished(carry: tuple[Array, LaneState[Array]]) -> Array:
            return (carry[0] < budget) & (carry[1].status == RUNNING)

        def advance(carry: tuple[Array, LaneState[Array]]) -> tuple[Array, LaneState[Array]]:
            return carry[0] + 1, solver.step(carry[1], data, measure)

        return jax.lax.while_loop(unfinished, advance, (jnp.int32(0), state))[1]

    return lane_program(run, (0, sharing.axes, None), device, in_turn)


def compile_ahead(problem: Problem, solver: Solver, n_lanes: int, device: Place = None) -> Future[None]:
    """Begins, in the background, to compile the chunk that `n_lanes` lanes will need."""
    return _compiled(problem, solver, Chunks.of(problem, n_lanes, n_lanes, device, EVALUATIONS), device)[1]


def _compiled(
    problem: Problem, solver: Solver, chunks: Chunks, device: Place
) -> tuple[Program[LaneState[Array]], Future[None]]:
    program = _program(
        problem.law, problem.on, problem.eliminated, solver, problem.sharing, device, chunks.in_turn
    )

    def idle() -> None:
        """One lane and not a single step."""
        nowhere = Lanes.start(problem, solver, np.zeros((1, problem.n_coordinates)), np.zeros(1, dtype=int))
        _dispatch(program, problem, nowhere, chunks.size, 0, np.zeros(1, dtype=int))

    return program, program.ahead((chunks.size, problem.n_rows), idle)


def run_lanes(
    problem: Problem,
    lanes: Lanes,
    solver: Solver,
    steps: int | None = None,
    device: Place = None,
    progress: Progress = None,
) -> Lanes:
    """Advances every running lane by at most `steps` trials (None: until it stops)."""
    if not span_hosts(device):
        return _run_here(problem, lanes, solver, steps, device, progress)

    def advance(mine: Numbers) -> LaneState[Numbers]:
        return _run_here(problem, lanes.take(mine), solver, steps, device, progress).state

    everyone = np.arange(len(lanes.fit))
    lanes.put(everyone, across_hosts(device, len(everyone), advance))
    return lanes


def _run_here(
    problem: Problem, lanes: Lanes, solver: Solver, steps: int | None, device: Place, progress: Progress
) -> Lanes:
    left = np.full(len(lanes.fit), steps if steps is not None else np.iinfo(np.int32).max, dtype=np.int64)
    pool = ThreadPoolExecutor(_workers(device))
    try:
        while True:
            running = np.flatnonzero((lanes.state.status == RUNNING) & (left > 0))
            if progress is not None:
                progress(len(left) - len(running), len(left))
            if not len(running):
                return lanes
            chunks = Chunks.of(problem, len(running), len(lanes.fit), device, EVALUATIONS)
            program, ready = _compiled(problem, solver, chunks, device)
            ready.result()
            affordable = max(1, CELLS_PER_DISPATCH * n_parts(device) // (chunks.wanted * problem.n_rows))
            at_most = PROJECTED_STEPS if problem.eliminated else STEPS_PER_DISPATCH
            most = affordable if chunks.in_turn else min(at_most, affordable)
            budget = int(min(most, left[running].min()))
            dealt = chunks.dealt(running)
            advance = partial(_dispatch, program, problem, lanes, chunks.size, budget)
            for which, state in zip(dealt, pool.map(advance, dealt), strict=True):
                lanes.put(which, state)
            left[running] -= budget
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _dispatch(
    program: Program[LaneState[Array]],
    problem: Problem,
    lanes: Lanes,
    size: int,
    budget: int,
    which: Numbers,
) -> LaneState[Numbers]:
    """The states of some lanes, filled up to a chunk, after at most `budget` steps."""
    part = lanes.take(padded(which, size))
    part.state.status[len(which) :] = RUNNING + 1
    dtype = part.state.z.dtype
    with own_settings():
        data = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=dtype), problem.lane_data(part.fit))
        advanced: LaneState[Numbers]
        advanced = program.fetched(part.state, data, np.int32(budget), np.int32(len(which)))
        if advanced.z.dtype != dtype:
            raise AssertionError(f"a chunk was computed in {advanced.z.dtype}, not {dtype}")
        return advanced


def map_chunks(
    program_for: Callable[[bool], Program[Result]], problem: Problem, z: Numbers, fit: Numbers, device: Place
) -> Result:
    """Applies a function of a lane's (z, data) to all lanes in chunks of the usual sizes; NumPy arrays out.

    `program_for(in_turn)` gives it compiled for lanes one after the other, or side by side.
    """
    chunks = Chunks.of(problem, len(z), len(z), device, problem.n_coordinates)
    program = program_for(chunks.in_turn)

    def one(which: Numbers) -> Result:
        filled = padded(which, chunks.size)
        with own_settings():
            given = np.asarray(z[filled], dtype=np.float64), problem.lane_data(fit[filled])
            found = program.fetched(*given, np.int32(len(which)))
            return jax.tree.map(lambda leaf: leaf[: len(which)], found)

    first, *others = chunks.dealt(np.arange(len(z)))
    if not others:
        return one(first)
    with ThreadPoolExecutor(_workers(device)) as pool:
        parts = pool.map(one, [first, *others])
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def _workers(device: Place) -> int:
    return max(1, min(4, os.cpu_count() or 1)) if platform(device) == "cpu" and n_parts(device) == 1 else 1
