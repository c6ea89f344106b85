r"""How well a law predicts runs it has not seen: splits of a table, error measures, and every split fitted in one batch.

A split is two sets of rows, the training runs and the target. Splits are made from columns (`by_size(runs["N"])`), narrowed
(`.first(runs["D"], 0.3)`), and handed, thousands at once, to `score`. The splits are those of Choshen, Zhang and Andreas 2024
(arXiv:2410.11840) and Alabdulmohsin et al. 2022 (arXiv:2209.06640).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.batch import fixed_numbers, make_spec, solve_members
from scaling_jax.data import DataError, Runs, as_frame, read_runs, run_weights
from scaling_jax.engine.predict import predict_rows
from scaling_jax.law import Law
from scaling_jax.result import FitGroups

__all__ = [
    "MEASURES",
    "Split",
    "are",
    "by_compute",
    "by_fraction",
    "by_size",
    "fit_splits",
    "huber_error",
    "leave_one_out",
    "log_rmse",
    "macro",
    "measure",
    "r_squared",
    "score",
    "signed_error",
    "windows",
    "within",
]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit and rows to predict, by position in the table.

    Args:
        label: what the split is called; results are keyed by it.
        train: positions of the rows that are fitted.
        test: positions of the rows that are predicted.
        info: how the split was made, one column each in `score`'s table.

    >>> Split("first two", train=[0, 1], test=[2])
    <Split first two: 2 rows to fit, 1 to predict>
    """

    label: Any
    train: np.ndarray
    test: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            given = np.asarray(getattr(self, name))
            object.__setattr__(self, name, np.flatnonzero(given) if given.dtype == bool else given.astype(np.intp))

    def first(self, progress: Any, share: float, run: Any = None, *, inclusive: bool = False) -> Split:
        """Keeps the training rows below a share of the longest training run (of each row's own run, where `run` is given).

        Args:
            progress: (rows,) tokens seen, steps or compute at each row of the table.
            share: of the longest run.
            run: (rows,) the run of each row; None measures all rows against the longest of them.
            inclusive: whether the row at exactly that share stays.
        """
        limit, at = _limits(progress, share, run, self.train)
        return self._narrow("train", at <= limit if inclusive else at < limit, "first", share)

    def last(self, progress: Any, share: float, run: Any = None) -> Split:
        """Keeps the target rows in the last share of the target run (of each row's own run, where `run` is given)."""
        limit, at = _limits(progress, 1 - share, run, self.test)
        return self._narrow("test", at >= limit, "last", share)

    def after(self, progress: Any, threshold: float) -> Split:
        """Drops the training rows up to a threshold, such as the first 1e10 tokens."""
        return self._narrow("train", np.asarray(progress, dtype=float)[self.train] > threshold, "after", threshold)

    def _narrow(self, side: str, keep: np.ndarray, word: str, amount: float) -> Split:
        label = (*self.label, amount) if isinstance(self.label, tuple) else (self.label, amount)
        return Split(label, **{"train": self.train, "test": self.test, side: getattr(self, side)[keep]}, info=self.info | {word: amount})

    def __repr__(self) -> str:
        return f"<Split {self.label}: {len(self.train)} rows to fit, {len(self.test)} to predict>"


def _limits(progress: Any, share: float, run: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per row the given share of the longest progress (of its own run), and the row's progress."""
    at = np.asarray(progress, dtype=float)[rows]
    if run is None:
        return np.full(len(at), share * at.max(initial=0.0)), at
    codes = pd.factorize(np.asarray(run)[rows])[0]
    longest = np.zeros(codes.max(initial=-1) + 1)
    np.maximum.at(longest, codes, at)
    return share * longest[codes], at


def by_size(size: Any, n: int | Iterable[int] | None = None, *, reverse: bool = False) -> list[Split]:
    """The n smallest sizes are fitted, the largest is the target.

    Args:
        size: (rows,) the size of each row's model, or any column whose order is the ladder.
        n: how many sizes to fit; default: every number from 2 to all but the target.
        reverse: fit the n largest and predict the smallest.

    Raises:
        ValueError: if there are not that many sizes.

    >>> by_size([1, 1, 10, 100], 2)
    [<Split 2: 3 rows to fit, 1 to predict>]
    """
    levels, code = _levels(size, reverse)
    return [Split(k, code < k, code == levels - 1, {"n": k}) for k in _counts(n, levels - 1, "by_size")]


def by_compute(flops: Any, cuts: float | Iterable[float]) -> list[Split]:
    """Rows up to a compute budget are fitted, rows beyond it are the target.

    >>> by_compute([1e18, 1e19, 1e20], 1e19)
    [<Split 1e+19: 2 rows to fit, 1 to predict>]
    """
    at = np.asarray(flops, dtype=float)
    return [Split(cut, at <= cut, at > cut, {"cut": cut}) for cut in np.atleast_1d(np.asarray(cuts, dtype=float)).tolist()]


def by_fraction(progress: Any, shares: float | Iterable[float], run: Any = None) -> list[Split]:
    """Rows up to a share of the longest run (of each run's own length, where `run` is given) are fitted, the others are the target.

    With share 0.5 and one learning curve this is the extrapolation split of Alabdulmohsin et al. 2022, tau = x_max / 2.

    >>> by_fraction([1, 2, 4, 8], 0.5)
    [<Split 0.5: 3 rows to fit, 1 to predict>]
    """
    everything = np.arange(len(np.asarray(progress)))
    found = []
    for share in np.atleast_1d(np.asarray(shares, dtype=float)).tolist():
        limit, at = _limits(progress, share, run, everything)
        found.append(Split(share, at <= limit, at > limit, {"share": share}))
    return found


def windows(size: Any, width: int) -> list[Split]:
    """Every window of consecutive sizes is fitted; the target is the largest size.

    >>> [s.label for s in windows([1, 2, 3, 4], 2)]
    [(1, 2), (2, 3)]
    """
    names, code = np.unique(np.asarray(size), return_inverse=True)
    names = names.tolist()
    _counts(width, len(names) - 1, "windows")
    found = []
    for low in range(len(names) - width):
        high = low + width - 1
        inside = (low <= code) & (code <= high)
        found.append(Split((names[low], names[high]), inside, code == len(names) - 1, {"width": width, "largest": names[high]}))
    return found


def leave_one_out(run: Any) -> list[Split]:
    """Each run in turn is the target, all others are fitted.

    >>> leave_one_out(["a", "a", "b"])
    [<Split a: 1 rows to fit, 2 to predict>, <Split b: 2 rows to fit, 1 to predict>]
    """
    codes, names = pd.factorize(np.asarray(run))
    return [Split(name, codes != i, codes == i, {"left_out": name}) for i, name in enumerate(names.tolist())]


def within(group: Any, make: Callable[[np.ndarray], Sequence[Split]]) -> list[Split]:
    """Splits of every group of rows by itself, in one list, so that all groups are fitted in one batch.

    Args:
        group: (rows,) the group of each row, for example its learning curve.
        make: takes the positions of one group's rows and returns splits of those rows.

    Returns:
        The splits of every group, labelled (group, label), with the group in their info.

    Source: with `by_fraction(x, 0.5)` inside, the protocol of Alabdulmohsin et al. 2022 (arXiv:2209.06640), section 4.

    >>> curve, x = ["a", "a", "b", "b"], np.array([1, 2, 10, 20])
    >>> within(curve, lambda rows: by_fraction(x[rows], 0.5))
    [<Split ('a', 0.5): 1 rows to fit, 1 to predict>, <Split ('b', 0.5): 1 rows to fit, 1 to predict>]
    """
    found = []
    for name, rows in pd.Series(np.asarray(group)).groupby(np.asarray(group), sort=False).indices.items():
        found += [Split((name, s.label), rows[s.train], rows[s.test], {"group": name} | s.info) for s in make(rows)]
    return found


def _levels(size: Any, reverse: bool = False) -> tuple[int, np.ndarray]:
    names, code = np.unique(np.asarray(size), return_inverse=True)
    return len(names), len(names) - 1 - code if reverse else code


def _counts(n: Any, most: int, what: str) -> list[int]:
    wanted = list(range(2, most + 1)) if n is None else [int(k) for k in np.atleast_1d(n)]
    if bad := [k for k in wanted if not 1 <= k <= most]:
        raise ValueError(f"{what}: {bad[0]} sizes cannot be fitted beside a target, the table has {most + 1} distinct sizes.")
    return wanted


def are(prediction: Any, actual: Any) -> float:
    r"""Absolute relative error, $$\mathrm{mean}\,|y - \hat y| / |y|$$ (Choshen et al. 2024, section 4).

    >>> round(are([1.1, 2.2], [1.0, 2.0]), 6)
    0.1
    """
    prediction, actual = np.asarray(prediction, float), np.asarray(actual, float)
    return float(np.mean(np.abs(prediction - actual) / np.abs(actual)))


def signed_error(prediction: Any, actual: Any) -> float:
    r"""Relative error with its sign, positive where the law predicts too much: $$\mathrm{mean}\,(\hat y - y) / |y|$$

    >>> round(signed_error([0.9], [1.0]), 6)
    -0.1
    """
    prediction, actual = np.asarray(prediction, float), np.asarray(actual, float)
    return float(np.mean((prediction - actual) / np.abs(actual)))


def huber_error(prediction: Any, actual: Any, delta: float = 0.01) -> float:
    r"""Mean Huber loss of the raw error, $$\mathrm{mean}\,\rho_\delta(y - \hat y)$$, in the unit of the target.

    >>> huber_error([1.0], [2.0], delta=0.5)
    0.375
    """
    miss = np.abs(np.asarray(prediction, float) - np.asarray(actual, float))
    inner = np.minimum(miss, delta)
    return float(np.mean(inner * (miss - 0.5 * inner)))


def log_rmse(prediction: Any, actual: Any) -> float:
    r"""Root mean square of log errors, $$\sqrt{\mathrm{mean}\,(\ln\hat y - \ln y)^2}$$ (Alabdulmohsin et al. 2022, section 4).

    >>> round(log_rmse([2.0], [1.0]), 4)
    0.6931
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt(np.mean((np.log(np.asarray(prediction, float)) - np.log(np.asarray(actual, float))) ** 2)))


def r_squared(prediction: Any, actual: Any) -> float:
    r"""Goodness of fit on the natural scale, $$R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$$

    A law fitted on logarithms is judged where its user lives. Ivgi et al. find that extrapolations deserve trust from .95 up.

    Source: Ivgi, Carmon and Berant 2022 (arXiv:2202.06387), section 3.3.

    >>> round(r_squared([1.1, 2.0, 2.9], [1.0, 2.0, 3.0]), 4)
    0.99
    """
    prediction, actual = np.asarray(prediction, float), np.asarray(actual, float)
    return float(1 - np.sum((actual - prediction) ** 2) / np.sum((actual - actual.mean()) ** 2))


MEASURES: dict[str, Callable[[Any, Any], float]] = {"are": are, "signed": signed_error, "huber": huber_error, "log_rmse": log_rmse}


def measure(prediction: Any, actual: Any, target: Any = None, measures: Sequence[str] = tuple(MEASURES)) -> pd.DataFrame:
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
    prediction, actual = np.asarray(prediction, float), np.asarray(actual, float)
    codes, names = pd.factorize(np.zeros(len(actual)) if target is None else np.asarray(target))
    index = pd.Index([None] if target is None else names, name="target")
    rows = [[MEASURES[m](prediction[codes == c], actual[codes == c]) for m in measures] for c in range(len(names))]
    return pd.DataFrame(rows, index=index, columns=list(measures))


def macro(errors: pd.DataFrame, family: Any, over: Any = None) -> pd.DataFrame:
    """Macro-averages: the mean within each family, then over families, so that a family of many cells counts once.

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
    family = errors[family] if isinstance(family, str) else pd.Series(np.asarray(family), index=errors.index)
    apart = [errors[name] for name in ([over] if isinstance(over, str) else over or [])]
    numeric = errors.select_dtypes("number").drop(columns=[s.name for s in (family, *apart) if s.name in errors], errors="ignore")
    within = numeric.groupby([*apart, family.rename("family")], sort=True).mean()
    return within.groupby(level=list(range(len(apart)))).mean() if apart else within.mean().to_frame().T


def fit_splits(law: Law, runs: Any, splits: Sequence[Split], **options: Any) -> FitGroups:
    """Fits a law to the training rows of every split in one batch.

    Args:
        law: the law.
        runs: the table, as in `sj.fit`.
        splits: what to fit; labels must differ.
        **options: those of `sj.fit` but where=, which the splits replace; fixed= takes a mapping label -> value as well, so
            that parameters may be borrowed from other fits. weights="runs" counts the training rows of each split alone.

    Returns:
        A `FitGroups` keyed by label, without the splits that have no row to fit. Splits with the same rows share one result.

    Raises:
        DataError: bad input that concerns the whole table.
        ValueError: if two splits have the same label.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 10.0, 100.0, 1000.0], "loss": [8.0, 4.0, 2.0, 1.0]}
    >>> fits = fit_splits(sj.laws.power_law, table, by_size(table["x"]))
    >>> fits[3].params["A"].__round__(6)
    8.0
    """
    return solve_splits(law, *read_splits(law, runs, splits, options), options)


def score(law: Law, runs: Any, splits: Sequence[Split], *, measures: Sequence[str] = tuple(MEASURES), **options: Any) -> pd.DataFrame:
    """Fits every split in one batch and measures what it predicts of its target.

    Args:
        law: the law.
        runs: the table.
        splits: thousands are welcome.
        measures: names out of `MEASURES`.
        **options: as in `fit_splits`.

    Returns:
        One row per split: its info, n_train, n_test, the measures, in_sample (`log_rmse` of the fitted rows), status
        ("no rows" where there was nothing to fit), and the parameters.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 10.0, 100.0, 1000.0], "loss": [8.0, 4.0, 2.0, 1.0]}
    >>> score(sj.laws.power_law, table, by_size(table["x"]))["are"].round(6).tolist()
    [0.0, 0.0]
    """
    table, members = read_splits(law, runs, splits, options)
    fits = solve_splits(law, table, members, options)
    inside = predictions(fits, table, {label: train for label, (train, _) in members.items()})
    beyond = predictions(fits, table, {label: test for label, (_, test) in members.items()})
    rows = []
    for split in splits:
        train, test = members[split.label]
        row = {**split.info, "n_train": len(train), "n_test": len(test)}
        fit = fits.get(split.label)
        if fit is not None:
            row |= {m: MEASURES[m](beyond[split.label], table.target[test]) for m in measures} if len(test) else {}
            row["in_sample"] = log_rmse(inside[split.label], table.target[train])
        row["status"] = "no rows" if fit is None else fit.status
        rows.append(row | ({} if fit is None else dict(zip(law.labels, fit.numbers, strict=True))))
    return pd.DataFrame(rows, index=pd.Index([split.label for split in splits], name="split", tupleize_cols=False))


Members = dict[Any, tuple[np.ndarray, np.ndarray]]


def read_splits(law: Law, runs: Any, splits: Sequence[Split], options: dict[str, Any]) -> tuple[Runs, Members]:
    """The rows that any split uses, and for each label the rows to fit and to predict among them."""
    if "where" in options:
        raise TypeError("where= and splits both choose rows: leave where= out, or filter the table before splitting it.")
    if len({split.label for split in splits}) < len(splits):
        raise ValueError("Two splits have the same label: give each its own.")
    frame = as_frame(runs).reset_index(drop=True)
    used = np.zeros(len(frame), dtype=bool)
    for split in splits:
        for rows in (split.train, split.test):
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(frame):
                raise DataError(f"Split {split.label!r} names row {int(rows.max())}, the table has {len(frame)} rows.")
            used[rows] = True
    objective = make_spec(law, options.get("objective")).objective
    columns = {k: options[k] for k in ("inputs", "target", "run", "missing", "target_se") if k in options}
    weights = None if isinstance(options.get("weights"), str) and options["weights"] == "runs" else options.get("weights")
    table = read_runs(law, frame, where=used, weights=weights, on_log=objective.on == "log", **columns)
    place = np.full(len(frame), -1)
    place[table.rows.astype(np.intp)] = np.arange(len(table))
    return table, {s.label: tuple(p[p >= 0] for p in (place[s.train], place[s.test])) for s in splits}


def solve_splits(law: Law, table: Runs, members: Members, options: dict[str, Any]) -> FitGroups:
    """The fits of all splits that have a row to fit, in one batch."""
    how = {k: v for k, v in options.items() if k not in ("inputs", "target", "run", "missing", "target_se", "weights")}
    spec = make_spec(law, **how)
    alike = isinstance(options.get("weights"), str) and options["weights"] == "runs"
    keys = [label for label, (train, _) in members.items() if len(train)]
    fixed = fixed_numbers(spec, keys)
    same = [members[key][0].tobytes() + held.tobytes() for key, held in zip(keys, fixed, strict=True)]
    first = {content: i for i, content in reversed(list(enumerate(same)))}
    once = sorted(first.values())
    rows = [members[keys[i]][0] for i in once]
    weights = [_each_run_alike(table, m) for m in rows] if alike else None
    fitted = dict(zip(once, solve_members(spec, table, rows, fixed[once], [keys[i] for i in once], weights=weights), strict=True))
    return FitGroups({key: fitted[first[content]] for key, content in zip(keys, same, strict=True)})


def _each_run_alike(table: Runs, rows: np.ndarray) -> np.ndarray:
    """Weights of a split's rows under which each of its runs counts the same."""
    if table.run is None:
        raise DataError("weights='runs' needs run=, the column that says which rows are one training run.")
    return run_weights(np.unique(table.run[rows], return_inverse=True)[1])


def predictions(fits: FitGroups, table: Runs, rows: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
    """Predictions of every fit for its own rows (positions in `table`), in one pass."""
    keys = [key for key in rows if key in fits]
    if not keys:
        return {}
    which = np.concatenate([rows[key] for key in keys])
    owner = np.repeat(np.arange(len(keys)), [len(rows[key]) for key in keys])
    law = fits[keys[0]].law
    numbers = np.stack([fits[key].numbers for key in keys])
    found = predict_rows(law, numbers[owner], {name: column[which] for name, column in table.inputs.items()})
    return dict(zip(keys, np.split(found, np.cumsum([len(rows[key]) for key in keys])[:-1]), strict=True))
