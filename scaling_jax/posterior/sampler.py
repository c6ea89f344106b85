"""Chains: NUTS over standard coordinates, each a lane of one program, in pieces short enough to watch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.engine.kept import kept
from scaling_jax.engine.padding import padded
from scaling_jax.posterior.geometry import Coordinates, Geometry, dimension, natural, potential, settle
from scaling_jax.posterior.model import Array, Design, Sites, Table

if TYPE_CHECKING:
    from numpyro.infer.hmc import HMCState

__all__ = ["Chains", "Settings", "programs", "run_laplace", "run_nuts"]

PIECE = 25
DENSE_UP_TO = 40
VALUES_PER_CALL = 2**23

Progress = Callable[[int, int], None]
"""Is told how much is done, out of how much."""


class Settings(NamedTuple):
    """How long and how carefully to sample."""

    chains: int = 4
    draws: int = 1000
    warmup: int = 500
    target_accept: float = 0.9
    seed: int = 0


class Chains(NamedTuple):
    """What sampling gives.

    Args:
        sites: (chains, draws, ...) each, natural units.
        diverging, n_steps: (chains, draws) what happened on the way to each draw.
        energy: (chains, draws) minus the log posterior density of the standard coordinates.
        log_weight: (chains, draws) of the Laplace approximation: the log of the posterior over it, up to a
            constant.
    """

    sites: dict[str, np.ndarray]
    diverging: np.ndarray
    n_steps: np.ndarray
    energy: np.ndarray
    log_weight: np.ndarray | None = None


class Programs(NamedTuple):
    """Compiled on first use, one set per design and settings: settle, begin, advance, natural, potential."""

    settle: Callable[[Table, jax.Array, jax.Array], Geometry]
    begin: Callable[[Table, Geometry, jax.Array, jax.Array], HMCState]
    advance: Callable[[Table, Geometry, HMCState], tuple[HMCState, tuple[jax.Array, ...]]]
    natural: Callable[[Table, Geometry, Array], Sites]
    potential: Callable[[Table, Geometry, Array], jax.Array]


@kept
def programs(design: Design, warmup: int, target_accept: float) -> Programs:
    """The functions of one posterior, mapped over chains; `benchmarks/sbc.py` maps them over data sets."""
    from numpyro.infer.hmc import hmc

    begin_one, advance_one = hmc(
        potential_fn_gen=lambda table, geometry: lambda u: potential(design, table, geometry, u), algo="NUTS"
    )
    dense = dimension(design) <= DENSE_UP_TO

    def begin(table: Table, geometry: Geometry, u: jax.Array, key: jax.Array) -> HMCState:
        return begin_one(
            u,
            warmup,
            step_size=0.5,
            dense_mass=dense,
            target_accept_prob=target_accept,
            model_args=(table, geometry),
            rng_key=key,
        )

    def advance(table: Table, geometry: Geometry, state: HMCState) -> tuple[HMCState, tuple[jax.Array, ...]]:
        def step(state: HMCState, _: None) -> tuple[HMCState, tuple[jax.Array, ...]]:
            state = advance_one(state, (table, geometry))
            return state, (state.z, state.diverging, state.num_steps, state.potential_energy)

        return jax.lax.scan(step, state, None, length=PIECE)

    def over_chains(one: Callable[..., Any], *per_chain: int) -> Callable[..., Any]:
        return jax.jit(jax.vmap(one, (None, None, *per_chain)))

    return Programs(
        settle=jax.jit(partial(settle, design)),
        begin=over_chains(begin, 0, 0),
        advance=over_chains(advance, 0),
        natural=over_chains(partial(natural, design), 0),
        potential=over_chains(partial(potential, design), 0),
    )


def run_nuts(
    design: Design, table: Table, start: Coordinates, settings: Settings, progress: Progress
) -> Chains:
    """Settles at the mode, scatters the chains around it by the curvature there, and samples."""
    found = programs(design, settings.warmup, settings.target_accept)
    geometry = found.settle(table, *start)
    scatter, moving = jax.random.split(jax.random.key(settings.seed))
    u = jax.random.normal(scatter, (settings.chains, dimension(design)))
    finite = jnp.isfinite(found.potential(table, geometry, u))
    state = found.begin(
        table, geometry, jnp.where(finite[:, None], u, 0.0), jax.random.split(moving, settings.chains)
    )
    kept = []
    total = settings.warmup + settings.draws
    for done in range(0, total, PIECE):
        state, piece = found.advance(table, geometry, state)
        kept.append(jax.tree.map(np.asarray, piece))
        progress(min(done + PIECE, total), total)
    z, diverging, n_steps, energy = (
        np.concatenate(p, axis=1)[:, settings.warmup : total] for p in zip(*kept, strict=True)
    )
    return Chains(_sites(found, design, table, geometry, z), diverging, n_steps, energy)


def run_laplace(
    design: Design, table: Table, start: Coordinates, settings: Settings, progress: Progress
) -> Chains:
    """Independent draws of the approximation that the bijection is: standard normals, mapped."""
    found = programs(design, settings.warmup, settings.target_accept)
    geometry = found.settle(table, *start)
    progress(1, 1)
    u = np.asarray(
        jax.random.normal(jax.random.key(settings.seed), (settings.chains, settings.draws, dimension(design)))
    )
    flat = u.reshape(-1, u.shape[-1])
    energy = np.concatenate(
        [np.asarray(found.potential(table, geometry, part)) for part in _parts(design, table, flat)]
    )
    energy = energy[: len(flat)].reshape(u.shape[:2])
    log_weight = np.where(np.isfinite(energy), 0.5 * np.sum(u**2, axis=-1) - energy, -np.inf)
    never = np.zeros(energy.shape, dtype=bool)
    return Chains(_sites(found, design, table, geometry, u), never, never.astype(int), energy, log_weight)


def _parts(design: Design, table: Table, flat: np.ndarray) -> list[np.ndarray]:
    """Equally long parts, the last one padded, so that one program serves them and memory stays small."""
    size = min(len(flat), max(1, VALUES_PER_CALL // max(table.target.size, dimension(design))))
    whole = padded(flat, len(flat) + -len(flat) % size)
    return np.split(whole, len(whole) // size)


def _sites(
    found: Programs, design: Design, table: Table, geometry: Geometry, u: np.ndarray
) -> dict[str, np.ndarray]:
    flat = u.reshape(-1, u.shape[-1])
    parts = [
        jax.tree.map(np.asarray, found.natural(table, geometry, part)) for part in _parts(design, table, flat)
    ]
    joined = {name: np.concatenate([part[name] for part in parts])[: len(flat)] for name in parts[0]}
    return {name: values.reshape(*u.shape[:2], *values.shape[1:]) for name, values in joined.items()}
