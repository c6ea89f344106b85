"""Refits under resampled tables: bootstrap, jackknife, and many groups in one batch.

A bootstrap replicate is one more vector of weights (or of targets) for the engine, so thousands of refits are
one batch.
Each starts from several basins and is polished to its own optimum: replicates that stay where they began are
how published intervals came out a hundred times too narrow (Besiroglu et al. 2024, arXiv:2404.10102).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import shown
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.joint import refit_jointly
from scaling_jax.fitting.refits import (
    Refits,
    Variant,
    joined,
    refit,
    refit_parts,
    vary,
    ways_at_a_time,
)
from scaling_jax.uncertainty.draws import Draws, DrawsGroups
from scaling_jax.uncertainty.ensemble import generator
from scaling_jax.uncertainty.few import check_runs
from scaling_jax.uncertainty.resample import (
    cluster_of,
    counts,
    joint_weights,
    method_of,
    paired_method,
    paired_weights,
    resampled,
    words_of,
)

__all__ = [
    "REPLICATES",
    "bootstrap",
    "bootstrap_groups",
    "bootstrap_outputs",
    "draws_of",
    "in_parts",
    "jackknife",
    "joint_draws",
    "paired_draws",
    "replicates",
]

REPLICATES = 1000  # of the bootstrap behind conf_int and predict
PAIRED = "training runs resampled with replacement, paired"
SMOOTH = "training runs reweighted by Dirichlet weights, paired"


def bootstrap(
    fit: Fitted,
    n: int = REPLICATES,
    seed: int = 0,
    method: str | None = None,
    indices: ArrayLike | None = None,
    scale: str | None = None,
) -> Draws:
    """Refits a law to `n` resampled tables in one batch; see `FitResult.bootstrap`."""
    if indices is not None:
        fit.check_alone("bootstrap(indices=)")
        weights = counts(np.asarray(indices), len(fit.data())) * fit.data().weight
        variant = vary(fit, "rows as given by indices", weight=weights)
        return Draws.plain(fit, refit([variant], careful=False)[0], variant.words)
    if fit.shared:
        return _of_companions(fit, n, seed, method, scale)[fit.key]
    words, parts = in_parts(fit, n, seed, method, scale)
    return Draws.of(fit, refit_parts(parts), words)


def in_parts(
    fit: Fitted,
    n: int = REPLICATES,
    seed: int | Sequence[int] = 0,
    method: str | None = None,
    scale: str | None = None,
    at_a_time: int | None = None,
) -> tuple[str, Iterator[Variant]]:
    """How `n` tables are resampled, in words, and the replicates, as many at a time as memory holds."""
    check_runs(fit)
    method = method_of(fit, n, method)
    words = words_of(fit, method)
    drawn = resampled(fit, n, method, scale, generator(seed), at_a_time or ways_at_a_time(fit))
    return words, (vary(fit, words, weight=weight, target=target) for weight, target in drawn)


def replicates(
    fit: Fitted,
    n: int = REPLICATES,
    seed: int | Sequence[int] = 0,
    method: str | None = None,
    scale: str | None = None,
) -> Variant:
    """A fit under the weights, or targets, of `n` resampled tables, still to be solved."""
    check_runs(fit)
    method = method_of(fit, n, method)
    weights, targets = next(resampled(fit, n, method, scale, generator(seed)))
    return vary(fit, words_of(fit, method), weight=weights, target=targets)


def draws_of(fit: Fitted) -> Draws:
    """The bootstrap behind intervals, kept on the record: 1,000 replicates by the default method, seed 0."""
    if "draws" not in fit.kept:
        fit.kept["draws"] = _joint_draws(fit) if fit.shared else bootstrap(fit)
    return fit.kept["draws"]


def _joint_draws(fit: Fitted) -> Draws:
    """The same of a group that shares parameters: all groups are drawn at once, and kept for all of them."""
    kept = fit.together.kept if fit.together else {}
    if "draws" not in kept:
        kept["draws"] = _of_companions(fit, REPLICATES, 0, None, None)
    return kept["draws"][fit.key]


def _of_companions(fit: Fitted, n: int, seed: int, method: str | None, scale: str | None) -> DrawsGroups:
    """The replicates of all groups that a group shares parameters with."""
    everyone = {one.key: one for one in fit.companions}
    if fit.together and fit.together.paired:
        return bootstrap_outputs(everyone, n, seed, method)
    return bootstrap_groups(everyone, n, seed, method, scale, paired=False)


def bootstrap_outputs(fits: Mapping[Hashable, Fitted], n: int, seed: int, method: str | None) -> DrawsGroups:
    """Replicates of several outputs of the same runs; see `FitOutputs.bootstrap`."""
    fitted = {key: fit for key, fit in fits.items() if not fit.reason}
    for fit in fitted.values():
        check_runs(fit)
    everyone = list(fitted.values())
    smooth = paired_method(everyone, method) == "bayesian"
    words = (SMOOTH if smooth else PAIRED).replace("paired", "each with all its outputs")
    found = paired_draws(everyone, n, seed, smooth, words)
    return DrawsGroups(dict(zip(fitted, found, strict=True)), paired=True)


def bootstrap_groups(
    fits: Mapping[Hashable, Fitted], n: int, seed: int, method: str | None, scale: str | None, paired: bool
) -> DrawsGroups:
    """All replicates of all groups in one batch; see `FitGroups.bootstrap`."""
    fitted = {key: fit for key, fit in fits.items() if not fit.reason}
    if paired and method not in (None, "run"):
        raise ValueError(f"paired=True resamples training runs; leave method={shown(method)} out.")
    if paired:
        return DrawsGroups(
            dict(zip(fitted, paired_draws(list(fitted.values()), n, seed), strict=True)), paired=True
        )
    some = ways_at_a_time(*fitted.values())
    parts = [in_parts(fit, n, [seed, i], method, scale, some)[1] for i, fit in enumerate(fitted.values())]
    return DrawsGroups(dict(zip(fitted, _drawn(zip(*parts, strict=True)), strict=True)))


def paired_draws(
    fits: Sequence[Fitted], n: int, seed: int, smooth: bool = False, words: str = PAIRED
) -> list[Draws]:
    """Replicates of several fits, runs that several know by the same name drawn for all of them at once."""
    known = {(id(fit.together), fit.key) for fit in fits if fit.shared}
    also = {
        (id(one.together), one.key): one for fit in fits if fit.shared for one in fit.companions
    }  # groups that share parameters with one of them
    everyone = [*fits, *(one for name, one in also.items() if name not in known)]
    parts = (
        [vary(fit, words, weight=own) for fit, own in zip(everyone, weights, strict=True)]
        for weights in paired_weights(everyone, n, generator(seed), ways_at_a_time(*everyone), smooth)
    )
    return _drawn(parts)[: len(fits)]


def joint_draws(fits: Sequence[Fitted], n: int, seed: int) -> list[Draws]:
    """Replicates of several fits that are to be compared draw by draw.

    They are not spread further where runs are few, as those of a fit by itself are: that is for what one fit
    extrapolates, and made differences at the largest runs a third too wide.
    """
    parts, paired, smooth = joint_weights(fits, n, generator(seed), ways_at_a_time(*fits))
    words = ("reweighted by Dirichlet weights" if smooth else "resampled with replacement") + (
        ", the same for recipes that share them" if paired else ""
    )
    solved = [
        refit([vary(fit, weight=own) for fit, own in zip(fits, weights, strict=True)], careful=False)
        for weights in parts
    ]
    found = zip(fits, map(joined, zip(*solved, strict=True)), strict=True)
    return [Draws.plain(fit, one, f"runs {words}") for fit, one in found]


def jackknife(fit: Fitted) -> pd.DataFrame:
    """Refits without each run in turn (each row, where runs are unknown); see `FitResult.jackknife`."""
    cluster, names = cluster_of(fit.data())
    if fit.shared:
        return _joint_jackknife(fit)
    some, codes = ways_at_a_time(fit), np.arange(len(names))[:, None]
    parts = (codes[first : first + some] for first in range(0, len(names), some))
    found = refit_parts(vary(fit, weight=(cluster[None, :] != part) * fit.data().weight) for part in parts)
    return pd.DataFrame(found.numbers, index=pd.Index(names, name="left out"), columns=list(fit.law.labels))


def _joint_jackknife(fit: Fitted) -> pd.DataFrame:
    """The same of a group that shares parameters; the other groups are whole in every refit, save outputs of
    the run that is left out."""
    _, names = cluster_of(fit.data())
    paired = fit.together is not None and fit.together.paired

    def without(one: Fitted) -> np.ndarray:
        cluster, own = cluster_of(one.data())
        code = {name: i for i, name in enumerate(own)} if paired or one.key == fit.key else {}
        left_out = np.array([code.get(name, -1) for name in names])
        return (cluster[None, :] != left_out[:, None]) * one.data().weight

    everyone = {one.key: vary(one, weight=without(one)) for one in fit.companions}
    own = _solved([*everyone.values()])[list(everyone).index(fit.key)]
    return pd.DataFrame(own.numbers, index=pd.Index(names, name="left out"), columns=list(fit.law.labels))


def _drawn(parts: Iterable[Sequence[Variant]]) -> list[Draws]:
    """The replicates of fits, which come in parts of all of them, each fit with its own words."""
    fits: list[tuple[Fitted, str]] = []
    solved = []
    for variants in parts:
        fits = [(variant.fit, _words(variant)) for variant in variants]
        solved.append(_solved(variants))
    together = map(joined, zip(*solved, strict=True))
    return [Draws.of(fit, one, words) for (fit, words), one in zip(fits, together, strict=True)]


def _words(variant: Variant) -> str:
    shared = variant.fit.shared
    return variant.words + (f", {', '.join(shared)} refitted to all groups at once" if shared else "")


def _solved(variants: Sequence[Variant]) -> list[Refits]:
    """Replicates of fits, in one batch; groups that share parameters are all there, and go together."""
    found: dict[int, Refits] = {}
    sets: dict[int, list[int]] = {}
    for i, variant in enumerate(variants):
        sets.setdefault(id(variant.fit.together) if variant.fit.shared else 0, []).append(i)
    for which in sets.values():
        own = [variants[i] for i in which]
        shared = own[0].fit.shared
        solved = refit_jointly(own, shared) if shared else refit(own, careful=False)
        found |= zip(which, solved, strict=True)
    return [found[i] for i in range(len(variants))]
