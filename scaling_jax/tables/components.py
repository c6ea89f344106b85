"""Principal components of benchmark scores: a few capabilities that stand for many benchmarks (Ruan et al.
2024).

The order of the steps is part of the recipe: everything is learnt from the training models alone, and other
models pass through the maps that were learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.runs import DataError

__all__ = ["Components", "components"]

SWEEPS = 1000
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Components:
    """What was learnt from the training models; made by `sj.components`.

    Args:
        columns: the benchmarks.
        centre: (benchmarks,) means of the training models' scores, gaps filled.
        directions: (components, benchmarks), unit length; the sign makes the loadings' sum positive.
        ratios: (benchmarks,) share of the variance along every direction, also those not kept.
        location, spread: (benchmarks,) where and how wide scores are where gaps are filled (means after
            filling, population deviation).
        factor: (benchmarks,) the direction, in standardised scores, that fills gaps.
        clip: the range of a score.
    """

    columns: tuple[str, ...]
    centre: np.ndarray
    directions: np.ndarray
    ratios: np.ndarray
    location: np.ndarray
    spread: np.ndarray
    factor: np.ndarray
    clip: tuple[float, float] | None

    def fill(self, table: TableLike) -> pd.DataFrame:
        """The table's scores with gaps filled by the rank-one map of the training models."""
        scores = _scores(table, self.columns)
        z = (scores.to_numpy(dtype=float) - self.location) / self.spread
        known = ~np.isnan(z)
        share = np.where(known, z, 0.0) @ self.factor / np.maximum(known @ self.factor**2, 1e-300)
        filled = np.where(known, z, share[:, None] * self.factor) * self.spread + self.location
        filled = np.where(known, scores, filled if self.clip is None else np.clip(filled, *self.clip))
        return pd.DataFrame(filled, index=scores.index, columns=list(self.columns))

    def transform(self, table: TableLike) -> pd.DataFrame:
        """Component scores PC1, PC2, ... of any models, in the order of the table."""
        values = (self.fill(table).to_numpy() - self.centre) @ self.directions.T
        return pd.DataFrame(
            values, index=as_frame(table).index, columns=[f"PC{k + 1}" for k in range(len(self.directions))]
        )

    def __repr__(self) -> str:
        shares = ", ".join(f"{100 * r:.1f} %" for r in self.ratios[: len(self.directions)])
        return f"<Components of {len(self.columns)} benchmarks: {shares} of the variance>"


@checked
def components(
    table: TableLike,
    columns: Sequence[str] | None = None,
    *,
    n: int = 3,
    clip: tuple[float, float] | None = (0.0, 1.0),
) -> Components:
    r"""Principal components of benchmark scores, learnt from the models in the table.

    Gaps are filled first: scores are standardised, gaps set to 0 and replaced by the best rank-one
    reconstruction until nothing moves, then put back on their scale and clipped. The components are those of
    the centred, unstandardised scores.

    $$S = (X - \bar{x})\,V_n, \qquad X - \bar{x} = U \Sigma V^T$$

    Args:
        table: one row per training model.
        columns: the benchmarks; every number column by default. -1 is no code for a gap: put NaN in its
            place.
        n: components kept.
        clip: the range of a score; None leaves filled values as they are.

    Returns:
        `Components`: `.transform(models)`, `.ratios`, `.directions`.

    Raises:
        DataError: for unknown columns, a benchmark or a model without any score, or one that never varies.

    Source: Ruan, Maddison and Hashimoto 2024 (arXiv:2405.10938), section 3.

    >>> found = components({"a": [0.1, 0.2, 0.4], "b": [0.2, 0.4, 0.8]}, n=1)
    >>> found.ratios.round(6).tolist()
    [1.0, 0.0]
    """
    frame = as_frame(table)
    names = tuple(frame.select_dtypes("number").columns if columns is None else columns)
    scores = _scores(frame, names).to_numpy(dtype=float)
    if not 1 <= n <= len(names):
        raise DataError(f"n={n}: {len(names)} benchmarks have 1 to {len(names)} components.")
    missing = np.isnan(scores)
    if missing.all(axis=0).any():
        raise DataError(
            f"Benchmark '{names[int(missing.all(axis=0).argmax())]}' has no score at all: leave it out of "
            "columns=."
        )
    location, spread = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0)
    if (spread == 0).any():
        raise DataError(
            f"Benchmark '{names[int((spread == 0).argmax())]}' never varies: leave it out of columns=."
        )
    z, middle, factor = _rank_one(np.where(missing, 0.0, (scores - location) / spread), missing)
    filled = z * spread + location
    filled = np.where(missing, filled if clip is None else np.clip(filled, *clip), scores)
    centre = filled.mean(axis=0)
    _, singular, directions = np.linalg.svd(filled - centre, full_matrices=False)
    directions = directions * np.where(directions.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    ratios = np.zeros(len(names))
    ratios[: len(singular)] = singular**2 / np.sum(singular**2)
    return Components(names, centre, directions[:n], ratios, location + middle * spread, spread, factor, clip)


def _rank_one(z: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gaps replaced by the rank-one reconstruction until they rest; its column means and its direction."""
    for _ in range(SWEEPS):
        mean = z.mean(axis=0)
        u, s, v = np.linalg.svd(z - mean, full_matrices=False)
        new = np.where(missing, s[0] * np.outer(u[:, 0], v[0]) + mean, z)
        moved = np.max(np.abs(new - z))
        z = new
        if moved < TOLERANCE:
            break
    return z, mean, v[0]


def _scores(table: TableLike, columns: tuple[str, ...]) -> pd.DataFrame:
    frame = as_frame(table)
    if absent := [c for c in columns if c not in frame.columns]:
        raise DataError(
            f"There are no columns {', '.join(map(str, absent))}: the table has "
            f"{', '.join(map(str, frame.columns))}."
        )
    scores = frame[list(columns)].astype(float)
    if (nothing := scores.isna().all(axis=1)).any():
        raise DataError(
            f"Row {scores.index[int(nothing.to_numpy().argmax())]} has no score at all: leave it out."
        )
    return scores
