"""Sets of rows solved as batches: every fit from its starts, the stuck ones again, and records in the order
given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_jax.core.progress import progress_bar
from scaling_jax.engine.coordinates import search_points, to_natural
from scaling_jax.engine.devices import default_device, few_calls
from scaling_jax.engine.lanes import FEW_LANES, Progress, compile_ahead
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import MOST_STEPS, measure_ahead
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.separable import reduced
from scaling_jax.engine.solve import Solution, solve
from scaling_jax.engine.solver import Solver
from scaling_jax.engine.starts import default_starts, moved_starts, second_starts, untied_linear
from scaling_jax.engine.thinning import LONG, REPRESENTATIVES
from scaling_jax.fitting.batch import SEARCH_ROWS, Task, build_problem, padded_lengths
from scaling_jax.fitting.certificate import (
    Evidence,
    Evidences,
    at_rows_of_many,
    distinct_points,
    unusual,
)
from scaling_jax.fitting.fits import Fits, Records, Solved, record_of
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import Spec, tied_index

__all__ = ["FEW_FITS", "evidence_of_all", "solve_members", "start_nodes"]

FITS_IN_MEMORY = 4096
FEW_FITS = 8
FEW_STUCK = 0.1
MOST_ENDS = 3  # of a fit in doubt, from which it is looked at again
PATIENCE = 6
# rows times pairs of coordinates: what an exact Hessian costs, and the lanes of a fit for which it is taken
POLISHED_CELLS, FEWEST_POLISHED = 2**22, 4
HEAVY = 2**19  # of those, from which a fit's lanes are few, and handed to Newton's method early
FEW_LANES_KEPT, HANDED_OVER = 6, 60
# where linear numbers are solved for: rows and points by which starts are chosen, and points far beyond
PROJECTED_ROWS, PROJECTED_NODES, PROJECTED_WIDE = 48, 48, 16
PROJECTED_CELLS = 512  # starts times rows: short tables have rival optima, and steps on them cost little
IDLE = 1e-8  # of the objective, the curvature of a number that shapes nothing
MOVED = 2
PROJECTED = LM(max_steps=200, tol=1e-10, reach=3.0)  # a lane that goes on creeps towards a step


def solve_members(
    task: Task,
    *,
    polish_steps: int = MOST_STEPS,
    starts: np.ndarray | None = None,
    look_again: bool = True,
) -> Fits:
    """Solves every fit of a task, in its order.

    `starts`, (fits, starts, labels), replaces those of the specification. Where the starts are the law's own,
    the few of many fits that do not converge get as many of them as a fit alone; where many do not, it is the
    law that asks too much of the tables, and more starts help none. A fit alone, or one of a few, whose
    certificate has doubts is looked at again unless told otherwise.
    """
    few, given = len(task) <= FEW_FITS, starts is not None
    polish_steps = polish_steps if task.spec.polish else 0
    linear = () if few or given else eliminated(task.spec)
    results = _solved(task, few, linear, polish_steps, starts)
    if few:
        again = [
            r if given or not look_again else _looked_again(task.some([i]), r) for i, r in enumerate(results)
        ]
        return Fits.of(again)
    if given or task.spec.starts is not None:
        return results
    if linear:
        left = _left_open(results, linear)
        doubts = np.flatnonzero(left.any(axis=1))
        results = results.with_better(doubts, _moved_on(task, results, left, linear, polish_steps))
    stuck = np.flatnonzero(results.status == "not_converged")
    if len(stuck) <= FEW_STUCK * len(task):
        results = results.with_better(stuck, _solved(task.some(stuck), True, (), polish_steps, None))
    return results


def _left_open(results: Fits, linear: tuple[int, ...]) -> np.ndarray:
    """(fits, labels) the numbers that might do better elsewhere: all where a step would gain, else those that
    are not linear and shape nothing, whose term may return."""
    still = results.column(lambda batch: batch.judged.open, lambda one: one.open)
    free = results.column(lambda batch: batch.evidence.free, lambda one: one.evidence.free)
    idle = results.column(
        lambda batch: _idle(batch.evidence), lambda one: _idle(Evidences.alone(one.evidence))[0]
    )
    idle[:, list(linear)] = False
    return np.where(still[:, None], free, idle) & (results.reasons == "")[:, None]


def _idle(e: Evidences) -> np.ndarray:
    """(fits, labels) numbers that move and shape nothing."""
    curvature = np.diagonal(e.hessian, axis1=1, axis2=2)
    return e.moving & (curvature <= IDLE * e.value[:, None])


def _moved_on(
    task: Task, results: Fits, moving: np.ndarray, linear: tuple[int, ...], polish_steps: int
) -> Fits:
    """The fits with numbers that are `moving`, (fits, labels), solved again from where they ended and from
    there with one such number after the other moved."""
    which = np.flatnonzero(moving.any(axis=1))
    if not len(which):
        return Fits.of()
    some, ends = task.some(which), results.some(which).numbers
    problem, _ = build_problem(some)
    starts = moved_starts(problem, some.fixed, tied_index(task.spec), ends, moving[which], n=MOVED)
    return _solved(some, False, linear, polish_steps, starts)


def _solved(
    task: Task, few: bool, linear: tuple[int, ...], polish_steps: int, starts: np.ndarray | None
) -> Fits:
    """`solve_members`, every fit once; with `few`, each as thoroughly as a fit alone."""
    sizes = np.array([len(m) for m in task.members])
    edges = padded_lengths(sizes)
    assigned = np.searchsorted(edges, sizes)
    found, place = [], [np.zeros(0, dtype=int)]
    with progress_bar(len(task)) as progress:
        for b in range(len(edges)):
            in_bucket = np.flatnonzero(assigned == b)
            for first in range(0, len(in_bucket), FITS_IN_MEMORY):
                which = in_bucket[first : first + FITS_IN_MEMORY]
                own = None if starts is None else starts[which]
                found.append(_batch(task.some(which), own, few, linear, polish_steps, progress))
                place.append(which)
    return Fits.of(*found).some(np.argsort(np.concatenate(place)))


def _batch(
    task: Task,
    points: np.ndarray | None,
    few: bool,
    linear: tuple[int, ...],
    polish_steps: int,
    progress: Progress | None,
) -> Solved | Records:
    """Fits whose rows are padded to one length."""
    spec = task.spec
    problem, free = build_problem(task)
    if _n_starts(spec, few) <= FEW_LANES:
        problem = problem.owned()
    device = spec.device or default_device(len(task) * _n_starts(spec, few) * problem.n_rows)
    search = _searched_on(task, problem, few)
    searched = reduced(search or problem, linear) if linear else search or problem
    solver = PROJECTED if linear else _handed_over(spec, searched)
    if not few_calls(device):
        compile_ahead(searched, solver, 1, device)
        measure_ahead(problem, device)
    ranked = points is None and not isinstance(spec.starts, np.ndarray) and _linear(spec) != ()
    if points is None:
        points = _start_points(spec, search if few and search else problem, task.fixed, few, bool(linear))
    solution = solve(
        problem,
        search_points(spec.law, points, free),
        solver,
        screen=spec.screen,
        ranked=ranked,
        keep=_n_kept(few, searched),
        polish=_n_polished(few, problem),
        polish_steps=polish_steps,
        smooth=spec.objective.smooth,
        search=search,
        roughness=None if spec.objective.smooth else _roughness(task),
        linear=linear,
        device=device,
        progress=progress,
    )
    numbers = problem.natural_numbers(solution.z)
    evidence = evidence_of_all(problem, solution, free)
    if few:
        return Records([record_of(task, f, evidence.of(f), numbers[f]) for f in range(len(task))])
    foreseen = at_rows_of_many(spec.law, numbers, task.runs.inputs, task.members)
    return Solved.of(task, numbers, evidence, foreseen)


def _looked_again(task: Task, result: Fitted) -> Fitted:
    """The fit, or a lower one where its certificate has doubts and other starts or more steps find it.

    What the user chose is left alone: points to start at, a solver's own settings, every start to its end,
    an end that is not polished.
    """
    spec = task.spec
    chosen = isinstance(spec.starts, np.ndarray) or spec.solver not in (LM(), LBFGS())
    if chosen or not (spec.screen and spec.polish) or not _in_doubt(result):
        return result
    problem, free = build_problem(task)
    problem = problem.owned()
    search = _searched_on(task, problem, True)
    searched = search or problem
    patience = 1 if _cells(searched) > HEAVY else PATIENCE
    if patience == 1 and not (result.certificate.open or result.certificate.few_agree):
        return result
    first = result.evidence
    ends = to_natural(spec.law.label_domains, first.basins[:MOST_ENDS] @ first.tie.T + first.offset)
    points = second_starts(
        search or problem, task.fixed, tied_index(spec), ends, n=32, nodes=start_nodes(few=True)
    )
    solution = solve(
        problem,
        search_points(spec.law, points, free),
        _handed_over(spec, searched),
        keep=_n_kept(True, searched),
        polish=_n_polished(True, problem),
        polish_steps=patience * MOST_STEPS,
        patience=patience,
        smooth=spec.objective.smooth,
        search=search,
        roughness=None if spec.objective.smooth else _roughness(task),
        device=spec.device or default_device(points.shape[1] * problem.n_rows),
    )
    evidence = _together(first, evidence_of_all(problem, solution, free).of(0))
    return record_of(task, 0, evidence, problem.natural_numbers(evidence.z[None])[0])


def _in_doubt(result: Fitted) -> bool:
    """Whether the certificate leaves room for a lower optimum elsewhere."""
    c = result.certificate
    odd = c.at_bound or c.extinct or unusual(result.law, result.numbers)
    return c.status == "not_converged" or (c.status == "converged" and bool(odd or c.few_agree))


def _searched_on(task: Task, problem: Problem, few: bool) -> Problem | None:
    """The fits on rows that are enough to search on, or None where they need all of theirs."""
    if not task.spec.screen:
        return None
    curved = bool(task.spec.law.curves) and problem.n_rows > SEARCH_ROWS  # a row costs as much as its knots
    if curved or problem.n_rows > LONG:
        run = task.runs.run
        order = None if run is None or len(task) > 1 else np.argsort(run[task.members[0]], kind="stable")
        return problem.represented(SEARCH_ROWS if curved else REPRESENTATIVES, order)
    return None if few or problem.n_rows <= SEARCH_ROWS else problem.thinned(SEARCH_ROWS)


def _cells(problem: Problem) -> int:
    """What an exact Hessian costs."""
    return problem.n_rows * problem.n_coordinates * (problem.n_coordinates + 1) // 2


def _n_polished(few: bool, problem: Problem) -> int:
    """How many ends per fit are polished: where that is dear, those that a search's noise leaves in doubt."""
    return max(FEWEST_POLISHED, min(32, POLISHED_CELLS // _cells(problem))) if few else 2


def _handed_over(spec: Spec, problem: Problem) -> Solver:
    """The search's solver; of a heavy fit lanes that creep go on by Newton's method, which takes far fewer
    steps."""
    heavy = _cells(problem) > HEAVY and spec.solver == LM() and spec.screen
    return LM(max_steps=HANDED_OVER) if heavy else spec.solver


def _n_kept(few: bool, problem: Problem) -> int:
    """How many lanes of a fit survive screening."""
    return (FEW_LANES_KEPT if _cells(problem) > HEAVY else 32) if few else 8


def _start_points(spec: Spec, problem: Problem, fixed: np.ndarray, few: bool, projected: bool) -> np.ndarray:
    """Start points in natural units, (fits, starts, labels)."""
    if isinstance(spec.starts, np.ndarray):
        return np.broadcast_to(spec.starts, (problem.n_fits, *spec.starts.shape)).copy()
    n, nodes = _n_starts(spec, few), spec.starts or start_nodes(few)
    if not projected:
        return default_starts(problem, fixed, tied_index(spec), n=n, nodes=nodes)
    wide = 0
    if spec.starts is None:
        n, nodes, wide = (
            int(np.clip(PROJECTED_CELLS // problem.n_rows, 4, 8)),
            PROJECTED_NODES,
            PROJECTED_WIDE,
        )
    return default_starts(problem, fixed, tied_index(spec), n=n, nodes=nodes, rows=PROJECTED_ROWS, wide=wide)


def eliminated(spec: Spec) -> tuple[int, ...]:
    """The numbers that need no search: the linear ones under squared error on raw values."""
    delta, over, _ = spec.objective.numbers
    chosen = isinstance(spec.starts, np.ndarray) or spec.solver != LM() or not spec.screen
    if chosen or spec.objective.on_log or np.isfinite(delta) or over != 1.0:
        return ()
    linear = _linear(spec)
    return linear if len(linear) < len(spec.law.labels) else ()


def _linear(spec: Spec) -> tuple[int, ...]:
    """The numbers that are solved for at every node, by whose misfits starts are then ranked."""
    return untied_linear(spec.law, tied_index(spec))


def start_nodes(few: bool) -> int:
    """Of how many points a fit's starts are the best ones."""
    return 512 if few else 96


def _n_starts(spec: Spec, few: bool) -> int:
    if spec.starts is None:
        return 32 if few else 6
    return len(spec.starts) if isinstance(spec.starts, np.ndarray) else spec.starts


def _roughness(task: Task) -> np.ndarray:
    """(fits,) a residual scale for objectives with a corner: a small share of the target's own spread."""
    objective, se, out = task.spec.objective, task.runs.target_se, []
    scaled = objective.scaled(task.runs.target)
    for m in task.members:
        size = float(np.mean(np.abs(scaled[m])))
        least = 1e-6 * max(size, 1.0 if objective.on_log else np.finfo(float).tiny)
        scale = 1.0 if se is None else float(np.median(se[m]))
        out.append(max(0.02 * float(np.std(scaled[m])), least) / scale)
    return np.array(out)


def evidence_of_all(problem: Problem, solution: Solution, free: np.ndarray) -> Evidences:
    """What the engine left behind of every fit of a batch, all finished lanes among the basins."""
    data, n_fits, k = problem.data, *solution.z.shape

    def each(part: np.ndarray | int, *shape: int) -> np.ndarray:
        return np.broadcast_to(part, (n_fits, *shape))

    return Evidences(
        z=solution.z,
        gradient=solution.gradient,
        hessian=solution.hessian,
        tie=each(data.tie, k, k),
        offset=each(data.offset, k),
        lower=each(data.lower, k),
        upper=each(data.upper, k),
        free=free,
        value=solution.value,
        status=solution.status,
        basins=solution.finished_z,
        finished_value=solution.finished_value,
        finished_status=solution.finished_status,
        n_starts=each(solution.n_starts),
        n_polished=each(solution.n_polished),
    )


def _together(first: Evidence, second: Evidence) -> Evidence:
    """Two looks at one fit as one: the better point, and every lane of both."""
    better, other = (second, first) if second.value < first.value else (first, second)
    basins = np.concatenate([better.basins, other.basins])
    finished = np.concatenate([first.finished_value, second.finished_value])
    order = np.argsort(finished, kind="stable")
    return replace(
        better,
        basins=distinct_points(basins, np.zeros(len(basins))),
        finished_value=finished[order],
        finished_status=np.concatenate([first.finished_status, second.finished_status])[order],
        n_starts=first.n_starts + second.n_starts,
        n_polished=first.n_polished + second.n_polished,
    )
