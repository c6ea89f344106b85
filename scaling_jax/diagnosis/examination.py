"""What a fit is asked before anybody acts on it: intervals, influence, repeated seeds, a backtest, other
choices.

It is computed when asked for and kept on the record; what a summary shows unasked is only what is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from scaling_jax.diagnosis.adequacy import adequacy, look
from scaling_jax.diagnosis.backtest import (
    Backtest,
    draws_without,
    judged,
    replicates_without,
    without_the_largest,
)
from scaling_jax.diagnosis.sensitivity import Sensitivity, choices, compared
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import Variant, refit, refits_ahead, ways_at_a_time
from scaling_jax.uncertainty.bootstrap import REPLICATES, draws_of, replicates
from scaling_jax.uncertainty.draws import Draws
from scaling_jax.uncertainty.few import too_few
from scaling_jax.uncertainty.sandwich import influence_words, lack_of_fit_words

__all__ = ["Examination", "examine"]

ROWS_PER_PARAMETER = 3  # fewer say nothing of a forecast


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found of a fit.

    Args:
        draws: the bootstrap, or None where the fit is not to be used.
        backtest: the largest budgets predicted without them, or None where too few runs would be left.
        sensitivity: other defensible choices, or None.
        findings: names and sentences, in the order a reader wants them.
    """

    draws: Draws | None = None
    backtest: Backtest | None = None
    sensitivity: Sensitivity | None = None
    findings: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {words}" for name, words in self.findings) or "Nothing to examine."


def examine(fit: Fitted, tell: Callable[[str, str], None] | None = None) -> Examination:
    """The examination of a fit, computed once; see `FitResult.examine`.

    Args:
        fit: the fit.
        tell: called with the name and sentence of each finding as soon as it is known.
    """
    if "examination" not in fit.kept:
        fit.kept["examination"] = _examined(fit, tell)
    return fit.kept["examination"]


def _examined(fit: Fitted, tell: Callable[[str, str], None] | None) -> Examination:
    if fit.reason or fit.runs is None or fit.shared or not fit.converged:
        return Examination()
    findings: list[tuple[str, str]] = []

    def note(name: str, words: str) -> None:
        if words:
            findings.append((name, words))
            if tell is not None:
                tell(name, words)

    if look(fit).speaks:
        adequacy(fit)
    note("Influence", influence_words(fit))
    note("Replicates", lack_of_fit_words(fit))
    if reason := too_few(fit):
        note("Intervals", f"none: {reason}")
        return Examination(findings=findings)
    if int((fit.data().weight > 0).sum()) < ROWS_PER_PARAMETER * fit.n_free:
        return Examination(draws_of(fit), findings=findings)
    refits_ahead(fit, REPLICATES)
    others, top = choices(fit, alike=True), without_the_largest(fit)
    refits = refit([*others, top] if top else others)
    rest = refits.pop().fitted[0] if top else None
    draws, tested = _resampled(fit, top, rest)
    note("Backtest", str(tested or ""))
    found = compared(fit, others, refits)
    note("Choices", str(found))
    return Examination(draws, tested, found, findings)


def _resampled(fit: Fitted, top: Variant | None, rest: Fitted | None) -> tuple[Draws, Backtest | None]:
    """The bootstraps of the fit and of the fit without its largest budgets, in one batch; and the
    backtest."""
    if top is None or rest is None or not np.isfinite(rest.objective_value) or too_few(rest.used()):
        return draws_of(fit), None
    if ways_at_a_time(fit) < 2 * REPLICATES:  # one batch of both would not fit the memory
        own_draws = draws_of(fit)
        return own_draws, judged(rest, top.words, draws_without(fit, rest))
    variants = [replicates(fit), replicates_without(fit, rest)]
    own, without = refit(variants, careful=False)
    fit.kept["draws"] = Draws.of(fit, own, variants[0].words)
    return fit.kept["draws"], judged(rest, top.words, Draws.of(rest.used(), without, variants[1].words))
