"""From fits to posteriors: the model is built, sampled as asked, and handed back with its chains.

All of it runs on the CPU in double precision, whatever JAX's default device: chains are many short steps,
each waiting for the one before.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.optional import needs
from scaling_jax.core.progress import progress_bar
from scaling_jax.core.settings import own_settings
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.posterior.build import build, observed_as
from scaling_jax.posterior.result import Posterior, PosteriorGroups
from scaling_jax.posterior.sampled import Sampled
from scaling_jax.posterior.sampler import Settings, run_laplace, run_nuts
from scaling_jax.uncertainty.ensemble import generator

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

__all__ = ["sample_fit", "sample_groups"]

METHODS = {"nuts": run_nuts, "laplace": run_laplace}


def sample_fit(fit: Fitted, **options: Any) -> Posterior:
    """The posterior of one fit, sampled on the CPU; see `FitResult.posterior`."""
    if fit.reason:
        raise ValueError(f"There is no fit to start from: {fit.reason}")
    return Posterior.of(_posterior([fit], **options), 0)


def sample_groups(
    fits: Mapping[Hashable, Fitted], pool: Sequence[str], shared: Sequence[str] = (), **options: Any
) -> PosteriorGroups:
    """The joint posterior of many groups, sampled on the CPU; see `FitGroups.posterior`."""
    there = [fit for fit in fits.values() if not fit.reason]
    if not there:
        raise ValueError("None of the groups could be fitted, so there is nothing to start from.")
    sampled = _posterior(there, pool=pool, shared=shared, **options)
    return PosteriorGroups(sampled, {key: fit.reason for key, fit in fits.items() if fit.reason})


@checked
def _posterior(
    fits: Sequence[Fitted],
    *,
    pool: Sequence[str] = (),
    shared: Sequence[str] = (),
    priors: Mapping[str, Distribution | float] | None = None,
    observation: str = "student",
    run_effects: bool | None = None,
    method: str = "nuts",
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 500,
    target_accept: float = 0.9,
    seed: int = 0,
) -> Sampled:
    needs("numpyro", "bayes", "Posteriors need")
    if method not in METHODS:
        raise ValueError(f"method={shown(method)}: use {' or '.join(map(repr, METHODS))}.")
    if min(chains, draws, warmup) < 1 or not 0 < target_accept < 1:
        raise ValueError(
            "chains, draws and warmup must be positive numbers, and target_accept a probability."
        )
    observation = observed_as(fits[0], observation)
    generator(seed)  # what is no seed is refused in one sentence
    settings = Settings(chains, draws, warmup, target_accept, seed)
    with own_settings(), jax.default_device(jax.devices("cpu")[0]):
        from scaling_jax.posterior.geometry import start_coordinates

        design, table, common, own, places = build(fits, pool, shared, priors, observation, run_effects)
        start = start_coordinates(design, table, common, own)
        with progress_bar(1, "sampling", "draw") as progress:
            found = METHODS[method](design, table, start, settings, progress)
    how = f"NUTS, {chains} chains of {draws:,} draws"
    if method == "laplace":
        how = f"Laplace approximation, {chains * draws:,} draws"
    return Sampled(tuple(fits), design, table, found, places, settings, observation, how)
