"""How wide a band must be: what each cause of error counts, by the interval score on past forecasts."""

from __future__ import annotations

import numpy as np

__all__ = ["LEVEL", "interval_score", "learned_degrees", "learned_widths"]

LEVEL = 0.9  # of the band whose half-width is learned
STAY = 0.05  # how much a squared change of a coefficient's logarithm costs, beside the score of one suite
DEGREES = (3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0)
FLOOR = 1e-4  # of a coefficient: a cause may count for nothing


def interval_score(half: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Width plus 2 / (1 - level) times the miss (Gneiting and Raftery 2007, eq. 43)."""
    return 2 * half + 2 / (1 - LEVEL) * np.maximum(np.abs(error) - half, 0.0)


def learned_widths(
    causes: np.ndarray, error: np.ndarray, share: np.ndarray, start: np.ndarray, worth: float
) -> np.ndarray:
    """The coefficients, none negative, under which `causes @ coefficients` scores best as a half-width.

    Args:
        causes: (tasks, causes).
        error: (tasks,) in logarithms.
        share: (tasks,) weights that sum to the number of suites.
        start: (causes,) where to begin, and what to stay near.
        worth: suites that the start was learned from.
    """
    from scipy.optimize import minimize

    begin = np.log(np.maximum(start, FLOOR))
    usual = float(share @ interval_score(causes @ np.exp(begin), error)) / share.sum()

    def cost(logs: np.ndarray) -> float:
        score = float(share @ interval_score(causes @ np.exp(logs), error)) / usual
        return score + STAY * (1 + worth) * float(np.sum((logs - begin) ** 2))

    found = minimize(
        cost, begin, method="Nelder-Mead", options={"maxiter": 3000, "xatol": 1e-3, "fatol": 1e-5}
    )
    return np.exp(found.x)


def learned_degrees(unit: np.ndarray, share: np.ndarray) -> float:
    """The degrees of freedom of the Student t under which errors in units of the half-width are likeliest."""
    from scipy.special import gammaln, stdtrit

    def fit(df: float) -> float:
        size = unit * stdtrit(df, 0.5 + LEVEL / 2)
        log_scale = np.log(stdtrit(df, 0.5 + LEVEL / 2))
        norm = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
        return float(share @ (norm + log_scale - (df + 1) / 2 * np.log1p(size**2 / df)))

    return max(DEGREES, key=fit)
