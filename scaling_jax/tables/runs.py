"""The rows of a fit as plain arrays, checked: inputs, target, weights, runs and groups."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scaling_jax.core.curves import CurveColumn

__all__ = ["DataError", "Part", "Runs", "numeric", "run_weights"]


class DataError(ValueError):
    """A table that cannot be fitted as it is; the message names column, rows and remedy."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The rows of a fit as arrays, and what happened on the way in.

    Args:
        inputs: law input -> (rows,).
        target: (rows,), natural units.
        weight: (rows,), multiplies each row's term.
        target_se: (rows,) known standard errors, or None.
        run: (rows,) code of the training run a row belongs to, or None.
        run_labels: the runs' names, by code.
        group: (rows,) code of the group, all zero without `by`.
        group_labels: the groups' keys, by code.
        rows: (rows,) the table's own index labels.
        sources: law input, "target", "run", ... -> what it was read from.
        record: what was counted and dropped, ready for JSON.
        warnings: what the user should know about the table.
    """

    inputs: dict[str, np.ndarray]
    target: np.ndarray
    weight: np.ndarray
    target_se: np.ndarray | None
    run: np.ndarray | None
    run_labels: list[Hashable]
    group: np.ndarray
    group_labels: list[Hashable]
    rows: np.ndarray
    sources: dict[str, str]
    record: dict[str, Any]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def plain(
        cls,
        inputs: dict[str, np.ndarray],
        target: np.ndarray,
        weight: np.ndarray | None = None,
        target_se: np.ndarray | None = None,
    ) -> Runs:
        """Rows out of nobody's table: each a run of its own, all in one group."""
        rows = np.arange(len(target))
        weight = np.ones(len(rows)) if weight is None else weight
        return cls(inputs, target, weight, target_se, None, [], np.zeros_like(rows), [None], rows, {}, {})

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Runs:
        """The same table restricted to some rows (positions)."""
        return Runs(
            {k: v[rows] for k, v in self.inputs.items()},
            self.target[rows],
            self.weight[rows],
            None if self.target_se is None else self.target_se[rows],
            None if self.run is None else self.run[rows],
            self.run_labels,
            self.group[rows],
            self.group_labels,
            self.rows[rows],
            self.sources,
            self.record,
            self.warnings,
        )

    def members(self) -> list[np.ndarray]:
        """Each group's rows (positions, in order), by the group's code."""
        counts = np.bincount(self.group, minlength=len(self.group_labels))
        return np.split(np.argsort(self.group, kind="stable"), np.cumsum(counts)[:-1])

    @property
    def numeric(self) -> dict[str, np.ndarray]:
        """The inputs that are a number per row; the others are curves."""
        return numeric(self.inputs)

    @property
    def n_runs(self) -> int:
        """Distinct training runs with positive weight: by `run` where known, else distinct input points."""
        used = self.weight > 0
        if self.run is not None:
            return len(np.unique(self.run[used]))
        return len(set(zip(*(v[used].tolist() for v in self.inputs.values()), strict=True)))

    @property
    def fingerprint(self) -> str:
        """A short hash of inputs, target, weights and runs, for telling tables apart."""
        digest = hashlib.sha256()
        for name in sorted(self.inputs):
            digest.update(name.encode() + self.inputs[name].tobytes())
        for part in (self.target, self.weight, self.target_se, self.run):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table, copied out only when asked for, so that thousands of fits can share one table.

    Args:
        whole: the table.
        rows: positions in it.
        weight: (rows,) in place of the table's own weights.
    """

    whole: Runs
    rows: np.ndarray
    weight: np.ndarray | None = None

    def read(self) -> Runs:
        runs = self.whole if len(self.rows) == len(self.whole) else self.whole.take(self.rows)
        return runs if self.weight is None else replace(runs, weight=self.weight)


def numeric(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those inputs that are a number per row."""
    return {name: column for name, column in inputs.items() if not isinstance(column, CurveColumn)}


def run_weights(run: np.ndarray) -> np.ndarray:
    """Weights (rows,) under which every run counts the same and the mean is one."""
    sizes = np.bincount(run)
    return len(run) / (np.count_nonzero(sizes) * sizes[run])
