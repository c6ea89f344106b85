"""`fit`, `fit_groups` and `certify`: a law and a table in, certified optima out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypedDict, Unpack, cast, overload

import numpy as np
from jax.sharding import Mesh

from scaling_jax.api.groups import FitGroups
from scaling_jax.api.outputs import FitOutputs
from scaling_jax.api.result import FitResult
from scaling_jax.core.checked import shown, truth
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective
from scaling_jax.engine.devices import Place
from scaling_jax.engine.solver import Solver
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.fits import Fits
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.shared import names_in, solve_shared
from scaling_jax.fitting.spec import MEASURE, Fixed, Spec, Starts, asked, fixed_numbers, make_spec, tied_index
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.groups import read_groups as read_table
from scaling_jax.tables.outputs import outputs_named, read_outputs
from scaling_jax.tables.read import Reading, Weights
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.sources import Column, Keys, described, names_columns

__all__ = ["UnderdeterminedError", "certify", "fit", "fit_groups", "read_groups"]

Outputs: TypeAlias = list[str] | tuple[str, ...] | Mapping[str, Column]
"""Several targets: columns, or names with where each comes from."""
SAME = 1e-9  # relative: two parameters that are meant to be equal


class UnderdeterminedError(ValueError):
    """Raised under strict=True when the table cannot determine the free parameters."""


class _Words(TypedDict, total=False):
    """What `fit` takes besides law, runs and target, for the two signatures that it has."""

    inputs: Mapping[str, Column] | None
    run: Column | None
    where: Column | None
    missing: str
    objective: Objective | str | None
    weights: Weights | None
    target_se: Column | None
    count: Mapping[str, str] | None
    fixed: Mapping[str, Any] | None
    tied: Sequence[Sequence[str]] | None
    starts: Starts
    solver: str | Solver
    screen: bool
    device: str | Place
    mesh: Mesh | None
    strict: bool
    unit: str | None
    polish: bool
    shared: Sequence[str] | None
    output_weights: Mapping[str, float] | None


# a list of names is an array to NumPy's types, so that the checker sees two signatures meet
@overload
def fit(  # type: ignore[overload-overlap]
    law: Law | str, runs: TableLike, *, target: Outputs, **words: Unpack[_Words]
) -> FitOutputs: ...


@overload
def fit(
    law: Law | str, runs: TableLike, *, target: Column | None = None, **words: Unpack[_Words]
) -> FitResult: ...


def fit(
    law: Law | str,
    runs: TableLike,
    *,
    inputs: Mapping[str, Column] | None = None,
    target: Column | Outputs | None = None,
    run: Column | None = None,
    where: Column | None = None,
    missing: str = "raise",
    objective: Objective | str | None = None,
    weights: Weights | None = None,
    target_se: Column | None = None,
    count: Mapping[str, str] | None = None,
    fixed: Mapping[str, Fixed] | None = None,
    tied: Sequence[Sequence[str]] | None = None,
    starts: Starts = None,
    solver: str | Solver = "lm",
    screen: bool = True,
    device: str | Place = None,
    mesh: Mesh | None = None,
    strict: bool = False,
    unit: str | None = None,
    polish: bool = True,
    shared: Sequence[str] | None = None,
    output_weights: Mapping[str, float] | None = None,
) -> FitResult | FitOutputs:
    r"""Fits a law to a table of runs and certifies the optimum.

    $$\min_\theta \sum_i w_i\,\rho\big((\log L_\theta(x_i) - \log y_i)/s_i\big)$$

    Args:
        law: a law of `sj.laws` or its name, or your own (`@sj.law`).
        runs: pandas or polars frame, mapping of equally long arrays, list of one mapping per row, or the path
            of a .csv, .tsv, .parquet or .jsonl file; one row per run or checkpoint.
        inputs: law input -> column name, array or function of the table; same-named columns need no entry.
        target: column (or array, or function) the law predicts; default: the law's own, usually "loss". A
            list of columns, or a mapping of names to columns, is several outputs of the same runs, such as
            the losses on several domains; where one was not measured it is missing (NaN).
        run: column naming the training run a row belongs to; rows that share it are checkpoints of one run.
        where: rows to use: a condition in words ("tokens > 1e10 and state == 'finished'": columns, numbers,
            text, comparisons, in, arithmetic, and, or, not, isnull(...); it is never run as code), a mask, or
            a function of the table. A Series is taken by its labels.
        missing: "raise", or "drop" rows with missing values (counted).
        objective: `Huber(1e-3)` by default; `SquaredError`, `AbsoluteError`, `Asymmetric`, each `on="log"` or
            `"raw"`; `Binomial(trials)` where the target counts successes; or a name: "huber", "squared",
            "absolute", "asymmetric", "binomial".
        weights: column or array multiplying each row's term; "runs" gives every run the same total; "size"
            weighs rows by their budget (6ND, compute, or the first input), and a mapping such as {"N": 2} by
            powers of inputs, so that the fit is closest where it will be extrapolated from.
        target_se: column of known standard errors; divides the residual before the loss.
        count: how sizes and compute were counted, for example {"N": "non-embedding", "C": "6ND"}; echoed and
            stored.
        fixed: parameter -> value that is not fitted.
        tied: groups of parameters that share one value, for example [("alpha", "beta")].
        starts: None (the law's own), "grid" (its classical grid), a mapping to axes of a product grid, a
            number of space-filling starts, or an array or frame of start points; natural units.
        solver: "lm", "lbfgs", or a solver object such as `sj.LM(max_steps=1000)` or any optimiser of optax,
            `sj.Optax(optax.adamw(5e-2), steps=200)`.
        screen: False runs every start to convergence.
        device: a JAX device; None picks by size of the work, and uses every local accelerator where that
            pays.
        mesh: a `jax.sharding.Mesh` over whose devices the starts are spread, those of other hosts included;
            each of them calls `fit` with the same table and returns the whole result.
        strict: raise instead of warning when the table cannot determine the parameters.
        unit: of the target, such as "bits/byte", where it is not the law's own; echoed and stored.
        polish: False leaves the fit where the solver ended, certified there: what a protocol left to gain.
        shared: of several outputs, the parameters that take one value for all; others are each output's own.
        output_weights: of several outputs, what multiplies all terms of some, by name; it matters to what
            they share.

    Returns:
        A `FitResult`: `.params`, `.predict(...)`, `.summary()`, `.warnings`, `.certificate`. For several
        outputs a `FitOutputs`: a mapping from output to `FitResult` whose `.predict` has a column of each.

    Raises:
        DataError: bad input, in one sentence, before anything is compiled.
        ValueError: unknown parameters or options; with strict=True, an underdetermined fit.

    Source: the objective and grid are those of Hoffmann et al. 2022 (arXiv:2203.15556), section 3.3; why the
    solver and
    the certificate are not: Besiroglu et al. 2024 (arXiv:2404.10102).

    >>> import scaling_jax as sj
    >>> table = {"N": [1e6, 1e7, 1e8, 1e9], "loss": [4.0, 3.0, 2.5, 2.25]}
    >>> fitted = sj.fit(sj.laws.power_law_floor, table, inputs={"x": "N"})
    >>> round(fitted.params["E"], 6), fitted.status
    (2.0, 'converged')
    """
    strict = truth(strict, "strict")
    spec = make_spec(law, objective, fixed, tied, starts, solver, screen, device, count, mesh, unit, polish)
    outputs = outputs_named(target)
    if outputs is not None:
        rest = Reading(inputs, None, run, where, missing, weights, target_se)
        return _fit_outputs(spec, rest, runs, outputs, names_in(shared), output_weights or {}, strict)
    if shared or output_weights:
        raise ValueError("shared= and output_weights= are for several outputs: give target= a list.")
    reading = Reading(inputs, cast("Column | None", target), run, where, missing, weights, target_se)
    table = reading.read(spec.law, runs, on_log=spec.objective.on_log, trials=spec.objective.counts)
    result = FitResult.of(solve_members(Task.of(spec, table))[0])
    if strict and result.status == "underdetermined":
        raise UnderdeterminedError(result.warnings[0])
    return result


def _fit_outputs(
    spec: Spec,
    reading: Reading,
    runs: TableLike,
    outputs: Mapping[str, Column],
    shared: Sequence[str],
    weights: Mapping[str, float],
    strict: bool,
) -> FitOutputs:
    """Several outputs of the same runs: groups, one each, that know each other's runs."""
    table = read_outputs(
        reading, spec.law, runs, outputs, weights, spec.objective.on_log, spec.objective.counts
    )
    keys = table.group_labels
    task = Task(spec, table, table.members(), fixed_numbers(spec, keys), keys)
    if shared:
        results, left = solve_shared(task, list(shared), paired=True)
    else:
        results, left = list(solve_members(task)), 0.0
    named = [
        replace(one, sources=one.sources | {"target": described(source)})
        for one, source in zip(results, outputs.values(), strict=True)
    ]
    found = FitOutputs.of(named, shared=tuple(shared), gain_left=left)
    if strict and (short := [key for key, one in found.items() if one.status == "underdetermined"]):
        raise UnderdeterminedError(
            f"Outputs {short[:5]} cannot determine their parameters: add runs, or share or fix some."
        )
    return found


def fit_groups(
    law: Law | str,
    runs: TableLike,
    *,
    by: Keys,
    fixed: Mapping[str, Fixed] | None = None,
    shared: Sequence[str] | None = None,
    **options: Any,
) -> FitGroups:
    """Fits a law to every group of a table in one batch.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        by: column (or several, or an array, or a function) naming the group of each row; several give tuples
            as keys.
        fixed: parameter -> value, or per group a mapping key -> value, or the name of a column constant
            within groups.
        shared: parameters that take one value for all groups, fitted jointly (Zhang et al. 2024,
            arXiv:2402.17193, fit theirs this way); the others stay free in each group.
        **options: as in `fit`.

    Returns:
        A `FitGroups`: a mapping from group to `FitResult`, with `.params`, `.table`, `.summary()`. A group
        that cannot be fitted has status `failed` and a reason; the others are unaffected.

    Raises:
        DataError: bad input that concerns the whole table.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 9, 3, 1], "family": list("aaabbb")}
    >>> fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    >>> round(fits["b"].params["A"], 6)
    9.0
    """
    strict = truth(options.pop("strict", False), "strict")
    spec, table, values, unread = read_groups(law, runs, by, options | {"fixed": fixed})
    task = Task(spec, table, table.members(), values, table.group_labels)
    if together := names_in(shared):
        joint, left = solve_shared(task, list(together))
        fits = Fits.of(joint, unread)
        groups = FitGroups.of(fits, shared=together, gain_left=left)
    else:
        fits = Fits.of(solve_members(task), unread)
        groups = FitGroups.of(fits)
    if strict and (short := [fits.keys[i] for i in np.flatnonzero(fits.status == "underdetermined")]):
        raise UnderdeterminedError(
            f"Groups {short[:5]} cannot determine their parameters: add runs, or fix or tie parameters."
        )
    return groups


def read_groups(
    law: Law | str, runs: TableLike, by: Keys, options: Mapping[str, Any]
) -> tuple[Spec, Runs, np.ndarray, list[Fitted]]:
    """The specification, the table in groups, the fixed numbers of each group, and the groups that cannot be
    read, out of what a user asks of many groups."""
    reading, spec = asked(law, options)
    table, reasons = read_table(reading, spec.law, runs, by, spec.objective.on_log, spec.objective.counts)
    columns = {name: value for name, value in spec.fixed.items() if isinstance(value, str)}
    per_group = {name: _column_per_group(runs, by, column, name) for name, column in columns.items()}
    spec = replace(spec, fixed=spec.fixed | per_group)
    unread = [Fitted.failed(spec, key, reason) for key, reason in reasons.items()]
    return spec, table, fixed_numbers(spec, table.group_labels), unread


def certify(law: Law | str, runs: TableLike, params: Mapping[str, float], **options: Any) -> FitResult:
    """Judges parameters that somebody else fitted: the certificate at that point, beside the best optimum
    found here.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        params: the parameters to judge, natural units.
        **options: as in `fit`; `fixed` and `tied` restrict the optimum that is compared with, and must hold
            for the parameters that are judged.

    Returns:
        A `FitResult` at the given parameters; its warnings say what is left to gain there, and how far it
        lies above the optimum that `fit` finds on the same table.

    Raises:
        DataError: as in `fit`.
        ValueError: for parameters that are missing, unknown, outside their domain, or that contradict `fixed`
            or `tied`.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100], "loss": [4, 2, 1]}
    >>> judged = sj.certify(sj.laws.power_law, table, {"A": 4.0, "alpha": 0.2})
    >>> judged.status
    'not_converged'
    """
    words = {name: value for name, value in options.items() if name != "strict"}
    _, spec = asked(law, words, "certify", "")
    numbers = spec.law.numbers_of(params)
    _check_judged(spec, numbers)
    best = fit(law, runs, **options)
    table = best.data()
    spec = replace(best.spec, starts=numbers[None], solver=MEASURE, screen=False)
    judged = FitResult.of(solve_members(Task.of(spec, table, best.held), polish_steps=0)[0])
    above = judged.objective_value / best.objective_value - 1 if best.objective_value > 0 else np.inf
    certificate = judged.certificate
    if above > 1e-6:
        sentence = (
            f"These parameters lie {100 * above:.3g} % above the best optimum found on this table "
            f"({judged.objective_value:.8g} against {best.objective_value:.8g})."
        )
        status = "not_converged" if certificate.status == "converged" else certificate.status
        certificate = replace(
            certificate, status=status, runner_up=np.nan, warnings=[sentence, *certificate.warnings]
        )
    return replace(judged, spec=best.spec, stored_certificate=certificate)


def _check_judged(spec: Spec, numbers: np.ndarray) -> None:
    """Whether parameters to be judged are what fixed and tied say of them: what is judged is never moved."""
    labels, held, leaders = spec.law.labels, fixed_numbers(spec, [None])[0], tied_index(spec)
    for i, (label, number) in enumerate(zip(labels, numbers.tolist(), strict=True)):
        if not (np.isnan(held[i]) or np.isclose(number, held[i], rtol=SAME, atol=0)):
            raise ValueError(
                f"{label}={number:g} is to be judged and fixed says {held[i]:g}: give one value, or leave "
                f"{label} out of fixed."
            )
        if not np.isclose(number, numbers[leaders[i]], rtol=SAME, atol=0):
            leader = labels[leaders[i]]
            raise ValueError(
                f"{leader}={numbers[leaders[i]]:g} and {label}={number:g} are to be judged and tied says "
                "that they are equal: give one value, or leave the group out of tied."
            )


def _column_per_group(runs: TableLike, by: Keys, column: str, name: str) -> dict[Hashable, float]:
    """fixed={name: column}: the column's value in each group, which must be one."""
    table = as_frame(runs)
    if column not in table.columns:
        raise DataError(f"There is no column {shown(column)} for fixed parameter '{name}'.")
    keys = (
        by
        if isinstance(by, str)
        else list(by)
        if names_columns(by)
        else np.asarray(by(table) if callable(by) else by)
    )
    values = table.groupby(keys)[column].agg(["min", "max"])
    if len(varying := values.index[values["min"] != values["max"]]):
        raise DataError(
            f"Column '{column}' (fixed {name}) varies within group {shown(varying[0])}: it must be "
            "constant there."
        )
    return values["min"].to_dict()
