"""What to do with a fit: use it, use it inside the range of the data, or do not use it.

One answer out of everything that is known: whether the optimum is one and the data determine it, whether the
law describes the rows, and, once the fit was examined, whether it predicted its own largest budgets and what
other defensible choices would have said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.diagnosis.adequacy import Adequacy, look, look_at
from scaling_jax.fitting.fitted import Fitted

if TYPE_CHECKING:
    from scaling_jax.diagnosis.backtest import Backtest
    from scaling_jax.diagnosis.examination import Examination
    from scaling_jax.diagnosis.sensitivity import Sensitivity
    from scaling_jax.uncertainty.draws import Draws

__all__ = ["INSIDE", "NOT", "USE", "Verdict", "verdict", "verdicts", "warned_of"]

USE, INSIDE, NOT = "use", "inside the range", "do not use"
HEADLINES = {
    USE: "USE IT",
    INSIDE: "USE IT INSIDE THE RANGE OF THE DATA, NOT BEYOND",
    NOT: "DO NOT USE IT",
}
UNKNOWN = "Whether the law describes the rows is not known: attach them with .with_data(runs)."
GROSS = 0.2  # of all there is to explain: a pattern that large is another law
LITTLE = 0.5  # of the target's variance: a law that explains less leaves out what matters most
ROWS_PER_PARAMETER = 3
FAR_OFF = 2.0  # half-widths of the interval that another choice may move the answer
LEVEL, WIDE = 0.9, 100.0  # of an interval, and the ratio of its ends: a decade to either side
MATTERS = 0.05  # relative: what such a move must be at least


@dataclass(frozen=True)
class Verdict:
    """What to do with a fit.

    Args:
        word: "use", "inside the range" (of the data), or "do not use".
        reasons: sentences, most serious first; what speaks for it where it is to be used.
        new: those of the reasons that the certificate's warnings do not hold.
    """

    word: str
    reasons: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    @property
    def headline(self) -> str:
        """The answer alone."""
        return HEADLINES[self.word]

    def __str__(self) -> str:
        return ". ".join([self.headline.capitalize(), *(reason.rstrip(".") for reason in self.reasons)]) + "."


def verdict(fit: Fitted) -> Verdict:
    """The verdict on a fit from what is known of it; nothing is refitted. See `FitResult.verdict`."""
    if (stored := fit.kept.get("verdict")) is not None:
        return stored
    c = fit.certificate
    if c.status != "converged":
        return Verdict(NOT, c.warnings[:1])
    if fit.runs is None:
        return Verdict(INSIDE, [UNKNOWN, *c.limits], [UNKNOWN])
    law: Adequacy = fit.kept.get("adequacy") or look(fit)
    seen: Examination | None = fit.kept.get("examination")
    found = [law.sentence] if law.speaks else []
    if seen is not None:
        found += [*_of_backtest(seen.backtest), *_of_choices(seen.sensitivity)]
    if law.speaks and law.share > GROSS:
        size = f"The pattern is {100 * law.share:.0f} % as large as all there is to explain."
        return Verdict(NOT, [*found, size], [*found, size])
    found += _of_rows(fit, law)
    reasons = [*found, *c.limits]
    return Verdict(INSIDE, reasons, found) if reasons else Verdict(USE, [_praise(law, seen)])


def verdicts(fits: Sequence[Fitted]) -> list[Verdict]:
    """`verdict` of several fits, whose rows are looked at together."""
    known = {"verdict", "adequacy"}
    look_at([fit for fit in fits if fit.converged and fit.runs is not None and not known & set(fit.kept)])
    return [verdict(fit) for fit in fits]


def warned_of(fit: Fitted, said: Verdict) -> list[str]:
    """What a reader must know; see `FitResult.warnings`."""
    return [*said.new, *fit.certificate.warnings, *_open_by_decades(fit)]


def _open_by_decades(fit: Fitted) -> list[str]:
    """A sentence on positive parameters that replicates, once there are any, leave open by decades, where the
    curvature at the optimum had not shown it."""
    draws: Draws | None = fit.kept.get("draws")
    if draws is None:
        return []
    ends, c = draws.conf_int(LEVEL), fit.certificate
    found = []
    for label, domain in zip(fit.law.labels, fit.law.label_domains, strict=True):
        lower, upper = ends.loc[label, ["lower", "upper"]]
        if domain.log and label not in {*c.unidentified, *c.extinct} and upper > WIDE * lower:
            found.append(f"{label} ({lower:.2g} to {upper:.2g})")
    if not found:
        return []
    return [
        f"Replicates leave {', '.join(found)} open by decades at {100 * LEVEL:g} %: do not quote the "
        f"value{'s' if len(found) > 1 else ''}; predictions have intervals of their own."
    ]


def _of_backtest(tested: Backtest | None) -> list[str]:
    if tested is None or not tested.missed:
        return []
    held, n = int(tested.table["inside"].sum()), len(tested.table)
    way = "high" if tested.error > 0 else "low"
    return [
        f"Fitted without the {tested.dropped}, it predicts them {abs(100 * tested.error):.2g} % too {way}, "
        f"and its {100 * tested.level:g} % interval held {held} of {n}."
    ]


def _of_choices(found: Sensitivity | None) -> list[str]:
    """Whether another defensible choice moves the answer far out of the interval."""
    if found is None or found.interval is None or not found.most:
        return []
    ends = np.array([*found.interval, found.answer.iloc[0], found.answer[found.most]])
    if not (np.isfinite(ends) & (ends > 0)).all():
        return []
    lower, upper, own, other = np.log(ends)
    if abs(other - own) <= max(FAR_OFF * (upper - lower) / 2, MATTERS):
        return []
    return [
        f"Other defensible choices move its answer beyond the data to {found.answer[found.most]:.3g} from "
        f"{found.answer.iloc[0]:.3g} ({found.most}), and its interval is {found.interval[0]:.3g} to "
        f"{found.interval[1]:.3g}."
    ]


def _of_rows(fit: Fitted, law: Adequacy) -> list[str]:
    """Whether there are rows enough to say anything of a forecast, and whether the law explains them."""
    runs, found = fit.data(), []
    rows = int((runs.weight > 0).sum())
    if rows < ROWS_PER_PARAMETER * fit.n_free or np.isnan(law.p):
        of = f" of {runs.n_runs} runs" if runs.run is not None and runs.n_runs < rows else ""
        found.append(f"{rows} rows{of} for {fit.n_free} parameters say little of a forecast.")
    if law.explained < LITTLE:
        share = 100 * max(law.explained, 0.0)
        found.append(
            f"The law explains {share:.0f} % of the variance of {law.target}: it leaves out what matters."
        )
    return found


def _praise(law: Adequacy, seen: Examination | None) -> str:
    """What speaks for a fit against which nothing does."""
    known = f"The optimum is certified. {law.sentence}"
    if seen is None:
        return f"{known} How it does beyond the data is not tested yet: fit.examine()."
    if seen.backtest is None:
        return f"{known} The table is too small to test it beyond its data."
    held, n = int(seen.backtest.table["inside"].sum()), len(seen.backtest.table)
    return f"{known} Fitted without the {seen.backtest.dropped}, its interval held {held} of {n}."
