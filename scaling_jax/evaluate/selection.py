r"""Which model to fine-tune: the one of lowest loss at full size, as small subsets predict it.

Accept-then-stop and the scores PearCorr and RelAcc are those of Lin et al. 2024 (arXiv:2402.02314), section
5. Candidates are rows of one array, so that all of them are extrapolated at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.api.fit import fit_groups
from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.numbers import floats, rows_at
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import check_columns
from scaling_jax.uncertainty.ensemble import is_count

__all__ = ["METHODS", "Selection", "accept_then_stop", "pear_corr", "rel_acc", "select"]

METHODS = {
    "accept_then_stop": "a line in logs through the largest subsets, as far down as points lie on it",
    "sub_tuning": "the loss on the largest subset",
    "zero_shot": "the loss before fine-tuning",
    "model_size": "the largest model",
}

ROUNDING = 1e-13  # of a difference of logarithms: points on a perfect line do not refuse the next


@dataclass(frozen=True, eq=False)
class Selection:
    """Candidates ranked by what is predicted of them.

    Args:
        table: one row per candidate, best first: rank, predicted (loss at `at`; for the baselines the score
            they rank by), used (rows behind the prediction), and for a law its status.
        method: how, in words.
    """

    table: pd.DataFrame
    method: str

    @property
    def best(self) -> Hashable:
        """The candidate to fine-tune next."""
        return self.table.index[0]

    @property
    def ranking(self) -> list[Hashable]:
        """Candidates, best first; those that could not be predicted are missing."""
        return self.table.index[self.table["predicted"].notna()].tolist()

    @property
    def predicted(self) -> pd.Series:
        """The prediction of each candidate."""
        return self.table["predicted"]

    def __repr__(self) -> str:
        return f"<Selection of {len(self.table)} candidates by {self.method}: {self.best!r} first>"


def select(
    runs: TableLike,
    *,
    by: str = "model",
    x: str,
    target: str,
    at: float,
    method: str | Law = "accept_then_stop",
    budget: float | None = None,
    size: str | None = None,
    k: int = 3,
    delta: float = 5.0,
    **options: Any,
) -> Selection:
    """Ranks candidate models by the loss each is predicted to reach.

    Args:
        runs: the table, one row per candidate and subset.
        by: column naming the candidate.
        x: column of the subset's size; rows of size 0 are the models before fine-tuning.
        target: column of the loss, lower is better.
        at: the size at which the candidates are to be compared.
        method: "accept_then_stop", a law of one input (fitted to every candidate in one batch), or a
            baseline: "sub_tuning", "zero_shot", "model_size".
        budget: largest subset that may be used; default: all rows.
        size: column of the model's size, for "model_size".
        k, delta: of accept-then-stop: points accepted from the outset, and standard deviations at which it
            stops.
        **options: for a law, those of `sj.fit_groups`.

    Returns:
        A `Selection`: `.best` is the model to fine-tune next, `.ranking`, `.table`.

    Raises:
        DataError: for a missing column, sizes or losses that are not finite numbers, or no row left.
        ValueError: for an unknown method, or an `at` or budget that is no positive number.

    Source: Lin et al. 2024, section 5 and algorithm 1.

    >>> import scaling_jax as sj
    >>> x = [100, 200, 400, 800] * 2
    >>> losses = [4.0, 3.6, 3.24, 2.916, 3.0, 2.94, 2.8812, 2.823576]
    >>> runs = {"model": ["steep"] * 4 + ["flat"] * 4, "x": x, "loss": losses}
    >>> sj.select(runs, x="x", target="loss", at=1e5).best
    'steep'
    """
    if not isinstance(method, Law) and str(method) not in METHODS:
        raise ValueError(f"method={shown(method)}: use a law, or one of {', '.join(METHODS)}.")
    _check_kinds((by, x, target, size), k, delta)
    frame = as_frame(runs)
    if method == "model_size" and size is None:
        raise ValueError("method='model_size' needs size=, the column of the model's size.")
    check_columns(frame, by, x, target, *([] if size is None else [size]))
    _check_amount("at", at)
    if not (isinstance(method, Law) and options.get("missing") == "drop"):
        frame = frame.assign(**{x: _finite(frame, x)})
        if (frame[x] < 0).any():
            raise DataError(f"Column '{x}' is negative: sizes are positive, and 0 before fine-tuning.")
    if budget is not None:
        _check_amount("budget", budget)
        frame = frame[frame[x] <= budget]
    if not len(frame):
        some = "" if budget is None else f" of at most budget={budget:g}"
        raise DataError(f"No row has {x}{some}.")
    if isinstance(method, Law):
        return _ranked(_by_law(frame, method, by, x, target, at, options), f"law {method.name}")
    ranked_by = size if method == "model_size" else target
    frame = frame.assign(**{str(ranked_by): _finite(frame, str(ranked_by))})
    if options:
        raise TypeError(f"select has no argument {sorted(options)} for method={shown(method)}.")
    return _ranked(_by_rule(frame, method, by, x, target, at, size, k, delta), METHODS[method])


def _check_kinds(columns: Sequence[object], k: object, delta: object) -> None:
    if nameless := [name for name in columns if not isinstance(name, str | None)]:
        raise TypeError(f"Columns are named by words, not by {shown(nameless[0])}.")
    if not is_count(k) or isinstance(delta, bool) or not isinstance(delta, int | float):
        raise TypeError(f"k={shown(k)}, delta={shown(delta)}: give a positive whole number, and a number.")


def _check_amount(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ValueError(f"{name}={shown(value)}: give one positive, finite number.")


def _finite(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as finite numbers: without one of them a candidate would be ranked by its others."""
    values = floats(frame[column])
    if (bad := ~np.isfinite(values)).any():
        raise DataError(
            f"Column '{column}' is no finite number in {rows_at(frame.index, bad)}: correct it, or leave "
            "those rows out."
        )
    return values


def _ranked(table: pd.DataFrame, method: str) -> Selection:
    table = table.sort_values("predicted", kind="stable")
    table.insert(0, "rank", table["predicted"].rank(method="first").astype("Int64"))
    return Selection(table, method)


def _by_law(
    frame: pd.DataFrame, law: Law, by: str, x: str, target: str, at: float, options: Mapping[str, Any]
) -> pd.DataFrame:
    if len(law.inputs) > 1:
        raise ValueError(
            f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: a selection needs a law of one input."
        )
    if not law.input_domains[law.inputs[0]].contains(np.zeros(1)).all():
        frame = frame[frame[x] > 0]
    fits = fit_groups(law, frame, by=by, inputs={law.inputs[0]: x}, target=target, **options)
    point = {law.inputs[0]: at}
    rows = [(fit.predict(point)[0], fit.record.get("rows_used", 0), fit.status) for fit in fits.values()]
    return pd.DataFrame(rows, index=pd.Index(list(fits), name=by), columns=["predicted", "used", "status"])


def _by_rule(
    frame: pd.DataFrame,
    method: str,
    by: str,
    x: str,
    target: str,
    at: float,
    size: str | None,
    k: int,
    delta: float,
) -> pd.DataFrame:
    names = pd.Index(frame[by].unique(), name=by)
    if method == "model_size":
        found = -np.log(frame.groupby(by, sort=False)[size].first().to_numpy(dtype=float))
        return pd.DataFrame({"predicted": found, "used": 0}, index=names)
    if method == "zero_shot":
        found = frame[frame[x] == 0].groupby(by)[target].mean().reindex(names)
        return pd.DataFrame({"predicted": found, "used": found.notna().astype(int)}, index=names)
    tuned = frame[frame[x] > 0].sort_values(x, ascending=False, kind="stable")
    place = tuned.groupby(by).cumcount()
    wide = tuned.assign(place=place).pivot_table(index=by, columns="place", values=[x, target]).reindex(names)
    if method == "sub_tuning":
        found = wide[target][0]
        return pd.DataFrame({"predicted": found, "used": found.notna().astype(int)}, index=names)
    if (tuned[target] <= 0).any():
        raise DataError(f"Column '{target}' must be positive for a line in logs.")
    predicted, used = accept_then_stop(wide[x].to_numpy(), wide[target].to_numpy(), at, k, delta)
    return pd.DataFrame({"predicted": predicted, "used": used}, index=names)


def accept_then_stop(
    sizes: ArrayLike, losses: ArrayLike, at: float, k: int = 3, delta: float = 5.0
) -> tuple[np.ndarray, np.ndarray]:
    r"""Extrapolates each curve by a line in logs through its largest sizes, as far down as points lie on it.

    From the k largest sizes on, the next smaller point joins unless it lies more than `delta` standard
    deviations of the residuals off the line; then the line is final. When no point is refused the smallest
    size is left out all the same, as in the authors' code; with at most k points all are kept.

    Args:
        sizes, losses: (models, points), largest size first, NaN after a model's last point.
        at: the size to predict.
        k: points accepted from the outset.
        delta: standard deviations (population, of the line's own residuals) at which to stop.

    Returns:
        (models,) predicted losses, and (models,) how many points are behind each; NaN with fewer than two
        points.

    Raises:
        ValueError: for k below 2.

    Source: Lin et al. 2024, algorithm 1.

    >>> x = np.array([[1600.0, 800, 400, 200, 100]])
    >>> predicted, used = accept_then_stop(x, np.where(x > 150, 3 * x**-0.1, 1.6), 1e4)
    >>> round(float(predicted[0]), 4), int(used[0])
    (1.1943, 4)
    """
    if k < 2:
        raise ValueError(f"k={k}: a line needs two points at least.")
    x, y = (np.log(np.atleast_2d(np.asarray(values, dtype=float))) for values in (sizes, losses))
    available = np.isfinite(x).sum(axis=1)
    used = np.where(available > k, available - 1, available)
    open_still = available > k
    for j in range(k, x.shape[1]):
        slope, level, spread = _line(x, y, np.full(len(x), j))
        miss = np.abs(y[:, j] - level - slope * x[:, j])
        with np.errstate(invalid="ignore"):
            refused = open_still & (available > j) & (miss > delta * np.maximum(spread, ROUNDING))
        used = np.where(refused, j, used)
        open_still &= ~refused
    slope, level, _ = _line(x, y, used)
    return np.exp(level + slope * np.log(at)), used


def _line(x: np.ndarray, y: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares through the first points of every row: slope, level, and deviation of the residuals."""
    inside = (np.arange(x.shape[1]) < first[:, None]) & np.isfinite(x)
    n = inside.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        x_mean, y_mean = (np.where(inside, part, 0.0).sum(axis=1) / n for part in (x, y))
        across, up = (
            np.where(inside, part - mean[:, None], 0.0) for part, mean in ((x, x_mean), (y, y_mean))
        )
        slope = np.sum(across * up, axis=1) / np.sum(across**2, axis=1)
        spread = np.sqrt(np.sum((up - slope[:, None] * across) ** 2, axis=1) / n)
    return slope, y_mean - slope * x_mean, spread


def pear_corr(predicted: ArrayLike, true: ArrayLike) -> float:
    """Pearson's correlation of predicted and true losses of the candidates (PearCorr of Lin et al. 2024).

    >>> round(pear_corr([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]), 9)
    1.0
    """
    return float(np.corrcoef(np.asarray(predicted, float), np.asarray(true, float))[0, 1])


def rel_acc(predicted: ArrayLike, true: ArrayLike) -> float:
    r"""How good the chosen candidate is on the way from the worst to the best (RelAcc of Lin et al. 2024).

    $$\frac{L_\text{worst} - L_\text{chosen}}{L_\text{worst} - L_\text{best}}$$

    >>> rel_acc([1.0, 2.0, 3.0], [2.5, 2.0, 3.0])
    0.5
    """
    loss = np.asarray(true, float)
    chosen = loss[np.nanargmin(np.asarray(predicted, float))]
    return float((loss.max() - chosen) / (loss.max() - loss.min()))
