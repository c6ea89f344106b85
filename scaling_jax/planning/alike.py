r"""What recipes have in common: their laws differ little, and draws of them are held to that.

Each recipe's runs leave directions of its law open (a floor against an exponent), along which draws of two
recipes wander apart as no two recipes do. So that the parameters of recipe r, in pivoted coordinates w, lie
near those of the others is taken as one more observation of every draw,

$$w_r - \bar w_{-r} \sim N\left(0, \; \tfrac{R}{R - 1}\operatorname{diag}(s^2)\right),$$

and moves it by the regression of w_r on that difference (an ensemble Kalman update; Evensen 1994). What the
runs determine stays; what they leave open is borrowed. Pivoted: an exponent turns a term about the middle of
the runs. How large the differences of these recipes are, a factor on s, is weighed by what the draws say of
them: optimisers differ by thousandths of the loss, data sets by tenths.

Along the path to the places that are asked about, the distance of two recipes is believed to stay mostly what
it is at the largest runs: it changes by a walk whose step per root decade is a share of that distance. The
share is one of those of five suites of real tables, alike beforehand and weighed by the draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_jax.core.arrays import Columns
from scaling_jax.core.law import Law
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.predict import predict

__all__ = ["Path", "Settled", "settled"]

EFFECT = 0.015  # log loss: how much one term of the law differs between recipes
SLOPE = 0.03  # relative: how much an exponent does
LEAST_SLOPE = 1e-3
STEP = 0.01
SIZES = (0.25, 0.5, 1.0, 2.0)  # of the recipes' differences, weighed by their draws
CHANGES = (0.13, 0.28, 0.38, 0.45, 0.5)
"""Shares of a distance by which it changes per root decade of compute: between mixtures of SlimPajama, data
sets of Gadre et al., learning-rate schedules, corpora of DataDecide, optimisers of Wen et al."""
LEAST_DISTANCE = 1e-3  # of log loss
FARTHEST = 3.0  # logs by which a term may lie from the recipes' own mean
TAILS = 2.0  # robust scales beyond which draws are pulled in
ONE_SIGMA = 0.6827
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Path:
    """Places of rising compute, from the largest runs on to what is asked about.

    Args:
        decades: (places,) log10 of compute.
        inputs: input -> (places,).
    """

    decades: np.ndarray
    inputs: Columns


@dataclass(frozen=True, eq=False)
class Settled:
    """Recipes held to be alike.

    Args:
        numbers: (recipes, 1 + draws, labels), the estimate first, natural units.
        change: root mean square change in log loss, per root decade, of a recipe's distance from the others
            beyond the largest runs; infinite where no place beyond them is asked about.
    """

    numbers: np.ndarray
    change: float


def settled(
    law: Law, numbers: np.ndarray, rows: Columns, rng: np.random.Generator, path: Path | None = None
) -> Settled:
    """Estimates and draws of recipes' parameters, given that recipes are alike.

    Args:
        law: of every recipe.
        numbers: (recipes, 1 + draws, labels), the estimate first, natural units.
        rows: input -> (rows,) where they were trained.
        rng: of the belief's own draws.
        path: from the largest runs to the places that are asked about, where those lie beyond.
    """
    pivot = _Pivot.of(law, numbers[:, 0], rows)
    w = _without_tails(pivot.turned(numbers))
    recipes, n, _ = w.shape
    shared = recipes / (recipes - 1)
    apart = w - (w.sum(axis=0) - w) / (recipes - 1)
    beliefs, squares = (
        [np.diag(np.square(size * pivot.spread)) for size in SIZES],
        np.full(len(SIZES), np.inf),
    )
    if path is not None:
        effects = pivot.effects(path.inputs)
        distance = max(np.sqrt(np.mean(np.square(apart[:, 1:] @ effects[:, 0]))), LEAST_DISTANCE)
        squares = np.tile(np.square(distance * np.array(CHANGES)), len(SIZES))
        wide = np.repeat(np.stack(beliefs), len(CHANGES), axis=0)
        steps = squares[:, None] * np.diff(path.decades) / shared
        changes = np.diff(effects, axis=1)
        beliefs = [_keeping(one, changes, step) for one, step in zip(wide, steps, strict=True)]
    seen, own = ((one - one[:, 1:].mean(axis=1, keepdims=True))[:, 1:] for one in (apart, w))
    scatter = np.einsum("rni,rnj->rij", seen, seen) / (n - 1)
    along = np.einsum("rni,rnj->rij", seen, own) / (n - 1)
    weight = _weights(apart[:, 0], scatter, [shared * one for one in beliefs])
    chosen = rng.choice(len(beliefs), size=(n,), p=weight)
    moved = np.zeros_like(w)
    for k, belief in enumerate(beliefs):
        mine = np.flatnonzero(chosen[1:] == k) + 1
        gain = np.linalg.solve(scatter + shared * belief, along)
        believed = rng.normal(size=(recipes, len(mine), len(belief))) @ _root(belief).T
        believed -= (believed.sum(axis=0) - believed) / (recipes - 1)
        moved[:, mine] = w[:, mine] + (believed - apart[:, mine]) @ gain
        moved[:, :1] += weight[k] * (w[:, :1] - apart[:, :1] @ gain)
    return Settled(pivot.natural(moved), float(np.sqrt(weight @ squares)))


def _keeping(belief: np.ndarray, changes: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """A belief's covariance, given that distances change along (labels, places) by no more than a walk whose
    increments have these variances."""
    seen = belief @ changes
    return belief - seen @ np.linalg.solve(changes.T @ seen + np.diag(steps), seen.T)


def _weights(apart: np.ndarray, scatter: np.ndarray, beliefs: list[np.ndarray]) -> np.ndarray:
    """Of each belief, by the density of the recipes' distances (recipes, labels) under it; one fewer than
    recipes are free."""
    log = np.zeros(len(beliefs))
    for k, belief in enumerate(beliefs):
        covariance = scatter + belief
        square = np.einsum("ri,ri->r", apart, np.linalg.solve(covariance, apart[..., None])[..., 0])
        log[k] = -0.5 * np.mean(np.linalg.slogdet(covariance)[1] + square) * (len(apart) - 1)
    weight = np.exp(log - log.max())
    return weight / weight.sum()


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _without_tails(w: np.ndarray) -> np.ndarray:
    """(recipes, 1 + draws, labels) with far draws pulled in towards the estimate."""
    centre = w[:, :1]
    reach = TAILS * np.quantile(np.abs(w[:, 1:] - centre), ONE_SIGMA, axis=1, keepdims=True)
    return centre + np.clip(w - centre, -reach, reach)


@dataclass(frozen=True, eq=False)
class _Pivot:
    """Coordinates in which recipes are compared.

    Args:
        law: the law.
        base: (labels,) the recipes' own middle, natural units.
        log: (labels,) which numbers are compared by their logarithm.
        turn: (log labels, others) what a unit of each other number does to the level of each term.
        spread: (labels,) how much recipes differ.
    """

    law: Law
    base: np.ndarray
    log: np.ndarray
    turn: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, law: Law, estimates: np.ndarray, rows: Columns) -> _Pivot:
        log = np.asarray(searched_as_logs(law.label_domains), dtype=bool)
        positive = np.log(np.maximum(estimates, TINY))
        base = np.where(log, np.exp(np.median(positive, axis=0)), np.median(estimates, axis=0))
        stepped = np.where(np.eye(len(base), dtype=bool) & log, base * np.exp(STEP), base)
        stepped = stepped + np.diag(np.where(log, 0.0, STEP))
        curves = np.log(predict(law, np.vstack([base, stepped]), rows))
        effects = np.nan_to_num((curves[1:] - curves[0]) / STEP)
        turn = np.linalg.lstsq(effects[log].T, effects[~log].T, rcond=None)[0]
        size = np.sqrt(np.mean(effects**2, axis=1))
        spread = np.where(log, EFFECT / np.maximum(size, EFFECT), SLOPE * np.abs(base) + LEAST_SLOPE)
        return cls(law, base, log, turn, spread)

    def effects(self, rows: Columns) -> np.ndarray:
        """(labels, rows) what a unit of each coordinate does to the log loss."""
        moved = np.vstack([np.zeros(len(self.base)), STEP * np.eye(len(self.base))])
        curves = np.log(predict(self.law, self.natural(moved), rows))
        return np.nan_to_num((curves[1:] - curves[0]) / STEP)

    def turned(self, numbers: np.ndarray) -> np.ndarray:
        """(..., labels) from natural units."""
        numbers = np.where(np.isfinite(numbers), numbers, self.base)
        z = np.where(
            self.log, np.log(np.maximum(numbers, TINY) / np.maximum(self.base, TINY)), numbers - self.base
        )
        level = z[..., self.log] + z[..., ~self.log] @ self.turn.T
        z[..., self.log] = np.clip(level, -FARTHEST, FARTHEST)
        return z

    def natural(self, w: np.ndarray) -> np.ndarray:
        """(..., labels) in natural units, inside every number's domain."""
        z = w.copy()
        z[..., self.log] -= w[..., ~self.log] @ self.turn.T
        numbers = np.where(self.log, self.base * np.exp(np.where(self.log, z, 0.0)), self.base + z)
        ends = np.array([(d.lower, d.upper) for d in self.law.label_domains], dtype=np.float64)
        return np.clip(numbers, ends[:, 0], ends[:, 1])
