"""Whether residuals form a pattern: the directions in which a law may be wrong, and one test of all of them;
and a wave along the runs, which has none (`waves`).

A direction is a number for every row: a bend along the prediction or an input, a slope along tokens per
parameter, the derivative of the prediction by a parameter that a neighbour of the law has. What the law's own
parameters can absorb is taken out of each, so that having fitted them costs the test nothing; runs, not rows,
are what the test counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.diagnosis.waves import FLIPS, flips, thinned, wave
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.coordinates import slope_of_numbers
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.certificate import NORMAL_MAD, target_scale, terms_of
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.joint import shared_columns
from scaling_jax.tables.runs import Runs
from scaling_jax.tables.scale import scale_of
from scaling_jax.uncertainty.resample import cluster_of
from scaling_jax.uncertainty.sandwich import keep_row_slopes, row_slopes

__all__ = ["Direction", "Trends", "moves_of_runs", "spread", "trends", "trends_of"]

T = TypeVar("T", int, str)
MANY_RUNS = 400  # from here on scores are as good as normal
MOST_ROWS = 20_000
LEAST_SPARE = 3  # rows beyond those that parameters use up
LEAST_RUNS = 5
ABSORBED = 0.05  # of a direction is left: the law can take its shape
SAME = 1e-7  # of the largest singular value: a direction of the law that is none
FLAT = 1e-6
ROUNDING = 1e-10  # of the target: residuals this small are none
TUNING = 1.345  # standard deviations beyond which a residual counts no more than that
MEDIAN = np.sqrt(np.pi / 2)  # how much wider a median scatters than a mean
KNOTS = {"early": 1 / 3, "middle": 1 / 2, "late": 2 / 3}
MOST_PAIRS = 6
TOGETHER = 16  # fits whose flips stay in the processor's cache
MOST_PAIRS_TOGETHER = 2**20  # of their rows


class Direction(NamedTuple):
    """One way to be wrong.

    Args:
        name: a word for tables.
        along: what the residuals are looked at along, in words.
        place: (rows,) that quantity.
        change: (rows,) how the prediction would change, on the objective's scale; any unit.
    """

    name: str
    along: str
    place: np.ndarray
    change: np.ndarray

    def of(self, f: int) -> Direction:
        """That of one fit, where place and change are (fits, rows)."""
        return self._replace(place=self.place[f], change=self.change[f])


class Trends(NamedTuple):
    """The directions that the law cannot absorb, and what the residuals say of them.

    Args:
        directions: those that were tested; empty where too little is left to test.
        t: (directions,) scores over their standard errors by run; above 0 where predictions are too high.
        p: (directions,) probability of a score as large in any direction, were the law true.
        shape: (rows, rank) orthonormal basis of the directions, what the law absorbs taken out.
        absorbed: (rows, k) orthonormal basis of what the law absorbs.
        weight: (rows,) roots of the rows' weights, which basis and residuals are multiplied by.
        rows: positions of the rows that were looked at.
        runs: how many independent runs (rows, where runs are unknown) the test counts.
        wave: probability of residuals as alike among neighbouring runs, were the law true.
    """

    directions: list[Direction]
    t: np.ndarray
    p: np.ndarray
    shape: np.ndarray
    absorbed: np.ndarray
    weight: np.ndarray
    rows: np.ndarray
    runs: int
    wave: float = 1.0

    @property
    def most(self) -> int:
        """Position of the direction that stands out most."""
        return int(np.argmax(np.abs(self.t)))


class _Rows(NamedTuple):
    """The rows of a fit that are looked at, the run of each, and how many runs there are."""

    fit: Fitted
    at: np.ndarray
    part: Runs
    code: np.ndarray
    runs: int

    @classmethod
    def of(cls, fit: Fitted) -> _Rows:
        runs = fit.data()
        at = np.flatnonzero((runs.weight > 0) & np.isfinite(fit.residuals))
        at = at[:: -(-len(at) // MOST_ROWS)] if len(at) else at
        part = runs.take(at)
        code, names = cluster_of(part)
        return cls(fit, at, part, code, len(names))

    @property
    def kind(self) -> Hashable:
        """Fits of one kind are arrays of one shape, whose directions have the same names."""
        known = self.part.run is None, self.part.target_se is None
        shape = len(self.at), self.runs, thinned(self.code)[1], len(_lost(self.fit))
        return id(self.fit.spec), self.fit.shared, self.fit.sources.get("target"), *known, *shape


class _Stack(NamedTuple):
    """Fits of one kind: any of them, and what is theirs, (fits, rows, ...): inputs that are numbers and
    weights, the run of each row and how many there are, known errors, predictions, slopes by each number."""

    one: Fitted
    part: Runs
    code: np.ndarray
    runs: int
    per_se: np.ndarray
    predicted: np.ndarray
    slopes: np.ndarray

    @classmethod
    def of(cls, looked: Sequence[_Rows]) -> _Stack:
        keep_row_slopes([rows.fit for rows in looked])
        first, parts = looked[0], [rows.part for rows in looked]
        inputs = {name: np.stack([part.inputs[name] for part in parts]) for name in first.part.numeric}
        part = replace(first.part, inputs=inputs, weight=np.stack([part.weight for part in parts]))
        code, per_se = np.stack([rows.code for rows in looked]), np.stack([_per_se(part) for part in parts])
        predicted = np.stack([rows.fit.at_rows.prediction[rows.at] for rows in looked])
        slopes = np.stack([row_slopes(rows.fit)[rows.at] for rows in looked])
        return cls(first.fit, part, code, first.runs, per_se, predicted, slopes)


def trends(fit: Fitted) -> Trends:
    """Tests every direction at the optimum, nothing refitted.

    The score of a direction is the sum over rows of direction times residual, the residual bounded at 1.3
    robust standard deviations. Its distribution comes from flipping the signs of whole runs, each flip
    projected off the law as a refit would, the residuals first enlarged by what the fit has taken of each
    run's own. The largest score of all directions decides, so that there is one test.
    """
    return trends_of([fit])[0]


def trends_of(fits: Sequence[Fitted]) -> list[Trends]:
    """`trends` of many fits; those of one law with as many rows and runs are looked at together."""
    alike: dict[Hashable, list[int]] = {}
    looked = [_Rows.of(fit) for fit in fits]
    for i, rows in enumerate(looked):
        alike.setdefault(rows.kind, []).append(i)
    found: dict[int, Trends] = {}
    for which in alike.values():
        most = max(1, min(TOGETHER, MOST_PAIRS_TOGETHER // max(len(looked[which[0]].at), 1) ** 2))
        for first in range(0, len(which), most):
            some = which[first : first + most]
            found |= zip(some, _tested([looked[i] for i in some]), strict=True)
    return [found[i] for i in range(len(fits))]


def _tested(looked: Sequence[_Rows]) -> list[Trends]:
    """`trends` of fits of one kind."""
    if not len(looked[0].at):
        none = np.zeros(0)
        return [Trends([], none, none, none[None], none[None], none, rows.at, rows.runs) for rows in looked]
    stack = _Stack.of(looked)
    part, code, runs = stack.part, stack.code, stack.runs
    weight = np.sqrt(part.weight / part.weight.mean(axis=1, keepdims=True))
    basis, rank = _orthonormal(weight[..., None] * _law_directions(stack, looked))
    directions = list(_directions(stack))
    change = weight[..., None] * np.stack([d.change for d in directions], axis=2) / stack.per_se
    own = _less(change, basis)
    size = np.linalg.norm(own, axis=1)
    kept = size > ABSORBED * np.linalg.norm(change, axis=1)
    kept[(len(code[0]) < rank + LEAST_SPARE) | (runs < LEAST_RUNS)] = False
    some = kept.any(axis=0)
    own = (own * np.where(kept, 1 / np.where(size > 0, size, 1.0), 0.0)[:, None])[..., some]
    residual = _less((weight * _residuals(stack, looked))[..., None], basis)[..., 0]
    taken = np.take_along_axis(_taken(basis, residual, code, runs), code[..., None], axis=1)
    enlarged = residual + np.sum(basis * taken, axis=2)
    t, p = np.zeros(kept.shape), np.ones(kept.shape)
    t[:, some], p[:, some] = _scores(own, basis, residual, enlarged, code, runs)
    level = _standard(stack.one.objective.scaled(stack.predicted))
    scale = _standard(_on_logs(scale_of(part, stack.one.law)[1]))
    waves = wave((level, scale), residual, enlarged, basis, code)
    silent = ~residual.any(axis=1)
    t[silent], p[silent], waves[silent | ~kept.any(axis=1)] = 0.0, 1.0, 1.0
    shape, ranks = _orthonormal(own, 1e-3)
    return [
        Trends(
            [d.of(f) for d, there in zip(directions, kept[f], strict=True) if there],
            t[f, kept[f]],
            p[f, kept[f]],
            shape[f, :, : ranks[f]],
            basis[f, :, : rank[f]],
            weight[f],
            rows.at,
            runs,
            float(waves[f]),
        )
        for f, rows in enumerate(looked)
    ]


def _residuals(stack: _Stack, looked: Sequence[_Rows]) -> np.ndarray:
    """(fits, rows), bounded where they are no longer a matter of the law but of single rows; zero where
    rounding alone is left."""
    objective, residual = stack.one.objective, np.stack([rows.fit.residuals[rows.at] for rows in looked])
    rounding = ROUNDING * np.array([target_scale(rows.part, objective).min() for rows in looked])
    bounded = _bounded(residual, np.array([rows.fit.n_free for rows in looked]), objective.numbers[0])
    bounded[np.abs(residual).max(axis=1) <= rounding] = 0.0
    return bounded


def _law_directions(stack: _Stack, looked: Sequence[_Rows]) -> np.ndarray:
    """(fits, rows, k) where the law itself can move residuals: along its free parameters, where terms that
    have gone extinct would, and all of them at once."""
    moves = np.stack([rows.fit.evidence.tie for rows in looked])
    shared = shared_columns(stack.one.law, stack.one.shared)
    moves[:, shared, shared] = 1.0  # fitted too, with other groups
    lost = np.stack([_lost_terms(rows.fit, rows.part) for rows in looked])
    return np.nan_to_num(np.concatenate([stack.slopes @ moves, lost, 1 / stack.per_se], axis=2))


def _less(columns: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(fits, rows, columns) less what an orthonormal basis (fits, rows, k) has of them."""
    return columns - basis @ (np.swapaxes(basis, 1, 2) @ columns)


def _bounded(residual: np.ndarray, free: ArrayLike, threshold: float) -> np.ndarray:
    """(..., rows) residuals, bounded where they are no longer a matter of the law but of single rows."""
    most = np.maximum(threshold, TUNING * spread(residual, free))[..., None]
    return np.clip(residual, -most, most)


def spread(residual: np.ndarray, free: ArrayLike) -> np.ndarray:
    """(...) a robust standard deviation of residuals (..., rows); those nearest to zero are what `free`
    parameters bought."""
    size, n = np.sort(np.abs(residual), axis=-1), residual.shape[-1]
    first = np.minimum(free, n - 1)
    middle = np.stack([first + (n - first - 1) // 2, first + (n - first) // 2], axis=-1)
    return NORMAL_MAD * np.take_along_axis(size, middle, axis=-1).mean(axis=-1)


def moves_of_runs(fit: Fitted) -> np.ndarray:
    """(runs, labels) how far leaving each run out would move every number, natural units, to first order.

    Of an objective whose curvature rests on few rows too: bounded residuals stand for its own charge, which
    is made up for by the efficiency of a median.
    """
    runs = fit.data()
    residual = np.nan_to_num(fit.residuals)
    weight = np.sqrt(np.where(np.isfinite(fit.residuals), runs.weight, 0.0))
    used = np.flatnonzero(weight > 0)
    charge, threshold = np.zeros(len(runs)), fit.objective.numbers[0]
    charge[used] = weight[used] * _bounded(fit.residuals[used], fit.n_free, threshold)
    if np.mean(np.abs(residual[used]) <= threshold) < 0.5:
        charge *= MEDIAN
    slopes = weight[:, None] * (row_slopes(fit) @ fit.evidence.tie)
    size = np.linalg.norm(slopes, axis=0)
    size = np.where(size > 0, size, 1.0)
    steps = np.linalg.pinv(np.nan_to_num(slopes / size), rcond=SAME).T / size * charge[:, None]
    code, names = cluster_of(runs)
    by_run = _by_run(steps[None], code[None], len(names))[0]
    return by_run @ fit.evidence.tie.T * slope_of_numbers(fit.law.label_domains, fit.numbers)


def _per_se(runs: Runs) -> np.ndarray:
    return np.ones((len(runs), 1)) if runs.target_se is None else runs.target_se[:, None]


def _lost(fit: Fitted) -> list[int]:
    """Positions of linear numbers whose terms have gone extinct: their parameters have no slope left."""
    lost = [fit.law.labels.index(label) for label in fit.certificate.extinct]
    return [i for i in lost if i in linear_parameters(fit.law)]


def _lost_terms(fit: Fitted, part: Runs) -> np.ndarray:
    """(rows, terms) where terms that have gone extinct would move residuals."""
    if not (lost := _lost(fit)):
        return np.zeros((len(part), 0))
    points = np.stack(
        [np.where(np.arange(len(fit.numbers)) == i, n, fit.numbers) for i in lost for n in (0, 1)]
    )
    with np.errstate(all="ignore"):
        predicted = predict(fit.law, points, part.inputs)
        relative = predicted[0] if fit.objective.on_log else 1.0
        return ((predicted[1::2] - predicted[::2]) / relative).T / _per_se(part)


def _orthonormal(columns: np.ndarray, least: float = SAME) -> tuple[np.ndarray, np.ndarray]:
    """An orthonormal basis (fits, rows, k) of columns, whatever their lengths, the first `rank` (fits,) of
    which are not zero."""
    if not columns.size:
        return columns, np.zeros(len(columns), dtype=int)
    length = np.linalg.norm(columns, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    there = (values > least * values[:, :1]) & (values > 0)
    return np.where(there[:, None], left, 0.0), there.sum(axis=1)


def _directions(stack: _Stack) -> Iterator[Direction]:
    """Every way to be wrong that is looked at, (fits, rows) each; where a fit has none, nothing changes."""
    fit, runs = stack.one, stack.part
    target = fit.sources.get("target", fit.law.target)
    along = f"the predicted {target}"
    level = _standard(fit.objective.scaled(stack.predicted))
    yield Direction(f"bend in {target}", along, level, level**2)
    places = {name: _standard(_on_logs(column)) for name, column in runs.inputs.items()}
    for name, place in places.items():
        yield Direction(f"slope in {name}", name, place, place)
        yield Direction(f"bend in {name}", name, place, place**2)
    yield from _of_pairs(runs, places)
    yield from _of_neighbours(stack, along, level)
    name, size = scale_of(runs, fit.law)
    scale = _standard(_on_logs(size))
    for when, share in KNOTS.items():
        knot = np.quantile(scale, share, axis=1, keepdims=True)
        yield Direction(f"{when} break in {name}", name, scale, np.maximum(scale - knot, 0.0))
    if runs.run is not None and stack.runs < stack.code.shape[1]:
        place = _within_runs(_on_logs(size), stack.code, stack.runs)
        yield Direction("slope within runs", "each run", place, place)
        yield Direction("bend within runs", "each run", place, place**2)


def _of_pairs(runs: Runs, places: dict[str, np.ndarray]) -> Iterator[Direction]:
    """Two inputs together: tokens per parameter and compute where these are what the inputs are."""
    varied = {name: np.asarray(place.any(axis=1, keepdims=True)) for name, place in places.items()}
    known = np.asarray(varied["N"] & varied["D"] if {"N", "D"} <= set(varied) else [[False]])
    if known.any():
        size, data = (_in_logs(runs.inputs[name], places[name]) for name in ("N", "D"))
        for name, place in (("D/N", _standard(data - size)), ("6ND", _standard(data + size))):
            yield Direction(f"slope in {name}", name, place, place * known)
            yield Direction(f"bend in {name}", name, place, place**2 * known)
    for (a, b), there in _pairs({name: one & ~known for name, one in varied.items()}):
        change = places[a] * places[b] * there
        yield Direction(f"{a} and {b} together", f"{a} and {b}", _standard(places[a] + places[b]), change)


def _pairs(there: dict[T, np.ndarray]) -> Iterator[tuple[tuple[T, T], np.ndarray]]:
    """Pairs of what may be there, (fits, 1) each, and of which fits they are looked at: the first few."""
    names, count = list(there), np.zeros(1, dtype=int)
    for a, b in ((a, b) for j, b in enumerate(names) for a in names[:j]):
        both = there[a] & there[b]
        count = count + both
        yield (a, b), both & (count <= MOST_PAIRS)


def _of_neighbours(stack: _Stack, along: str, level: np.ndarray) -> Iterator[Direction]:
    """Derivatives by parameters that other laws have: a floor, an exponent for the sum of the terms, a
    product of two terms."""
    fit, predicted = stack.one, stack.predicted
    relative = predicted if fit.objective.on_log else np.ones(predicted.shape)
    slopes = stack.slopes * stack.per_se * relative[..., None]
    flat = np.ptp(slopes, axis=1, keepdims=True) <= FLAT * np.abs(slopes).max(axis=1, keepdims=True)
    terms = terms_of(fit.law)
    floor = np.where(flat, slopes, 0.0)[..., terms].sum(axis=2)
    rest = np.maximum(predicted - floor, FLAT * np.abs(predicted))
    with np.errstate(all="ignore"):
        yield Direction("exponent of the sum", along, level, np.nan_to_num(rest * np.log(rest) / relative))
    yield Direction("floor", along, level, 1 / relative)
    for (a, b), there in _pairs({i: ~flat[..., i] for i in terms}):
        name = f"{fit.law.labels[a]} and {fit.law.labels[b]} together"
        yield Direction(name, along, level, slopes[..., a] * slopes[..., b] / relative * there)


def _on_logs(values: np.ndarray) -> np.ndarray:
    """Logarithms of inputs (fits, rows), of those that may be zero with half the smallest added; others as
    they are."""
    zero = (values.min(axis=1) == 0)[:, None]
    least = np.min(np.where(values > 0, values, np.inf), axis=1, keepdims=True)
    return _in_logs(values + np.where(zero & np.isfinite(least), least / 2, 0.0), values)


def _in_logs(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(fits, rows) logarithms where all values of a fit are positive, and `others` elsewhere."""
    positive = (values > 0).all(axis=1, keepdims=True)
    return np.where(positive, np.log(np.where(positive, values, 1.0)), others)


def _standard(values: np.ndarray) -> np.ndarray:
    """(fits, rows) of mean zero and standard deviation one; zeros where all are one value."""
    centred = values - values.mean(axis=1, keepdims=True)
    size = centred.std(axis=1, keepdims=True)
    varies = size > 1e-9 * np.maximum(1.0, np.abs(values).max(axis=1, keepdims=True))
    return np.where(varies, centred / np.where(varies, size, 1.0), 0.0)


def _within_runs(scale: np.ndarray, code: np.ndarray, runs: int) -> np.ndarray:
    """(fits, rows) how far before its run's last row each row is, on the logarithm of the scale."""
    last = np.full((len(code), runs), -np.inf)
    np.maximum.at(last, (np.arange(len(code))[:, None], code), scale)
    place = scale - np.take_along_axis(last, code, axis=1)
    size = place.std(axis=1, keepdims=True)
    return place / np.where(size > 0, size, 1.0)


def _scores(
    own: np.ndarray,
    basis: np.ndarray,
    residual: np.ndarray,
    enlarged: np.ndarray,
    code: np.ndarray,
    runs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(fits, directions) t and adjusted p, by flips of whole runs (wild cluster bootstrap, score form)."""
    score = _by_run(own * residual[..., None], code, runs)
    t = score.sum(axis=1) / np.sqrt(np.maximum(np.sum(score**2, axis=1), np.finfo(float).tiny))
    if runs > MANY_RUNS:
        score = _by_run(own * enlarged[..., None], code, runs)
        largest = np.stack([_normal_largest(one[:, one.any(axis=0)]) for one in score])
    else:
        largest = _flipped_largest(own, basis, enlarged, code, runs)
    larger = largest[:, None] >= np.abs(t)[..., None] - 1e-9
    return t, (1 + larger.sum(axis=2)) / (1 + largest.shape[1])


def _by_run(rows: np.ndarray, code: np.ndarray, runs: int) -> np.ndarray:
    """Sums over the rows (fits, rows, ...) of each run, (fits, runs, ...)."""
    fits, n = code.shape
    flat = (code + runs * np.arange(fits)[:, None]).ravel()
    order = np.argsort(flat, kind="stable")
    sums = rows.reshape(fits * n, *rows.shape[2:])[order]
    if runs < n:
        sums = np.add.reduceat(sums, np.searchsorted(flat[order], np.arange(fits * runs)), axis=0)
    return sums.reshape(fits, runs, *rows.shape[2:])


def _taken(basis: np.ndarray, residual: np.ndarray, code: np.ndarray, runs: int) -> np.ndarray:
    """(fits, runs, k) in the basis: what leaving a run out of the fit would give back to its residuals."""
    leverage = _by_run(basis[..., :, None] * basis[..., None, :], code, runs)
    values, vectors = np.linalg.eigh(leverage)
    gain = 1 / np.maximum(1 - values, 0.05)  # a run that alone decides a parameter would be given all of it
    along = np.einsum("fgij,fgi->fgj", vectors, _by_run(basis * residual[..., None], code, runs))
    return np.einsum("fgij,fgj->fgi", vectors, gain * along)


def _flipped_largest(
    own: np.ndarray, basis: np.ndarray, residual: np.ndarray, code: np.ndarray, runs: int
) -> np.ndarray:
    """(fits, flips) the largest |t| of any direction in tables whose runs' residuals have their signs
    flipped."""
    signs = flips(runs)
    along = signs @ _by_run(basis * residual[..., None], code, runs)
    largest = np.zeros((len(own), FLIPS))
    for column in np.moveaxis(own, 2, 0):
        score = _by_run(column * residual, code, runs)
        shares = _by_run(column[..., None] * basis, code, runs)
        off = along @ (np.swapaxes(shares, 1, 2) @ shares) - 2 * (signs @ (score[..., None] * shares))
        square = score**2 @ (signs**2).T + np.einsum("fsk,fsk->fs", off, along)
        least = 1e-12 * np.sum(score**2, axis=1, keepdims=True) + np.finfo(float).tiny
        largest = np.maximum(largest, np.abs(score @ signs.T / np.sqrt(np.maximum(square, least))))
    return largest


def _normal_largest(score: np.ndarray) -> np.ndarray:
    """(flips,) the same of one fit with many runs: correlated normal scores (runs, directions)."""
    score = score / np.sqrt(np.maximum(np.sum(score**2, axis=0), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(score.T @ score)
    drawn = np.random.default_rng(0).normal(size=(FLIPS, len(values)))
    return np.abs(drawn * np.sqrt(np.maximum(values, 0)) @ vectors.T).max(axis=1, initial=0.0)
