"""Sets of rows solved as batches: every fit from its starts, the stuck ones again, and records in the order
given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_jax.core.progress import progress_bar
from scaling_jax.engine.coordinates import search_points, to_natural
from scaling_jax.engine.devices import default_device
from scaling_jax.engine.lanes import FEW_LANES, Progress, compile_ahead
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import MOST_STEPS, measure_ahead
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import Solution, solve
from scaling_jax.engine.starts import default_starts, second_starts
from scaling_jax.engine.thinning import LONG, REPRESENTATIVES
from scaling_jax.fitting.batch import SEARCH_ROWS, Task, build_problem, padded_lengths
from scaling_jax.fitting.certificate import NO_FINITE_START, AtRows, Evidence, at_rows_of_many, unusual
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import Spec, tied_index
from scaling_jax.tables.runs import Part

__all__ = ["FEW_FITS", "evidence_of", "solve_members", "start_nodes"]

FITS_IN_MEMORY = 4096
FEW_FITS = 8
FEW_STUCK = 0.1
MOST_ENDS = 3  # of a fit in doubt, from which it is looked at again
PATIENCE = 6
POLISHED_CELLS, FEWEST_POLISHED = 2**22, 4


def solve_members(
    task: Task, *, polish_steps: int = MOST_STEPS, starts: np.ndarray | None = None
) -> list[Fitted]:
    """Solves every fit of a task; records in its order.

    `starts`, (fits, starts, labels), replaces those of the specification. Where the starts are the law's own,
    the few of many fits that do not converge get as many of them as a fit alone; where many do not, it is the
    law that asks too much of the tables, and more starts help none. A fit alone, or one of a few, whose
    certificate has doubts is looked at again.
    """
    results = _solved(task, polish_steps, starts)
    if len(task) <= FEW_FITS and starts is None:
        return [_looked_again(task.some([i]), result) for i, result in enumerate(results)]
    stuck = [i for i, result in enumerate(results) if result.status == "not_converged"]
    if len(task) <= FEW_FITS or len(stuck) > FEW_STUCK * len(task):
        return results
    if task.spec.starts is not None or starts is not None:
        return results
    stuck.sort(key=lambda i: len(task.members[i]))  # tables alike in length share programs
    for first in range(0, len(stuck), FEW_FITS):
        which = stuck[first : first + FEW_FITS]
        for i, result in zip(which, _solved(task.some(which), polish_steps, None), strict=True):
            if result.evidence.value <= results[i].evidence.value:
                results[i] = result
    return results


def _solved(task: Task, polish_steps: int, starts: np.ndarray | None) -> list[Fitted]:
    """`solve_members`, every fit once."""
    results: dict[int, Fitted] = {}
    few = len(task) <= FEW_FITS
    sizes = np.array([len(m) for m in task.members])
    edges = padded_lengths(sizes)
    assigned = np.searchsorted(edges, sizes)
    with progress_bar(len(task)) as progress:
        for b in range(len(edges)):
            in_bucket = np.flatnonzero(assigned == b)
            for first in range(0, len(in_bucket), FITS_IN_MEMORY):
                which = in_bucket[first : first + FITS_IN_MEMORY]
                own = None if starts is None else starts[which]
                results |= zip(
                    which.tolist(), _batch(task.some(which), own, few, polish_steps, progress), strict=True
                )
    return [results[i] for i in range(len(task))]


def _batch(
    task: Task, points: np.ndarray | None, few: bool, polish_steps: int, progress: Progress | None
) -> list[Fitted]:
    """Fits whose rows are padded to one length."""
    spec = task.spec
    problem, free = build_problem(task)
    if _n_starts(spec, few) <= FEW_LANES:
        problem = problem.owned()
    device = spec.device or default_device(len(task) * _n_starts(spec, few) * problem.n_rows)
    search = _searched_on(task, problem, few)
    compile_ahead(search or problem, spec.solver, 1, device)
    measure_ahead(problem, device)
    if points is None:
        points = _start_points(spec, search if few and search else problem, task.fixed, few)
    solution = solve(
        problem,
        search_points(spec.law, points, free),
        spec.solver,
        screen=spec.screen,
        keep=32 if few else 8,
        polish=_n_polished(few, problem.n_rows),
        polish_steps=polish_steps,
        smooth=spec.objective.smooth,
        search=search,
        roughness=None if spec.objective.smooth else _roughness(task),
        device=device,
        progress=progress,
    )
    numbers = problem.natural_numbers(solution.z)
    foreseen: list[AtRows] | list[None] = [None] * len(task)
    if not few:
        foreseen = at_rows_of_many(spec.law, numbers, task.runs.inputs, task.members)
    evidence = (evidence_of(problem, solution, free, f) for f in range(len(task)))
    return [
        _record(task, f, e, n, at)
        for f, (e, n, at) in enumerate(zip(evidence, numbers, foreseen, strict=True))
    ]


def _looked_again(task: Task, result: Fitted) -> Fitted:
    """The fit, or a lower one where its certificate has doubts and other starts or more steps find it.

    What the user chose is left alone: points to start at, a solver's own settings, every start to its end.
    """
    spec = task.spec
    chosen = isinstance(spec.starts, np.ndarray) or spec.solver not in (LM(), LBFGS()) or not spec.screen
    if chosen or not _in_doubt(result):
        return result
    problem, free = build_problem(task)
    problem = problem.owned()
    search = _searched_on(task, problem, True)
    first = result.evidence
    ends = to_natural(spec.law.label_domains, first.basins[:MOST_ENDS] @ first.tie.T + first.offset)
    points = second_starts(
        search or problem, task.fixed, tied_index(spec), ends, n=32, nodes=start_nodes(few=True)
    )
    solution = solve(
        problem,
        search_points(spec.law, points, free),
        spec.solver,
        polish=_n_polished(True, problem.n_rows),
        polish_steps=PATIENCE * MOST_STEPS,
        patience=PATIENCE,
        smooth=spec.objective.smooth,
        search=search,
        roughness=None if spec.objective.smooth else _roughness(task),
        device=spec.device or default_device(points.shape[1] * problem.n_rows),
    )
    evidence = _together(first, evidence_of(problem, solution, free, 0))
    return _record(task, 0, evidence, problem.natural_numbers(evidence.z[None])[0], None)


def _in_doubt(result: Fitted) -> bool:
    """Whether the certificate leaves room for a lower optimum elsewhere."""
    c = result.certificate
    odd = c.at_bound or c.extinct or unusual(result.law, result.numbers)
    return c.status == "not_converged" or (c.status == "converged" and bool(odd or c.few_agree))


def _searched_on(task: Task, problem: Problem, few: bool) -> Problem | None:
    """The fits on rows that are enough to search on, or None where they need all of theirs."""
    if not task.spec.screen:
        return None
    if problem.n_rows > LONG:
        run = task.runs.run
        order = None if run is None or len(task) > 1 else np.argsort(run[task.members[0]], kind="stable")
        return problem.represented(REPRESENTATIVES, order)
    return None if few or problem.n_rows <= SEARCH_ROWS else problem.thinned(SEARCH_ROWS)


def _n_polished(few: bool, n_rows: int) -> int:
    """How many ends per fit are polished: of a very long table those that a search's noise leaves in
    doubt."""
    return max(FEWEST_POLISHED, min(32, POLISHED_CELLS // n_rows)) if few else 2


def _start_points(spec: Spec, problem: Problem, fixed: np.ndarray, few: bool) -> np.ndarray:
    """Start points in natural units, (fits, starts, labels)."""
    if isinstance(spec.starts, np.ndarray):
        return np.broadcast_to(spec.starts, (problem.n_fits, *spec.starts.shape)).copy()
    n = _n_starts(spec, few)
    nodes = spec.starts or start_nodes(few)
    return default_starts(problem, fixed, tied_index(spec), n=n, nodes=nodes)


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


def evidence_of(problem: Problem, solution: Solution, free: np.ndarray, f: int) -> Evidence:
    """What the engine left behind of one fit of a batch."""
    data, per_fit = problem.data, problem.per_fit
    return Evidence(
        z=solution.z[f],
        gradient=solution.gradient[f],
        hessian=solution.hessian[f],
        tie=data.tie[f] if per_fit.tie else data.tie,
        offset=data.offset[f] if per_fit.offset else data.offset,
        lower=data.lower,
        upper=data.upper,
        free=free[f],
        value=float(solution.value[f]),
        status=int(solution.status[f]),
        basins=_distinct(solution.finished_z[f], solution.finished_value[f]),
        finished_value=solution.finished_value[f],
        finished_status=solution.finished_status[f],
        n_starts=solution.n_starts,
        n_polished=solution.n_polished,
    )


def _together(first: Evidence, second: Evidence) -> Evidence:
    """Two looks at one fit as one: the better point, and every lane of both."""
    better, other = (second, first) if second.value < first.value else (first, second)
    basins = np.concatenate([better.basins, other.basins])
    finished = np.concatenate([first.finished_value, second.finished_value])
    order = np.argsort(finished, kind="stable")
    return replace(
        better,
        basins=_distinct(basins, np.zeros(len(basins))),
        finished_value=finished[order],
        finished_status=np.concatenate([first.finished_status, second.finished_status])[order],
        n_starts=first.n_starts + second.n_starts,
        n_polished=first.n_polished + second.n_polished,
    )


def _record(task: Task, f: int, evidence: Evidence, numbers: np.ndarray, foreseen: AtRows | None) -> Fitted:
    spec = task.spec
    part = Part(task.runs, task.members[f], None if task.weights is None else task.weights[f])
    runs = part.read()
    failed = not np.isfinite(evidence.value)
    counted = {"rows_used": len(runs)} | ({"n_runs": runs.n_runs} if runs.run is not None else {})
    if len(runs.group_labels) > 1:
        counted["rows_in_table"] = len(runs)
    held = zip(spec.law.labels, task.fixed[f].tolist(), strict=True)
    result = Fitted(
        spec=spec,
        numbers=numbers if not failed else np.full(len(numbers), np.nan),
        objective_value=evidence.value if not failed else np.nan,
        evidence=evidence,
        runs=part,
        sources=runs.sources,
        record=runs.record | counted,
        fingerprint=runs.fingerprint,
        fixed={label: value for label, value in held if not np.isnan(value)},
        key=task.keys[f],
        reason=NO_FINITE_START if failed else "",
        foreseen=foreseen,
    )
    if failed or spec.objective.smooth:
        return result
    return replace(result, objective_value=float(np.sum(runs.weight * spec.objective.rho(result.residuals))))


def _distinct(z: np.ndarray, values: np.ndarray, most: int = 4) -> np.ndarray:
    """Up to `most` finished points that differ, best first."""
    kept = [z[0]]
    for point, value in zip(z[1:], values[1:], strict=True):
        if len(kept) == most or not np.isfinite(value):
            break
        if min(np.max(np.abs(point - other)) for other in kept) > 1e-2:
            kept.append(point)
    return np.stack(kept)
