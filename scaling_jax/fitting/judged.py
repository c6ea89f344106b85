"""The certificates of many fits as arrays: what is a number is computed for all of them at once.

Sentences and names are for a reader: they are put together for one fit when somebody asks (`certificate`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.behaviour import rank_of
from scaling_jax.engine.coordinates import searched_as_logs, typical_size
from scaling_jax.engine.status import Status
from scaling_jax.fitting.certificate import (
    BASIN_GAP,
    EPS,
    EXTINCT_SHARE,
    FEW_AGREE,
    ILL_CONDITIONED,
    NEAR,
    NO_FINITE_START,
    NORMAL_MAD,
    OUTLIER_SIGMAS,
    STATIONARY,
    VAGUE_LOG,
    AtRows,
    Certificate,
    Evidence,
    Evidences,
    agreement,
    alike_numbers,
    sentences,
    target_scale,
    words_of_alike,
)
from scaling_jax.fitting.spec import Spec
from scaling_jax.tables.runs import Runs

__all__ = ["Judged", "Rows", "certificate_of", "judge"]

FEWEST_FOR_OUTLIERS = 8
FIRM = 1e-9  # least curvature, from which on no direction is flat: rounding leaves less


class Rows(NamedTuple):
    """The rows of many fits, one fit's after another's.

    Args:
        runs: the table.
        members: (rows,) positions in it.
        sizes: (fits,) how many are each fit's.
        weight: (rows,).
        prediction: (rows,) what each fit says of its own.
        share: (fits, labels) the largest part of any prediction that a term makes up, NaN for what is none.
    """

    runs: Runs
    members: np.ndarray
    sizes: np.ndarray
    weight: np.ndarray
    prediction: np.ndarray
    share: np.ndarray

    @property
    def owner(self) -> np.ndarray:
        """(rows,) the fit of each."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def residual(self, spec: Spec, numbers: np.ndarray) -> np.ndarray:
        """(rows,) on the objective's scale, of fits with parameters `numbers` (fits, labels)."""
        se = None if self.runs.target_se is None else self.runs.target_se[self.members]
        own = numbers[self.owner] if spec.objective.overdispersed else None
        return spec.objective.residual(self.prediction, self.runs.target[self.members], se, own)

    def total(self, values: np.ndarray) -> np.ndarray:
        """(fits,) sums over each fit's rows."""
        return np.bincount(self.owner, values, len(self.sizes))


@dataclass(frozen=True, eq=False)
class Judged:
    """What the certificates of many fits say, each (fits,) or (fits, labels); see `Certificate`.

    `short` and `alike` say why a fit is underdetermined, for those that are; `outliers` lists the rows of
    those that have any.
    """

    spec: Spec
    numbers: np.ndarray
    status: np.ndarray
    relative_decrement: np.ndarray
    curvature_ok: np.ndarray
    n_starts: np.ndarray
    n_finished: np.ndarray
    n_polished: np.ndarray
    n_agree: np.ndarray
    n_basins: np.ndarray
    runner_up: np.ndarray
    condition: np.ndarray
    spread: np.ndarray
    unidentified: np.ndarray
    extinct: np.ndarray
    at_bound: np.ndarray
    outliers: dict[int, list[Hashable]]
    short: dict[int, str]
    alike: dict[int, list[str]]

    @property
    def open(self) -> np.ndarray:
        """Whether a step would still lower the objective."""
        return ~((self.relative_decrement <= STATIONARY) & self.curvature_ok)

    @property
    def speak(self) -> np.ndarray:
        """(fits,) which certificates may have a sentence of their own: all others only say what is known of
        the table."""
        marked = [which.any(axis=1) for which in (self.unidentified, self.extinct, self.at_bound)]
        few = (self.n_finished > 3) & (self.n_agree < np.maximum(2, FEW_AGREE * self.n_finished))
        numbers = [self.runner_up < NEAR, self.condition > ILL_CONDITIONED, few, self.status != "converged"]
        out = np.any([*marked, *numbers, _unusual(self.spec.law, self.numbers)], axis=0)
        out[list(self.outliers)] = True
        return out

    def names(self, which: str, f: int) -> list[str]:
        """The labels that are `which` ("unidentified", "extinct", "at_bound") in a fit."""
        return [
            label for label, yes in zip(self.spec.law.labels, getattr(self, which)[f], strict=True) if yes
        ]

    def certificate(self, f: int, runs: Runs) -> Certificate:
        """The certificate of one fit, of `runs`, with its sentences."""
        if self.status[f] == "failed":
            return Certificate.failed(NO_FINITE_START, int(self.n_starts[f]))
        numeric: dict[str, Any] = {name: np.asarray(getattr(self, name)[f]).item() for name in NUMERIC}
        certificate = Certificate(
            **numeric,
            spread=dict(zip(self.spec.law.labels, self.spread[f].tolist(), strict=True)),
            unidentified=self.names("unidentified", f),
            extinct=self.names("extinct", f),
            at_bound=self.names("at_bound", f),
            outliers=self.outliers.get(f, []),
        )
        said = sentences(
            self.spec, certificate, self.numbers[f], self.short.get(f, ""), self.alike.get(f, []), runs
        )
        certificate.warnings.extend(sentence for sentence, _ in said)
        certificate.limits.extend(sentence for sentence, limits in said if limits)
        return certificate


NAMED = ("spread", "unidentified", "extinct", "at_bound", "outliers", "warnings", "limits")
NUMERIC = [f.name for f in fields(Certificate) if f.name not in NAMED]


def certificate_of(
    spec: Spec,
    numbers: np.ndarray,
    evidence: Evidence,
    runs: Runs,
    at: AtRows,
    fixed: dict[str, float],
) -> Certificate:
    """Judges one fit of `runs`; see `Certificate`."""
    rows = Rows(runs, np.arange(len(runs)), np.array([len(runs)]), runs.weight, at.prediction, at.share[None])
    held_here = np.array([[label in fixed for label in spec.law.labels]])
    return judge(spec, numbers[None], Evidences.alone(evidence), held_here, rows).certificate(0, runs)


@np.errstate(all="ignore")  # what is not finite is judged so
def judge(spec: Spec, numbers: np.ndarray, evidence: Evidences, fixed: np.ndarray, rows: Rows) -> Judged:
    """The certificates of many fits.

    Args:
        spec: what was fitted.
        numbers: (fits, labels), natural units.
        evidence: what the engine left behind, every array with a leading axis of fits.
        fixed: (fits, labels) which numbers were not free.
        rows: what was fitted.
    """
    law, objective, e = spec.law, spec.objective, evidence
    finite = np.isfinite(e.value)
    scale = rows.total(rows.weight * objective.rho(target_scale(rows.runs, objective))[rows.members])
    moving = e.moving
    far = _far(spec, rows, numbers)
    charged = e.value * far.others_share
    noise = 2 * np.maximum(charged, EPS * EPS * scale) / np.maximum(rows.sizes - far.how_many, 1)
    local = _local(law, e, moving, scale, noise)
    decrement = local.decrement if objective.smooth else _corner_gaps(e, moving, scale)
    n_basins, runner_up = _basins(e, scale)
    extent = np.sqrt(
        np.einsum("fij,fj->fi", e.tie**2, np.where(np.isfinite(local.variance), local.variance, 0))
    )
    endless = ((e.tie != 0) & ~np.isfinite(local.variance)[:, None]).any(axis=2)
    spread = np.where(endless, np.inf, extent)
    at_bound = _at_bound(law, e)
    extinct = (rows.share < EXTINCT_SHARE) & ~fixed
    limit = np.where(searched_as_logs(law.label_domains), VAGUE_LOG, np.maximum(np.abs(numbers), 1e-2))
    unidentified = (extinct | (spread > limit)) & ~fixed & ~at_bound
    held_at = np.where(fixed, numbers, np.nan)
    short = _too_few(law, e, rows, held_at, local.least > FIRM)
    # printed shares are rounded, which is curvature enough to hide that they add up
    asked = (local.flat | bool(law.simplex)) & finite
    flat = [f for f in np.flatnonzero(asked).tolist() if f not in short]
    alike = {f: same for f in flat if (same := alike_numbers(law, e.tie[f], e.free[f], held_at[f]))}
    short |= {f: words_of_alike(same, law, e.tie[f], held_at[f]) for f, same in alike.items()}
    good = (decrement <= STATIONARY) & local.curved
    status = np.where(good, "converged", "not_converged").astype(object)
    status[list(short)] = "underdetermined"
    status[~finite] = "failed"
    return Judged(
        spec=spec,
        numbers=numbers,
        status=status,
        relative_decrement=np.where(finite, decrement, np.nan),
        curvature_ok=local.curved & finite,
        n_starts=np.broadcast_to(e.n_starts, len(scale)),
        n_finished=np.isfinite(e.finished_value).sum(axis=1) * finite,
        n_polished=np.broadcast_to(e.n_polished, len(scale)) * finite,
        n_agree=(e.finished_value <= agreement(e.value, scale)[:, None]).sum(axis=1) * finite,
        n_basins=n_basins * finite,
        runner_up=np.where(finite, runner_up, np.nan),
        condition=np.where(finite, local.condition, np.nan),
        spread=spread,
        unidentified=unidentified,
        extinct=extinct,
        at_bound=at_bound,
        outliers=far.rows,
        short=short,
        alike=alike,
    )


def _unusual(law: Law, numbers: np.ndarray) -> np.ndarray:
    """(fits,) whether any of the numbers (fits, labels) is `unusual`."""
    known = [law.ranges.get(label.split("[")[0]) for label in law.labels]
    most = np.array([2.5 * limits[1] if limits and limits[0] > 0 else np.inf for limits in known])
    return (np.isfinite(most) & ((numbers < 0) | (numbers > most))).any(axis=1)


class _Local(NamedTuple):
    """Around each optimum: the relative decrement, whether it curves upwards, the condition number, the
    variance (fits, k) of z, whether curvature is missing in some direction, and the least curvature, in units
    in which that of each coordinate is one."""

    decrement: np.ndarray
    curved: np.ndarray
    condition: np.ndarray
    variance: np.ndarray
    flat: np.ndarray
    least: np.ndarray


def _local(law: Law, e: Evidences, moving: np.ndarray, scale: np.ndarray, noise: np.ndarray) -> _Local:
    known = np.isfinite(e.hessian).all(axis=(1, 2)) & np.isfinite(e.gradient).all(axis=1)
    count = moving.sum(axis=1)
    usual = known & (count > 0)
    pair = moving[:, :, None] & moving[:, None] & usual[:, None, None]
    within = partial(_within, pair, moving & usual[:, None])
    hessian = 0.5 * (e.hessian + np.swapaxes(e.hessian, 1, 2))
    steep = np.diagonal(hessian, axis1=1, axis2=2)
    unit = np.where(moving & (steep > 0), 1.0 / np.sqrt(np.where(steep > 0, steep, 1.0)), 1.0)
    values, vectors = np.linalg.eigh(within(hessian * unit[:, :, None] * unit[:, None]))
    floor = np.maximum(np.maximum(e.value, 64 * EPS * scale), np.finfo(float).tiny)
    usable = values > (64 * EPS * count)[:, None]
    slope = np.where(moving & usual[:, None], e.gradient * unit, 0.0)
    along = np.einsum("fji,fj->fi", vectors, slope)
    gain = np.sum(np.where(usable, along**2 / np.where(usable, values, 1.0), 0.0), axis=1) / 2
    inverse = np.where(usable, 1.0 / np.where(usable, values, 1.0), np.inf)
    clear = np.where(vectors**2 > 1e-10, vectors**2 * inverse[:, None], 0.0).sum(axis=2)
    variance = np.where(np.isnan(clear), np.inf, clear * noise[:, None] * unit**2)
    # a direction that is flat to rounding has curvature of either sign: what counts is what a step would gain
    typical = typical_size(e.z, searched_as_logs(law.label_domains))
    falls = -0.5 * np.linalg.eigvalsh(within(hessian * typical[:, :, None] * typical[:, None]))[:, 0]
    curved = (values[:, 0] > -1e-8) | (falls <= STATIONARY * floor) | (e.value <= 64 * EPS * scale)
    plain = np.linalg.eigvalsh(within(hessian))
    condition = np.where(plain[:, 0] > 0, plain[:, -1] / plain[:, 0], np.inf)
    return _Local(
        decrement=np.where(usual, gain / floor, 0.0),
        curved=np.where(usual, curved, count == 0),
        condition=np.where(usual, condition, 1.0),
        variance=np.where(moving & usual[:, None], variance, 0.0),
        flat=usual & (values[:, 0] <= FIRM),
        least=np.where(usual, values[:, 0], 0.0),
    )


def _within(pair: np.ndarray, moving: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(fits, k, k) of what moves, and otherwise a diagonal that leaves the extreme eigenvalues alone: their
    mean, which lies between them."""
    diagonal = np.where(moving, np.diagonal(matrix, axis1=1, axis2=2), 0.0)
    mean = diagonal.sum(axis=1) / np.maximum(moving.sum(axis=1), 1)
    rest = np.where(moving, 0.0, mean[:, None])
    return np.where(pair, matrix, 0.0) + rest[:, :, None] * np.eye(matrix.shape[-1])


def _corner_gaps(e: Evidences, moving: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(fits,) for objectives with a corner: what the last smoothed problem leaves open, relative to its
    value."""
    out = np.zeros(len(scale))
    for f, which in enumerate(moving):
        hessian, gradient = e.hessian[f][np.ix_(which, which)], e.gradient[f, which]
        if not which.any():
            continue
        if not (np.isfinite(hessian).all() and np.isfinite(gradient).all()):
            out[f] = np.inf
            continue
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
        out[f] = abs(gradient @ step) / 2 / max(e.value[f], 64 * EPS * scale[f])
    return out


def _basins(e: Evidences, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct converged optima, and the relative gap from the best to the next."""
    converged = (e.finished_status == Status.CONVERGED) & np.isfinite(e.finished_value)
    values = np.sort(np.where(converged, e.finished_value, np.inf), axis=1)
    level, count, second = values[:, 0], np.isfinite(values[:, 0]).astype(int), np.full(len(values), np.nan)
    for value in values[:, 1:].T:
        new = np.isfinite(value) & (value > agreement(level, scale)) & (value > level * (1 + BASIN_GAP))
        count, level = count + new, np.where(new, value, level)
        second = np.where(new & (count == 2), value, second)
    return count, (second - e.value) / np.maximum(e.value, 64 * EPS * scale)


def _at_bound(law: Law, e: Evidences) -> np.ndarray:
    """(fits, labels) which of the numbers that move lie on the bound of their domain."""
    x = np.einsum("fij,fj->fi", e.tie, e.z) + e.offset
    low, high = np.array([domain.search_bounds for domain in law.label_domains]).T
    return (e.tie != 0).any(axis=2) & ((x <= low) | (x >= high))


def _too_few(law: Law, e: Evidences, rows: Rows, fixed: np.ndarray, firm: np.ndarray) -> dict[int, str]:
    """Why the table cannot determine the free parameters, for the fits of which it cannot.

    An input with one value leaves nothing open where the objective is `firm`, (fits,): curved in every
    direction.
    """
    used = rows.weight > 0
    owner, at = rows.owner[used], rows.members[used]
    n_fits, free = len(rows.sizes), e.free.sum(axis=1)
    columns = list(rows.runs.inputs.items())
    single = np.zeros((len(columns), n_fits), dtype=bool)
    code = np.zeros(len(rows.runs), dtype=np.int64)
    for c, (_, column) in enumerate(columns):
        low, high = np.full(n_fits, np.inf), np.full(n_fits, -np.inf)
        np.minimum.at(low, owner, column[at])
        np.maximum.at(high, owner, column[at])
        single[c] = low == high
        own = np.unique(column, return_inverse=True)[1]
        code = np.unique(code * (own.max(initial=0) + 1) + own, return_inverse=True)[1]
    distinct = np.bincount(np.unique(owner * len(code) + code[at]) // max(len(code), 1), minlength=n_fits)
    out = {}
    for f in np.flatnonzero((single.any(axis=0) & (free > 1)) | (distinct <= free)).tolist():
        names = tuple(name for c, (name, _) in enumerate(columns) if single[c, f])
        moves = tuple(np.flatnonzero(e.free[f]).tolist())
        loose = names and free[f] > 1 and not firm[f]
        if loose and free[f] > rank_of(law, names, e.tie[f].tobytes(), moves, fixed[f].tobytes()):
            has = "has" if len(names) == 1 else "have"
            out[f] = f"{' and '.join(names)} {has} a single value in this table"
        elif distinct[f] < free[f]:
            out[f] = f"{distinct[f]} distinct runs cannot determine {free[f]} free parameters"
        elif distinct[f] == free[f]:
            out[f] = f"{distinct[f]} distinct runs leave nothing to check {free[f]} free parameters by"
    return out


class _Far(NamedTuple):
    """Rows that lie far from their fit, farthest first, of the fits that have any; how many each has; and the
    share of its charge that is the others': a typing error says nothing of the noise."""

    rows: dict[int, list[Hashable]]
    how_many: np.ndarray
    others_share: np.ndarray


def _far(spec: Spec, rows: Rows, numbers: np.ndarray) -> _Far:
    runs, at, owner = rows.runs, rows.members, rows.owner
    residual = rows.residual(spec, numbers)
    charge = np.nan_to_num(rows.weight * spec.objective.rho(residual), nan=0.0)
    used = (rows.weight > 0) & np.isfinite(residual)
    count = np.bincount(owner[used], minlength=len(rows.sizes))
    off = np.full(len(residual), -np.inf)
    off[used] = np.abs(residual[used] - _medians(residual[used], owner[used], count)[owner[used]])
    sigma = NORMAL_MAD * _medians(off[used], owner[used], count)
    level = np.where(count < FEWEST_FOR_OUTLIERS, np.inf, OUTLIER_SIGMAS * np.maximum(sigma, 64 * EPS))
    far = np.flatnonzero(off > level[owner])
    far = far[np.argsort(-off[far], kind="stable")]
    named: dict[int, list[Hashable]] = {}
    for f, label in zip(owner[far].tolist(), runs.rows[at[far]], strict=True):
        named.setdefault(f, []).append(label.item() if hasattr(label, "item") else label)
    whole, theirs = rows.total(charge), np.bincount(owner[far], charge[far], len(rows.sizes))
    share = np.where((theirs > 0) & (whole > 0), 1 - theirs / whole, 1.0)
    return _Far(named, np.bincount(owner[far], minlength=len(rows.sizes)), share)


def _medians(values: np.ndarray, owner: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(fits,) the median of each fit's values; NaN of none."""
    ranked = np.append(values[np.lexsort((values, owner))], np.nan)
    first = np.cumsum(count) - count
    lower, upper = first + (count - 1) // 2, first + count // 2
    none = count == 0
    return np.where(
        none, np.nan, 0.5 * (ranked[np.where(none, -1, lower)] + ranked[np.where(none, -1, upper)])
    )
