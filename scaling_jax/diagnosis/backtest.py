"""The backtest: drop the largest budgets, refit, predict them, and see whether the interval holds what really
happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import Variant, refit, refit_parts, vary, ways_at_a_time
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.scale import top_rows
from scaling_jax.uncertainty.bootstrap import in_parts, replicates
from scaling_jax.uncertainty.draws import Draws
from scaling_jax.uncertainty.few import too_few

__all__ = ["Backtest", "backtest", "draws_without", "judged", "replicates_without", "without_the_largest"]

REPLICATES = 200
EXPECTED_MISSES = 2.0


@dataclass(frozen=True, eq=False)
class Backtest(Shown):
    """How a fit without the largest budgets predicts them.

    Args:
        dropped: which rows, in words.
        table: per dropped row: measured, prediction, lower, upper, inside.
        params: the parameters fitted without them.
        level: probability the interval claims.
    """

    dropped: str
    table: pd.DataFrame
    params: dict[str, float | np.ndarray]
    level: float

    @property
    def coverage(self) -> float:
        """Share of the dropped rows inside the interval."""
        return float(self.table["inside"].mean())

    @property
    def error(self) -> float:
        """Mean of prediction / measured - 1: the bias of the forecast."""
        return float((self.table["prediction"] / self.table["measured"] - 1).mean())

    @property
    def missed(self) -> bool:
        """Whether fewer rows lie inside than the level allows, two binomial standard deviations granted."""
        n = len(self.table)
        return bool(
            self.coverage * n
            < self.level * n - EXPECTED_MISSES * np.sqrt(n * self.level * (1 - self.level)) - 1e-9
        )

    def __str__(self) -> str:
        n = len(self.table)
        said = (
            f"fitted without the {self.dropped} ({n} row{'s' if n > 1 else ''}), the law predicts "
            f"{'them' if n > 1 else 'it'} "
            f"{abs(100 * self.error):.2g} % too {'high' if self.error > 0 else 'low'} on average; "
            f"{int(self.table['inside'].sum())} of {n} inside the {100 * self.level:g} % prediction interval"
        )
        return said + (": THE INTERVAL MISSED, trust no narrower one beyond the data" if self.missed else "")

    def _title(self) -> str:
        return "Tried where the answer is known"

    def _sections(self) -> list[Section]:
        said = str(self)
        return [
            Section("", [Words(f"{said[0].upper()}{said[1:]}.", "alarm" if self.missed else "lead")]),
            Section("Rows kept back", [grid_of(self.table)], folded=True),
        ]


def backtest(fit: Fitted, level: float = 0.9) -> Backtest | None:
    """Drops the top budgets and predicts them; see `FitResult.backtest`."""
    variant = without_the_largest(fit)
    if variant is None:
        return None
    rest = refit([variant])[0].fitted[0]
    if not np.isfinite(rest.objective_value) or too_few(rest.used()):
        return None
    return judged(rest, variant.words, draws_without(fit, rest), level)


def draws_without(fit: Fitted, rest: Fitted) -> Draws:
    """The bootstrap of the fit without its top budgets, as many replicates at a time as memory holds."""
    words, parts = in_parts(rest.used(), REPLICATES, at_a_time=ways_at_a_time(fit))
    return Draws.of(rest.used(), refit_parts(_on_all_rows(fit, rest, part) for part in parts), words)


def without_the_largest(fit: Fitted) -> Variant | None:
    """The fit without its top budgets, or None where too few runs would be left."""
    top = None if fit.shared else top_rows(fit.data(), fit.law, fit.n_free)
    return None if top is None else vary(fit, top[0], weight=np.where(top[1], 0.0, fit.data().weight))


def replicates_without(fit: Fitted, rest: Fitted) -> Variant:
    """Replicates of the fit without its top budgets, as other weights of all of its rows."""
    return _on_all_rows(fit, rest, replicates(rest.used(), REPLICATES))


def _on_all_rows(fit: Fitted, rest: Fitted, variant: Variant) -> Variant:
    """Weights of the rows that are left as weights of all rows."""
    whole = np.zeros((len(variant.weight), len(fit.data())))
    whole[:, rest.data().weight > 0] = variant.weight
    return vary(fit, variant.words, weight=whole, near=rest)


def judged(rest: Fitted, words: str, draws: Draws, level: float = 0.9) -> Backtest:
    """What the fit without the top budgets says of them, once it and its replicates are there."""
    runs = rest.data()
    out = runs.take(np.flatnonzero(runs.weight == 0))
    band = draws.predict(out.inputs, "prediction", level)
    band.index = pd.Index(out.rows)
    band.insert(0, "measured", out.target)
    band["inside"] = (band["measured"] >= band["lower"]) & (band["measured"] <= band["upper"])
    return Backtest(words, band, rest.params, level)
