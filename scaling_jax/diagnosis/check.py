"""Whether new runs keep to a fitted trend: how far each lies from it, and how improbable that is for a
healthy run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.tables.frames import TableLike
from scaling_jax.uncertainty.bootstrap import draws_of
from scaling_jax.uncertainty.ensemble import tail_of
from scaling_jax.uncertainty.resample import cluster_of
from scaling_jax.uncertainty.tails import f_tail, student_quantile

__all__ = ["check"]

LEVEL = 0.9  # of the band that `predict` gives unless told otherwise


def check(fit: Fitted, new_runs: TableLike, target: str | None = None) -> pd.DataFrame:
    """Standardised deviations of new runs and their tail probabilities; see `FitResult.check`."""
    new = fit.read(new_runs, target)
    scale = fit.objective.scaled
    band = draws_of(fit).predict(new.inputs, "prediction", LEVEL)
    centre, lower, upper = (scale(band[name].to_numpy()) for name in ("prediction", "lower", "upper"))
    deviation = scale(new.target) - centre
    _, runs = cluster_of(fit.data())
    freedom = max(len(runs) - int(fit.n_free), 1)
    reach = np.where(deviation > 0, upper - centre, centre - lower)
    sigma = reach / student_quantile(1 - tail_of(LEVEL), freedom)  # so that p is .1 on the band's end
    with np.errstate(over="ignore"):  # a fit without scatter is missed by infinitely many of them
        z = deviation / np.maximum(sigma, np.finfo(float).tiny)
        p = f_tail(z**2, 1, freedom)
    return pd.DataFrame(
        {
            "measured": new.target,
            "prediction": band["prediction"].to_numpy(),
            "deviation": deviation,
            "z": z,
            "p": p,
            "extrapolation": band["extrapolation"].to_numpy(),
        },
        index=pd.Index(new.rows),
    )
