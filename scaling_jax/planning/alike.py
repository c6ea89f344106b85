r"""What recipes have in common: their laws differ little, and draws of them are held to that.

Each recipe's runs leave directions of its law open (a floor against an exponent), along which draws of two
recipes wander apart as no two recipes do. So that the parameters of recipe r, in pivoted coordinates w, lie
near those of the others is taken as one more observation of every draw,

$$w_r - \bar w_{-r} \sim N\left(0, \; \tfrac{R}{R - 1}\operatorname{diag}(s^2)\right),$$

and moves it by the regression of w_r on that difference (an ensemble Kalman update; Evensen 1994). What the
runs determine stays; what they leave open is borrowed. Pivoted: an exponent turns a term about the middle of
the runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_jax.core.arrays import Columns
from scaling_jax.core.law import Law
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.predict import predict

__all__ = ["settled"]

EFFECT = 0.015  # log loss: how much one term of the law differs between recipes
SLOPE = 0.03  # relative: how much an exponent does
LEAST_SLOPE = 1e-3
STEP = 0.01
FARTHEST = 3.0  # logs by which a term may lie from the recipes' own mean
TAILS = 2.0  # robust scales beyond which draws are pulled in
ONE_SIGMA = 0.6827
TINY = 1e-300


def settled(law: Law, numbers: np.ndarray, rows: Columns, rng: np.random.Generator) -> np.ndarray:
    """Estimates and draws of recipes' parameters, given that recipes are alike.

    Args:
        law: of every recipe.
        numbers: (recipes, 1 + draws, labels), the estimate first, natural units.
        rows: input -> (rows,) where they were trained.
        rng: of the belief's own draws.
    """
    pivot = _Pivot.of(law, numbers[:, 0], rows)
    w = _without_tails(pivot.turned(numbers))
    others = (w.sum(axis=0) - w) / (len(w) - 1)
    apart = w - others
    believed = rng.normal(size=w.shape) * pivot.spread
    believed[:, 0] = 0.0
    believed -= (believed.sum(axis=0) - believed) / (len(w) - 1)
    belief = np.diag(pivot.spread**2) * len(w) / (len(w) - 1)
    moved = np.empty_like(w)
    for r in range(len(w)):
        seen, own = (x[r, 1:] - x[r, 1:].mean(axis=0) for x in (apart, w))
        gain = np.linalg.solve(seen.T @ seen / len(seen) + belief, seen.T @ own / len(seen))
        moved[r] = w[r] + (believed[r] - apart[r]) @ gain
    return pivot.natural(moved)


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
