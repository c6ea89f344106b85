"""A forecast as what a plan or a contrast is made from: its members as one law, with draws.

A draw is one member, picked by weight, with its parameters as the rows leave them open, moved by one error
that grows with compute. What the rows leave open is more than past forecasts erred by: draws are drawn
towards the forecast as far as its calibrated band asks for, and the error fills what is left of the band.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array
from scaling_jax.core.law import Law, Parameter
from scaling_jax.engine.coordinates import to_natural
from scaling_jax.engine.predict import predict
from scaling_jax.forecasting.members import Batch
from scaling_jax.forecasting.rows import Known
from scaling_jax.planning.joined import mixed
from scaling_jax.planning.source import Source
from scaling_jax.uncertainty.tails import student_quantile

__all__ = ["Band", "beyond", "source_of_members"]

DRAWS = 1000
ENDS = (0.05, 0.95)
HALVINGS = 12
KNOTS = np.arange(0.0, 9.0)  # decades of compute beyond the rows at which the band is known


@dataclass(frozen=True, eq=False)
class Band:
    """The calibrated band, at `KNOTS`.

    Args:
        centre: (knots,) log medians.
        half: (knots,) half-widths at 90 %.
        asked: decades beyond the rows that were asked about.
    """

    centre: np.ndarray
    half: np.ndarray
    asked: float

    def share(self, said: Callable[[float], np.ndarray], own: np.ndarray) -> float:
        """How far draws may lie from the forecast so that they and the laws' own error fit into the band at
        all decades that were asked about."""
        near = max(np.ceil(self.asked), 1.0) >= KNOTS
        room = np.sqrt(np.maximum(self.half**2 - own**2, 0.0))[near]

        def fits(share: float) -> bool:
            return bool((_half_of(said(share))[near] <= room).all())

        if fits(1.0):
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def filled(self, said: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(knots,) half-widths of the error, and where it lies, with which draws have the band's ends."""
        low, high = np.zeros(len(KNOTS)), self.half.copy()
        for _ in range(2 * HALVINGS):
            fill = 0.5 * (low + high)
            wide = _half_of(said + shift[:, None] * fill) > self.half
            low, high = np.where(wide, low, fill), np.where(wide, fill, high)
        ends = np.quantile(said + shift[:, None] * fill, ENDS, axis=0)
        return fill, self.centre - ends.mean(axis=0)


def _half_of(said: np.ndarray) -> np.ndarray:
    """(knots,) half the distance of the ends of 90 % of draws."""
    low, high = np.quantile(said, ENDS, axis=0)
    return 0.5 * (high - low)


def source_of_members(
    batch: Batch,
    weight: np.ndarray,
    half: np.ndarray,
    degrees: float,
    draws: bool,
    band: Band | None = None,
) -> Source:
    """The members of a forecast as one law, with draws where they are wanted.

    Args:
        batch: the members; the first cut-off is the whole table.
        weight: (members,).
        half: (knots,) half-widths at 90 % of what draws do not show by themselves, at `KNOTS`.
        degrees: of the Student t that errors follow.
        draws: whether draws are wanted.
        band: that the draws are to show; None for the members as they are.
    """
    rng, known = np.random.default_rng(0), batch.cuts[0].rows
    fits = [batch.fit_of(m) for m in range(len(batch.members))]
    law = mixed(tuple(_in_units(fit.law, known.names, fit.prior is not None) for fit, _ in fits))
    size, level = known.end

    def numbers(
        which: np.ndarray, z: list[np.ndarray], shift: np.ndarray, half: np.ndarray, middle: np.ndarray
    ) -> np.ndarray:
        """(n, labels) weights, then each member's parameters, units and shift."""
        parts, units = [which], np.concatenate([size, [level], half, middle, [known.compute.max()]])
        for (fit, _), own in zip(fits, z, strict=True):
            natural = to_natural(fit.law.label_domains, own)
            every = np.broadcast_to(units, (len(own), len(units)))
            parts += [natural, every, shift[:, None]]
        return np.concatenate(parts, axis=1)

    still = np.zeros(len(KNOTS))
    best = numbers(weight[None], [fit.z[[piece]] for fit, piece in fits], np.zeros(1), half, still)[0]
    drawn = None
    if draws:
        picked = np.eye(len(weight))[rng.choice(len(weight), DRAWS, p=weight)]
        moves = [rng.normal(size=(DRAWS, fit.z.shape[1])) @ fit.spread[p].T for fit, p in fits]
        shift = student_quantile(rng.uniform(size=DRAWS), degrees) / student_quantile(0.95, degrees)

        def members(share: float) -> tuple[np.ndarray, list[np.ndarray]]:
            """Weights and parameters, drawn towards those of the forecast to a share of their distance."""
            z = [fit.z[p] + share * move for (fit, p), move in zip(fits, moves, strict=True)]
            return share * picked + (1 - share) * weight, z

        drawn = numbers(*members(1.0), np.zeros(DRAWS), half, still)
        if band is not None:
            points = np.exp(beyond(known)).T
            inputs = {
                name: column for name, column in zip(known.names, points, strict=True) if name in law.inputs
            }

            def said(share: float) -> np.ndarray:
                """(draws, knots) log losses before the error."""
                return np.log(predict(law, numbers(*members(share), np.zeros(DRAWS), half, still), inputs))

            share = band.share(said, half)
            fill, middle = band.filled(said(share), shift)
            drawn = numbers(*members(share), shift, fill, middle)
    rows = {name: np.exp(column) for name, column in zip(known.names, known.inputs.T, strict=True)}
    ends = {name: (float(column.min()), float(column.max())) for name, column in rows.items()}
    return Source(law, best, drawn, "forecast: members picked by weight", rows=rows, ends=ends)


def beyond(known: Known) -> np.ndarray:
    """(knots, inputs) points from the largest row outwards, all inputs growing alike."""
    end = known.inputs[int(np.argmax(known.compute))]
    return end + KNOTS[:, None] * np.log(10.0) / len(known.names)


@lru_cache(maxsize=64)
def _in_units(law: Law, names: tuple[str, ...], common: bool) -> Law:
    """A member in natural units: its inputs over the rows' end where families are shared, its loss times
    theirs, moved by `shift` half-widths."""
    budget = [name for name in names if name in ("N", "D")]
    grows = budget if len(budget) == 2 else [names[0]]

    def scaled(*inputs: Array, **params: Array) -> Array:
        given = dict(zip(law.inputs, inputs, strict=True))
        compute = sum((jnp.log(given[name]) for name in grows if name in given), jnp.zeros(()))
        ahead = (compute - params["reach"]) / jnp.log(10.0)
        half, middle = (jnp.interp(ahead, jnp.asarray(KNOTS), params[n]) for n in ("half", "middle"))
        moved = jnp.exp(middle + params["shift"] * half)
        if not common:
            return law.apply(params, given) * moved
        size = dict(zip(names, jnp.exp(params["size"]), strict=True))
        own = {name: given[name] / size[name] for name in law.inputs}
        return law.apply(params, own) * jnp.exp(params["level"]) * moved

    shapes = {
        "size": (len(names),),
        "level": (),
        "half": (len(KNOTS),),
        "middle": (len(KNOTS),),
        "reach": (),
        "shift": (),
    }
    units = [Parameter(name, shape=shape) for name, shape in shapes.items()]
    return Law(scaled, name=law.name, inputs=law.input_domains, params=[*law.parameters, *units], formula="")
