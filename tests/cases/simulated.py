"""Simulated runs of a known law: forty that most tests of `fit` use, and fifty noisier ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def chinchilla_runs(rows: int, noise: float, seed: int = 0) -> pd.DataFrame:
    """Runs of the Chinchilla law, sizes and tokens drawn evenly in logs, with log-normal noise."""
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(np.log(1e7), np.log(1e10), rows))
    D = np.exp(rng.uniform(np.log(1e9), np.log(1e12), rows))
    loss = sj.laws.chinchilla(N, D, **TRUTH) * np.exp(rng.normal(0, noise, rows))
    return pd.DataFrame({"N": N, "D": D, "loss": loss})


ROWS = 40
LENGTHS = [1, 7, 4, 4, 4, 4, 4, 4, 4, 4]  # of ten runs
TABLE = chinchilla_runs(ROWS, 0.005).assign(run_id=np.repeat(np.arange(10), LENGTHS))
N, D, LOSS = TABLE[["N", "D", "loss"]].to_numpy().T
FIFTY = chinchilla_runs(50, 0.01)
SIX = pd.DataFrame({
    "N": [1e6, 1e7, 1e8, 1e9, 1e6, 1e7],
    "D": [1e9, 1e9, 1e10, 1e10, 1e10, 1e11],
    "loss": [4.0, 3.5, 3.0, 2.5, 3.6, 3.1],
    "family": list("aaabbb"),
})  # fmt: skip


def another(seed: int) -> dict[str, np.ndarray]:
    """24 random runs of a random Chinchilla law with 1 % noise."""
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7, 10, 24), 10 ** rng.uniform(9, 12, 24)
    E, A, B = rng.uniform(1.2, 2.2), 10 ** rng.uniform(2, 3), 10 ** rng.uniform(2, 3.5)
    alpha, beta = rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5)
    loss = sj.laws.chinchilla(N, D, E=E, A=A, B=B, alpha=alpha, beta=beta)
    return {"N": N, "D": D, "loss": loss * np.exp(0.01 * rng.normal(size=24))}


def fit(table: Any = TABLE, **options: Any) -> sj.FitResult:
    """The Chinchilla law fitted to the forty runs, or to another table."""
    return sj.fit(sj.laws.chinchilla, table, **options)


def same(one: sj.FitResult, other: sj.FitResult) -> None:
    """Both are one optimum: parameters are known to about the root of the objective's precision."""
    assert one.objective_value == pytest.approx(other.objective_value, rel=1e-10)
    np.testing.assert_allclose(one.numbers, other.numbers, rtol=1e-6)
