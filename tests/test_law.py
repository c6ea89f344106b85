"""Laws stay plain JAX functions, whoever wrote them: value, gradient, jit, vmap, domains, names, pickling."""

from __future__ import annotations

import pickle
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_jax as sj
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.pow import rewrite_powers

TRUTH = {
    "power_law": {"A": 5.0, "alpha": 0.3},
    "power_law_floor": {"E": 1.5, "A": 5.0, "alpha": 0.3},
    "chinchilla": {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
}
LAWS = {**{name: getattr(sj.laws, name) for name in TRUTH}, "power_product": sj.laws.power_product("N", "D")}
TRUTH["power_product"] = {"A": 1e-3, "p_N": -0.25, "p_D": 0.3}


@sj.law
def mine(N, D, *, E: sj.Positive, A: sj.Positive, B: sj.Positive, alpha: sj.Real):
    """A user's three lines."""
    return E + (A / N + B / D) ** alpha


LAWS["mine"], TRUTH["mine"] = mine, {"E": 1.7, "A": 1e7, "B": 1e9, "alpha": 0.3}


def points(law: sj.Law, n: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.exp(rng.uniform(np.log(1e7), np.log(1e11), n)) for name in law.inputs}


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


@pytest.mark.parametrize("name", LAWS)
def test_rewritten_powers_change_nothing(name: str) -> None:
    law, params = LAWS[name], TRUTH[name]
    inputs = points(law)
    with jax.enable_x64(True):
        plain = jax.vmap(law.apply, (None, 0))(params, {k: jnp.asarray(v) for k, v in inputs.items()})
        fast = jax.vmap(rewrite_powers(law.apply), (None, 0))(
            params, {k: jnp.asarray(v) for k, v in inputs.items()}
        )
    # exp(p log x) loses about |p log x| eps
    np.testing.assert_allclose(fast, plain, rtol=1e-13)


@given(
    p=st.one_of(st.just(0.0), st.floats(1e-3, 3), st.floats(-3, -1e-3)),
    x=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
)
@settings(max_examples=60, deadline=None)
def test_a_power_keeps_its_limits_at_zero(p: float, x: float) -> None:
    with jax.enable_x64(True):
        fast = float(rewrite_powers(lambda a, b: a**b)(jnp.float64(x), jnp.float64(p)))
        expected = float(jnp.float64(x) ** jnp.float64(p))
    assert fast == pytest.approx(expected, rel=1e-12)


def test_literal_exponents_are_left_alone() -> None:
    with jax.enable_x64(True):
        jaxpr = str(
            jax.make_jaxpr(rewrite_powers(lambda x, p: x**2 + x**0.5 + x**p))(
                jnp.float64(3.0), jnp.float64(0.3)
            )
        )
    assert "integer_pow" in jaxpr and jaxpr.count("log") == 1


def test_linear_parameters_are_found_in_any_law() -> None:
    assert linear_parameters(sj.laws.chinchilla) == (0, 1, 2)
    assert linear_parameters(sj.laws.kaplan) == ()
    assert linear_parameters(mine) == (0,)
    assert linear_parameters(LAWS["power_product"]) == (0,)


def test_domains_come_from_annotations_names_or_options() -> None:
    @sj.law(domains={"c": sj.Unit})
    def annotated(x: sj.NonNegative, *, a: sj.Positive, b: Annotated[jax.Array, sj.Interval(0, 2)], c, d):
        return a * x**b + c + d

    assert [d.name for d in annotated.label_domains] == ["positive", "in [0, 2]", "in [0, 1]", "real"]
    assert annotated.input_domains["x"].contains(0.0)
    assert annotated(0.0, a=1.0, b=0.5, c=0.1, d=0.2) == pytest.approx(0.3)


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
    """1 % noise on 60 runs: the optimum is no worse than the truth, and predictions are within a few tenths
    of a per cent."""
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
