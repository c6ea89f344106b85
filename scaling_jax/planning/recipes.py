"""Recipes to compare: laws with parameters, draws and errors of their own, or a ladder of runs without a law.

Each answers the same: log losses at places of growing compute, at the estimate and over draws that may be
taken draw by draw across recipes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import helmert

from scaling_jax import laws
from scaling_jax.core.arrays import Columns
from scaling_jax.core.law import Law
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.certificate import NORMAL_MAD
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.alike import Path, Settled, settled
from scaling_jax.planning.drift import Residuals, Walk, walk_of
from scaling_jax.planning.problem import Limits, read_problem
from scaling_jax.planning.source import AsSource, Source, WithDraws, source_of
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.scale import TOKENS_FLOP
from scaling_jax.tables.sources import Keys
from scaling_jax.uncertainty.bootstrap import joint_draws

__all__ = [
    "COMPUTE",
    "Losses",
    "Places",
    "Recipes",
    "compute_of",
    "last_rows",
    "log_slopes",
    "read_recipes",
    "recipes_of",
    "residuals_of",
    "run_scatter",
]

LN10 = np.log(10)
FEWEST_DRAWS, MOST_DRAWS = 250, 500
DRAWN = 6000  # draws of all recipes together
COMPUTE = ("C", "flops", "compute")
AS_GOOD_AS_THERE = 1e-6  # decades
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Places:
    """Places where recipes are compared, each on a path of growing compute.

    Args:
        flops: (places,) budgets, each spent in the best way; or None.
        inputs: (places,) given inputs, of which one grows with compute; or None.
        given: values of a law's other inputs, where budgets are spent in the best way.
    """

    flops: np.ndarray | None
    inputs: dict[str, np.ndarray] | None
    given: dict[str, float]

    def __len__(self) -> int:
        one = self.flops if self.inputs is None else next(iter(self.inputs.values()))
        return len(cast(np.ndarray, one))

    @property
    def grows(self) -> str:
        """The input that grows with compute where inputs are given."""
        names = tuple(self.inputs or {})
        return next((name for name in ("D", *COMPUTE) if name in names), names[0])

    @property
    def decades(self) -> np.ndarray:
        """(places,) log10 of compute."""
        if self.inputs is None:
            return np.log10(cast(np.ndarray, self.flops))
        return np.log10(compute_of(self.inputs))


def compute_of(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """(rows,) compute of runs: 6 N D where both are known, else compute itself, else the first input."""
    if {"N", "D"} <= set(inputs):
        return TOKENS_FLOP * inputs["N"] * inputs["D"]
    return inputs[next((name for name in COMPUTE if name in inputs), next(iter(inputs)))]


class Losses(Protocol):
    """Log losses of recipes on the path through each place."""

    @property
    def names(self) -> list[Hashable]: ...

    @property
    def has_draws(self) -> bool: ...

    @property
    def tops(self) -> np.ndarray:
        """(recipes,) log10 of each recipe's largest compute, NaN where its runs are not known."""

    @property
    def bottoms(self) -> np.ndarray:
        """(recipes,) the same of the least."""

    @property
    def run_sd(self) -> float:
        """Scatter of one run's log loss."""

    def point(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, places, steps) at compute 10^step times each place's, steps (steps,) or (recipes, places,
        steps)."""

    def drawn(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, draws, places, steps), the draws of all recipes belonging together."""


@dataclass(frozen=True, eq=False)
class Recipes:
    """Laws to compare.

    Args:
        sources: name -> law, parameters and draws.
        places: where.
        walk: what is believed of the step of each recipe's own error, per root decade beyond its runs.
        tops: (recipes,) log10 of each recipe's largest compute, NaN where its runs are not known.
        bottoms: the same of the least.
        believed: whether recipes are held to have most of their shape in common.
        run_sd: scatter of one run's log loss, NaN where no runs are known.
        seed: of what is drawn.
    """

    sources: dict[Hashable, Source]
    places: Places
    walk: Walk
    tops: np.ndarray
    bottoms: np.ndarray
    believed: bool
    run_sd: float = np.nan
    seed: int = 0

    @property
    def names(self) -> list[Hashable]:
        """What the recipes are called."""
        return list(self.sources)

    @property
    def n_draws(self) -> int:
        """How many draws every recipe has."""
        most = max(FEWEST_DRAWS, DRAWN // len(self.sources))
        have = [len(s.draws) for s in self.sources.values() if s.draws is not None]
        return min([*have, most]) if have else 0

    @property
    def has_draws(self) -> bool:
        """Whether any recipe has draws."""
        return self.n_draws > 0

    def point(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, places, steps) at the estimate."""
        wide = np.broadcast_to(steps, (len(self.sources), len(self.places), steps.shape[-1]))
        estimates = [numbers[:1] for numbers in self._numbers]
        return np.stack(
            [self._curve(law, own, at)[0] for law, own, at in zip(self._laws, estimates, wide, strict=True)]
        )

    def drawn(self, steps: np.ndarray) -> np.ndarray:
        """(recipes, draws, places, steps), the laws' own errors added."""
        wide = np.broadcast_to(steps, (len(self.places), len(steps)))
        curves = np.stack(
            [self._curve(law, own[1:], wide) for law, own in zip(self._laws, self._numbers, strict=True)]
        )
        x = self.places.decades[:, None] + wide
        return curves + self._own_errors(x, self.n_draws, np.random.default_rng(self.seed))

    @cached_property
    def _laws(self) -> list[Law]:
        return [source.law for source in self.sources.values()]

    @property
    def _numbers(self) -> list[np.ndarray]:
        """Per recipe (1 + draws, labels) the estimate and its draws, settled where recipes are believed to be
        alike."""
        return self._own if self._settled is None else list(self._settled.numbers)

    @cached_property
    def _own(self) -> list[np.ndarray]:
        """The same of each recipe alone."""
        return [np.concatenate([s.numbers[None], _draws(s, self.n_draws)]) for s in self.sources.values()]

    @cached_property
    def _settled(self) -> Settled | None:
        rows = [source.rows for source in self.sources.values() if source.rows]
        alike = len(set(self._laws)) == 1 and len(self.sources) > 1
        if not (self.believed and alike and self.has_draws and rows):
            return None
        columns = {name: np.concatenate([one[name] for one in rows]) for name in self._laws[0].inputs}
        rng = np.random.default_rng([self.seed, 1])
        return settled(self._laws[0], np.stack(self._own), columns, rng, self._path(columns))

    def _path(self, rows: Mapping[str, np.ndarray]) -> Path | None:
        """From the largest runs to the places asked about beyond them; None where none is."""
        top = float(np.nanmin(self.tops))
        decades, which = np.unique(self.places.decades, return_index=True)
        beyond = decades > top + AS_GOOD_AS_THERE
        if not beyond.any():
            return None
        decades, which = np.r_[top, decades[beyond]], which[beyond]
        if self.places.inputs is not None:
            last = int(np.argmin(np.abs(np.log10(compute_of(rows)) - top)))
            inputs = {name: np.r_[rows[name][last], v[which]] for name, v in self.places.inputs.items()}
            return Path(decades, inputs)
        return Path(decades, self._best_runs(10.0**decades))

    def _best_runs(self, flops: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs of the best runs of budgets, by the middle of the recipes."""
        law, given = self._laws[0], self.places.given
        if {"N", "D"} <= set(law.inputs):
            middle = np.median([own[0] for own in self._own], axis=0)[None]
            spending = read_problem(Source(law, middle[0]), None, cast(Limits, given), None)
            best = spending.best(middle, flops).inputs
            return {name: np.ravel(best[name]) for name in law.inputs}
        fixed = {name: np.full(len(flops), value) for name, value in given.items()}
        return {**fixed, _compute_input(law): flops}

    @cached_property
    def _step_limit(self) -> float:
        """What a walk's step is weighed against where it is not given: distances of recipes, walks included,
        change by so much."""
        if len(self.walk.steps) < 2 or self._settled is None:
            return np.inf
        return self._settled.change / np.sqrt(2)

    def _steps(self, steps: np.ndarray) -> np.ndarray:
        """Steps of the walk given what is believed of the change of distances: of two Gaussians, both."""
        return steps / np.sqrt(1 + np.square(steps / max(self._step_limit, TINY)))

    @property
    def mean_walk(self) -> float:
        """Root mean square of the walk's step, per root decade."""
        return float(np.sqrt(np.sum(self.walk.weights * np.square(self._steps(self.walk.steps)))))

    def _own_errors(self, x: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """(recipes, draws, places, steps): what each law errs beyond its runs, one walk over all places."""
        found = np.zeros((len(self.tops), n, *x.shape))
        step = self._steps(self.walk.drawn(n, rng))
        if not step.any():
            return found
        for r, top in enumerate(self.tops):
            if np.isnan(top):
                continue
            beyond, where = np.unique(np.maximum(x - top, 0.0), return_inverse=True)
            paths = np.cumsum(
                rng.normal(size=(n, len(beyond))) * np.sqrt(np.diff(beyond, prepend=0.0)), axis=1
            )
            found[r] = step[:, None, None] * paths[:, where.reshape(x.shape)]
        return found

    def _curve(self, law: Law, numbers: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """(vectors, places, steps) log losses of one recipe, steps (places, steps)."""
        log_scale = LN10 * steps
        if self.places.inputs is None:
            flops = np.exp(np.log(cast(np.ndarray, self.places.flops))[:, None] + log_scale)
            loss = _best(law, numbers, flops.ravel(), self.places.given)
        else:
            grown = {name: np.broadcast_to(v[:, None], steps.shape) for name, v in self.places.inputs.items()}
            grown[self.places.grows] = grown[self.places.grows] * np.exp(log_scale)
            loss = predict(law, numbers, {name: v.ravel() for name, v in grown.items()})
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(loss).reshape(len(numbers), *steps.shape)


def _best(law: Law, numbers: np.ndarray, flops: np.ndarray, given: Mapping[str, float]) -> np.ndarray:
    """(vectors, budgets) losses of the best run of each budget."""
    if {"N", "D"} <= set(law.inputs):
        budgets, where = np.unique(flops, return_inverse=True)
        spending = read_problem(Source(law, numbers[0]), None, cast(Limits, given), None)
        return spending.best(numbers, budgets).loss[:, where]
    fixed = {key: np.full(len(flops), value) for key, value in given.items()}
    return predict(law, numbers, {**fixed, _compute_input(law): flops})


def _compute_input(law: Law) -> str:
    return next(name for name in (*COMPUTE, law.inputs[0]) if name in law.inputs)


def _draws(source: Source, n: int) -> np.ndarray:
    return (
        np.broadcast_to(source.numbers, (n, len(source.numbers)))
        if source.draws is None
        else source.draws[:n]
    )


def recipes_of(
    what: Mapping[Hashable, object],
    places: Places,
    walk: float | str,
    seed: int,
) -> tuple[Recipes, dict[Hashable, str]]:
    """Recipes out of fits, draws of fits, constants or anything else a source is made of.

    Args:
        what: name -> source.
        places: where they will be compared.
        walk: "table", or the step of the recipes' own errors.
        seed: of what is drawn.

    Returns:
        The recipes, and why others cannot be compared.
    """
    made = _with_joint_draws(what, seed)
    good: dict[Hashable, Source] = {}
    failed: dict[Hashable, str] = {}
    for key, one in made.items():
        try:
            good[key] = source_of(one)
        except ValueError as error:
            failed[key] = str(error)
    for source in good.values():
        _check_inputs(source.law, places)
    ends = np.array([_ends(source) for source in good.values()]).reshape(-1, 2)
    fits = [fit for key in good if (fit := _fit_of(made[key])) is not None and fit.runs is not None]
    known = np.nan if isinstance(walk, str) else float(walk)
    step = walk_of(residuals_of(fits)) if isinstance(walk, str) and fits else Walk.of(known)
    scatter = float(np.median([run_scatter(fit) for fit in fits])) if fits else np.nan
    # a forecast's draws belong to several laws, and hold those laws' errors already
    believed = walk != 0 and not any(isinstance(one, AsSource) for one in made.values())
    return Recipes(good, places, step, ends[:, 1], ends[:, 0], believed, scatter, seed), failed


def _with_joint_draws(what: Mapping[Hashable, object], seed: int) -> dict[Hashable, object]:
    """Bare fits with bootstraps drawn for all of them at once."""
    fits = {
        key: one
        for key, one in what.items()
        if isinstance(one, Fitted) and not one.reason and one.runs is not None
    }
    if len(fits) < 2:
        return dict(what)
    n = max(FEWEST_DRAWS, min(MOST_DRAWS, DRAWN // len(fits)))
    draws = joint_draws(list(fits.values()), n, seed)
    return {**what, **dict(zip(fits, draws, strict=True))}


def _fit_of(one: object) -> Fitted | None:
    return one if isinstance(one, Fitted) else one.fit if isinstance(one, WithDraws) else None


def _check_inputs(law: Law, places: Places) -> None:
    if places.inputs is not None:
        if set(law.inputs) != set(places.inputs):
            raise ValueError(
                f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; at= gives "
                f"{', '.join(places.inputs)}."
            )
        return
    free = [name for name in law.inputs if name not in places.given]
    if set(free) != {"N", "D"} and len(free) != 1:
        raise ValueError(
            f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: with flops= a law of N and D, or of "
            "compute alone, is compared; give the other inputs by given=, or all of them by at=."
        )


def _ends(source: Source) -> tuple[float, float]:
    """log10 of least and largest compute of the fitted runs; NaN where they are not known."""
    if not source.rows:
        return np.nan, np.nan
    flops = compute_of(source.rows)
    flops = flops[flops > 0]
    return (float(np.log10(flops.min())), float(np.log10(flops.max()))) if len(flops) else (np.nan, np.nan)


def run_scatter(fit: Fitted) -> float:
    """Robust scale of what a law leaves of the end of every run, enlarged by what fitting has absorbed."""
    values = _residuals(fit).values
    return float(
        NORMAL_MAD * np.median(np.abs(values)) * np.sqrt(len(values) / max(len(values) - fit.n_free, 1))
    )


def residuals_of(fits: Sequence[Fitted]) -> list[Residuals]:
    """What the laws leave of the end of every run.

    Of recipes trained at the same places orthonormal contrasts are taken, one fewer than recipes, so that
    what they err in common cancels and nothing counts twice.
    """
    each = [_residuals(fit) for fit in fits]
    first = each[0]
    alike = all(
        len(one.decades) == len(first.decades) and np.allclose(one.decades, first.decades) for one in each
    )
    if len(each) < 2 or not alike:
        return each
    contrasts = helmert(len(each)) @ np.stack([one.values for one in each])
    features = np.mean([one.features for one in each], axis=0)
    return [replace(first, values=values, features=features) for values in contrasts]


def _residuals(fit: Fitted) -> Residuals:
    runs = fit.data()
    ends = last_rows(runs)
    free = np.array([label not in fit.fixed for label in fit.law.labels])

    last = {name: column[ends] for name, column in runs.inputs.items()}
    slopes = log_slopes(fit.law, fit.numbers, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.log(runs.target[ends]) - np.log(fit.at_rows.prediction[ends])
        decades = np.log10(compute_of(last))
    good = np.isfinite(values) & np.isfinite(decades) & np.isfinite(slopes).all(axis=1)
    order = np.flatnonzero(good)[np.argsort(decades[good], kind="stable")]
    return Residuals(decades[order], values[order], slopes[order][:, free])


def log_slopes(law: Law, numbers: np.ndarray, inputs: Columns) -> np.ndarray:
    """(rows, labels) of the log loss, by the law's numbers as they are."""

    def log_loss(p: jax.Array, row: dict[str, jax.Array]) -> jax.Array:
        return jnp.log(law.apply(law.unflatten(p), row))

    with jax.enable_x64(True):
        rows = {name: jnp.asarray(inputs[name], dtype=jnp.float64) for name in law.inputs}
        return np.asarray(
            jax.vmap(jax.grad(log_loss), (None, 0))(jnp.asarray(numbers, dtype=jnp.float64), rows)
        )


def read_recipes(table: TableLike, by: Keys, reading: Reading) -> Runs:
    """A table's runs by recipe, with what makes up their compute as inputs: N and D, or compute as x.

    Raises:
        DataError: for a table that does not say it, or bad rows.
    """
    frame = as_frame(table)
    given = reading.inputs or {}
    known = {*given, *frame.columns}
    if {"N", "D"} <= known:
        return reading.read(laws.chinchilla, frame, by=by)
    name = next((name for name in COMPUTE if name in known), None)
    if name is None:
        raise DataError(
            "Say where a run's compute stands: inputs={'N': column, 'D': column} or inputs={'C': column}."
        )
    return replace(reading, inputs={"x": given.get(name, name)}).read(laws.power_law, frame, by=by)


def last_rows(runs: Runs) -> np.ndarray:
    """Positions of the last row of every run, of every row where runs are unknown."""
    used = np.flatnonzero(runs.weight > 0)
    if runs.run is None:
        return used
    size = np.sum([np.log(np.maximum(c[used], 1e-300)) for c in runs.inputs.values()], axis=0)
    order = used[np.lexsort((size, runs.run[used]))]
    return order[np.r_[np.diff(runs.run[order]) != 0, True]]
