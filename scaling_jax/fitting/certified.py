"""What the certificates of many fits say, as one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scaling_jax.fitting.fits import Fits, Solved
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.judged import Judged

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
    table = pd.DataFrame({"objective": fits.objective_values, "rows": rows.tolist()})
    together: dict[Judged, list[tuple[int, int]]] = {}
    apart: list[int] = []
    for batch, here, there in fits.parts():
        if isinstance(batch, Solved):
            none = batch.failed[there]
            apart += here[none].tolist()
            together[batch.judged] = list(zip(here[~none].tolist(), there[~none].tolist(), strict=True))
            continue
        for i, fit in zip(here.tolist(), (batch.records[f] for f in there), strict=True):
            if fit.judged is None or fit.stored_certificate is not None or fit.reason:
                apart.append(i)
            else:
                together.setdefault(fit.judged[0], []).append((i, fit.judged[1]))
    parts = [_of_arrays(judged, *np.array(which).T) for judged, which in together.items() if which]
    if apart or not parts:
        parts.append(_one_by_one([fits[i] for i in apart], apart))
    return table.join(pd.concat(parts).sort_index())


def _of_arrays(judged: Judged, index: np.ndarray, at: np.ndarray) -> pd.DataFrame:
    columns = {name: getattr(judged, name)[at] for name in ("status", *NUMBERS)}
    columns |= {name: _joined(judged, getattr(judged, name)[at]) for name in NAMED}
    return pd.DataFrame(columns, index=index)


def _joined(judged: Judged, which: np.ndarray) -> np.ndarray:
    """(fits,) the labels that are marked, (fits, labels)."""
    patterns, inverse = np.unique(which, axis=0, return_inverse=True)
    labels = np.array(judged.spec.law.labels)
    words = np.array([", ".join(labels[pattern]) for pattern in patterns], dtype=object)
    return words[inverse.ravel()]


def _one_by_one(fits: list[Fitted], index: list[int]) -> pd.DataFrame:
    rows = [
        {name: getattr(fit.certificate, name) for name in ("status", *NUMBERS)}
        | {name: ", ".join(getattr(fit.certificate, name)) for name in NAMED}
        for fit in fits
    ]
    return pd.DataFrame(rows, index=index, columns=["status", *NUMBERS, *NAMED])
