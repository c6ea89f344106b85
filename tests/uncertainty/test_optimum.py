"""Derivatives of the optimum, held to refits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def floored() -> sj.FitResult:
    """A law with a fixed floor, under a Huber threshold that some residuals cross."""
    x = np.geomspace(1, 1e3, 16)
    loss = 1.5 + 5 * x**-0.4 * np.exp(np.random.default_rng(3).normal(0, 0.05, 16))
    return sj.fit(
        sj.laws.power_law_floor, {"x": x, "loss": loss}, objective=sj.Huber(0.01), fixed={"E": 1.45}
    )


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


@pytest.mark.slow
def test_derivatives_equal_differences_of_refits(floored: sj.FitResult) -> None:
    """Central differences of a step of 1e-4, relative, are good to 1e-8; the refits they take, to 1e-5."""
    runs, h = floored.data(), 1e-4
    row = int(np.argsort(np.abs(floored.residuals))[2])  # inside the threshold, where the target matters

    def bumped(values: np.ndarray, sign: int) -> np.ndarray:
        return np.where(np.arange(16) == row, values * (1 + sign * h), values)

    given = {"loss": runs.target, "x": runs.inputs["x"], "weight": runs.weight}

    def flat(loss: jax.Array, x: jax.Array, weight: jax.Array, E: float) -> jax.Array:
        found = floored.optimum(target=loss, inputs={"x": x}, weights=weight, fixed={"E": E})
        return jnp.stack([found[name] for name in ("E", "A", "alpha")])

    with jax.enable_x64(True):
        at = [jnp.asarray(values) for values in given.values()]
        *backward, by_floor = jax.jit(jax.jacrev(flat, argnums=(0, 1, 2, 3)))(*at, 1.45)
        for (name, values), slope in zip(given.items(), backward, strict=True):
            difference = (
                refit(floored, **{name: bumped(values, 1)}) - refit(floored, **{name: bumped(values, -1)})
            ) / (2 * h * values[row])
            np.testing.assert_allclose(slope[:, row], difference, rtol=1e-5, atol=1e-9, err_msg=name)
        forward = jax.jvp(lambda e: flat(*at, e), (jnp.asarray(1.45),), (jnp.asarray(1.0),))[1]
        difference = (refit(floored, E=1.45 + h) - refit(floored, E=1.45 - h)) / (2 * h)
        np.testing.assert_allclose(by_floor, difference, rtol=1e-5)
        np.testing.assert_allclose(forward, by_floor, rtol=1e-9)


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
    # float32 weights: seven digits in and out
    np.testing.assert_allclose(single, np.asarray(double), rtol=1e-5)
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
