"""A fit made again with something changed: other weights, targets, objectives, fixed values, ties or columns.

A bootstrap, a profile and a dozen ways to analyse one table are the same thing: rows of weights under a known
fit. Each is one more lane's data to the engine, so all of them are one batch, which keeps the solver, the
starts and the device that the user chose. `careful` refits begin at every optimum that is known and at fresh
starts, in double precision; the others, thousands of replicates, as `fitting.replicates` says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scaling_jax.core.memory import fitting_in
from scaling_jax.core.objective import Objective
from scaling_jax.engine.coordinates import search_points, to_natural
from scaling_jax.engine.devices import few_calls
from scaling_jax.engine.lanes import compile_ahead
from scaling_jax.engine.newton import measure_ahead
from scaling_jax.engine.predict import predict
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import solve
from scaling_jax.engine.starts import default_starts
from scaling_jax.fitting.batch import Task, build_problem, padded_lengths
from scaling_jax.fitting.certificate import Evidence, agreement, target_scale
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.members import FEW_FITS, evidence_of_all, start_nodes
from scaling_jax.fitting.replicates import STARTS, search_ahead, search_device, search_replicates
from scaling_jax.fitting.spec import held_numbers, tied_index
from scaling_jax.tables.runs import Part, Runs

__all__ = [
    "Batch",
    "Refits",
    "Variant",
    "joined",
    "refit",
    "refit_parts",
    "refits_ahead",
    "roughness_of",
    "vary",
    "ways_at_a_time",
]

FRESH = 6
CELLS_IN_MEMORY = 2**22
WORTH_A_LENGTH = 4096  # lanes from which programs for the table's own length are worth compiling
BYTES_PER_CELL = 48  # of a replicate's row: its weight, and copies made while weights are drawn and padded
VALLEY_SIGMAS = 8.0
VALLEY_REACH = 4.0


@dataclass(frozen=True, eq=False)
class Variant:
    """Ways to fit the rows of a fit again, alike in everything but weights and targets.

    Args:
        fit: the fit.
        words: what is changed, for people.
        weight: (ways, rows).
        objective, fixed, tied: in place of the fit's own; fixed by label.
        target: (ways, rows) on the objective's scale in place of the measured ones, or None.
        inputs: columns (rows,) in place of the fit's own.
        near: whose optimum replicates begin at, where that is not the fit's own.
    """

    fit: Fitted
    words: str
    weight: np.ndarray
    objective: Objective
    fixed: dict[str, float]
    tied: list[tuple[str, ...]]
    target: np.ndarray | None = None
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    near: Fitted | None = None

    @property
    def held(self) -> np.ndarray:
        """(labels,) the values of the numbers that do not move, NaN for the others."""
        return held_numbers(self.fit.law, self.fixed)

    @property
    def runs(self) -> Runs:
        """The rows, with the columns in place."""
        runs = self.fit.data()
        return replace(runs, inputs=runs.inputs | self.inputs) if self.inputs else runs

    def charge(self, way: int, prediction: np.ndarray, numbers: np.ndarray) -> float:
        """The objective of predictions (rows,) by numbers (labels,), under the weights of a way."""
        runs, weight = self.runs, self.weight[way]
        missed = self.objective.residual(prediction, runs.target, runs.target_se, numbers)
        charge = self.objective.rho(missed)
        return float(np.sum(weight[weight > 0] * charge[weight > 0]))


@dataclass(frozen=True, eq=False)
class Refits:
    """What became of a variant.

    Args:
        numbers: (ways, labels), natural units.
        values: (ways,) objectives, each in its own units.
        moved: share of the ways whose optimum lies in another basin than the fit's own; 0 for careful refits.
        fitted: the records of careful refits.
    """

    numbers: np.ndarray
    values: np.ndarray
    moved: float
    fitted: list[Fitted] = field(default_factory=list)


def vary(fit: Fitted, words: str = "", **changes: Any) -> Variant:
    """The fit's own analysis with something changed; a weight (rows,) is one way."""
    own = Variant(fit, words, fit.data().weight, fit.objective, dict(fit.fixed), list(fit.tied))
    changed = replace(own, **changes)
    return replace(changed, weight=np.atleast_2d(changed.weight))


def refit(variants: Sequence[Variant], *, careful: bool = True) -> list[Refits]:
    """Solves every way of every variant; those of one specification on tables alike in length are one batch.

    Args:
        variants: what to solve.
        careful: begin at every known optimum and at fresh starts; else as replicates of fits that are known
            well.
    """
    lengths = np.array([len(v.fit.data()) for v in variants])
    edges = padded_lengths(lengths)
    sizes = np.searchsorted(edges, lengths).tolist()
    kinds = [
        (id(v.fit.spec), size, v.objective.on, v.objective.smooth)
        for size, v in zip(sizes, variants, strict=True)
    ]
    groups = [[i for i, own in enumerate(kinds) if own == kind] for kind in dict.fromkeys(kinds)]
    batches = [Batch.of([variants[i] for i in which]) for which in groups]
    if careful:
        # all are compiling before the first is solved
        prepared = [_careful_starts(batch) for batch in batches]
        found = [_solve_carefully(batch, starts) for batch, starts in zip(batches, prepared, strict=True)]
    else:
        found = [_solve_replicates(batch) for batch in batches]
    out = {
        i: one for which, part in zip(groups, found, strict=True) for i, one in zip(which, part, strict=True)
    }
    return [out[i] for i in range(len(variants))]


def refit_parts(variants: Iterable[Variant]) -> Refits:
    """Replicates of one fit that come in parts, solved as they come, so that memory holds one part."""
    return joined([refit([variant], careful=False)[0] for variant in variants])


def joined(parts: Sequence[Refits]) -> Refits:
    """Parts of one fit's replicates as one."""
    numbers, values = (np.concatenate([getattr(p, name) for p in parts]) for name in ("numbers", "values"))
    moved = sum(len(p.values) * p.moved for p in parts) / len(values)
    return Refits(numbers, values, moved)


def ways_at_a_time(*fits: Fitted) -> int:
    """How many replicates of a fit, or of several fits together, memory holds."""
    return fitting_in(BYTES_PER_CELL * max(1, sum(len(fit.data()) for fit in fits)))


def refits_ahead(fit: Fitted, n: int) -> None:
    """Begins compiling, in the background, what `n` replicates of a smooth objective will need."""
    if fit.objective.smooth:
        search_ahead(fit.spec, Batch.of([vary(fit)], n).whole, n)


@dataclass(frozen=True, eq=False)
class Batch:
    """Variants of one law, one scale of residuals and one padded length.

    whole: one fit per variant, under its first weights; free, fixed, leader: (variants, k) which coordinates
    move, the values of those that do not, and which number each equals.
    """

    variants: list[Variant]
    whole: Problem
    free: np.ndarray
    fixed: np.ndarray
    leader: np.ndarray

    @classmethod
    def of(cls, variants: list[Variant], ways: int | None = None) -> Batch:
        """The batch of some variants, with as many ways as these have unless there will be others."""
        first = variants[0]
        few = STARTS * (ways or sum(len(v.weight) for v in variants)) <= WORTH_A_LENGTH
        spec = replace(first.fit.spec, objective=first.objective)
        fixed = np.stack([v.held for v in variants])
        leader = np.stack([tied_index(replace(spec, tied=v.tied)) for v in variants])
        if all(_same_rows(v.fit, first.fit) for v in variants):
            weights = np.stack([v.weight[0] for v in variants])
            runs, members = first.fit.data(), [np.arange(len(first.fit.data()))]
            whole = build_problem(Task(spec, runs, members, fixed, [None], weights, few))[0].owned()
        else:
            runs, members = _stacked([v.runs for v in variants])
            whole = build_problem(Task(spec, runs, members, fixed, [None] * len(variants)))[0]
        tie = np.zeros((len(variants), leader.shape[1], leader.shape[1]))
        f, i = np.nonzero(np.isnan(fixed))
        tie[f, i, leader[f, i]] = 1.0
        whole = replace(whole, data=whole.data._replace(tie=tie))
        return cls(variants, whole, (tie != 0).any(axis=1), fixed, leader)

    def ways(self, part: slice, analyses: bool) -> Problem:
        """Every way of some variants as a fit of its own; `analyses`: objectives and columns differ as
        well."""
        variants, width = self.variants[part], self.whole.n_rows
        counts = [len(v.weight) for v in variants]
        owner = np.repeat(np.arange(len(self.variants))[part], counts)

        def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
            return np.concatenate([np.pad(r, ((0, 0), (0, width - r.shape[1]))) for r in rows])

        data = self.whole.lane_data(owner)._replace(weight=padded([v.weight for v in variants]))
        per_fit = self.whole.per_fit._replace(weight=True)
        if any(v.target is not None for v in variants):
            data = data._replace(target=padded([np.asarray(v.target) for v in variants]))
            per_fit = per_fit._replace(target=True)
        if analyses:
            numbers = np.repeat([v.objective.numbers for v in variants], counts, axis=0)
            data, per_fit = data._replace(numbers=numbers), per_fit._replace(numbers=True)
        changed = {name for v in variants for name in v.inputs} if self.one_table else set()
        for name in sorted(changed):
            columns = [np.pad(v.runs.inputs[name], (0, width - len(v.runs)), mode="edge") for v in variants]
            data = data._replace(inputs=data.inputs | {name: np.repeat(columns, counts, axis=0)})
            per_fit = per_fit._replace(inputs=per_fit.inputs | {name: True})
        return Problem(self.whole.law, self.whole.on, sum(counts), data, per_fit)

    @property
    def one_table(self) -> bool:
        """Whether all variants are of the same rows."""
        return self.whole.rows is None

    def repeated(self, of_variants: np.ndarray) -> np.ndarray:
        """What is known of each variant, once for each of its ways."""
        return np.repeat(of_variants, [len(v.weight) for v in self.variants], axis=0)


def _same_rows(one: Fitted, other: Fitted) -> bool:
    if one.runs is other.runs:
        return True
    if (
        not (isinstance(one.runs, Part) and isinstance(other.runs, Part))
        or one.runs.whole is not other.runs.whole
    ):
        return False
    return np.array_equal(one.runs.rows, other.runs.rows)


def _stacked(tables: list[Runs]) -> tuple[Runs, list[np.ndarray]]:
    """Tables under one another, and the positions of each one's rows."""
    first, ends = tables[0], np.cumsum([0, *map(len, tables)])
    whole = replace(
        first,
        inputs={name: np.concatenate([t.inputs[name] for t in tables]) for name in first.inputs},
        target=np.concatenate([t.target for t in tables]),
        weight=np.concatenate([t.weight for t in tables]),
        target_se=None
        if first.target_se is None
        else np.concatenate([np.asarray(t.target_se) for t in tables]),
        run=None,
    )
    return whole, [np.arange(a, b) for a, b in itertools.pairwise(ends)]


def _careful_starts(batch: Batch) -> tuple[Problem, np.ndarray]:
    """Every way as a fit of its own, and its starts in search coordinates: known optima, then fresh ones."""
    law, spec = batch.whole.law, batch.variants[0].fit.spec
    known = [_known_optima(v.fit) for v in batch.variants]
    most = max(map(len, known))
    own = np.stack([points[np.minimum(np.arange(most), len(points) - 1)] for points in known])
    own = np.where(np.isnan(batch.fixed)[:, None], own, batch.fixed[:, None])
    problem = batch.ways(slice(None), analyses=True)
    lanes = problem.n_fits * (most + FRESH)
    device = search_device(spec, problem, lanes)
    if not few_calls(device):
        compile_ahead(problem, spec.solver, lanes, device)
        measure_ahead(problem, device)
    fresh = _fresh(batch, FRESH, start_nodes(few=True))
    points = np.concatenate([own, fresh], axis=1)
    return problem, batch.repeated(search_points(law, points, batch.free))


def _fresh(batch: Batch, n: int, nodes: int) -> np.ndarray:
    """Starts that owe nothing to the fit, (variants, n, labels): the user's where points were given, else the
    law's own."""
    starts = batch.variants[0].fit.spec.starts
    if isinstance(starts, np.ndarray):
        chosen = starts[np.linspace(0, len(starts) - 1, n).round().astype(int)]
        return np.where(np.isnan(batch.fixed)[:, None], chosen[None], batch.fixed[:, None])
    return default_starts(batch.whole, batch.fixed, batch.leader[0], n=n, nodes=nodes)


def _known_optima(fit: Fitted) -> np.ndarray:
    """(points, labels) the distinct optima that the fit's own starts found, natural units."""
    x = fit.evidence.basins @ fit.evidence.tie.T + fit.evidence.offset
    return to_natural(fit.law.label_domains, x).astype(float)


def _solve_carefully(batch: Batch, prepared: tuple[Problem, np.ndarray]) -> list[Refits]:
    problem, starts = prepared
    first = batch.variants[0]
    roughness = None
    if not first.objective.smooth:
        roughness = batch.repeated(np.array([roughness_of(v.fit) for v in batch.variants]))
    device = search_device(first.fit.spec, problem, starts.shape[0] * starts.shape[1])
    solution = solve(
        problem,
        starts,
        first.fit.spec.solver,
        screen=False,
        polish=2,
        smooth=first.objective.smooth,
        roughness=roughness,
        device=device,
    )
    numbers = problem.natural_numbers(solution.z)
    free = batch.repeated(batch.free)
    many = evidence_of_all(problem, solution, free)
    evidence = (many.of(f) for f in range(problem.n_fits))
    out = []
    for variant, own, predicted in zip(batch.variants, *_of_variants(batch, numbers), strict=True):
        values = np.array([variant.charge(way, row, own[way]) for way, row in enumerate(predicted)])
        records = [_record(variant, way, own[way], values[way], next(evidence)) for way in range(len(values))]
        out.append(Refits(own, values, 0.0, records))
    return out


def _of_variants(batch: Batch, numbers: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each variant its ways' parameters (ways, labels), and what they predict of its rows (ways, rows)."""
    ends = np.cumsum([len(v.weight) for v in batch.variants])[:-1]
    law, own = batch.whole.law, np.split(numbers, ends)
    if batch.one_table and not any(v.inputs for v in batch.variants):
        return own, np.split(predict(law, numbers, batch.variants[0].runs.inputs), ends)
    return own, [predict(law, part, v.runs.inputs) for v, part in zip(batch.variants, own, strict=True)]


def _record(variant: Variant, way: int, numbers: np.ndarray, value: float, evidence: Evidence) -> Fitted:
    fit = variant.fit
    part = fit.runs if isinstance(fit.runs, Part) else Part(fit.data(), np.arange(len(fit.data())))
    whole = replace(part.whole, inputs=part.whole.inputs | variant.inputs) if variant.inputs else part.whole
    return replace(
        fit,
        spec=replace(fit.spec, objective=variant.objective, tied=variant.tied),
        numbers=numbers,
        objective_value=value,
        evidence=evidence,
        runs=replace(part, whole=whole, weight=variant.weight[way]),
        fixed=variant.fixed,
        stored_certificate=None,
        foreseen=None,
        judged=None,
    )


def roughness_of(fit: Fitted) -> float:
    """The residual scale at which corners are first rounded off."""
    smallest = 1e-9 * float(np.median(target_scale(fit.data(), fit.objective)))
    return max(float(np.median(np.abs(fit.residuals))), smallest)


def _solve_replicates(batch: Batch) -> list[Refits]:
    """Replicates of fits that are known well, in slices that fit the memory."""
    first = batch.variants[0]
    starts = _replicate_starts(batch)
    most = max(len(v.weight) for v in batch.variants)
    per_slice = max(1, CELLS_IN_MEMORY // max(most * batch.whole.n_rows, 1))
    out: list[Refits] = []
    for at in range(0, len(batch.variants), per_slice):
        part = batch.variants[at : at + per_slice]
        counts = [len(v.weight) for v in part]
        problem = batch.ways(slice(at, at + per_slice), analyses=False)
        begin = np.repeat(starts[at : at + per_slice], counts, axis=0)
        roughness = None
        if not first.objective.smooth:
            roughness = np.repeat([roughness_of(v.near or v.fit) for v in part], counts)
        z, value, home = search_replicates(first.fit.spec, problem, begin, roughness)
        numbers = problem.natural_numbers(z)
        ends = np.cumsum(counts)[:-1]
        for variant, *found in zip(part, *(np.split(a, ends) for a in (numbers, value, home)), strict=True):
            out.append(_summed_up(variant, *found))
    return out


def _summed_up(variant: Variant, numbers: np.ndarray, value: np.ndarray, home: np.ndarray) -> Refits:
    perfect = variant.objective.rho(target_scale(variant.fit.data(), variant.objective))
    return Refits(numbers, value, float(np.mean(home > agreement(value, variant.weight @ perfect))))


def _replicate_starts(batch: Batch) -> np.ndarray:
    """Where replicates begin, (variants, STARTS, k): the optimum, both ends of its longest valley, then
    another basin or a fresh seed."""
    seeds = _fresh(batch, STARTS, start_nodes(len(batch.variants) <= FEW_FITS))
    seeds = search_points(batch.whole.law, seeds, batch.free)
    out = []
    for variant, fresh in zip(batch.variants, seeds, strict=True):
        fit = variant.near or variant.fit
        z, evidence = fit.evidence.z, fit.evidence
        ends = np.clip(z + np.outer([1, -1], _valley(fit)), evidence.lower, evidence.upper)
        points = np.concatenate([z[None], ends, evidence.basins[1:], fresh])
        out.append(points[np.minimum(np.arange(STARTS), len(points) - 1)])
    return np.stack(out)


def _valley(fit: Fitted) -> np.ndarray:
    """The direction in which the objective rises slowest, as long as a few of its standard deviations."""
    moving = np.flatnonzero(fit.evidence.free)
    hessian = fit.evidence.hessian[np.ix_(moving, moving)]
    out = np.zeros(len(fit.evidence.z))
    if not len(moving) or not np.isfinite(hessian).all():
        return out
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    if values[0] > 0 and fit.evidence.value > 0:
        length = VALLEY_SIGMAS * np.sqrt(2 * fit.evidence.value / (len(fit.data()) * values[0]))
        out[moving] = vectors[:, 0] * min(length, VALLEY_REACH / np.max(np.abs(vectors[:, 0])))
    return out
