"""The predictive distribution that `sj.forecast` returns, and every question one may ask of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.printed import Printed
from scaling_jax.diagnosis.adequacy import look
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import make_spec
from scaling_jax.forecasting.calibration import Calibration
from scaling_jax.forecasting.chained import ForecastChain
from scaling_jax.forecasting.ensemble import CAUSES, Judged, Outlook, judge, outlook
from scaling_jax.forecasting.members import Batch
from scaling_jax.forecasting.rows import Known
from scaling_jax.forecasting.source import Band, beyond, source_of_members
from scaling_jax.planning.source import Source
from scaling_jax.reporting.blocks import Block, Items, Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.numbers import floats
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.uncertainty.ensemble import check_level, generator, is_count
from scaling_jax.uncertainty.tails import normal_quantile, student_quantile, student_share

__all__ = ["Forecast", "log_points"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWN = ["parameters", "members"]  # causes that draws of a source show by themselves
SHOWN = 12  # runs that a summary lists


@dataclass(frozen=True, eq=False)
class Forecast(Shown):
    """The predictive distribution of runs that nobody has trained.

    Made by `sj.forecast`. The logarithm of what a run will show follows a Student t about the weighted mean
    of the members.

    Args:
        columns: input -> the column it was read from.
        target: the column that is predicted.
        batch: the members, fitted to the rows and to the rows cut off at smaller sizes.
        calibration: what was learned from past families.
        points: (points, inputs) logarithms of what was asked.
        warnings: what the reader should know about the table.
        table: the rows as they were read.
    """

    columns: dict[str, str]
    target: str
    batch: Batch
    calibration: Calibration
    points: np.ndarray
    warnings: list[str]
    table: Runs

    @checked
    def interval(self, level: float = 0.9) -> pd.DataFrame:
        """Median and both ends per run that was asked for.

        Args:
            level: probability between the two ends.

        Returns:
            One row per run: prediction (the median), lower, upper, extrapolation (decades beyond the range of
            the rows, the farthest input).

        Raises:
            ValueError: if level is not between 0 and 1.
        """
        check_level(level)
        ends = self.quantile([0.5, (1 - level) / 2, (1 + level) / 2])
        table = pd.DataFrame(ends.to_numpy(), columns=["prediction", "lower", "upper"])
        table["extrapolation"] = self.known.beyond(self.points)
        return table

    @checked
    def quantile(self, share: ArrayLike = QUANTILES) -> pd.DataFrame:
        """Quantiles per run that was asked for.

        Args:
            share: probabilities between 0 and 1.

        Returns:
            One row per run, one column per probability.

        Raises:
            ValueError: for what are no probabilities.
        """
        shares = np.atleast_1d(np.asarray(share, dtype=float))
        if shares.ndim > 1 or not shares.size or not ((shares > 0) & (shares < 1)).all():
            raise ValueError(f"quantile({shown(share)}): give probabilities between 0 and 1.")
        at = self._centre[:, None] + self._scale[:, None] * student_quantile(shares, self.calibration.degrees)
        return pd.DataFrame(np.exp(at), columns=shares)

    @checked
    def cdf(self, values: ArrayLike) -> np.ndarray:
        """(runs,) the probability that each run shows less than its value.

        Args:
            values: one per run that was asked for, or one for all.

        Raises:
            ValueError: for another number of values.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape not in ((), (1,), self._centre.shape):
            raise ValueError(f"cdf({shown(values)}): give {len(self._centre)} values, one for each run.")
        with np.errstate(divide="ignore"):  # nothing is less than zero
            logs = np.log(np.maximum(given, 0.0))
        return student_share((logs - self._centre) / self._scale, self.calibration.degrees)

    @checked
    def predict(
        self, other: TableLike, interval: str | None = None, level: float = 0.9
    ) -> np.ndarray | pd.DataFrame:
        """The same forecast for other runs; nothing is refitted.

        Args:
            other: a table or mapping of the inputs.
            interval: None for the medians alone, or "prediction".
            level: probability between the two ends.

        Returns:
            (rows,) medians, or what `interval` returns.
        """
        if interval not in (None, "prediction"):
            raise ValueError(
                f"interval={interval!r}: a forecast has the band of new runs, interval='prediction'."
            )
        found = self.elsewhere(other).interval(level)
        return found["prediction"].to_numpy() if interval is None else found

    @checked
    def draws(self, n: int = 1000, seed: int = 0) -> np.ndarray:
        """Plausible values of all runs that were asked for: each errs by the same share of its band.

        Args:
            n: how many.
            seed: of the draws.

        Returns:
            (n, runs) values.
        """
        if not is_count(n):
            raise ValueError(f"draws({shown(n)}): ask for a positive number of draws.")
        rng = generator(seed)
        shift = student_quantile(rng.uniform(size=n), self.calibration.degrees)
        return np.exp(self._centre + shift[:, None] * self._scale)

    @checked
    def as_source(self, draws: bool = True) -> Source:
        """What plans and contrasts are made from: the members as one law, with 1,000 draws where they are
        wanted.

        A draw is one member, picked by weight, with its parameters as the rows leave them open as far as the
        band has room for it, moved by one error that grows with compute, so that 90 % of draws lie within the
        band.
        """
        ahead = replace(self, points=beyond(self.known))
        asked = float(np.max(self.known.horizon(self.points)))
        band = Band(ahead._centre, ahead.causes.sum(axis=1).to_numpy(), asked)
        weights, half = self.weights.to_numpy(), self._half_ahead
        return source_of_members(self.batch, weights, half, self.calibration.degrees, draws, band)

    def as_belief(self) -> Source:
        """What designs of runs are made from: the same members, with what the laws themselves err as the
        calibrated band has it told apart from the draws."""
        weights, half = self.weights.to_numpy(), self._half_ahead
        found = source_of_members(self.batch, weights, half, self.calibration.degrees, True)
        scatter = float(weights @ self.batch.scale[:, 0])
        whole = self._causes_ahead.sum(axis=1).to_numpy()
        to_sd = 1 / normal_quantile(0.95)
        return replace(found, ahead=half * to_sd, band=whole * to_sd, run_sd=scatter)

    @property
    def _causes_ahead(self) -> pd.DataFrame:
        """`causes`, decade by decade beyond the rows."""
        return replace(self, points=beyond(self.known)).causes

    @property
    def _half_ahead(self) -> np.ndarray:
        """Half-widths at 90 % of what draws do not show by themselves, decade by decade beyond the rows."""
        return self._causes_ahead.drop(columns=DRAWN).sum(axis=1).to_numpy()

    def chained(self, stages: tuple[Fitted, ...], via: tuple[str, ...]) -> ForecastChain:
        """The metric that follows from what is forecast; see `sj.chain`."""
        return ForecastChain(self, stages, via)

    def elsewhere(self, other: TableLike) -> Forecast:
        """The same forecast, asked for other runs."""
        return replace(self, points=log_points(other, self.columns))

    @cached_property
    def weights(self) -> pd.Series:
        """The weight of each member, at the run farthest ahead."""
        farthest = int(np.argmax(self.known.horizon(self.points)))
        names = [member.name for member in self.batch.members]
        return pd.Series(self._seen.weights[:, farthest], index=pd.Index(names, name="member"), name="weight")

    @cached_property
    def members(self) -> pd.DataFrame:
        """Per member its weight, its error in the back-tests, the share of its parameters that was borrowed
        from other families, and its prediction of every run that was asked for."""
        said = np.exp(self.batch.ahead(0, self.points).predicted[0])
        error = np.abs(self._tests.error) @ self._tests.share / max(self._tests.share.sum(), 1e-12)
        borrowed = [self._pooled(m).mean() for m in range(len(self.batch.members))]
        table = pd.DataFrame({"weight": self.weights, "backtest_error": error, "borrowed": borrowed})
        if not self._tests.share.size:
            table["backtest_error"] = np.nan
        return table.join(pd.DataFrame(said, index=table.index).add_prefix("run "))

    @cached_property
    def pooling(self) -> pd.DataFrame:
        """Per law and parameter, the share of its precision that came from what families have in common."""
        rows = {}
        for m, member in enumerate(self.batch.members):
            if member.weighting == "all":
                rows[member.law.name] = dict(zip(member.law.labels, self._pooled(m), strict=True))
        return pd.DataFrame(rows).T

    @cached_property
    def adequacy(self) -> pd.DataFrame:
        """Per law whether it describes the rows, fitted to all of them by itself: p, speaks, size of the miss
        as a share of the target, and a sentence; see `FitResult.adequacy`."""
        rows = {}
        for law in (fit.law for fit in self.batch.fits):
            own = replace(self.table, inputs={name: self.table.inputs[name] for name in law.inputs})
            found = look(solve_members(Task.of(make_spec(law), own))[0])
            rows[law.name] = {
                "p": found.p, "speaks": found.speaks, "size": found.size, "sentence": found.sentence,
            }  # fmt: skip
        return pd.DataFrame(rows).T

    @cached_property
    def backtest(self) -> pd.DataFrame:
        """One row per run kept back and predicted from the rows below a cut-off.

        Columns: the inputs, measured, prediction, error (log prediction less log measured), horizon (decades
        of compute ahead), rows (that were left to fit).
        """
        weight = self._seen.weights.mean(axis=1)
        parts = []
        for cut, said in zip(self.batch.cuts[1:], self.batch.predicted[1:], strict=True):
            log = weight @ said
            part = pd.DataFrame(np.exp(cut.points), columns=[self.columns[n] for n in self.known.names])
            parts.append(
                part.assign(
                    measured=np.exp(cut.truth),
                    prediction=np.exp(log),
                    error=log - cut.truth,
                    horizon=cut.horizon,
                    rows=len(cut.rows),
                )
            )
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["error"])

    @cached_property
    def causes(self) -> pd.DataFrame:
        """Per run that was asked for, what each cause of error adds to the half-width of the 90 % band, in
        logarithms."""
        return pd.DataFrame(self._seen.causes * self.calibration.widths, columns=list(CAUSES))

    @property
    def explanation(self) -> str:
        """Where the answer comes from, in three sentences, for the run farthest ahead."""
        i = int(np.argmax(self.known.horizon(self.points)))
        return " ".join([what(self, i), whence(self), how_sure(self, i)])

    def summary(self) -> str:
        """The forecast as text: quantiles, members, and where the answer comes from."""
        shown = self.interval().join(self.asked)
        shown = shown[[*self.asked.columns, "prediction", "lower", "upper", "extrapolation"]]
        return Printed("\n".join([
            f"Forecast of {self.target} from {len(self.known)} rows, 90 % interval",
            shown.head(SHOWN).to_string(index=False, float_format=lambda v: f"{v:.4g}"),
            *([f"... and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []),
            self._told.to_string(float_format=lambda v: f"{v:.3f}"),
            self.explanation,
            *self.warnings,
        ]))  # fmt: skip

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Forecast of {self.target} at {len(self.points)} runs by {len(self.batch.members)} members>"

    def _title(self) -> str:
        return f"Forecast of {self.target} from {len(self.known)} rows"

    def _sections(self) -> list[Section]:
        i = int(np.argmax(self.known.horizon(self.points)))
        runs = self.asked.join(self.interval())
        said: list[Block] = [Words(what(self, i), "lead"), grid_of(runs, index=False)]
        if self.warnings:
            said.append(Items(tuple(self.warnings)))
        whole = [Words(whence(self)), Words(how_sure(self, i))]
        return [
            Section("", said),
            Section("Where it comes from", whole),
            Section("Members", [grid_of(self._told, True)], folded=True),
            Section("Back-tests", [grid_of(self.backtest, index=False)], folded=True),
        ]

    @property
    def _told(self) -> pd.DataFrame:
        """What a reader is told of the members, the weightiest first."""
        return self.members[["weight", "backtest_error", "borrowed"]].sort_values("weight", ascending=False)

    @property
    def known(self) -> Known:
        """The rows it was made from."""
        return self.batch.cuts[0].rows

    @cached_property
    def _tests(self) -> Judged:
        return judge(self.batch, range(1, len(self.batch.cuts)))

    @cached_property
    def _seen(self) -> Outlook:
        usual = self.calibration.usual_of(self.batch.members)
        return outlook(self.batch.ahead(0, self.points), 0, self._tests, usual, self.calibration.untested)

    @property
    def _centre(self) -> np.ndarray:
        return self._seen.centre

    @property
    def _scale(self) -> np.ndarray:
        return self.calibration.half_width(self._seen) / student_quantile(0.95, self.calibration.degrees)

    @cached_property
    def asked(self) -> pd.DataFrame:
        """The runs that were asked for."""
        return pd.DataFrame(np.exp(self.points), columns=[self.columns[n] for n in self.known.names])

    def _pooled(self, member: int) -> np.ndarray:
        fit, piece = self.batch.fit_of(member)
        return fit.pooled[piece]


def log_points(asked: TableLike, columns: dict[str, str]) -> np.ndarray:
    """(points, inputs) logarithms of the runs to predict."""
    frame = as_frame(as_columns(asked))
    found = []
    for name, column in columns.items():
        where = next((c for c in (column, name) if c in frame.columns), None)
        if where is None:
            raise DataError(f"at= lacks the input {name}: add a column '{column}'.")
        values = floats(frame[where])
        if not (len(values) and (np.isfinite(values) & (values > 0)).all()):
            raise DataError(f"at= column '{where}' must hold positive, finite numbers, one or more.")
        found.append(np.log(values))
    return np.stack(found, axis=1)


WORDS = {
    "residuals": "residual scatter",
    "parameters": "parameters that the rows leave open",
    "members": "members that disagree",
    "backtest": "errors of the back-tests",
    "decades": "the distance beyond the data",
    "least": "what forecasts err at the least",
}


def what(ahead: Forecast, i: int) -> str:
    """What is forecast of one of the runs that were asked for."""
    row, far = ahead.interval().iloc[i], max(float(ahead.known.horizon(ahead.points)[i]), 0.0)
    where = ", ".join(f"{name}={value:.4g}" for name, value in ahead.asked.iloc[i].items())
    return (
        f"At {where} the forecast is {row['prediction']:.4g} ({row['lower']:.4g} to {row['upper']:.4g} at "
        f"90 %), {row['extrapolation']:.2g} decades beyond the data in its farthest input and {far:.2g} in "
        "compute."
    )


def whence(ahead: Forecast) -> str:
    """Which members it comes from, how they were tested, and what was borrowed."""
    best, cuts = ahead.weights.sort_values(ascending=False), len(ahead.batch.cuts) - 1
    named = "; ".join(f"{name} {100 * weight:.0f} %" for name, weight in best.head(3).items())
    borrowed = 100 * float(ahead.weights.to_numpy() @ ahead.members["borrowed"].to_numpy())
    tested = "without a back-test, for which the rows hold too few sizes"
    if cuts:
        missed = 100 * ahead.backtest["error"].abs().mean()
        places = f"{cuts} cut-offs" if cuts > 1 else "one cut-off"
        tested = f"back-tested at {places} inside the rows, where they missed by {missed:.2g} % on average"
    return (
        f"It is the weighted mean of {len(best)} members ({named}{'; ...' if len(best) > 3 else ''}), "
        f"{tested}; {borrowed:.0f} % of what fixes their parameters is borrowed from families of "
        f"{ahead.calibration.suites:g} suites, the rest is the rows' own."
    )


def how_sure(ahead: Forecast, i: int) -> str:
    """What the band of one run is made of, and how such bands did."""
    parts = ahead.causes.iloc[i].sort_values(ascending=False)
    named = ", ".join(f"{WORDS[str(cause)]} {100 * value:.2g} %" for cause, value in parts.head(3).items())
    return (
        f"The band reaches {100 * parts.sum():.2g} % to either side, most of it from {named}; bands made "
        f"this way {ahead.calibration.record}."
    )
