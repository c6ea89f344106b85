"""Chains: the prediction of one fit as an input of the next, loss to error, stage after stage.

Stages may come from different tables. Draws are paired: replicate i of a chain uses replicate i of every
stage, and stages that know the same training runs resample them together, so a run's luck reaches the end of
the chain as one thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.engine.predict import predict, predict_paired
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.tables.read import as_columns, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.bootstrap import refit
from scaling_jax.uncertainty.draws import Draws, tail_of
from scaling_jax.uncertainty.resample import counts

__all__ = ["Chain", "chain"]

PAIRED = "training runs resampled with replacement, paired over the stages"


@dataclass(frozen=True)
class Chain:
    """Fits in a row, each feeding one input of the next.

    Made by `sj.chain`.

    Args:
        stages: the fits, first to last.
        via: for each later stage, the input that takes the previous prediction.
    """

    stages: tuple[Fitted, ...]
    via: tuple[str, ...]

    def predict(
        self, other: Any, interval: str | None = None, level: float = 0.9
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
                f"interval={interval!r}: a chain has the band of its mean curve, interval='confidence'."
            )
        tail = tail_of(level)
        draws = self._propagate(other, [d.numbers for d in self.draws])
        lower, upper = np.nanquantile(draws, [tail, 1 - tail], axis=0)
        return pd.DataFrame({"prediction": point, "lower": lower, "upper": upper})

    @cached_property
    def draws(self) -> list[Draws]:
        """1,000 paired bootstrap replicates per stage, seed 0."""
        return _paired_draws(self.stages, 1000, seed=0)

    def _propagate(self, other: Any, numbers: list[np.ndarray]) -> np.ndarray:
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


def chain(*stages: Fitted, via: str | list[str] = "loss") -> Chain:
    """Composes fits: the prediction of each is an input of the next.

    Args:
        *stages: two or more fits, first to last.
        via: the input of the later stage (or stages) that takes the previous prediction.

    Returns:
        A `Chain`: `.predict(other)`, `.predict(other, interval="confidence")`.

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
    for stage, link in zip(stages[1:], links, strict=True):
        if link not in stage.law.inputs:
            raise ValueError(
                f"via={link!r}: law '{stage.law.name}' has the inputs {', '.join(stage.law.inputs)}."
            )
    return Chain(tuple(stages), tuple(links))


def _paired_draws(stages: tuple[Fitted, ...], n: int, seed: int) -> list[Draws]:
    """Bootstrap replicates per stage; runs that several stages know by the same name are drawn for all of
    them at once.

    Runs are resampled within the sets known to the same stages, so that every stage keeps its number of runs.
    """
    labels = [_run_labels(stage, number) for number, stage in enumerate(stages)]
    known_to: dict[Any, list[int]] = {}
    for number, part in enumerate(labels):
        for label in dict.fromkeys(part):
            known_to.setdefault(label, []).append(number)
    rng = np.random.default_rng(seed)
    share: dict[Any, np.ndarray] = {}
    for stages_knowing in sorted(set(map(tuple, known_to.values()))):
        members = [label for label, numbers in known_to.items() if tuple(numbers) == stages_knowing]
        drawn = counts(rng.integers(len(members), size=(n, len(members))), len(members))
        share.update(zip(members, drawn.T, strict=True))
    return [
        refit(stage, np.stack([share[label] for label in part], axis=1) * stage.data().weight, None, PAIRED)
        for stage, part in zip(stages, labels, strict=True)
    ]


def _run_labels(stage: Fitted, number: int) -> list[Any]:
    """The run each row belongs to; rows of unknown runs stand for themselves, and for no other stage's."""
    runs = stage.data()
    if runs.run is None:
        return [(number, row) for row in range(len(runs))]
    return [runs.run_labels[code] for code in runs.run]
