"""One law as the study fits it: SciPy's curve_fit from one start, trf within bounds, dogbox where its budget
is spent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit

from benchmarks.thousand_laws.protocol import START
from scaling_jax.evaluate.splits import Split

P0 = np.array([np.log(START["A"]), np.log(START["B"]), np.log(START["E"]), START["alpha"], START["beta"]])
BUDGET = 500


def curve_fit_cell(table: pd.DataFrame, split: Split) -> bool:
    """Fits one cell with their settings; whether SciPy returned a law."""
    rows = table.iloc[split.train]
    single = split.info["experiment"] == "one_model"
    free = np.array([1, 2, 4]) if single else np.arange(5)

    def law(x: Any, *given: float) -> Any:
        a, b, e, alpha, beta = np.array([*P0[[0]], given[0], given[1], P0[3], given[2]]) if single else given
        return np.exp(e) + np.exp(a) / x[0] ** alpha + np.exp(b) / x[1] ** beta

    x = rows[["n_params", "tokens_seen"]].to_numpy(float).T
    y = rows["loss"].to_numpy(float)
    lower = np.array([-np.inf, -np.inf, -np.inf, 0.0, 0.0])[free]
    options: dict[str, Any] = {"p0": P0[free], "bounds": (lower, np.inf), "max_nfev": BUDGET}
    with np.errstate(all="ignore"):
        try:
            curve_fit(law, x, y, **options)
        except RuntimeError:
            try:
                curve_fit(law, x, y, method="dogbox", x_scale=P0[free], **options)
            except (RuntimeError, ValueError):
                return False
        except ValueError:
            return False
    return True
