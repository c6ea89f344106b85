"""Splits of a table: which rows are fitted, and which they have to predict."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Labels
from scaling_jax.core.checked import checked, shown

__all__ = ["Split", "by_compute", "by_fraction", "by_size", "leave_one_out", "windows", "within"]


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

    label: Hashable
    train: np.ndarray
    test: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.info, Mapping):
            raise TypeError(f"Split(info={shown(self.info)}): give a mapping.")
        for name in ("train", "test"):
            object.__setattr__(self, name, _positions(name, getattr(self, name)))

    @checked
    def first(
        self, progress: ArrayLike, share: float, run: Labels | None = None, *, inclusive: bool = False
    ) -> Split:
        """Keeps the training rows below a share of the longest training run.

        Args:
            progress: (rows,) tokens seen, steps or compute at each row of the table.
            share: of the longest run.
            run: (rows,) the run of each row, which is measured against its own; None measures all rows
                against the longest run.
            inclusive: whether the row at exactly that share stays.
        """
        limit, at = _limits(progress, share, run, self.train)
        return self._narrow("train", at <= limit if inclusive else at < limit, "first", share)

    @checked
    def last(self, progress: ArrayLike, share: float, run: Labels | None = None) -> Split:
        """Keeps the target rows in the last share of the target run; arguments as in `first`."""
        limit, at = _limits(progress, 1 - share, run, self.test)
        return self._narrow("test", at >= limit, "last", share)

    @checked
    def after(self, progress: ArrayLike, threshold: float) -> Split:
        """Drops the training rows up to a threshold, such as the first 1e10 tokens."""
        keep = _of_rows(_per_row(progress, "progress"), self.train, "progress") > threshold
        return self._narrow("train", keep, "after", threshold)

    def _narrow(self, side: str, keep: np.ndarray, word: str, amount: float) -> Split:
        label = (*self.label, amount) if isinstance(self.label, tuple) else (self.label, amount)
        rows = {"train": self.train, "test": self.test}
        rows[side] = rows[side][keep]
        return Split(label, **rows, info=self.info | {word: amount})

    def __repr__(self) -> str:
        return f"<Split {self.label}: {len(self.train)} rows to fit, {len(self.test)} to predict>"


def _positions(name: str, rows: np.ndarray) -> np.ndarray:
    """Positions of rows, out of positions or of one true or false per row."""
    try:
        given = np.asarray(rows)
    except ValueError:
        given = np.asarray(None)
    if given.ndim != 1 or (given.dtype.kind not in "iub" and given.size):
        raise TypeError(f"Split({name}={shown(rows)}): give positions of rows, or true or false for each.")
    return np.flatnonzero(given) if given.dtype == bool else given.astype(np.intp)


def _per_row(values: ArrayLike, name: str) -> np.ndarray:
    """(rows,) numbers as floats."""
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1:
        raise ValueError(f"{name}={shown(values)}: give one number per row.")
    return numbers


def _of_rows(values: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    """The values at some rows of the table, which has one value for each."""
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(values):
        raise ValueError(f"{name} has {len(values)} values, and the split names row {rows.max()}.")
    return values[rows]


def _limits(
    progress: ArrayLike, share: float, run: Labels | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per row the given share of the longest progress (of its own run), and the row's progress."""
    at = _of_rows(_per_row(progress, "progress"), rows, "progress")
    if run is None:
        return np.full(len(at), share * at.max(initial=0.0)), at
    codes = pd.factorize(_of_rows(_each(run), rows, "run"))[0]
    longest = np.zeros(codes.max(initial=-1) + 1)
    np.maximum.at(longest, codes, at)
    return share * longest[codes], at


@checked
def by_size(size: Labels, n: int | Iterable[int] | None = None, *, reverse: bool = False) -> list[Split]:
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


@checked
def by_compute(flops: ArrayLike, cuts: float | Iterable[float]) -> list[Split]:
    """Rows up to a compute budget are fitted, rows beyond it are the target.

    >>> by_compute([1e18, 1e19, 1e20], 1e19)
    [<Split 1e+19: 2 rows to fit, 1 to predict>]
    """
    at = _per_row(flops, "flops")
    amounts = np.atleast_1d(np.asarray(cuts, dtype=float)).tolist()
    return [Split(cut, at <= cut, at > cut, {"cut": cut}) for cut in amounts]


@checked
def by_fraction(
    progress: ArrayLike, shares: float | Iterable[float], run: Labels | None = None
) -> list[Split]:
    """Rows up to a share of the longest run are fitted, the others are the target.

    Where `run` is given, the share is of each run's own length. With share 0.5 and one learning curve this is
    the extrapolation split of Alabdulmohsin et al. 2022, tau = x_max / 2.

    >>> by_fraction([1, 2, 4, 8], 0.5)
    [<Split 0.5: 3 rows to fit, 1 to predict>]
    """
    everything = np.arange(len(_per_row(progress, "progress")))
    found = []
    for share in np.atleast_1d(np.asarray(shares, dtype=float)).tolist():
        limit, at = _limits(progress, share, run, everything)
        found.append(Split(share, at <= limit, at > limit, {"share": share}))
    return found


@checked
def windows(size: Labels, width: int) -> list[Split]:
    """Every window of consecutive sizes is fitted; the target is the largest size.

    >>> [s.label for s in windows([1, 2, 3, 4], 2)]
    [(1, 2), (2, 3)]
    """
    names, code = _ladder(size)
    _counts(width, len(names) - 1, "windows")
    found = []
    for low in range(len(names) - width):
        high = low + width - 1
        inside, last = (low <= code) & (code <= high), code == len(names) - 1
        info = {"width": width, "largest": names[high]}
        found.append(Split((names[low], names[high]), inside, last, info))
    return found


@checked
def leave_one_out(run: Labels) -> list[Split]:
    """Each run in turn is the target, all others are fitted.

    >>> leave_one_out(["a", "a", "b"])
    [<Split a: 1 rows to fit, 2 to predict>, <Split b: 2 rows to fit, 1 to predict>]
    """
    codes, names = pd.factorize(_each(run))
    return [Split(name, codes != i, codes == i, {"left_out": name}) for i, name in enumerate(names.tolist())]


@checked
def within(group: Labels, make: Callable[[np.ndarray], Sequence[Split]]) -> list[Split]:
    """Splits of every group of rows by itself, in one list, so that all groups are fitted in one batch.

    Args:
        group: (rows,) the group of each row, for example its learning curve.
        make: takes the positions of one group's rows and returns splits of those rows.

    Returns:
        The splits of every group, labelled (group, label), with the group in their info.

    Source: with `by_fraction(x, 0.5)` inside, the protocol of Alabdulmohsin et al. 2022 (arXiv:2209.06640),
    section 4.

    >>> curve, x = ["a", "a", "b", "b"], np.array([1, 2, 10, 20])
    >>> within(curve, lambda rows: by_fraction(x[rows], 0.5))
    [<Split ('a', 0.5): 1 rows to fit, 1 to predict>, <Split ('b', 0.5): 1 rows to fit, 1 to predict>]
    """
    labels = _each(group)
    found = []
    for name, rows in pd.Series(labels).groupby(labels, sort=False).indices.items():
        for split in _made(make(rows)):
            label, info = (name, split.label), {"group": name} | split.info
            found.append(Split(label, rows[split.train], rows[split.test], info))
    return found


def _levels(size: Labels, reverse: bool = False) -> tuple[int, np.ndarray]:
    names, code = _ladder(size)
    return len(names), len(names) - 1 - code if reverse else code


def _made(splits: object) -> Sequence[Split]:
    if not isinstance(splits, list | tuple) or not all(isinstance(split, Split) for split in splits):
        raise TypeError(f"make gave {shown(splits)}: let it return a list of splits, as by_size does.")
    return splits


def _ladder(size: Labels) -> tuple[list[Any], np.ndarray]:
    """The distinct sizes in order, and the place of each row's among them."""
    try:
        names, code = np.unique(_each(size), return_inverse=True)
    except TypeError:
        raise TypeError(f"size={shown(size)}: give sizes that can be put in order.") from None
    return names.tolist(), code


def _each(labels: Labels) -> np.ndarray:
    """One label per row as an array; tuples stay whole."""
    if hasattr(labels, "dtype"):
        return np.asarray(labels)
    return pd.Series(list(cast(Sequence[object], labels)), dtype=object).infer_objects().to_numpy()


def _counts(n: int | Iterable[int] | None, most: int, what: str) -> list[int]:
    """How many sizes to fit, checked; all there are where none are named."""
    wanted = list(range(2, most + 1)) if n is None else [int(k) for k in np.atleast_1d(np.asarray(n))]
    if bad := [k for k in wanted if not 1 <= k <= most]:
        raise ValueError(
            f"{what}: {bad[0]} sizes cannot be fitted beside a target, the table has {most + 1} distinct "
            "sizes."
        )
    return wanted
