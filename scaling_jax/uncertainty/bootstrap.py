"""Refits under resampled tables: bootstrap, jackknife, and many groups in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import refit_fits
from scaling_jax.uncertainty.draws import Draws
from scaling_jax.uncertainty.resample import counts, method_of, resampled, words_of

__all__ = ["bootstrap", "bootstrap_groups", "draws_of", "jackknife", "refit"]

REPLICATES = 1000  # of the bootstrap behind conf_int, predict and summary


def bootstrap(
    fit: Fitted,
    n: int = 1000,
    seed: int = 0,
    method: str | None = None,
    indices: Any = None,
    scale: Any = None,
) -> Draws:
    """Refits a law to `n` resampled tables in one batch; see `FitResult.bootstrap`."""
    runs = fit.data()
    if indices is not None:
        weights = counts(np.asarray(indices), len(runs)) * runs.weight
        return refit(fit, weights, None, "rows as given by indices")
    method = method_of(fit, n, method)
    return refit(fit, *resampled(fit, n, method, scale, np.random.default_rng(seed)), words_of(fit, method))


def draws_of(fit: Fitted) -> Draws:
    """The bootstrap behind intervals, kept on the record: 1,000 replicates by the default method, seed 0."""
    if "draws" not in fit.kept:
        fit.kept["draws"] = bootstrap(fit, REPLICATES)
    return fit.kept["draws"]


def bootstrap_groups(
    fits: Mapping[Any, Fitted], n: int, seed: int, method: str | None, scale: Any
) -> dict[Any, Draws]:
    """The same for many groups, all replicates of all groups in one batch; each group draws from a generator
    of its own."""
    fitted = {key: fit for key, fit in fits.items() if not fit.reason}
    if not fitted:
        return {}
    methods = [method_of(fit, n, method) for fit in fitted.values()]
    drawn = [
        resampled(fit, n, chosen, scale, np.random.default_rng([seed, i]))
        for i, (fit, chosen) in enumerate(zip(fitted.values(), methods, strict=True))
    ]
    targets = None if drawn[0][1] is None else [np.asarray(part[1]) for part in drawn]
    found = refit_fits(list(fitted.values()), [part[0] for part in drawn], targets)
    return {
        key: Draws(fit, one.numbers, one.values, words_of(fit, chosen), one.moved)
        for (key, fit), one, chosen in zip(fitted.items(), found, methods, strict=True)
    }


def jackknife(fit: Fitted) -> pd.DataFrame:
    """Refits without each run in turn (each row, where runs are unknown); see `FitResult.jackknife`."""
    runs = fit.data()
    cluster = np.arange(len(runs)) if runs.run is None else runs.run
    present = np.unique(cluster)
    weights = (cluster[None, :] != present[:, None]) * runs.weight
    left_out = refit(fit, weights, None, "one run left out").params
    left_out.index = pd.Index(
        runs.rows if runs.run is None else [runs.run_labels[c] for c in present], name="left out"
    )
    return left_out


def refit(fit: Fitted, weights: np.ndarray, targets: np.ndarray | None, words: str) -> Draws:
    """One batch of refits under the given weights (draws, rows) or targets, from several basins each."""
    found = refit_fits([fit], [weights], None if targets is None else [targets])[0]
    return Draws(fit, found.numbers, found.values, words, found.moved)
