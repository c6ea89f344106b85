r"""Watching a run while it trains: is it healthy, where will it end, and when was it clear that it is not.

Checkpoints of one run go astray together, so a test per checkpoint raises false alarms. Here the run's
residuals are one process (`diagnosis.process`), whitened in the order they come, and a fault is a loss that
lies by a factor above the trend from some checkpoint on. The evidence

$$M_t = \sum_k w_k \sum_\delta \pi_\delta \prod_{s \le t} \frac{p(z_s \mid \delta \text{ from } k)}{p(z_s)}$$

is a martingale for a healthy run, so that it ever exceeds 1 / alpha has probability at most alpha, however
often one looks (Ville 1939).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.core.curves import CurveColumn
from scaling_jax.diagnosis.process import Scatter, scatter_of
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.bootstrap import draws_of
from scaling_jax.uncertainty.ensemble import check_level, tail_of
from scaling_jax.uncertainty.tails import normal_quantile

__all__ = ["Monitor", "monitor"]

FAULTS = (0.003, 0.01, 0.03, 0.1)
"""By how much a faulty run may lie above the trend, on logs."""
FEWEST = 8  # checkpoints from which a run alone tells how it scatters
OWN_SHARE = 1 / 3
LOOKS, EARLY = 100, 0.9  # most faults are believed to begin among so many checkpoints, evenly
CAUTION = 0.1  # probability that the true scale inside a run lies above the one that is used
ALONG = ("D", "step", "steps")


@dataclass(frozen=True, eq=False)
class Monitor(Shown):
    """What is known of a run so far; made by `fit.monitor`.

    Args:
        table: a row per checkpoint: the input it is watched along, measured, expected (given the run so far),
            lower, upper, evidence (M_t), p (a bound of the probability that a healthy run ever shows as much;
            it holds at every look).
        healthy: False once the evidence has passed 1 / false_alarms.
        alarm: the checkpoint (label of its row) at which it was clear; None while the run is healthy.
        onset: the likeliest beginning of the fault, None while healthy.
        size: how far above the trend the run lies since then, as a share of the loss.
        end: inputs at the end, prediction, lower, upper: where the run will end if it goes on as it does.
        level: of the bands.
        false_alarms: probability of ever calling a healthy run faulty.
        scatter: the process that healthy runs follow.
        along: the input that it is watched along.
        own: whether the process was learnt from this run's own beginning, for want of fitted runs with
            checkpoints.
    """

    table: pd.DataFrame
    healthy: bool
    alarm: object
    onset: object
    size: float
    end: pd.Series
    level: float
    false_alarms: float
    scatter: Scatter
    along: str
    own: bool

    def __str__(self) -> str:
        looks = len(self.table)
        if self.healthy:
            state = (
                f"Healthy after {looks} checkpoints: a healthy run shows as much or more with probability "
                f"{self.table['p'].iloc[-1]:.2g}."
            )
        else:
            state = (
                f"Not healthy: {100 * self.size:.2g} % above its trend since row {self.onset}, clear at row "
                f"{self.alarm} (at most {100 * self.false_alarms:.3g} % false alarms at any number of looks)."
            )
        end = self.end
        ending = (
            f"It will end at {end['prediction']:.4g} [{end['lower']:.4g}, {end['upper']:.4g}], "
            f"{100 * self.level:.3g} %."
        )
        source = " How runs scatter was learnt from its own first checkpoints." if self.own else ""
        return f"{state} {ending}{source}"

    def __repr__(self) -> str:
        return (
            f"<Monitor: {'healthy' if self.healthy else 'not healthy'} after {len(self.table)} checkpoints>"
        )

    def _title(self) -> str:
        return f"A run watched for {len(self.table)} checkpoints"

    def _sections(self) -> list[Section]:
        table = self.table.rename(columns={"expected": "prediction"})
        return [
            Section("", [Words(str(self), "lead" if self.healthy else "alarm")]),
            Section("Checkpoints", [grid_of(table, True)], folded=True),
        ]


def monitor(
    fit: Fitted,
    run: TableLike,
    until: Mapping[str, float] | None = None,
    target: str | None = None,
    false_alarms: float = 0.05,
    level: float = 0.9,
) -> Monitor:
    """Watches one run; see `FitResult.monitor`."""
    check_level(level)
    check_level(false_alarms)
    frame = as_frame(run)
    seen = fit.read(frame, target)
    along = next((name for name in ALONG if name in fit.law.inputs), fit.law.inputs[-1])
    if fit.law.curves:
        along = fit.law.along
    end = _end(fit, seen.inputs, until)
    x = np.log(np.maximum(seen.inputs[along], 1e-300))
    if len(x) < 2 or (np.diff(x) <= 0).any():
        raise DataError(f"A run is watched along {along}: give two or more rows in which it rises.")
    everything = _with_end(fit, frame, seen.inputs, end)
    natural = predict(fit.law, fit.numbers, everything)[0]
    residual = fit.objective.scaled(seen.target) - fit.objective.scaled(natural[:-1])
    learnt = _of_fitted_runs(fit, along)
    scatter = _of_own_beginning(fit, x, residual) if learnt is None else learnt
    places = np.append(x, np.log(max(end[along], 1e-300)))
    V = scatter.covariance(places, places) + _of_the_law(fit, everything)
    inside = _cautious(scatter)
    V = V + inside**2 * scatter.noise**2 * np.eye(len(places))
    V = V + (inside**2 - 1) * (scatter.covariance(places, places) - scatter.offset**2)
    size = 1.0 if fit.objective.on_log else float(np.mean(seen.target))
    evidence, onsets, faults = _evidence(V[:-1, :-1], residual, size)
    over = np.flatnonzero(evidence >= 1 / false_alarms)
    labels = seen.rows.tolist()
    z = normal_quantile(1 - tail_of(level))
    ahead, spread = _one_ahead(V[:-1, :-1], residual)
    moved = fit.objective.moved
    table = pd.DataFrame(
        {
            along: seen.inputs[along],
            "measured": seen.target,
            "expected": moved(natural[:-1], ahead),
            "lower": moved(natural[:-1], ahead - z * spread),
            "upper": moved(natural[:-1], ahead + z * spread),
            "evidence": evidence,
            "p": np.minimum(1.0, 1 / np.maximum.accumulate(np.maximum(evidence, 1e-300))),
        },
        index=pd.Index(labels, name=frame.index.name),
    )
    alarm = int(over[0]) if len(over) else None
    last = _at_the_end(V, residual, onsets[-1] if alarm is not None else None)
    ends = {name: float(value) for name, value in end.items()}
    ends |= dict(
        zip(
            ("prediction", "lower", "upper"),
            (float(moved(natural[-1:], np.array([last[0] + k * last[1]]))[0]) for k in (0.0, -z, z)),
            strict=True,
        )
    )
    return Monitor(
        table=table,
        healthy=alarm is None,
        alarm=None if alarm is None else labels[alarm],
        onset=None if alarm is None else labels[int(onsets[-1])],
        size=0.0 if alarm is None else float(faults[-1]),
        end=pd.Series(ends),
        level=level,
        false_alarms=false_alarms,
        scatter=scatter,
        along=along,
        own=learnt is None,
    )


def _end(
    fit: Fitted, inputs: Mapping[str, np.ndarray], until: Mapping[str, float] | None
) -> dict[str, float]:
    """The law's inputs at the end of the run: those of its last row, and what is said of the end."""
    end = {n: float(column[-1]) for n, column in inputs.items() if not isinstance(column, CurveColumn)}
    if unknown := set(until or {}) - set(end):
        raise DataError(
            f"until= names {', '.join(sorted(unknown))}; law '{fit.law.name}' has {', '.join(end)}."
        )
    return end | {name: float(value) for name, value in (until or {}).items()}


def _with_end(
    fit: Fitted, frame: pd.DataFrame, inputs: Mapping[str, np.ndarray], end: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """The run's inputs with its end as one more row; a curve is seen from there too."""
    found = {name: np.append(inputs[name], value) for name, value in end.items()}
    if fit.law.curves:
        named = {fit.sources.get(name, name): value for name, value in end.items()}
        last = fit.inputs_of(frame.iloc[[-1]].assign(**named))
        curves = {name: column for name, column in inputs.items() if isinstance(column, CurveColumn)}
        found |= {name: column.followed_by(last[name]) for name, column in curves.items()}
    return found


def _of_fitted_runs(fit: Fitted, along: str) -> Scatter | None:
    """The process of the fitted runs; None where none has checkpoints."""
    data = fit.data()
    if data.run is None:
        return None
    residual = -fit.residuals * (1.0 if data.target_se is None else data.target_se)
    x = np.log(np.maximum(data.inputs[along], 1e-300))
    runs = [(x[mine], residual[mine]) for code in np.unique(data.run) if (mine := data.run == code).sum() > 2]
    if len(runs) < 2:
        return None
    # what fitting took from the residuals
    left = max(sum(len(own) for own, _ in runs) - fit.n_free, 1)
    found = scatter_of(runs)
    grown = np.sqrt((left + fit.n_free) / left)
    return Scatter(grown * found.offset, grown * found.fading, grown * found.noise, found.fade, left)


def _of_own_beginning(fit: Fitted, x: np.ndarray, residual: np.ndarray) -> Scatter:
    """The process inside this run by its own beginning, its offset by the scatter of the fitted runs."""
    first = max(FEWEST, round(OWN_SHARE * len(x)))
    if len(x) < FEWEST:
        raise DataError(
            f"The fit knows no run with checkpoints (run=), and this run has {len(x)}: {FEWEST} are needed "
            "to learn how they scatter."
        )
    own = scatter_of([(x[:first], residual[:first])], flat=True)
    offset = float(np.sqrt(np.mean((fit.residuals * np.median(_se(fit))) ** 2)))
    return Scatter(offset, own.fading, own.noise, own.fade, own.free)


def _se(fit: Fitted) -> np.ndarray:
    data = fit.data()
    return np.ones(1) if data.target_se is None else data.target_se


def _of_the_law(fit: Fitted, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Covariance of the law's own predictions, from its bootstrap."""
    curves = fit.objective.scaled(predict(fit.law, draws_of(fit).numbers, inputs))
    low, high = np.nanquantile(curves, [0.01, 0.99], axis=0)
    return np.atleast_2d(np.cov(np.clip(curves, low, high).T))


def _cautious(scatter: Scatter) -> float:
    """Factor on the scale inside a run for its being estimated."""
    from scipy.special import chdtri

    return float(np.sqrt(scatter.free / chdtri(scatter.free, 1 - CAUTION)))


def _regular(V: np.ndarray) -> np.ndarray:
    """With so much on the diagonal that rounding leaves it a root."""
    return V + 1e-12 * np.trace(V) / len(V) * np.eye(len(V))


def _evidence(V: np.ndarray, residual: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(checkpoints,) the evidence, the likeliest onset so far, and the expected fault given that onset."""
    n = len(residual)
    # a fault from k on, (checkpoints, onsets)
    steps = np.tril(np.ones((n, n)))
    white = np.linalg.solve(np.linalg.cholesky(_regular(V)), np.column_stack([residual, steps]))
    z, shape = white[:, 0], white[:, 1:]
    faults = size * np.log1p(np.array(FAULTS))
    log_ratio = np.cumsum(
        faults * shape[..., None] * z[:, None, None] - 0.5 * np.square(faults * shape[..., None]), axis=0
    )
    begun = np.tril(np.ones((n, n), dtype=bool))
    ratio = np.where(begun[..., None], np.exp(np.minimum(log_ratio, 600.0)), 1.0)
    by_onset = ratio.mean(axis=-1)
    weight = _onsets(n)
    # what has not begun is worth 1
    evidence = np.where(begun, weight * by_onset, 0.0).sum(axis=1) + 1 - np.cumsum(weight)
    onset = np.where(begun, by_onset, -np.inf).argmax(axis=1)
    at = np.take_along_axis(ratio, onset[:, None, None], axis=1)[:, 0]
    return evidence, onset, (at * np.array(FAULTS)).sum(axis=1) / at.sum(axis=1)


def _onsets(n: int) -> np.ndarray:
    """(checkpoints,) belief beforehand that a fault begins at each, at most 1 in all."""
    k = np.arange(n, dtype=float)
    return np.where(k < LOOKS, EARLY / LOOKS, (1 - EARLY) * LOOKS / ((k + 1) * np.maximum(k, 1)))


def _one_ahead(V: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of every residual given those before it."""
    root = np.linalg.cholesky(_regular(V))
    z = np.linalg.solve(root, residual)
    spread = np.diag(root)
    return residual - spread * z, spread


def _at_the_end(V: np.ndarray, residual: np.ndarray, onset: int | None) -> tuple[float, float]:
    """Mean and spread of the residual at the end given the run; a fault that was seen stays as it is."""
    seen, cross, own = V[:-1, :-1], V[-1, :-1], V[-1, -1]
    if onset is not None:
        wide = 100 * np.trace(V) / len(V)
        late = (np.arange(len(residual)) >= onset).astype(float)
        seen, cross, own = seen + wide * np.outer(late, late), cross + wide * late, own + wide
    gain = np.linalg.solve(_regular(seen), cross)
    return float(gain @ residual), float(np.sqrt(max(own - gain @ cross, 0.0)))
