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
from scaling_jax.report.summary import Told
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
