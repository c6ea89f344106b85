"""The one seam for ArviZ: 0.x holds results as `InferenceData`, 1.x as an xarray `DataTree`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from scaling_jax.core.optional import needs
from scaling_jax.posterior.model import OFFSET, TARGET, Table, model

if TYPE_CHECKING:
    from scaling_jax.posterior.sampled import Sampled

__all__ = ["to_arviz"]


def to_arviz(sampled: Sampled, groups: Sequence[int], keys: Sequence[Any] | None) -> Any:
    """One group without an axis of groups (keys None), or several with one."""

    needs("arviz", "bayes", "Posteriors need")
    import arviz

    design, table, chains = sampled.design, sampled.table, sampled.chains
    of_group = np.asarray(table.group)
    blocks = np.flatnonzero(np.isin(of_group, groups))
    posterior, dims = {}, {}
    for name, values in chains.sites.items():
        if name == OFFSET:
            posterior[name], dims[name] = values[:, :, blocks], ["run"]
        elif name in design.own:
            posterior[name] = values[:, :, groups] if keys is not None else values[:, :, groups[0]]
            dims[name] = ["group"] if keys is not None else []
        else:
            posterior[name] = values
    rows = [fit.data() for fit in sampled.fits]
    first = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    chosen = np.concatenate([np.arange(first[g], first[g + 1]) for g in groups])
    places = sampled.places[chosen]
    log_likelihood, predictive = _per_row(sampled)
    target = {TARGET: np.asarray(table.target).ravel()[places]}
    constant = {name: np.asarray(values).ravel()[places] for name, values in table.inputs.items()}
    constant["weight"] = np.asarray(table.weight).ravel()[places]
    if design.known_se:
        constant["target_se"] = np.asarray(table.se).ravel()[places]
    coords: dict[str, Any] = {"row": np.concatenate([r.rows for r in (rows[g] for g in groups)])}
    if len(set(coords["row"].tolist())) < len(coords["row"]):
        coords["row"] = np.arange(len(coords["row"]))
    if keys is not None:
        coords["group"] = [str(k) for k in keys]
        constant["group_of_row"] = np.repeat(np.arange(len(groups)), [len(rows[g]) for g in groups])
    if design.run_effects:
        coords["run"] = (
            [str(label) for g in groups for label in _run_names(rows[g])]
            if keys is None
            else np.arange(len(blocks))
        )
    by_row = {name: ["row"] for name in (*target, *constant)}
    parts: dict[str, Any] = {
        "posterior": posterior,
        "sample_stats": {"diverging": chains.diverging, "n_steps": chains.n_steps, "lp": -chains.energy},
        "posterior_predictive": {TARGET: predictive[:, :, places]},
        "log_likelihood": {TARGET: log_likelihood[:, :, places]},
        "observed_data": target,
        "constant_data": constant,
    }
    attrs = {
        "law": design.law.name,
        "formula": design.law.formula,
        "observation": sampled.words,
        "target_scale": "log" if design.on_log else "raw",
        "data_fingerprint": " ".join(sampled.fits[g].fingerprint for g in groups),
        "seed": sampled.settings.seed,
        **{
            f"{name}_version": version(dist)
            for name, dist in (("scaling_jax", "scaling-jax"), ("numpyro", "numpyro"), ("jax", "jax"))
        },
    }
    if int(arviz.__version__.split(".")[0]) >= 1:
        tree = arviz.from_dict(parts, coords=coords, dims=dims | by_row)
        tree.attrs.update(attrs)
        return tree
    data = arviz.from_dict(**parts, coords=coords, dims=dims | by_row)
    data.attrs.update(attrs)
    return data


def _run_names(runs: Any) -> list[Any]:
    return [runs.run_labels[code] for code in np.unique(runs.run)]


def _per_row(sampled: Sampled) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood and a replicated target on the residual's scale, (chains, draws, blocks * width)."""
    from numpyro import handlers

    design, table, chains = sampled.design, sampled.table, sampled.chains
    shape = chains.energy.shape

    def one(table: Table, sites: Any, key: Any) -> Any:
        trace = handlers.trace(handlers.substitute(model, data=sites)).get_trace(design, table)
        observed = trace[TARGET]["fn"]
        return observed.log_prob(table.target).ravel(), observed.sample(key).ravel()

    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in chains.sites.items()}
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        program = jax.jit(
            lambda table, sites, keys: jax.lax.map(lambda a: one(table, *a), (sites, keys), batch_size=64)
        )
        density, replicated = program(
            table, flat, jax.random.split(jax.random.key(sampled.settings.seed + 1), shape[0] * shape[1])
        )
    return np.asarray(density).reshape(*shape, -1), np.asarray(replicated).reshape(*shape, -1)
