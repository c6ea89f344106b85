r"""Repeated sampling: how many problems many more samples will solve, from successes counted per problem.

Single rates follow a Beta law, so counts follow a beta-binomial one: a law of one rate for all problems,
fitted by `BetaBinomial`, all groups in one batch and certified.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from scaling_jax.api.fit import fit_groups
from scaling_jax.core.arrays import Array
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.domains import NonNegative, Real
from scaling_jax.core.law import law
from scaling_jax.core.objective import BetaBinomial
from scaling_jax.core.overdispersed import OVERDISPERSION, shapes
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.numbers import floats, rows_at
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import check_columns
from scaling_jax.uncertainty.ensemble import generator, interval, is_count

__all__ = ["RepeatedSampling", "repeated_sampling"]

PARAMETERS = 2
WIDEST = (-25.0, 25.0)  # of the logit of the mean, and of the logarithm of alpha + beta
CELLS = 81  # along each side of the grid of a posterior
NEGLIGIBLE = 25.0  # nats below the highest point of a posterior
ZOOMS = 4
CERTAIN = "no optimum: each problem is solved always or never"
ALIKE = "no optimum: the counts scatter no more than one rate for all problems would make them"


@law(ranges={"logit": (-8.0, 2.0)})
def _one_rate(problem: NonNegative, *, logit: Real) -> Array:
    """The mean of the rates of all problems, which says nothing of which problem it is."""
    return jax.nn.sigmoid(logit) + 0.0 * problem


@dataclass(frozen=True, eq=False)
class RepeatedSampling:
    """Beta-binomial fits of successes per problem, one per group.

    Args:
        counts: one row per problem: group, trials, successes.
        table: one row per group: alpha, beta, log_likelihood (of the sequences of outcomes: without binomial
            coefficients), aicc (n counts problems), problems, unsolved, status, agree (starts that found this
            optimum, of those that finished).
    """

    counts: pd.DataFrame
    table: pd.DataFrame

    @cached_property
    def _posteriors(self) -> dict[Hashable, _Posterior]:
        return {key: _Posterior.of(part) for key, part in self.counts.groupby("group", sort=False)}

    @checked
    def conf_int(self, level: float = 0.9, *, draws: int = 4000, seed: int = 0) -> pd.DataFrame:
        """Intervals of alpha and beta per group, from their posterior.

        Raises:
            ValueError: for a level, a number of draws or a seed that is none.
        """
        _check_draws(draws)
        rows = {}
        for at, (key, posterior) in enumerate(self._posteriors.items()):
            lower, upper = interval(np.stack(posterior.draw(draws, generator((seed, at))), axis=1), level)
            rows[key] = [lower[0], upper[0], lower[1], upper[1]]
        columns = ["alpha lower", "alpha upper", "beta lower", "beta upper"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("group")

    @checked
    def pass_at(
        self,
        k: ArrayLike,
        *,
        level: float = 0.9,
        new_problems: int | None = None,
        draws: int = 4000,
        seed: int = 0,
    ) -> pd.DataFrame:
        r"""The share of problems that k new samples each will solve, with a prediction interval.

        $$\text{pass@}k = \frac{1}{m}\sum_i 1\{\text{problem } i \text{ is solved}\}, \quad
        P(\text{solved}) = 1 - (1 - p_i)^k, \quad
        p_i \sim \text{Beta}(\alpha + c_i,\ \beta + n_i - c_i)$$

        with alpha and beta drawn from their posterior: what is known of each problem, of the population, and
        the luck of the new samples are all in the interval.

        Args:
            k: samples per problem, one number or several.
            level: probability of the interval.
            new_problems: forecast for so many new problems of the same population, for which nothing was
                counted; by default for the problems of the table.
            draws: draws behind mean and interval.
            seed: of the draws.

        Returns:
            One row per group and k: group, k, predicted (mean), lower, upper.

        Raises:
            ValueError: for k below 1, or a level, number or seed that is none.
        """
        ks = np.atleast_1d(np.asarray(k, dtype=np.float64))
        if ks.ndim != 1 or not (np.isfinite(ks) & (ks >= 1)).all():
            raise ValueError(f"pass_at({shown(k)}): give numbers of samples, 1 or more.")
        _check_draws(draws)
        if new_problems is not None and not is_count(new_problems):
            raise ValueError(f"new_problems={shown(new_problems)}: give a positive number of problems.")
        parts = []
        for at, (key, posterior) in enumerate(self._posteriors.items()):
            shares = posterior.shares(ks, new_problems, draws, generator((seed, at)))
            lower, upper = interval(shares, level)
            columns = {"group": key, "k": ks, "predicted": shares.mean(axis=0)}
            parts.append(pd.DataFrame(columns | {"lower": lower, "upper": upper}))
        return pd.concat(parts, ignore_index=True)


@checked
def repeated_sampling(
    problems: TableLike, *, successes: str = "successes", trials: str = "trials", by: str | None = None
) -> RepeatedSampling:
    r"""Fits the beta-binomial law of repeated sampling to successes per problem, all groups in one batch.

    $$-\log L = \sum_i \log B(\alpha, \beta) - \log B(\alpha + c_i,\ \beta + n_i - c_i)$$

    for c_i successes of n_i trials. Problems never solved carry alpha, the exponent with which the unsolved
    share falls in the end; a curve of pass@k, whose points share their samples, hides them.

    Args:
        problems: one row per problem (and group).
        successes: column of successes.
        trials: column of trials, fixed beforehand: sampling that stops at a success biases the fit.
        by: column that names the group of each row, a model say; by default all rows are one group.

    Returns:
        A `RepeatedSampling`: `.table`, `.conf_int()`, `.pass_at(k)`. A group whose problems are each solved
        always or never, or that scatter no more than one rate would make them, has no optimum: its status
        says so, and it is forecast all the same.

    Raises:
        DataError: for missing columns, or counts that are not whole, negative, or more than the trials.

    The prior behind intervals: the mean alpha / (alpha + beta), and the correlation of two samples of one
    problem, 1 / (1 + alpha + beta), are each Beta(1/2, 1/2).

    Known to go wrong: where single rates follow no Beta law. With seven Pythias on MATH, 90 % intervals from
    100 samples held the share solved by 10,000 in 89 % of 70 thinnings, but in 6 of 10 for the smallest,
    which solved more problems late than the law expects (`benchmarks/results/repeated_sampling.txt`).

    Source: Brown et al. 2024 (arXiv:2407.21787); Schaeffer et al. 2025 (arXiv:2502.17578).

    >>> import scaling_jax as sj
    >>> table = {"trials": [100] * 8, "successes": [0, 0, 0, 1, 2, 7, 20, 55]}
    >>> found = sj.repeated_sampling(table)
    >>> found.table[["alpha", "beta"]].round(3).to_numpy().tolist(), found.table["status"].item()
    ([[0.224, 1.944]], 'converged')
    >>> found.pass_at(1000).round(2)[["predicted", "lower", "upper"]].to_numpy().tolist()
    [[0.76, 0.62, 1.0]]
    """
    counts = _read(as_frame(problems), successes, trials, by)
    unsolved = counts["successes"] == 0
    groups = counts.assign(unsolved=unsolved).groupby("group", sort=False)
    table = groups.agg(problems=("trials", "size"), unsolved=("unsolved", "sum"))
    table["why_not"] = _why_not(counts)
    usable = counts[counts["group"].map(table["why_not"]) == ""]
    return RepeatedSampling(counts, _fitted(table, usable))


def _why_not(counts: pd.DataFrame) -> pd.Series:
    """Per group why its likelihood has no highest point, empty where it has one.

    At one rate for all problems the likelihood rises with their spread just where the counts scatter more
    than binomial ones, which the sum of successes on pairs of trials shows.
    """
    c, n = counts["successes"], counts["trials"]
    f = n - c
    of_rows = pd.DataFrame({"group": counts["group"], "c": c, "n": n, "certain": c * f == 0})
    of_rows = of_rows.assign(cc=c * (c - 1), ff=f * (f - 1), nn=n * (n - 1))
    sums = of_rows.groupby("group", sort=False).sum()
    rate, rows = sums["c"] / sums["n"], of_rows.groupby("group", sort=False).size()
    excess = sums["cc"] * (1 - rate) + sums["ff"] * rate - sums["nn"] * rate * (1 - rate)
    alike = excess <= 1e-12 * sums["nn"]
    words = np.select([sums["certain"] == rows, alike], [CERTAIN, ALIKE], "")
    return pd.Series(words, index=sums.index)


def _fitted(table: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The table of groups with what was fitted to those that have an optimum."""
    found = pd.DataFrame(columns=["alpha", "beta", "log_likelihood", "status", "agree"], dtype=float)
    if len(counts):
        equal = (
            counts.value_counts(["group", "trials", "successes"], sort=False).rename("times").reset_index()
        )
        fits = fit_groups(
            _one_rate,
            equal.assign(problem=range(len(equal))),
            by="group",
            target="successes",
            weights="times",
            objective=BetaBinomial("trials"),
        )
        said = fits.certificates
        alpha, beta = shapes(special.expit(fits.params["logit"]), fits.params[OVERDISPERSION])
        found = pd.DataFrame({"alpha": alpha, "beta": beta}, index=fits.params.index).assign(
            log_likelihood=_highest(equal) - said["objective"],
            status=said["status"],
            agree=said["n_agree"].astype(str) + "/" + said["n_finished"].astype(str),
        )
    whole = found.reindex(table.index)
    n, k = table["problems"], PARAMETERS
    penalty = (2 * k + 2 * k * (k + 1) / (n - k - 1.0)).where(n > k + 1)
    return whole[["alpha", "beta", "log_likelihood"]].assign(
        aicc=-2 * whole["log_likelihood"] + penalty,
        problems=n,
        unsolved=table["unsolved"],
        status=whole["status"].astype(object).fillna(table["why_not"]),
        agree=whole["agree"].astype(object).fillna(""),
    )


def _highest(equal: pd.DataFrame) -> pd.Series:
    """Per group the log-probability of its sequences of outcomes if each row had its own best rate."""
    k, n = equal["successes"], equal["trials"]
    each = special.xlogy(k, k / n) + special.xlogy(n - k, 1 - k / n)
    return (equal["times"] * each).groupby(equal["group"]).sum()


def _read(frame: pd.DataFrame, successes: str, trials: str, by: str | None) -> pd.DataFrame:
    """Group, trials and successes of every row."""
    check_columns(frame, successes, trials, *([] if by is None else [by]))
    counts = {name: _whole(frame[column], column) for name, column in
              (("trials", trials), ("successes", successes))}  # fmt: skip
    for bad, words in (
        (counts["trials"] < 1, f"'{trials}' must be 1 or more"),
        (counts["successes"] < 0, f"'{successes}' must not be negative"),
        (counts["successes"] > counts["trials"], f"'{successes}' must not exceed '{trials}'"),
    ):
        if bad.any():
            raise DataError(f"{words}: see {rows_at(frame.index, bad)}.")
    if not len(frame):
        raise DataError("The table has no rows: give one per problem.")
    if by is not None and (lost := frame[by].isna().to_numpy()).any():
        raise DataError(f"'{by}' must name the group of every row: see {rows_at(frame.index, lost)}.")
    group = "all" if by is None else frame[by].to_numpy()
    return pd.DataFrame({"group": group, **counts})


def _whole(column: pd.Series, name: str) -> np.ndarray:
    """A column of whole numbers, as floats."""
    numbers = floats(column)
    bad = ~np.isfinite(numbers) | (numbers != np.round(numbers))
    if bad.any():
        raise DataError(f"'{name}' must hold whole numbers: see {rows_at(column.index, bad)}.")
    return numbers


def _check_draws(draws: int) -> None:
    if not is_count(draws):
        raise ValueError(f"draws={shown(draws)}: ask for a positive number of draws.")


@dataclass(frozen=True, eq=False)
class _Posterior:
    """The posterior of one group on a grid of (logit of the mean, logarithm of alpha + beta).

    Args:
        successes, failures: (problems,).
        axes: the grid's coordinates along its two sides, (CELLS,) each.
        log_density: (CELLS, CELLS), up to a constant.
    """

    successes: np.ndarray
    failures: np.ndarray
    axes: tuple[np.ndarray, np.ndarray]
    log_density: np.ndarray

    @classmethod
    def of(cls, counts: pd.DataFrame) -> _Posterior:
        """The grid, drawn ever closer about what is not negligible."""
        successes = counts["successes"].to_numpy()
        failures = counts["trials"].to_numpy() - successes
        axes = (np.linspace(*WIDEST, CELLS), np.linspace(*WIDEST, CELLS))
        density = _log_density(axes, successes, failures)
        for _ in range(ZOOMS):
            kept = density > density.max() - NEGLIGIBLE
            axes = (_about(axes[0], kept.any(axis=1)), _about(axes[1], kept.any(axis=0)))
            density = _log_density(axes, successes, failures)
        return cls(successes, failures, axes, density)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws of alpha and beta, (n,) each: a cell, and a place in it."""
        share = np.exp(self.log_density - self.log_density.max()).ravel()
        cells = np.unravel_index(rng.choice(share.size, n, p=share / share.sum()), self.log_density.shape)
        mean, size = (
            axis[cell] + (rng.random(n) - 0.5) * (axis[1] - axis[0])
            for axis, cell in zip(self.axes, cells, strict=True)
        )
        return special.expit(mean) * np.exp(size), special.expit(-mean) * np.exp(size)

    def shares(self, k: np.ndarray, new: int | None, n: int, rng: np.random.Generator) -> np.ndarray:
        """Shares of problems solved by k new samples each, (n, len(k))."""
        alpha, beta = (one[:, None] for one in self.draw(n, rng))
        if new is None:
            alpha, beta = alpha + self.successes, beta + self.failures
        shape = (n, len(self.successes) if new is None else new)
        rate = np.clip(rng.beta(alpha, beta, shape), 0.0, 1.0 - 1e-16)
        patience = rng.exponential(size=shape) / -np.log1p(-rate - 1e-300)
        return np.stack([(patience <= samples).mean(axis=1) for samples in k], axis=1)


def _about(axis: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """A finer axis over what is kept, and two steps beyond on both sides."""
    step, inside = 2 * (axis[1] - axis[0]), axis[kept]
    return np.linspace(inside[0] - step, inside[-1] + step, CELLS)


def _log_density(axes: Sequence[np.ndarray], successes: np.ndarray, failures: np.ndarray) -> np.ndarray:
    """Logarithm of likelihood times prior on the grid, (cells, cells); equal counts are evaluated once."""
    pairs, times = np.unique(np.column_stack([successes, failures]), axis=0, return_counts=True)
    mean, size = axes[0][:, None], axes[1][None, :]
    alpha, beta = special.expit(mean) * np.exp(size), special.expit(-mean) * np.exp(size)
    prior = 0.5 * (special.log_expit(mean) + special.log_expit(-mean))
    prior = prior + 0.5 * (special.log_expit(size) + special.log_expit(-size))
    charges = _log_rising(alpha, pairs[:, 0]) + _log_rising(beta, pairs[:, 1])
    charges -= _log_rising(np.exp(size), pairs.sum(axis=1))
    return prior + charges @ times


def _log_rising(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """log of x (x + 1) ... (x + n - 1), of each x by each n."""
    return special.gammaln(x[..., None] + n) - special.gammaln(x)[..., None]
