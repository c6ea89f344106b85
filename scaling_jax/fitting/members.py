"""Sets of rows solved as batches: every fit from its starts, the stuck ones again, and results in the order
given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scaling_jax.api.result import FitResult
from scaling_jax.core.progress import progress_bar
from scaling_jax.engine.coordinates import natural_numbers, search_points
from scaling_jax.engine.devices import default_device
from scaling_jax.engine.lanes import FEW_LANES, compile_ahead
from scaling_jax.engine.newton import MOST_STEPS, measure_ahead
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import Solution, solve
from scaling_jax.engine.starts import default_starts
from scaling_jax.fitting.batch import build_problem, padded_lengths
from scaling_jax.fitting.certificate import AtRows, Evidence, at_rows_of_many
from scaling_jax.fitting.spec import Spec, tied_index
from scaling_jax.tables.runs import Part, Runs

__all__ = ["solve_members"]

FITS_IN_MEMORY = 4096
FEW_FITS = 8
FEW_STUCK = 0.1
SEARCH_ROWS = 192  # of each of many fits; from the ends of the search lanes go on on all rows
NO_FINITE_START = "No start gives a finite objective: check units and domains of the inputs, or pass starts=."


def _start_points(spec: Spec, problem: Problem, fixed: np.ndarray, few: bool) -> np.ndarray:
    """Start points in natural units, (fits, starts, labels)."""
    if isinstance(spec.starts, np.ndarray):
        return np.broadcast_to(spec.starts, (problem.n_fits, *spec.starts.shape)).copy()
    nodes = spec.starts or (512 if few else 96)
    return default_starts(problem, fixed, tied_index(spec), n=_n_starts(spec, few), nodes=nodes)


def _n_starts(spec: Spec, few: bool) -> int:
    if spec.starts is None:
        return 32 if few else 6
    return len(spec.starts) if isinstance(spec.starts, np.ndarray) else spec.starts


def _roughness(runs: Runs, members: list[np.ndarray], on_log: bool) -> np.ndarray:
    """(fits,) a residual scale for objectives with a corner: a small share of the target's own spread."""
    out = []
    for m in members:
        y = np.log(runs.target[m]) if on_log else runs.target[m]
        scale = 1.0 if runs.target_se is None else float(np.median(runs.target_se[m]))
        out.append(max(0.02 * float(np.std(y)), 1e-6 * max(1.0, float(np.mean(np.abs(y))))) / scale)
    return np.array(out)


def solve_members(
    spec: Spec,
    runs: Runs,
    members: list[np.ndarray],
    fixed: np.ndarray,
    keys: list[Any],
    polish_steps: int = MOST_STEPS,
    starts: np.ndarray | None = None,
    weights: list[np.ndarray] | None = None,
) -> list[FitResult]:
    """Fits every member set; results in the order given.

    `starts`, (members, starts, labels), replaces those of the spec; `weights`, one vector per member, those
    of the runs. Where the starts are the law's own, the few of many fits that do not converge get as many of
    them as a fit alone; where many do not, it is the law that asks too much of the tables, and more starts
    help none.
    """
    results = _solved(spec, runs, members, fixed, keys, polish_steps, starts, weights)
    stuck = [i for i, result in enumerate(results) if result.status == "not_converged"]
    if (
        len(members) > FEW_FITS
        and len(stuck) <= FEW_STUCK * len(members)
        and spec.starts is None
        and starts is None
    ):
        stuck.sort(key=lambda i: len(members[i]))  # tables alike in length share programs
        for first in range(0, len(stuck), FEW_FITS):
            which = stuck[first : first + FEW_FITS]
            own = weights and [weights[i] for i in which]
            again = _solved(
                spec,
                runs,
                [members[i] for i in which],
                fixed[which],
                [keys[i] for i in which],
                polish_steps,
                None,
                own,
            )
            for i, result in zip(which, again, strict=True):
                if result.evidence.value <= results[i].evidence.value:
                    results[i] = result
    return results


def _solved(
    spec: Spec,
    runs: Runs,
    members: list[np.ndarray],
    fixed: np.ndarray,
    keys: list[Any],
    polish_steps: int,
    starts: np.ndarray | None,
    weights: list[np.ndarray] | None,
) -> list[FitResult]:
    """`solve_members`, every fit once."""
    results: list[FitResult | None] = [None] * len(members)
    own: list[Any] = [None] * len(members) if weights is None else list(weights)
    few = len(members) <= FEW_FITS
    sizes = np.array([len(m) for m in members])
    edges = padded_lengths(sizes)
    assigned = np.searchsorted(edges, sizes)
    with progress_bar(len(members)) as progress:
        for b in range(len(edges)):
            in_bucket = np.flatnonzero(assigned == b)
            for first in range(0, len(in_bucket), FITS_IN_MEMORY):
                which = in_bucket[first : first + FITS_IN_MEMORY]
                part = [members[i] for i in which]
                problem, free = build_problem(
                    spec, runs, part, fixed[which], weights and [weights[i] for i in which]
                )
                if _n_starts(spec, few) <= FEW_LANES:
                    problem = problem.owned()
                device = spec.device or default_device(len(part) * _n_starts(spec, few) * problem.n_rows)
                compile_ahead(problem if few else problem.thinned(SEARCH_ROWS), spec.solver, 1, device)
                measure_ahead(problem, device)
                points = _start_points(spec, problem, fixed[which], few) if starts is None else starts[which]
                solution = _run(spec, problem, free, points, runs, part, few, polish_steps, device, progress)
                numbers = natural_numbers(spec.law, problem, solution.z)
                foreseen = (
                    [None] * len(part) if few else at_rows_of_many(spec.law, numbers, runs.inputs, part)
                )
                for f, i in enumerate(which):
                    results[i] = _result(
                        spec,
                        Part(runs, members[i], own[i]),
                        problem,
                        solution,
                        free,
                        f,
                        numbers[f],
                        foreseen[f],
                        keys[i],
                        fixed[i],
                    )
    return [r for r in results if r is not None]


def _run(
    spec: Spec,
    problem: Problem,
    free: np.ndarray,
    points: np.ndarray,
    runs: Runs,
    members: list[np.ndarray],
    few: bool,
    polish_steps: int,
    device: Any,
    progress: Any,
) -> Solution:
    starts = search_points(spec.law, points, free)
    return solve(
        problem,
        starts,
        spec.solver,
        screen=spec.screen,
        keep=32 if few else 8,
        polish=32 if few else 2,
        polish_steps=polish_steps,
        smooth=spec.objective.smooth,
        search_rows=None if few or not spec.screen else SEARCH_ROWS,
        roughness=None if spec.objective.smooth else _roughness(runs, members, spec.objective.on == "log"),
        device=device,
        progress=progress,
    )


def _result(
    spec: Spec,
    part: Part,
    problem: Problem,
    solution: Solution,
    free: np.ndarray,
    f: int,
    numbers: np.ndarray,
    foreseen: AtRows | None,
    key: Any,
    fixed: np.ndarray,
) -> FitResult:
    runs = part.read()
    law, data, per_fit = spec.law, problem.data, problem.per_fit
    tie, offset = (
        leaf[f] if own else leaf for leaf, own in ((data.tie, per_fit.tie), (data.offset, per_fit.offset))
    )
    evidence = Evidence(
        z=solution.z[f],
        gradient=solution.gradient[f],
        hessian=solution.hessian[f],
        tie=tie,
        offset=offset,
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
    failed = not np.isfinite(evidence.value)
    record = (
        runs.record | {"rows_used": len(runs)} | ({"n_runs": runs.n_runs} if runs.run is not None else {})
    )
    if len(runs.group_labels) > 1:
        record = record | {"rows_in_table": len(runs)}
    held = {
        label: float(value) for label, value in zip(law.labels, fixed, strict=True) if not np.isnan(value)
    }
    result = FitResult(
        law=law,
        objective=spec.objective,
        numbers=numbers if not failed else np.full(len(numbers), np.nan),
        objective_value=evidence.value if not failed else np.nan,
        solver=spec.solver.name,
        evidence=evidence,
        runs=part,
        sources=runs.sources,
        record=record,
        fingerprint=runs.fingerprint,
        count=spec.count,
        fixed=held,
        tied=spec.tied,
        key=key,
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
