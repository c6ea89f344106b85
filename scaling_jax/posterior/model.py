"""The NumPyro model of a law: priors, the law's curve, runs that sit off it, and the scatter of their rows.

The model is written as one would read it: every site is a natural quantity. How it is sampled is the business
of `geometry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.curves import Curve, seen
from scaling_jax.core.law import Law, Parameter
from scaling_jax.core.overdispersed import OVERDISPERSION
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.posterior.priors import bijection

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

__all__ = ["OFFSET", "TARGET", "Design", "Sites", "Table", "location", "model", "trials_of"]

TARGET, OFFSET = "target", "run_offset"

Array = jax.Array | np.ndarray
"""NumPy's where data are laid out, JAX's where programs compute."""
Shapes = dict[str, tuple[int, ...]]
"""The shape of one value of each site."""
Sites = dict[str, jax.Array]
"""Values on natural units by the name of their site, with a leading axis of groups where each has its own."""


@dataclass(frozen=True)
class Design:
    """What is sampled, and how rows are observed; hashable, so that equal designs share a compiled program.

    Args:
        law: the law.
        on_log: whether residuals are differences of logarithms.
        student: Student-t residuals, else normal.
        held: names that are not sampled (their values are data); tied: (name, name it equals).
        pooled: parameters whose groups are drawn from a population; shared: those with one value for all
            groups.
        known_se: whether rows carry standard errors.
        run_effects: whether each block of rows is a run with an offset of its own.
        n_groups, n_blocks: groups, and blocks of rows.
        counts: whether the target counts successes, which trials alone scatter, or the law's overdispersion.
    """

    law: Law
    on_log: bool
    student: bool
    held: tuple[str, ...]
    tied: tuple[tuple[str, str], ...]
    pooled: tuple[str, ...]
    shared: tuple[str, ...]
    known_se: bool
    run_effects: bool
    n_groups: int
    n_blocks: int
    counts: bool = False

    @property
    def free(self) -> tuple[Parameter, ...]:
        """The law's parameters that are sampled."""
        still = {*self.held, *(name for name, _ in self.tied)}
        return tuple(p for p in self.law.parameters if p.name not in still)

    @property
    def noise(self) -> tuple[str, ...]:
        """sigma, nu and run_sd, as far as this model has and samples them."""
        there = {"sigma": not self.counts, "nu": self.student, "run_sd": self.run_effects}
        return tuple(name for name, here in there.items() if here and name not in self.held)

    @property
    def common(self) -> Shapes:
        """Sites with one value for all groups: populations, shared parameters, noise of several groups."""
        found = {
            f"{p.name}_{what}": p.shape for p in self.free if p.name in self.pooled for what in ("mean", "sd")
        }
        found = {name: shape for name, shape in found.items() if name not in self.held}
        found |= {p.name: p.shape for p in self.free if p.name in self.shared}
        return found | {name: () for name in self.noise if name != "sigma" and self.n_groups > 1}

    @property
    def own(self) -> Shapes:
        """Sites with a value per group, and the shape of one group's."""
        found = {p.name: p.shape for p in self.free if p.name not in self.shared}
        return found | {name: () for name in self.noise if name not in self.common}


class Table(NamedTuple):
    """The data of a model in blocks, a run or a group each, padded with rows of weight 0.

    Args:
        inputs: (blocks, width) each.
        target: (blocks, width), a logarithm where residuals are, successes where these are counted.
        weight, se: (blocks, width).
        group: (blocks,) which group a block belongs to.
        held: values that are not sampled, by name.
        priors: distributions of what is, by name.
        curves: what the columns of inputs that are curves point at, fields (views, knots).
    """

    inputs: Mapping[str, Array]
    target: Array
    weight: Array
    se: Array
    group: Array
    held: Mapping[str, Array]
    priors: dict[str, Distribution]
    curves: Mapping[str, Curve[Any]]


def model(design: Design, table: Table) -> None:
    """The NumPyro model; sites are natural quantities, groups leading where each has its own."""
    import numpyro
    import numpyro.distributions as dist

    def one(name: str, shape: tuple[int, ...]) -> jax.Array:
        if name in design.held:
            return jnp.broadcast_to(table.held[name], shape)
        return numpyro.sample(name, table.priors[name].expand(shape).to_event(len(shape)))

    values: Sites = {}
    groups = design.n_groups
    for p in design.free:
        if p.name in design.shared:
            values[p.name] = one(p.name, p.shape)
        elif p.name in design.pooled:
            centre, spread = one(f"{p.name}_mean", p.shape), one(f"{p.name}_sd", p.shape)
            population = dist.TransformedDistribution(
                dist.Normal(centre, spread).expand((groups, *p.shape)), bijection(p.domain)
            )
            values[p.name] = numpyro.sample(p.name, population.to_event(1 + len(p.shape)))
        else:
            values[p.name] = one(p.name, (groups, *p.shape))
    there = {"sigma": not design.counts, "nu": design.student, "run_sd": design.run_effects}
    for name in (name for name, here in there.items() if here):
        values[name] = one(name, () if name in design.common else (groups,))
    centre = location(design, table, values)
    if design.run_effects:
        spread = per_block(design, table, values["run_sd"])
        offset = dist.Normal(jnp.zeros(design.n_blocks), spread).to_event(1)
        centre = centre + numpyro.sample(OFFSET, offset)[:, None]
    if design.counts and design.law.of_scatter:
        spread = per_block(design, table, _of_law(design, table, values, OVERDISPERSION))[:, None]
        size = (1 - spread) / spread
        observed = dist.BetaBinomial(centre * size, (1 - centre) * size, trials_of(table.se))
    elif design.counts:
        observed = dist.BinomialProbs(centre, trials_of(table.se))
    elif design.student:
        nu = per_block(design, table, values["nu"])[:, None]
        observed = dist.StudentT(nu, centre, scatter_of(design, table, values))
    else:
        observed = dist.Normal(centre, scatter_of(design, table, values))
    blocks, width = table.target.shape
    by_block, by_row = numpyro.plate("block", blocks, dim=-2), numpyro.plate("row", width, dim=-1)
    with by_block, by_row, numpyro.handlers.scale(scale=table.weight):
        numpyro.sample(TARGET, observed, obs=table.target)


def trials_of(se: Array) -> jax.Array:
    """The trials of rows that say one over their root."""
    return jnp.round(jnp.asarray(se) ** -2.0)


def _of_law(design: Design, table: Table, values: Sites, name: str) -> jax.Array:
    """A parameter of the law, sampled or held; it is one value where there is one group."""
    return jnp.asarray(table.held[name] if name in design.held else values[name])


def per_block(design: Design, table: Table, value: jax.Array) -> jax.Array:
    """A group's quantity for each of its blocks, or the common one."""
    if value.ndim == 0 or design.n_groups == 1:
        return jnp.broadcast_to(value.reshape(()), (design.n_blocks,))
    return value if design.n_blocks == design.n_groups else value[table.group]


def scatter_of(design: Design, table: Table, values: Sites) -> jax.Array:
    """(blocks, width) scale of a row's scatter: sigma, joined in square by the known standard error."""
    sigma = per_block(design, table, values["sigma"])[:, None]
    if not design.known_se:
        return jnp.broadcast_to(sigma, table.target.shape)
    return jnp.sqrt(sigma**2 + table.se**2)


def location(design: Design, table: Table, values: Sites) -> jax.Array:
    """(blocks, width) the law on the residual's scale, before any offset of the runs."""
    named: dict[str, Array] = dict(values)
    named |= {p.name: table.held[p.name] for p in design.law.parameters if p.name in design.held}
    for name, leader in design.tied:
        named[name] = named[leader]
    axes, params = {}, {}
    for p in design.law.parameters:
        value = jnp.asarray(named[p.name])
        grouped = value.ndim > len(p.shape)
        if grouped and design.n_groups == 1:
            value, grouped = value[0], False
        if grouped and design.n_blocks != design.n_groups:
            value = value[table.group]
        params[p.name], axes[p.name] = value, 0 if grouped else None
    predict = rewrite_powers(design.law.apply)
    by_row = jax.vmap(predict, (None, 0))
    mean = jax.vmap(by_row, (axes, 0))(params, seen(table.inputs, table.curves))
    return jnp.log(mean) if design.on_log else mean
