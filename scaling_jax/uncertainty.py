"""How sure a fit is: refits under resampled weights, and what their spread says about parameters and predictions.

A bootstrap replicate is one more vector of weights (or of targets) for the engine, so thousands of refits are one batch.
Each starts from several basins and is polished to its own optimum: replicates that stay where they began are how published
intervals came out a hundred times too narrow (Besiroglu et al. 2024, arXiv:2404.10102).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_jax.engine.predict import predict
from scaling_jax.refit import refit_fits

if TYPE_CHECKING:
    from scaling_jax.result import FitResult

__all__ = ["Draws", "bootstrap", "counts", "jackknife", "refit", "tail_of"]

WIDENING = 3.6  # residual scales per decade beyond the data, at 90 %: what 440 real extrapolations of 36 families ask for
METHODS = {
    "run": "training runs resampled with replacement",
    "row": "rows resampled with replacement",
    "bayesian": "runs reweighted by Dirichlet weights",
    "residual": "residuals resampled around the fitted curve",
    "hierarchical": "scales resampled, then runs within each scale",
}
MEASURED = {
    "parameters": "where the law is true nominal 90 % intervals held 87 to 94 %",
    "confidence": "the law taken as true; beyond the data nominal 90 % bands held 59 % of 440 real extrapolations",
    "prediction": "beyond the data nominal 90 % bands held 88 % of 440 real extrapolations, calibrated on other suites than judged on",
}
FEW_RUNS = 50


@dataclass(frozen=True)
class Draws:
    """Parameter vectors that are all plausible given the data, and everything that follows from them.

    Args:
        fit: the fit they belong to.
        numbers: (draws, labels), natural units.
        objective_values: (draws,), each replicate's own optimum.
        method: how they were drawn, in words.
        moved: share of draws whose optimum lies in another basin than the fit's own.
    """

    fit: FitResult
    numbers: np.ndarray
    objective_values: np.ndarray
    method: str
    moved: float

    @cached_property
    def params(self) -> pd.DataFrame:
        """One row per draw, one column per parameter, natural units."""
        return pd.DataFrame(self.numbers, columns=list(self.fit.law.labels))

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of the parameters.

        Args:
            level: probability between the two ends.

        Returns:
            One row per parameter: estimate, lower, upper, se (standard deviation of the draws); `.attrs["coverage"]` says how often
            such intervals held the truth.

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        table = self.derive(lambda p: p, level)
        table["estimate"] = self.fit.numbers
        table.attrs["coverage"] = MEASURED["parameters"]
        return table

    def derive(self, quantity: Callable[[dict[str, np.ndarray]], Any], level: float = 0.9) -> pd.DataFrame:
        """Any function of the parameters, with its interval.

        Args:
            quantity: takes a dict of parameter arrays (draws,) and returns an array (draws,) or a dict of them.
            level: probability between the two ends.

        Returns:
            One row per quantity: estimate (at the fit), lower, upper, se.
        """
        tail = tail_of(level)

        def named(numbers: np.ndarray) -> dict[str, np.ndarray]:
            found = quantity(dict(zip(self.fit.law.labels, np.atleast_2d(numbers).T, strict=True)))
            return dict(found) if isinstance(found, Mapping) else {"quantity": found}

        draws, point = named(self.numbers), named(self.fit.numbers)
        rows = {
            name: {
                "estimate": float(np.squeeze(point[name])),
                "lower": np.nanquantile(values, tail),
                "upper": np.nanquantile(values, 1 - tail),
                "se": np.nanstd(values),
            }
            for name, values in draws.items()
        }
        return pd.DataFrame(rows).T

    def predict(self, other: Any, interval: str = "confidence", level: float = 0.9, seed: int = 0) -> pd.DataFrame:
        """Predictions with a band.

        Args:
            other: a table or mapping of inputs, as in `FitResult.predict`.
            interval: "confidence" for the mean curve as the law has it; "prediction" for what a new run will show: its
                scatter included, and widened by 3.6 residual scales per decade beyond the data, because laws are wrong
                there.
            level: probability between the two ends.
            seed: of the scatter drawn for "prediction".

        Returns:
            One row per run: prediction, lower, upper, extrapolation (decades beyond the fitted range of the inputs);
            `.attrs["method"]` says in words how the band was made, `.attrs["coverage"]` how often such bands held real runs.

        Raises:
            ValueError: for another kind of interval or level.
        """
        if interval not in ("confidence", "prediction"):
            raise ValueError(f"interval={interval!r}: 'confidence' is the band of the mean curve, 'prediction' that of a new run.")
        tail = tail_of(level)
        inputs = self.fit.inputs_of(other)
        draws = predict(self.fit.law, self.numbers, inputs)
        beyond = extrapolation(self.fit, inputs)
        words = self.method
        widening = np.zeros(len(beyond))
        if interval == "prediction":
            draws = _scattered(self.fit, draws, np.random.default_rng(seed))
            widening = _widening(self.fit, beyond, level)
            words += ", a run's own scatter added, widened with the distance beyond the data"
        lower, upper = np.nanquantile(draws, [tail, 1 - tail], axis=0)
        on_log = self.fit.objective.on == "log"
        table = pd.DataFrame({
            "prediction": predict(self.fit.law, self.fit.numbers, inputs)[0],
            "lower": lower * np.exp(-widening) if on_log else lower - widening,
            "upper": upper * np.exp(widening) if on_log else upper + widening,
            "extrapolation": beyond,
        })  # fmt: skip
        table.attrs["method"] = f"{len(self.numbers):,} replicates: {words}"
        table.attrs["coverage"] = MEASURED[interval]
        return table

    def __repr__(self) -> str:
        return f"<{len(self.numbers)} draws of {self.fit.law.name}: {self.method}; {100 * self.moved:.1f} % in another basin>"


def bootstrap(fit: FitResult, n: int = 1000, seed: int = 0, method: str | None = None, indices: Any = None, scale: Any = None) -> Draws:
    """Refits a law to `n` resampled tables in one batch; see `FitResult.bootstrap`."""
    runs = fit.data()
    if indices is not None:
        weights = counts(np.asarray(indices), len(runs)) * runs.weight
        return refit(fit, weights, None, "rows as given by indices")
    method = _method_of(fit, n, method)
    return refit(fit, *_resampled(fit, n, method, scale, np.random.default_rng(seed)), _words(fit, method))


def bootstrap_groups(fits: Mapping[Any, FitResult], n: int, seed: int, method: str | None, scale: Any) -> dict[Any, Draws]:
    """The same for many groups, all replicates of all groups in one batch; each group draws from a generator of its own."""
    fitted = {key: fit for key, fit in fits.items() if not fit.reason}
    if not fitted:
        return {}
    methods = [_method_of(fit, n, method) for fit in fitted.values()]
    drawn = [
        _resampled(fit, n, chosen, scale, np.random.default_rng([seed, i]))
        for i, (fit, chosen) in enumerate(zip(fitted.values(), methods, strict=True))
    ]
    targets = None if drawn[0][1] is None else [np.asarray(part[1]) for part in drawn]
    found = refit_fits(list(fitted.values()), [part[0] for part in drawn], targets)
    return {
        key: Draws(fit, one.numbers, one.values, _words(fit, chosen), one.moved)
        for (key, fit), one, chosen in zip(fitted.items(), found, methods, strict=True)
    }


def _method_of(fit: FitResult, n: int, method: str | None) -> str:
    method = method or _recommended(fit)
    if method not in METHODS:
        raise ValueError(f"method={method!r}: use one of {', '.join(METHODS)}.")
    if n < 1:
        raise ValueError(f"bootstrap({n}): ask for a positive number of replicates.")
    if caution := _caution(fit, method):
        warnings.warn(f"bootstrap(method={method!r}): {caution}", stacklevel=5)
    return method


def _words(fit: FitResult, method: str) -> str:
    """What was done, in words; where runs are unknown every row is one."""
    return METHODS[method] if fit.data().run is not None else METHODS[method].replace("training runs", "rows").replace("runs", "rows")


def _recommended(fit: FitResult) -> str:
    """The method whose 90 % intervals held the truth in 87 to 94 % of simulated sweeps.

    An objective that charges most residuals by their size is like a median, which moves by jumps when rows are resampled whole:
    intervals come out a quarter too wide, and with smooth weights right.
    """
    if not _quadratic(fit):
        return "bayesian"
    return "run" if fit.data().run is not None else "row"


def _quadratic(fit: FitResult) -> bool:
    """Whether the objective charges most residuals by their square."""
    return bool(np.mean(np.abs(fit.residuals) <= fit.objective.numbers[0]) >= 0.5)


def _caution(fit: FitResult, method: str) -> str:
    """Why intervals by this method will be too narrow for this fit, with what was measured (benchmarks/coverage_simulated.py)."""
    runs, quadratic = fit.data(), _quadratic(fit)
    clusters = len(runs) if runs.run is None else len(np.unique(runs.run))
    if method in ("row", "residual") and clusters < len(runs):
        return "rows of one run are not independent; 90 % intervals held the truth in 55 to 70 % of simulated sweeps: leave method= out."
    if method == "residual" and not quadratic:
        return "most residuals lie outside the Huber threshold; there 90 % intervals held the truth in 79 to 82 %: leave method= out."
    if method == "bayesian" and quadratic and clusters < FEW_RUNS:
        return f"with {clusters} runs its intervals are short; of 30 runs 90 % intervals held the truth in 77 to 86 %: leave method= out."
    return ""


def _resampled(fit: FitResult, n: int, method: str, scale: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights (n, rows) of the replicates, and their targets where those are what is resampled."""
    runs = fit.data()
    if method == "residual":
        return np.broadcast_to(runs.weight, (n, len(runs))), _resampled_targets(fit, n, rng)
    cluster = np.arange(len(runs)) if method == "row" or runs.run is None else runs.run
    present, cluster = np.unique(cluster, return_inverse=True)
    if method == "bayesian":
        shares = rng.dirichlet(np.ones(len(present)), n) * len(present)
    elif method == "hierarchical":
        shares = _hierarchical(fit, cluster, scale, n, rng)
    else:
        shares = counts(rng.integers(len(present), size=(n, len(present))), len(present))
    return shares[:, cluster] * runs.weight, None


def jackknife(fit: FitResult) -> pd.DataFrame:
    """Refits without each run in turn (each row, where runs are unknown); see `FitResult.jackknife`."""
    runs = fit.data()
    cluster = np.arange(len(runs)) if runs.run is None else runs.run
    present = np.unique(cluster)
    weights = (cluster[None, :] != present[:, None]) * runs.weight
    left_out = refit(fit, weights, None, "one run left out").params
    left_out.index = pd.Index(runs.rows if runs.run is None else [runs.run_labels[c] for c in present], name="left out")
    return left_out


def extrapolation(fit: FitResult, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Decades by which each run lies beyond the fitted range, the largest over inputs; 0 inside."""
    beyond = [np.zeros(len(next(iter(inputs.values()))))]
    for name, values in inputs.items():
        known = fit.data().inputs[name]
        known = known[known > 0]
        if len(known):
            with np.errstate(divide="ignore"):
                beyond += [np.log10(values / known.max()), np.where(values > 0, np.log10(known.min() / values), 0.0)]
    return np.max(beyond, axis=0)


def tail_of(level: float) -> float:
    """The probability beyond each end of an interval of this level."""
    if not 0 < level < 1:
        raise ValueError(f"level={level}: give a probability between 0 and 1, such as 0.9.")
    return (1 - level) / 2


def counts(indices: np.ndarray, size: int) -> np.ndarray:
    """How often each position occurs in each row of indices, (draws, size)."""
    if indices.ndim != 2 or indices.min() < 0 or indices.max() >= size:
        raise ValueError(f"indices must be (replicates, rows) positions from 0 to {size - 1}, got shape {indices.shape}.")
    flat = indices + size * np.arange(len(indices))[:, None]
    return np.bincount(flat.ravel(), minlength=size * len(indices)).reshape(len(indices), size).astype(float)


def _hierarchical(fit: FitResult, cluster: np.ndarray, scale: Any, n: int, rng: np.random.Generator) -> np.ndarray:
    """Shares per run: scales drawn with replacement, then runs within each (Ivgi et al. 2022, arXiv:2202.06387)."""
    runs = fit.data()
    name = scale or fit.law.inputs[0]
    if name not in runs.inputs:
        raise ValueError(f"scale={name!r}: the hierarchical bootstrap draws the values of one input, of {', '.join(runs.inputs)}.")
    _, of_row = np.unique(runs.inputs[name], return_inverse=True)
    members = [np.unique(cluster[of_row == level]) for level in range(of_row.max() + 1)]
    shares = np.zeros((n, cluster.max() + 1))
    drawn = rng.integers(len(members), size=(n, len(members)))
    for level, inside in enumerate(members):
        times = (drawn == level).sum(axis=1)
        shares[:, inside] = rng.multinomial(times * len(inside), np.full(len(inside), 1 / len(inside)))
    return shares


def _resampled_targets(fit: FitResult, n: int, rng: np.random.Generator) -> np.ndarray:
    """Targets on the objective's scale: fitted curve plus residuals drawn from all rows."""
    runs = fit.data()
    scale = np.ones(len(runs)) if runs.target_se is None else runs.target_se
    fitted = predict(fit.law, fit.numbers, runs.inputs)[0]
    centre = np.log(fitted) if fit.objective.on == "log" else fitted
    centred = fit.residuals - np.average(fit.residuals, weights=runs.weight)
    return centre - centred[rng.integers(len(runs), size=(n, len(runs)))] * scale


def _scattered(fit: FitResult, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds a new run's scatter to each draw: a residual of the fit, drawn whole."""
    pool = _run_residuals(fit)
    noise = -rng.choice(pool, draws.shape)
    return draws * np.exp(noise) if fit.objective.on == "log" else draws + noise


def _run_residuals(fit: FitResult) -> np.ndarray:
    """The residual at the end of each run (of each row where runs are unknown), enlarged by what fitting has absorbed."""
    runs = fit.data()
    residuals = fit.residuals if runs.target_se is None else fit.residuals * np.median(runs.target_se)
    if runs.run is not None:
        size = sum(np.log(np.maximum(column, np.finfo(float).tiny)) for column in runs.inputs.values())
        last = pd.Series(size).groupby(runs.run).idxmax()
        residuals = residuals[last.to_numpy()]
    left = max(len(residuals) - int(fit.evidence.free.sum()), 1)
    return residuals * np.sqrt(len(residuals) / left)


def _widening(fit: FitResult, beyond: np.ndarray, level: float) -> np.ndarray:
    """How far the law itself errs beyond its data, on the objective's scale."""
    share = NormalDist().inv_cdf(1 - tail_of(level)) / NormalDist().inv_cdf(0.95)
    return WIDENING * share * beyond * np.sqrt(np.mean(_run_residuals(fit) ** 2))


def refit(fit: FitResult, weights: np.ndarray, targets: np.ndarray | None, words: str) -> Draws:
    """One batch of refits under the given weights (draws, rows) or targets, from several basins each."""
    found = refit_fits([fit], [weights], None if targets is None else [targets])[0]
    return Draws(fit, found.numbers, found.values, words, found.moved)
