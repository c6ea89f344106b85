"""How sure a fit is: refits under resampled weights, and what their spread says about parameters and predictions.

A bootstrap replicate is one more vector of weights (or of targets) for the engine, so thousands of refits are one batch.
Each starts from several basins and is polished to its own optimum: replicates that stay where they began are how published
intervals came out a hundred times too narrow (Besiroglu et al. 2024, arXiv:2404.10102).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_jax.batch import Spec, build_problem, natural_numbers, respec, search_points, tied_index
from scaling_jax.diagnostics import agreement, target_scale
from scaling_jax.engine.lanes import compile_ahead
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import measure_ahead
from scaling_jax.engine.predict import predict
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import Solution, solve
from scaling_jax.engine.starts import default_starts

if TYPE_CHECKING:
    from scaling_jax.result import FitResult

__all__ = ["Draws", "bootstrap", "counts", "jackknife", "refit", "tail_of"]

BASINS = 4
VALLEY_SIGMAS = 8.0
VALLEY_REACH = 4.0
QUICK = LM(tol=1e-5, damping=1e-6)  # half the steps of a cold start's settings; every best lane is polished afterwards
METHODS = {
    "run": "training runs resampled with replacement",
    "row": "rows resampled with replacement",
    "bayesian": "runs reweighted by Dirichlet weights",
    "residual": "residuals resampled around the fitted curve",
    "hierarchical": "scales resampled, then runs within each scale",
}


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
            One row per parameter: estimate, lower, upper, se (standard deviation of the draws).

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        table = self.derive(lambda p: p, level)
        table["estimate"] = self.fit.numbers
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
            interval: "confidence" for the mean curve, "prediction" for a new run (its scatter included).
            level: probability between the two ends.
            seed: of the scatter drawn for "prediction".

        Returns:
            One row per run: prediction, lower, upper, extrapolation (decades beyond the fitted range of the inputs).

        Raises:
            ValueError: for another kind of interval or level.
        """
        if interval not in ("confidence", "prediction"):
            raise ValueError(f"interval={interval!r}: 'confidence' is the band of the mean curve, 'prediction' that of a new run.")
        tail = tail_of(level)
        inputs = self.fit.inputs_of(other)
        draws = predict(self.fit.law, self.numbers, inputs)
        if interval == "prediction":
            draws = _scattered(self.fit, draws, np.random.default_rng(seed))
        return pd.DataFrame({
            "prediction": predict(self.fit.law, self.fit.numbers, inputs)[0],
            "lower": np.nanquantile(draws, tail, axis=0),
            "upper": np.nanquantile(draws, 1 - tail, axis=0),
            "extrapolation": extrapolation(self.fit, inputs),
        })  # fmt: skip

    def __repr__(self) -> str:
        return f"<{len(self.numbers)} draws of {self.fit.law.name}: {self.method}; {100 * self.moved:.1f} % in another basin>"


def bootstrap(fit: FitResult, n: int = 1000, seed: int = 0, method: str | None = None, indices: Any = None, scale: Any = None) -> Draws:
    """Refits a law to `n` resampled tables in one batch; see `FitResult.bootstrap`."""
    runs = fit.data()
    if indices is not None:
        weights = counts(np.asarray(indices), len(runs)) * runs.weight
        return refit(fit, weights, None, "rows as given by indices")
    method = method or ("run" if runs.run is not None else "row")
    if method not in METHODS:
        raise ValueError(f"method={method!r}: use one of {', '.join(METHODS)}.")
    if n < 1:
        raise ValueError(f"bootstrap({n}): ask for a positive number of replicates.")
    rng = np.random.default_rng(seed)
    if method == "residual":
        return refit(fit, np.broadcast_to(runs.weight, (n, len(runs))), _resampled_targets(fit, n, rng), METHODS[method])
    cluster = np.arange(len(runs)) if method == "row" or runs.run is None else runs.run
    if method == "bayesian":
        shares = rng.dirichlet(np.ones(cluster.max() + 1), n) * (cluster.max() + 1)
    elif method == "hierarchical":
        shares = _hierarchical(fit, cluster, scale, n, rng)
    else:
        present = np.unique(cluster)
        shares = counts(present[rng.integers(len(present), size=(n, len(present)))], cluster.max() + 1)
    return refit(fit, shares[:, cluster] * runs.weight, None, METHODS[method])


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
    runs = fit.data()
    spread = np.sqrt(len(runs) / max(len(runs) - int(fit.evidence.free.sum()), 1))
    noise = -spread * fit.residuals[rng.integers(len(runs), size=draws.shape)]
    return draws * np.exp(noise) if fit.objective.on == "log" else draws + noise


def refit(fit: FitResult, weights: np.ndarray, targets: np.ndarray | None, words: str) -> Draws:
    """One batch of refits under the given weights (draws, rows) or targets, from several basins each."""
    spec, runs = respec(fit), fit.data()
    fixed = np.full((1, len(fit.law.labels)), np.nan)
    for i, label in enumerate(fit.law.labels):
        fixed[0, i] = fit.fixed.get(label, np.nan)
    problem, free = build_problem(spec, runs, [np.arange(len(runs))], fixed, weights)
    if targets is not None:
        padded = np.repeat(problem.data.target[None], len(targets), axis=0)
        padded[:, : targets.shape[1]] = targets
        problem = replace(problem, data=problem.data._replace(target=padded), per_fit=problem.per_fit._replace(target=True))
    compile_ahead(problem, QUICK, problem.n_fits)
    measure_ahead(problem)
    solution = _solve_from(problem, _basins(fit, spec, fixed, runs, free), fit)
    scale = np.sum(weights * fit.objective.rho(target_scale(runs, fit.objective)), axis=-1)
    moved = solution.home_value > agreement(solution.best.value, scale)
    numbers = natural_numbers(fit.law, problem, solution.best.z)
    return Draws(fit, numbers, solution.best.value, words, float(np.mean(moved)))


@dataclass(frozen=True)
class _Refits:
    best: Solution
    home_value: np.ndarray


def _basins(fit: FitResult, spec: Spec, fixed: np.ndarray, runs: Any, free: np.ndarray) -> np.ndarray:
    """Where refits start, (starts, k): the optimum, both ends of its longest valley, then other basins and fresh seeds."""
    whole, _ = build_problem(spec, runs, [np.arange(len(runs))], fixed)
    seeds = default_starts(whole, fixed, tied_index(spec), n=BASINS, nodes=512)
    seeds = search_points(fit.law, seeds, free[:1])[0]
    ends = np.clip(fit.evidence.z + np.outer([1, -1], _valley(fit)), fit.evidence.lower, fit.evidence.upper)
    return np.concatenate([fit.evidence.z[None], ends, fit.evidence.basins[1:], seeds])[:BASINS]


def _valley(fit: FitResult) -> np.ndarray:
    """The direction in which the objective rises slowest, as long as a few of its standard deviations."""
    moving = np.flatnonzero(fit.evidence.free)
    hessian = fit.evidence.hessian[np.ix_(moving, moving)]
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    out = np.zeros(len(fit.evidence.z))
    if len(moving) and values[0] > 0 and fit.evidence.value > 0:
        length = VALLEY_SIGMAS * np.sqrt(2 * fit.evidence.value / (len(fit.data()) * values[0]))
        out[moving] = vectors[:, 0] * min(length, VALLEY_REACH / np.max(np.abs(vectors[:, 0])))
    return out


def _solve_from(problem: Problem, starts: np.ndarray, fit: FitResult) -> _Refits:
    everywhere = np.broadcast_to(starts, (problem.n_fits, *starts.shape)).copy()
    roughness = None
    if not fit.objective.smooth:
        roughness = np.full(problem.n_fits, max(float(np.median(np.abs(fit.residuals))), 1e-9))
    settings: dict[str, Any] = {"screen": False, "smooth": fit.objective.smooth, "roughness": roughness}
    home = solve(problem, everywhere[:, :1], QUICK, polish=1, **settings)
    if len(starts) == 1:
        return _Refits(home, home.value)
    away = solve(problem, everywhere[:, 1:], QUICK, polish=1, **settings)
    better = away.value < home.value
    best = replace(
        home,
        z=np.where(better[:, None], away.z, home.z),
        value=np.where(better, away.value, home.value),
    )
    return _Refits(best, home.value)
