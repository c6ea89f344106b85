"""Noise-free runs at equal compute, around the optimum of Hoffmann et al.'s law."""

from __future__ import annotations

import numpy as np
import pandas as pd

import scaling_jax as sj

LAW = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
FLOPS = [1e19, 1e20, 1e21, 1e22]
SHARE = 0.28 / 0.62


def centred(factor, params=LAW, points=15):
    """Runs within a factor of each budget's best size, and the best runs."""
    best = sj.compute_optimal((sj.laws.chinchilla, params), FLOPS)
    N = (best["N"].to_numpy()[:, None] * np.geomspace(1 / factor, factor, points)).ravel()
    C = np.repeat(FLOPS, points)
    return pd.DataFrame(
        {"C": C, "N": N, "D": C / (6 * N), "loss": sj.laws.chinchilla(N, C / (6 * N), **params)}
    ), best
