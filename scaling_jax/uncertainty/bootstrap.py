"""Refits under resampled tables: bootstrap, jackknife, and many groups in one batch.

A bootstrap replicate is one more vector of weights (or of targets) for the engine, so thousands of refits are
one batch.
Each starts from several basins and is polished to its own optimum: replicates that stay where they began are
how published intervals came out a hundred times too narrow (Besiroglu et al. 2024, arXiv:2404.10102).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import Variant, refit, refit_parts, vary, ways_at_a_time
from scaling_jax.uncertainty.draws import Draws, DrawsGroups
from scaling_jax.uncertainty.ensemble import generator
from scaling_jax.uncertainty.resample import (
    cluster_of,
    counts,
    method_of,
    paired_weights,
    resampled,
    words_of,
)

__all__ = [
    "REPLICATES",
    "bootstrap",
    "bootstrap_groups",
    "draws_of",
    "jackknife",
    "paired_draws",
    "replicates",
]

REPLICATES = 1000  # of the bootstrap behind conf_int and predict
PAIRED = "training runs resampled with replacement, paired"


def bootstrap(
    fit: Fitted,
    n: int = REPLICATES,
    seed: int = 0,
    method: str | None = None,
    indices: ArrayLike | None = None,
    scale: str | None = None,
) -> Draws:
    """Refits a law to `n` resampled tables in one batch; see `FitResult.bootstrap`."""
    runs = fit.data()
    if indices is not None:
        weights = counts(np.asarray(indices), len(runs)) * runs.weight
        return Draws.of(fit, refit([vary(fit, weight=weights)], careful=False)[0], "rows as given by indices")
    words, parts = _in_parts(fit, n, seed, method, scale)
    return Draws.of(fit, refit_parts(parts), words)


def _in_parts(
    fit: Fitted, n: int, seed: int, method: str | None, scale: str | None
) -> tuple[str, Iterator[Variant]]:
    """How `n` tables are resampled, in words, and the replicates, as many at a time as memory holds."""
    method = method_of(fit, n, method)
    drawn = resampled(fit, n, method, scale, generator(seed), ways_at_a_time(fit))
    return words_of(fit, method), (vary(fit, weight=weight, target=target) for weight, target in drawn)


def replicates(
    fit: Fitted,
    n: int = REPLICATES,
    seed: int | Sequence[int] = 0,
    method: str | None = None,
    scale: str | None = None,
) -> Variant:
    """A fit under the weights, or targets, of `n` resampled tables, still to be solved."""
    method = method_of(fit, n, method)
    weights, targets = next(resampled(fit, n, method, scale, generator(seed)))
    return vary(fit, words_of(fit, method), weight=weights, target=targets)


def draws_of(fit: Fitted) -> Draws:
    """The bootstrap behind intervals, kept on the record: 1,000 replicates by the default method, seed 0."""
    if "draws" not in fit.kept:
        fit.kept["draws"] = bootstrap(fit)
    return fit.kept["draws"]


def bootstrap_groups(
    fits: Mapping[Hashable, Fitted], n: int, seed: int, method: str | None, scale: str | None, paired: bool
) -> DrawsGroups:
    """All replicates of all groups in one batch; see `FitGroups.bootstrap`."""
    fitted = {key: fit for key, fit in fits.items() if not fit.reason}
    if paired and method not in (None, "run"):
        raise ValueError(f"paired=True resamples training runs; leave method={method!r} out.")
    if paired:
        return DrawsGroups(
            dict(zip(fitted, paired_draws(list(fitted.values()), n, seed), strict=True)), paired=True
        )
    variants = [replicates(fit, n, [seed, i], method, scale) for i, fit in enumerate(fitted.values())]
    found = zip(variants, refit(variants, careful=False), strict=True)
    return DrawsGroups(
        {key: Draws.of(v.fit, one, v.words) for key, (v, one) in zip(fitted, found, strict=True)}
    )


def paired_draws(fits: Sequence[Fitted], n: int, seed: int) -> list[Draws]:
    """Replicates of several fits, runs that several know by the same name drawn for all of them at once."""
    weights = paired_weights(fits, n, generator(seed))
    variants = [vary(fit, PAIRED, weight=own) for fit, own in zip(fits, weights, strict=True)]
    return [Draws.of(*each, PAIRED) for each in zip(fits, refit(variants, careful=False), strict=True)]


def jackknife(fit: Fitted) -> pd.DataFrame:
    """Refits without each run in turn (each row, where runs are unknown); see `FitResult.jackknife`."""
    cluster, names = cluster_of(fit.data())
    some, codes = ways_at_a_time(fit), np.arange(len(names))[:, None]
    parts = (codes[first : first + some] for first in range(0, len(names), some))
    found = refit_parts(vary(fit, weight=(cluster[None, :] != part) * fit.data().weight) for part in parts)
    return pd.DataFrame(found.numbers, index=pd.Index(names, name="left out"), columns=list(fit.law.labels))
