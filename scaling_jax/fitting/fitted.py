"""What a fit is: the record that everything else reads, with its point prediction, residuals and certificate.

It holds data and answers what follows from them at once. Every further question (how sure, what to train,
what to draw) is a function of it elsewhere, and a method of `FitResult`, which stands above them all.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.core.curves import CurveColumn, Rates
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.certificate import AtRows, Certificate, Evidence, at_rows
from scaling_jax.fitting.judged import Judged, certificate_of
from scaling_jax.fitting.spec import Spec, held_numbers
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.read import read_inputs, read_runs
from scaling_jax.tables.runs import DataError, Part, Runs
from scaling_jax.tables.sources import Column, same_columns

__all__ = ["Fitted", "Together"]

SAME = 1e-6  # of an objective computed again, relative
ROUNDING = 1e-10  # of a residual, relative to the target
NAMELESS = ("array", "function")  # how a target is described that is no column


@dataclass(frozen=True, eq=False)
class Together:
    """Groups that were fitted jointly, in their order; those of which nothing could be fitted are not there.

    Args:
        members: their records, each of which knows the others by this.
        hessians: of each (k, k) at the joint optimum, shared coordinates among those that move.
        paired: whether they are outputs of the same runs, which are resampled for all of them at once.
    """

    members: list[Fitted] = field(default_factory=list)
    hessians: list[np.ndarray] = field(default_factory=list)
    paired: bool = False

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What was computed of all of them and is worth keeping, by name."""
        return {}


@dataclass(frozen=True, eq=False)
class Fitted:
    """One fitted law, with the certificate of its optimum.

    Args:
        spec: what was fitted and how: law, objective, solver, starts, device, as the user asked.
        numbers: (labels,) the parameters as one flat vector, natural units.
        objective_value: the weighted sum over rows at the optimum, in the objective's own units.
        evidence: what the engine left behind.
        runs: the rows that were fitted (a `Part` where fits share a table); None after `from_json` until
            `with_data`.
        sources: law input -> column; record: what was dropped; fingerprint: short hash of the data.
        fixed: label -> value of the numbers that were not free in this fit.
        shared: parameters that took one value for all groups (listed in fixed too).
        together: the groups that took it; None after `from_json`.
        key: the group's key in `fit_groups`.
        reason: why there is no fit, for a group that could not be fitted.
        stored_certificate: the certificate, where it is not computed from the data.
        foreseen: what the fit says of its own rows, where it was computed for many fits at once.
        judged: its certificate in numbers among those of many fits, and which of them it is.
    """

    spec: Spec
    numbers: np.ndarray
    objective_value: float
    evidence: Evidence
    runs: Runs | Part | None
    sources: dict[str, str]
    record: dict[str, Any]
    fingerprint: str
    fixed: dict[str, float] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    together: Together | None = None
    key: Hashable = None
    reason: str = ""
    stored_certificate: Certificate | None = None
    foreseen: AtRows | None = None
    judged: tuple[Judged, int] | None = None

    @classmethod
    def failed(cls, spec: Spec, key: Hashable, reason: str) -> Fitted:
        """What stands for a group of which nothing could be fitted."""
        numbers = np.full(len(spec.law.labels), np.nan)
        return cls(
            spec, numbers, np.nan, Evidence.none(len(numbers)), None, {}, {}, "", key=key, reason=reason
        )

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What was computed of this fit and is worth keeping, by name: its bootstrap, its examination."""
        return {}

    @property
    def law(self) -> Law:
        """The law."""
        return self.spec.law

    @property
    def objective(self) -> Objective:
        """What was minimised."""
        return self.spec.objective

    @property
    def solver(self) -> str:
        """Name of the solver."""
        return self.spec.solver.name

    @property
    def tied(self) -> list[tuple[str, ...]]:
        """Groups of parameters that share one value."""
        return self.spec.tied

    @property
    def count(self) -> dict[str, str]:
        """How sizes and compute were counted, as the user said."""
        return self.spec.count

    @property
    def units(self) -> dict[str, str]:
        """Unit per input and parameter: the law's, with the user's or the table's for what it predicts; of a
        column that is called otherwise than what the law predicts it is not known."""
        theirs, target = self.law.units.get("target"), self.sources.get("target", self.law.target)
        other = self.law.target not in target.lower() and target not in NAMELESS
        unit = self.spec.unit or self.record.get("unit") or ("" if other else theirs)
        known = {name: unit if said == theirs else said for name, said in self.law.units.items()}
        return {name: said for name, said in known.items() if said}

    @cached_property
    def params(self) -> dict[str, float | np.ndarray]:
        """Parameters in natural units: floats, or arrays for vector parameters."""
        named = self.law.unflatten(self.numbers)
        return {
            name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in named.items()
        }

    @property
    def held(self) -> np.ndarray:
        """(labels,) the values of the numbers that were not free, NaN for the others."""
        return held_numbers(self.law, self.fixed)

    @property
    def n_free(self) -> int:
        """How many numbers were fitted."""
        return int(self.evidence.free.sum())

    @cached_property
    def certificate(self) -> Certificate:
        """Numbers and sentences about the optimum; see `scaling_jax.fitting.certificate.Certificate`."""
        if self.stored_certificate is not None:
            return self.stored_certificate
        if self.reason or self.runs is None:
            return Certificate.failed(self.reason or "The data are not attached.")
        if self.judged is not None:
            judged, f = self.judged
            return judged.certificate(f, self.data())
        return certificate_of(self.spec, self.numbers, self.evidence, self.data(), self.at_rows, self.fixed)

    @property
    def status(self) -> str:
        """`converged`, `underdetermined`, `not_converged` or `failed`."""
        if self.judged is None or self.stored_certificate is not None:
            return self.certificate.status
        judged, f = self.judged
        return str(judged.status[f])

    @property
    def open(self) -> bool:
        """Whether a step would still lower the objective."""
        if self.judged is None or self.stored_certificate is not None:
            return self.certificate.open
        judged, f = self.judged
        return bool(judged.open[f])

    @property
    def converged(self) -> bool:
        """Whether the certificate calls this point an optimum that the data determine."""
        return self.status == "converged"

    @property
    def warnings(self) -> list[str]:
        """What a reader must know, most serious first; empty when there is nothing."""
        return self.certificate.warnings

    @property
    def n_starts(self) -> int:
        """How many starts were tried."""
        return self.certificate.n_starts

    @property
    def n_polished(self) -> int:
        """How many lanes were polished with the exact Hessian."""
        return self.certificate.n_polished

    @property
    def n_agree(self) -> int:
        """How many finished starts reached this optimum."""
        return self.certificate.n_agree

    @property
    def n_basins(self) -> int:
        """How many distinct optima the finished starts reached."""
        return self.certificate.n_basins

    @cached_property
    def residuals(self) -> np.ndarray:
        """(rows,) residuals on the objective's scale: log(prediction) - log(target), or prediction - target,
        over target_se."""
        runs = self.data()
        return self.objective.residual(self.at_rows.prediction, runs.target, runs.target_se, self.numbers)

    @cached_property
    def at_rows(self) -> AtRows:
        """What the fit says of its own rows."""
        return self.foreseen or at_rows(self.law, self.numbers, self.data().inputs)

    def used(self) -> Self:
        """The same fit with its rows of positive weight alone."""
        if self.runs is None or (kept := self.data().weight > 0).all():
            return self
        part = self.runs if isinstance(self.runs, Part) else Part(self.runs, np.arange(len(self.runs)))
        rows = Part(part.whole, part.rows[kept], None if part.weight is None else part.weight[kept])
        return replace(self, runs=rows, foreseen=None, judged=None)

    def point(self, other: TableLike) -> np.ndarray:
        """(rows,) the law's predictions for other runs, in the unit of the target."""
        return predict(self.law, self.numbers, self.inputs_of(other))[0]

    def with_data(self, runs: Runs) -> Self:
        """The same result with its data attached again (a `Runs` from `sj.read_runs`).

        Raises:
            DataError: if the data are not those that were fitted, or the law's objective on them is not the
                one that was stored.
        """
        if not isinstance(runs, Runs):
            raise TypeError(f"with_data takes what sj.read_runs gives, not {shown(runs)}.")
        if runs.fingerprint != self.fingerprint:
            raise DataError(
                f"These are other data than were fitted (fingerprint {runs.fingerprint}, fitted "
                f"{self.fingerprint}): read the same table with the same inputs, where and weights."
            )
        again = replace(self, runs=runs, foreseen=None, judged=None)
        if not self.reason:
            again._check_objective()
        return again

    def _check_objective(self) -> None:
        """Whether the law gives on these rows the objective that was stored: JSON can hold no law, only its
        name."""
        runs, scaled = self.data(), self.objective.scaled(self.data().target)
        found = float(np.sum(runs.weight * self.objective.rho(self.residuals)))
        se = 1.0 if runs.target_se is None else runs.target_se
        # a perfect fit leaves rounding errors, and those are not the same twice
        rounding = self.objective.rho(
            ROUNDING * np.maximum(1.0 if self.objective.on_log else 0.0, np.abs(scaled)) / se
        )
        if not abs(found - self.objective_value) <= SAME * abs(self.objective_value) + np.sum(
            runs.weight * rounding
        ):
            raise DataError(
                f"Law '{self.law.name}' has the objective {found:.8g} on these data, and the JSON says "
                f"{self.objective_value:.8g}: the law or the JSON is another than was fitted."
            )

    @property
    def companions(self) -> list[Fitted]:
        """The groups that a refit of this one has to refit as well: those that share parameters with it, and
        itself.

        Raises:
            DataError: where they are not known any more.
        """
        if not self.shared:
            return [self]
        if self.together is None:
            raise DataError(
                f"This fit shares {', '.join(self.shared)} with other groups, which JSON does not hold: ask "
                "the result of fit_groups, which refits all of them jointly."
            )
        return self.together.members

    def hessians_together(self) -> list[tuple[Fitted, np.ndarray]]:
        """The companions of a group that shares parameters, each with its Hessian at the joint optimum; none
        for one that shares none."""
        if not self.shared or self.together is None:
            return []
        return list(zip(self.companions, self.together.hessians, strict=True))

    def check_alone(self, question: str) -> None:
        """Refuses a question that only groups without shared parameters answer."""
        if self.shared:
            raise ValueError(
                f"{question} refits one group, and this one shares {', '.join(self.shared)} with others, "
                "which it would hold as if known: conf_int() and predict(interval=) refit all groups jointly."
            )

    def data(self) -> Runs:
        """The rows that were fitted.

        Raises:
            DataError: for a result read from JSON, which holds no data.
        """
        if self.runs is None and self.reason:
            raise DataError(f"There is no fit: {self.reason}")
        if self.runs is None:
            raise DataError(
                "This result was read from JSON, which holds no data: attach them with .with_data(runs)."
            )
        return self.runs.read() if isinstance(self.runs, Part) else self.runs

    def inputs_of(self, other: TableLike) -> dict[str, np.ndarray]:
        """The law's inputs out of another table, checked, as `predict` reads them."""
        return read_inputs(self.law, other, self.sources, self._curves)

    def read(self, other: TableLike, target: str | None = None) -> Runs:
        """The rows of another table as the fit's own were read; those with missing values are left out."""
        frame, fitted = as_frame(other), self.sources.get("target")
        return read_runs(
            self.law,
            frame,
            inputs=self._columns_in(frame),
            target=target or (fitted if fitted in frame.columns else None),
            missing="drop",
            on_log=self.objective.on_log,
            trials=self.objective.counts,
        )

    def _columns_in(self, frame: pd.DataFrame) -> dict[str, Column]:
        """Law input -> where another table has it: the columns of before, and curves by the names of runs."""
        found: dict[str, Column] = dict(same_columns(self.law, frame, self.sources))
        run = self.sources.get("run")
        known = {name: named for name, named in self._curves.items() if named and run in frame.columns}
        for name, named in known.items():
            found[name] = pd.Series([named.get(label) for label in frame[run]], frame.index, dtype=object)
        return found

    @property
    def _curves(self) -> dict[str, dict[Hashable, Rates]]:
        """The curves that the fit knows by name, by input."""
        if self.runs is None or not self.law.curves:
            return {}
        columns = {name: self.data().inputs[name] for name in self.law.curves}
        return {name: column.named for name, column in columns.items() if isinstance(column, CurveColumn)}
