"""From a specification and a table to the engine's batch, and from its answer back to results.

A fit is a set of rows and a vector of weights; many fits are one batch, padded to a few common lengths so that thousands
of them share a handful of programs. Fixing and tying parameters is data here (a matrix and an offset), never a recompile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd
from jax.sharding import Mesh

from scaling_jax.data import Part, Runs
from scaling_jax.diagnostics import EPS, AtRows, Evidence, at_rows_of_many, target_scale
from scaling_jax.engine.devices import default_device, platform
from scaling_jax.engine.lanes import FEW_LANES, compile_ahead
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import MOST_STEPS, measure_ahead
from scaling_jax.engine.problem import LaneData, Problem, bucket
from scaling_jax.engine.solve import Solution, solve
from scaling_jax.engine.starts import default_starts, product_grid
from scaling_jax.law import Law, check_law
from scaling_jax.objective import Huber, Objective
from scaling_jax.progress import progress_bar
from scaling_jax.result import FitResult

__all__ = [
    "MEASURE",
    "Spec",
    "build_problem",
    "fixed_numbers",
    "make_spec",
    "natural_numbers",
    "padded_lengths",
    "respec",
    "search_points",
    "solve_members",
    "tied_index",
]

SOLVERS = {"lm": LM, "lbfgs": LBFGS}
WORTH_A_PROGRAM = 400_000  # padded rows, over all fits, whose time compiling one more program costs
SEARCHED = 8  # how much dearer a row is that every start sees
FITS_IN_MEMORY = 4096
FEW_FITS = 8
FEW_STUCK = 0.1
SEARCH_ROWS = 192  # of each of many fits; from the ends of the search lanes go on on all rows
MEASURE = LM(max_steps=1)
NO_FINITE_START = "No start gives a finite objective: check units and domains of the inputs, or pass starts=."


@dataclass(frozen=True)
class Spec:
    """What to fit and how, once the user's words are checked."""

    law: Law
    objective: Objective
    fixed: dict[str, Any]
    tied: list[tuple[str, ...]]
    starts: int | np.ndarray | None
    solver: Any
    screen: bool
    device: Any
    count: dict[str, str]


def make_spec(
    law: Law,
    objective: Any = None,
    fixed: Any = None,
    tied: Any = None,
    starts: Any = None,
    solver: Any = "lm",
    screen: bool = True,
    device: Any = None,
    count: Any = None,
    mesh: Any = None,
) -> Spec:
    if not isinstance(law, Law):
        raise TypeError(f"The first argument is a law (sj.laws.…, or a function decorated with @sj.law), not {type(law).__name__}.")
    objective = Huber() if objective is None else objective
    if not isinstance(objective, Objective):
        raise TypeError(f"objective= takes sj.Huber(...), sj.SquaredError(...) and the like, not {objective!r}.")
    if isinstance(device, str):
        device = _device_named(device)
    if mesh is not None:
        device = _checked_mesh(mesh, device)
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"solver={solver!r}: use {', '.join(map(repr, SOLVERS))} or a solver object.")
        solver = SOLVERS[solver](dtype="float32" if platform(device) == "tpu" else "float64")
    if not (hasattr(solver, "init") and hasattr(solver, "step")):
        raise TypeError(f"solver={solver!r}: use 'lm', 'lbfgs' or a solver object such as sj.LM(max_steps=1000).")
    if not isinstance(count or {}, Mapping):
        raise TypeError(f"count={count!r}: give a mapping of what was counted how, for example {{'N': 'non-embedding'}}.")
    if isinstance(tied, str) or any(isinstance(group, str) for group in tied or []):
        raise ValueError(f"tied={tied!r}: give groups of names, for example [('alpha', 'beta')].")
    check_law(law)
    fixed = dict(fixed or {})
    tied = [tuple(group) for group in tied or []]
    named = [*fixed, *(name for group in tied for name in group)]
    if unknown := sorted(set(named) - set(law.params)):
        raise ValueError(f"Law '{law.name}' has no parameter {', '.join(unknown)}: it has {', '.join(law.params)}.")
    domains = {p.name: p.domain for p in law.parameters}
    for group in tied:
        if len({domains[name] for name in group}) > 1 or len(set(group)) < 2:
            raise ValueError(f"tied={group}: tied parameters must be two or more with the same domain.")
    if len(named) != len(set(named)):
        raise ValueError("A parameter is named twice in fixed and tied: fix one of a tied group, and leave the group out of tied.")
    starts = _read_starts(law, starts, fixed, tied)
    return Spec(law, objective, fixed, tied, starts, solver, screen, device, dict(count or {}))


def _device_named(name: str) -> Any:
    try:
        return jax.local_devices(backend=name)[0]
    except RuntimeError as error:
        here = sorted({d.platform for d in jax.devices()} | {"cpu"})
        raise ValueError(f"device={name!r}: JAX sees {', '.join(here)} here.") from error


def _checked_mesh(mesh: Any, device: Any) -> Mesh:
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh={mesh!r}: give a jax.sharding.Mesh, for example jax.make_mesh((jax.device_count(),), ('lanes',)).")
    if device is not None:
        raise ValueError("Give device= or mesh=, not both.")
    hosts = {d.process_index for d in mesh.devices.flat}
    if hosts not in ({jax.process_index()}, set(range(jax.process_count()))):
        raise ValueError(f"mesh= has devices of processes {sorted(hosts)}: it must span this process only, or all of them.")
    return mesh


def fixed_numbers(spec: Spec, keys: list[Any]) -> np.ndarray:
    """Values of fixed numbers per group, (groups, labels), NaN where free."""
    law = spec.law
    out = np.full((len(keys), len(law.labels)), np.nan)
    at = 0
    for p in law.parameters:
        if p.name in spec.fixed:
            given = spec.fixed[p.name]
            if isinstance(given, Mapping) and (absent := [key for key in keys if key not in given]):
                if absent == [None]:
                    raise ValueError(f"fixed {p.name} is a mapping, which is for fit_groups: give one number.")
                more = " and more" if len(absent) > 5 else ""
                named = ", ".join(map(repr, absent[:5])) + more
                raise ValueError(f"fixed {p.name} has no value for group {named}: give one for every group.")
            for g, key in enumerate(keys):
                value = given[key] if isinstance(given, Mapping) else given
                try:
                    value = np.asarray(value, dtype=np.float64)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"fixed {p.name}={value!r} is not a number.") from error
                inside = p.domain.contains(value) | (value == p.domain.lower)
                if not np.all(inside):
                    group = "" if key is None else f" of group {key!r}"
                    raise ValueError(f"fixed {p.name}={value}{group} is outside its domain: it must be {p.domain.name}.")
                out[g, at : at + p.size] = np.broadcast_to(value, p.shape).ravel()
        at += p.size
    return out


def tied_index(spec: Spec) -> np.ndarray:
    """For each number the index of the one it equals: itself, or the first of its tied group."""
    return _tied_index(spec.law, spec.tied)


def _tied_index(law: Law, tied: list[tuple[str, ...]]) -> np.ndarray:
    labels = list(law.labels)
    index = np.arange(len(labels))
    for group in tied:
        for name in group[1:]:
            for label, leader in zip(_labels_of(law, name), _labels_of(law, group[0]), strict=True):
                index[labels.index(label)] = labels.index(leader)
    return index


def _labels_of(law: Law, name: str) -> list[str]:
    return next(p.labels for p in law.parameters if p.name == name)


def padded_lengths(sizes: np.ndarray) -> list[int]:
    """Padded lengths that cover all sizes: as many as save more padding than compiling a program for each costs."""
    counts = np.bincount([bucket(int(s)) for s in sizes])
    choices = np.flatnonzero(counts).tolist()
    edges = choices[-1:]

    def cost(edges: list[int]) -> int:
        padded = {size: next(e for e in edges if e >= size) for size in choices}
        return sum(int(counts[size]) * (e + SEARCHED * min(e, SEARCH_ROWS)) for size, e in padded.items())

    while len(edges) < len(choices):
        best = min((sorted([*edges, c]) for c in choices if c not in edges), key=cost)
        if cost(edges) - cost(best) < WORTH_A_PROGRAM:
            break
        edges = best
    return edges


def build_problem(
    spec: Spec, runs: Runs, members: list[np.ndarray], fixed: np.ndarray, weights: np.ndarray | list[np.ndarray] | None = None
) -> tuple[Problem, np.ndarray]:
    """One batch of fits padded to a bucket of rows, and the moving coordinates.

    Many fits share the table's columns and hold positions in them, with one more row of weight 0 for padding. One fit, or
    many that differ in `weights` (fits, rows) only, hold the rows of the first member themselves. A list of `weights` has one
    vector per member.
    """
    law, objective = spec.law, spec.objective
    width = bucket(max(len(m) for m in members))
    apart = len(members) > 1 and not isinstance(weights, np.ndarray)
    positions = _padded(members, width, len(runs), np.int32) if apart else None
    table = np.append(np.arange(len(runs)), 0) if apart else np.append(members[0], np.full(width - len(members[0]), members[0][0]))
    if weights is not None:
        own = _padded(weights, width, 0.0, np.float64)
    elif apart:
        own = np.append(runs.weight, 0.0)
    else:
        own = _padded([runs.weight[members[0]]], width, 0.0, np.float64)
    scale = np.ones(width) if runs.target_se is None else runs.target_se[table]
    target = np.log(runs.target[table]) if objective.on == "log" else runs.target[table]
    leader = tied_index(spec)
    moving = np.isnan(fixed)
    n_fits = len(members) if apart else len(own)
    fixed = np.broadcast_to(fixed, (n_fits, fixed.shape[1]))
    k = len(leader)
    tie = np.zeros((n_fits, k, k))
    tie[:, np.arange(k), leader] = np.broadcast_to(moving, (n_fits, k))
    offset = np.zeros((n_fits, k))
    bounds = np.array([d.search_bounds for d in law.label_domains])
    for i, domain in enumerate(law.label_domains):
        held = ~np.isnan(fixed[:, i])
        offset[held, i] = domain.to_search(fixed[held, i])
    perfect = objective.rho(16 * EPS * target_scale(runs, objective))
    if isinstance(weights, np.ndarray):
        floor = weights @ perfect[members[0]]
    else:
        floor = np.array([w @ perfect[m] for w, m in zip(weights or (runs.weight[m] for m in members), members, strict=True)])
    data = LaneData(
        inputs={name: column[table] for name, column in runs.inputs.items()},
        target=target, weight=own, scale=scale, numbers=np.array(objective.numbers), tie=tie, offset=offset,
        lower=bounds[:, 0], upper=bounds[:, 1], floor=floor,
    )  # fmt: skip
    many = n_fits > 1
    per_fit = LaneData(
        inputs=dict.fromkeys(data.inputs, apart), target=apart, weight=many, scale=apart and runs.target_se is not None,
        numbers=False, tie=many, offset=many, lower=False, upper=False, floor=many,
    )  # fmt: skip
    if not many:
        data = data._replace(weight=own[0], tie=tie[0], offset=offset[0], floor=floor[0])
    return Problem(law, objective.on == "log", n_fits, data, per_fit, positions), (tie != 0).any(axis=1)


def _padded(parts: Iterable[np.ndarray], width: int, fill: float, dtype: Any) -> np.ndarray:
    parts = list(parts)
    out = np.full((len(parts), width), fill, dtype=dtype)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out


def _read_starts(law: Law, given: Any, fixed: Mapping[str, Any], tied: list[tuple[str, ...]]) -> int | np.ndarray | None:
    """The user's starts, checked: None, a number of them, or points in natural units, (starts, labels)."""
    if given is None:
        return None
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 1:
            raise ValueError(f"starts={given}: give a positive number of starts.")
        return int(given)
    if isinstance(given, str):
        if given != "grid":
            raise ValueError(f"starts={given!r}: the only named starts are 'grid'.")
        if not law.grid:
            raise ValueError(f"Law '{law.name}' has no classical grid: pass starts={{parameter: values}} or a number.")
        given = law.grid
    free = [label for p in law.parameters for label in p.labels if p.name not in fixed]
    leader = _tied_index(law, tied)
    if isinstance(given, Mapping):
        if unknown := set(given) - set(law.labels):
            raise ValueError(f"starts names {sorted(unknown)}, law '{law.name}' has {', '.join(law.labels)}.")
        if absent := [label for i, label in enumerate(law.labels) if label in free and label not in given and leader[i] == i]:
            raise ValueError(f"starts lacks values for {', '.join(absent)}.")
        points = product_grid({label: _numbers(given.get(label, [1.0])) for label in law.labels}, law.labels)
    elif isinstance(given, pd.DataFrame):
        if set(law.labels) - set(given.columns):
            raise ValueError(f"starts lacks the columns {sorted(set(law.labels) - set(given.columns))}.")
        points = _numbers(given[list(law.labels)])
    else:
        points = np.atleast_2d(_numbers(given))
        if points.shape[-1] != len(law.labels) or points.ndim != 2:
            raise ValueError(f"starts has shape {points.shape}: each start needs {len(law.labels)} values ({', '.join(law.labels)}).")
    if not points.size:
        raise ValueError("starts is empty: give at least one start.")
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        outside = ~domain.contains(points[:, i])
        if label in free and outside.any():
            raise ValueError(f"starts for {label} must be {domain.name}, got {points[outside, i][0]:g}.")
    return points[:, leader]


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


def _numbers(starts: Any) -> np.ndarray:
    try:
        return np.asarray(starts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("starts holds something that is not a number, or rows of different lengths.") from error


def search_points(law: Law, points: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Natural units to search coordinates; coordinates that do not move are parked at zero."""
    z = np.stack([d.to_search(points[..., i]) for i, d in enumerate(law.label_domains)], axis=-1)
    return np.where(free[:, None, :], z, 0.0)


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

    `starts`, (members, starts, labels), replaces those of the spec; `weights`, one vector per member, those of the runs. Where
    the starts are the law's own, the few of many fits that do not converge get as many of them as a fit alone; where many do not,
    it is the law that asks too much of the tables, and more starts help none.
    """
    results = _solved(spec, runs, members, fixed, keys, polish_steps, starts, weights)
    stuck = [i for i, result in enumerate(results) if result.status == "not_converged"]
    if len(members) > FEW_FITS and len(stuck) <= FEW_STUCK * len(members) and spec.starts is None and starts is None:
        stuck.sort(key=lambda i: len(members[i]))  # tables alike in length share programs
        for first in range(0, len(stuck), FEW_FITS):
            which = stuck[first : first + FEW_FITS]
            own = weights and [weights[i] for i in which]
            again = _solved(spec, runs, [members[i] for i in which], fixed[which], [keys[i] for i in which], polish_steps, None, own)
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
                problem, free = build_problem(spec, runs, part, fixed[which], weights and [weights[i] for i in which])
                if _n_starts(spec, few) <= FEW_LANES:
                    problem = problem.owned()
                device = spec.device or default_device(len(part) * _n_starts(spec, few) * problem.n_rows)
                compile_ahead(problem if few else problem.thinned(SEARCH_ROWS), spec.solver, 1, device)
                measure_ahead(problem, device)
                points = _start_points(spec, problem, fixed[which], few) if starts is None else starts[which]
                solution = _run(spec, problem, free, points, runs, part, few, polish_steps, device, progress)
                numbers = natural_numbers(spec.law, problem, solution.z)
                foreseen = [None] * len(part) if few else at_rows_of_many(spec.law, numbers, runs.inputs, part)
                for f, i in enumerate(which):
                    results[i] = _result(
                        spec, Part(runs, members[i], own[i]), problem, solution, free, f, numbers[f], foreseen[f], keys[i], fixed[i]
                    )  # fmt: skip
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
    tie, offset = (leaf[f] if own else leaf for leaf, own in ((data.tie, per_fit.tie), (data.offset, per_fit.offset)))
    evidence = Evidence(
        z=solution.z[f], gradient=solution.gradient[f], hessian=solution.hessian[f], tie=tie, offset=offset,
        lower=data.lower, upper=data.upper, free=free[f], value=float(solution.value[f]), status=int(solution.status[f]),
        basins=_distinct(solution.finished_z[f], solution.finished_value[f]),
        finished_value=solution.finished_value[f], finished_status=solution.finished_status[f],
        n_starts=solution.n_starts, n_polished=solution.n_polished,
    )  # fmt: skip
    failed = not np.isfinite(evidence.value)
    record = runs.record | {"rows_used": len(runs)} | ({"n_runs": runs.n_runs} if runs.run is not None else {})
    if len(runs.group_labels) > 1:
        record = record | {"rows_in_table": len(runs)}
    held = {label: float(value) for label, value in zip(law.labels, fixed, strict=True) if not np.isnan(value)}
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


def natural_numbers(law: Law, problem: Problem, z: np.ndarray) -> np.ndarray:
    """Search coordinates of every fit, (fits, k), as parameters in natural units, (fits, labels)."""
    x = np.einsum("...ij,...j->...i", problem.data.tie, z) + problem.data.offset
    logs = np.array([d.log for d in law.label_domains])
    return np.where(logs, np.exp(np.where(logs, x, 0.0)), x)


def _distinct(z: np.ndarray, values: np.ndarray, most: int = 4) -> np.ndarray:
    """Up to `most` finished points that differ, best first."""
    kept = [z[0]]
    for point, value in zip(z[1:], values[1:], strict=True):
        if len(kept) == most or not np.isfinite(value):
            break
        if min(np.max(np.abs(point - other)) for other in kept) > 1e-2:
            kept.append(point)
    return np.stack(kept)


def respec(fitted: FitResult) -> Spec:
    """The specification that a result was fitted under, for refits."""
    held = fitted.fixed
    fixed = {p.name: np.reshape([held[label] for label in p.labels], p.shape) for p in fitted.law.parameters if p.labels[0] in held}
    return make_spec(fitted.law, fitted.objective, fixed, fitted.tied)
