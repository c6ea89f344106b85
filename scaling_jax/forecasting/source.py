"""A forecast as what a plan or a contrast is made from: its members as one law, with draws.

A draw is one member, picked by weight, with its parameters as the rows leave them open, moved by one error
that grows with compute as the calibrated band does.
"""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array
from scaling_jax.core.law import Law, Parameter
from scaling_jax.engine.coordinates import to_natural
from scaling_jax.forecasting.members import Batch
from scaling_jax.forecasting.rows import Known
from scaling_jax.planning.joined import mixed
from scaling_jax.planning.source import Source
from scaling_jax.uncertainty.tails import student_quantile

__all__ = ["beyond", "source_of_members"]

DRAWS = 1000
KNOTS = np.arange(0.0, 9.0)  # decades of compute beyond the rows at which the band is known


def source_of_members(
    batch: Batch,
    weight: np.ndarray,
    half: np.ndarray,
    degrees: float,
    draws: bool,
    moved: bool = True,
) -> Source:
    """The members of a forecast as one law, with draws where they are wanted.

    Args:
        batch: the members; the first cut-off is the whole table.
        weight: (members,).
        half: (knots,) half-widths at 90 % of what draws do not show by themselves, at `KNOTS`.
        degrees: of the Student t that errors follow.
        draws: whether draws are wanted.
        moved: whether draws hold the error that grows with compute.
    """
    rng, known = np.random.default_rng(0), batch.cuts[0].rows
    fits = [batch.fit_of(m) for m in range(len(batch.members))]
    law = mixed(tuple(_in_units(fit.law, known.names, fit.prior is not None) for fit, _ in fits))
    size, level = known.end
    units = np.concatenate([size, [level], half, [known.compute.max()]])
    n = DRAWS if draws else 0

    def numbers(which: np.ndarray, z: list[np.ndarray], shift: np.ndarray) -> np.ndarray:
        """(n, labels) weights, then each member's parameters, units and shift."""
        parts = [which]
        for (fit, _), own in zip(fits, z, strict=True):
            natural = to_natural(fit.law.label_domains, own)
            every = np.broadcast_to(units, (len(own), len(units)))
            parts += [natural, every, shift[:, None]]
        return np.concatenate(parts, axis=1)

    best = numbers(weight[None], [fit.z[[piece]] for fit, piece in fits], np.zeros(1))[0]
    drawn = None
    if draws:
        picked = np.eye(len(weight))[rng.choice(len(weight), n, p=weight)]
        z = [fit.z[p] + rng.normal(size=(n, fit.z.shape[1])) @ fit.spread[p].T for fit, p in fits]
        shift = student_quantile(rng.uniform(size=n), degrees) / student_quantile(0.95, degrees)
        drawn = numbers(picked, z, shift if moved else np.zeros(n))
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
        moved = jnp.exp(params["shift"] * jnp.interp(ahead, jnp.asarray(KNOTS), params["half"]))
        if not common:
            return law.apply(params, given) * moved
        size = dict(zip(names, jnp.exp(params["size"]), strict=True))
        own = {name: given[name] / size[name] for name in law.inputs}
        return law.apply(params, own) * jnp.exp(params["level"]) * moved

    shapes = {"size": (len(names),), "level": (), "half": (len(KNOTS),), "reach": (), "shift": ()}
    units = [Parameter(name, shape=shape) for name, shape in shapes.items()]
    return Law(scaled, name=law.name, inputs=law.input_domains, params=[*law.parameters, *units], formula="")
