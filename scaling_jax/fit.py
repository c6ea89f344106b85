"""`fit` and `fit_groups`: a law and a table in, certified optima out.

This file turns a user's arguments into one batch for the engine (fits x rows, lanes of starts) and its answer into
results. Groups of unequal length are padded to a few common sizes, so thousands of them share a handful of programs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import pandas as pd

from scaling_jax.data import DataError, Runs, as_frame, read_runs
from scaling_jax.diagnostics import Evidence
from scaling_jax.engine.lanes import compile_ahead
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.predict import predict
from scaling_jax.engine.problem import LaneData, Problem, bucket
from scaling_jax.engine.solve import POLISH, Solution, solve
from scaling_jax.engine.starts import default_starts, product_grid
from scaling_jax.law import Law
from scaling_jax.objective import Huber, Objective
from scaling_jax.progress import progress_bar
from scaling_jax.result import FitGroups, FitResult

__all__ = ["certify_params", "fit", "fit_groups"]

SOLVERS = {"lm": LM, "lbfgs": LBFGS}
MOST_BUCKETS = 3
FITS_IN_MEMORY = 4096
SMALL_WORK = 4_000_000
MEASURE = LM(max_steps=1, exact=True)


class Underdetermined(ValueError):
    """Raised under strict=True when the table cannot determine the free parameters."""


@dataclass(frozen=True)
class Spec:
    """What to fit and how, once the user's words are checked."""

    law: Law
    objective: Objective
    fixed: dict[str, Any]
    tied: list[tuple[str, ...]]
    starts: Any
    solver: Any
    screen: bool
    device: Any
    count: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)


def fit(
    law: Law,
    runs: Any,
    *,
    inputs: Mapping[str, Any] | None = None,
    target: Any = None,
    run: Any = None,
    where: Any = None,
    missing: str = "raise",
    objective: Objective | None = None,
    weights: Any = None,
    target_se: Any = None,
    count: Mapping[str, str] | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Sequence[Sequence[str]] | None = None,
    starts: Any = None,
    solver: Any = "lm",
    screen: bool = True,
    device: Any = None,
    strict: bool = False,
) -> FitResult:
    r"""Fits a law to a table of runs and certifies the optimum.

    $$\min_\theta \sum_i w_i\,\rho\big((\log L_\theta(x_i) - \log y_i)/s_i\big)$$

    Args:
        law: a law of `sj.laws`, or your own (`@sj.law`).
        runs: pandas or polars frame, or mapping of equally long arrays; one row per run or checkpoint.
        inputs: law input -> column name, array or function of the table; same-named columns need no entry.
        target: column (or array, or function) the law predicts; default: the law's own, usually "loss".
        run: column naming the training run a row belongs to; rows that share it are checkpoints of one run.
        where: rows to use: a query string, a boolean array, or a function of the table.
        missing: "raise", or "drop" rows with missing values (counted).
        objective: `Huber(1e-3)` by default; `SquaredError`, `AbsoluteError`, `Asymmetric`, each `on="log"` or `"raw"`.
        weights: column or array multiplying each row's term; "runs" gives every run the same total.
        target_se: column of known standard errors; divides the residual before the loss.
        count: how sizes and compute were counted, for example {"N": "non-embedding", "C": "6ND"}; echoed and stored.
        fixed: parameter -> value that is not fitted.
        tied: groups of parameters that share one value, for example [("alpha", "beta")].
        starts: None (the law's own), "grid" (its classical grid), a mapping to axes of a product grid, a number of
            space-filling starts, or an array or frame of start points; natural units.
        solver: "lm", "lbfgs", or a solver object such as `sj.LM(max_steps=1000)`.
        screen: False runs every start to convergence.
        device: a JAX device; None picks by size of the work.
        strict: raise instead of warning when the table cannot determine the parameters.

    Returns:
        A `FitResult`: `.params`, `.predict(...)`, `.summary()`, `.warnings`, `.certificate`.

    Raises:
        DataError: bad input, in one sentence, before anything is compiled.
        ValueError: unknown parameters or options; with strict=True, an underdetermined fit.

    Source: the objective and grid are those of Hoffmann et al. 2022 (arXiv:2203.15556), section 3.3; why the solver and
    the certificate are not: Besiroglu et al. 2024 (arXiv:2404.10102).

    >>> import scaling_jax as sj
    >>> table = {"N": [1e6, 1e7, 1e8, 1e9], "loss": [4.0, 3.0, 2.5, 2.25]}
    >>> fitted = sj.fit(sj.laws.power_law_floor, table, inputs={"x": "N"})
    >>> round(fitted.params["E"], 6), fitted.status
    (2.0, 'converged')
    """
    spec = _spec(law, objective, fixed, tied, starts, solver, screen, device, count)
    on_log = spec.objective.on == "log"
    table = read_runs(
        law, runs, inputs=inputs, target=target, run=run, where=where, missing=missing, weights=weights,
        target_se=target_se, on_log=on_log,
    )  # fmt: skip
    values = _fixed_numbers(spec, [None])
    result = _solve(spec, table, [np.arange(len(table))], values, [None])[0]
    if strict and result.status == "underdetermined":
        raise Underdetermined(result.warnings[0])
    return result


def fit_groups(law: Law, runs: Any, *, by: Any, fixed: Mapping[str, Any] | None = None, **options: Any) -> FitGroups:
    """Fits a law to every group of a table in one batch.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        by: column (or array, or function) naming the group of each row.
        fixed: parameter -> value, or per group a mapping key -> value, or the name of a column constant within groups.
        **options: as in `fit`.

    Returns:
        A `FitGroups`: a mapping from group to `FitResult`, with `.params`, `.table`, `.summary()`. A group that cannot be
        fitted has status `failed` and a reason; the others are unaffected.

    Raises:
        DataError: bad input that concerns the whole table.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 9, 3, 1], "family": list("aaabbb")}
    >>> sj.fit_groups(sj.laws.power_law, table, by="family").params.round(3).loc["b", "A"]
    9.0
    """
    reading = {k: options.pop(k) for k in ("inputs", "target", "run", "where", "missing", "weights", "target_se") if k in options}
    strict = options.pop("strict", False)
    unknown = set(options) - {"objective", "tied", "starts", "solver", "screen", "device", "count"}
    if unknown:
        raise TypeError(f"fit_groups has no argument {sorted(unknown)}; it takes those of fit, and by=.")
    spec = _spec(law, fixed=dict.fromkeys(fixed or {}), **options)
    on_log = spec.objective.on == "log"
    columns = {name: value for name, value in (fixed or {}).items() if isinstance(value, str)}
    table = read_runs(law, runs, by=by, on_log=on_log, **reading)
    per_group = dict(fixed or {}) | {name: _column_per_group(runs, by, column, name) for name, column in columns.items()}
    spec = replace(spec, fixed=per_group)
    values = _fixed_numbers(spec, table.group_labels)
    members = [np.flatnonzero(table.group == g) for g in range(len(table.group_labels))]
    results = _solve(spec, table, members, values, table.group_labels)
    if strict and (short := [r.key for r in results if r.status == "underdetermined"]):
        raise Underdetermined(f"Groups {short[:5]} cannot determine their parameters: add runs, or fix or tie parameters.")
    return FitGroups({r.key: r for r in results})


def certify_params(law: Law, runs: Any, params: Mapping[str, float], **options: Any) -> FitResult:
    """Judges parameters that somebody else fitted: the certificate at that point, beside the best optimum found here.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        params: the parameters to judge, natural units.
        **options: as in `fit`.

    Returns:
        A `FitResult` at the given parameters; its warnings say what is left to gain there, and how far it lies above the
        optimum that `fit` finds on the same table.

    >>> import scaling_jax as sj
    >>> judged = sj.certify(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}, {"A": 4.0, "alpha": 0.2})
    >>> judged.status
    'not_converged'
    """
    best = fit(law, runs, **options)
    numbers = law.flatten(params)
    table = best.data()
    how = {name: options[name] for name in ("objective", "tied", "device", "count") if name in options}
    spec = _spec(law, fixed=best.fixed, starts=numbers[None], solver=MEASURE, screen=False, **how)
    judged = _solve(spec, table, [np.arange(len(table))], _fixed_numbers(spec, [None]), [None], polisher=MEASURE)[0]
    above = judged.objective_value / best.objective_value - 1 if best.objective_value > 0 else np.inf
    certificate = judged.certificate
    if above > 1e-6:
        sentence = (
            f"These parameters lie {100 * above:.3g} % above the best optimum found on this table "
            f"({judged.objective_value:.8g} against {best.objective_value:.8g})."
        )
        status = "not_converged" if certificate.status == "converged" else certificate.status
        certificate = replace(certificate, status=status, runner_up=np.nan, warnings=[sentence, *certificate.warnings])
    return replace(judged, stored_certificate=certificate)


def _spec(
    law: Law,
    objective: Any = None,
    fixed: Any = None,
    tied: Any = None,
    starts: Any = None,
    solver: Any = "lm",
    screen: bool = True,
    device: Any = None,
    count: Any = None,
) -> Spec:
    if not isinstance(law, Law):
        raise TypeError(f"The first argument is a law (sj.laws.…, or a function decorated with @sj.law), not {type(law).__name__}.")
    objective = Huber() if objective is None else objective
    if not isinstance(objective, Objective):
        raise TypeError(f"objective= takes sj.Huber(...), sj.SquaredError(...) and the like, not {objective!r}.")
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"solver={solver!r}: use {', '.join(map(repr, SOLVERS))} or a solver object.")
        solver = SOLVERS[solver]()
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
    if isinstance(device, str):
        device = jax.devices(device)[0]
    return Spec(law, objective, fixed, tied, starts, solver, screen, device, dict(count or {}))


def _column_per_group(runs: Any, by: Any, column: str, name: str) -> dict[Any, float]:
    """fixed={name: column}: the column's value in each group, which must be one."""
    table = as_frame(runs)
    if column not in table.columns:
        raise DataError(f"There is no column '{column}' for fixed parameter '{name}'.")
    keys = by if isinstance(by, str) else np.asarray(by(table) if callable(by) else by)
    values = table.groupby(keys)[column].agg(["min", "max"])
    if len(varying := values.index[values["min"] != values["max"]]):
        raise DataError(f"Column '{column}' (fixed {name}) varies within group {varying[0]!r}: it must be constant there.")
    return values["min"].to_dict()


def _fixed_numbers(spec: Spec, keys: list[Any]) -> np.ndarray:
    """Values of fixed numbers per group, (groups, labels), NaN where free."""
    law = spec.law
    out = np.full((len(keys), len(law.labels)), np.nan)
    at = 0
    for p in law.parameters:
        if p.name in spec.fixed:
            given = spec.fixed[p.name]
            for g, key in enumerate(keys):
                value = given.get(key, np.nan) if isinstance(given, Mapping) else given
                value = np.asarray(value, dtype=np.float64)
                inside = p.domain.contains(value) | np.isnan(value) | (value == p.domain.lower)
                if not np.all(inside):
                    raise ValueError(f"fixed {p.name}={value} is outside its domain: it must be {p.domain.name}.")
                out[g, at : at + p.size] = np.broadcast_to(value, p.shape).ravel()
        at += p.size
    return out


def tied_index(spec: Spec) -> np.ndarray:
    """For each number the index of the one it equals: itself, or the first of its tied group."""
    labels = list(spec.law.labels)
    index = np.arange(len(labels))
    for group in spec.tied:
        for name in group[1:]:
            for label, leader in zip(_labels_of(spec.law, name), _labels_of(spec.law, group[0]), strict=True):
                index[labels.index(label)] = labels.index(leader)
    return index


def _labels_of(law: Law, name: str) -> list[str]:
    return next(p.labels for p in law.parameters if p.name == name)


def _buckets(sizes: np.ndarray) -> list[int]:
    """At most three padded lengths that cover all sizes with the fewest padded rows."""
    choices = sorted({bucket(int(s)) for s in np.unique(sizes)})
    if len(choices) <= MOST_BUCKETS:
        return choices
    largest, counts = choices[-1], np.bincount(sizes)

    def padded(chosen: Iterable[int]) -> int:
        edges = sorted(chosen)
        return sum(int(counts[size]) * next(e for e in edges if e >= size) for size in np.flatnonzero(counts))

    options: list[tuple[int, ...]] = [(*c, largest) for c in itertools.combinations(choices[:-1], MOST_BUCKETS - 1)]
    return sorted(min(options, key=padded))


def build_problem(
    spec: Spec, runs: Runs, members: list[np.ndarray], fixed: np.ndarray, weights: np.ndarray | None = None
) -> tuple[Problem, np.ndarray]:
    """One batch: arrays (fits, rows) padded to a bucket, shared where there is one fit; and the moving coordinates.

    `weights`, (fits, rows), replaces the runs' own, and then all fits share the rows of the first member.
    """
    law, objective = spec.law, spec.objective
    width = bucket(max(len(m) for m in members))
    shared = len(members) == 1 or weights is not None
    rows = np.stack([np.concatenate([m, np.full(width - len(m), m[0])]) for m in (members[:1] if shared else members)])
    inside = np.stack([np.arange(width) < len(m) for m in (members[:1] if shared else members)])
    own = runs.weight[rows] * inside
    if weights is not None:
        own = np.zeros((len(weights), width))
        own[:, : weights.shape[1]] = weights
    scale = np.ones(rows.shape) if runs.target_se is None else runs.target_se[rows]
    target = np.log(runs.target[rows]) if objective.on == "log" else runs.target[rows]
    leader = tied_index(spec)
    moving = np.isnan(fixed)
    n_fits = len(own)
    fixed = np.broadcast_to(fixed, (n_fits, fixed.shape[1]))
    k = len(leader)
    tie = np.zeros((n_fits, k, k))
    tie[:, np.arange(k), leader] = np.broadcast_to(moving, (n_fits, k))
    offset = np.zeros((n_fits, k))
    bounds = np.array([d.search_bounds for d in law.label_domains])
    for i, domain in enumerate(law.label_domains):
        held = ~np.isnan(fixed[:, i])
        offset[held, i] = domain.to_search(fixed[held, i])
    size = np.where(inside, 1.0 if objective.on == "log" else np.abs(runs.target[rows]), 0.0) / scale
    floor = np.sum(own * objective.rho(16 * np.finfo(float).eps * size), axis=-1)
    data = LaneData(
        inputs={name: column[rows] for name, column in runs.inputs.items()},
        target=target, weight=own, scale=scale, numbers=np.array(objective.numbers), tie=tie, offset=offset,
        lower=bounds[:, 0], upper=bounds[:, 1], floor=np.broadcast_to(floor, (n_fits,)).copy(),
    )  # fmt: skip
    per_fit = jax.tree.map(lambda _: not shared, data)
    per_fit = per_fit._replace(
        numbers=False, lower=False, upper=False, weight=n_fits > 1, tie=n_fits > 1, offset=n_fits > 1, floor=n_fits > 1
    )
    data = jax.tree.map(lambda leaf, own_axis: leaf, data, per_fit)
    data = LaneData(*(_unstack(leaf, flag) for leaf, flag in zip(data, per_fit, strict=True)))
    data = data._replace(numbers=np.array(objective.numbers), lower=bounds[:, 0], upper=bounds[:, 1])
    free = (tie != 0).any(axis=1)
    return Problem(law, objective.on == "log", n_fits, data, per_fit), free


def _unstack(leaf: Any, flag: Any) -> Any:
    """Drops the fit axis of leaves that all fits share."""
    return jax.tree.map(lambda a, own: a if own else a[0], leaf, flag)


def _start_points(spec: Spec, problem: Problem, fixed: np.ndarray, runs: Runs) -> np.ndarray:
    """Start points in natural units, (fits, starts, labels)."""
    law, given = spec.law, spec.starts
    many = problem.n_fits > 8
    leader = tied_index(spec)
    if given is None:
        return default_starts(problem, fixed, leader, n=6 if many else 32, nodes=96 if many else 512)
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 1:
            raise ValueError(f"starts={given}: give a positive number of starts.")
        return default_starts(problem, fixed, leader, n=int(given), nodes=int(given))
    if isinstance(given, str):
        if given != "grid":
            raise ValueError(f"starts={given!r}: the only named starts are 'grid'.")
        if not law.grid:
            raise ValueError(f"Law '{law.name}' has no classical grid: pass starts={{parameter: values}} or a number.")
        given = law.grid
    free = [label for label, column in zip(law.labels, np.isnan(fixed).all(axis=0), strict=True) if column]
    if isinstance(given, Mapping):
        if unknown := set(given) - set(law.labels):
            raise ValueError(f"starts names {sorted(unknown)}, law '{law.name}' has {', '.join(law.labels)}.")
        if absent := [label for i, label in enumerate(law.labels) if label in free and label not in given and leader[i] == i]:
            raise ValueError(f"starts lacks values for {', '.join(absent)}.")
        points = product_grid({label: given.get(label, [1.0]) for label in law.labels}, law.labels)
    elif isinstance(given, pd.DataFrame):
        if set(law.labels) - set(given.columns):
            raise ValueError(f"starts lacks the columns {sorted(set(law.labels) - set(given.columns))}.")
        points = given[list(law.labels)].to_numpy(dtype=np.float64)
    else:
        points = np.atleast_2d(np.asarray(given, dtype=np.float64))
        if points.shape[-1] != len(law.labels):
            raise ValueError(f"starts has shape {points.shape}: each start needs {len(law.labels)} values ({', '.join(law.labels)}).")
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        outside = ~domain.contains(points[..., i])
        if label in free and outside.any():
            raise ValueError(f"starts for {label} must be {domain.name}, got {points[..., i][outside].flat[0]:g}.")
    points = points[..., leader]
    return np.broadcast_to(points, (problem.n_fits, *points.shape[-2:])).copy()


def search_points(law: Law, points: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Natural units to search coordinates; coordinates that do not move are parked at zero."""
    z = np.stack([d.to_search(points[..., i]) for i, d in enumerate(law.label_domains)], axis=-1)
    return np.where(free[:, None, :], z, 0.0)


def _roughness(problem: Problem, points: np.ndarray, runs: Runs, members: list[np.ndarray], on_log: bool) -> np.ndarray:
    """A residual scale per fit for objectives with a corner: a tenth of the target's own spread, at least."""
    out = []
    for m in members:
        y = np.log(runs.target[m]) if on_log else runs.target[m]
        scale = 1.0 if runs.target_se is None else float(np.median(runs.target_se[m]))
        out.append(max(0.02 * float(np.std(y)), 1e-6 * max(1.0, float(np.mean(np.abs(y))))) / scale)
    return np.array(out)


def _solve(spec: Spec, runs: Runs, members: list[np.ndarray], fixed: np.ndarray, keys: list[Any], polisher: LM = POLISH) -> list[FitResult]:
    """Fits every member set; results in the order given."""
    results: list[FitResult | None] = [None] * len(members)
    sizes = np.array([len(m) for m in members])
    edges = _buckets(sizes)
    assigned = np.searchsorted(edges, sizes)
    with progress_bar(len(members)) as progress:
        for b in range(len(edges)):
            in_bucket = np.flatnonzero(assigned == b)
            for first in range(0, len(in_bucket), FITS_IN_MEMORY):
                which = in_bucket[first : first + FITS_IN_MEMORY]
                part = [members[i] for i in which]
                problem, free = build_problem(spec, runs, part, fixed[which])
                solution = _run(spec, problem, free, fixed[which], runs, part, polisher, progress)
                for f, i in enumerate(which):
                    results[i] = _result(spec, runs.take(members[i]), problem, solution, free, f, keys[i], fixed[i])
    return [r for r in results if r is not None]


def _run(
    spec: Spec, problem: Problem, free: np.ndarray, fixed: np.ndarray, runs: Runs, members: list[np.ndarray], polisher: LM, progress: Any
) -> Solution:
    for solver in (spec.solver, polisher):
        compile_ahead(problem, solver, 1, spec.device)
    points = _start_points(spec, problem, fixed, runs)
    starts = search_points(spec.law, points, free)
    few = problem.n_fits <= 8
    device = spec.device
    if device is None and jax.default_backend() != "cpu" and starts.shape[0] * starts.shape[1] * problem.n_rows < SMALL_WORK:
        device = jax.devices("cpu")[0]
    return solve(
        problem,
        starts,
        spec.solver,
        screen=spec.screen,
        keep=32 if few else 8,
        polish=32 if few else 4,
        polisher=polisher,
        smooth=spec.objective.smooth,
        roughness=None if spec.objective.smooth else _roughness(problem, points, runs, members, spec.objective.on == "log"),
        device=device,
        progress=progress,
    )


def _result(
    spec: Spec, runs: Runs, problem: Problem, solution: Solution, free: np.ndarray, f: int, key: Any, fixed: np.ndarray
) -> FitResult:
    law, data, per_fit = spec.law, problem.data, problem.per_fit
    tie, offset = (leaf[f] if own else leaf for leaf, own in ((data.tie, per_fit.tie), (data.offset, per_fit.offset)))
    evidence = Evidence(
        z=solution.z[f], gradient=solution.gradient[f], hessian=solution.hessian[f], tie=tie, offset=offset,
        lower=data.lower, upper=data.upper, free=free[f], value=float(solution.value[f]), status=int(solution.status[f]),
        basins=_distinct(solution.finished_z[f], solution.finished_value[f]),
        finished_value=solution.finished_value[f], finished_status=solution.finished_status[f],
        n_starts=solution.n_starts, n_polished=solution.n_polished,
    )  # fmt: skip
    numbers = _natural(law, tie @ solution.z[f] + offset)
    failed = not np.isfinite(evidence.value)
    value = evidence.value
    if not failed and not spec.objective.smooth:
        prediction = predict(law, numbers, runs.inputs)[0]
        residual = (np.log(prediction) - np.log(runs.target)) if spec.objective.on == "log" else prediction - runs.target
        residual = residual if runs.target_se is None else residual / runs.target_se
        value = float(np.sum(runs.weight * spec.objective.rho(residual)))
    record = runs.record | {"rows_used": len(runs)} | ({"n_runs": runs.n_runs} if runs.run is not None else {})
    if len(runs.group_labels) > 1:
        record = record | {"rows_in_table": len(runs)}
    names = {p.name for p in law.parameters}
    held = {
        p.name: float(fixed[list(law.labels).index(p.labels[0])])
        for p in law.parameters
        if p.name in names and p.name in spec.fixed and not p.shape and not np.isnan(fixed[list(law.labels).index(p.labels[0])])
    }
    return FitResult(
        law=law,
        objective=spec.objective,
        numbers=numbers if not failed else np.full(len(numbers), np.nan),
        objective_value=value if not failed else np.nan,
        solver=spec.solver.name,
        evidence=evidence,
        runs=runs,
        sources=runs.sources,
        record=record,
        fingerprint=runs.fingerprint,
        count=spec.count,
        fixed=held,
        tied=spec.tied,
        key=key,
        reason="No start gives a finite objective: check units and domains of the inputs, or pass starts=." if failed else "",
    )


def natural_numbers(law: Law, problem: Problem, z: np.ndarray) -> np.ndarray:
    """Search coordinates of every fit, (fits, k), as parameters in natural units, (fits, labels)."""
    return _natural(law, np.einsum("...ij,...j->...i", problem.data.tie, z) + problem.data.offset)


def _natural(law: Law, x: np.ndarray) -> np.ndarray:
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
    return _spec(fitted.law, fitted.objective, fitted.fixed, fitted.tied)
