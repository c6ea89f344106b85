"""Which law to trust: many laws on one table, ranked by what they predict of runs they were not shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.core.progress import progress_bar
from scaling_jax.diagnosis.measures import are, log_rmse
from scaling_jax.evaluate.score import solve_splits
from scaling_jax.evaluate.splits import Split
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import Column, Keys, key_of_rows, rows_chosen
from scaling_jax.uncertainty.likelihood import information

__all__ = ["compare_laws"]

COLUMNS = [
    "extrapolation", "are", "wins", "in_sample", "aicc", "bic", "log_likelihood", "k", "fits",
    "not_converged",
]  # fmt: skip
THREADS = 2  # one law compiles while another runs

Entry = tuple[Law, Mapping[str, Any]]
"""A law, and the options of `sj.fit` for it alone."""
Holdout = str | ArrayLike | Callable[[pd.DataFrame], ArrayLike]
"""The rows to predict: a query, a mask, or a function of the table."""


@checked
def compare_laws(
    laws: Sequence[Law | Entry],
    runs: TableLike,
    *,
    by: Keys | None = None,
    holdout: Holdout | None = None,
    inputs: Mapping[str, Column] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Ranks laws by how well they predict the runs that were held out.

    Every law is fitted to the same rows, every group of them in the same batch. Means over groups are taken
    where every law gave a finite prediction, so that no law gains by failing on the hard groups.

    Args:
        laws: laws, or pairs of a law and options for it alone, such as
            `(sj.laws.ceiling_power_law, {"fixed": {"e_0": 1.0}})`.
        runs: the table.
        by: column (or columns) naming the group of each row; each group is fitted by itself.
        holdout: the rows to predict: a query, a mask or a function of the table. None holds nothing out, and
            ranks by AICc.
        inputs: law input -> column, for all laws together; each law takes what it needs.
        **options: as in `sj.fit`.

    Returns:
        One row per law, best first: extrapolation (`log_rmse` of the rows held out, mean over groups), are
        (likewise), wins (share of groups it predicts best, ties split), in_sample (`log_rmse` of the fitted
        rows), aicc, bic and log_likelihood (sums over groups, of the target itself, so that objectives on
        logs and raw values compare; NaN where rows are too few), k (parameters per group, the scale
        included), fits, and how many of them did not converge.

    Raises:
        DataError: bad input, or a holdout that leaves nothing to fit or to predict.
        ValueError: without any law.

    Source: extrapolation as the criterion, Alabdulmohsin et al. 2022 (arXiv:2209.06640), section 4.

    >>> import scaling_jax as sj
    >>> x = np.geomspace(1, 1e4, 12)
    >>> table = {"x": x, "loss": 1.5 + 2 * x**-0.3}
    >>> sj.compare_laws([sj.laws.power_law, sj.laws.power_law_floor], table, holdout="x > 1e3").index.tolist()
    ['power_law_floor', 'power_law']
    """
    entries = [_entry(entry) for entry in laws]
    if not entries:
        raise ValueError("compare_laws needs at least one law.")
    frame = as_frame(runs)
    known = {name for law, _ in entries for name in law.inputs}
    if unknown := sorted(set(inputs or {}) - known):
        raise DataError(
            f"inputs names {', '.join(unknown)}, which no law has: they have {', '.join(sorted(known))}."
        )
    splits = _splits(frame, by, holdout)

    def judged(entry: Entry) -> pd.DataFrame:
        law, own = entry
        needed = {name: column for name, column in (inputs or {}).items() if name in law.inputs}
        return _judged(law, frame, splits, {"inputs": needed, **options, **own})

    found = []
    with ThreadPoolExecutor(THREADS) as pool, progress_bar(1, "comparing", "law") as progress:
        for one in pool.map(judged, entries):
            found.append(one)
            progress(len(found), len(entries))
    table = _table(_names(entries), found, holdout is not None)
    return table.sort_values("extrapolation" if holdout is not None else "aicc", kind="stable")


def _entry(given: object) -> Entry:
    """A law and its own options."""
    law, own = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    if not isinstance(law, Law) or not isinstance(own, Mapping):
        raise TypeError(
            f"laws holds {shown(given)}: give laws (sj.laws.…, or a function decorated with @sj.law), or "
            "pairs of a law and a mapping of options."
        )
    return law, own


def _splits(frame: pd.DataFrame, by: Keys | None, holdout: Holdout | None) -> list[Split]:
    """One split per group: the rows to fit, and those held out."""
    held = np.zeros(len(frame), dtype=bool) if holdout is None else _held_out(frame, holdout)
    if by is None:
        return [Split("all", ~held, held)]
    codes, keys = pd.factorize(key_of_rows(frame, by))
    groups = [np.flatnonzero(codes == code) for code in range(len(keys))]
    return [
        Split(key, rows[~held[rows]], rows[held[rows]])
        for key, rows in zip(keys.tolist(), groups, strict=True)
    ]


def _held_out(frame: pd.DataFrame, holdout: Holdout) -> np.ndarray:
    """(rows,) which rows are held out."""
    held = rows_chosen(frame, holdout, "holdout")
    if held.all() or not held.any():
        raise DataError(
            f"holdout= holds out {int(held.sum())} of {len(frame)} rows: leave some to fit and some to "
            "predict."
        )
    return held


def _judged(law: Law, frame: pd.DataFrame, splits: list[Split], options: dict[str, Any]) -> pd.DataFrame:
    """One row per group: errors, criteria, and whether the fit converged."""
    solved = solve_splits(law, frame, splits, options)
    target, inside, beyond = solved.runs.target, solved.inside, solved.beyond
    rows = []
    for label, fit in solved.fits.items():
        train, test = solved.members[label]
        rows.append({
            **information(fit)._asdict(),
            "in_sample": log_rmse(inside[label], target[train]),
            "extrapolation": log_rmse(beyond[label], target[test]) if len(test) else np.nan,
            "are": are(beyond[label], target[test]) if len(test) else np.nan,
            "not_converged": fit.status != "converged",
        })  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(list(solved.fits), tupleize_cols=False))


def _table(names: list[str], found: list[pd.DataFrame], held_out: bool) -> pd.DataFrame:
    decisive = "extrapolation" if held_out else "in_sample"
    errors = pd.concat([part[decisive].rename(i) for i, part in enumerate(found)], axis=1)
    errors = errors[np.isfinite(errors).all(axis=1)]
    best = errors.eq(errors.min(axis=1), axis=0)
    wins = best.div(best.sum(axis=1), axis=0).mean()
    rows = []
    for i, part in enumerate(found):
        both = part.loc[errors.index]
        rows.append({
            **both[["extrapolation", "are", "in_sample"]].mean(),
            **both[["aicc", "bic", "log_likelihood"]].sum(skipna=False),
            "wins": wins[i],
            "k": int(part["k"].max()),
            "fits": len(errors),
            "not_converged": int(both["not_converged"].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(names, name="law"), columns=COLUMNS)


def _names(entries: Sequence[Entry]) -> list[str]:
    """The laws' names; a second use of one is numbered."""
    seen: dict[str, itertools.count] = {}
    names = []
    for law, _ in entries:
        label = law.name + (f"({', '.join(map(str, law.recipe[2]))})" if law.recipe and law.recipe[2] else "")
        turn = next(seen.setdefault(label, itertools.count(1)))
        names.append(label if turn == 1 else f"{label} #{turn}")
    return names
