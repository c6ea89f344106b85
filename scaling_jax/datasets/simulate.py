"""A table of training runs whose truth is known, drawn from a law with the noise that real runs have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, real_numbers, shown
from scaling_jax.core.law import Law

__all__ = ["simulate"]


@checked
def simulate(
    law: Callable[..., ArrayLike],
    params: Mapping[str, ArrayLike],
    design: pd.DataFrame | Mapping[str, Any],
    *,
    noise: float = 0.0,
    kind: Literal["multiplicative", "additive"] = "multiplicative",
    outliers: float = 0.0,
    outlier_size: float | None = None,
    run: str | None = None,
    run_sd: float = 0.0,
    correlation: float = 0.0,
    along: str | None = None,
    inputs: Mapping[str, str] | None = None,
    target: str = "loss",
    grid: bool = False,
    seed: int | np.random.Generator = 0,
) -> pd.DataFrame:
    r"""A table drawn from a law, for tests, docs and power studies.

    $$y_{rt} = L(x_{rt}) \, e^{b_r + e_{rt} + o_{rt}} \quad\text{or}\quad
      y_{rt} = L(x_{rt}) + b_r + e_{rt} + o_{rt}$$

    with $b_r \sim N(0, \mathtt{run\_sd}^2)$ shared by the rows of a run, $e_{rt} \sim N(0, \mathtt{noise}^2)$
    correlated along a run, and $o_{rt} = \pm\mathtt{outlier\_size}$ in a random share of the rows.

    Args:
        law: a `Law`, or any function of arrays called as `law(N=..., D=..., E=..., A=...)`.
        params: the true parameters, natural units.
        design: the inputs: a table, or a mapping from column to array (scalars are repeated), kept as
            columns. An input that is a curve is a column of curves (`sj.schedules.curve`).
        noise: standard deviation of e: of log y (0.01 is about one per cent) or, with kind="additive", in y's
            unit.
        kind: "multiplicative" (log-normal) or "additive".
        outliers: share of rows, between 0 and 1, that are outliers; each row is one with this probability.
        outlier_size: size of an outlier in the same unit as noise; 10 * noise by default.
        run: column naming the training run of a row; by default "run" where the design has it.
        run_sd: standard deviation of the runs' random effects b, same unit as noise.
        correlation: correlation of e between neighbouring rows of a run, in their order in the table (AR(1));
            with `along`, between rows one unit of ln(along) apart (an Ornstein-Uhlenbeck process).
        along: positive column, usually tokens, along which the correlation decays.
        inputs: law input -> column, where the names differ.
        target: name of the new column.
        grid: the mapping's arrays are axes, and every combination is a row (the last axis varies fastest); of
            a law of mixtures, every one whose shares add up to one.
        seed: seed, or a NumPy generator (which is advanced); NumPy's global state is not touched.

    Returns:
        DataFrame: the design and the target. `df.attrs["truth"]` holds law, params, all settings and the rows
        that are outliers.

    Raises:
        ValueError: a missing column, an unknown parameter, a setting out of range, a law that is not finite
            (or, with multiplicative noise, not positive) on the design.

    >>> from scaling_jax import datasets
    >>> def power(N, *, A, alpha):
    ...     return A * N**-alpha
    >>> table = datasets.simulate(power, {"A": 8.0, "alpha": 0.5}, {"N": [1.0, 4.0, 16.0]})
    >>> table["loss"].tolist()
    [8.0, 4.0, 2.0]
    >>> noisy = datasets.simulate(power, {"A": 8.0, "alpha": 0.5}, {"N": [1.0, 4.0]}, noise=0.01, seed=1)
    >>> noisy.attrs["truth"]["params"]
    {'A': 8.0, 'alpha': 0.5}
    """
    _check_settings({"noise": noise, "run_sd": run_sd, "outlier_size": outlier_size or 0.0}, kind)
    _check_share("outliers", outliers, 1.0)
    _check_share("correlation", correlation, 1.0 - 1e-12)
    table = _frame(design, grid)
    if grid and isinstance(law, Law) and set(law.simplex) <= set(table.columns):
        whole = ~law.off_simplex({name: table[name].to_numpy(float) for name in table.columns})
        table = table[whole].reset_index(drop=True)
    if target in table.columns:
        raise ValueError(f"The design already has a column {shown(target)}: rename it, or choose target=.")
    run = "run" if run is None and "run" in table.columns else run
    _check_columns(table, {"run": run, "along": along})
    if run is None and (run_sd > 0 or correlation > 0):
        raise ValueError(
            "run_sd and correlation need to know which rows belong to one run: name the column with run=."
        )
    expected = _evaluate(law, params, table, inputs or {}, kind)

    generator = np.random.default_rng(seed)
    size = 10 * noise if outlier_size is None else outlier_size
    codes = _run_codes(table, run)
    # Every draw is made whatever the settings: changing one setting leaves the other draws as they were.
    steps = generator.standard_normal(len(table))
    effects = generator.standard_normal(codes.max(initial=-1) + 1)
    is_outlier = generator.random(len(table)) < outliers
    signs = generator.choice([-1.0, 1.0], len(table))

    residual = noise * _correlated(steps, codes, _place(table, codes, along), correlation)
    residual += run_sd * effects[codes] + size * signs * is_outlier
    table[target] = expected * np.exp(residual) if kind == "multiplicative" else expected + residual
    table.attrs["truth"] = {
        "law": getattr(law, "name", getattr(law, "__name__", str(law))),
        "params": {k: np.asarray(v).tolist() for k, v in params.items()},
        "target": target,
        "kind": kind,
        "noise": noise,
        "run": run,
        "run_sd": run_sd,
        "correlation": correlation,
        "along": along,
        "outliers": outliers,
        "outlier_size": size,
        "outlier_rows": np.flatnonzero(is_outlier).tolist(),
        "seed": seed if isinstance(seed, int) else None,
    }
    return table


def _check_settings(sizes: Mapping[str, float], kind: str) -> None:
    for name, value in sizes.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}={shown(value)} has to be a number >= 0.")
    if kind not in ("multiplicative", "additive"):
        raise ValueError(f"Got kind={shown(kind)}: choose 'multiplicative' or 'additive'.")


def _check_share(name: str, value: float, most: float) -> None:
    if not 0 <= value <= most:
        below = ", below 1" if most < 1 else ""
        raise ValueError(f"{name}={shown(value)} has to be between 0 and 1{below}.")


def _check_columns(table: pd.DataFrame, named: Mapping[str, str | None]) -> None:
    for name, column in named.items():
        if column is not None and column not in table.columns:
            known = ", ".join(map(str, table.columns))
            raise ValueError(
                f"{name}={shown(column)}: the design has no column {shown(column)}, it has {known}."
            )


def _run_codes(table: pd.DataFrame, run: str | None) -> np.ndarray:
    """A number per row that says which run it belongs to."""
    if run is None:
        return np.zeros(len(table), dtype=int)
    codes = pd.factorize(table[run])[0]
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise ValueError(f"The column {shown(run)} is empty in row {row}: every row needs its run.")
    return codes


def _frame(design: pd.DataFrame | Mapping[str, Any], grid: bool) -> pd.DataFrame:
    if isinstance(design, pd.DataFrame):
        if grid:
            raise ValueError("grid=True needs a mapping from column to axis, not a table.")
        table = design.reset_index(drop=True)
    elif grid:
        axes = {name: np.atleast_1d(np.asarray(values)) for name, values in design.items()}
        table = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
    else:
        lengths = {name: np.size(values) for name, values in design.items() if np.ndim(values)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The design's columns differ in length ({lengths}): did you mean grid=True?")
        # Scalars alone make one row.
        table = pd.DataFrame(dict(design), index=None if lengths else [0])
    if table.empty:
        raise ValueError("The design has no rows: give every column at least one value.")
    return table


def _evaluate(
    law: Callable[..., ArrayLike],
    params: Mapping[str, ArrayLike],
    table: pd.DataFrame,
    columns: Mapping[str, str],
    kind: str,
) -> np.ndarray:
    names, known = _signature(law)
    if known is not None and set(params) != set(known):
        missing, unknown = sorted(set(known) - set(params)), sorted(set(params) - set(known))
        raise ValueError(f"The params do not fit the law: missing {missing}, unknown {unknown}.")
    for name, value in params.items():
        try:
            real_numbers(value)
        except Exception:
            raise TypeError(f"params[{shown(name)}]={shown(value)}: give numbers.") from None
    if absent := [columns.get(n, n) for n in names if columns.get(n, n) not in table.columns]:
        raise ValueError(
            f"The law needs an input, but the design has no column {shown(absent[0])}: add it, or map "
            "the law's "
            "input with inputs=."
        )
    values = np.empty(len(table))
    for rows, curves in _by_curve(law, table, columns):
        part = table.iloc[rows]
        arrays = {n: part[columns.get(n, n)].to_numpy(dtype=np.float64) for n in names if n not in curves}
        values[rows] = np.asarray(law(**arrays, **curves, **params), dtype=np.float64)
    bad = ~np.isfinite(values) if kind == "additive" else ~(np.isfinite(values) & (values > 0))
    if bad.any():
        wanted = "finite" if kind == "additive" else "finite and positive, as multiplicative noise needs"
        row = int(bad.argmax())
        raise ValueError(
            f"With these params the law is {values[row]} in row {row} ({int(bad.sum())} such rows): "
            f"it has to be {wanted}."
        )
    return values


def _by_curve(
    law: Callable[..., ArrayLike], table: pd.DataFrame, columns: Mapping[str, str]
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Rows that see the same curves, and these; of a law of numbers all rows, and none."""
    named = law.curves if isinstance(law, Law) else ()
    if not named:
        return [(np.arange(len(table)), {})]
    cells = [table[columns.get(name, name)].tolist() for name in named]
    members: dict[tuple[int, ...], list[int]] = {}
    for row, each in enumerate(zip(*cells, strict=True)):
        members.setdefault(tuple(map(id, each)), []).append(row)
    return [
        (np.array(rows), {name: of[rows[0]] for name, of in zip(named, cells, strict=True)})
        for rows in members.values()
    ]


def _signature(law: Callable[..., ArrayLike]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Names of the inputs and, where they can be known, of the parameters."""
    if hasattr(law, "inputs") and hasattr(law, "params"):
        return tuple(law.inputs), tuple(law.params)
    arguments = inspect.signature(law).parameters.values()
    inputs = tuple(a.name for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD)
    if any(a.kind is a.VAR_KEYWORD for a in arguments):
        return inputs, None
    return inputs, tuple(a.name for a in arguments if a.kind is a.KEYWORD_ONLY)


def _place(table: pd.DataFrame, codes: np.ndarray, along: str | None) -> np.ndarray:
    """Where a row is on the axis along which correlation decays: its number within the run, or ln(along)."""
    if along is None:
        return table.groupby(codes).cumcount().to_numpy(dtype=float)
    values = table[along].to_numpy(dtype=np.float64)
    if not (values > 0).all():
        raise ValueError(
            f"The column {shown(along)} has to be positive, since correlation decays along its logarithm."
        )
    return np.log(values)


def _correlated(steps: np.ndarray, codes: np.ndarray, place: np.ndarray, correlation: float) -> np.ndarray:
    """Stationary noise of unit variance, correlated within each run, independent between runs."""
    if correlation == 0:
        return steps
    noise = steps.copy()
    order = np.lexsort((place, codes))
    for before, here in pairwise(order):
        if codes[before] == codes[here]:
            kept = correlation ** (place[here] - place[before])
            noise[here] = kept * noise[before] + np.sqrt(1 - kept**2) * steps[here]
    return noise
