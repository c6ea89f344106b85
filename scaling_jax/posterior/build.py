"""From fits to a model's data: rows laid out in blocks, priors by name, and starts at the fitted optimum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaling_jax.core.checked import shown
from scaling_jax.core.curves import Curve, CurveColumn
from scaling_jax.core.domains import POSITIVE, REAL, Domain
from scaling_jax.core.law import Parameter
from scaling_jax.fitting.certificate import NORMAL_MAD
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.posterior.model import Design, Table, trials_of
from scaling_jax.posterior.priors import (
    NOISE_PRIORS,
    bijection,
    coordinate_of,
    default_prior,
    noise_prior,
    population_priors,
    read_priors,
)
from scaling_jax.tables.runs import DataError, Runs

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

__all__ = ["OBSERVATIONS", "Built", "build", "observed_as"]

OBSERVATIONS = {
    "student": "Student-t residuals, degrees of freedom inferred",
    "lognormal": "normal residuals on logs",
    "normal": "normal residuals on raw values",
    "binomial": "successes of independent trials",
    "beta_binomial": "successes of trials whose rate each row draws anew",
}
NOISE_START = {"nu": 5.0, "run_sd": 0.02}
REACH = 3.0

Named = dict[str, np.ndarray]
"""Values on natural units by name, with a leading axis of groups where each has its own."""


class Built(NamedTuple):
    """A model ready to be sampled.

    Args:
        design, table: the model and its data.
        common, own: where to start what groups have in common, and what each has for itself.
        places: (rows,) where the rows of all fits, one after the other, lie in the blocks laid flat.
    """

    design: Design
    table: Table
    common: Named
    own: Named
    places: np.ndarray


def build(
    fits: Sequence[Fitted],
    pool: Sequence[str] = (),
    shared: Sequence[str] = (),
    priors: Mapping[str, Distribution | float] | None = None,
    observation: str = "student",
    run_effects: bool | None = None,
) -> Built:
    """The model of one fit, or of many groups' fits.

    Raises:
        ValueError: for unknown names, observation models or priors.
        DataError: when data are not attached, or a target cannot be observed as asked.
    """
    counts = observation in ("binomial", "beta_binomial")
    on_log = observation_scale(fits[0], observation)
    runs = [fit.data() for fit in fits]
    if counts and run_effects:
        raise ValueError("run_effects=True: counts scatter as their trials do, runs have no offsets beside.")
    run_effects = _run_effects(runs, False if counts else run_effects)
    blocks = Blocks.of([_codes(r, run_effects) for r in runs])
    design = _design(fits, pool, shared, on_log, observation == "student", run_effects, blocks)
    given, numbers = read_priors(priors, _quantities(design))
    held = _held(fits, design, numbers)
    design = replace(design, counts=counts, held=tuple(sorted({*design.held, *numbers})))
    unit = 1.0 if on_log else float(np.mean(np.abs(np.concatenate([r.target for r in runs]))))
    believed = _priors(fits, design, given, unit)
    sampled = {name: believed[name] for name in (*design.common, *design.own)}
    table = _table(runs, blocks, on_log, held, sampled)
    if counts:
        table = table._replace(target=np.round(table.target * trials_of(table.se)))
    return Built(design, table, *_starts(fits, design, believed, unit), blocks.places)


def observed_as(fit: Fitted, observation: str) -> str:
    """The observation model that is meant: counts have one alone."""
    counted = fit.objective.counts is not None and observation == "student"
    return fit.objective.kind if counted else observation


def observation_scale(fit: Fitted, observation: str) -> bool:
    """Whether residuals are differences of logs."""
    if observation not in OBSERVATIONS:
        raise ValueError(f"observation={shown(observation)}: use {', '.join(map(repr, OBSERVATIONS))}.")
    counts = fit.objective.counts is not None
    if counts or observation in ("binomial", "beta_binomial"):
        own = fit.objective.kind if counts else "that of losses"
        if observation != own:
            raise ValueError(
                f"observation={shown(observation)}: successes are observed as they were fitted, by "
                f"sj.Binomial as 'binomial' and by sj.BetaBinomial as 'beta_binomial'; this fit's is '{own}'."
            )
    fitted_on_log = fit.objective.on == "log"
    on_log = {"lognormal": True, "normal": False}.get(observation, fitted_on_log)
    runs = fit.data()
    if on_log != fitted_on_log and runs.target_se is not None:
        raise DataError(
            f"target_se is on the scale of the fit's residuals ({fit.objective.on}), so "
            f"observation={shown(observation)} cannot use it: refit "
            f"with an objective on='{'log' if on_log else 'raw'}'."
        )
    if on_log and not (runs.target > 0).all():
        raise DataError(
            "The log-normal model needs a positive target: use observation='normal', or 'student' on a fit "
            "with on='raw'."
        )
    return on_log


def _run_effects(runs: Sequence[Runs], asked: bool | None) -> bool:
    """Whether runs have offsets of their own: as asked, else where one is known to have several rows."""
    known = all(r.run is not None for r in runs)
    if asked and not known:
        raise DataError(
            "run_effects=True needs to know the runs: fit with run=, the column that says which rows are "
            "one run."
        )
    return known and any(_repeats(r) for r in runs) if asked is None else bool(asked)


def _repeats(runs: Runs) -> bool:
    used = np.asarray(runs.run)[runs.weight > 0]
    return len(np.unique(used)) < len(used)


def _codes(runs: Runs, run_effects: bool) -> np.ndarray:
    """(rows,) a group's blocks, counted from 0: its runs, or all of it."""
    if not run_effects:
        return np.zeros(len(runs), dtype=int)
    return np.unique(np.asarray(runs.run), return_inverse=True)[1]


def _design(
    fits: Sequence[Fitted],
    pool: Sequence[str],
    shared: Sequence[str],
    on_log: bool,
    student: bool,
    run_effects: bool,
    blocks: Blocks,
) -> Design:
    """What is sampled before a user's priors hold anything, the names in pool and shared checked."""
    first = fits[0]
    fixed = {p.name for p in first.law.parameters if p.labels[0] in first.fixed} - set(first.shared)
    tied = tuple((name, group[0]) for group in first.tied for name in group[1:])
    _check_groups(first, pool, shared, {*fixed, *(name for name, _ in tied)})
    return Design(
        law=first.law,
        on_log=on_log,
        student=student,
        held=tuple(sorted(fixed)),
        tied=tied,
        pooled=tuple(pool),
        shared=tuple(shared),
        known_se=any(fit.data().target_se is not None for fit in fits),
        run_effects=run_effects,
        n_groups=len(fits),
        n_blocks=len(blocks.lead),
    )


def _check_groups(fit: Fitted, pool: Sequence[str], shared: Sequence[str], bound: set[str]) -> None:
    law = fit.law
    for what, names in (("pool", pool), ("shared", shared)):
        if isinstance(names, str) or (set(names) - set(law.params)):
            raise ValueError(
                f"{what}={shown(names)}: name parameters of law '{law.name}', which has "
                f"{', '.join(law.params)}."
            )
    if both := set(pool) & set(shared):
        raise ValueError(
            f"{sorted(both)} cannot be pooled, which gives groups values of their own, and shared, which "
            "gives them one."
        )
    if clash := sorted({*pool, *shared} & bound):
        raise ValueError(
            f"{', '.join(clash)}: fixed, or tied to another parameter; pool and shared take free ones."
        )


def _quantities(design: Design) -> dict[str, Domain]:
    """What a user may give a prior, and where it lies."""
    known = {p.name: p.domain for p in design.law.parameters if p.name not in design.held}
    known |= dict.fromkeys(design.noise, POSITIVE)
    known |= {f"{name}_mean": REAL for name in design.pooled}
    return known | {f"{name}_sd": POSITIVE for name in design.pooled}


def _held(fits: Sequence[Fitted], design: Design, numbers: Mapping[str, float]) -> Named:
    """What is not sampled: fixed parameters as fitted, and what the user's numbers hold."""
    found = {name: _numbers(fits, name) for name in design.held}
    shapes = {p.name: (len(fits), *p.shape) for p in design.law.parameters}
    return found | {name: np.full(shapes.get(name, ()), number) for name, number in numbers.items()}


def _numbers(fits: Sequence[Fitted], name: str) -> np.ndarray:
    """(groups, *shape) fitted values."""
    return np.stack([np.asarray(fit.params[name], dtype=np.float64) for fit in fits])


def _priors(
    fits: Sequence[Fitted], design: Design, given: dict[str, Distribution], unit: float
) -> dict[str, Distribution]:
    """A prior for everything: the user's own, else the law's, else a wide one around the fits."""
    found = {name: noise_prior(name, unit) for name in NOISE_PRIORS}
    for p in design.law.parameters:
        found[p.name] = given.get(p.name) or default_prior(p, _numbers(fits, p.name).ravel())
        if p.name in design.pooled:
            found |= population_priors(p.name, found[p.name], p.domain)
    return found | given


class Blocks(NamedTuple):
    """How rows lie in blocks (blocks, width).

    Args:
        block, column: (rows,) the place of each row.
        lead: (blocks,) the first row of each block, whose values pad it.
        width: rows of the largest block.
        group: (blocks,) the group of each block.
    """

    block: np.ndarray
    column: np.ndarray
    lead: np.ndarray
    width: int
    group: np.ndarray

    @classmethod
    def of(cls, codes: Sequence[np.ndarray]) -> Blocks:
        """The blocks of several groups, from the block of each row within its group."""
        n_blocks = [int(c.max()) + 1 for c in codes]
        firsts = np.cumsum([0, *n_blocks[:-1]])
        block = np.concatenate([first + code for first, code in zip(firsts, codes, strict=True)])
        order, count = np.argsort(block, kind="stable"), np.bincount(block)
        begins = np.cumsum(count) - count
        column = np.empty(len(block), dtype=int)
        column[order] = np.arange(len(block)) - np.repeat(begins, count)
        group = np.repeat(np.arange(len(codes)), n_blocks)
        return cls(block, column, order[begins], int(count.max()), group)

    @property
    def places(self) -> np.ndarray:
        """(rows,) places in the blocks laid flat."""
        return self.block * self.width + self.column

    @property
    def filled(self) -> np.ndarray:
        """(blocks, width) whether a row lies there."""
        found = np.zeros((len(self.lead), self.width), dtype=bool)
        found[self.block, self.column] = True
        return found

    def laid(self, values: np.ndarray) -> np.ndarray:
        """Values (rows,) as (blocks, width), each block padded with its first."""
        out = np.repeat(values[self.lead][:, None], self.width, axis=1)
        out[self.block, self.column] = values
        return out


def _table(
    runs: Sequence[Runs], blocks: Blocks, on_log: bool, held: Named, priors: dict[str, Distribution]
) -> Table:
    inputs, curves = _inputs(runs)

    def laid(column: Callable[[Runs], np.ndarray]) -> np.ndarray:
        return blocks.laid(np.concatenate([np.asarray(column(r), dtype=np.float64) for r in runs]))

    return Table(
        inputs={name: blocks.laid(column) for name, column in inputs.items()},
        target=laid(lambda r: np.log(r.target) if on_log else r.target),
        weight=laid(lambda r: r.weight) * blocks.filled,
        se=laid(lambda r: np.zeros(len(r)) if r.target_se is None else r.target_se),
        group=blocks.group,
        held=held,
        priors=priors,
        curves=curves,
    )


def _inputs(runs: Sequence[Runs]) -> tuple[Named, dict[str, Curve[np.ndarray]]]:
    """The inputs of all rows, one group after the other, those that are curves as positions in one list."""
    inputs: Named = {}
    curves: dict[str, Curve[np.ndarray]] = {}
    for name in runs[0].inputs:
        columns = [r.inputs[name] for r in runs]
        inputs[name] = np.concatenate([np.asarray(column, dtype=np.float64) for column in columns])
        views = [column.views for column in columns if isinstance(column, CurveColumn)]
        if views:
            begins = np.cumsum([0, *(len(view.total) for view in views[:-1])])
            inputs[name] += np.repeat(begins, [len(column) for column in columns])
            curves[name] = Curve.joined(views)
    return inputs, curves


def _starts(
    fits: Sequence[Fitted], design: Design, priors: Mapping[str, Distribution], unit: float
) -> tuple[Named, Named]:
    """Start values: of what groups have in common, and of each group."""
    starts = {p.name: _start(fits, p, priors[p.name]) for p in design.free}
    starts["sigma"] = np.array([_scatter(fit, design.on_log, unit) for fit in fits])
    starts["nu"] = np.full(len(fits), NOISE_START["nu"])
    starts["run_sd"] = np.full(len(fits), NOISE_START["run_sd"] * unit)
    common = {name: np.median(starts[name], axis=0) for name in design.common if name in starts}
    for p in design.free:
        if p.name in design.pooled:
            common |= _population_start(p, priors[p.name], starts[p.name])
    common = {name: common[name] for name in design.common}
    return common, {name: starts[name] for name in design.own}


def _start(fits: Sequence[Fitted], p: Parameter, prior: Distribution) -> np.ndarray:
    """The fit's own value where its data decide, the prior's centre elsewhere; never beyond its reach."""
    to_domain, (centre, spread) = bijection(p.domain), coordinate_of(prior, p.domain)
    decided = np.stack([_decided(fit, p) for fit in fits])
    with np.errstate(all="ignore"):
        x = np.asarray(to_domain.inv(_numbers(fits, p.name)))
    near = np.clip(x, centre - REACH * spread, centre + REACH * spread)
    return np.asarray(to_domain(np.where(decided & ~np.isnan(x), near, centre)))


def _population_start(p: Parameter, prior: Distribution, starts: np.ndarray) -> Named:
    """A population at the median of its groups, half as wide as the prior."""
    x = np.asarray(bijection(p.domain).inv(starts))
    half = 0.5 * coordinate_of(prior, p.domain)[1]
    return {f"{p.name}_mean": np.median(x, axis=0), f"{p.name}_sd": np.full(p.shape, half)}


def _decided(fit: Fitted, parameter: Parameter) -> np.ndarray:
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
    spread = NORMAL_MAD * np.nanmedian(np.abs(r)) if np.isfinite(r).any() else 0.0
    return float(np.clip(spread, 1e-4 * unit, 0.5 * unit))
