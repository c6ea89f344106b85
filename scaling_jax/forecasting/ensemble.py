"""From members to one distribution: weights by back-test, a centre, and how far the truth may lie from it.

The band's half-width is a sum of what is known to make forecasts err: residual scatter, parameters that the
rows leave open, members that disagree, the family's own back-tests, and the distance beyond the data. What
each counts is learned on other families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_jax.forecasting.members import Batch

__all__ = ["CAUSES", "Judged", "Outlook", "judge", "outlook"]

CAUSES = ("residuals", "parameters", "members", "backtest", "decades", "least")
NEAR = 0.05  # decades of compute that even a run inside the data is ahead
GROWTH = 0.5  # power of the horizon by which errors of back-tests are carried to another one
SHARPNESS = 0.25  # of relative errors, over which a member's weight falls by e
SENSELESS = 1.0  # error, in logarithms, of a member that says nothing, and the most that counts
PRIOR_WORTH = 4.0  # back-tests that what is known from other families is worth


@dataclass(frozen=True, eq=False)
class Judged:
    """Back-tests of one table: what every member said of runs that were kept back.

    Args:
        error: (members, tests) log prediction less log truth.
        horizon: (tests,) decades of compute ahead.
        share: (tests,) the weight of each, one in total per cut-off.
    """

    error: np.ndarray
    horizon: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class Outlook:
    """What an ensemble says of points, before it is calibrated.

    Args:
        centre: (points,) log predictions.
        weights: (members, points).
        causes: (points, causes) what may make it err, in logarithms, in the order of `CAUSES`.
    """

    centre: np.ndarray
    weights: np.ndarray
    causes: np.ndarray


def judge(batch: Batch, which: Sequence[int]) -> Judged:
    """The back-tests among some of the cut-offs of a batch."""
    cuts = [batch.cuts[c] for c in which]
    error = [batch.predicted[c] - cut.truth for c, cut in zip(which, cuts, strict=True)]
    if not cuts:
        return Judged(np.zeros((len(batch.members), 0)), np.zeros(0), np.zeros(0))
    horizon = np.concatenate([np.maximum(cut.horizon, NEAR) for cut in cuts])
    share = np.concatenate([np.full(len(cut.truth), 1 / len(cut.truth)) for cut in cuts])
    found = np.nan_to_num(np.concatenate(error, axis=1), nan=SENSELESS, posinf=SENSELESS, neginf=-SENSELESS)
    return Judged(np.clip(found, -SENSELESS, SENSELESS), horizon, share)


def outlook(batch: Batch, at: int, tests: Judged, usual: np.ndarray, untested: float) -> Outlook:
    """What the members say together of the points of one cut-off.

    Args:
        batch: the members, fitted.
        at: which cut-off.
        tests: back-tests inside its rows.
        usual: (members,) relative errors of the members on other families.
        untested: error that stands for back-tests where there are none, at one decade.
    """
    cut = batch.cuts[at]
    ahead = np.maximum(cut.horizon, NEAR)
    close = tests.share * np.exp(-np.abs(np.log(tests.horizon / ahead[:, None])))
    silent = ~np.isfinite(batch.predicted[at])
    said = np.where(silent, 0.0, batch.predicted[at])
    unsure = np.minimum(np.nan_to_num(batch.unsure[at], nan=SENSELESS), SENSELESS)
    weights = _weights(np.abs(tests.error), close, usual, silent)
    centre = (weights * said).sum(axis=0)
    growth = (ahead[:, None] / tests.horizon) ** GROWTH
    missed = close * ((weights.T @ tests.error) * growth) ** 2
    amount = close.sum(axis=1)
    known = np.sqrt(missed.sum(axis=1) / np.maximum(amount, 1e-12))
    backtest = np.where(amount > 0, known, untested * ahead**GROWTH)
    causes = [
        weights.T @ batch.scale[:, at],
        (weights * unsure).sum(axis=0),
        np.sqrt((weights * (said - centre) ** 2).sum(axis=0)),
        backtest,
        cut.rows.beyond(cut.points),
        np.ones(len(ahead)),
    ]
    return Outlook(centre, weights, np.stack(causes, axis=1))


def _weights(error: np.ndarray, close: np.ndarray, usual: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """(members, points) weights out of absolute errors (members, tests), how close each test is to each point
    (points, tests), what is usual (members,), and where a member says nothing."""
    amount = close.sum(axis=1)
    mean = error @ close.T / np.maximum(amount, 1e-12)
    relative = mean / np.maximum(mean.mean(axis=0), 1e-4)
    score = (PRIOR_WORTH * usual[:, None] + amount * relative) / (PRIOR_WORTH + amount)
    weight = np.where(silent, 0.0, np.exp(-(score - score.min(axis=0)) / SHARPNESS))
    return weight / weight.sum(axis=0)
