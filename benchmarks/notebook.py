"""The objective of a careful notebook, in NumPy: what the SciPy loops beside us minimise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

DELTA = 1e-3


def huber_of_logs(
    N: np.ndarray, D: np.ndarray, loss: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Sum of Huber(1e-3) losses of log residuals of Chinchilla's law, with its exact gradient.

    Takes x = (ln E, ln A, ln B, alpha, beta).
    """
    log_n, log_d, y = np.log(N), np.log(D), np.log(loss)

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        e, a, b, alpha, beta = x
        terms = np.exp([np.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
        total = terms.sum(0)
        r = np.log(total) - y
        size = np.abs(r)
        share = np.clip(r, -DELTA, DELTA) * terms / total
        by_term = share.sum(axis=1)
        slope = np.array([*by_term, -(share[1] * log_n).sum(), -(share[2] * log_d).sum()])
        return float(np.where(size <= DELTA, r**2 / 2, DELTA * (size - DELTA / 2)).sum()), slope

    return both
