"""How far predictions lie from what was measured: errors per target, and macro-averages over families."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Labels
from scaling_jax.core.checked import checked, shown

__all__ = [
    "MEASURES",
    "are",
    "check_measures",
    "huber_error",
    "log_rmse",
    "macro",
    "measure",
    "r_squared",
    "signed_error",
]


@checked
def are(prediction: ArrayLike, actual: ArrayLike) -> float:
    r"""Absolute relative error, $$\mathrm{mean}\,|y - \hat y| / |y|$$ (Choshen et al. 2024, section 4).

    >>> round(are([1.1, 2.2], [1.0, 2.0]), 6)
    0.1
    """
    predicted, measured = _pair(prediction, actual)
    with np.errstate(all="ignore"):
        return float(np.mean(np.abs(predicted - measured) / np.abs(measured)))


@checked
def signed_error(prediction: ArrayLike, actual: ArrayLike) -> float:
    r"""Relative error with its sign, positive where the law predicts too much: $$\mathrm{mean}\,(\hat y - y)
    / |y|$$

    >>> round(signed_error([0.9], [1.0]), 6)
    -0.1
    """
    predicted, measured = _pair(prediction, actual)
    with np.errstate(all="ignore"):
        return float(np.mean((predicted - measured) / np.abs(measured)))


@checked
def huber_error(prediction: ArrayLike, actual: ArrayLike, delta: float = 0.01) -> float:
    r"""Mean Huber loss of the raw error, $$\mathrm{mean}\,\rho_\delta(y - \hat y)$$, in the unit of the
    target.

    >>> huber_error([1.0], [2.0], delta=0.5)
    0.375
    """
    predicted, measured = _pair(prediction, actual)
    with np.errstate(all="ignore"):
        miss = np.abs(predicted - measured)
        inner = np.minimum(miss, delta)
        return float(np.mean(inner * (miss - 0.5 * inner)))


@checked
def log_rmse(prediction: ArrayLike, actual: ArrayLike) -> float:
    r"""Root mean square of log errors, $$\sqrt{\mathrm{mean}\,(\ln\hat y - \ln y)^2}$$ (Alabdulmohsin et al.
    2022, section 4).

    >>> round(log_rmse([2.0], [1.0]), 4)
    0.6931
    """
    predicted, measured = _pair(prediction, actual)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean((np.log(predicted) - np.log(measured)) ** 2)))


@checked
def r_squared(prediction: ArrayLike, actual: ArrayLike) -> float:
    r"""Goodness of fit on the natural scale, $$R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$$

    A law fitted on logarithms is judged where its user lives. Ivgi et al. find that extrapolations deserve
    trust from .95 up.

    Source: Ivgi, Carmon and Berant 2022 (arXiv:2202.06387), section 3.3.

    >>> round(r_squared([1.1, 2.0, 2.9], [1.0, 2.0, 3.0]), 4)
    0.99
    """
    predicted, measured = _pair(prediction, actual)
    with np.errstate(all="ignore"):
        miss = np.sum((measured - predicted) ** 2)
        return float(1 - miss / np.sum((measured - measured.mean()) ** 2))


def _pair(prediction: ArrayLike, actual: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one shape."""
    predicted, measured = np.asarray(prediction, float), np.asarray(actual, float)
    if predicted.shape != measured.shape or not measured.size:
        raise ValueError(
            f"prediction and actual have the shapes {predicted.shape} and {measured.shape}: give one "
            "prediction for each measured number, and at least one."
        )
    return predicted, measured


MEASURES: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "are": are,
    "signed": signed_error,
    "huber": huber_error,
    "log_rmse": log_rmse,
}


@checked
def measure(
    prediction: ArrayLike,
    actual: ArrayLike,
    target: Labels | None = None,
    measures: Sequence[str] = tuple(MEASURES),
) -> pd.DataFrame:
    """Every error measure for every target.

    Args:
        prediction, actual: (rows,), natural units.
        target: (rows,) what each row is a prediction of; None takes all rows as one target.
        measures: names out of `MEASURES`.

    Returns:
        One row per target, one column per measure.

    >>> measure([1.1, 2.2, 3.0], [1.0, 2.0, 3.0], ["a", "a", "b"], ["are"]).round(3)["are"].to_dict()
    {'a': 0.1, 'b': 0.0}
    """
    check_measures(measures)
    predicted, measured = (np.atleast_1d(side) for side in _pair(prediction, actual))
    codes, names = pd.factorize(np.zeros(len(measured)) if target is None else np.asarray(target))
    if len(codes) != len(measured):
        raise ValueError(f"target names {len(codes)} rows, and there are {len(measured)} predictions.")
    index = pd.Index([None] if target is None else names, name="target")
    rows = [
        [MEASURES[m](predicted[codes == c], measured[codes == c]) for m in measures]
        for c in range(len(names))
    ]
    return pd.DataFrame(rows, index=index, columns=list(measures))


def check_measures(measures: Sequence[str]) -> None:
    """Refuses names of measures that there are none of."""
    if unknown := [name for name in measures if name not in MEASURES]:
        raise ValueError(f"measures={shown(unknown[0])}: use {', '.join(MEASURES)}.")


@checked
def macro(
    errors: pd.DataFrame,
    family: str | Sequence[object] | np.ndarray | pd.Series,
    over: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Macro-averages: the mean within each family, then over families, so that a family of many cells counts
    once.

    Args:
        errors: one row per target, as from `measure` or `score`.
        family: column name, or one family per row.
        over: column name or names whose values stay apart (a cell of a heat map each).

    Returns:
        The numeric columns, averaged: one row, or one per value of `over`.

    >>> table = pd.DataFrame({"family": list("aab"), "are": [0.1, 0.3, 0.6]})
    >>> round(float(macro(table, "family")["are"].iloc[0]), 6)
    0.4
    """
    names = [over] if isinstance(over, str) else list(over or [])
    for name in [*([family] if isinstance(family, str) else []), *names]:
        if name not in errors.columns:
            raise ValueError(
                f"There is no column {shown(name)}: the table has {', '.join(map(str, errors))}."
            )
    if not isinstance(family, str):
        family = np.asarray(family)
        if family.shape != (len(errors),):
            raise ValueError(f"family has shape {family.shape}: give one per row, there are {len(errors)}.")
    families = errors[family] if isinstance(family, str) else pd.Series(family, index=errors.index)
    apart = [errors[name] for name in names]
    numeric = errors.select_dtypes("number").drop(
        columns=[s.name for s in (families, *apart) if s.name in errors], errors="ignore"
    )
    means = numeric.groupby([*apart, families.rename("family")], sort=True).mean()
    return means.groupby(level=list(range(len(apart)))).mean() if apart else means.mean().to_frame().T
