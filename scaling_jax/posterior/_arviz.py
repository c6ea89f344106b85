"""The one seam for ArviZ: 0.x holds results as `InferenceData`, 1.x as an xarray `DataTree`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from scaling_jax.core.optional import needs
from scaling_jax.core.settings import own_settings
from scaling_jax.posterior.model import OFFSET, TARGET, Sites, Table, model
from scaling_jax.tables.runs import Runs

if TYPE_CHECKING:
    from scaling_jax.posterior.sampled import Sampled

__all__ = ["to_arviz"]

Arrays = dict[str, np.ndarray]


def to_arviz(sampled: Sampled, groups: Sequence[int], keys: Sequence[Hashable] | None) -> Any:
    """One group without an axis of groups (keys None), or several with one."""
    arviz = needs("arviz", "bayes", "Posteriors need")
    chains, rows = sampled.chains, [fit.data() for fit in sampled.fits]
    first = np.cumsum([0, *map(len, rows)])
    places = sampled.places[np.concatenate([np.arange(first[g], first[g + 1]) for g in groups])]
    blocks = np.flatnonzero(np.isin(np.asarray(sampled.table.group), groups))
    log_likelihood, predictive = _per_row(sampled)
    target, constant = _data(sampled, places)
    coords = _coords(sampled, [rows[g] for g in groups], keys, len(blocks))
    if keys is not None:
        constant["group_of_row"] = np.repeat(np.arange(len(groups)), [len(rows[g]) for g in groups])
    posterior, dims = _posterior(sampled, groups, blocks, keys is not None)
    dims |= {name: ["row"] for name in (*target, *constant)}
    parts: dict[str, Arrays] = {
        "posterior": posterior,
        "sample_stats": {"diverging": chains.diverging, "n_steps": chains.n_steps, "lp": -chains.energy},
        "posterior_predictive": {TARGET: predictive[:, :, places]},
        "log_likelihood": {TARGET: log_likelihood[:, :, places]},
        "observed_data": target,
        "constant_data": constant,
    }
    if int(arviz.__version__.split(".")[0]) >= 1:
        held = arviz.from_dict(parts, coords=coords, dims=dims)
    else:
        held = arviz.from_dict(**parts, coords=coords, dims=dims)
    held.attrs.update(_attrs(sampled, groups))
    return held


def _posterior(
    sampled: Sampled, groups: Sequence[int], blocks: np.ndarray, by_group: bool
) -> tuple[Arrays, dict[str, list[str]]]:
    """What was sampled of these groups, and the names of its axes after chain and draw."""
    posterior, dims = {}, {}
    for name, values in sampled.chains.sites.items():
        if name == OFFSET:
            posterior[name], dims[name] = values[:, :, blocks], ["run"]
        elif name in sampled.design.own:
            posterior[name] = values[:, :, groups if by_group else groups[0]]
            dims[name] = ["group"] if by_group else []
        else:
            posterior[name] = values
    return posterior, dims


def _data(sampled: Sampled, places: np.ndarray) -> tuple[Arrays, Arrays]:
    """The target, and what else is known of each row."""
    table = sampled.table
    constant = {**table.inputs, "weight": table.weight}
    if sampled.design.known_se:
        constant["target_se"] = table.se
    named = {name: np.asarray(values).ravel()[places] for name, values in constant.items()}
    return {TARGET: np.asarray(table.target).ravel()[places]}, named


def _coords(
    sampled: Sampled, rows: Sequence[Runs], keys: Sequence[Hashable] | None, n_blocks: int
) -> dict[str, np.ndarray | list[str]]:
    """The labels of rows, groups and runs; numbers where a label would stand for two rows or runs."""
    labels = np.concatenate([r.rows for r in rows])
    distinct = len(set(labels.tolist())) == len(labels)
    coords: dict[str, np.ndarray | list[str]] = {"row": labels if distinct else np.arange(len(labels))}
    if keys is not None:
        coords["group"] = [str(k) for k in keys]
    if sampled.design.run_effects:
        one = keys is None
        coords["run"] = [name for r in rows for name in _run_names(r)] if one else np.arange(n_blocks)
    return coords


def _run_names(runs: Runs) -> list[str]:
    return [str(runs.run_labels[code]) for code in np.unique(np.asarray(runs.run))]


def _attrs(sampled: Sampled, groups: Sequence[int]) -> dict[str, str | int]:
    design = sampled.design
    return {
        "law": design.law.name,
        "formula": design.law.formula,
        "observation": sampled.words,
        "target_scale": "counts" if design.counts else "log" if design.on_log else "raw",
        "data_fingerprint": " ".join(sampled.fits[g].fingerprint for g in groups),
        "seed": sampled.settings.seed,
        "scaling_jax_version": version("scaling-jax"),
        "numpyro_version": version("numpyro"),
        "jax_version": version("jax"),
    }


def _per_row(sampled: Sampled) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood and a replicated target on the residual's scale, (chains, draws, blocks * width)."""
    from numpyro import handlers

    design, table, chains = sampled.design, sampled.table, sampled.chains
    shape = chains.energy.shape

    def one(table: Table, sites: Sites, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        trace = handlers.trace(handlers.substitute(model, data=sites)).get_trace(design, table)
        observed = trace[TARGET]["fn"]
        return observed.log_prob(table.target).ravel(), observed.sample(key).ravel()

    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in chains.sites.items()}
    with own_settings(), jax.default_device(jax.devices("cpu")[0]):
        program = jax.jit(
            lambda table, sites, keys: jax.lax.map(lambda a: one(table, *a), (sites, keys), batch_size=64)
        )
        density, replicated = program(
            table, flat, jax.random.split(jax.random.key(sampled.settings.seed + 1), shape[0] * shape[1])
        )
    return np.asarray(density).reshape(*shape, -1), np.asarray(replicated).reshape(*shape, -1)
