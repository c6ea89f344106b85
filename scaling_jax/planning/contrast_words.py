"""A contrast in sentences."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Protocol

import numpy as np
import pandas as pd

from scaling_jax.planning.recipes import Losses, Places

__all__ = ["words"]

MOST_NAMED = 5


class Contrast(Protocol):
    """What sentences need of a contrast."""

    @property
    def names(self) -> list[Hashable]: ...

    @property
    def pairs(self) -> list[tuple[int, int]]: ...

    @property
    def losses(self) -> Losses: ...

    @property
    def places(self) -> Places: ...

    @property
    def where(self) -> dict[str, np.ndarray]: ...

    @property
    def walk(self) -> float: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def table(self) -> pd.DataFrame: ...

    @property
    def best(self) -> pd.DataFrame: ...

    @property
    def crossover(self) -> pd.DataFrame: ...

    def calls(self, error: float = 0.1) -> pd.DataFrame: ...


def words(contrast: Contrast) -> str:
    """What a contrast found, a sentence each."""
    two = len(contrast.names) == 2
    lines = list(_of_a_pair(contrast) if two else _of_many(contrast))
    if np.isfinite(contrast.walk):
        lines.append(
            "Each recipe's own error beyond its runs is taken as "
            f"{100 * contrast.walk:.2g} % of the loss per root decade of compute."
        )
    return "\n".join([*lines, *contrast.notes])


def _of_a_pair(contrast: Contrast) -> Iterator[str]:
    for _, row in contrast.table.iterrows():
        a, b = row["a"], row["b"]
        yield f"{_place(row, contrast)}: loss {row['loss_a']:.4g} of {a}, {row['loss_b']:.4g} of {b}."
        if contrast.losses.has_draws:
            better, sure = (
                (a, row["probability"]) if row["probability"] >= 0.5 else (b, 1 - row["probability"])
            )
            yield (
                f"  {better} wins with probability {sure:.2f}; the difference is {row['difference']:.2g} "
                f"[{row['difference_lower']:.2g}, {row['difference_upper']:.2g}]."
            )
        yield f"  {_multiplier(row, contrast)}"
    if contrast.places.flops is not None:
        yield _crossing(contrast)


def _multiplier(row: pd.Series, contrast: Contrast) -> str:
    a, b = row["a"], row["b"]
    what = "compute" if contrast.places.inputs is None else f"{contrast.places.grows}"
    span = ""
    if contrast.losses.has_draws:
        span = f" [{_times(row['multiplier_lower'])}, {_times(row['multiplier_upper'])}]"
    if np.isposinf(row["multiplier"]):
        return f"No amount of {what} brings {b} to the loss of {a}{span}."
    return f"{b} needs {_times(row['multiplier'])} times the {what}{span} for the loss of {a}."


def _crossing(contrast: Contrast) -> str:
    row = contrast.crossover.iloc[0]
    drawn = contrast.losses.has_draws
    odds = f"; that they cross in that range has probability {row['inside']:.2f}" if drawn else ""
    if np.isnan(row["flops"]):
        return f"No crossing within 3 decades of these budgets{odds}."
    ends = f" [{row['lower']:.2g}, {row['upper']:.2g}]" if drawn else ""
    return f"They are equal at {row['flops']:.2g} FLOP{ends}{odds}."


def _of_many(contrast: Contrast) -> Iterator[str]:
    where = list(contrast.table.columns[2 : 2 + len(contrast.where)])
    calls = contrast.calls() if contrast.losses.has_draws else None
    for _, rows in contrast.best.groupby(where, sort=False):
        first = rows.iloc[0]
        if calls is None:
            yield f"{_place(first, contrast)}: {first['recipe']} has the least loss, {first['loss']:.4g}."
            continue
        named = ", ".join(
            f"{recipe} {share:.2f}"
            for recipe, share in zip(rows["recipe"], rows["probability"].head(MOST_NAMED), strict=False)
        )
        called = int((calls[where] == first[where]).all(axis=1).sum())
        yield f"{_place(first, contrast)}: probabilities of being the best: {named}."
        yield f"  {called} of {len(contrast.pairs)} pairs can be called with one in ten wrong."


def _place(row: pd.Series, contrast: Contrast) -> str:
    if contrast.places.inputs is None:
        return f"At {row['flops']:.3g} FLOP"
    return "At " + ", ".join(f"{name} = {row[name]:.3g}" for name in contrast.places.inputs)


def _times(value: float) -> str:
    return "infinitely many" if np.isinf(value) else f"{value:.3g}"
