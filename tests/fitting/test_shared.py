"""Parameters shared across groups: the joint optimum against SciPy's, and its certificate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

import scaling_jax as sj

TRUE = {"alpha": 0.34, "beta": 0.30}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Six groups of twelve runs: own E, A and B, common exponents, 0.3 % noise."""
    rng = np.random.default_rng(1)
    parts = []
    for g in range(6):
        N, D = (
            np.exp(rng.uniform(np.log(low), np.log(high), 12)) for low, high in ((1e7, 1e10), (1e8, 1e12))
        )
        E, A, B = rng.uniform(1, 2.5), np.exp(rng.uniform(5, 7)), np.exp(rng.uniform(6, 8))
        loss = sj.laws.chinchilla(N, D, E=E, A=A, B=B, **TRUE) * np.exp(rng.normal(0, 0.003, 12))
        parts.append(pd.DataFrame({"N": N, "D": D, "loss": loss, "family": f"f{g}"}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def fits(table: pd.DataFrame) -> sj.FitGroups:
    return sj.fit_groups(
        sj.laws.chinchilla, table, by="family", shared=["alpha", "beta"], objective=sj.SquaredError()
    )


def test_shared_values_are_one_and_near_the_truth(fits: sj.FitGroups) -> None:
    for name, value in TRUE.items():
        assert len(set(fits.params[name])) == 1
        # 72 runs with .3 % noise leave the exponents a standard error near .01
        assert fits.params[name].iloc[0] == pytest.approx(value, abs=0.04)


def test_joint_optimum_is_at_least_as_low_as_scipys(fits: sj.FitGroups, table: pd.DataFrame) -> None:
    group = pd.factorize(table["family"])[0]

    def residual(x: np.ndarray) -> np.ndarray:
        E, A, B = np.exp(x[2:].reshape(6, 3))[group].T
        return np.log(E + A / table["N"] ** x[0] + B / table["D"] ** x[1]) - np.log(table["loss"])

    start = np.concatenate([[0.3, 0.3], np.log(fits.params[["E", "A", "B"]].to_numpy()).ravel()])
    theirs = least_squares(residual, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=3000)
    ours = sum(f.objective_value for f in fits.values())
    assert ours <= 2 * theirs.cost * (1 + 1e-9)
    assert fits.gain_left < 1e-9


def test_sharing_costs_fit_and_is_said_in_the_summary(fits: sj.FitGroups, table: pd.DataFrame) -> None:
    apart = sj.fit_groups(sj.laws.chinchilla, table, by="family", objective=sj.SquaredError())
    assert sum(f.objective_value for f in apart.values()) < sum(f.objective_value for f in fits.values())
    assert "one value of alpha, beta for all" in fits.summary()
    assert "shared by all groups" in fits["f0"].summary()


def test_unknown_or_doubly_bound_names_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="has no parameter gamma"):
        sj.fit_groups(sj.laws.chinchilla, table, by="family", shared=["gamma"])
    with pytest.raises(ValueError, match="cannot be shared and fixed or tied"):
        sj.fit_groups(sj.laws.chinchilla, table, by="family", shared=["alpha"], fixed={"alpha": 0.3})
