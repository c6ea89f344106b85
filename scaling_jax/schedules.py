"""Learning-rate schedules, one rate per update: planned ones, and those of a log.

`constant`, `cosine`, `wsd` and `cooldown` give rates, `from_table` reads them off a log, and laws of curves
(`laws.tissue`, `laws.multi_power`) take either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.curves import KNOTS, Rates

__all__ = ["Shape", "constant", "cooldown", "cosine", "curve", "from_table", "wsd"]

Shape = Literal["linear", "1-sqrt", "cosine", "exponential"]
LEFT = {  # share of the way from the final rate back to the peak, at a share x of the cooldown
    "linear": lambda x: 1 - x,
    "1-sqrt": lambda x: 1 - np.sqrt(x),
    "cosine": lambda x: (1 + np.cos(np.pi * x)) / 2,
}
SHAPES = (*LEFT, "exponential")
MOST = 10**9  # updates: more is a number of tokens


@checked
def constant(steps: int, peak: float, *, warmup: int = 0) -> np.ndarray:
    r"""A rate that is held after a linear rise.

    $$\eta_i = \eta_{max} \min(1, i / W)$$

    Args:
        steps: updates of the run.
        peak: the rate, absolute.
        warmup: updates W of the rise from zero; update W is the first at the peak.

    Returns:
        Array (steps,): the rate of updates 1 to `steps`.

    Raises:
        ValueError: where steps, rates or warm-up do not make a schedule.

    >>> constant(5, 1.0, warmup=4).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    _check(steps, peak, 0.0, warmup)
    update = np.arange(1, steps + 1)
    return peak * np.minimum(update / max(warmup, 1), 1.0)


@checked
def cosine(steps: int, peak: float, *, final: float = 0.0, warmup: int = 0) -> np.ndarray:
    r"""Half a cosine from the peak to the final rate, over all updates after the warm-up.

    $$\eta_i = \eta_{min} + \tfrac12(\eta_{max} - \eta_{min})(1 + \cos \pi x), \quad x = (i - W)/(T - W)$$

    Args:
        steps: updates T of the run.
        peak: highest rate.
        final: rate of the last update.
        warmup: updates W of the linear rise from zero.

    Returns:
        Array (steps,): the rate of updates 1 to `steps`.

    Raises:
        ValueError: where steps, rates or warm-up do not make a schedule.

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts.

    >>> cosine(4, 1.0, final=0.2).round(3).tolist()
    [0.883, 0.6, 0.317, 0.2]
    """
    return cooldown(steps, peak, shape="cosine", final=final, warmup=warmup)


@checked
def cooldown(
    steps: int, peak: float, *, shape: Shape = "1-sqrt", final: float = 0.0, warmup: int = 0
) -> np.ndarray:
    r"""A rate that falls from the first update after the warm-up to the last.

    With x the share of the way, $\eta = \eta_{min} + (\eta_{max} - \eta_{min}) f(x)$ and $f$ one of $1 - x$
    ("linear"), $1 - \sqrt x$ ("1-sqrt"), $(1 + \cos \pi x)/2$ ("cosine"); "exponential" is
    $\eta_{max} (\eta_{min}/\eta_{max})^x$.

    Args:
        steps: updates of the run.
        peak: highest rate.
        shape: "linear", "1-sqrt", "cosine" or "exponential".
        final: rate of the last update; above zero for "exponential".
        warmup: updates of the linear rise from zero.

    Returns:
        Array (steps,): the rate of updates 1 to `steps`.

    Raises:
        ValueError: for an unknown shape, or where steps, rates or warm-up do not make a schedule.

    Source: Hägele et al. 2024 (arXiv:2405.18392), section 3.

    >>> cooldown(4, 1.0, shape="1-sqrt").round(3).tolist()
    [0.5, 0.293, 0.134, 0.0]
    """
    return wsd(steps, peak, cooldown=steps - warmup, shape=shape, final=final, warmup=warmup)


@checked
def wsd(
    steps: int,
    peak: float,
    *,
    cooldown: float = 0.2,
    shape: Shape = "1-sqrt",
    final: float = 0.0,
    warmup: int = 0,
) -> np.ndarray:
    """Warm-up, a stable stretch at the peak, and a decay at the end.

    Args:
        steps: updates of the run.
        peak: rate of the stable stretch.
        cooldown: updates of the decay, or their share of the run where it is below 1.
        shape: "linear", "1-sqrt", "cosine" or "exponential", as in `cooldown`.
        final: rate of the last update; above zero for "exponential".
        warmup: updates of the linear rise from zero.

    Returns:
        Array (steps,): the rate of updates 1 to `steps`.

    Raises:
        ValueError: for an unknown shape, or where steps, rates, warm-up or cooldown do not make a schedule.

    Source: Hu et al. 2024, MiniCPM (arXiv:2404.06395), section 4; Hägele et al. 2024 (arXiv:2405.18392).

    >>> wsd(10, 1.0, cooldown=4, shape="linear", warmup=2).tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    rates = constant(steps, peak, warmup=warmup)
    _check(steps, peak, final, warmup)
    length = _length(cooldown, steps, warmup)
    share = np.arange(1, length + 1) / max(length, 1)
    rates[steps - length :] = _falling(share, peak, final, shape)
    return rates


@checked
def curve(rates: ArrayLike, *, warmup: int | None = None, knots: int = KNOTS) -> Rates:
    """A schedule with its own word on the warm-up, for what takes a curve; the rates alone do otherwise.

    From a checkpoint a law of curves sees at most `knots` stretches of falling rate, narrow where they are
    near. No more changes than that (constant, one drop, steps) are exact; a decay is smoothed, and the error
    falls as the square of knots: on the nine curves of Luo et al. 2025 24 knots err by at most 8e-5 nats.

    Args:
        rates: rate of updates 1, 2, ... of the run, absolute, every one of them.
        warmup: updates whose changes of rate release nothing; by default all before the rate first falls. 0
            counts every change, the first rise from zero too.
        knots: stretches that are seen.

    Returns:
        What `sj.fit` and `predict` take for an input that is a curve.

    Raises:
        ValueError: for rates that are negative or not finite, or a warm-up or knots below what there is.

    >>> curve(cosine(1000, 3e-4, warmup=100))
    <curve of 1000 updates>
    """
    if warmup is not None and warmup < 0:
        raise ValueError(f"warmup={shown(warmup)}: give a number of updates, 0 or more.")
    if knots < 1:
        raise ValueError(f"knots={shown(knots)}: give a number of stretches, 1 or more.")
    try:
        return Rates(rates, warmup, knots)
    except ValueError as error:
        raise ValueError(f"rates: {error}; give one rate for every update.") from None


@checked
def from_table(
    table: pd.DataFrame, *, run: str = "run", step: str = "step", lr: str = "lr", warmup: int | None = None
) -> pd.DataFrame:
    """A log of checkpoints with the whole curve of its run in place of each logged rate.

    Between two records the rate is a straight line, and before the first it rises from zero. Rows without a
    rate (trackers log rates and losses at different updates) lie on the line of the others, and a record of
    update 0 is of no update.

    Args:
        table: a row per run and logged update, as `sj.read_runs` gives it.
        run: column of the run's name.
        step: column of the update, 1 or more.
        lr: column of the rate at that update; or of whatever else is a curve of the run.
        warmup: as in `curve`.

    Returns:
        The table with curves in column `lr`: `sj.fit(sj.laws.tissue, table, run=run)` takes them from there.

    Raises:
        ValueError: for a column that is missing, updates that are none, rates that make no curve, or that end
            before the run does.

    >>> log = pd.DataFrame({"run": "a", "step": [1, 3, 5], "lr": [1.0, 1.0, 0.5], "loss": [3.0, 2.5, 2.0]})
    >>> from_table(log)["lr"].iloc[0].rates.tolist()
    [1.0, 1.0, 1.0, 0.75, 0.5]
    """
    if lost := [name for name in (run, step, lr) if name not in table.columns]:
        raise ValueError(f"There is no column {shown(lost[0])}: the table has {', '.join(table.columns)}.")
    curves = {
        name: _interpolated(rows[step].to_numpy(), rows[lr].to_numpy(), name, warmup)
        for name, rows in table.groupby(run, sort=False)
    }
    return table.assign(**{lr: table[run].map(curves)})


def with_curves(table: pd.DataFrame, columns: str | Sequence[str]) -> pd.DataFrame:
    """A log with the curves of its runs in the named columns, as `from_table` makes them."""
    named: object = [columns] if isinstance(columns, str) else columns
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise ValueError(f"curves={shown(columns)}: give a column's name, or a list of them.")
    for column in named:
        table = from_table(table, lr=column)
    return table


def _interpolated(steps: ArrayLike, rates: ArrayLike, run: object, warmup: int | None) -> Rates:
    """The rate of every update of one run out of those that were logged."""
    at, logged = np.asarray(steps, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if not ((at >= 0) & (at == np.floor(at)) & (at <= MOST)).all() or not at.max() >= 1:
        raise ValueError(f"Run {shown(run)}: updates are whole numbers from 1.")
    last = int(at.max())
    known = ~np.isnan(logged) & (at >= 1)
    at, logged = at[known], logged[known]
    if not len(at) or at.max() < last:
        ends = f"its last rate is of update {at.max():.0f}" if len(at) else "it has no rate"
        raise ValueError(f"Run {shown(run)}: {ends}, and its rows go to {last}: log the rate to the end.")
    order = np.argsort(at, kind="stable")
    every = np.arange(1, last + 1)
    try:
        return Rates(np.interp(every, np.append(0.0, at[order]), np.append(0.0, logged[order])), warmup)
    except ValueError as error:
        raise ValueError(f"Run {shown(run)}: {error}; log a rate beside every checkpoint.") from None


def _falling(share: np.ndarray, peak: float, final: float, shape: str) -> np.ndarray:
    if shape not in SHAPES:
        raise ValueError(f"shape={shown(shape)}: there are {', '.join(map(repr, SHAPES))}.")
    if shape != "exponential":
        return final + (peak - final) * LEFT[shape](share)
    if final <= 0:
        raise ValueError(f"final={shown(final)}: an exponential never reaches zero; give a rate above it.")
    return peak * (final / peak) ** share


def _length(cooldown: float, steps: int, warmup: int) -> int:
    """Updates of the decay."""
    length = round(cooldown * steps) if cooldown < 1 else cooldown
    if cooldown < 0 or length != int(length) or length > steps - warmup:
        raise ValueError(
            f"cooldown={shown(cooldown)}: give whole updates, or a share below 1, that fit into the "
            f"{steps - warmup} updates after the warm-up."
        )
    return int(length)


def _check(steps: int, peak: float, final: float, warmup: int) -> None:
    if not 1 <= steps <= MOST:
        raise ValueError(f"steps={shown(steps)}: give a number of updates from 1 to {MOST:g}.")
    if not 0 < peak < np.inf:
        raise ValueError(f"peak={shown(peak)}: give a finite rate above zero.")
    if not 0 <= final <= peak:
        raise ValueError(f"final={shown(final)}: give a rate from zero to the peak, {peak:g}.")
    if not 0 <= warmup <= steps:
        raise ValueError(f"warmup={shown(warmup)}: give updates from 0 to the {steps} of the run.")
