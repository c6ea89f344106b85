"""What the certificates of many fits say, as one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.fitting.fits import Fits, Solved
from scaling_jax.fitting.fitted import Fitted

__all__ = ["CERTIFIED", "certified"]

NUMBERS = (
    "n_agree",
    "n_finished",
    "n_basins",
    "runner_up",
    "relative_decrement",
    "curvature_ok",
    "condition",
)
NAMED = ("unidentified", "extinct", "at_bound")
CERTIFIED = ("objective", "rows", "status", *NUMBERS, *NAMED)


def certified(fits: Sequence[Fitted]) -> pd.DataFrame:
    """One row per fit, in order: objective, rows, and the certificate; names are joined by commas.

    Fits that were judged together are read off their arrays; what else there is, one by one.
    """
    fits = fits if isinstance(fits, Fits) else Fits.of(fits)
    rows = fits.column(lambda batch: batch.sizes, lambda one: one.record.get("rows_used"))
    columns = {"objective": fits.objective_values, "rows": rows.tolist(), "status": fits.status}
    for name in NUMBERS:
        columns[name] = _column(fits, name, lambda batch, which: which, lambda said: said)
    for name in NAMED:
        columns[name] = _column(fits, name, _joined, ", ".join)
    return pd.DataFrame(columns)


def _column(
    fits: Fits, name: str, of_many: Callable[[Solved, np.ndarray], np.ndarray], of_one: Callable[[Any], Any]
) -> np.ndarray:
    """(fits,) what is made of one field of the certificates, for many and for one."""
    return fits.column(
        lambda batch: of_many(batch, getattr(batch.judged, name)),
        lambda one: of_one(getattr(one.certificate, name)),
    )


def _joined(batch: Solved, which: np.ndarray) -> np.ndarray:
    """(fits,) the labels that are marked, (fits, labels), where there is a fit."""
    patterns, inverse = np.unique(which & ~batch.failed[:, None], axis=0, return_inverse=True)
    labels = np.array(batch.task.spec.law.labels)
    words = np.array([", ".join(labels[pattern]) for pattern in patterns], dtype=object)
    return words[inverse.ravel()]
