"""What a fit returns: parameters, their certificate, predictions, and a record that survives JSON and
pickle."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from scaling_jax.api.examine import Examined
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective, objective_from_dict
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.certificate import AtRows, Certificate, Evidence, at_rows, certify
from scaling_jax.report.summary import summary_html, summary_text
from scaling_jax.tables.read import as_frame, input_columns, same_columns
from scaling_jax.tables.runs import DataError, Part, Runs
from scaling_jax.uncertainty.bootstrap import REPLICATES

if TYPE_CHECKING:
    from scaling_jax.posterior import Posterior
    from scaling_jax.uncertainty.draws import Draws

__all__ = ["FitResult"]

FORMAT = 1


@dataclass(frozen=True)
class FitResult(Examined):
    """One fitted law, with the certificate of its optimum.

    Made by `sj.fit`. Refitting gives a new object; nothing here changes.

    Args:
        law: the law.
        objective: what was minimised.
        numbers: (labels,) the parameters as one flat vector, natural units.
        objective_value: the weighted sum over rows at the optimum, in the objective's own units.
        solver: name of the solver.
        evidence: what the engine left behind.
        runs: the rows that were fitted (a `Part` where fits share a table); None after `from_json` until
            `with_data`.
        sources: law input -> column; record: what was dropped; fingerprint: short hash of the data.
        count: how sizes and compute were counted, as the user said.
        fixed, tied: parameters that were not free; shared: those that took one value for all groups (listed
            in fixed too).
        key: the group's key in `fit_groups`.
        options: keyword arguments that would repeat the fit (arrays left out).
        reason: why there is no fit, for a group that could not be fitted.
        foreseen: what the fit says of its own rows, where it was computed for many fits at once.
    """

    law: Law
    objective: Objective
    numbers: np.ndarray
    objective_value: float
    solver: str
    evidence: Evidence
    runs: Runs | Part | None
    sources: dict[str, str]
    record: dict[str, Any]
    fingerprint: str
    count: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, float] = field(default_factory=dict)
    tied: list[tuple[str, ...]] = field(default_factory=list)
    shared: tuple[str, ...] = ()
    key: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    stored_certificate: Certificate | None = None
    foreseen: AtRows | None = None

    @cached_property
    def params(self) -> dict[str, Any]:
        """Parameters in natural units: floats, or arrays for vector parameters."""
        named = self.law.unflatten(self.numbers)
        return {
            name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in named.items()
        }

    @cached_property
    def certificate(self) -> Certificate:
        """Numbers and sentences about the optimum; see `scaling_jax.fitting.certificate.Certificate`."""
        if self.stored_certificate is not None:
            return self.stored_certificate
        if self.reason or self.runs is None:
            reason = self.reason or "The data are not attached."
            return Certificate("failed", np.nan, False, 0, 0, 0, 0, 0, np.nan, np.nan, warnings=[reason])
        return certify(
            self.law,
            self.objective,
            self.numbers,
            self.evidence,
            self.data(),
            self.residuals,
            self._at_rows.share,
            self.fixed,
            self.tied,
        )

    @property
    def status(self) -> str:
        """`converged`, `underdetermined`, `not_converged` or `failed`."""
        return self.certificate.status

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
        prediction = self._at_rows.prediction
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.objective.on == "log":
                residual = np.log(prediction) - np.log(runs.target)
            else:
                residual = prediction - runs.target
        return residual if runs.target_se is None else residual / runs.target_se

    @cached_property
    def _at_rows(self) -> AtRows:
        return self.foreseen or at_rows(self.law, self.numbers, self.data().inputs)

    @overload
    def predict(self, other: Any, interval: None = None, level: float = 0.9) -> np.ndarray: ...

    @overload
    def predict(self, other: Any, interval: str, level: float = 0.9) -> pd.DataFrame: ...

    def predict(
        self, other: Any, interval: str | None = None, level: float = 0.9
    ) -> np.ndarray | pd.DataFrame:
        """The law's predictions for other runs.

        Args:
            other: a table, or a mapping of inputs to numbers or arrays; columns are found by the law's input
                names or by the columns the fit was given.
            interval: None, "confidence" (band of the mean curve) or "prediction" (of a new run, widened
                beyond the data by what laws were measured to err there), from 1,000 bootstrap refits
                (cached); see `Draws.predict`.
            level: probability between the two ends of the band.

        Returns:
            (rows,) predictions in the unit of the target; with an interval a DataFrame with prediction,
            lower, upper and extrapolation (decades beyond the fitted range).

        Raises:
            DataError: if an input is missing or outside its domain.

        >>> import scaling_jax as sj
        >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
        >>> fit.predict({"x": 1000}).round(6).tolist()
        [0.5]
        """
        if interval is not None:
            return self.draws.predict(other, interval, level)
        return predict(self.law, self.numbers, self.inputs_of(other))[0]

    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        method: str | None = None,
        indices: Any = None,
        scale: str | None = None,
    ) -> Draws:
        """Refits the law to `n` resampled tables in one batch, each polished to its own optimum from several
        basins.

        Args:
            n: replicates.
            seed: of the resampling.
            method: "run", "row", "bayesian" (Dirichlet weights over runs; Rubin 1981), "residual", or
                "hierarchical" (scales first, then runs within them; Ivgi et al. 2022, arXiv:2202.06387,
                section 3.3). By default "bayesian" where the objective charges most residuals by their size
                (a Huber threshold below the noise), else "run", or "row" where
                runs are unknown: in simulated sweeps these came closest to their level.
            indices: (replicates, rows) positions to use in place of a draw.
            scale: input whose values are the scales of the hierarchical method; the law's first input by
                default.

        Returns:
            `Draws`: `.params`, `.conf_int(level)`, `.predict(other, interval=, level=)`, `.derive(function)`.

        Raises:
            DataError: when the data are not attached.
            ValueError: for an unknown method or malformed indices.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.array([1.0, 2, 4, 8, 16, 32])
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.5 * [1.01, 0.99, 1.0, 1.01, 1.0, 0.99]})
        >>> bool(fit.bootstrap(200).conf_int().loc["alpha", "lower"] < 0.51)
        True
        """
        from scaling_jax.uncertainty.bootstrap import bootstrap

        return bootstrap(self, n, seed, method, indices, scale)

    def posterior(self, **options: Any) -> Posterior:
        r"""The Bayesian posterior of the law's parameters, sampled by NUTS from the fitted optimum.

        $$\log y_i = \log L_\theta(x_i) + b_{r(i)} + \varepsilon_i, \qquad \varepsilon_i \sim t_\nu(0,
        \sigma)$$

        Args:
            priors: name -> NumPyro distribution on natural units (a positive parameter takes `LogNormal`,
                say), or a number that holds it; names are the law's parameters, and sigma, nu, run_sd. Others
                keep the law's own, or, where a law
                carries none, a wide one around the fit (positive: log-normal, three natural logs; real:
                normal).
            observation: "student" (default; degrees of freedom inferred, on the scale of the fit's
                residuals), "lognormal", or "normal" (raw values). Known `target_se` join sigma in square.
            run_effects: whether each run has an offset of its own; by default where `run=` is known and runs
                have several rows.
            method: "nuts", or "laplace" (seconds; the summary says how far it may be trusted).
            chains, draws, warmup: how many chains of how many draws, after how many of adaptation (4, 1000,
                500).
            target_accept: NUTS's acceptance (0.9); raise it where draws diverge.
            seed: of the sampler.

        Returns:
            A `Posterior`: `.params`, `.conf_int(level)`, `.predict(other, interval=, level=)`, `.derive`,
            `.summary()`, `.prior_sensitivity()`, `.to_arviz()`. Wherever a bootstrap is taken, so is this.

        Raises:
            ImportError: without NumPyro, with the remedy.
            ValueError: for unknown names or options, or a prior outside a parameter's domain.
            DataError: where the target cannot be observed as asked.
        """
        from scaling_jax.posterior.sample import sample_fit

        return sample_fit(self, **options)

    def jackknife(self) -> pd.DataFrame:
        """Parameters refitted without each run in turn (each row where runs are unknown): one row per run
        left out."""
        from scaling_jax.uncertainty.bootstrap import jackknife

        return jackknife(self)

    @cached_property
    def draws(self) -> Draws:
        """The bootstrap behind `conf_int` and `predict(interval=)`: 1,000 replicates by the default method,
        seed 0."""
        return self.bootstrap(REPLICATES)

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of the parameters from 1,000 bootstrap refits (cached), by run where runs are
        known.

        Args:
            level: probability between the two ends.

        Returns:
            One row per parameter: estimate, lower, upper, se.
        """
        return self.draws.conf_int(level)

    def summary(self) -> str:
        """A report as text: parameters, certificate, data, warnings. In a notebook the result shows it as
        HTML."""
        return summary_text(self)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        if self.reason:
            return f"<FitResult {self.law.name}: failed>"
        shown = ", ".join(
            f"{label}={value:.5g}" for label, value in zip(self.law.labels, self.numbers, strict=True)
        )
        return f"<FitResult {self.law.name}: {shown}; objective {self.objective_value:.6g}; {self.status}>"

    def _repr_html_(self) -> str:
        return summary_html(self)

    def to_json(self) -> str:
        """Everything but the data as JSON text; the data are represented by their fingerprint."""
        evidence = {f.name: getattr(self.evidence, f.name) for f in fields(Evidence)}
        record = {
            "format": FORMAT,
            "law": _law_name(self.law),
            "params": self.params,
            "numbers": self.numbers,
            "objective": self.objective.to_dict(),
            "objective_value": self.objective_value,
            "solver": self.solver,
            "certificate": self.certificate.to_dict(),
            "evidence": evidence,
            "sources": self.sources,
            "record": self.record,
            "fingerprint": self.fingerprint,
            "count": self.count,
            "fixed": self.fixed,
            "tied": self.tied,
            "shared": self.shared,
            "key": self.key,
            "options": self.options,
            "reason": self.reason,
        }
        return json.dumps(record, default=_plain)

    @classmethod
    def from_json(cls, text: str, law: Law | None = None) -> FitResult:
        """The result that `to_json` wrote.

        Args:
            text: the JSON text.
            law: the law, needed where it is a user's own.

        Raises:
            ValueError: if the law cannot be found by name, or is not the one that was fitted.
        """
        record = json.loads(text)
        if record.get("format") != FORMAT:
            raise ValueError(
                f"This JSON has format {record.get('format')!r}; this version reads format {FORMAT}."
            )
        law = law or _find_law(record["law"])
        stored = record["evidence"]
        arrays: dict[str, Any] = {
            name: np.asarray(v, dtype=float) if isinstance(v, list) else v for name, v in stored.items()
        }
        evidence = Evidence(**arrays | {"free": np.asarray(stored["free"], dtype=bool)})
        numbers = np.asarray(record["numbers"], dtype=float)
        if len(numbers) != len(law.labels) or set(record["params"]) != set(law.params):
            raise ValueError(
                f"The JSON holds parameters {list(record['params'])}, law '{law.name}' has "
                f"{list(law.params)}."
            )
        return cls(
            law=law,
            objective=objective_from_dict(record["objective"]),
            numbers=numbers,
            objective_value=record["objective_value"],
            solver=record["solver"],
            evidence=evidence,
            runs=None,
            sources=record["sources"],
            record=record["record"],
            fingerprint=record["fingerprint"],
            count=record["count"],
            fixed=record["fixed"],
            tied=[tuple(t) for t in record["tied"]],
            shared=tuple(record["shared"]),
            key=record["key"],
            options=record["options"],
            reason=record["reason"],
            stored_certificate=Certificate(**record["certificate"]),
        )

    def with_data(self, runs: Runs) -> FitResult:
        """The same result with its data attached again (a `Runs` from `sj.read_runs`).

        Raises:
            DataError: if the data are not those that were fitted.
        """
        if runs.fingerprint != self.fingerprint:
            raise DataError(
                f"These are other data than were fitted (fingerprint {runs.fingerprint}, fitted "
                f"{self.fingerprint}): "
                "read the same table with the same inputs, where and weights."
            )
        return replace(self, runs=runs)

    def data(self) -> Runs:
        """The rows that were fitted.

        Raises:
            DataError: for a result read from JSON, which holds no data.
        """
        if self.runs is None:
            raise DataError(
                "This result was read from JSON, which holds no data: attach them with .with_data(runs)."
            )
        return self.runs.read() if isinstance(self.runs, Part) else self.runs

    def inputs_of(self, other: Any) -> dict[str, np.ndarray]:
        """The law's inputs out of another table, checked, as `predict` reads them."""
        if isinstance(other, Mapping):
            other = {k: v for k, v in other.items() if v is not None}
            size = max((np.size(v) for v in other.values()), default=1)
            other = {k: np.broadcast_to(v, size).copy() if np.ndim(v) == 0 else v for k, v in other.items()}
        frame = as_frame(other)
        columns = input_columns(self.law, frame, same_columns(self.law, frame, self.sources))
        out = {}
        for name, column in columns.items():
            values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
            domain = self.law.input_domains[name]
            if not domain.contains(values).all():
                raise DataError(
                    f"Input {name} must be {domain.name} and finite to predict with law '{self.law.name}'."
                )
            out[name] = values
        return out


def _law_name(law: Law) -> dict[str, Any]:
    if law.recipe is not None:
        module, function, args = law.recipe
        return {"recipe": [module, function, list(args)]}
    return {"module": law.__module__, "name": law.name}


def _find_law(record: dict[str, Any]) -> Law:
    module, function, args = record.get("recipe") or (record["module"], record["name"], None)
    try:
        if module.startswith(
            "scaling_jax.laws."
        ):  # a file from elsewhere must not choose what is imported and called
            found = getattr(importlib.import_module(module), function)
            return found if args is None else found(*args)
    except (ImportError, AttributeError):
        pass
    raise ValueError(
        f"This fit used the law '{function}', which is not part of the library: pass it as law=."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
