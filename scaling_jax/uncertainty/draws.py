"""Parameter vectors of a fit that are all plausible given its data, and the bands that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.keyed import Keyed
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import Refits
from scaling_jax.tables.frames import TableLike
from scaling_jax.uncertainty.ensemble import Ensemble, Quantity, check_level, generator, interval, tail_of
from scaling_jax.uncertainty.few import few_runs, held_words, widened
from scaling_jax.uncertainty.tails import normal_quantile, overdispersed_shares

__all__ = [
    "Draws",
    "DrawsGroups",
    "FitEnsemble",
    "as_new_rows",
    "extrapolation",
    "run_residuals",
]

# what 440 real extrapolations of 36 families ask for at 90 %: so much of the mean curve's half-width, and so
# much of the prediction per decade beyond the data
OF_MEAN, PER_DECADE = 0.7, 0.105
CURVES_AT_A_TIME = 2**22  # draws times rows; a number of its own, since what is drawn depends on it
MEASURED = {
    "parameters": "where the law is true nominal 90 % intervals held 87 to 94 %",
    "confidence": "the law taken as true; beyond the data nominal 90 % bands held 59 % of 440 real "
    "extrapolations",
    "prediction": "beyond the data nominal 90 % bands held 91 % of 440 real extrapolations, calibrated on "
    "other suites than judged on",
}

Ends: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Lower and upper ends of a band, each (rows,)."""


@dataclass(frozen=True, eq=False)
class FitEnsemble(Ensemble):
    """An ensemble of one fit's parameters, which predicts.

    Args:
        fit: the fit they belong to.
    """

    fit: Fitted

    @checked
    def predict(
        self,
        other: TableLike,
        interval: str = "confidence",
        level: float = 0.9,
        seed: int = 0,
        simultaneous: bool = False,
    ) -> pd.DataFrame:
        """Predictions with a band.

        Args:
            other: a table or mapping of inputs, as in `FitResult.predict`.
            interval: "confidence" for the mean curve as the law has it; "prediction" for what a new run will
                show.
            level: probability between the two ends.
            seed: of the scatter drawn for "prediction".
            simultaneous: one band that holds all rows of `other` at once with that probability, and not each
                by itself: the same number of standard deviations everywhere (sup-t; Lesci et al. 2024,
                arXiv:2406.04327).

        Returns:
            One row per run, under the index of a frame that was given: prediction, lower, upper,
            extrapolation (decades beyond the fitted range of the inputs; half of those of the product and the
            ratio of two, where that is more, as at a corner where nothing was run).

        Raises:
            ValueError: for another kind of interval or level.
        """
        if interval not in ("confidence", "prediction"):
            raise ValueError(
                f"interval={shown(interval)}: 'confidence' is the band of the mean curve, "
                "'prediction' that of a "
                "new run."
            )
        inputs = self.fit.inputs_of(other)
        rows, rng = len(next(iter(inputs.values()))), generator(seed)
        luck = int(rng.integers(2**63))
        per_block = max(1, CURVES_AT_A_TIME // len(self.numbers))
        curve = []
        mean, new = (_Ends(level, simultaneous, self._scaled) for _ in range(2))
        for first in range(0, max(rows, 1), per_block):
            block = {name: column[first : first + per_block] for name, column in inputs.items()}
            curves = predict(self.fit.law, self.numbers, block)
            curve.append(self._curve(curves, block))
            mean.add(curves)
            if interval == "prediction" and simultaneous:
                new.add(self._scattered(curves, rng, curves.shape))
            elif interval == "prediction":
                new.add(self._scattered(curves, np.random.default_rng(luck), (len(curves), 1)))
        prediction = np.concatenate(curve)
        narrow = mean.ends(prediction, self._moved)
        lower, upper = narrow if interval == "confidence" else new.ends(prediction, self._moved)
        table = pd.DataFrame({"prediction": prediction, "lower": lower, "upper": upper})
        if isinstance(other, pd.DataFrame):
            table.index = other.index
        table["extrapolation"] = extrapolation(self.fit, inputs)
        return self._told(table, narrow, interval, level)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return self.fit.objective.scaled(values)

    def _moved(self, values: np.ndarray, by: np.ndarray) -> np.ndarray:
        return self.fit.objective.moved(values, by)

    def _curve(self, curves: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """What stands between the ends of a band: here the fit's own curve."""
        return predict(self.fit.law, self.fit.numbers, inputs)[0]

    def _scattered(self, curves: np.ndarray, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """Curves (draws, rows) as new runs would show them, by a scatter of this size: one for every row, or
        one for all, where rows are looked at each by itself and a smooth band is worth more than runs of
        their own."""
        raise NotImplementedError

    def _told(self, table: pd.DataFrame, mean: Ends, interval: str, level: float) -> pd.DataFrame:
        """The table with what else belongs to the band, the ends of the mean curve's band given."""
        return table


class _Ends:
    """The ends of a band over blocks of rows: quantiles row by row, or one number of standard deviations for
    all rows."""

    def __init__(self, level: float, simultaneous: bool, scaled: Callable[[np.ndarray], np.ndarray]):
        self.level, self.simultaneous, self.scaled = level, simultaneous, scaled
        self.parts: list[Ends] = []
        self.farthest: np.ndarray | float = 0.0
        check_level(level)

    def add(self, seen: np.ndarray) -> None:
        """A block of draws (draws, rows)."""
        if not self.simultaneous:
            self.parts.append(interval(seen, self.level))
            return
        seen = self.scaled(seen)
        middle, spread = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
        far = np.abs(seen - middle) / np.where(spread > 0, spread, 1.0)
        self.farthest = np.maximum(self.farthest, np.nanmax(far, axis=1))
        self.parts.append((-spread, spread))

    def ends(self, curve: np.ndarray, moved: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Ends:
        """Both ends for all rows; `moved` moves the curve on the scale of residuals."""
        lower, upper = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        if not self.simultaneous:
            return lower, upper
        reach = np.nanquantile(self.farthest, self.level)
        return moved(curve, reach * lower), moved(curve, reach * upper)


@dataclass(frozen=True, eq=False)
class Draws(FitEnsemble):
    """Optima of resampled tables: plausible parameter vectors, and everything that follows from them.

    Made by `fit.bootstrap()`. A "prediction" band includes a new run's scatter, and reaches at least .7 of
    the mean curve's half-width and .105 of the prediction per decade beyond the data, because laws are wrong
    there; `.attrs["method"]` says in words how a band was made, and `.attrs["coverage"]` how often such bands
    held real runs.

    Args:
        objective_values: (draws,), each replicate's own optimum.
        moved: share of draws whose optimum lies in another basin than the fit's own.
    """

    objective_values: np.ndarray
    moved: float

    @classmethod
    def of(cls, fit: Fitted, refits: Refits, method: str) -> Draws:
        """The replicates of a fit, spread further where its runs are few."""
        few = few_runs(fit)
        if few is not None:
            freedom = f"{few.freedom:.2g} degrees of freedom"
            method += f", spread as {few.runs} runs ask for (Student's t, {freedom})"
        return replace(cls.plain(fit, refits, method), numbers=widened(fit, refits.numbers))

    @classmethod
    def plain(cls, fit: Fitted, refits: Refits, method: str) -> Draws:
        """The replicates of a fit as they are."""
        return cls(fit.law.labels, fit.numbers, refits.numbers, method, fit, refits.values, refits.moved)

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of the parameters; `.attrs["coverage"]` says how often such intervals held the
        truth.

        Args:
            level: probability between the two ends.

        Returns:
            One row per parameter: estimate, lower, upper, se (standard deviation of the draws).

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        table = super().conf_int(level)
        table.attrs["coverage"] = held_words(self.fit) or MEASURED["parameters"]
        return table

    def _scattered(self, curves: np.ndarray, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """Each curve with a residual of the fit, drawn whole."""
        return as_new_rows(self.fit, curves, self.numbers, rng, size)

    def _told(self, table: pd.DataFrame, mean: Ends, interval: str, level: float) -> pd.DataFrame:
        words = self.method
        if interval == "prediction":
            curve = table["prediction"].to_numpy()
            with np.errstate(invalid="ignore"):
                half = (self._scaled(mean[1]) - self._scaled(mean[0])) / 2
            by = OF_MEAN * half + _own_error(self.fit, curve, table["extrapolation"].to_numpy(), level)
            lower = np.fmin(table["lower"], self._moved(curve, -by))
            upper = np.fmax(table["upper"], self._moved(curve, by))
            table = table.assign(lower=lower, upper=upper)
            words = f"{words}, a run's own scatter added, widened with the distance beyond the data"
        table.attrs["method"] = f"{len(self.numbers):,} replicates: {words}"
        table.attrs["coverage"] = "; ".join(filter(None, [held_words(self.fit), MEASURED[interval]]))
        return table

    def __repr__(self) -> str:
        moved = f"{100 * self.moved:.1f} % in another basin"
        return f"<{len(self.numbers)} draws of {self.fit.law.name}: {self.method}; {moved}>"


class DrawsGroups(Keyed[Draws]):
    """Replicates of many groups: a mapping from the group's key to its `Draws`.

    Made by `fits.bootstrap()`.

    Args:
        members: the draws by key.
        paired: whether replicate i of every group resampled the same training runs, so that differences
            between groups may be taken draw by draw.
    """

    def __init__(self, members: Mapping[Hashable, Draws], paired: bool = False):
        super().__init__(members)
        self.paired = paired

    @cached_property
    def joint(self) -> Ensemble:
        """All groups as one ensemble, its numbers named (group, parameter)."""
        names = [(key, label) for key, draws in self.items() for label in draws.names]
        estimate = np.concatenate([draws.estimate for draws in self.values()])
        numbers = np.concatenate([draws.numbers for draws in self.values()], axis=1)
        return Ensemble(names, estimate, numbers, next(iter(self.values())).method)

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of every group's parameters, one row per group and parameter."""
        table = pd.concat(
            {key: draws.conf_int(level) for key, draws in self.items()}, names=["group", "parameter"]
        )
        table.attrs["coverage"] = MEASURED["parameters"]
        return table

    @checked
    def derive(self, quantity: Quantity, level: float = 0.9) -> pd.DataFrame:
        """Any function of all groups' parameters, such as the difference of two, with its interval.

        Args:
            quantity: takes a dict from group to a dict of parameter arrays (draws,), and returns an array
                (draws,) or a dict of them.
            level: probability between the two ends.

        Returns:
            One row per quantity: estimate, lower, upper, se.
        """

        def of_groups(named: dict[Any, np.ndarray]) -> Any:
            return quantity({key: {label: named[key, label] for label in self[key].names} for key in self})

        return self.joint.derive(of_groups, level)

    @checked
    def predict(
        self, other: TableLike, interval: str = "confidence", level: float = 0.9, simultaneous: bool = False
    ) -> pd.DataFrame:
        """Every group's predictions for the same runs, one row per group and run; see `Draws.predict`."""
        bands = {
            key: draws.predict(other, interval, level, simultaneous=simultaneous)
            for key, draws in self.items()
        }
        return pd.concat(bands, names=["group", "run"])

    def __repr__(self) -> str:
        return f"<Draws of {len(self)} groups{', paired' if self.paired else ''}>"


def extrapolation(fit: Fitted, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Decades by which each run lies beyond the fitted range; 0 inside.

    The largest over inputs, and half of that over products and ratios of two: a long run of the largest size
    is new where only short ones were made.
    """
    known = {
        n: np.log10(column[column > 0]) for n, column in fit.data().numeric.items() if (column > 0).any()
    }
    with np.errstate(divide="ignore"):
        asked = {name: np.log10(inputs[name]) for name in known}
    beyond = [np.zeros(len(next(iter(inputs.values()))))]
    beyond += [_outside(asked[name], column) for name, column in known.items()]
    for one, other in combinations(known, 2):
        if len(known[one]) == len(known[other]) == len(fit.data()):
            for sign in (1, -1):
                pair = asked[one] + sign * asked[other]
                beyond.append(_outside(pair, known[one] + sign * known[other]) / 2)
    return np.max(beyond, axis=0)


def _outside(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """By how much values lie outside a range; nothing where they are no number."""
    far = np.maximum(asked - known.max(), known.min() - asked)
    return np.where(np.isfinite(asked), np.maximum(far, 0.0), 0.0)


def as_new_rows(
    fit: Fitted, curves: np.ndarray, numbers: np.ndarray, rng: np.random.Generator, size: tuple[int, ...]
) -> np.ndarray:
    """Curves (draws, rows) by numbers (draws, labels) with the scatter of new runs: residuals of the fit,
    drawn whole, or counts that scatter as the fit says."""
    se = fit.data().target_se
    if fit.objective.overdispersed and se is not None:
        trials = int(np.round(np.median(se) ** -2.0))
        return overdispersed_shares(curves, trials, numbers[:, -1:], rng, size)
    return fit.objective.moved(curves, -rng.choice(run_residuals(fit), size))


def run_residuals(fit: Fitted) -> np.ndarray:
    """The residual at the end of each run (of each row where runs are unknown), enlarged by what fitting has
    absorbed."""
    runs = fit.data()
    residuals = fit.residuals if runs.target_se is None else fit.residuals * np.median(runs.target_se)
    if runs.run is not None:
        size = sum(np.log(np.maximum(column, np.finfo(float).tiny)) for column in runs.numeric.values())
        last = pd.Series(size).groupby(runs.run).idxmax()
        residuals = residuals[last.to_numpy()]
    left = max(len(residuals) - fit.n_free, 1)
    return residuals * np.sqrt(len(residuals) / left)


def _own_error(fit: Fitted, curve: np.ndarray, beyond: np.ndarray, level: float) -> np.ndarray:
    """How far the law itself errs beyond its data, on the objective's scale."""
    share = normal_quantile(1 - tail_of(level)) / normal_quantile(0.95)
    return PER_DECADE * share * beyond * (1.0 if fit.objective.on_log else np.abs(curve))
