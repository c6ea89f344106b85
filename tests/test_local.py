"""Influence, covariance, derivatives and lack of fit, each held to refits or to theory; nothing here is a
formula against itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.uncertainty.sandwich import lack_of_fit_words

COLUMNS = {"inputs": {"N": "n_params", "D": "tokens"}}


@pytest.fixture(scope="module")
def fit240(runs240: pd.DataFrame) -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, runs240, **COLUMNS)


@pytest.fixture(scope="module")
def fit245(replication: pd.DataFrame) -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, replication, **COLUMNS)


@pytest.fixture(scope="module")
def line() -> sj.FitResult:
    x = np.geomspace(1, 1e3, 24)
    loss = 5 * x**-0.3 * np.exp(np.random.default_rng(5).normal(0, 0.02, 24))
    return sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())


@pytest.fixture(scope="module")
def floored() -> sj.FitResult:
    """A law with a fixed floor, under a Huber threshold that some residuals cross."""
    x = np.geomspace(1, 1e3, 16)
    loss = 1.5 + 5 * x**-0.4 * np.exp(np.random.default_rng(3).normal(0, 0.05, 16))
    return sj.fit(
        sj.laws.power_law_floor, {"x": x, "loss": loss}, objective=sj.Huber(0.01), fixed={"E": 1.45}
    )


def test_influence_ranks_runs_as_leaving_them_out_does(fit245: sj.FitResult) -> None:
    """Measured: Spearman .992 to .997; the issue asks for .95. Gauss-Newton in place of the exact Hessian
    would be off by factors."""
    refitted = fit245.jackknife() - fit245.numbers
    predicted = fit245.influence()
    assert predicted.index.equals(refitted.index)
    for name in fit245.law.labels:
        assert predicted[name].corr(refitted[name], method="spearman") > 0.98, name


def test_influence_of_a_run_is_that_of_all_its_checkpoints() -> None:
    rng = np.random.default_rng(0)
    x, run = np.tile(np.geomspace(1, 100, 10), 12), np.repeat(np.arange(12), 10)
    loss = 5 * x**-0.3 * np.exp(rng.normal(0, 0.01, 12)[run])
    fit = sj.fit(
        sj.laws.power_law, {"x": x, "loss": loss, "run": run}, run="run", objective=sj.SquaredError()
    )
    predicted, refitted = fit.influence(), fit.jackknife() - fit.numbers
    assert len(predicted) == 12
    np.testing.assert_allclose(
        predicted["A"], refitted["A"], rtol=0.15
    )  # first order: a twelfth of the data leaves at a time


def test_the_sandwich_is_the_published_one_and_warns(fit240: sj.FitResult) -> None:
    """Spec section 3: sandwich .024 and .016 (bootstrap .0154 and .0206), naive inverse Hessian 5.2: 39 of
    240 residuals lie inside."""
    with pytest.warns(UserWarning, match="Only 16 % of the residuals lie inside the Huber threshold"):
        se = np.sqrt(np.diag(fit240.cov()))
    assert se[3] == pytest.approx(0.024, abs=5e-4) and se[4] == pytest.approx(0.016, abs=5e-4)
    assert np.sqrt(np.linalg.inv(fit240.evidence.hessian)[3, 3]) == pytest.approx(5.2, abs=0.05)


def test_the_sandwich_is_whites_on_a_straight_line(line: sj.FitResult) -> None:
    x, y = np.log(line.data().inputs["x"]), np.log(line.data().target)
    design = np.stack([np.ones_like(x), -x], axis=1)
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    bread = np.linalg.inv(design.T @ design)
    white = bread @ (design * (y - design @ beta)[:, None] ** 2).T @ design @ bread
    units = np.array([line.params["A"], 1.0])
    np.testing.assert_allclose(line.cov(), white * np.outer(units, units), rtol=1e-6)


def test_fixed_and_tied_parameters_have_no_variance_of_their_own(runs240: pd.DataFrame) -> None:
    how = {"fixed": {"E": 1.8}, "tied": [("alpha", "beta")], "objective": sj.Huber(0.05)}
    covariance = sj.fit(sj.laws.chinchilla, runs240, **COLUMNS, **how).cov()
    assert covariance.loc["E"].eq(0).all()
    np.testing.assert_allclose(covariance["alpha"], covariance["beta"], rtol=1e-12)


def refit(fit: sj.FitResult, **changed: object) -> np.ndarray:
    """Parameters of a fresh `sj.fit` on changed data."""
    runs = fit.data()
    table = {"x": runs.inputs["x"], "loss": runs.target, "weight": runs.weight} | {
        k: v for k, v in changed.items() if k != "E"
    }
    fixed = {"E": changed.get("E", fit.fixed["E"])}
    return sj.fit(
        fit.law, table, weights="weight", objective=fit.objective, fixed=fixed, starts=fit.numbers[None]
    ).numbers


def test_derivatives_equal_differences_of_refits(floored: sj.FitResult) -> None:
    """Central differences of a step of 1e-4, relative: their own error is 1e-8; the issue asks for 1e-5."""
    runs, h = floored.data(), 1e-4
    row = int(np.argsort(np.abs(floored.residuals))[2])  # inside the threshold, where the target matters

    def bumped(values: np.ndarray, sign: int) -> np.ndarray:
        return np.where(np.arange(16) == row, values * (1 + sign * h), values)

    cases = {
        "loss": ({"target": runs.target}, runs.target, lambda v: {"target": v}),
        "x": ({"inputs": {"x": runs.inputs["x"]}}, runs.inputs["x"], lambda v: {"inputs": {"x": v}}),
        "weight": ({"weights": runs.weight}, runs.weight, lambda v: {"weights": v}),
    }

    def flat(given: dict) -> jax.Array:
        found = floored.optimum(**given)
        return jnp.stack([found[name] for name in ("E", "A", "alpha")])

    with jax.enable_x64(True):
        for name, (_, values, given) in cases.items():
            backward = jax.jit(jax.jacrev(lambda v, given=given: flat(given(v))))(jnp.asarray(values))
            difference = (
                refit(floored, **{name: bumped(values, 1)}) - refit(floored, **{name: bumped(values, -1)})
            ) / (2 * h * values[row])
            np.testing.assert_allclose(backward[:, row], difference, rtol=1e-5, atol=1e-9, err_msg=name)
        by_floor = jax.jvp(lambda e: flat({"fixed": {"E": e}}), (jnp.asarray(1.45),), (jnp.asarray(1.0),))[1]
        difference = (refit(floored, E=1.45 + h) - refit(floored, E=1.45 - h)) / (2 * h)
        np.testing.assert_allclose(by_floor, difference, rtol=1e-5)


def test_the_optimum_moves_as_a_refit_does_and_works_inside_jit_vmap_and_single_precision(
    fit240: sj.FitResult,
) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(240), 3) * 240
    refitted = fit240.bootstrap(indices=np.tile(np.arange(240), (1, 1)))
    np.testing.assert_allclose(
        [fit240.optimum()[n] for n in fit240.law.params], refitted.numbers[0], rtol=1e-7
    )
    alpha = jax.jit(jax.vmap(lambda w: fit240.optimum(weights=w)["alpha"]))
    slope = jax.jit(jax.grad(lambda y: fit240.optimum(target=y)["alpha"]))
    single, single_slope = alpha(jnp.asarray(shares)), slope(jnp.asarray(fit240.data().target))
    assert single.dtype == single_slope.dtype == jnp.float32
    with jax.enable_x64(True):
        double, double_slope = alpha(jnp.asarray(shares)), slope(jnp.asarray(fit240.data().target))
    assert double.dtype == double_slope.dtype == jnp.float64
    np.testing.assert_allclose(
        single, np.asarray(double), rtol=1e-5
    )  # float32 weights: seven digits in and out
    np.testing.assert_allclose(
        single_slope, np.asarray(double_slope), atol=1e-4 * float(np.abs(double_slope).max())
    )


def test_what_the_optimum_refuses(floored: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="inputs names z; for this fit it may name x"):
        floored.optimum(inputs={"z": [1.0]})
    with pytest.raises(ValueError, match="fixed names alpha; for this fit it may name E"):
        floored.optimum(fixed={"alpha": 0.5})
    corner = sj.fit(
        sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2, 1.1, 0.5]}, objective=sj.AbsoluteError()
    )
    with pytest.raises(ValueError, match="has no derivative"):
        corner.optimum()


def test_lack_of_fit_is_the_pure_error_test_of_regression() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(4)
    x = np.repeat(np.geomspace(1, 100, 6), 3)
    bent = {"x": x, "loss": 5 * x**-0.3 * (1 + 0.2 * np.log10(x) ** 2) * np.exp(rng.normal(0, 0.01, 18))}
    fit = sj.fit(sj.laws.power_law, bent, objective=sj.SquaredError())
    found = fit.lack_of_fit()
    groups = fit.residuals.reshape(6, 3)
    pure = np.sum((groups - groups.mean(axis=1, keepdims=True)) ** 2) / 12
    expected = (np.sum(fit.residuals**2) - 12 * pure) / 4 / pure
    assert (found.df_lack, found.df_pure, found.points) == (4, 12, 6)
    np.testing.assert_allclose(found.F, expected, rtol=1e-9)
    assert found.p == pytest.approx(stats.f.sf(expected, 4, 12), rel=1e-6)
    assert "misses more than seeds explain" in lack_of_fit_words(fit)


def test_lack_of_fit_is_uniform_where_the_law_is_right() -> None:
    """200 tables: 5 % of p-values below .05, give or take four binomial standard errors."""
    rng = np.random.default_rng(8)
    x = np.repeat(np.geomspace(1, 100, 6), 3)
    table = pd.DataFrame({"x": np.tile(x, 200), "group": np.repeat(np.arange(200), 18)})
    table["loss"] = 5 * table["x"] ** -0.3 * np.exp(rng.normal(0, 0.02, len(table)))
    fits = sj.fit_groups(sj.laws.power_law, table, by="group", objective=sj.SquaredError())
    small = np.mean([f.lack_of_fit().p < 0.05 for f in fits.values()])
    assert abs(small - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 200)


def test_no_test_without_repeats_or_of_checkpoints(line: sj.FitResult) -> None:
    assert line.lack_of_fit() is None
    x = np.tile([1.0, 10.0, 100.0], 4)
    table = {
        "x": x,
        "loss": 5 * x**-0.3 * np.exp(np.random.default_rng(1).normal(0, 0.01, 12)),
        "run": np.repeat(np.arange(4), 3),
    }
    assert sj.fit(sj.laws.power_law, table, run="run").lack_of_fit() is None
