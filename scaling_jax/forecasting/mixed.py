r"""Mixed estimation: what is known of a parameter is one more row of the table.

A normal prior on a search coordinate is a row whose target is the prior's mean and whose standard error is
its spread (Theil and Goldberger 1961), so that shrunken fits of many tables are the engine's ordinary batch:

$$\min_\theta \sum_i w_i\,\rho\Big(\frac{\log L_\theta(x_i) - \log y_i}{s}\Big)
  + \sum_j \rho\Big(\frac{z_j(\theta) - \mu_j}{\tau_j}\Big)$$
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array
from scaling_jax.core.domains import NON_NEGATIVE
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Huber
from scaling_jax.engine.coordinates import to_natural
from scaling_jax.engine.predict import predict_rows
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import make_spec
from scaling_jax.forecasting.population import Population
from scaling_jax.tables.runs import Runs

__all__ = ["Piece", "Shrunk", "shrink"]

WHICH = "which"  # the input that tells a row of the table, 0, from the row of a number, its place from 1
CHARGE = Huber(2.0)  # of residuals in their own scales: a run far off is charged by its distance
FIRST_SCALE = 0.02  # of residuals, before they are seen
USUAL_SCALE, WORTH = 0.01, 2.0  # a scale that is expected of residuals, and as how many runs it counts
STARTS = 4

Prior: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Means and standard deviations of the search coordinates, each (pieces, labels)."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows to fit, as logarithms in units of the rows' end.

    Args:
        names: what the inputs are called.
        inputs: (rows, inputs).
        target: (rows,).
        weight: (rows,), summing to how many runs the rows are worth.
        size: (inputs,) logarithms of the units, in natural units.
        level: that of the target's.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    size: np.ndarray
    level: float


@dataclass(frozen=True, eq=False)
class Shrunk:
    """One law fitted to many pieces.

    Args:
        law: the law.
        pieces: what it was fitted to.
        z: (pieces, labels) search coordinates; in units of the rows' end where families share, else natural
            ones.
        spread: (pieces, labels, labels) a root of their covariance.
        scale: (pieces,) residual scales.
        pooled: (pieces, labels) the share of each coordinate's precision that families in common gave.
        prior: means and standard deviations of the coordinates in families in common, each (pieces, labels);
            None where nothing is shared.
    """

    law: Law
    pieces: list[Piece]
    z: np.ndarray
    spread: np.ndarray
    scale: np.ndarray
    pooled: np.ndarray
    prior: Prior | None

    def predict(self, which: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Log predictions (n,) of pieces (n,) at log inputs (n, inputs), both in natural units."""
        return self._at(self.z[which], which, points)

    def uncertainty(self, which: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(n,) standard deviations of log predictions as the coordinates move."""
        total = np.zeros(len(points))
        for j in range(self.z.shape[1]):
            step = self.spread[which, :, j]
            up, down = (self._at(self.z[which] + s * step, which, points) for s in (1, -1))
            total += ((up - down) / 2) ** 2
        return np.sqrt(total)

    def under(self, populations: Sequence[Population]) -> Shrunk:
        """The same fits under other populations, one each, by the conjugate step of normal and normal."""
        if self.prior is None:
            return self
        mean, sd = np.stack([p.mean for p in populations]), np.stack([p.sd for p in populations])
        labels = range(mean.shape[1])
        precision = np.linalg.inv(self.spread @ self.spread.swapaxes(1, 2))
        precision[:, labels, labels] += 1 / sd**2 - 1 / self.prior[1] ** 2
        pull = _pull(self.z, *self.prior) - _pull(self.z, mean, sd)
        spread = _root(precision, 0.25 / sd.max(axis=1) ** 2)
        step = np.einsum("pij,pkj,pk->pi", spread, spread, pull)
        pooled = np.minimum((spread**2).sum(axis=2) / sd**2, 1.0)
        return replace(self, z=self.z + step, spread=spread, pooled=pooled, prior=(mean, sd))

    def _at(self, z: np.ndarray, which: np.ndarray, points: np.ndarray) -> np.ndarray:
        if self.prior is None:
            return _log_prediction(self.law, self.pieces[0].names, z, points)
        size = np.stack([p.size for p in self.pieces])[which]
        level = np.array([p.level for p in self.pieces])[which]
        return level + _log_prediction(self.law, self.pieces[0].names, z, points - size)


def shrink(law: Law, populations: Sequence[Population] | None, pieces: Sequence[Piece]) -> Shrunk:
    """Fits a law to every piece, drawn towards what families have in common, one population for each.

    Without populations nothing is shared, and a fit is the engine's own in natural units.
    """
    if populations is None:
        return _alone(law, pieces)
    mean, sd = np.stack([p.mean for p in populations]), np.stack([p.sd for p in populations])
    noise = np.random.default_rng(0).normal(size=(STARTS - 1, mean.shape[1]))
    starts = np.concatenate([mean[:, None], mean[:, None] + noise * sd[:, None]], axis=1)
    prior = mean, sd
    scale = np.full(len(pieces), FIRST_SCALE)
    z, _ = _solved(law, prior, pieces, scale, starts)
    scale = _scales(law, z, pieces, scale)
    z, hessian = _solved(law, prior, pieces, scale, np.stack([z, mean], axis=1))
    spread = _root(hessian, 0.25 / sd.max(axis=1) ** 2)
    pooled = np.minimum((spread**2).sum(axis=2) / sd**2, 1.0)
    return Shrunk(law, list(pieces), z, spread, _scales(law, z, pieces, scale), pooled, prior)


def _alone(law: Law, pieces: Sequence[Piece]) -> Shrunk:
    natural = [replace(p, inputs=p.inputs + p.size, target=p.target + p.level) for p in pieces]
    scale = np.full(len(pieces), FIRST_SCALE)
    z, _ = _solved(law, None, natural, scale, None)
    scale = _scales(law, z, natural, scale)
    z, hessian = _solved(law, None, natural, scale, z[:, None])
    spread, scale = _root(hessian, np.ones(len(pieces))), _scales(law, z, natural, scale)
    return Shrunk(law, list(pieces), z, spread, scale, np.zeros(z.shape), None)


def _pull(z: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """The slope of the charge of prior rows."""
    return np.clip((z - mean) / sd, -CHARGE.delta, CHARGE.delta) / sd


def _root(hessian: np.ndarray, least: np.ndarray) -> np.ndarray:
    """(pieces, k, k) roots of the inverses; no direction is known less than its least precision says."""
    values, vectors = np.linalg.eigh(hessian)
    return vectors / np.sqrt(np.maximum(values, least[:, None]))[:, None, :]


def _solved(
    law: Law, prior: Prior | None, pieces: Sequence[Piece], scale: np.ndarray, starts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Search coordinates (pieces, labels) at the optima, and the Hessians there."""
    fitted = law if prior is None else with_prior_rows(law)
    runs, members = _stacked(law, prior, pieces, scale)
    held = np.full((len(pieces), len(law.labels)), np.nan)
    task = Task(make_spec(fitted, CHARGE), runs, members, held, list(range(len(pieces))))
    at = None if starts is None else to_natural(law.label_domains, starts)
    found = solve_members(task, starts=at)
    return np.stack([f.evidence.z for f in found]), np.stack([f.evidence.hessian for f in found])


@lru_cache(maxsize=64)
def with_prior_rows(law: Law) -> Law:
    """The law with one more input: at 0 it is the law, at j the exponential of its j-th search coordinate."""

    def mixed(*inputs: Array, **params: Array) -> Array:
        value, which = law.fn(*inputs[:-1], **params), inputs[-1]
        for place, p in enumerate(law.parameters, 1):
            number = params[p.name] if p.domain.log else jnp.exp(params[p.name])
            value = jnp.where(which == place, number, value)
        return value

    inputs = {**law.input_domains, WHICH: NON_NEGATIVE}
    recipe = (__name__, "with_prior_rows", (law,))
    return Law(mixed, name=f"{law.name} with prior rows", params=law.parameters, inputs=inputs, recipe=recipe)


def _stacked(
    law: Law, prior: Prior | None, pieces: Sequence[Piece], scale: np.ndarray
) -> tuple[Runs, list[np.ndarray]]:
    """All pieces, each with the rows of its priors, under one another; and the positions of each one's."""
    k = 0 if prior is None else len(law.labels)
    none = np.zeros((len(pieces), 0))
    mean, sd = (none, none) if prior is None else prior
    both = list(zip(pieces, mean, sd, scale.tolist(), strict=True))
    inputs = np.concatenate([np.pad(p.inputs, ((0, k), (0, 0))) for p in pieces])
    target = np.concatenate([np.append(p.target, m) for p, m, _, _ in both])
    weight = np.concatenate([np.pad(p.weight, (0, k), constant_values=1.0) for p in pieces])
    se = np.concatenate([np.append(np.full(len(p.target), s), own) for p, _, own, s in both])
    which = np.concatenate([np.append(np.zeros(len(p.target)), np.arange(1.0, k + 1)) for p in pieces])
    columns = {name: np.exp(inputs[:, pieces[0].names.index(name)]) for name in law.inputs}
    if prior is not None:
        columns[WHICH] = which
    runs, sizes = Runs.plain(columns, np.exp(target), weight, se), [len(p.target) + k for p in pieces]
    return runs, np.split(runs.rows, np.cumsum(sizes)[:-1])


def _scales(law: Law, z: np.ndarray, pieces: Sequence[Piece], scale: np.ndarray) -> np.ndarray:
    """(pieces,) residual scales, drawn towards the usual one, as robust as the fits were."""
    which = np.repeat(np.arange(len(pieces)), [len(p.target) for p in pieces])
    inputs = np.concatenate([p.inputs for p in pieces])
    residual = _log_prediction(law, pieces[0].names, z[which], inputs)
    residual -= np.concatenate([p.target for p in pieces])
    weight = np.concatenate([p.weight for p in pieces])
    charge = 2 * weight * scale[which] ** 2 * CHARGE.rho(residual / scale[which])
    total, worth = (np.bincount(which, weights=w, minlength=len(pieces)) for w in (charge, weight))
    return np.sqrt((total + WORTH * USUAL_SCALE**2) / (worth + WORTH))


def _log_prediction(law: Law, names: tuple[str, ...], z: np.ndarray, points: np.ndarray) -> np.ndarray:
    inputs = {name: np.exp(points[:, names.index(name)]) for name in law.inputs}
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.log(predict_rows(law, to_natural(law.label_domains, z), inputs))
