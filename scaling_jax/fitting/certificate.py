"""The certificate: what an optimum must show before anybody acts on it, and what the data cannot say.

It reads what the engine left behind (exact gradient and Hessian, every finished lane) and the rows that were
fitted, and turns them into numbers and plain sentences.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective
from scaling_jax.engine.behaviour import confounded, linear_parameters, rank_of
from scaling_jax.engine.coordinates import held, searched_as_logs, typical_size
from scaling_jax.engine.predict import predict, predict_rows
from scaling_jax.engine.status import Status
from scaling_jax.fitting.spec import MEASURE, Spec
from scaling_jax.tables.runs import Runs

__all__ = [
    "AtRows",
    "Certificate",
    "Evidence",
    "agreement",
    "at_rows",
    "at_rows_of_many",
    "certificate_of",
    "target_scale",
    "unusual",
]

T = TypeVar("T", float, np.ndarray)
EPS = np.finfo(np.float64).eps
STATIONARY = 1e-8
HANDFUL = 6  # training runs, from which on none is warned of for being few
EXTINCT_SHARE = 1e-6
BASIN_GAP = 1e-3
FEW_AGREE = 0.1
VAGUE_LOG = np.log(10.0)
OUTLIER_SIGMAS = 6.0
ILL_CONDITIONED = 1e12
NO_FINITE_START = "No start gives a finite objective: check units and domains of the inputs, or pass starts=."


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the engine knows about one fit.

    Args:
        z: best point, (k,), search coordinates; gradient, hessian: exact derivatives there.
        tie, offset: from search to the law's coordinates, `x = tie @ z + offset`.
        lower, upper: bounds of z.
        free: (k,), which search coordinates move at all.
        value: the objective in the kernel's units.
        status: how the best lane ended.
        basins: distinct points among the finished lanes, best first, (up to 4, k).
        finished_value, finished_status: every lane that was run to its end.
        n_starts, n_polished: lanes begun and polished.
    """

    z: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    tie: np.ndarray
    offset: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    free: np.ndarray
    value: float
    status: int
    basins: np.ndarray
    finished_value: np.ndarray
    finished_status: np.ndarray
    n_starts: int
    n_polished: int

    @classmethod
    def none(cls, k: int) -> Evidence:
        """Of a fit that was never begun."""
        nowhere, square, nothing = np.full(k, np.nan), np.full((k, k), np.nan), np.zeros(0)
        return cls(
            z=nowhere,
            gradient=nowhere,
            hessian=square,
            tie=np.eye(k),
            offset=np.zeros(k),
            lower=np.full(k, -np.inf),
            upper=np.full(k, np.inf),
            free=np.zeros(k, dtype=bool),
            value=np.nan,
            status=int(Status.NONFINITE),
            basins=nowhere[None],
            finished_value=nothing,
            finished_status=nothing,
            n_starts=0,
            n_polished=0,
        )

    @property
    def moving(self) -> np.ndarray:
        """(k,) coordinates that may still move: free, and not held by a bound the gradient pushes against."""
        return self.free & ~held(self.z, self.gradient, self.lower, self.upper, level=True)


@dataclass(frozen=True)
class Certificate:
    """Numbers and sentences about one optimum.

    Args:
        status: converged, not_converged, underdetermined or failed.
        relative_decrement: share of the objective a Newton step would still gain, g'H^-1 g / 2f; subgradient
            for corners.
        curvature_ok: whether the exact Hessian is positive semi-definite within rounding.
        n_starts, n_finished, n_polished, n_agree, n_basins: lanes begun, run to the end, polished, agreeing;
            distinct optima.
        runner_up: relative gap in objective to the next distinct optimum found, NaN when there is none.
        condition: condition number of the Hessian in search coordinates.
        spread: label -> rough one-sigma extent in the search coordinate (natural log for positive
            parameters).
        unidentified, extinct, at_bound, outliers: names and rows.
        warnings: sentences, most serious first.
        limits: those of the warnings for which a fit is not to be used beyond its data.
    """

    status: str
    relative_decrement: float
    curvature_ok: bool
    n_starts: int
    n_finished: int
    n_polished: int
    n_agree: int
    n_basins: int
    runner_up: float
    condition: float
    spread: dict[str, float] = field(default_factory=dict)
    unidentified: list[str] = field(default_factory=list)
    extinct: list[str] = field(default_factory=list)
    at_bound: list[str] = field(default_factory=list)
    outliers: list[Hashable] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether a step would still lower the objective."""
        return not (self.relative_decrement <= STATIONARY and self.curvature_ok)

    @property
    def few_agree(self) -> bool:
        """Whether so few finished starts reached the optimum that a better one may have been missed."""
        return self.n_finished > 3 and self.n_agree < max(2, FEW_AGREE * self.n_finished)

    @classmethod
    def failed(cls, reason: str, n_starts: int = 0) -> Certificate:
        """Of something that is no fit."""
        return cls("failed", np.nan, False, n_starts, 0, 0, 0, 0, np.nan, np.nan, warnings=[reason])


class AtRows(NamedTuple):
    """What a fit says of its own rows: prediction (rows,), and share (labels,).

    The share is the largest part of any prediction that a positive linear parameter's term makes up; NaN for
    the others.
    """

    prediction: np.ndarray
    share: np.ndarray


def at_rows(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray]) -> AtRows:
    """`AtRows` of one fit with parameters `numbers` (labels,)."""
    values = predict(law, np.stack(_without_each_term(law, numbers)), inputs)
    with np.errstate(all="ignore"):
        change = np.max(np.abs(values[1:] - values[0]) / np.abs(values[0]), axis=1)
    return AtRows(values[0], _by_label(law, change))


def at_rows_of_many(
    law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray], members: list[np.ndarray]
) -> list[AtRows]:
    """`AtRows` of every fit, in one pass: numbers (fits, labels), and the positions of each fit's rows in the
    inputs' columns."""
    where, sizes = np.concatenate(members), [len(m) for m in members]
    columns = {name: column[where] for name, column in inputs.items()}
    whole, *without = (
        predict_rows(law, np.repeat(part, sizes, axis=0), columns)
        for part in _without_each_term(law, numbers)
    )
    starts = np.cumsum([0, *sizes[:-1]])
    with np.errstate(all="ignore"):
        changes = [np.maximum.reduceat(np.abs(part - whole) / np.abs(whole), starts) for part in without]
    shares = _by_label(law, np.array(changes).reshape(len(without), len(members))).T
    return [AtRows(*of_fit) for of_fit in zip(np.split(whole, starts[1:]), shares, strict=True)]


def _terms(law: Law) -> list[int]:
    """Indices of the positive parameters in which the law is linear."""
    return [i for i in linear_parameters(law) if law.label_domains[i].lower == 0]


def _without_each_term(law: Law, numbers: np.ndarray) -> list[np.ndarray]:
    """The parameters (..., labels) as they are, and then with each term's set to zero."""
    return [numbers, *(np.where(np.arange(numbers.shape[-1]) == i, 0.0, numbers) for i in _terms(law))]


def _by_label(law: Law, of_terms: np.ndarray) -> np.ndarray:
    """What is known of each term, (terms, ...), for each number of the law, NaN where it has no term."""
    out = np.full((len(law.labels), *of_terms.shape[1:]), np.nan)
    out[_terms(law)] = of_terms
    return out


def agreement(best: T, scale: T) -> T:
    """The largest objective that counts as the same optimum: best (1 + 1e-6) + 64 eps f(scale of the
    target)."""
    return best * (1 + 1e-6) + 64 * EPS * scale


def certificate_of(
    spec: Spec,
    numbers: np.ndarray,
    evidence: Evidence,
    runs: Runs,
    residual: np.ndarray,
    at: AtRows,
    fixed: dict[str, float],
) -> Certificate:
    """Judges one fit of `runs` with residuals (rows,); see `Certificate`."""
    law, objective = spec.law, spec.objective
    if not np.isfinite(evidence.value):
        return Certificate.failed(NO_FINITE_START, evidence.n_starts)
    scale = float(np.sum(runs.weight * objective.rho(target_scale(runs, objective))))
    outliers = _outliers(runs, residual)
    charged = _share_without(outliers, runs.weight * objective.rho(residual)) * evidence.value
    noise = 2 * max(charged, EPS * EPS * scale) / max(len(runs) - len(outliers), 1)
    decrement, curvature_ok, condition, covariance = _local(law, evidence, scale, noise)
    if not objective.smooth:
        decrement = _corner_gap(evidence, objective, scale)
    values = evidence.finished_value
    agree = values <= agreement(evidence.value, scale)
    basins, runner_up = _basins(evidence, scale)
    short = _too_few(law, runs, evidence)
    spread = _spread(evidence, covariance)
    at_bound = _at_bound(law, evidence)
    extinct = [
        label
        for label, part in zip(law.labels, at.share, strict=True)
        if part < EXTINCT_SHARE and label not in fixed
    ]
    vague = _unidentified(law, numbers, spread, set(fixed), set(at_bound), set(extinct))
    stationary = decrement <= STATIONARY
    alike = [] if short else _confounded(law, evidence)
    short = short or _words_of_confounded(alike, law, evidence)
    status = "underdetermined" if short else "converged" if stationary and curvature_ok else "not_converged"
    certificate = Certificate(
        status=status,
        relative_decrement=decrement,
        curvature_ok=curvature_ok,
        n_starts=evidence.n_starts,
        n_finished=int(np.isfinite(values).sum()),
        n_polished=evidence.n_polished,
        n_agree=int(agree.sum()),
        n_basins=basins,
        runner_up=runner_up,
        condition=condition,
        spread=dict(zip(law.labels, spread.tolist(), strict=True)),
        unidentified=vague,
        extinct=extinct,
        at_bound=at_bound,
        outliers=[r.item() if hasattr(r, "item") else r for r in runs.rows[outliers]],
    )
    said = _sentences(law, certificate, numbers, short, alike, judged=spec.solver == MEASURE)
    certificate.warnings.extend([*(sentence for sentence, _ in said), *_few_runs(runs), *runs.warnings])
    certificate.limits.extend(sentence for sentence, limits in said if limits)
    return certificate


def _few_runs(runs: Runs) -> list[str]:
    """A sentence where the rows are those of a handful of training runs."""
    used = runs.weight > 0
    known = 0 if runs.run is None else len(np.unique(runs.run[used]))
    if not 0 < known < min(HANDFUL, int(used.sum())):
        return []
    return [
        f"Only {known} training run{'s' if known > 1 else ''}: how far a run's luck reaches is hardly known. "
        "Intervals are widened for few runs, and refused where the runs leave nothing to judge by; train "
        "more (seeds count) before acting on this fit."
    ]


def target_scale(runs: Runs, objective: Objective) -> np.ndarray:
    """(rows,) the size of the target on the objective's scale: what a residual is small or large against."""
    size = np.ones(len(runs)) if objective.on_log else np.abs(runs.target)
    return size if runs.target_se is None else size / runs.target_se


def _local(law: Law, evidence: Evidence, scale: float, noise: float) -> tuple[float, bool, float, np.ndarray]:
    """Relative Newton decrement, definiteness, condition number, and the covariance of z where twice a row's
    charge is `noise`."""
    k = len(evidence.z)
    covariance = np.zeros((k, k))
    moving = np.flatnonzero(evidence.moving)
    if not len(moving) or not np.all(np.isfinite(evidence.hessian)):
        return 0.0, bool(len(moving) == 0), 1.0, covariance
    hessian = evidence.hessian[np.ix_(moving, moving)]
    gradient = evidence.gradient[moving]
    with np.errstate(divide="ignore"):
        condition = _condition(hessian)
    scaled, scale_of = _scaled(hessian)
    values, vectors = np.linalg.eigh(scaled)
    usable = values > 64 * EPS * len(moving)
    along = vectors.T @ (gradient * scale_of)
    gain = float(np.sum(along[usable] ** 2 / values[usable]) / 2)
    floor = max(evidence.value, 64 * EPS * scale, np.finfo(float).tiny)
    inverse = np.where(usable, 1.0 / np.where(usable, values, 1.0), np.inf)
    with np.errstate(invalid="ignore"):
        variance = np.where(vectors**2 > 1e-10, vectors**2 * inverse, 0.0).sum(axis=1) * noise * scale_of**2
    covariance[moving, moving] = np.where(np.isnan(variance), np.inf, variance)
    # a direction that is flat to rounding has curvature of either sign: what counts is what a step would gain
    unit = typical_size(evidence.z, searched_as_logs(law.label_domains))[moving]
    falls = -0.5 * np.linalg.eigvalsh(hessian * np.outer(unit, unit))[0]
    curved = values[0] > -1e-8 or falls <= STATIONARY * floor or evidence.value <= 64 * EPS * scale
    return gain / floor, bool(curved), condition, covariance


def _scaled(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix with ones on its diagonal where that is positive, and the scales that make it so."""
    steep = np.diag(hessian)
    scale_of = np.where(steep > 0, 1.0 / np.sqrt(np.where(steep > 0, steep, 1.0)), 1.0)
    return 0.5 * (hessian + hessian.T) * np.outer(scale_of, scale_of), scale_of


def _condition(hessian: np.ndarray) -> float:
    """Largest over smallest curvature in search coordinates; infinite where one is missing."""
    values = np.linalg.eigvalsh(0.5 * (hessian + hessian.T))
    return float(values[-1] / values[0]) if values[0] > 0 else np.inf


def _corner_gap(evidence: Evidence, objective: Objective, scale: float) -> float:
    """For objectives with a corner: what the last smoothed problem leaves open, relative to its value."""
    floor = max(evidence.value, 64 * EPS * scale)
    moving = np.flatnonzero(evidence.moving)
    if not len(moving):
        return 0.0
    hessian = evidence.hessian[np.ix_(moving, moving)]
    gradient = evidence.gradient[moving]
    if not (np.isfinite(hessian).all() and np.isfinite(gradient).all()):
        return np.inf
    step = np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
    return float(abs(gradient @ step) / 2 / floor)


def _basins(evidence: Evidence, scale: float) -> tuple[int, float]:
    """Distinct converged optima, and the relative gap from the best to the next."""
    converged = evidence.finished_status == Status.CONVERGED
    values = np.sort(evidence.finished_value[converged & np.isfinite(evidence.finished_value)])
    if not len(values):
        return 0, np.nan
    best = max(evidence.value, 64 * EPS * scale)
    levels = [values[0]]
    for value in values[1:]:
        if value > agreement(levels[-1], scale) and value > levels[-1] * (1 + BASIN_GAP):
            levels.append(value)
    return len(levels), float((levels[1] - evidence.value) / best) if len(levels) > 1 else np.nan


def _too_few(law: Law, runs: Runs, evidence: Evidence) -> str:
    """Why the table cannot determine the free parameters, or an empty string."""
    used = runs.weight > 0
    free = int(evidence.free.sum())
    columns = {name: column[used] for name, column in runs.inputs.items()}
    single = tuple(name for name, column in columns.items() if len(column) and np.all(column == column[0]))
    if (
        single
        and free > 1
        and free > rank_of(law, single, evidence.tie.tobytes(), tuple(np.flatnonzero(evidence.free)))
    ):
        return f"{' and '.join(single)} {'has' if len(single) == 1 else 'have'} a single value in this table"
    distinct = _distinct_rows(list(columns.values()), free)
    if distinct < free:
        return f"{distinct} distinct runs cannot determine {free} free parameters"
    if distinct == free:
        return f"{distinct} distinct runs leave nothing to check {free} free parameters by"
    return ""


def _confounded(law: Law, evidence: Evidence) -> list[str]:
    """The parameters between which no table could decide; asked only where curvature is missing."""
    moving = np.flatnonzero(evidence.moving)
    if not len(moving) or not np.isfinite(evidence.hessian).all():
        return []
    values = np.linalg.eigvalsh(_scaled(evidence.hessian[np.ix_(moving, moving)])[0])
    if values[0] > 64 * EPS * len(moving):
        return []
    which = confounded(law, evidence.tie.tobytes(), tuple(np.flatnonzero(evidence.free).tolist()))
    return [law.labels[i] for i in which]


def _words_of_confounded(alike: list[str], law: Law, evidence: Evidence) -> str:
    """Why no table can determine them, or an empty string."""
    if not alike:
        return ""
    alone = [n for n in alike if confounded(law, evidence.tie.tobytes(), (list(law.labels).index(n),))]
    if len(alone) == len(alike):
        return f"the law does not depend on {_names(alike)}"
    return f"the law does not tell {_names(alike)} apart on any table"


def _distinct_rows(columns: list[np.ndarray], enough: int) -> int:
    """How many rows differ, counted no further than needed."""
    seen: set[tuple[float, ...]] = set()
    for row in zip(*columns, strict=True):
        seen.add(row)
        if len(seen) > enough:
            break
    return len(seen)


def _spread(evidence: Evidence, covariance: np.ndarray) -> np.ndarray:
    """Rough one-sigma extent of every number of the law in its search coordinate."""
    with np.errstate(invalid="ignore"):
        variance = np.where(evidence.tie != 0, evidence.tie**2 * np.diag(covariance)[None, :], 0.0).sum(
            axis=1
        )
    return np.sqrt(variance)


def _unidentified(
    law: Law, numbers: np.ndarray, spread: np.ndarray, fixed: set[str], at_bound: set[str], extinct: set[str]
) -> list[str]:
    out = []
    for label, domain, number, extent in zip(law.labels, law.label_domains, numbers, spread, strict=True):
        if label in fixed or label in at_bound:
            continue
        limit = VAGUE_LOG if domain.log else max(abs(number), 1e-2)
        if label in extinct or extent > limit:
            out.append(label)
    return out


def _at_bound(law: Law, evidence: Evidence) -> list[str]:
    x = evidence.tie @ evidence.z + evidence.offset
    moves = (evidence.tie != 0).any(axis=1)
    out = []
    for label, domain, value, free in zip(law.labels, law.label_domains, x, moves, strict=True):
        low, high = domain.search_bounds
        if free and (value <= low or value >= high):
            out.append(label)
    return out


def _share_without(rows: np.ndarray, charged: np.ndarray) -> float:
    """Of the charge of all rows, that of the others: a typing error says nothing of the noise."""
    whole = float(np.nansum(charged))
    return 1 - float(np.nansum(charged[rows])) / whole if len(rows) and whole > 0 else 1.0


def _outliers(runs: Runs, residual: np.ndarray) -> np.ndarray:
    """Positions of rows that lie far from the fit, the farthest first."""
    used = np.flatnonzero((runs.weight > 0) & np.isfinite(residual))
    if len(used) < 8:
        return np.array([], dtype=int)
    centre = np.median(residual[used])
    sigma = 1.4826 * np.median(np.abs(residual[used] - centre))
    size = np.abs(residual[used] - centre)
    far = used[size > OUTLIER_SIGMAS * max(sigma, 64 * EPS)]
    return far[np.argsort(-np.abs(residual[far] - centre))]


def unusual(law: Law, numbers: np.ndarray) -> dict[str, float]:
    """Numbers of a law that are negative or far above where they lie by its ranges."""
    out = {}
    for label, number in zip(law.labels, numbers.tolist(), strict=True):
        limits = law.ranges.get(label.split("[")[0])
        if limits and limits[0] > 0 and (number < 0 or number > 2.5 * limits[1]):
            out[label] = number
    return out


def _names(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else ", ".join(labels[:-1]) + " and " + labels[-1]


def _sentences(
    law: Law, c: Certificate, numbers: np.ndarray, short: str, alike: list[str], judged: bool
) -> list[tuple[str, bool]]:
    """The warnings, in the words of somebody who has to decide, and whether they forbid extrapolation;
    `judged` parameters had no search."""
    out: list[tuple[str, bool]] = []

    def say(sentence: str, limits: bool = True) -> None:
        out.append((sentence, limits))

    if short and alike:
        theirs = "their values are" if len(alike) > 1 else "its value is"
        say(
            f"Underdetermined: {short}; {theirs} arbitrary, predictions are not. Fix or drop what is "
            "superfluous."
        )
    elif short:
        which = (
            c.unidentified or [label for label, extent in c.spread.items() if extent > 0] or list(c.spread)
        )
        say(
            f"Underdetermined: {short}, so {_names(which)} {'is' if len(which) == 1 else 'are'} not "
            "identified; "
            "predictions away from the data are arbitrary. Add runs, or fix or tie parameters."
        )
    elif c.status == "not_converged":
        if not c.curvature_ok:
            say(
                "Not an optimum: the objective still curves downwards here."
                + ("" if judged else " Refit with more starts or another solver.")
            )
        else:
            left = (
                f"about {100 * c.relative_decrement:.2g} %"
                if c.relative_decrement < 0.5
                else "more than half"
            )
            say(
                f"Not converged: a Newton step promises to lower the objective by {left}."
                + ("" if judged else " Raise the solver's max_steps or refit from more starts.")
            )
    if c.extinct:
        many = len(c.extinct) > 1
        say(
            f"The term{'s' if many else ''} of {_names(c.extinct)} {'have' if many else 'has'} gone extinct: "
            f"{'they contribute' if many else 'it contributes'} nothing on any row, so "
            f"{'their' if many else 'its'} other "
            "parameters mean nothing either. A simpler law fits as well, or this is a plateau: compare with "
            "the default starts."
        )
    vague = [label for label in c.unidentified if label not in c.extinct]
    if vague and not short:
        say(
            f"The data barely identify {_names(vague)}: the fit hardly changes when "
            f"{'they move' if len(vague) > 1 else 'it moves'} "
            "by its own size. Do not quote the value; predictions within the data's range are unaffected."
        )
    if c.at_bound:
        say(
            f"{_names(c.at_bound)} {'lie' if len(c.at_bound) > 1 else 'lies'} on the bound of the allowed "
            "range."
        )
    for label, number in unusual(law, numbers).items():
        if label not in c.extinct:
            kind = "negative" if number < 0 else "unusually large"
            say(f"{label} = {number:.3g} is {kind} for this law: extrapolate with care.")
    if c.few_agree and not short:
        say(
            f"Only {c.n_agree} of {c.n_finished} finished starts reached this optimum: a better one may "
            "have been missed. "
            "Refit with more starts."
        )
    if np.isfinite(c.runner_up) and c.runner_up < 0.05 and not short:
        say(
            f"Another optimum lies only {100 * c.runner_up:.2g} % above this one: the data hardly tell them "
            "apart."
        )
    if c.condition > ILL_CONDITIONED and not short and not vague and not c.extinct:
        say(
            f"The parameters are nearly collinear (condition number {c.condition:.1e}): quote predictions, "
            "not parameters.",
            limits=False,
        )
    if c.outliers:
        named = ", ".join(str(r) for r in c.outliers[:5]) + (
            f" and {len(c.outliers) - 5} more" if len(c.outliers) > 5 else ""
        )
        say(
            f"{len(c.outliers)} row{'s lie' if len(c.outliers) > 1 else ' lies'} more than "
            f"{OUTLIER_SIGMAS:g} robust standard "
            f"deviations from the fit (rows {named}): check them, and see how the answer moves without them.",
            limits=False,
        )
    return out
