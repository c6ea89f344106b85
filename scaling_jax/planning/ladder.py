r"""Recipes without laws of their own: each trained at a few sizes, compared where none was trained.

What all recipes share is one curve; what sets one apart is Gaussian along the decades x of N and of D (of
compute, where that is all that is known), and grows or fades with them for all recipes alike,

$$\log L_r(x) = c(x) + e^{f \cdot (x - x_{top})} \left(a_r + b_r \cdot x + W_r(x)\right) + \varepsilon,
  \qquad b_r \sim N(0, \tau^2), \quad
  \operatorname{var}(W_r(x) - W_r(x')) = \kappa^2 \sum_i |x_i - x_i'|,$$

a_r unknown. How distances fade, f, is read off the spread of the recipes from place to place; the tilt tau,
the walk kappa and (without repeated seeds) the noise are weighed on a grid by what the table says of them.
Mostly recipes keep their distances: that they tilt is believed beforehand with one in five. With one size it
is the ranking at that size, with honest odds; with more it follows trends as far as they have held among the
others.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from scaling_jax import laws
from scaling_jax.core.law import Law
from scaling_jax.core.objective import SquaredError
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import make_spec
from scaling_jax.planning.recipes import Places
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Ladder", "Steps"]

LN10 = np.log(10)
TILTS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04)
TILTED = 0.2  # probability beforehand that recipes tilt at all
FADE = 0.2  # logs per decade of compute by which distances may grow or fade
UNEVEN = 0.35  # logs by which the recipes' spread strays from its trend
LEAST_SIGNAL = 0.1  # of a spread, whatever its noise
WALKS = (0.002, 0.004, 0.006, 0.009, 0.012, 0.016, 0.022, 0.03, 0.04)
NOISES = tuple(np.geomspace(5e-4, 0.05, 7).tolist())
SEEDS_BELIEVED = 4.0  # degrees of freedom with which one size's scatter is believed to be like the others'
DRAWS = 2000
LEAST_WEIGHT = 1e-2  # of the likeliest choice
ON_THE_CURVE = 1e-3  # runs' worth of belief that a place lies on the common curve
JITTER = 1e-14
TINY = 1e-14


@dataclass(frozen=True, eq=False)
class Steps:
    """One choice of tilt, walk and noise, and how much the table speaks for it."""

    tilt: float
    walk: float
    noise: float
    weight: float


@dataclass(frozen=True, eq=False)
class Ladder:
    """Recipes measured at some places along compute.

    Args:
        names: the recipes.
        places: (places, axes) log10 of N and D, or of compute, where any was trained, by rising compute.
        values: (recipes, places) mean log loss over seeds; NaN where a recipe was not trained.
        seeds: (recipes, places) how many runs stand behind each.
        scatter: (places,) variance of the log loss of one run among seeds; NaN where no recipe repeats.
        targets: (targets, axes) where recipes are compared.
        along: (axes,) how a decade of compute is shared out on the path through each target.
        walk: None to weigh tilt and walk by the table, or the walk's step per root decade without tilt.
        seed: of what is drawn.
    """

    names: list[Hashable]
    places: np.ndarray
    values: np.ndarray
    seeds: np.ndarray
    scatter: np.ndarray
    targets: np.ndarray
    along: np.ndarray
    walk: float | None = None
    seed: int = 0

    @classmethod
    def of(cls, runs: Runs, targets: Places, walk: float | None, seed: int) -> Ladder:
        """The ladder of a table in groups, each row a run's end."""
        if (runs.target <= 0).any():
            raise DataError("Recipes are compared by the logarithm of the loss: the target must be positive.")
        where = np.log10(np.column_stack(list(runs.inputs.values())))
        places, place = np.unique(np.round(where, 6), axis=0, return_inverse=True)
        order = np.argsort(places.sum(axis=1), kind="stable")
        places, place = places[order], np.argsort(order)[place.ravel()]
        shape = (len(runs.group_labels), len(places))
        log_loss, seeds, squares = np.log(runs.target), np.zeros(shape), np.zeros(shape)
        total = np.zeros(shape)
        np.add.at(seeds, (runs.group, place), 1)
        np.add.at(total, (runs.group, place), log_loss)
        with np.errstate(invalid="ignore"):
            values = total / np.where(seeds > 0, seeds, np.nan)
        np.add.at(squares, (runs.group, place), np.square(log_loss - values[runs.group, place]))
        scatter = _scatter(squares, seeds, places.sum(axis=1))
        at, along = _targets(targets, list(runs.inputs), places[-1])
        return cls(list(runs.group_labels), places, values, seeds, scatter, at, along, walk, seed)

    @property
    def decades(self) -> np.ndarray:
        """(places,) log10 of compute."""
        return _compute(self.places)

    @property
    def has_draws(self) -> bool:
        """Recipes of a ladder can always be drawn."""
        return True

    @property
    def tops(self) -> np.ndarray:
        """(recipes,) log10 of the largest compute of each."""
        return np.array([self.decades[row > 0].max() for row in self.seeds])

    @property
    def bottoms(self) -> np.ndarray:
        """(recipes,) log10 of the least compute of each."""
        return np.array([self.decades[row > 0].min() for row in self.seeds])

    @property
    def run_sd(self) -> float:
        """Scatter of one run's log loss at the largest places."""
        if np.isfinite(self.scatter).any():
            return float(np.sqrt(self.scatter[-1]))
        return float(np.sqrt(sum(one.weight * one.noise**2 for one in self.steps)))

    @property
    def mean_walk(self) -> float:
        """Root mean square of the walk's step, per root decade."""
        return float(np.sqrt(sum(one.weight * one.walk**2 for one in self.steps)))

    @cached_property
    def common(self) -> tuple[Law, np.ndarray]:
        """The curve that all recipes share: the richest power law in compute that the places determine."""
        means = np.nanmean(self.values, axis=0)
        law = laws.power_law_floor if len(means) > 3 else laws.power_law
        spec = make_spec(law, SquaredError(), fixed={"alpha": 0.0} if len(means) < 2 else None)
        table = Runs.plain({"x": 10.0**self.decades}, np.exp(means))
        return law, solve_members(Task.of(spec, table))[0].numbers

    @cached_property
    def apart(self) -> np.ndarray:
        """(recipes, places) how far each recipe lies from the level of a place: what is left of the values
        by a level for each recipe and each place, a place of which nothing else is known lying on the common
        curve."""
        known = (self.seeds > 0).astype(float)
        curve = self._common(self.decades)
        y = np.where(known > 0, self.values - curve, 0.0)
        n = len(self.names)
        left = np.diag(np.concatenate([known.sum(axis=1), known.sum(axis=0) + ON_THE_CURVE]))
        left[:n, n:], left[n:, :n] = known, known.T
        level = np.linalg.lstsq(left, np.concatenate([y.sum(axis=1), y.sum(axis=0)]), rcond=None)[0][n:]
        return self.values - curve - level

    @cached_property
    def fade(self) -> np.ndarray:
        """(axes,) logs per decade by which the recipes' distances grow: the trend of their spread from place
        to place without the seeds' share of it, drawn towards none as far as recipes and places are few."""
        axes = self.places.shape[1]
        recipes = (self.seeds > 0).sum(axis=0)
        used = recipes > 1
        if self.walk is not None or not used.any():
            return np.zeros(axes)
        spread = np.nanvar(self.apart[:, used], axis=0, ddof=1)
        noise = np.nan_to_num(self.scatter)[used] * recipes[used] / self.seeds[:, used].sum(axis=0)
        signal = np.maximum(np.maximum(spread - noise, LEAST_SIGNAL * spread), TINY)
        weight = 1 / (0.5 / (recipes[used] - 1) + UNEVEN**2)
        x = np.column_stack([np.ones(used.sum()), self.places[used] - self.places[-1]])
        belief = np.diag([0.0, *np.full(axes, 1 / (axes * FADE**2))])
        weighed = x.T * weight
        return np.linalg.solve(weighed @ x + belief, weighed @ (0.5 * np.log(signal)))[1:]

    @cached_property
    def steps(self) -> list[Steps]:
        """The choices of tilt, walk and noise that the table leaves in play."""
        noises = (np.nan,) if np.isfinite(self.scatter).any() else NOISES
        tilts = (0.0,) if self.walk is not None else TILTS
        grid = list(product(tilts, WALKS if self.walk is None else (self.walk,), noises))
        found = np.array(
            [sum(own.evidence for own in self._krigings(*one, at=self.targets[:1])) for one in grid]
        )
        # the mean over recipes was taken away
        found = found * (1 - 1 / len(self.names))
        found += [np.log(1 - TILTED if tilt == 0 else TILTED / (len(TILTS) - 1)) for tilt, *_ in grid]
        weight = np.exp(found - found.max())
        weight = np.where(weight > LEAST_WEIGHT, weight, 0.0)
        weight = weight / weight.sum()
        return [Steps(*one, w) for one, w in zip(grid, weight, strict=True) if w > 0]

    def point(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, targets, steps) log losses."""
        shape = (len(self.names), len(self.targets), steps.shape[-1])
        at = self._path(np.broadcast_to(steps, shape))
        mean = np.zeros(shape)
        for one in self.steps:
            for r in range(len(self.names)):
                flat = at[r].reshape(-1, at.shape[-1])
                own = self._algebra(r, one.tilt, one.walk, one.noise, flat).seen(self._faded(r))
                mean[r] += one.weight * own.mean.reshape(shape[1:])
        return mean * self._size(at) + self._common(_compute(at))

    def drawn(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, draws, targets, steps) log losses."""
        rng = np.random.default_rng(self.seed)
        shape = (len(self.names), DRAWS, len(self.targets), len(steps))
        at = self._path(np.broadcast_to(steps, shape[2:]))
        unique, where = np.unique(at.reshape(-1, at.shape[-1]), axis=0, return_inverse=True)
        weight = np.array([one.weight for one in self.steps])
        chosen = rng.choice(len(weight), DRAWS, p=weight)
        found = np.empty((len(self.names), DRAWS, len(unique)))
        for h in np.unique(chosen):
            one, mine = self.steps[h], np.flatnonzero(chosen == h)
            for r, own in enumerate(self._krigings(one.tilt, one.walk, one.noise, at=unique)):
                found[r, mine] = own.mean + rng.normal(size=(len(mine), len(unique))) @ own.algebra.root.T
        return found[..., where.ravel()].reshape(shape) * self._size(at) + self._common(_compute(at))

    def _path(self, steps: np.ndarray) -> np.ndarray:
        """(..., targets, steps, axes) places at compute 10^step times each target's."""
        return self.targets[:, None] + steps[..., None] * self.along

    def _size(self, places: np.ndarray) -> np.ndarray:
        """How large distances are at places (..., axes), in units of those at the largest runs."""
        return np.exp((places - self.places[-1]) @ self.fade)

    def _faded(self, r: int) -> np.ndarray:
        """A recipe's own distances in that unit."""
        own = self.seeds[r] > 0
        return self.apart[r, own] / self._size(self.places[own])

    def _common(self, decades: np.ndarray) -> np.ndarray:
        law, numbers = self.common
        flat = predict(law, numbers[None], {"x": 10.0 ** np.ravel(decades)})[0]
        return np.log(flat).reshape(np.shape(decades))

    def _krigings(self, tilt: float, walk: float, noise: float, at: np.ndarray) -> list[_Kriging]:
        """One per recipe; recipes trained at the same places with as many seeds share the algebra."""
        made: dict[bytes, _Algebra] = {}
        out = []
        for r in range(len(self.names)):
            key = self.seeds[r].tobytes()
            if key not in made:
                made[key] = self._algebra(r, tilt, walk, noise, at)
            out.append(made[key].seen(self._faded(r)))
        return out

    def _algebra(self, r: int, tilt: float, walk: float, noise: float, at: np.ndarray) -> _Algebra:
        own = self.seeds[r] > 0
        variance = np.full(len(self.places), noise**2) if np.isfinite(noise) else self.scatter
        of_means = variance[own] / self.seeds[r, own] / np.square(self._size(self.places[own]))
        return _Algebra.of(self.places[own], of_means, at, tilt, walk)


def _targets(places: Places, inputs: list[str], top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(targets, axes) where recipes are compared, and (axes,) how compute grows there: at given inputs by one
    of them, at budgets as from the largest runs, in their own proportion."""
    if places.inputs is not None and set(inputs) == set(places.inputs):
        at = np.log10(np.column_stack([places.inputs[name] for name in inputs]))
        return at, np.array([float(name == places.grows) for name in inputs])
    along = np.full(len(inputs), 1 / len(inputs))
    return top + (places.decades - _compute(top))[:, None] * along, along


def _compute(places: np.ndarray) -> np.ndarray:
    """(...) log10 of compute at places (..., axes)."""
    return places.sum(axis=-1) + (np.log10(TOKENS_FLOP) if places.shape[-1] == 2 else 0.0)


def _scatter(squares: np.ndarray, seeds: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(places,) variance among seeds: the median over recipes, so that a few wild ones do not speak for all,
    drawn towards a line in the places as far as few recipes repeat."""
    from scipy.special import chdtri

    free = np.maximum(seeds - 1, 0)
    known = free.sum(axis=0)
    if not known.any():
        return np.full(len(x), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(free > 0, squares / chdtri(np.maximum(free, 1), 0.5), np.nan)
    log_own = np.array([np.log(max(np.nanmedian(column), TINY)) for column in each.T[known > 0]])
    degree = min(1, len(np.unique(x[known > 0])) - 1)
    line = np.polynomial.Polynomial.fit(x[known > 0], log_own, degree, w=np.sqrt(known[known > 0]))(x)
    own = np.full(len(x), 0.0)
    own[known > 0] = np.exp(log_own)
    return (known * own + SEEDS_BELIEVED * np.exp(line)) / (known + SEEDS_BELIEVED)


@dataclass(frozen=True, eq=False)
class _Kriging:
    """A recipe's distance from the others: mean (places,), what it took, and log evidence."""

    mean: np.ndarray
    algebra: _Algebra
    evidence: float


@dataclass(frozen=True, eq=False)
class _Algebra:
    """What kriging needs of the places alone."""

    inverse: np.ndarray
    level: np.ndarray
    gain: np.ndarray
    spread: np.ndarray
    log_size: float

    @classmethod
    def of(cls, x: np.ndarray, noise: np.ndarray, at: np.ndarray, tilt: float, walk: float) -> _Algebra:
        start = x.min(axis=0)
        inverse = np.linalg.inv(_covariance(x, x, start, tilt, walk) + np.diag(noise + JITTER))
        ones = inverse.sum(axis=1)
        sure = ones.sum()
        cross = _covariance(at, x, start, tilt, walk)
        gain = cross @ inverse
        left = 1 - gain.sum(axis=1)
        size = -np.linalg.slogdet(inverse)[1] + np.log(sure)
        spread = _covariance(at, at, start, tilt, walk) - gain @ cross.T + np.outer(left, left) / sure
        return cls(inverse, ones / sure, gain, spread, float(size))

    @cached_property
    def root(self) -> np.ndarray:
        """A root of the covariance at the places asked about."""
        values, vectors = np.linalg.eigh((self.spread + self.spread.T) / 2)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def seen(self, y: np.ndarray) -> _Kriging:
        """A recipe measured at the places."""
        level = self.level @ y
        off = y - level
        evidence = -0.5 * (self.log_size + off @ self.inverse @ off)
        return _Kriging(level + self.gain @ off, self, float(evidence))


def _covariance(x: np.ndarray, y: np.ndarray, start: np.ndarray, tilt: float, walk: float) -> np.ndarray:
    """Of tilt and walk between two sets of places, both zero at the start; along runs whose axes grow alike,
    tilt is per decade of compute and walk per root decade of it."""
    one, two = x[:, None] - start, y[None, :] - start
    together = np.where(one * two > 0, np.minimum(np.abs(one), np.abs(two)), 0.0)
    return tilt**2 * x.shape[1] * (one * two).sum(axis=-1) + walk**2 * together.sum(axis=-1)
