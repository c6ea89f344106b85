"""Laws stay plain JAX functions, whoever wrote them: value, gradient, jit, vmap, names, pickling."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from tests.cases.laws import LAWS, TRUTH, points


@pytest.mark.parametrize("name", LAWS)
def test_people_and_transforms_get_the_same_values(name: str) -> None:
    law, params = LAWS[name], TRUTH[name]
    inputs = points(law)
    called = law(*inputs.values(), **params)
    assert isinstance(called, np.ndarray) and called.dtype == np.float64
    with jax.enable_x64(True):
        run = jax.jit(jax.vmap(law.apply, (None, 0)))
        np.testing.assert_allclose(
            run(params, {k: jnp.asarray(v) for k, v in inputs.items()}), called, rtol=1e-14
        )
    one = {k: float(v[0]) for k, v in inputs.items()}
    assert law(**one, **params) == pytest.approx(called[0], rel=1e-14)


@pytest.mark.parametrize("name", LAWS)
def test_gradient_against_central_differences(name: str) -> None:
    law, params = LAWS[name], TRUTH[name]
    inputs = {k: float(v[0]) for k, v in points(law).items()}
    with jax.enable_x64(True):
        slope = jax.grad(lambda p: law.apply(p, inputs))(jax.tree.map(jnp.float64, params))
    for key, value in params.items():
        step = 1e-6 * abs(value)
        up, down = (law(**inputs, **{**params, key: value + s}) for s in (step, -step))
        # central differences at 1e-6 are good to about eps / 1e-6 of the value
        assert float(slope[key]) * abs(value) == pytest.approx(
            (up - down) / (2e-6), rel=1e-5, abs=1e-9 * abs(up)
        )


def test_vector_parameters_are_spelled_out_and_fitted() -> None:
    @sj.law(shapes={"t": (2,)}, domains={"t": sj.Positive})
    def two(x, y, *, t, e: sj.Positive):
        return e + t[0] * x**-0.5 + t[1] * y**-0.3

    assert two.labels == ("t[0]", "t[1]", "e")
    rng = np.random.default_rng(0)
    x, y = rng.uniform(1, 1e3, 20), rng.uniform(1, 1e3, 20)
    loss = two(x, y, t=np.array([3.0, 2.0]), e=1.0)
    fit = sj.fit(two, {"x": x, "y": y, "loss": loss})
    np.testing.assert_allclose(fit.params["t"], [3.0, 2.0], rtol=1e-8)
    assert "t[1]" in fit.summary()


@pytest.mark.parametrize("name", LAWS)
def test_laws_pickle_by_name(name: str) -> None:
    law = LAWS[name]
    again = pickle.loads(pickle.dumps(law))
    assert again == law and again.labels == law.labels and hash(again) == hash(law)


def test_a_local_law_says_why_it_does_not_pickle() -> None:
    local = sj.law(lambda x, *, a: a * x, name="local")
    with pytest.raises(TypeError, match="top level of an importable module"):
        pickle.dumps(local)


@pytest.mark.parametrize("name", LAWS)
def test_known_parameters_are_recovered(name: str) -> None:
    """60 runs of 1 % noise: the optimum is no worse than the truth, and predictions are within 1 %."""
    law, params = LAWS[name], TRUTH[name]
    rng = np.random.default_rng(5)
    table = {k: np.exp(rng.uniform(np.log(1e6), np.log(1e11), 60)) for k in law.inputs}
    clean = law(**table, **params)
    table["y"] = clean * np.exp(rng.normal(0, 0.01, 60))
    fit = sj.fit(law, table, target="y", objective=sj.SquaredError())
    truth = float(np.sum((np.log(table["y"]) - np.log(clean)) ** 2))
    assert fit.objective_value <= truth
    # five parameters from 60 points at 1 %: the mean curve is known to about 1 % sqrt(5/60)
    assert np.sqrt(np.mean((fit.predict(table) / clean - 1) ** 2)) < 3 * 0.01 * np.sqrt(5 / 60)


@pytest.mark.parametrize(
    ("define", "words"),
    [
        (lambda: sj.law(lambda: 1.0), "needs at least one input"),
        (lambda: sj.law(lambda x: x), "one parameter"),
        (lambda: sj.law(lambda x, *, a: x * a, domains={"b": sj.Real}), "its signature does not have"),
        (lambda: sj.law(lambda x, *, a: x * a, ranges={"b": (0, 1)}), "ranges names"),
        (lambda: sj.laws.chinchilla(1.0, 2.0, E=1.0), "missing"),
        (lambda: sj.laws.power_law(1.0, A=1.0, alpha=1.0, beta=2.0), "unknown"),
    ],
)
def test_malformed_laws_and_calls_are_named(define, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        define()
