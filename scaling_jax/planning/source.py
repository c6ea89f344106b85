"""What a plan is made from: the law, parameters, draws and counts in whatever the user hands in."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.core.law import Law
from scaling_jax.tables.scale import TOKENS_FLOP
from scaling_jax.uncertainty.bootstrap import draws_of
from scaling_jax.uncertainty.ensemble import interval, tail_of

__all__ = ["Planned", "budgets_of", "planned", "with_ends"]


@dataclass(frozen=True)
class Planned:
    """A law with the parameters a plan is made from.

    law; numbers (1, labels); draws (draws, labels) or None; level; given: the law's other inputs; fitted:
    smallest and largest compute of the fitted runs, or None; notes: what the reader must know about the way
    things were counted.
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

    def with_intervals(self, table: pd.DataFrame, quantities: Any) -> pd.DataFrame:
        """The table with `_lower` and `_upper` of every quantity, its notes in attrs, and what cannot be said
        as a warning."""
        notes = list(self.notes)
        if self.draws is not None:
            drawn = quantities(self.draws)
            table = with_ends(table, drawn, self.level)
            if lost := np.isnan(drawn["N"]).any(axis=1).mean():
                notes.append(
                    f"{100 * lost:.1f} % of the draws have no optimum inside and are left out of the "
                    "intervals."
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
    source: Any, level: float | None, given: Mapping[str, float] | None, needs: tuple[str, ...] = ("N", "D")
) -> Planned:
    """Reads law, parameters and draws out of whatever a plan is made from."""
    known = {name: float(value) for name, value in (given or {}).items()}
    fit: Any = getattr(source, "fit", source if hasattr(source, "objective_value") else None)
    count = getattr(source if fit is None else fit, "count", None)
    if fit is not None:
        law, numbers = fit.law, fit.numbers
        if fit.reason:
            raise ValueError(f"There is no fit to plan from: {fit.reason}")
    else:
        law, numbers = _constants(source)
        if level is not None:
            raise ValueError(
                "level= asks for intervals, and bare constants have none: give a fit, its bootstrap or "
                "posterior."
            )
    missing = [name for name in needs if name not in law.inputs]
    if missing or set(law.inputs) != {*needs, *known}:
        others = [name for name in law.inputs if name not in needs]
        raise TypeError(
            f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; this plan needs {' and '.join(needs)}"
            + (
                f", and values for the others: given={{{', '.join(f'{name!r}: value' for name in others)}}}."
                if others
                else "."
            )
        )
    draws = np.asarray(source.numbers) if fit is not None and source is not fit else None
    if draws is None and level is not None:
        draws = draws_of(fit).numbers
    level = 0.9 if level is None else level
    tail_of(level)
    return Planned(law, np.atleast_2d(numbers), draws, level, known, _fitted_compute(fit), _counted(count))


def with_ends(table: pd.DataFrame, drawn: Mapping[str, np.ndarray], level: float) -> pd.DataFrame:
    """The table with `_lower` of every quantity (draws, rows), and then `_upper`."""
    ends = {name: interval(values, level) for name, values in drawn.items()}
    lower = {f"{name}_lower": low for name, (low, _) in ends.items()}
    return table.assign(**lower, **{f"{name}_upper": high for name, (_, high) in ends.items()})


def budgets_of(flops: Any, what: str = "flops") -> np.ndarray:
    """Positive finite amounts as a flat float64 array."""
    try:
        values = np.atleast_1d(np.asarray(flops, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}={flops!r}: give numbers, for example [1e21, 1e24].") from error
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{what}={flops!r}: give positive, finite numbers in one dimension.")
    return values


def _constants(source: Any) -> tuple[Law, np.ndarray]:
    law, params = (
        source
        if isinstance(source, tuple) and len(source) == 2
        else (getattr(source, n, None) for n in ("law", "params"))
    )
    if not isinstance(law, Law) or not isinstance(params, Mapping):
        raise TypeError(
            "A plan is made from a fit, its bootstrap or posterior, a published entry, or (law, params), "
            f"not {type(source).__name__}"
            + ("; pick one group: fits[key]." if isinstance(source, Mapping) else ".")
        )
    if set(params) != set(law.params):
        raise ValueError(
            f"Law '{law.name}' has the parameters {', '.join(law.params)}; given are {', '.join(params)}."
        )
    return law, law.flatten(params)


def _fitted_compute(fit: Any) -> tuple[float, float] | None:
    runs = fit.data() if getattr(fit, "runs", None) is not None else None
    if runs is None or not {"N", "D"} <= set(runs.inputs):
        return None
    flops = TOKENS_FLOP * runs.inputs["N"] * runs.inputs["D"]
    flops = flops[flops > 0]
    return (float(flops.min()), float(flops.max())) if len(flops) else None


def _counted(count: Any) -> list[str]:
    """Sentences for counts that a plan at C = 6 N D must not pass over."""
    found: list[str] = []
    if not isinstance(count, Mapping):
        return found
    if (size := count.get("N")) and "non" in size.lower():
        found.append(
            f"N is counted '{size}', so C = 6 N D leaves out the embedding's FLOP and N is smaller than the "
            "model: the optimum "
            "differs from one in total parameters (Pearce and Song 2024)."
        )
    if (compute := count.get("C")) and compute.replace(" ", "").replace("*", "").upper() != "6ND":
        found.append(
            f"The runs' compute was counted '{compute}', and this plan spends C = 6 N D: convert budgets "
            "before comparing."
        )
    return found
