"""From fits to a model's data: rows laid out in blocks, priors per parameter, and start values at the fitted
optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling_jax.core.domains import POSITIVE, REAL, Domain
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.posterior.model import Design, Table
from scaling_jax.posterior.priors import (
    bijection,
    coordinate_of,
    default_prior,
    noise_prior,
    population_priors,
    read_priors,
)
from scaling_jax.tables.runs import DataError, Runs

__all__ = ["OBSERVATIONS", "build"]

OBSERVATIONS = {
    "student": "Student-t residuals, degrees of freedom inferred",
    "lognormal": "normal residuals on logs",
    "normal": "normal residuals on raw values",
}
NOISE_START = {"nu": 5.0, "run_sd": 0.02}
REACH = 3.0


def build(
    fits: Sequence[Fitted],
    pool: Sequence[str] = (),
    shared: Sequence[str] = (),
    priors: Mapping[str, Any] | None = None,
    observation: str = "student",
    run_effects: bool | None = None,
) -> tuple[Design, Table, dict[str, Any], dict[str, Any], np.ndarray]:
    """The model of one fit or of many: its design, its data, start values (common, per group), and each row's
    place in the blocks.

    Raises:
        ValueError: for unknown names, observation models or priors.
        DataError: when data are not attached, or a target cannot be observed as asked.
    """
    first = fits[0]
    law = first.law
    on_log = observation_scale(first, observation)
    runs = [fit.data() for fit in fits]
    if run_effects is None:
        run_effects = all(r.run is not None for r in runs) and any(_repeats(r) for r in runs)
    elif run_effects and any(r.run is None for r in runs):
        raise DataError(
            "run_effects=True needs to know the runs: fit with run=, the column that says which rows are "
            "one run."
        )
    for what, names in (("pool", pool), ("shared", shared)):
        if isinstance(names, str) or (set(names) - set(law.params)):
            raise ValueError(
                f"{what}={names!r}: name parameters of law '{law.name}', which has {', '.join(law.params)}."
            )
    if both := set(pool) & set(shared):
        raise ValueError(
            f"{sorted(both)} cannot be pooled, which gives groups values of their own, and shared, which "
            "gives them one."
        )
    unit = 1.0 if on_log else float(np.mean(np.abs(np.concatenate([r.target for r in runs]))))
    fixed = {p.name for p in law.parameters if p.labels[0] in first.fixed} - set(first.shared)
    tied = tuple((name, group[0]) for group in first.tied for name in group[1:])
    if clash := sorted({*pool, *shared} & {*fixed, *(name for name, _ in tied)}):
        raise ValueError(
            f"{', '.join(clash)}: fixed, or tied to another parameter; pool and shared take free ones."
        )
    domains: dict[str, Domain] = {p.name: p.domain for p in law.parameters if p.name not in fixed}
    domains |= (
        {"sigma": POSITIVE}
        | ({"nu": POSITIVE} if observation == "student" else {})
        | ({"run_sd": POSITIVE} if run_effects else {})
    )
    domains |= {f"{name}_mean": REAL for name in pool} | {f"{name}_sd": POSITIVE for name in pool}
    given, held = read_priors(priors, domains)
    table_priors = {name: noise_prior(name, unit) for name in ("sigma", "nu", "run_sd")}
    for p in law.parameters:
        table_priors[p.name] = given.get(p.name) or default_prior(p, _numbers(fits, p.name).ravel())
        if p.name in pool:
            table_priors |= population_priors(p.name, table_priors[p.name], p.domain)
    table_priors |= given

    codes = [_blocks(r, run_effects) for r in runs]
    n_blocks = [int(c.max()) + 1 for c in codes]
    design = Design(
        law=law,
        on_log=on_log,
        student=observation == "student",
        held=tuple(sorted({*fixed, *held})),
        tied=tied,
        pooled=tuple(pool),
        shared=tuple(shared),
        known_se=any(r.target_se is not None for r in runs),
        run_effects=bool(run_effects),
        n_groups=len(fits),
        n_blocks=sum(n_blocks),
    )
    values = {p.name: _numbers(fits, p.name) for p in law.parameters if p.name in fixed}
    values |= {name: np.asarray(value) for name, value in held.items() if name not in law.params}
    values |= {p.name: np.full((len(fits), *p.shape), held[p.name]) for p in law.parameters if p.name in held}
    sampled = {*design.common, *design.own}
    table, places = _table(
        runs, codes, n_blocks, on_log, values, {k: v for k, v in table_priors.items() if k in sampled}
    )
    return design, table, *_starts(fits, design, table_priors, unit, held), places


def observation_scale(fit: Fitted, observation: str) -> bool:
    """Whether residuals are differences of logs."""
    if observation not in OBSERVATIONS:
        raise ValueError(f"observation={observation!r}: use {', '.join(map(repr, OBSERVATIONS))}.")
    fitted_on_log = fit.objective.on == "log"
    on_log = {"lognormal": True, "normal": False}.get(observation, fitted_on_log)
    runs = fit.data()
    if on_log != fitted_on_log and runs.target_se is not None:
        raise DataError(
            f"target_se is on the scale of the fit's residuals ({fit.objective.on}), so "
            f"observation={observation!r} cannot use it: refit "
            f"with an objective on='{'log' if on_log else 'raw'}'."
        )
    if on_log and not (runs.target > 0).all():
        raise DataError(
            "The log-normal model needs a positive target: use observation='normal', or 'student' on a fit "
            "with on='raw'."
        )
    return on_log


def _numbers(fits: Sequence[Fitted], name: str) -> np.ndarray:
    """(groups, *shape) fitted values."""
    return np.stack([np.asarray(fit.params[name], dtype=np.float64) for fit in fits])


def _repeats(runs: Runs) -> bool:
    used = np.asarray(runs.run)[runs.weight > 0]
    return len(np.unique(used)) < len(used)


def _blocks(runs: Runs, run_effects: bool) -> np.ndarray:
    return (
        np.unique(np.asarray(runs.run), return_inverse=True)[1]
        if run_effects
        else np.zeros(len(runs), dtype=int)
    )


def _table(
    runs: Sequence[Runs],
    codes: Sequence[np.ndarray],
    n_blocks: Sequence[int],
    on_log: bool,
    held: dict[str, np.ndarray],
    priors: dict[str, Any],
) -> tuple[Table, np.ndarray]:
    firsts = np.concatenate([[0], np.cumsum(n_blocks)[:-1]]).astype(int)
    block = np.concatenate([first + code for first, code in zip(firsts, codes, strict=True)])
    order = np.argsort(block, kind="stable")
    count = np.bincount(block)
    column = np.empty(len(block), dtype=int)
    column[order] = np.arange(len(block)) - np.repeat(np.cumsum(count) - count, count)
    width = int(count.max())
    lead = order[np.cumsum(count) - count]

    def laid(values: np.ndarray, padding: np.ndarray | float) -> np.ndarray:
        out = np.broadcast_to(np.reshape(padding, (-1, 1)), (len(count), width)).astype(np.float64)
        out[block, column] = values
        return out

    def joined(read: Any) -> np.ndarray:
        return np.concatenate([np.asarray(read(r), dtype=np.float64) for r in runs])

    inputs = {name: joined(lambda r, name=name: r.inputs[name]) for name in runs[0].inputs}
    target = joined(lambda r: np.log(r.target) if on_log else r.target)
    se = joined(lambda r: np.zeros(len(r)) if r.target_se is None else r.target_se)
    table = Table(
        inputs={name: laid(values, values[lead]) for name, values in inputs.items()},
        target=laid(target, target[lead]),
        weight=laid(joined(lambda r: r.weight), 0.0),
        se=laid(se, se[lead]),
        group=np.repeat(np.arange(len(runs)), n_blocks),
        held=held,
        priors=priors,
    )
    return table, block * width + column


def _starts(
    fits: Sequence[Fitted], design: Design, priors: dict[str, Any], unit: float, held: dict[str, float]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start values: the fit's own where its data decide, the prior's centre where they do not, never beyond
    the prior's reach."""
    own: dict[str, Any] = {}
    for p in design.free:
        map_, (centre, spread) = bijection(p.domain), coordinate_of(priors[p.name], p.domain)
        inside = np.stack([_decided(fit, p) for fit in fits])
        with np.errstate(all="ignore"):
            x = np.asarray(map_.inv(_numbers(fits, p.name)))
        x = np.where(
            inside & ~np.isnan(x), np.clip(x, centre - REACH * spread, centre + REACH * spread), centre
        )
        own[p.name] = np.asarray(map_(x))
    own["sigma"] = np.array([_scatter(fit, design.on_log, unit) for fit in fits])
    starts = own | {
        name: np.full(len(fits), NOISE_START[name] * (unit if name == "run_sd" else 1.0))
        for name in NOISE_START
    }
    common: dict[str, Any] = {}
    for name, shape in design.common.items():
        if name in starts:
            common[name] = np.median(starts[name], axis=0)
            continue
        parameter = name.rsplit("_", 1)[0]
        p = next(p for p in design.free if p.name == parameter)
        centre, spread = coordinate_of(priors[parameter], p.domain)
        x = np.asarray(bijection(p.domain).inv(starts[parameter]))
        common[name] = np.median(x, axis=0) if name.endswith("_mean") else np.full(shape, 0.5 * spread)
    return common, {name: starts[name] for name in design.own}


def _decided(fit: Fitted, parameter: Any) -> np.ndarray:
    """Whether the fit's value may be believed enough to start there."""
    c = fit.certificate
    doubtful = {*c.unidentified, *c.extinct, *c.at_bound}
    fine = [c.status != "underdetermined" and label not in doubtful for label in parameter.labels]
    return np.reshape(fine, parameter.shape)


def _scatter(fit: Fitted, on_log: bool, unit: float) -> float:
    """A robust standard deviation of the residuals."""
    runs = fit.data()
    prediction = fit.point(runs.inputs)
    with np.errstate(all="ignore"):
        r = np.log(prediction / runs.target) if on_log else prediction - runs.target
    spread = 1.4826 * np.nanmedian(np.abs(r)) if np.isfinite(r).any() else 0.0
    return float(np.clip(spread, 1e-4 * unit, 0.5 * unit))
