"""Fits with known constants, and the posterior of one, which the tests of posteriors share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

# ArviZ 0.23 announces its successor on import; nothing for us to do, since `_arviz.py` serves both
ANNOUNCED = pytest.mark.filterwarnings("ignore:[\\s\\S]*ArviZ is undergoing:FutureWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(ANNOUNCED)


TRUTH = {"E": 1.8, "A": 400.0, "B": 800.0, "alpha": 0.34, "beta": 0.3}


def table(run_sd: float = 0.0, seed: int = 0, **truth: float) -> pd.DataFrame:
    N, D = np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5), indexing="ij")
    design = pd.DataFrame({"N": N.ravel(), "D": D.ravel(), "run": np.repeat(np.arange(5), 5)})
    return sj.datasets.simulate(
        sj.laws.chinchilla, TRUTH | truth, design, noise=0.005, run="run", run_sd=run_sd, seed=seed
    )


@pytest.fixture(scope="session")
def fit() -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, table(), objective=sj.SquaredError(on="log"), starts=8)


@pytest.fixture(scope="session")
def families() -> sj.FitGroups:
    parts = [
        table(run_sd=0.005, seed=i, alpha=0.30 + 0.02 * i).assign(
            family=f"f{i}", run=lambda t, i=i: t["run"] + 10 * i
        )
        for i in range(4)
    ]
    return sj.fit_groups(sj.laws.chinchilla, pd.concat(parts), by="family", run="run", starts=8)


@pytest.fixture(scope="session")
def posterior(fit: sj.FitResult):
    pytest.importorskip("numpyro")
    return fit.posterior(observation="lognormal", warmup=300, draws=500)
