"""Splits of a table: which rows are fitted, and which they have to predict."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
        for name in ("train", "test"):
            given = np.asarray(getattr(self, name))
            rows = np.flatnonzero(given) if given.dtype == bool else given.astype(np.intp)
            object.__setattr__(self, name, rows)

    def first(
        self, progress: ArrayLike, share: float, run: ArrayLike | None = None, *, inclusive: bool = False
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

    def last(self, progress: ArrayLike, share: float, run: ArrayLike | None = None) -> Split:
        """Keeps the target rows in the last share of the target run; arguments as in `first`."""
        limit, at = _limits(progress, 1 - share, run, self.test)
        return self._narrow("test", at >= limit, "last", share)

    def after(self, progress: ArrayLike, threshold: float) -> Split:
        """Drops the training rows up to a threshold, such as the first 1e10 tokens."""
        keep = np.asarray(progress, dtype=float)[self.train] > threshold
        return self._narrow("train", keep, "after", threshold)

    def _narrow(self, side: str, keep: np.ndarray, word: str, amount: float) -> Split:
        label = (*self.label, amount) if isinstance(self.label, tuple) else (self.label, amount)
        rows = {"train": self.train, "test": self.test}
        rows[side] = rows[side][keep]
        return Split(label, **rows, info=self.info | {word: amount})

    def __repr__(self) -> str:
        return f"<Split {self.label}: {len(self.train)} rows to fit, {len(self.test)} to predict>"


def _limits(
    progress: ArrayLike, share: float, run: ArrayLike | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per row the given share of the longest progress (of its own run), and the row's progress."""
    at = np.asarray(progress, dtype=float)[rows]
    if run is None:
        return np.full(len(at), share * at.max(initial=0.0)), at
    codes = pd.factorize(np.asarray(run)[rows])[0]
    longest = np.zeros(codes.max(initial=-1) + 1)
    np.maximum.at(longest, codes, at)
    return share * longest[codes], at


def by_size(size: ArrayLike, n: int | Iterable[int] | None = None, *, reverse: bool = False) -> list[Split]:
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


def by_compute(flops: ArrayLike, cuts: float | Iterable[float]) -> list[Split]:
    """Rows up to a compute budget are fitted, rows beyond it are the target.

    >>> by_compute([1e18, 1e19, 1e20], 1e19)
    [<Split 1e+19: 2 rows to fit, 1 to predict>]
    """
    at = np.asarray(flops, dtype=float)
    amounts = np.atleast_1d(np.asarray(cuts, dtype=float)).tolist()
    return [Split(cut, at <= cut, at > cut, {"cut": cut}) for cut in amounts]


def by_fraction(
    progress: ArrayLike, shares: float | Iterable[float], run: ArrayLike | None = None
) -> list[Split]:
    """Rows up to a share of the longest run are fitted, the others are the target.

    Where `run` is given, the share is of each run's own length. With share 0.5 and one learning curve this is
    the extrapolation split of Alabdulmohsin et al. 2022, tau = x_max / 2.

    >>> by_fraction([1, 2, 4, 8], 0.5)
    [<Split 0.5: 3 rows to fit, 1 to predict>]
    """
    everything = np.arange(len(np.asarray(progress)))
    found = []
    for share in np.atleast_1d(np.asarray(shares, dtype=float)).tolist():
        limit, at = _limits(progress, share, run, everything)
        found.append(Split(share, at <= limit, at > limit, {"share": share}))
    return found


def windows(size: ArrayLike, width: int) -> list[Split]:
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
        inside, last = (low <= code) & (code <= high), code == len(names) - 1
        info = {"width": width, "largest": names[high]}
        found.append(Split((names[low], names[high]), inside, last, info))
    return found


def leave_one_out(run: ArrayLike) -> list[Split]:
    """Each run in turn is the target, all others are fitted.

    >>> leave_one_out(["a", "a", "b"])
    [<Split a: 1 rows to fit, 2 to predict>, <Split b: 2 rows to fit, 1 to predict>]
    """
    codes, names = pd.factorize(np.asarray(run))
    return [Split(name, codes != i, codes == i, {"left_out": name}) for i, name in enumerate(names.tolist())]


def within(group: ArrayLike, make: Callable[[np.ndarray], Sequence[Split]]) -> list[Split]:
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
    labels = np.asarray(group)
    found = []
    for name, rows in pd.Series(labels).groupby(labels, sort=False).indices.items():
        for split in make(rows):
            label, info = (name, split.label), {"group": name} | split.info
            found.append(Split(label, rows[split.train], rows[split.test], info))
    return found


def _levels(size: ArrayLike, reverse: bool = False) -> tuple[int, np.ndarray]:
    names, code = np.unique(np.asarray(size), return_inverse=True)
    return len(names), len(names) - 1 - code if reverse else code


def _counts(n: int | Iterable[int] | None, most: int, what: str) -> list[int]:
    """How many sizes to fit, checked; all there are where none are named."""
    wanted = list(range(2, most + 1)) if n is None else [int(k) for k in np.atleast_1d(np.asarray(n))]
    if bad := [k for k in wanted if not 1 <= k <= most]:
        raise ValueError(
            f"{what}: {bad[0]} sizes cannot be fitted beside a target, the table has {most + 1} distinct "
            "sizes."
        )
    return wanted
