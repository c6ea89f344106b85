"""What a law computes at a few points that need no data: how a file knows the law it was written for.

Values are compared, not the law's text or trace: those change with the words it is written in and with JAX.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.predict import predict

__all__ = ["probed", "same_values"]

POINTS = 16
DECADES = 13.0  # of the inputs: from one run to as many tokens as anybody has
GOLDEN = 0.5 * (1 + 5**0.5)
SAME = 1e-6  # relative: powers differ from machine to machine in their last digits


def probed(law: Law, numbers: np.ndarray) -> list[float]:
    """The law's values at its fitted numbers (labels,), and at numbers between .3 and .9.

    Inputs are spread over thirteen decades, each another way; what a domain leaves out moves to its edge.
    """
    rows = np.arange(1, POINTS + 1)
    inputs = {
        name: np.clip(10 ** (DECADES * (rows * GOLDEN ** (1 / (k + 1)) % 1)), domain.lower, domain.upper)
        for k, (name, domain) in enumerate(law.input_domains.items())
    }
    lower, upper = np.array([(d.lower, d.upper) for d in law.label_domains]).T
    usual = np.clip(0.3 + 0.6 * (np.arange(1, len(law.labels) + 1) * GOLDEN % 1), lower, upper)
    with np.errstate(all="ignore"):
        values: list[float] = predict(law, np.stack([numbers, usual]), inputs).ravel().tolist()
    return values


def same_values(found: Sequence[float], stored: Sequence[float]) -> bool:
    """Whether values are those that were stored, as far as these are finite."""
    if len(found) != len(stored):
        return False
    known = np.isfinite(stored)
    return bool(np.allclose(np.asarray(found)[known], np.asarray(stored)[known], rtol=SAME, atol=0))
