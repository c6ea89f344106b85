"""What is known of a fit's uncertainty, for its summary: what was computed already, and what costs nothing.

It loads nothing that an examination needs, so that the first look at a fit takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.diagnosis.verdict import verdict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.formula import readable
from scaling_jax.reporting.numbers import between, kind_of, written
from scaling_jax.reporting.summary import Told
from scaling_jax.uncertainty.few import too_few
from scaling_jax.uncertainty.sandwich import standard_errors

if TYPE_CHECKING:
    from scaling_jax.diagnosis.examination import Examination
    from scaling_jax.uncertainty.draws import Draws

__all__ = ["told"]

LEVEL = 0.9


def told(fit: Fitted, findings: Sequence[tuple[str, str]] = ()) -> Told:
    """What is known of a fit's uncertainty, for its summary; nothing is refitted for it.

    `findings` are those of an examination that is still going on.
    """
    found = verdict(fit)
    answer = Told(headline=found.headline, reasons=found.reasons)
    if fit.reason or fit.runs is None:
        return answer
    answer = replace(answer, first=_first(fit))
    known = np.isfinite(fit.numbers).all() and not too_few(fit)
    errors = standard_errors(fit) if known else None
    seen: Examination | None = fit.kept.get("examination")
    said = seen.findings if seen else list(findings)
    draws: Draws | None = fit.kept.get("draws")
    if draws is None:
        return replace(answer, errors=errors, findings=said, examined=seen is not None)
    ends = draws.conf_int(LEVEL)
    words = f"{len(draws.numbers):,} replicates: {draws.method}; {ends.attrs['coverage']}"
    return replace(
        answer, errors=errors, ends=ends, level=LEVEL, method=words, findings=said, examined=seen is not None
    )


def _first(fit: Fitted) -> list[tuple[str, str]]:
    """What a reader asks after the verdict: how well the law meets its rows, and what it says beyond them."""
    if not np.isfinite(fit.numbers).all() or not fit.converged:
        return []
    runs, law = fit.data(), fit.law
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(fit.at_rows.prediction / runs.target - 1)[runs.weight > 0]
    off = off[np.isfinite(off)]
    met = f"; half of its rows lie within {100 * np.median(off):.2g} % of it" if len(off) else ""
    formula = f", {readable(law.formula)}" if law.formula else ""
    lines = [("Found", f"{law.name}{formula}{met}")]
    seen: Examination | None = fit.kept.get("examination")
    if law.curves or seen is None or seen.sensitivity is None or seen.sensitivity.flops is not None:
        return lines
    found = seen.sensitivity
    where = ", ".join(f"{name} = {written(value, kind_of(name))}" for name, value in found.at.items())
    answers = found.answer[np.isfinite(found.answer)]
    said = f"at {where} it predicts {written(float(answers.iloc[0]))}"
    if seen.draws is not None:
        row = seen.draws.predict(found.at, "prediction", LEVEL).iloc[0]
        said += f", a new run {between(row['lower'], row['upper'])} ({100 * LEVEL:g} %)"
    lines.append(("Beyond", f"{said}; other defensible choices give {between(answers.min(), answers.max())}"))
    return lines
