"""The likelihood of each objective: published values, numerical integration, and what must not change it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize

import scaling_jax as sj
from scaling_jax.uncertainty.likelihood import (
    information,
    log_likelihood,
    mean_log_density,
    standardised_log_likelihood,
)

HOFFMANN = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
TEX = {
    "A": np.exp(6.0073404),
    "B": np.exp(6.0179186),
    "E": np.exp(0.5267228),
    "alpha": 0.33917084,
    "beta": 0.2849083,
}
EPOCH = {
    "A": np.exp(6.17796),
    "B": np.exp(7.64273),
    "E": np.exp(0.597112),
    "alpha": 0.347813,
    "beta": 0.365854,
}


@pytest.mark.parametrize(
    ("params", "of_240", "of_245"),
    [(HOFFMANN, 562.25, 531.89), (TEX, 837.78, 714.43), (EPOCH, 879.77, 757.80)],
    ids=["hoffmann", "tex", "epoch"],
)
def test_published_log_likelihoods(
    replication, params: dict[str, float], of_240: float, of_245: float
) -> None:
    """Besiroglu et al. 2024, table 2 and notebook."""
    predicted = sj.laws.chinchilla(replication["n_params"], replication["tokens"], **params)
    residuals = np.asarray(np.log(predicted) - np.log(replication["loss"]))
    assert standardised_log_likelihood(residuals[5:]) == pytest.approx(of_240, abs=0.01)
    assert standardised_log_likelihood(residuals) == pytest.approx(of_245, abs=0.01)


OBJECTIVES = [
    sj.Huber(0.7),
    sj.SquaredError(),
    sj.AbsoluteError(),
    sj.Asymmetric(3.0),
    sj.Asymmetric(3.0, delta=0.4),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_profiled_density_is_the_numerical_one(objective: sj.Huber) -> None:
    def per_row(log_t: float, charge: float) -> float:
        t = np.exp(log_t)
        half = np.array([3 / np.sqrt(t), 9 / np.sqrt(t) if objective.kind == "squared" else 60 / t])
        pieces = itertools.pairwise([*-half[::-1], 0, *half])
        mass = sum(
            integrate.quad(lambda r: np.exp(-t * objective.rho(r)), a, b, limit=200)[0] for a, b in pieces
        )
        return t * charge + np.log(mass)

    for charge in (0.05, 2.0):
        best = -optimize.minimize_scalar(
            per_row, bracket=(np.log(0.5 / charge), np.log(1 / charge)), args=(charge,)
        ).fun
        assert float(mean_log_density(objective, charge)) == pytest.approx(best, abs=1e-6)


def test_huber_lies_between_gauss_and_laplace():
    charge = np.geomspace(1e-6, 1e3, 7)
    np.testing.assert_allclose(
        mean_log_density(sj.Huber(1e6), charge), mean_log_density(sj.SquaredError(), 2 * charge), rtol=1e-9
    )
    tiny = 1e-9  # a threshold far below the residuals charges delta |r|
    np.testing.assert_allclose(
        mean_log_density(sj.Huber(tiny), tiny * charge),
        mean_log_density(sj.AbsoluteError(), charge),
        atol=1e-3,
    )


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    x = np.geomspace(1, 1e3, 30)
    return {
        "x": x,
        "loss": 2 * x**-0.01 * np.exp(0.02 * rng.standard_normal(30)),
        "w": np.full(30, 1e-6),
        "se": np.full(30, 0.5),
    }


def test_logs_and_raw_values_are_compared_by_the_density_of_the_target(table):
    """A narrow scatter around the curve is nearly the same density either way once the Jacobian is in."""
    log = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError())
    raw = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError(on="raw"))
    assert log_likelihood(log) == pytest.approx(log_likelihood(raw), abs=2.0)
    assert abs(log_likelihood(log, of="residual") - log_likelihood(raw, of="residual")) > 4.0
    free = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError(), weights="w", target_se="se")
    # equal weights and errors say nothing new
    assert log_likelihood(free) == pytest.approx(log_likelihood(log), abs=1e-8)


def test_criteria_count_the_scale_and_know_when_rows_run_out(table):
    found = information(sj.fit(sj.laws.power_law, table))
    assert (found.n, found.k) == (30, 3)
    assert found.bic == pytest.approx(-2 * found.log_likelihood + 3 * np.log(30))
    assert found.aicc == pytest.approx(-2 * found.log_likelihood + 6 + 24 / 26)
    fixed = sj.fit(sj.laws.power_law, table, fixed={"alpha": 0.01}, where="x < 3")
    assert information(fixed).k == 2


def test_other_words_are_refused(table):
    with pytest.raises(ValueError, match="'target' is the density"):
        log_likelihood(sj.fit(sj.laws.power_law, table), of="loss")
