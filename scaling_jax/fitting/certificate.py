"""The certificate: what an optimum must show before anybody acts on it, and what the data cannot say.

What the engine left behind of a fit (`Evidence`), what is concluded from it and the rows that were fitted
(`Certificate`, computed in `judged`), and the sentences that say so.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective
from scaling_jax.engine.behaviour import confounded, linear_parameters, loose_direction
from scaling_jax.engine.coordinates import held
from scaling_jax.engine.predict import predict, predict_rows
from scaling_jax.engine.status import Status
from scaling_jax.fitting.spec import MEASURE, Spec
from scaling_jax.tables.runs import Runs

__all__ = [
    "NORMAL_MAD",
    "AtRows",
    "Certificate",
    "Evidence",
    "Evidences",
    "agreement",
    "alike_numbers",
    "at_rows",
    "at_rows_of_many",
    "distinct_points",
    "sentences",
    "target_scale",
    "terms_of",
    "unusual",
    "words_of_alike",
]

T = TypeVar("T", float, np.ndarray)
EPS = np.finfo(np.float64).eps
STATIONARY = 1e-8
HANDFUL = 6  # training runs, from which on none is warned of for being few
EXTINCT_SHARE = 1e-6
BASIN_GAP = 1e-3
FEW_AGREE = 0.1
NEAR = 0.05  # relative: a runner-up that the data hardly tell from the optimum
VAGUE_LOG = np.log(10.0)
OUTLIER_SIGMAS = 6.0
NORMAL_MAD = 1.4826  # a normal's standard deviation in median absolute deviations
ILL_CONDITIONED = 1e12
NOT_POLISHED = "This is where the solver ended: polish=True goes on from there."
NO_PROBABILITY = (
    "At no start does the law predict a probability between 0 and 1 on every row: give a law that does, or "
    "starts=."
)
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


class Evidences(NamedTuple):
    """What the engine knows about many fits: `Evidence` with a leading axis of fits, all lanes as basins."""

    z: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    tie: np.ndarray
    offset: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    free: np.ndarray
    value: np.ndarray
    status: np.ndarray
    basins: np.ndarray
    finished_value: np.ndarray
    finished_status: np.ndarray
    n_starts: np.ndarray
    n_polished: np.ndarray

    @property
    def moving(self) -> np.ndarray:
        """(fits, k) coordinates that may still move, as in `Evidence`."""
        return self.free & ~held(self.z, self.gradient, self.lower, self.upper, level=True)

    @classmethod
    def alone(cls, one: Evidence) -> Evidences:
        """Those of one fit."""
        return cls(*(np.asarray(getattr(one, name))[None] for name in cls._fields))

    def of(self, f: int) -> Evidence:
        """That of one fit, whose basins are the lanes that ended apart."""
        one: dict[str, Any] = {name: getattr(self, name)[f] for name in self._fields}
        basins = distinct_points(one["basins"], one["finished_value"])
        numbers = {name: one[name].item() for name in ("value", "status", "n_starts", "n_polished")}
        return Evidence(**one | numbers | {"basins": basins})


def distinct_points(z: np.ndarray, values: np.ndarray, most: int = 4) -> np.ndarray:
    """Up to `most` finished points that differ, best first."""
    kept = [z[0]]
    for point, value in zip(z[1:], values[1:], strict=True):
        if len(kept) == most or not np.isfinite(value):
            break
        if min(np.max(np.abs(point - other)) for other in kept) > 1e-2:
            kept.append(point)
    return np.stack(kept)


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
    of_rows = [np.repeat(part, sizes, axis=0) for part in _without_each_term(law, numbers)]
    columns = {name: column[np.tile(where, len(of_rows))] for name, column in inputs.items()}
    whole, *without = np.split(predict_rows(law, np.concatenate(of_rows), columns), len(of_rows))
    starts = np.cumsum([0, *sizes[:-1]])
    with np.errstate(all="ignore"):
        changes = [np.maximum.reduceat(np.abs(part - whole) / np.abs(whole), starts) for part in without]
    shares = _by_label(law, np.array(changes).reshape(len(without), len(members))).T
    return [AtRows(*of_fit) for of_fit in zip(np.split(whole, starts[1:]), shares, strict=True)]


def terms_of(law: Law) -> list[int]:
    """Indices of the positive parameters in which the law is linear."""
    return [i for i in linear_parameters(law) if law.label_domains[i].lower == 0]


def _without_each_term(law: Law, numbers: np.ndarray) -> list[np.ndarray]:
    """The parameters (..., labels) as they are, and then with each term's set to zero."""
    return [numbers, *(np.where(np.arange(numbers.shape[-1]) == i, 0.0, numbers) for i in terms_of(law))]


def _by_label(law: Law, of_terms: np.ndarray) -> np.ndarray:
    """What is known of each term, (terms, ...), for each number of the law, NaN where it has no term."""
    out = np.full((len(law.labels), *of_terms.shape[1:]), np.nan)
    out[terms_of(law)] = of_terms
    return out


def agreement(best: T, scale: T) -> T:
    """The largest objective that counts as the same optimum: best (1 + 1e-6) + 64 eps f(scale of the
    target)."""
    return best * (1 + 1e-6) + 64 * EPS * scale


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


def alike_numbers(law: Law, tie: np.ndarray, free: np.ndarray, fixed: np.ndarray) -> list[str]:
    """The parameters between which no table could decide; to be asked where curvature is missing.

    `fixed`, (labels,), holds the values of those that do not move, NaN for the others.
    """
    which = confounded(law, tie.tobytes(), tuple(np.flatnonzero(free).tolist()), fixed.tobytes())
    return [law.labels[i] for i in which]


def words_of_alike(alike: list[str], law: Law, tie: np.ndarray, fixed: np.ndarray) -> str:
    """Why no table can determine them."""
    held = fixed.tobytes()
    alone = [n for n in alike if confounded(law, tie.tobytes(), (list(law.labels).index(n),), held)]
    if len(alone) == len(alike):
        return f"the law does not depend on {_names(alike)}"
    words = f"the law does not tell {_names(alike)} apart on any table"
    free = tuple(np.flatnonzero((tie != 0).any(axis=0)).tolist())
    move = loose_direction(law, tie.tobytes(), free, held)
    if not move:
        return words
    why = f"{_names(list(law.simplex))} add up to 1, so " if set(law.simplex) & set(law.inputs) else ""
    return f"{words}: {why}{_move_words(law, free, move)} changes no prediction"


def _move_words(law: Law, free: tuple[int, ...], move: tuple[float, ...]) -> str:
    """A move of search coordinates in natural units: what is added to numbers, and what they are multiplied
    by."""
    added: dict[float, list[str]] = {}
    times: dict[float, list[str]] = {}
    for i, by in zip(free, move, strict=True):
        if by:
            words, size = (times, np.exp(by)) if law.label_domains[i].log else (added, by)
            words.setdefault(float(f"{size:.3g}"), []).append(law.labels[i])
    said = [f"adding {size:g} to {_names(labels)}" for size, labels in added.items()]
    said += [f"multiplying {_names(labels)} by {size:g}" for size, labels in times.items()]
    return " and ".join(said)


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


def sentences(
    spec: Spec, c: Certificate, numbers: np.ndarray, short: str, alike: list[str], runs: Runs
) -> list[tuple[str, bool]]:
    """The warnings, in the words of somebody who has to decide, and whether they forbid extrapolation.

    `short` says why a table of `runs` cannot determine the parameters, `alike` which of them no table could.
    """
    vague = [] if short else [label for label in c.unidentified if label not in c.extinct]
    limits = _of_short(c, short, alike) if short else _of_descent(spec, c)
    limits += _of_numbers(spec.law, c, numbers, vague) + ([] if short else _of_search(c))
    collinear = c.condition > ILL_CONDITIONED and not (short or vague or c.extinct)
    said = [(limits, True), (_of_rows(c, collinear), False), (_few_runs(runs), True), (runs.warnings, False)]
    return [(sentence, forbids) for some, forbids in said for sentence in some]


def _of_short(c: Certificate, short: str, alike: list[str]) -> list[str]:
    if alike:
        theirs = "their values are" if len(alike) > 1 else "its value is"
        no_matter = "arbitrary, predictions are not. Fix or drop what is superfluous."
        return [f"Underdetermined: {short}; {theirs} {no_matter}"]
    which = c.unidentified or [label for label, extent in c.spread.items() if extent > 0] or list(c.spread)
    return [
        f"Underdetermined: {short}, so {_names(which)} {'is' if len(which) == 1 else 'are'} not identified; "
        "predictions away from the data are arbitrary. Add runs, or fix or tie parameters."
    ]


def _of_descent(spec: Spec, c: Certificate) -> list[str]:
    """What is left to gain; what is only judged had no search."""
    searched = spec.solver != MEASURE
    if c.status != "not_converged":
        return []
    if not c.curvature_ok:
        again = " Refit with more starts or another solver." if searched else ""
        return [f"Not an optimum: the objective still curves downwards here.{again}"]
    left = f"about {100 * c.relative_decrement:.2g} %" if c.relative_decrement < 0.5 else "more than half"
    further = "Raise the solver's max_steps or refit from more starts." if spec.polish else NOT_POLISHED
    return [
        f"Not converged: a Newton step promises to lower the objective by {left}."
        + (f" {further}" if searched else "")
    ]


def _of_numbers(law: Law, c: Certificate, numbers: np.ndarray, vague: list[str]) -> list[str]:
    out = []
    if c.extinct:
        s, have, they, theirs = "", "has", "it contributes", "its"
        if len(c.extinct) > 1:
            s, have, they, theirs = "s", "have", "they contribute", "their"
        out.append(
            f"The term{s} of {_names(c.extinct)} {have} gone extinct: {they} nothing on any row, so {theirs} "
            "other parameters mean nothing either. A simpler law fits as well, or this is a plateau: compare "
            "with the default starts."
        )
    if vague:
        move = "they move" if len(vague) > 1 else "it moves"
        out.append(
            f"The data barely identify {_names(vague)}: the fit hardly changes when {move} by its own size. "
            "Do not quote the value; predictions within the data's range are unaffected."
        )
    if c.at_bound:
        lie = "lie" if len(c.at_bound) > 1 else "lies"
        out.append(f"{_names(c.at_bound)} {lie} on the bound of the allowed range.")
    for label, number in unusual(law, numbers).items():
        if label not in c.extinct:
            kind = "negative" if number < 0 else "unusually large"
            out.append(f"{label} = {number:.3g} is {kind} for this law: extrapolate with care.")
    return out


def _of_search(c: Certificate) -> list[str]:
    out = []
    if c.few_agree:
        out.append(
            f"Only {c.n_agree} of {c.n_finished} finished starts reached this optimum: a better one may have "
            "been missed. Refit with more starts."
        )
    if np.isfinite(c.runner_up) and c.runner_up < NEAR:
        above = f"{100 * c.runner_up:.2g} %"
        out.append(f"Another optimum lies only {above} above this one: the data hardly tell them apart.")
    return out


def _of_rows(c: Certificate, collinear: bool) -> list[str]:
    out = []
    if collinear:
        out.append(
            f"The parameters are nearly collinear (condition number {c.condition:.1e}): quote predictions, "
            "not parameters."
        )
    if count := len(c.outliers):
        named = ", ".join(map(str, c.outliers[:5])) + (f" and {count - 5} more" if count > 5 else "")
        lie = "rows lie" if count > 1 else "row lies"
        out.append(
            f"{count} {lie} more than {OUTLIER_SIGMAS:g} robust standard deviations from the fit (rows "
            f"{named}): check them, and see how the answer moves without them."
        )
    return out
