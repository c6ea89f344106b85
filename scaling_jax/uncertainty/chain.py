"""Chains: the prediction of one fit as an input of the next, loss to error, stage after stage.

Stages may come from different tables. Draws are paired: replicate i of a chain uses replicate i of every
stage, and stages that know the same training runs resample them together, so a run's luck reaches the end of
the chain as one thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar, overload, runtime_checkable

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.engine.predict import predict, predict_paired
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.bootstrap import REPLICATES, paired_draws
from scaling_jax.uncertainty.draws import Draws
from scaling_jax.uncertainty.ensemble import check_level
from scaling_jax.uncertainty.ensemble import interval as ends_of

__all__ = ["Chain", "Feeds", "chain"]

Made = TypeVar("Made", covariant=True)


@runtime_checkable
class Feeds(Protocol[Made]):
    """What is no fit and knows itself how fits go on from it, as a forecast does."""

    def chained(self, stages: tuple[Fitted, ...], via: tuple[str, ...]) -> Made: ...


@dataclass(frozen=True, eq=False)
class Chain:
    """Fits in a row, each feeding one input of the next.

    Made by `sj.chain`.

    Args:
        stages: the fits, first to last.
        via: for each later stage, the input that takes the previous prediction.
    """

    stages: tuple[Fitted, ...]
    via: tuple[str, ...]

    @checked
    def predict(
        self, other: TableLike, interval: str | None = None, level: float = 0.9
    ) -> np.ndarray | pd.DataFrame:
        """The last stage's predictions for other runs.

        Args:
            other: a table or mapping with the inputs of the first stage, and of later stages beyond what they
                are fed.
            interval: None, or "confidence" for the band of the mean curve, from paired bootstraps of all
                stages.
            level: probability between the two ends.

        Returns:
            (rows,) predictions; with an interval a DataFrame with prediction, lower, upper.

        Raises:
            DataError: if an input is missing or outside its domain.
            ValueError: for another kind of interval.
        """
        point = self._propagate(other, [np.atleast_2d(stage.numbers) for stage in self.stages])[0]
        if interval is None:
            return point
        if interval != "confidence":
            raise ValueError(
                f"interval={shown(interval)}: a chain has the band of its mean curve, interval='confidence'."
            )
        check_level(level)
        lower, upper = ends_of(self._propagate(other, [d.numbers for d in self.draws]), level)
        return pd.DataFrame({"prediction": point, "lower": lower, "upper": upper})

    @cached_property
    def draws(self) -> list[Draws]:
        """1,000 paired bootstrap replicates per stage, seed 0."""
        return paired_draws(self.stages, REPLICATES, seed=0)

    def _propagate(self, other: TableLike, numbers: list[np.ndarray]) -> np.ndarray:
        """(draws, rows) predictions of the last stage, draw i of every stage going with draw i of the
        others."""
        frame = as_frame(as_columns(other))
        value = predict(self.stages[0].law, numbers[0], self.stages[0].inputs_of(frame))
        for stage, fed, vectors in zip(self.stages[1:], self.via, numbers[1:], strict=True):
            own = {
                name: column
                for name, column in stage.sources.items()
                if name in stage.law.inputs and name != fed
            }
            inputs = {}
            for name, column in own.items():
                found = name if name in frame.columns else column
                if found not in frame.columns:
                    raise DataError(
                        f"The stage '{stage.law.name}' needs input {name}: add a column '{name}'."
                    )
                inputs[name] = frame[found].to_numpy(dtype=np.float64)
            value = predict_paired(stage.law, vectors, inputs, fed, value)
        return value

    def __repr__(self) -> str:
        return f"<Chain {' -> '.join(stage.law.name for stage in self.stages)}>"


@overload
def chain(first: Fitted, /, *stages: Fitted, via: str | list[str] = ...) -> Chain: ...
@overload
def chain(first: Feeds[Made], /, *stages: Fitted, via: str | list[str] = ...) -> Made: ...
@checked
def chain(*stages: Fitted | Feeds[Made], via: str | list[str] = "loss") -> Chain | Made:
    """Composes fits: the prediction of each is an input of the next.

    Args:
        *stages: two or more fits, first to last; the first may be a forecast.
        via: the input of the later stage (or stages) that takes the previous prediction.

    Returns:
        A `Chain`: `.predict(other)`, `.predict(other, interval="confidence")`; behind a forecast, a
        distribution of the metric: `.interval()`, `.draws()`, `.predict(other, interval="prediction")`.

    Raises:
        ValueError: with fewer than two fits, or where a stage has no input called `via`.

    Source: loss as the mediator of downstream metrics, Xia et al. 2022 (arXiv:2212.09803); Gadre et al. 2024
    (arXiv:2403.08540), eq. 5.

    >>> import scaling_jax as sj
    >>> loss = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
    >>> @sj.law
    ... def error(loss, *, a: sj.Positive):
    ...     return a * loss
    >>> to_error = sj.fit(error, {"loss": [1.0, 2.0], "error": [0.1, 0.2]}, target="error")
    >>> sj.chain(loss, to_error, via="loss").predict({"x": 1000}).round(6).tolist()
    [0.05]
    """
    if len(stages) < 2:
        raise ValueError("A chain needs two fits or more.")
    links = [via] * (len(stages) - 1) if isinstance(via, str) else list(via)
    if len(links) != len(stages) - 1:
        raise ValueError(f"via={shown(via)}: name one input for each of the {len(stages) - 1} later stages.")
    first, *later = stages
    fits = tuple(stage for stage in later if isinstance(stage, Fitted))
    if len(fits) < len(later):
        raise TypeError("Only the first stage of a chain may be something else than a fit.")
    for stage, link in zip(fits, links, strict=True):
        if link not in stage.law.inputs:
            raise ValueError(
                f"via={shown(link)}: law '{stage.law.name}' has the inputs {', '.join(stage.law.inputs)}."
            )
    return (
        Chain((first, *fits), tuple(links))
        if isinstance(first, Fitted)
        else first.chained(fits, tuple(links))
    )
