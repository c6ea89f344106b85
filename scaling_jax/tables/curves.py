"""Training curves: a table's rows gathered into runs, checked, smoothed, and read at any amount of
compute."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Curves", "columns_of", "read_curves"]


@dataclass(frozen=True, eq=False)
class Curves:
    """Runs as curves in compute.

    Args:
        labels: what the table calls each run.
        N: (runs,) parameters.
        rows: per run (3, checkpoints): log compute, ascending, log tokens and log loss.
    """

    labels: list[Hashable]
    N: np.ndarray
    rows: list[np.ndarray]

    def at(self, flops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log tokens and log loss (runs, budgets) of every run where it has spent a budget, linear in logs;
        NaN outside it."""
        x = np.log(flops)
        found = [
            [np.interp(x, c, column, left=np.nan, right=np.nan) for column in (d, y)] for c, d, y in self.rows
        ]
        tokens, loss = np.moveaxis(np.array(found), 1, 0)
        return tokens, loss


def columns_of(runs: TableLike, names: dict[str, str], optional: dict[str, str | None]) -> pd.DataFrame:
    """The named columns under their roles, numbers positive and finite, or one sentence about what is wrong
    with them.

    Args:
        runs: a table or a mapping of columns.
        names: role -> column of numbers.
        optional: role -> column of anything, left out where None.
    """
    runs = as_frame(runs)
    wanted = {**names, **{role: name for role, name in optional.items() if name is not None}}
    if missing := [name for name in wanted.values() if name not in runs]:
        asked = ", ".join(f"{role}=" for role in wanted)
        raise DataError(f"runs has no column {', '.join(map(shown, missing))}; name the columns: {asked}.")
    table = pd.DataFrame({role: runs[name] for role, name in wanted.items()})
    for role, name in names.items():
        try:
            table[role] = table[role].astype(float)
        except (TypeError, ValueError) as error:
            raise DataError(f"Column {shown(name)} ({role}) must hold numbers.") from error
        bad = ~(np.isfinite(table[role]) & (table[role] > 0))
        if bad.any():
            rows = ", ".join(map(str, table.index[bad][:5]))
            raise DataError(
                f"Column {shown(name)} ({role}) must be positive and finite; drop the rows that are "
                f"not ({rows})."
            )
    return table


def read_curves(
    runs: TableLike, *, run: str, N: str, D: str, loss: str, flops: str | None, smooth: float = 0.0
) -> Curves:
    """A table of checkpoints as curves.

    Args:
        runs, run, N, D, loss, flops: as in `sj.envelope`.
        smooth: standard deviation of a Gaussian over neighbouring checkpoints, in checkpoints.

    Raises:
        DataError: for missing columns, values that are not positive, or a run whose size changes.
    """
    roles = {"N": N, "D": D, "loss": loss} | ({} if flops is None else {"flops": flops})
    table = columns_of(runs, roles, {"run": run})
    if table["run"].isna().any():
        raise DataError(
            f"Column {shown(run)} (run) is empty in some rows; every checkpoint must name its run."
        )
    if "flops" not in table:
        table["flops"] = TOKENS_FLOP * table["N"] * table["D"]
    labels, sizes, rows = [], [], []
    for label, part in table.sort_values("flops", kind="stable").groupby("run", sort=False):
        sizes_of = part["N"].unique()
        if len(sizes_of) > 1:
            raise DataError(
                f"Run {shown(label)} has {len(sizes_of)} values of {shown(N)}; a run is one model: "
                f"check run={shown(run)}."
            )
        once = part.drop_duplicates("flops", keep="last")
        logs = np.log(once[["flops", "D", "loss"]].to_numpy().T)
        if smooth > 0:
            logs[2] = _smoothed(logs[2], smooth)
        labels.append(label)
        sizes.append(sizes_of[0])
        rows.append(logs)
    return Curves(labels, np.array(sizes), rows)


def _smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """A Gaussian mean over neighbours, of those there are near the ends."""
    from scipy.ndimage import gaussian_filter1d

    known = np.stack([values, np.ones(len(values))])
    total, share = gaussian_filter1d(known, width, mode="constant", radius=int(4 * width) + 1)
    return total / share
