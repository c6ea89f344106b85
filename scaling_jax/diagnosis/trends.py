"""Whether residuals form a pattern: the directions in which a law may be wrong, and one test of all of them;
and a wave along the runs, which has none (`waves`).

A direction is a number for every row: a bend along the prediction or an input, a slope along tokens per
parameter, the derivative of the prediction by a parameter that a neighbour of the law has. What the law's own
parameters can absorb is taken out of each, so that having fitted them costs the test nothing; runs, not rows,
are what the test counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scaling_jax.diagnosis.waves import FLIPS, flips, wave
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.coordinates import slope_of_numbers
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.certificate import NORMAL_MAD, target_scale
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.joint import shared_columns
from scaling_jax.tables.runs import Runs
from scaling_jax.tables.scale import scale_of
from scaling_jax.uncertainty.resample import cluster_of
from scaling_jax.uncertainty.sandwich import row_slopes

__all__ = ["Direction", "Trends", "moves_of_runs", "spread", "trends"]

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


def trends(fit: Fitted) -> Trends:
    """Tests every direction at the optimum, nothing refitted.

    The score of a direction is the sum over rows of direction times residual, the residual bounded at 1.3
    robust standard deviations. Its distribution comes from flipping the signs of whole runs, each flip
    projected off the law as a refit would, the residuals first enlarged by what the fit has taken of each
    run's own. The largest score of all directions decides, so that there is one test.
    """
    runs = fit.data()
    rows = np.flatnonzero((runs.weight > 0) & np.isfinite(fit.residuals))
    rows = rows[:: -(-len(rows) // MOST_ROWS)] if len(rows) else rows
    part = runs.take(rows)
    code, names = cluster_of(part)
    weight = np.sqrt(part.weight / part.weight.mean()) if len(rows) else np.zeros(0)
    law = _law_directions(fit, rows)
    basis = _orthonormal(weight[:, None] * law) if len(rows) else law
    nothing = Trends([], np.zeros(0), np.zeros(0), basis[:, :0], basis, weight, rows, len(names))
    if len(rows) < basis.shape[1] + LEAST_SPARE or len(names) < LEAST_RUNS:
        return nothing
    found = list(_directions(fit, part, rows))
    change = weight[:, None] * np.column_stack([d.change for d in found]) / _per_se(part)
    own = change - basis @ (basis.T @ change)
    size = np.linalg.norm(own, axis=0)
    kept = size > ABSORBED * np.linalg.norm(change, axis=0)
    if not kept.any():
        return nothing
    own = own[:, kept] / size[kept]
    residual = weight * _bounded(fit, rows)
    if np.abs(fit.residuals[rows]).max() <= ROUNDING * target_scale(part, fit.objective).min():
        residual = np.zeros(len(rows))
    chosen = [d for d, keep in zip(found, kept, strict=True) if keep]
    pattern = _orthonormal(own, 1e-3), basis, weight, rows, len(names)
    residual = residual - basis @ (basis.T @ residual)
    if not residual.any():
        return Trends(chosen, np.zeros(len(chosen)), np.ones(len(chosen)), *pattern)
    enlarged = residual + np.sum(basis * _taken(basis, residual, code, len(names))[code], axis=1)
    t, p = _scores(own, basis, residual, enlarged, code, len(names))
    level = _standard(fit.objective.scaled(fit.at_rows.prediction[rows]))
    scale = _standard(_on_logs(scale_of(part, fit.law)[1]))
    return Trends(chosen, t, p, *pattern, wave((level, scale), residual, enlarged, basis, code))


def _bounded(fit: Fitted, rows: np.ndarray) -> np.ndarray:
    """(rows,) residuals, bounded where they are no longer a matter of the law but of single rows."""
    residual = fit.residuals[rows]
    most = max(float(fit.objective.numbers[0]), TUNING * spread(residual, fit.n_free))
    return np.clip(residual, -most, most)


def spread(residual: np.ndarray, free: int) -> float:
    """A robust standard deviation; the residuals nearest to zero are those that the parameters bought."""
    size = np.sort(np.abs(residual))
    return NORMAL_MAD * float(np.median(size[min(free, len(size) - 1) :]))


def moves_of_runs(fit: Fitted) -> np.ndarray:
    """(runs, labels) how far leaving each run out would move every number, natural units, to first order.

    Of an objective whose curvature rests on few rows too: bounded residuals stand for its own charge, which
    is made up for by the efficiency of a median.
    """
    runs = fit.data()
    residual = np.nan_to_num(fit.residuals)
    weight = np.sqrt(np.where(np.isfinite(fit.residuals), runs.weight, 0.0))
    used = np.flatnonzero(weight > 0)
    charge = np.zeros(len(runs))
    charge[used] = weight[used] * _bounded(fit, used)
    if np.mean(np.abs(residual[used]) <= fit.objective.numbers[0]) < 0.5:
        charge *= MEDIAN
    slopes = weight[:, None] * (row_slopes(fit) @ fit.evidence.tie)
    size = np.linalg.norm(slopes, axis=0)
    size = np.where(size > 0, size, 1.0)
    steps = np.linalg.pinv(np.nan_to_num(slopes / size), rcond=SAME).T / size * charge[:, None]
    code, names = cluster_of(runs)
    by_run = _by_run(steps, code, len(names))
    return by_run @ fit.evidence.tie.T * slope_of_numbers(fit.law.label_domains, fit.numbers)


def _per_se(runs: Runs) -> np.ndarray:
    return np.ones((len(runs), 1)) if runs.target_se is None else runs.target_se[:, None]


def _law_directions(fit: Fitted, rows: np.ndarray) -> np.ndarray:
    """(rows, k) where the law itself can move residuals: along its free parameters, and all of them at
    once."""
    moves, shared = fit.evidence.tie.copy(), shared_columns(fit.law, fit.shared)
    moves[shared, shared] = 1.0  # fitted too, with other groups
    slopes = row_slopes(fit)[rows] @ moves
    level = 1 / _per_se(fit.data().take(rows))
    return np.nan_to_num(np.column_stack([slopes, _lost_terms(fit, rows), level]))


def _lost_terms(fit: Fitted, rows: np.ndarray) -> np.ndarray:
    """(rows, terms) where terms that have gone extinct would move residuals: their parameters have no slope
    left."""
    lost = [fit.law.labels.index(label) for label in fit.certificate.extinct]
    lost = [i for i in lost if i in linear_parameters(fit.law)]
    if not lost:
        return np.zeros((len(rows), 0))
    runs = fit.data().take(rows)
    points = np.stack(
        [np.where(np.arange(len(fit.numbers)) == i, n, fit.numbers) for i in lost for n in (0, 1)]
    )
    with np.errstate(all="ignore"):
        predicted = predict(fit.law, points, runs.inputs)
        relative = predicted[0] if fit.objective.on_log else 1.0
        return ((predicted[1::2] - predicted[::2]) / relative).T / _per_se(runs)


def _orthonormal(columns: np.ndarray, least: float = SAME) -> np.ndarray:
    """An orthonormal basis of the columns, whatever their lengths."""
    length = np.linalg.norm(columns, axis=0)
    if not (length > 0).any():
        return np.zeros((len(columns), 0))
    left, values, _ = np.linalg.svd(columns[:, length > 0] / length[length > 0], full_matrices=False)
    return left[:, values > least * values[0]]


def _directions(fit: Fitted, runs: Runs, rows: np.ndarray) -> Iterator[Direction]:
    """Every way to be wrong that is looked at."""
    predicted = fit.at_rows.prediction[rows]
    target = fit.sources.get("target", fit.law.target)
    along = f"the predicted {target}"
    level = _standard(fit.objective.scaled(predicted))
    yield Direction(f"bend in {target}", along, level, level**2)
    places = {name: _standard(_on_logs(column)) for name, column in runs.numeric.items()}
    varied = {name: z for name, z in places.items() if z.any()}
    for name, place in varied.items():
        yield Direction(f"slope in {name}", name, place, place)
        yield Direction(f"bend in {name}", name, place, place**2)
    yield from _of_pairs(runs, varied)
    yield from _of_neighbours(fit, rows, predicted, along, level)
    name, size = scale_of(runs, fit.law)
    scale = _standard(_on_logs(size))
    for when, share in KNOTS.items():
        yield Direction(
            f"{when} break in {name}", name, scale, np.maximum(scale - np.quantile(scale, share), 0.0)
        )
    if runs.run is not None and len(np.unique(runs.run)) < len(runs):
        place = _within_runs(_on_logs(size), runs.run)
        yield Direction("slope within runs", "each run", place, place)
        yield Direction("bend within runs", "each run", place, place**2)


def _of_pairs(runs: Runs, places: dict[str, np.ndarray]) -> Iterator[Direction]:
    """Two inputs together: tokens per parameter and compute where these are what the inputs are."""
    if {"N", "D"} <= set(places):
        size, data = (np.log(runs.inputs[n]) if (runs.inputs[n] > 0).all() else places[n] for n in ("N", "D"))
        for name, place in (("D/N", _standard(data - size)), ("6ND", _standard(data + size))):
            yield Direction(f"slope in {name}", name, place, place)
            yield Direction(f"bend in {name}", name, place, place**2)
        return
    names = list(places)
    pairs = [(a, b) for j, b in enumerate(names) for a in names[:j]][:MOST_PAIRS]
    for a, b in pairs:
        yield Direction(
            f"{a} and {b} together", f"{a} and {b}", _standard(places[a] + places[b]), places[a] * places[b]
        )


def _of_neighbours(
    fit: Fitted, rows: np.ndarray, predicted: np.ndarray, along: str, level: np.ndarray
) -> Iterator[Direction]:
    """Derivatives by parameters that other laws have: a floor, an exponent for the sum of the terms, a
    product of two terms."""
    relative = predicted if fit.objective.on_log else np.ones(len(rows))
    linear = [i for i in linear_parameters(fit.law) if fit.law.label_domains[i].lower == 0]
    slopes = row_slopes(fit)[rows] * _per_se(fit.data().take(rows)) * relative[:, None]
    flat = {i: bool(np.ptp(slopes[:, i]) <= FLAT * np.abs(slopes[:, i]).max()) for i in linear}
    floor = sum((slopes[:, i] for i in linear if flat[i]), np.zeros(len(rows)))
    rest = np.maximum(predicted - floor, FLAT * np.abs(predicted))
    with np.errstate(all="ignore"):
        yield Direction("exponent of the sum", along, level, np.nan_to_num(rest * np.log(rest) / relative))
    yield Direction("floor", along, level, 1 / relative)
    terms = [i for i in linear if not flat[i]]
    for a, b in [(a, b) for j, b in enumerate(terms) for a in terms[:j]][:MOST_PAIRS]:
        name = f"{fit.law.labels[a]} and {fit.law.labels[b]} together"
        yield Direction(name, along, level, slopes[:, a] * slopes[:, b] / relative)


def _on_logs(values: np.ndarray) -> np.ndarray:
    """Logarithms, of inputs that may be zero with half the smallest added; others as they are."""
    if values.min() > 0:
        return np.log(values)
    if values.min() == 0 and values.max() > 0:
        return np.log(values + values[values > 0].min() / 2)
    return values


def _standard(values: np.ndarray) -> np.ndarray:
    """Mean zero, standard deviation one; zeros where all are one value."""
    centred = values - values.mean()
    size = centred.std()
    return centred / size if size > 1e-9 * max(1.0, float(np.abs(values).max())) else np.zeros(len(values))


def _within_runs(scale: np.ndarray, run: np.ndarray) -> np.ndarray:
    """How far before its run's last row each row is, on the logarithm of the scale."""
    _, code = np.unique(run, return_inverse=True)
    last = np.full(code.max() + 1, -np.inf)
    np.maximum.at(last, code, scale)
    place = scale - last[code]
    return place / (place.std() or 1.0)


def _scores(
    own: np.ndarray,
    basis: np.ndarray,
    residual: np.ndarray,
    enlarged: np.ndarray,
    code: np.ndarray,
    runs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(directions,) t and adjusted p, by flips of whole runs (wild cluster bootstrap, score form)."""
    score = _by_run(own * residual[:, None], code, runs)
    t = score.sum(axis=0) / np.sqrt(np.maximum(np.sum(score**2, axis=0), np.finfo(float).tiny))
    largest = (_normal_largest if runs > MANY_RUNS else _flipped_largest)(own, basis, enlarged, code, runs)
    return t, np.array([(1 + np.sum(largest >= size - 1e-9)) / (1 + len(largest)) for size in np.abs(t)])


def _by_run(rows: np.ndarray, code: np.ndarray, runs: int) -> np.ndarray:
    """Sums over the rows of each run, (runs, ...)."""
    if runs == len(rows):
        return rows[np.argsort(code)]
    order = np.argsort(code, kind="stable")
    return np.add.reduceat(rows[order], np.searchsorted(code[order], np.arange(runs)), axis=0)


def _taken(basis: np.ndarray, residual: np.ndarray, code: np.ndarray, runs: int) -> np.ndarray:
    """(runs, k) in the basis: what leaving a run out of the fit would give back to its residuals."""
    leverage = _by_run(basis[:, :, None] * basis[:, None, :], code, runs)
    values, vectors = np.linalg.eigh(leverage)
    gain = 1 / np.maximum(1 - values, 0.05)  # a run that alone decides a parameter would be given all of it
    along = np.einsum("gij,gi->gj", vectors, _by_run(basis * residual[:, None], code, runs))
    return np.einsum("gij,gj->gi", vectors, gain * along)


def _flipped_largest(
    own: np.ndarray, basis: np.ndarray, residual: np.ndarray, code: np.ndarray, runs: int
) -> np.ndarray:
    """(flips,) the largest |t| of any direction in tables whose runs' residuals have their signs flipped."""
    signs = flips(runs)
    along = signs @ _by_run(basis * residual[:, None], code, runs)
    largest = np.zeros(FLIPS)
    for column in own.T:
        score = _by_run(column * residual, code, runs)
        shares = _by_run(column[:, None] * basis, code, runs)
        square = signs**2 @ score**2 - 2 * np.sum((signs @ (score[:, None] * shares)) * along, axis=1)
        square += np.sum((along @ (shares.T @ shares)) * along, axis=1)
        t = signs @ score / np.sqrt(np.maximum(square, 1e-12 * np.sum(score**2) + np.finfo(float).tiny))
        largest = np.maximum(largest, np.abs(t))
    return largest


def _normal_largest(
    own: np.ndarray, basis: np.ndarray, residual: np.ndarray, code: np.ndarray, runs: int
) -> np.ndarray:
    """`_flipped_largest` of many runs: correlated normal scores."""
    score = _by_run(own * residual[:, None], code, runs)
    score = score / np.sqrt(np.maximum(np.sum(score**2, axis=0), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(score.T @ score)
    drawn = np.random.default_rng(0).normal(size=(FLIPS, len(values)))
    return np.abs(drawn * np.sqrt(np.maximum(values, 0)) @ vectors.T).max(axis=1)
