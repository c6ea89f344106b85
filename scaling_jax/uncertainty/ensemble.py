"""An estimate and draws that are all plausible: intervals of the numbers themselves and of whatever follows
from them.

Bootstraps, posteriors, chains of fits and the replicates of Approaches 1 and 2 are ensembles; what is said of
one is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown

__all__ = ["Ensemble", "check_level", "generator", "interval", "is_count", "tail_of", "with_ends"]

Numbers = dict[Hashable, np.ndarray]
"""Arrays (draws,) by name."""
Quantity = Callable[[dict[Any, Any]], ArrayLike | Mapping[str, ArrayLike]]


def check_level(level: object) -> None:
    """Refuses what is no probability, before draws are made for it."""
    if not (isinstance(level, int | float | np.floating) and 0 < level < 1):
        raise ValueError(f"level={shown(level)}: give a probability between 0 and 1, such as 0.9.")


def tail_of(level: float) -> float:
    """The probability beyond each end of an interval of this level."""
    check_level(level)
    return (1 - level) / 2


def is_count(n: object) -> bool:
    """Whether this many can be drawn."""
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n > 0)


def generator(seed: int | Sequence[int] | np.random.Generator) -> np.random.Generator:
    """Random numbers of one seed, or of several together."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"seed={shown(seed)}: give a whole number, zero or more.") from error


def interval(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end over draws (draws, ...), those without a value left out; NaN where none has one."""
    tail = tail_of(level)
    known = ~np.isnan(draws).all(axis=0)
    lower, upper = np.nanquantile(np.where(known, draws, 0.0), [tail, 1 - tail], axis=0)
    return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def with_ends(table: pd.DataFrame, drawn: Mapping[str, np.ndarray], level: float) -> pd.DataFrame:
    """The table with `_lower` and `_upper` of quantities (draws, rows), each behind its own column."""
    columns = {}
    for name in [*table, *(name for name in drawn if name not in table)]:
        if name in table:
            columns[name] = table[name]
        if name in drawn:
            columns[f"{name}_lower"], columns[f"{name}_upper"] = interval(drawn[name], level)
    return pd.DataFrame(columns, index=table.index)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Vectors of named numbers that are all plausible, and an estimate beside them.

    Args:
        names: what each number is called.
        estimate: (names,).
        numbers: (draws, names).
        method: how they were drawn, in words.
    """

    names: Sequence[Hashable]
    estimate: np.ndarray
    numbers: np.ndarray
    method: str

    @cached_property
    def params(self) -> pd.DataFrame:
        """One row per draw, one column per number, natural units."""
        return pd.DataFrame(self.numbers, columns=pd.Index(self.names, tupleize_cols=True))

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of the numbers.

        Args:
            level: probability between the two ends.

        Returns:
            One row per number: estimate, lower, upper, se (standard deviation of the draws).

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        return self.derive(lambda named: named, level)

    @checked
    def derive(self, quantity: Quantity, level: float = 0.9) -> pd.DataFrame:
        """Any function of the numbers, with its interval.

        Args:
            quantity: takes a dict of arrays (draws,) by name and returns an array (draws,) or a dict of them.
            level: probability between the two ends.

        Returns:
            One row per quantity: estimate, lower, upper, se.
        """
        point, draws = (_named(quantity, self._as_named(at)) for at in (self.estimate[None], self.numbers))
        rows = {}
        for name, values in draws.items():
            lower, upper = interval(np.asarray(values), level)
            middle = self._middle(np.asarray(values), point[name])
            rows[name] = {"estimate": middle, "lower": lower, "upper": upper, "se": np.nanstd(values)}
        return pd.DataFrame(rows).T.astype(float)

    def _as_named(self, numbers: np.ndarray) -> Numbers:
        return dict(zip(self.names, numbers.T, strict=True))

    def _middle(self, draws: np.ndarray, estimate: np.ndarray) -> float:
        """What stands between the ends: here the quantity at the estimate."""
        return float(np.squeeze(estimate))


def _named(quantity: Quantity, numbers: Numbers) -> Numbers:
    found = quantity(numbers)
    named = found if isinstance(found, Mapping) else {"quantity": found}
    return {name: np.asarray(values) for name, values in named.items()}
