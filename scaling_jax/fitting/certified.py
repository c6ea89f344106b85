"""What the certificates of many fits say, as one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
    table = pd.DataFrame(
        {
            "objective": [fit.objective_value for fit in fits],
            "rows": [fit.record.get("rows_used") for fit in fits],
        }
    )
    together: dict[Judged, list[int]] = {}
    apart = []
    for i, fit in enumerate(fits):
        if fit.judged is None or fit.stored_certificate is not None or fit.reason:
            apart.append(i)
        else:
            together.setdefault(fit.judged[0], []).append(i)
    parts = [_of_arrays(judged, [fits[i] for i in which], which) for judged, which in together.items()]
    if apart or not parts:
        parts.append(_one_by_one([fits[i] for i in apart], apart))
    return table.join(pd.concat(parts).sort_index())


def _of_arrays(judged: Judged, fits: list[Fitted], index: list[int]) -> pd.DataFrame:
    at = np.array([fit.judged[1] for fit in fits if fit.judged is not None])
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
