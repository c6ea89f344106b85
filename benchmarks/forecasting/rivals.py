"""What else one might do: naive guesses, SciPy from one start, and every law by itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit

import scaling_jax as sj
from scaling_jax.engine.predict import predict
from scaling_jax.forecasting.lessons import Past

__all__ = ["point_forecasts"]

LAWS = {
    ("N", "D"): [sj.laws.chinchilla, sj.laws.chinchilla_gamma, sj.laws.bracket, sj.laws.multiplicative],
    ("x",): [sj.laws.power_law_floor, sj.laws.shifted_power_law, sj.laws.power_law],
}
HITCHHIKERS = (
    0.6254804,
    6.255414,
    7.3049974,
    0.3526596,
    0.3526596,
)  # of e, a, b, alpha, beta


def point_forecasts(past: Sequence[Past]) -> pd.DataFrame:
    """(tasks, rivals) log predictions; NaN where a rival has none."""
    table = pd.DataFrame({
        "last value": [float(one.known.target.min()) for one in past],
        "line in log compute": [line(one) for one in past],
        "SciPy, one start": [from_one_start(one) for one in past],
    })  # fmt: skip
    for names, laws in LAWS.items():
        tasks = [i for i, one in enumerate(past) if one.known.names == names]
        for law in laws:
            table.loc[tasks, law.name] = certified(law, [past[i] for i in tasks])
    return table


def line(one: Past) -> float:
    """Log loss as a line in log compute."""
    slope, level = np.polyfit(one.known.compute, one.known.target, 1)
    return float(level + slope * one.known.log_compute(one.point[None])[0])


def from_one_start(one: Past) -> float:
    """Squared errors of the loss itself by `curve_fit`, as Choshen et al. 2024 have it."""
    fit = two_inputs if len(one.known.names) == 2 else one_input
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(np.log(fit(one)))
        except (RuntimeError, ValueError, TypeError):
            return np.nan


def two_inputs(one: Past) -> float:
    def law(x: np.ndarray, e: float, a: float, b: float, alpha: float, beta: float) -> np.ndarray:
        return np.exp(e) + np.exp(a - alpha * x[0]) + np.exp(b - beta * x[1])

    below = [-np.inf] * 3 + [0.0] * 2
    return fitted(law, one, HITCHHIKERS, (below, np.inf))


def one_input(one: Past) -> float:
    def law(x: np.ndarray, e: float, a: float, alpha: float) -> np.ndarray:
        return e + a * np.exp(-alpha * (x[0] - size))

    size, level = one.known.inputs[:, 0].mean(), float(np.exp(one.known.target).min())
    return fitted(law, one, (level / 2, level / 2, 0.35), (0.0, np.inf))


def fitted(law: Callable, one: Past, start: Sequence[float], bounds: tuple) -> float:
    found, _ = curve_fit(
        law, one.known.inputs.T, np.exp(one.known.target), start, bounds=bounds, max_nfev=500
    )
    return float(law(one.point, *found))


def certified(law: sj.Law, past: Sequence[Past], **options: object) -> np.ndarray:
    """The library's own fit of one law, runs counting alike."""
    rows = [pd.DataFrame(np.exp(one.known.inputs), columns=list(one.known.names)) for one in past]
    parts = [
        part.assign(loss=np.exp(one.known.target), weight=one.known.weight, task=i)
        for i, (part, one) in enumerate(zip(rows, past, strict=True))
    ]
    fits = sj.fit_groups(law, pd.concat(parts, ignore_index=True), by="task", weights="weight", **options)
    out = np.full(len(past), np.nan)
    for i, one in enumerate(past):
        if not fits[i].reason:
            at = dict(zip(one.known.names, np.exp(one.point)[:, None], strict=True))
            with np.errstate(invalid="ignore", divide="ignore"):
                out[i] = np.log(predict(law, fits[i].numbers, at)[0, 0])
    return out
