"""A forecast with fits behind it: what a loss that nobody has seen will mean for a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.engine.predict import predict_paired
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.joined import chained
from scaling_jax.planning.source import Source
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.bootstrap import REPLICATES, draws_of, paired_draws
from scaling_jax.uncertainty.draws import Draws, as_new_rows
from scaling_jax.uncertainty.ensemble import check_level, generator, interval, is_count

__all__ = ["ForecastChain"]

MANY = 4000  # draws behind an interval


class Ahead(Protocol):
    """What a chain needs of a forecast."""

    @property
    def columns(self) -> dict[str, str]: ...

    @property
    def asked(self) -> pd.DataFrame: ...

    def interval(self, level: float = ...) -> pd.DataFrame: ...

    def draws(self, n: int = ..., seed: int = ...) -> np.ndarray: ...

    def as_source(self, draws: bool = ...) -> Source: ...

    def elsewhere(self, other: TableLike) -> Ahead: ...


@dataclass(frozen=True, eq=False)
class ForecastChain:
    """The predictive distribution of a metric that fits say follows from what is forecast.

    Made by `sj.chain(forecast, fit, via="loss")`. A draw is one of the forecast's, put through one replicate
    of every fit, with that fit's own scatter.

    Args:
        forecast: of the first quantity.
        stages: the fits, in order.
        via: for each, the input that takes what comes before.
    """

    forecast: Ahead
    stages: tuple[Fitted, ...]
    via: tuple[str, ...]

    @checked
    def interval(self, level: float = 0.9) -> pd.DataFrame:
        """Median and both ends of the metric per run that was asked for.

        Args:
            level: probability between the two ends.

        Returns:
            One row per run: prediction (the forecast's median through the fits), lower, upper, extrapolation
            (decades beyond the rows of the forecast).

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        check_level(level)
        ahead = self.forecast.interval(level)
        middle = ahead[["prediction"]].to_numpy().T
        estimates = [stage.numbers[None] for stage in self.stages]
        lower, upper = interval(self.draws(MANY), level)
        found = {"prediction": self._through(middle, estimates)[0], "lower": lower, "upper": upper}
        return pd.DataFrame(found).assign(extrapolation=ahead["extrapolation"])

    @checked
    def predict(
        self, other: TableLike, interval: str | None = None, level: float = 0.9
    ) -> np.ndarray | pd.DataFrame:
        """The same for other runs; nothing is fitted again.

        Args:
            other: a table or mapping of the forecast's inputs.
            interval: None for the medians alone, or "prediction".
            level: probability between the two ends.

        Returns:
            (rows,) medians, or what `interval` returns.
        """
        if interval not in (None, "prediction"):
            raise ValueError(
                f"interval={shown(interval)}: a forecast has the band of new runs, 'prediction'."
            )
        found = replace(self, forecast=self.forecast.elsewhere(other)).interval(level)
        return found["prediction"].to_numpy() if interval is None else found

    @checked
    def draws(self, n: int = 1000, seed: int = 0) -> np.ndarray:
        """Plausible values of the metric of all runs that were asked for.

        Args:
            n: how many.
            seed: of the draws.

        Returns:
            (n, runs) values.
        """
        if not is_count(n):
            raise ValueError(f"draws({shown(n)}): ask for a positive number of draws.")
        rng = generator(seed)
        values = self.forecast.draws(n, seed)
        which = rng.integers(REPLICATES, size=n)
        return self._through(values, [one.numbers[which] for one in self._replicates], rng)

    @checked
    def as_source(self, draws: bool = True) -> Source:
        """What plans and contrasts are made from: forecast and fits as one law, draws side by side."""
        ahead = self.forecast.as_source(draws)
        law, _ = chained((ahead.law, *(stage.law for stage in self.stages)), self.via)
        drawn = None
        if ahead.draws is not None:
            drawn = np.concatenate([ahead.draws, *(one.numbers for one in self._replicates)], axis=1)
        numbers = np.concatenate([ahead.numbers, *(stage.numbers for stage in self.stages)])
        return replace(ahead, law=law, numbers=numbers, draws=drawn)

    @cached_property
    def _replicates(self) -> Sequence[Draws]:
        """Draw by draw of the same runs, where several fits know them."""
        if len(self.stages) == 1:
            return [draws_of(self.stages[0])]
        return paired_draws(self.stages, REPLICATES, seed=0)

    def _through(
        self, values: np.ndarray, numbers: Sequence[np.ndarray], rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """(draws, runs) what becomes of values (draws, runs), with the fits' scatter where there is a
        generator."""
        for stage, fed, vectors in zip(self.stages, self.via, numbers, strict=True):
            values = predict_paired(stage.law, vectors, self._beside(stage, fed), fed, values)
            if rng is not None:
                values = as_new_rows(stage, values, vectors, rng, values.shape)
        return values

    def _beside(self, stage: Fitted, fed: str) -> dict[str, np.ndarray]:
        """A fit's other inputs, out of what was asked for."""
        asked, found = self.forecast.asked, {}
        for name in stage.law.inputs:
            if name == fed:
                continue
            column = next((c for c in (name, self.forecast.columns.get(name, name)) if c in asked), None)
            if column is None:
                raise DataError(f"The stage '{stage.law.name}' needs input {name}, which is not asked for.")
            found[name] = asked[column].to_numpy(dtype=np.float64)
        return found

    def __repr__(self) -> str:
        return f"<ForecastChain {' -> '.join(['forecast', *(stage.law.name for stage in self.stages)])}>"
