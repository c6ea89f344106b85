"""What a plan is made from: the law, parameters, draws and counts in whatever the user hands in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.law import Law
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.published.entry import Entry
from scaling_jax.tables.scale import TOKENS_FLOP
from scaling_jax.uncertainty.bootstrap import draws_of
from scaling_jax.uncertainty.ensemble import check_level, interval

__all__ = ["LawSource", "Optima", "Planned", "budgets_of", "planned", "with_ends"]


@runtime_checkable
class WithDraws(Protocol):
    """Draws of one fit's parameters, as a bootstrap or a posterior has them."""

    @property
    def fit(self) -> Fitted: ...

    @property
    def numbers(self) -> np.ndarray: ...


@runtime_checkable
class WithConstants(Protocol):
    """Whatever carries a law with its constants, as a published entry does."""

    @property
    def law(self) -> Law: ...

    @property
    def params(self) -> Mapping[str, ArrayLike]: ...


@runtime_checkable
class Optima(Protocol):
    """What knows the best runs without a law, as the results of Approaches 1 and 2 do."""

    def optimal(self, flops: ArrayLike, *, level: float = ...) -> pd.DataFrame: ...

    def exponents(self, *, level: float = ...) -> pd.DataFrame: ...


LawSource: TypeAlias = Fitted | WithDraws | WithConstants | tuple[Law, Mapping[str, ArrayLike]]
"""Whatever stands for a law with parameters: a fit, its bootstrap or posterior, an entry, `(law, params)`."""
Quantities: TypeAlias = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From parameter vectors (vectors, labels) to what a plan says of them, (vectors, budgets) by name."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A law with the parameters a plan is made from.

    Args:
        law: the law.
        numbers: (1, labels).
        draws: (draws, labels), or None.
        level: of the intervals.
        given: values of the law's other inputs.
        fitted: smallest and largest compute of the fitted runs, or None.
        notes: what the reader must know about the way things were counted.
    """

    law: Law
    numbers: np.ndarray
    draws: np.ndarray | None
    level: float
    given: dict[str, float]
    fitted: tuple[float, float] | None
    notes: list[str]

    def beyond(self, flops: np.ndarray) -> np.ndarray:
        """Decades by which budgets lie outside the compute of the fitted runs."""
        if self.fitted is None:
            return np.full(len(flops), np.nan)
        low, high = self.fitted
        return np.maximum(0.0, np.maximum(np.log10(flops / high), np.log10(low / flops)))

    def with_intervals(self, table: pd.DataFrame, quantities: Quantities) -> pd.DataFrame:
        """The table with `_lower` and `_upper` of every quantity, and notes as warnings and in attrs."""
        notes = list(self.notes)
        if self.draws is not None:
            drawn = quantities(self.draws)
            table = with_ends(table, drawn, self.level)
            if lost := 100 * np.isnan(drawn["N"]).any(axis=1).mean():
                notes.append(
                    f"{lost:.1f} % of the draws have no optimum inside and are left out of the intervals."
                )
        if table["N"].isna().any():
            notes.append(
                f"Law '{self.law.name}' has no optimum inside: with these parameters more of one of N and D "
                "is always better."
            )
        table.attrs["notes"] = notes
        if self.draws is not None:
            table.attrs["level"] = self.level
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        return table


def planned(
    source: LawSource,
    level: float | None,
    given: Mapping[str, float] | None,
    needs: tuple[str, ...] = ("N", "D"),
) -> Planned:
    """Reads law, parameters and draws out of whatever a plan is made from."""
    known = _given(given)
    if isinstance(source, Fitted | WithDraws):
        return _of_fit(source, level, known, needs)
    law, numbers = _constants(source)
    if level is not None:
        raise ValueError(
            "level= asks for intervals, and bare constants have none: give a fit, its bootstrap or posterior."
        )
    _check_inputs(law, needs, known)
    counted = _counted(source.count) if isinstance(source, Entry) else []
    return Planned(law, np.atleast_2d(numbers), None, 0.9, known, None, counted)


def _given(given: object) -> dict[str, float]:
    """The values of a law's other inputs, each a number."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"given={given!r}: give a mapping of inputs to numbers, for example {{'U': 1e11}}.")
    try:
        known = {name: float(value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"given={given!r}: give one number for each of the law's other inputs.") from error
    if wrong := [name for name, value in known.items() if not np.isfinite(value)]:
        raise ValueError(f"given {wrong[0]}={known[wrong[0]]}: give a finite number.")
    return known


def _of_fit(
    source: Fitted | WithDraws, level: float | None, known: dict[str, float], needs: tuple[str, ...]
) -> Planned:
    """From a fit, whose bootstrap is made where a level asks for it, or from draws of one."""
    fit = source if isinstance(source, Fitted) else source.fit
    if fit.reason:
        raise ValueError(f"There is no fit to plan from: {fit.reason}")
    _check_inputs(fit.law, needs, known)
    draws = None if isinstance(source, Fitted) else np.asarray(source.numbers)
    if draws is None and level is not None:
        draws = draws_of(fit).numbers
    level = 0.9 if level is None else level
    check_level(level)
    computed, notes = _fitted_compute(fit), _counted(fit.count)
    return Planned(fit.law, np.atleast_2d(fit.numbers), draws, level, known, computed, notes)


def _check_inputs(law: Law, needs: tuple[str, ...], known: Mapping[str, float]) -> None:
    if set(needs) <= set(law.inputs) and set(law.inputs) == {*needs, *known}:
        return
    others = ", ".join(f"{name!r}: value" for name in law.inputs if name not in needs)
    remedy = f", and values for the others: given={{{others}}}." if others else "."
    raise TypeError(
        f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; this plan needs "
        f"{' and '.join(needs)}{remedy}"
    )


def with_ends(table: pd.DataFrame, drawn: Mapping[str, np.ndarray], level: float) -> pd.DataFrame:
    """The table with `_lower` of every quantity (draws, rows), and then `_upper`."""
    ends = {name: interval(values, level) for name, values in drawn.items()}
    lower = {f"{name}_lower": low for name, (low, _) in ends.items()}
    return table.assign(**lower, **{f"{name}_upper": high for name, (_, high) in ends.items()})


def budgets_of(flops: ArrayLike, what: str = "flops") -> np.ndarray:
    """Positive finite amounts as a flat float64 array."""
    try:
        values = np.atleast_1d(np.asarray(flops, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}={flops!r}: give numbers, for example [1e21, 1e24].") from error
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{what}={flops!r}: give positive, finite numbers in one dimension.")
    return values


def _constants(source: object) -> tuple[Law, np.ndarray]:
    law, params = _law_and_params(source)
    if not isinstance(law, Law) or not isinstance(params, Mapping):
        group = "; pick one group: fits[key]." if isinstance(source, Mapping) else "."
        raise TypeError(
            "A plan is made from a fit, its bootstrap or posterior, a published entry, or (law, params), "
            f"not {type(source).__name__}{group}"
        )
    return law, law.numbers_of(params)


def _law_and_params(source: object) -> tuple[object, object]:
    if isinstance(source, WithConstants):
        return source.law, source.params
    return source if isinstance(source, tuple) and len(source) == 2 else (None, None)


def _fitted_compute(fit: Fitted) -> tuple[float, float] | None:
    """Least and most compute of the fitted runs, where they are known and sized."""
    inputs = {} if fit.runs is None else fit.data().inputs
    if not {"N", "D"} <= set(inputs):
        return None
    flops = TOKENS_FLOP * inputs["N"] * inputs["D"]
    flops = flops[flops > 0]
    return (float(flops.min()), float(flops.max())) if len(flops) else None


def _counted(count: Mapping[str, str]) -> list[str]:
    """Sentences for counts that a plan at C = 6 N D must not pass over."""
    found = []
    if (size := count.get("N")) and "non" in size.lower():
        found.append(
            f"N is counted '{size}', so C = 6 N D leaves out the embedding's FLOP and N is smaller than the "
            "model: the optimum differs from one in total parameters (Pearce and Song 2024)."
        )
    if (compute := count.get("C")) and compute.replace(" ", "").replace("*", "").upper() != "6ND":
        found.append(
            f"The runs' compute was counted '{compute}', and this plan spends C = 6 N D: convert budgets "
            "before comparing."
        )
    return found
