r"""Coordinates in which a posterior is round: one bijection from standard normals, built at the optimum.

Scaling laws have ridges (A with alpha, B with beta, offsets with intercepts, groups with their population).
Each level is whitened by the curvature of what lies below it:

- a run's offset, given everything else, by what its residuals say of it and how far runs scatter;
- a group's parameters, given the population, by the exact Hessian of its own rows plus the population's
  precision,

$$\theta_g = \hat\theta_g + Q_g^{-1}(P(\mu - \hat\theta_g) - \nabla_g) + Q_g^{-1/2} u_g, \qquad Q_g = H_g +
P(\tau),$$

  which is centred where a group's rows decide and non-centred where the population does, without a switch;
- the population by the Hessian of what remains when the groups sit at their centres, their Laplace marginal.

The bijection is exact whatever the quality of these approximations: its log-determinant is part of the
potential. Works for any law, since only derivatives of the model are used. After Papaspiliopoulos, Roberts
and Sköld 2007 (centring) and Margossian et al. 2020 (Laplace marginals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.posterior.model import (
    OFFSET,
    TARGET,
    Design,
    Shapes,
    Sites,
    Table,
    location,
    model,
    per_block,
    scatter_of,
)
from scaling_jax.posterior.priors import NOISE_PRIORS, bijection

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from numpyro.distributions.transforms import Transform

__all__ = ["Geometry", "dimension", "natural", "potential", "settle", "start_coordinates"]

STEPS = 60
ROUNDS = 6
LONGEST_STEP = 1.0

Coordinates = tuple[jax.Array, jax.Array]
"""Unconstrained phi (m,) of what groups have in common, and theta (groups, k) of what each has for itself."""
Energy = Callable[[jax.Array], jax.Array]
"""From coordinates (groups, k) to minus a log density per group (groups,)."""


class Geometry(NamedTuple):
    """Where the bijection is anchored, and the derivatives there.

    Args:
        phi: (m,) common quantities; phi_factor: (m, m) Q^(-1/2) of them.
        theta: (groups, k).
        slope, curvature, cross: (groups, k), (groups, k, k) and (groups, k, m) of each group's energy without
            its population prior.
        factor: (groups, k, k) Q^(-1/2) at the anchor.
    """

    phi: jax.Array
    phi_factor: jax.Array
    theta: jax.Array
    slope: jax.Array
    curvature: jax.Array
    cross: jax.Array
    factor: jax.Array


def sizes(design: Design) -> tuple[int, int, int]:
    """How many numbers are common, a group's own, and offsets of runs."""
    m = sum(int(np.prod(s, dtype=int)) for s in design.common.values())
    k = sum(int(np.prod(s, dtype=int)) for s in design.own.values())
    return m, k, design.n_blocks if design.run_effects else 0


def dimension(design: Design) -> int:
    """How many numbers are sampled."""
    m, k, r = sizes(design)
    return m + design.n_groups * k + r


def _bijection(design: Design, table: Table, name: str) -> Transform:
    import numpyro.distributions as dist

    if name in design.pooled:
        return bijection(next(p.domain for p in design.law.parameters if p.name == name))
    return dist.biject_to(table.priors[name].support)


def _named(shapes: Shapes, flat: jax.Array) -> Sites:
    """A flat (..., numbers) array as named arrays (..., *shape)."""
    out, at = {}, 0
    for name, shape in shapes.items():
        n = int(np.prod(shape, dtype=int))
        out[name] = flat[..., at : at + n].reshape(*flat.shape[:-1], *shape)
        at += n
    return out


def start_coordinates(
    design: Design, table: Table, common: Mapping[str, ArrayLike], own: Mapping[str, ArrayLike]
) -> Coordinates:
    """Natural start values as unconstrained phi (m,) and theta (groups, k)."""
    phi = [
        jnp.ravel(_bijection(design, table, n).inv(jnp.asarray(common[n], dtype=float)))
        for n in design.common
    ]
    theta = [
        _bijection(design, table, n).inv(jnp.asarray(own[n], dtype=float)).reshape(design.n_groups, -1)
        for n in design.own
    ]
    return jnp.concatenate([jnp.zeros(0), *phi]), jnp.concatenate(theta, axis=1)


def _values(
    design: Design, table: Table, phi: jax.Array, theta: jax.Array
) -> tuple[Sites, jax.Array, jax.Array]:
    """Natural values, and the log-Jacobian per group (groups,) and of the common ones ()."""
    values: Sites = {}
    of_group, of_common = jnp.zeros(design.n_groups), jnp.zeros(())
    for name, x in _named(design.common, phi).items():
        map_ = _bijection(design, table, name)
        values[name] = map_(x)
        of_common += jnp.sum(map_.log_abs_det_jacobian(x, values[name]))
    for name, x in _named(design.own, theta).items():
        map_ = _bijection(design, table, name)
        values[name] = map_(x)
        of_group += map_.log_abs_det_jacobian(x, values[name]).reshape(design.n_groups, -1).sum(axis=1)
    return values, of_group, of_common


def _by_group(design: Design, table: Table, per_block_value: jax.Array) -> jax.Array:
    """Sums over each group's blocks."""
    if design.n_groups == 1:
        return jnp.sum(per_block_value)[None]
    if design.n_blocks == design.n_groups:
        return per_block_value
    return jnp.zeros(design.n_groups, per_block_value.dtype).at[table.group].add(per_block_value)


def _with_noise(design: Design, table: Table, values: Sites) -> Sites:
    """Values with held noise filled in, as arrays per group or common."""
    held = [name for name in NOISE_PRIORS if name in design.held]
    return {name: jnp.asarray(table.held[name]) for name in held} | values


def _offsets(design: Design, table: Table, values: Sites, u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Offsets of the runs (blocks,), and the log-determinant per group."""
    full = _with_noise(design, table, values)
    precision = table.weight / scatter_of(design, table, full) ** 2
    if design.student:
        nu = per_block(design, table, full["nu"])[:, None]
        precision = precision * (nu + 1) / (nu + 3)
    residual = jnp.where(table.weight > 0, table.target - location(design, table, values), 0.0)
    total = jnp.sum(precision, axis=1) + per_block(design, table, full["run_sd"]) ** -2.0
    offset = jnp.sum(precision * residual, axis=1) / total + u / jnp.sqrt(total)
    return offset, -0.5 * _by_group(design, table, jnp.log(total))


def energies(
    design: Design, table: Table, phi: jax.Array, theta: jax.Array, u_offset: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Minus the log density of (phi, theta, u_offset): per group (groups,), and of what is common ()."""
    import numpyro.distributions as dist
    from numpyro import handlers

    values, of_group, of_common = _values(design, table, phi, theta)
    if design.run_effects:
        values[OFFSET], gained = _offsets(design, table, values, u_offset)
        of_group = of_group + gained
    trace = handlers.trace(handlers.substitute(model, data=values)).get_trace(design, table)
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        fn = site["fn"].base_dist if isinstance(site["fn"], dist.Independent) else site["fn"]
        density = fn.log_prob(site["value"]) * (1.0 if site["scale"] is None else site["scale"])
        if name in design.common:
            of_common = of_common + jnp.sum(density)
        elif name in (TARGET, OFFSET):
            of_group = of_group + _by_group(
                design, table, density if name == OFFSET else jnp.sum(density, axis=1)
            )
        else:
            of_group = of_group + density.reshape(design.n_groups, -1).sum(axis=1)
    return -of_group, -of_common


def _population(design: Design, table: Table, phi: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and precision (k,) that the population gives a group's coordinates; precision 0 where unpooled."""
    common = _named(design.common, phi)
    means, precisions = [], []
    for name, shape in design.own.items():
        n = int(np.prod(shape, dtype=int))
        if name not in design.pooled:
            means.append(jnp.zeros(n))
            precisions.append(jnp.zeros(n))
            continue
        pair = []
        for word in (f"{name}_mean", f"{name}_sd"):
            value = table.held[word] if word in design.held else _bijection(design, table, word)(common[word])
            pair.append(jnp.broadcast_to(jnp.ravel(value), (n,)))
        means.append(pair[0])
        precisions.append(pair[1] ** -2.0)
    return jnp.concatenate(means), jnp.concatenate(precisions)


def _groups(
    design: Design, table: Table, geometry: Geometry, phi: jax.Array, u: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """theta (groups, k) given phi and standard coordinates, and the log-determinant ()."""
    if not design.common:
        log_determinant = jnp.sum(jnp.log(jnp.diagonal(geometry.factor, axis1=-2, axis2=-1)))
        return geometry.theta + jnp.einsum("gij,gj->gi", geometry.factor, u), log_determinant
    mean, precision = _population(design, table, phi)
    push = precision * (mean - geometry.theta) - geometry.slope - geometry.cross @ (phi - geometry.phi)
    lower = jnp.linalg.cholesky(geometry.curvature + jnp.diag(precision))
    solve = jax.scipy.linalg.solve_triangular
    half = solve(lower, push[..., None], lower=True) + u[..., None]
    theta = geometry.theta + solve(jnp.swapaxes(lower, -1, -2), half, lower=False)[..., 0]
    return theta, -jnp.sum(jnp.log(jnp.diagonal(lower, axis1=-2, axis2=-1)))


def _split(design: Design, u: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Standard coordinates of phi (m,), theta (groups, k), and the runs' offsets."""
    m, k, _ = sizes(design)
    n = m + design.n_groups * k
    return u[:m], u[m:n].reshape(design.n_groups, k), u[n:]


def potential(design: Design, table: Table, geometry: Geometry, u: jax.Array) -> jax.Array:
    """Minus the log posterior density of the standard coordinates u (dimension,)."""
    u_phi, u_theta, u_offset = _split(design, u)
    phi = geometry.phi + geometry.phi_factor @ u_phi
    theta, log_determinant = _groups(design, table, geometry, phi, u_theta)
    of_group, of_common = energies(design, table, phi, theta, u_offset)
    log_determinant += jnp.sum(jnp.log(jnp.diagonal(geometry.phi_factor)))
    return jnp.sum(of_group) + of_common - log_determinant


def natural(design: Design, table: Table, geometry: Geometry, u: jax.Array) -> Sites:
    """The model's sites on natural units at standard coordinates u."""
    u_phi, u_theta, u_offset = _split(design, u)
    phi = geometry.phi + geometry.phi_factor @ u_phi
    theta, _ = _groups(design, table, geometry, phi, u_theta)
    values, _, _ = _values(design, table, phi, theta)
    if design.run_effects:
        values[OFFSET], _ = _offsets(design, table, values, u_offset)
    return values


def settle(design: Design, table: Table, phi: jax.Array, theta: jax.Array) -> Geometry:
    """Finds the mode level by level from start coordinates, and anchors the bijection there."""
    m, k, r = sizes(design)
    still, groups = jnp.zeros(r), design.n_groups

    def group_energy(phi: jax.Array, theta: jax.Array) -> jax.Array:
        return energies(design, table, phi, theta, still)[0]

    def anchored(phi: jax.Array, theta: jax.Array) -> Geometry:
        theta, slope, curvature = _settle_groups(lambda t: group_energy(phi, t), theta)
        cross = jnp.zeros((groups, k, m))
        if not design.common:
            return Geometry(phi, jnp.eye(m), theta, slope, curvature, cross, _root(curvature))
        mean, precision = _population(design, table, phi)
        direct = jax.jacfwd(lambda p: jax.grad(lambda t: jnp.sum(group_energy(p, t)))(theta))(phi)
        through = jax.jacfwd(lambda p: _population_slope(design, table, p, theta))(phi)
        slope = slope - precision * (theta - mean)
        rows_alone = _positive(curvature - jnp.diag(precision), floor=1e-8)
        unused = jnp.zeros_like(curvature)
        return Geometry(phi, jnp.eye(m), theta, slope, rows_alone, direct - through, unused)

    if not design.common:
        return anchored(phi, theta)

    def marginal(geometry: Geometry, phi: jax.Array) -> jax.Array:
        theta, log_determinant = _groups(design, table, geometry, phi, jnp.zeros_like(geometry.theta))
        of_group, of_common = energies(design, table, phi, theta, still)
        return jnp.sum(of_group) + of_common - log_determinant

    def round_(_: jax.Array, state: tuple[jax.Array, Geometry]) -> tuple[jax.Array, Geometry]:
        phi, geometry = state
        geometry = anchored(phi, geometry.theta)
        phis, _, curvature = _settle_groups(lambda p: marginal(geometry, p[0])[None], phi[None], steps=8)
        return phis[0], geometry._replace(phi_factor=_root(curvature)[0])

    square = jnp.zeros((groups, k, k))
    empty = Geometry(phi, jnp.zeros((m, m)), theta, theta, square, jnp.zeros((groups, k, m)), square)
    return jax.lax.fori_loop(0, ROUNDS, round_, (phi, empty))[1]


def _root(curvature: jax.Array) -> jax.Array:
    """Q^(-1/2): the inverse transpose of the Cholesky factor of a matrix made positive."""
    lower = jnp.linalg.cholesky(_positive(curvature))
    eye = jnp.broadcast_to(jnp.eye(curvature.shape[-1]), curvature.shape)
    return jax.scipy.linalg.solve_triangular(jnp.swapaxes(lower, -1, -2), eye, lower=False)


def _population_slope(design: Design, table: Table, phi: jax.Array, theta: jax.Array) -> jax.Array:
    mean, precision = _population(design, table, phi)
    return precision * (theta - mean)


def _derivatives(energy: Energy, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradient (groups, k) and Hessian blocks (groups, k, k).

    Groups do not see each other, so k directions give all blocks.
    """
    slope = jax.grad(lambda t: jnp.sum(energy(t)))
    basis = jnp.broadcast_to(jnp.eye(theta.shape[1])[:, None, :], (theta.shape[1], *theta.shape))
    columns = jax.vmap(lambda direction: jax.jvp(slope, (theta,), (direction,))[1])(basis)
    curvature = jnp.moveaxis(columns, 0, -1)
    return slope(theta), 0.5 * (curvature + jnp.swapaxes(curvature, -1, -2))


def _positive(matrix: jax.Array, floor: float = 1e-3) -> jax.Array:
    """A symmetric matrix with its curvatures made positive, none below a floor."""
    values, vectors = jnp.linalg.eigh(matrix)
    values = jnp.maximum(jnp.abs(values), floor)
    return jnp.einsum("...ik,...k,...jk->...ij", vectors, values, vectors)


def _settle_groups(
    energy: Energy, theta: jax.Array, steps: int = STEPS
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Damped Newton steps of every group at once, each accepted on its own.

    The first step is none: it measures the start, so that energy and derivatives are compiled once.

    Returns:
        The point, its gradient and its Hessian.
    """
    groups, k = theta.shape

    def step(_: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        theta, value, damping, slope, curvature = state
        values, vectors = jnp.linalg.eigh(curvature)
        along = jnp.einsum("gij,gi->gj", vectors, slope)
        move = -jnp.einsum("gij,gj->gi", vectors, along / (jnp.abs(values) + damping[:, None]))
        tried = theta + move / jnp.maximum(1.0, jnp.max(jnp.abs(move), axis=1, keepdims=True) / LONGEST_STEP)
        found, (new_slope, new_curvature) = energy(tried), _derivatives(energy, tried)
        better = (found <= value) & jnp.all(jnp.isfinite(new_curvature), axis=(1, 2))
        return (
            jnp.where(better[:, None], tried, theta),
            jnp.where(better, found, value),
            jnp.clip(jnp.where(better, 0.2 * damping, 8.0 * damping), 1e-10, 1e10),
            jnp.where(better[:, None], new_slope, slope),
            jnp.where(better[:, None, None], new_curvature, curvature),
        )

    eye = jnp.broadcast_to(jnp.eye(k), (groups, k, k))
    start = (theta, jnp.full(groups, jnp.inf), jnp.full(groups, 1e-2), jnp.zeros_like(theta), eye)
    theta, _, _, slope, curvature = jax.lax.fori_loop(0, steps + 1, step, start)
    return theta, slope, curvature
