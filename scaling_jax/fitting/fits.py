"""Many fits held as arrays: what is a number of each is a column over all, and the record of one is made when
somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np

from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.certificate import NO_FINITE_START, NO_PROBABILITY, AtRows, Evidence, Evidences
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.judged import Judged, Rows, judge
from scaling_jax.tables.runs import Part

__all__ = ["Fits", "Records", "Solved", "record_of"]


class Records(NamedTuple):
    """Fits that are records already."""

    records: list[Fitted]

    def record(self, f: int) -> Fitted:
        return self.records[f]


@dataclass(frozen=True, eq=False)
class Solved:
    """Fits that were solved and judged as one batch.

    Args:
        task: what was fitted to what.
        numbers: (fits, labels), natural units.
        evidence: what the engine left behind.
        foreseen: what each fit says of its own rows.
        judged: the certificates.
    """

    task: Task
    numbers: np.ndarray
    evidence: Evidences
    foreseen: list[AtRows]
    judged: Judged

    @classmethod
    def of(cls, task: Task, numbers: np.ndarray, evidence: Evidences, foreseen: list[AtRows]) -> Solved:
        """Fits with their certificates."""
        held = ~np.isnan(task.fixed)
        return cls(
            task,
            numbers,
            evidence,
            foreseen,
            judge(task.spec, numbers, evidence, held, _rows_of(task, foreseen)),
        )

    def record(self, f: int) -> Fitted:
        """One of them, with its evidence."""
        own, judged = self.evidence.of(f), (self.judged, f)
        return record_of(self.task, f, own, self.numbers[f], self.foreseen[f], judged)

    def warnings(self, f: int) -> list[str]:
        """Those of one fit's certificate; its rows are looked at where they matter."""
        runs = self.task.runs
        if self.failed[f]:
            return [_no_fit(self.task)]
        if runs.run is None and not self.speak[f]:
            return list(runs.warnings)
        own = runs if runs.run is None else Part(runs, self.task.members[f], self._weights(f)).read()
        return self.judged.certificate(f, own).warnings

    def _weights(self, f: int) -> np.ndarray | None:
        return None if self.task.weights is None else self.task.weights[f]

    @cached_property
    def speak(self) -> np.ndarray:
        """(fits,) which certificates may have a sentence of their own."""
        return self.judged.speak

    @cached_property
    def failed(self) -> np.ndarray:
        """(fits,) whether there is none."""
        return ~np.isfinite(self.evidence.value)

    @property
    def reasons(self) -> np.ndarray:
        """(fits,) why there is none, an empty string where there is one."""
        return np.where(self.failed, _no_fit(self.task), "")

    @property
    def found(self) -> np.ndarray:
        """(fits, labels) the parameters, NaN where there is no fit."""
        return np.where(self.failed[:, None], np.nan, self.numbers)

    @property
    def sizes(self) -> np.ndarray:
        """(fits,) how many rows each has."""
        return np.array([len(m) for m in self.task.members])

    @cached_property
    def objective_values(self) -> np.ndarray:
        """(fits,) the objective at the optimum; with a corner the exact one, of which the engine smoothed
        it."""
        objective = self.task.spec.objective
        if objective.smooth:
            return np.where(self.failed, np.nan, self.evidence.value)
        rows = _rows_of(self.task, self.foreseen)
        terms = rows.weight * objective.rho(rows.residual(self.task.spec, self.numbers))
        sums = [float(np.sum(part)) for part in np.split(terms, np.cumsum(rows.sizes)[:-1])]
        return np.where(self.failed, np.nan, sums)


class Fits(Sequence[Fitted]):
    """Fits in an order of their own, out of batches; a record is made once, when it is asked for.

    Args:
        batches: where they are.
        batch, place: (fits,) which batch each is in, and which fit of it.
    """

    def __init__(self, batches: Sequence[Solved | Records], batch: np.ndarray, place: np.ndarray):
        self.batches, self._batch, self._place = list(batches), batch, place
        self._made: dict[int, Fitted] = {}

    @classmethod
    def of(cls, *batches: Solved | Records | Sequence[Fitted]) -> Fits:
        """All fits of some batches, or of records, one after the other."""
        known: list[Solved | Records] = []
        batch, place = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)]
        for each in batches:
            if isinstance(each, Fits):
                batch.append(each._batch + len(known))
                place.append(each._place)
                known += each.batches
                continue
            one = each if isinstance(each, Solved | Records) else Records(list(each))
            size = len(one.numbers) if isinstance(one, Solved) else len(one.records)
            batch.append(np.full(size, len(known)))
            place.append(np.arange(size))
            known.append(one)
        return cls(known, np.concatenate(batch), np.concatenate(place))

    def __len__(self) -> int:
        return len(self._batch)

    def __iter__(self) -> Iterator[Fitted]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, i: int) -> Fitted: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Fitted]: ...
    def __getitem__(self, i: int | slice) -> Fitted | Sequence[Fitted]:
        if isinstance(i, slice):
            return [self[at] for at in range(*i.indices(len(self)))]
        at = range(len(self))[i]
        if at not in self._made:
            self._made[at] = self.batches[self._batch[at]].record(int(self._place[at]))
        return self._made[at]

    def some(self, which: np.ndarray) -> Fits:
        """Those at some positions, in that order."""
        return Fits(self.batches, self._batch[which], self._place[which])

    def with_better(self, which: np.ndarray, again: Fits) -> Fits:
        """The same with what another solution of some of them found, where that is no higher."""
        better = ~(again.values > self.values[which])
        both, chosen = Fits.of(self, again), np.arange(len(self))
        chosen[which[better]] = len(self) + np.flatnonzero(better)
        return both.some(chosen)

    def parts(self) -> Iterator[tuple[Solved | Records, np.ndarray, np.ndarray]]:
        """Batch by batch: positions of its fits here, and there."""
        for b, batch in enumerate(self.batches):
            here = np.flatnonzero(self._batch == b)
            if len(here):
                yield batch, here, self._place[here]

    def warnings(self) -> list[list[str]]:
        """(fits,) the sentences of each certificate."""
        out: list[list[str]] = [[]] * len(self)
        for batch, here, there in self.parts():
            for i, f in zip(here.tolist(), there.tolist(), strict=True):
                out[i] = (
                    batch.warnings(f) if isinstance(batch, Solved) else batch.records[f].certificate.warnings
                )
        return out

    def column(self, of_batch: Callable[[Solved], np.ndarray], of_one: Callable[[Fitted], Any]) -> np.ndarray:
        """(fits, ...) what is read off the arrays of a batch, and off records one by one."""
        found = [
            of_batch(batch)[there]
            if isinstance(batch, Solved)
            else np.array([of_one(batch.records[f]) for f in there])
            for batch, _, there in self.parts()
        ]
        if not found:
            return np.zeros(0)
        order = np.argsort(np.concatenate([here for _, here, _ in self.parts()]))
        return np.concatenate(found)[order]

    @property
    def keys(self) -> list[Hashable]:
        """What each is called."""
        out: list[Hashable] = [None] * len(self)
        for batch, here, there in self.parts():
            for i, f in zip(here.tolist(), there.tolist(), strict=True):
                out[i] = batch.task.keys[f] if isinstance(batch, Solved) else batch.records[f].key
        return out

    @property
    def values(self) -> np.ndarray:
        """(fits,) the objective in the engine's units."""
        return self.column(lambda batch: batch.evidence.value, lambda one: one.evidence.value)

    @property
    def numbers(self) -> np.ndarray:
        """(fits, labels) the parameters, natural units; NaN where there is no fit."""
        return self.column(lambda batch: batch.found, lambda one: one.numbers)

    @property
    def objective_values(self) -> np.ndarray:
        """(fits,) the objective at the optimum, in its own units."""
        return self.column(lambda batch: batch.objective_values, lambda one: one.objective_value)

    @property
    def status(self) -> np.ndarray:
        """(fits,) as the certificates say."""
        return self.column(lambda batch: batch.judged.status, lambda one: one.status)

    @property
    def reasons(self) -> np.ndarray:
        """(fits,) why there is no fit, an empty string where there is one."""
        return self.column(lambda batch: batch.reasons, lambda one: one.reason)


def record_of(
    task: Task,
    f: int,
    evidence: Evidence,
    numbers: np.ndarray,
    foreseen: AtRows | None = None,
    judged: tuple[Judged, int] | None = None,
) -> Fitted:
    """The record of one fit of a task."""
    spec = task.spec
    part = Part(task.runs, task.members[f], None if task.weights is None else task.weights[f])
    runs = part.read()
    failed = not np.isfinite(evidence.value)
    counted = {"rows_used": len(runs)} | ({"n_runs": runs.n_runs} if runs.run is not None else {})
    if len(runs.group_labels) > 1:
        counted["rows_in_table"] = len(runs)
    held = zip(spec.law.labels, task.fixed[f].tolist(), strict=True)
    result = Fitted(
        spec=spec,
        numbers=numbers if not failed else np.full(len(numbers), np.nan),
        objective_value=evidence.value if not failed else np.nan,
        evidence=evidence,
        runs=part,
        sources=runs.sources,
        record=runs.record | counted,
        fingerprint=runs.fingerprint,
        fixed={label: value for label, value in held if not np.isnan(value)},
        key=task.keys[f],
        reason=_no_fit(task) if failed else "",
        foreseen=foreseen,
        judged=judged,
    )
    if failed or spec.objective.smooth:
        return result
    return replace(result, objective_value=float(np.sum(runs.weight * spec.objective.rho(result.residuals))))


def _no_fit(task: Task) -> str:
    return NO_FINITE_START if task.spec.objective.counts is None else NO_PROBABILITY


def _rows_of(task: Task, foreseen: Iterable[AtRows]) -> Rows:
    """All rows of a task's fits, one fit's after the other's."""
    members, foreseen = np.concatenate(task.members), list(foreseen)
    weight = task.runs.weight[members] if task.weights is None else np.concatenate(list(task.weights))
    return Rows(
        task.runs,
        members,
        np.array([len(m) for m in task.members]),
        weight,
        np.concatenate([at.prediction for at in foreseen]),
        np.stack([at.share for at in foreseen]),
    )
