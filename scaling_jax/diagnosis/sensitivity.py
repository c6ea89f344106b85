"""How much the answer depends on the analyst: the same table under a dozen defensible choices, in one batch.

An interval is conditional on the objective, the filters and the columns that somebody chose. Where other
defensible choices land far outside it, the interval is not what limits the answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import shown
from scaling_jax.core.objective import AbsoluteError, Huber, Objective, SquaredError
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.joint import refit_jointly
from scaling_jax.fitting.refits import Refits, Variant, refit, vary
from scaling_jax.planning.budget import compute_optimal
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.numbers import kind_of, written
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.runs import DataError, numeric, run_weights
from scaling_jax.tables.scale import beyond, scale_of, sizes_in_runs
from scaling_jax.uncertainty.bootstrap import draws_of

__all__ = ["Sensitivity", "choices", "sensitivity"]

HIGHEST = (0.02, 0.05)
LEAST_LEFT = 1 / 3
AS_FITTED = "as fitted"


@dataclass(frozen=True, eq=False)
class Sensitivity(Shown):
    """One table under many defensible choices.

    Args:
        table: per choice: rows, the parameters, prediction (at `at`), and with `flops` N, D, loss,
            tokens_per_param.
        at: the inputs of the prediction.
        flops: the training budget of the optimum, or None.
        interval: (lower, upper) of the answer from the bootstrap of the fit as it stands, or None.
        level: probability of that interval.
    """

    table: pd.DataFrame
    at: dict[str, float]
    flops: float | None
    interval: tuple[float, float] | None
    level: float

    @property
    def answer(self) -> pd.Series:
        """What the choices are judged by: tokens per parameter where a budget was given, else the
        prediction."""
        return self.table["prediction" if self.flops is None else "tokens_per_param"]

    @property
    def most(self) -> str:
        """The choice that moves the answer most, by ratio."""
        answer = self.answer.where(self.answer > 0)
        moved = np.abs(np.log(answer / answer[AS_FITTED])).drop(AS_FITTED).dropna()
        return str(moved.idxmax()) if len(moved) else ""

    def __str__(self) -> str:
        answer = self.answer[np.isfinite(self.answer)]
        if self.flops is None:
            where = ", ".join(f"{name} = {written(value, kind_of(name))}" for name, value in self.at.items())
            what = f"the prediction at {where}"
        else:
            what = f"tokens per parameter at {self.flops:.3g} FLOP"
        beside = (
            ""
            if self.interval is None
            else f", while its {100 * self.level:g} % interval reads {self.interval[0]:.4g} to "
            f"{self.interval[1]:.4g}"
        )
        return (
            f"{len(answer) - 1} other defensible choices put {what} between {answer.min():.4g} and "
            f"{answer.max():.4g} "
            f"({self.answer[AS_FITTED]:.4g} as fitted{beside}); what moves it most: {self.most} "
            f"({self.answer[self.most]:.4g})"
        )

    def _title(self) -> str:
        return "Other defensible choices"

    def _sections(self) -> list[Section]:
        return [
            Section("", [Words(f"{self}.", "lead")]),
            Section("Choices", [grid_of(self.table.rename_axis("choice"), True)], folded=True),
        ]


def sensitivity(
    fit: Fitted,
    at: Mapping[str, float] | None = None,
    flops: float | None = None,
    columns: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    highest: Sequence[int] | None = None,
    level: float | None = 0.9,
) -> Sensitivity:
    """Refits a table under other defensible choices; see `FitResult.sensitivity`."""
    variants = choices(fit, columns, highest)
    refits = _jointly(fit, variants) if fit.shared else refit(variants)
    return compared(fit, variants, refits, at, flops, level)


def _jointly(fit: Fitted, variants: Sequence[Variant]) -> list[Refits]:
    """Every choice made of all groups that share parameters with the fit, so that shared values move as well;
    a group of which it cannot be made stays whole."""
    others = [one for one in fit.companions if one.key != fit.key]
    theirs = [{variant.words: variant for variant in choices(one)} for one in others]
    found = []
    for variant in variants:
        also = [known.get(variant.words) or vary(one) for one, known in zip(others, theirs, strict=True)]
        everyone = [variant, *(replace(one, objective=variant.objective) for one in also)]
        found.append(refit_jointly(everyone, fit.shared)[0])
    return found


def compared(
    fit: Fitted,
    variants: Sequence[Variant],
    refits: Sequence[Refits],
    at: Mapping[str, float] | None = None,
    flops: float | None = None,
    level: float | None = 0.9,
) -> Sensitivity:
    """The choices side by side, once they are refitted."""
    numbers = np.concatenate([fit.numbers[None], *(one.numbers for one in refits)])
    point: dict[str, ArrayLike] = dict(at) if at else beyond(fit.data(), fit.law)
    place = fit.inputs_of(point)
    index = pd.Index([AS_FITTED, *(v.words for v in variants)], name="choice")
    table = pd.DataFrame(numbers, columns=list(fit.law.labels), index=index)
    table.insert(0, "rows", [int((v.weight > 0).sum()) for v in (vary(fit), *variants)])
    table["prediction"] = predict(fit.law, numbers, place)[:, 0]
    if flops is not None:
        optima = pd.concat([_optimal(fit, row, flops) for row in numbers], ignore_index=True)
        table = table.join(optima.set_index(index))
    place_at = {name: float(v[0]) for name, v in numeric(place).items()}
    return Sensitivity(
        table, place_at, flops, _interval(fit, place, flops, level) if level else None, level or 0.9
    )


def _interval(
    fit: Fitted, place: dict[str, np.ndarray], flops: float | None, level: float
) -> tuple[float, float]:
    """The bootstrap's interval of the answer, of the fit as it stands."""
    if flops is None:
        band, answer = draws_of(fit).predict(place, "confidence", level), ""
    else:
        band, answer = compute_optimal(draws_of(fit), flops, level=level), "tokens_per_param_"
    return float(band[f"{answer}lower"].iloc[0]), float(band[f"{answer}upper"].iloc[0])


def choices(
    fit: Fitted,
    columns: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    highest: Sequence[int] | None = None,
    alike: bool = False,
) -> list[Variant]:
    """The other analyses that somebody careful might have made of the same table.

    `alike`: only those whose residuals are on the fit's own scale, with or without a corner as its own: one
    program.
    """
    rows, free = (fit.data().weight > 0).sum(), fit.n_free
    found = [
        *_objectives(fit),
        *_ties(fit),
        *_columns(fit, columns or {}),
        *_without_highest(fit, highest),
        *_without_ends(fit),
    ]
    found = [v for v in found if (v.weight > 0).sum() >= LEAST_LEFT * rows] + _checkpoints(fit)
    found = [v for v in found if (v.weight > 0).sum() >= 2 * free]
    mine = (fit.objective.on, fit.objective.smooth)
    return [v for v in found if not alike or (v.objective.on, v.objective.smooth) == mine]


def _objectives(fit: Fitted) -> list[Variant]:
    mine, runs = fit.objective, fit.data()
    if mine.counts is not None:
        return []
    typical = float(np.median(np.abs(fit.residuals)))
    on_log, size = mine.on == "log", float(np.median(np.abs(runs.target)))
    other: Objective | None
    if isinstance(mine, Huber):
        listed: list[Objective] = [
            replace(mine, delta=10 * mine.delta),
            replace(mine, delta=mine.delta / 10),
            SquaredError(on=mine.on),
        ]
        other = Huber(mine.delta * (size if on_log else 1 / size), on="raw" if on_log else "log")
    else:
        listed = [
            o
            for o in (
                Huber(max(typical, 1e-9), on=mine.on),
                SquaredError(on=mine.on),
                AbsoluteError(on=mine.on),
            )
            if o.kind != mine.kind
        ]
        other = replace(mine, on="raw" if on_log else "log")
    if not on_log and runs.target.min() <= 0:
        other = None
    named = {
        "huber": "Huber, delta {:g}",
        "squared": "squared error",
        "absolute": "absolute error",
        "asymmetric": "asymmetric error",
    }
    words = [named[o.kind].format(o.numbers[0]) for o in listed]
    out = [vary(fit, w, objective=o) for w, o in zip(words, listed, strict=True)]
    return out + (
        [vary(fit, f"residuals on {other.on} values", objective=other)]
        if other and runs.target_se is None
        else []
    )


def _ties(fit: Fitted) -> list[Variant]:
    if fit.shared:
        return []
    if fit.tied:
        return [vary(fit, "free: " + ", ".join("/".join(group) for group in fit.tied), tied=[])]
    linear = {fit.law.labels[i] for i in linear_parameters(fit.law)}
    alike: dict[Hashable, list[str]] = {}
    for p in fit.law.parameters:
        if (
            not p.shape
            and not p.domain.log
            and p.name in fit.law.ranges
            and p.name not in linear
            and p.name not in fit.fixed
        ):
            alike.setdefault((p.domain, fit.law.ranges[p.name]), []).append(p.name)
    return [
        vary(fit, f"tied: {' = '.join(group)}", tied=[tuple(group)])
        for group in alike.values()
        if len(group) > 1
    ]


def _columns(fit: Fitted, columns: Mapping[str, Mapping[str, ArrayLike]]) -> list[Variant]:
    runs, out = fit.data(), []
    for name, others in columns.items():
        if name not in runs.inputs:
            raise DataError(
                f"columns names {shown(name)}: law '{fit.law.name}' has the inputs "
                f"{', '.join(fit.law.inputs)}."
            )
        for words, given in others.items():
            values = np.asarray(
                given.reindex(runs.rows) if isinstance(given, pd.Series) else given, dtype=float
            )
            if values.shape != runs.target.shape or not fit.law.input_domains[name].contains(values).all():
                raise DataError(
                    f"columns[{shown(name)}][{shown(words)}] must hold one finite value "
                    f"({fit.law.input_domains[name].name}) for each of the "
                    f"{len(runs)} fitted rows: pass a column of the fitted table."
                )
            out.append(vary(fit, f"{name}: {words}", inputs={name: values}))
    return out


def _without_highest(fit: Fitted, highest: Sequence[int] | None) -> list[Variant]:
    runs = fit.data()
    used = int((runs.weight > 0).sum())
    order = np.argsort(np.where(runs.weight > 0, -runs.target, np.inf), kind="stable")
    out = []
    for k in highest if highest is not None else sorted({max(1, round(share * used)) for share in HIGHEST}):
        weight = runs.weight.copy()
        weight[order[:k]] = 0.0
        which = f"{k} highest targets" if k > 1 else "highest target"
        out.append(vary(fit, f"without the {which}", weight=weight))
    return out


def _without_ends(fit: Fitted) -> list[Variant]:
    runs = fit.data()
    scales = [scale_of(runs, fit.law)]
    if {"N", "D"} <= set(runs.inputs):
        scales.append(("D/N", runs.inputs["D"] / runs.inputs["N"]))
    out = []
    for name, size in scales:
        used = (runs.weight > 0) & (size > 0)
        low, high = size[used].min(), size[used].max()
        ends = [
            ("lowest decade", size >= 10 * low),
            ("lowest two decades", size >= 100 * low),
            ("top decade", size <= high / 10),
        ]
        for words, kept in ends:
            if (used & ~kept).any() and (used & kept).any():
                out.append(vary(fit, f"without the {words} of {name}", weight=runs.weight * kept))
    return out


def _checkpoints(fit: Fitted) -> list[Variant]:
    runs = fit.data()
    if (found := sizes_in_runs(runs, fit.law)) is None:
        return []
    size, largest = found
    return [
        vary(fit, "final checkpoints only", weight=runs.weight * (size >= largest)),
        vary(fit, "without the first half of each run", weight=runs.weight * (size >= largest / 2)),
        *_other_weighting(fit),
    ]


def _other_weighting(fit: Fitted) -> list[Variant]:
    """Every run counts the same, or every checkpoint where that is how the fit was weighted; none where runs
    are equally long."""
    runs = fit.data()
    per_run = run_weights(np.asarray(runs.run))
    if np.allclose(per_run, 1.0):
        return []
    if np.allclose(runs.weight, per_run):
        return [vary(fit, "every checkpoint counts the same", weight=np.ones(len(runs)))]
    return [vary(fit, "every run counts the same", weight=runs.weight * per_run)]


def _optimal(fit: Fitted, numbers: np.ndarray, flops: float) -> pd.DataFrame:
    found = compute_optimal((fit.law, fit.law.unflatten(numbers)), [flops])[
        ["N", "D", "loss", "tokens_per_param"]
    ]
    return found.rename(columns={name: f"optimal {name}" for name in ("N", "D", "loss")})
