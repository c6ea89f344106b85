r"""Few training runs: how much wider draws have to be, and when runs are too few for any interval.

A run's luck is common to all of its rows, so how far an answer may be off is known from as many numbers as
there are runs, less the parameters that are settled between them. Draws are spread as Student's t with so
many degrees of freedom is, about the estimate and in search coordinates,

$$z_i \to \hat z + \sqrt{\frac{R}{R-1}} \sqrt{\frac{\nu}{\chi^2_{\nu,i}}} \, (z_i - \hat z), \qquad
  \nu = R - \sum_r h_r,$$

h_r the share of run r's luck that the fit takes up. What this was measured to hold is in `HELD`
(benchmarks/coverage_few_runs.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scaling_jax.engine.coordinates import search_bounds, to_natural, to_search
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.uncertainty.resample import few_clusters
from scaling_jax.uncertainty.sandwich import row_slopes
from scaling_jax.uncertainty.tails import chi_square_quantile

__all__ = ["Few", "check_runs", "few_runs", "held_words", "too_few", "widened"]

LEAST = 0.9  # degrees of freedom under which no interval is given
TAIL = 0.01  # of the chi-square: beyond it draws would only be absurd
HELD = {4: (86, 100), 5: (93, 100), 6: (86, 100), 8: (91, 100), 12: (87, 97)}


class Few(NamedTuple):
    """How many runs there are, and the degrees of freedom that they leave."""

    runs: int
    freedom: float


def few_runs(fit: Fitted) -> Few | None:
    """What few runs leave to judge a fit by; None where runs are many, or every row is one."""
    if fit.reason or fit.runs is None or (code := few_clusters(fit)) is None:
        return None
    runs = int(code.max()) + 1
    return Few(runs, runs - _settled(row_slopes(fit) @ fit.evidence.tie, code, fit.data().weight))


def _settled(slopes: np.ndarray, code: np.ndarray, weight: np.ndarray) -> float:
    """How many parameters are settled between runs: what the fit takes up of luck that all rows of a run have
    in common, summed over runs."""
    root = np.sqrt(weight)[:, None]
    length = np.linalg.norm(slopes * root, axis=0)
    used = length > 0
    basis, values, _ = np.linalg.svd(slopes[:, used] * root / length[used], full_matrices=False)
    basis = basis[:, values > 1e-10 * values[:1].max(initial=0.0)]
    luck = (code[:, None] == np.arange(code.max() + 1)) * root
    luck = luck / np.linalg.norm(luck, axis=0)
    return float(np.sum((luck.T @ basis) ** 2))


def too_few(fit: Fitted) -> str:
    """Why the runs of a fit allow no interval, or an empty string."""
    for one in fit.companions if fit.shared and fit.together else [fit]:
        few = few_runs(one)
        if few is not None and few.freedom < LEAST:
            return (
                f"{few.runs} training runs settle {few.runs - few.freedom:.2g} parameters between them, "
                "which leaves nothing to say how far a run's luck reaches: an interval would be far too "
                "narrow. Train more runs (seeds count), or fix or tie parameters."
            )
    return ""


def check_runs(fit: Fitted) -> None:
    """Refuses intervals that would mislead.

    Raises:
        ValueError: where runs are too few.
    """
    if reason := too_few(fit):
        raise ValueError(reason)


def widened(fit: Fitted, numbers: np.ndarray) -> np.ndarray:
    """Draws (draws, labels) spread as few runs ask for; as they are where runs are many.

    Groups that share parameters are spread alike, by the one that leaves least.
    """
    found = [few for one in (fit.companions if fit.shared else [fit]) if (few := few_runs(one)) is not None]
    if not found:
        return numbers
    runs, freedom = min(found, key=lambda few: few.freedom)
    share = np.random.default_rng(0).permutation((np.arange(len(numbers)) + 0.5) / len(numbers))
    scale = np.sqrt(runs / (runs - 1) * freedom / chi_square_quantile(share.clip(TAIL), freedom))
    domains = fit.law.label_domains
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centre, z = to_search(domains, fit.numbers), to_search(domains, numbers)
        moved = np.clip(centre + scale[:, None] * (z - centre), *search_bounds(domains))
        return np.where(z == centre, numbers, to_natural(domains, np.where(np.isfinite(moved), moved, z)))


def held_words(fit: Fitted) -> str:
    """How often intervals held the truth with so few runs, in words; empty where runs are many."""
    few = few_runs(fit)
    if few is None:
        return ""
    low, high = HELD[max((runs for runs in HELD if runs <= few.runs), default=min(HELD))]
    return (
        f"with {few.runs} training runs, where the law is true, nominal 90 % intervals held {low} to {high} %"
    )
