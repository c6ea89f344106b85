"""Learning-rate schedules, one rate per update, and what laws of schedules read off them: S1 and S2.

`constant`, `cosine`, `wsd` and `cooldown` give curves; `features` sums a curve, planned or logged, up to any
checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Labels
from scaling_jax.core.checked import checked, shown

__all__ = ["Shape", "constant", "cooldown", "cosine", "features", "wsd"]

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
def features(
    lr: ArrayLike | Mapping[object, ArrayLike],
    at: ArrayLike | None = None,
    *,
    run: Labels | None = None,
    momentum: float = 0.999,
    warmup: int | None = None,
) -> dict[str, np.ndarray]:
    r"""The sum of rates S1 and the annealing area S2 of a schedule, at checkpoints: the inputs of `tissue`.

    $$S_1(s) = \sum_{i \le s} \eta_i, \qquad S_2(s) = \sum_{i \le s} m_i, \qquad
      m_i = \lambda m_{i-1} + (\eta_{i-1} - \eta_i)$$

    Args:
        lr: rate of updates 1, 2, ... of the run, absolute, every one of them (rates that were logged now and
            then: `np.interp(np.arange(1, last + 1), steps, rates)`); or one such curve per name of a mapping.
        at: checkpoints, as numbers of updates done; every update by default.
        run: where `lr` is a mapping, the name of each checkpoint's curve.
        momentum: decay of the annealing momentum per update, lambda, at least 0 and below 1.
        warmup: updates whose changes of rate do not enter S2; by default all before the rate first falls.

    Returns:
        {"S1": array, "S2": array}, in units of the rate, as long as `at`; `table.assign(**features(...))`
        puts them beside it.

    Raises:
        ValueError: for rates that are negative or not finite, checkpoints beyond the curve, unknown names.

    Known to go wrong: a decay is worth drop / (1 - lambda) in the end, so C of the law belongs to the lambda
    it was fitted with.

    Source: Tissue et al. 2024 (arXiv:2408.11029); lambda .99 to .999.

    >>> sums = features([1.0, 1.0, 0.5, 0.5], at=[2, 4], momentum=0.5)
    >>> sums["S1"].tolist(), sums["S2"].tolist()
    ([2.0, 3.0], [0.0, 0.75])
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum={shown(momentum)}: give a number from 0 to below 1, such as 0.999.")
    if warmup is not None and warmup < 0:
        raise ValueError(f"warmup={shown(warmup)}: give a number of updates, 0 or more.")
    if not isinstance(lr, Mapping):
        if run is not None:
            raise ValueError("run= names the curve of each checkpoint: give lr as a mapping of curves.")
        sums = _sums(_curve(lr, "lr"), momentum, warmup)
        return _taken(sums, _updates(at, sums.shape[1], "lr"))
    if run is None or at is None:
        raise ValueError("lr is a mapping of curves: give at= and run=, update and curve of each checkpoint.")
    return _of_runs(lr, np.atleast_1d(at), np.asarray(run, dtype=object), momentum, warmup)


def _of_runs(
    curves: Mapping[object, ArrayLike], at: np.ndarray, run: np.ndarray, momentum: float, warmup: int | None
) -> dict[str, np.ndarray]:
    """Sums at the checkpoints of many runs; each curve is summed once."""
    if at.shape != run.shape:
        raise ValueError(f"at has {at.size} checkpoints and run {run.size} names: give one name for each.")
    names = list(dict.fromkeys(run.tolist()))
    code = dict(zip(names, range(len(names)), strict=True))
    codes = np.array([code[name] for name in run.tolist()], dtype=np.int64)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]) if names else []
    out = {"S1": np.empty(len(at)), "S2": np.empty(len(at))}
    for name, rows in zip(names, members, strict=True):
        if name not in curves:
            raise ValueError(f"run: no curve is called {shown(name)}; there are {shown(list(curves))}.")
        title = f"lr[{name!r}]"
        sums = _sums(_curve(curves[name], title), momentum, warmup)
        for feature, values in _taken(sums, _updates(at[rows], sums.shape[1], title)).items():
            out[feature][rows] = values
    return out


def _sums(rates: np.ndarray, momentum: float, warmup: int | None) -> np.ndarray:
    """S1 and S2 after every update, (2, updates)."""
    from scipy.signal import lfilter

    drops = -np.diff(rates, prepend=rates[:1])
    drops[: _rise(drops) if warmup is None else warmup] = 0.0
    return np.stack([np.cumsum(rates), np.cumsum(lfilter([1.0], [1.0, -momentum], drops))])


def _rise(drops: np.ndarray) -> int:
    """Updates before the rate first falls."""
    falls = drops > 0
    return int(np.argmax(falls)) if falls.any() else len(drops)


def _taken(sums: np.ndarray, updates: np.ndarray) -> dict[str, np.ndarray]:
    return {"S1": sums[0, updates - 1], "S2": sums[1, updates - 1]}


def _curve(lr: ArrayLike, title: str) -> np.ndarray:
    rates = np.asarray(lr, dtype=np.float64)
    if rates.ndim != 1 or not rates.size:
        raise ValueError(f"{title}: give one rate per update, got an array of shape {rates.shape}.")
    bad = ~np.isfinite(rates) | (rates < 0)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"{title} is {rates[first]} at update {first + 1}: rates are finite and not negative; "
            "give one for every update, not for logged ones alone."
        )
    return rates


def _updates(at: ArrayLike | None, length: int, title: str) -> np.ndarray:
    """Checkpoints as whole numbers of updates, each within the curve."""
    if at is None:
        return np.arange(1, length + 1)
    asked = np.atleast_1d(np.asarray(at, dtype=np.float64))
    bad = ~((asked >= 1) & (asked <= length) & (asked == np.floor(asked)))
    if bad.any():
        raise ValueError(
            f"at holds {asked[np.argmax(bad)]:g}, and {title} has updates 1 to {length}: give whole numbers "
            "of updates within the curve, and a rate for every update (np.interp fills in those not logged)."
        )
    return asked.astype(np.int64)


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
