"""Laws stay plain JAX functions, whoever wrote them: value, gradient, jit, vmap, names, pickling."""

from __future__ import annotations

import functools
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


def line(x, *, A: sj.Positive, alpha: sj.Real):
    return A * x**-alpha


class Callable:
    def __call__(self, x, *, A):
        return A * x


NO_LAWS = {
    "a number": (lambda: sj.law(3), r"^A law is made from a function, not from 3:"),
    "a partial": (lambda: sj.law(functools.partial(line, alpha=0.3)), r"from a function, not from partial:"),
    "a callable object": (lambda: sj.law(Callable()), r"from a function, not from Callable:"),
    "a name twice": (
        lambda: sj.laws.power_sum("N", "N"),
        r"^Law 'power_sum' has 'A_N', 'alpha_N' more than once among its inputs and parameters:",
    ),
    "an input called as a parameter": (lambda: sj.laws.power_product("A"), r"has 'A' more than once"),
    "a name that is no word": (
        lambda: sj.laws.power_product(1),
        r"inputs=\(1,\)\): give several, each text\.$",
    ),
    "an inverted range": (lambda: sj.law(line, ranges={"A": (2, 1)}), r"ranges has \(2, 1\) for A:"),
    "half a range": (lambda: sj.law(line, ranges={"A": (2,)}), r"ranges has \(2,\) for A:"),
    "an endless range": (lambda: sj.law(line, ranges={"A": (1, np.inf)}), r"two finite numbers"),
    "a prior without width": (
        lambda: sj.law(line, priors={"A": ("normal", 0.0, -1.0)}),
        r"the prior of A is \('normal', 0\.0, -1\.0\):",
    ),
    "a prior in one word": (lambda: sj.law(line, priors={"A": "normal"}), r"the prior of A is 'normal':"),
    "starts that are no function": (lambda: sj.law(line, starts={"B": [1.0]}), r"starts is dict: give a"),
}


@pytest.mark.parametrize("name", NO_LAWS)
def test_what_cannot_be_a_law_is_refused_where_it_is_made(name: str) -> None:
    make, sentence = NO_LAWS[name]
    with pytest.raises(TypeError, match=sentence):
        make()


def failing(inputs, target):
    return inputs["y"]


BAD_STARTS = {
    "a failure": (failing, r"^The starts of law 'line' failed \(KeyError: 'y'\): return a mapping"),
    "nothing": (lambda inputs, target: None, r"^The starts of law 'line' gave None:"),
    "an unknown name": (lambda inputs, target: {"B": [1.0]}, r"^The starts of law 'line' name \['B'\]:"),
    "words": (lambda inputs, target: {"A": ["a"]}, r"hold something that is not a number:"),
    "lengths that differ": (lambda i, t: {"A": [1.0, 2.0], "alpha": [1.0] * 3}, r"differ in length"),
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_starts_that_cannot_be_used_are_named_in_one_sentence(name: str) -> None:
    starts, sentence = BAD_STARTS[name]
    with pytest.raises(TypeError, match=sentence):
        sj.fit(sj.law(line, starts=starts), {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.0]})


def test_parameters_handed_in_are_checked_by_name() -> None:
    law = sj.law(line)
    assert law.numbers_of({"alpha": 0.3, "A": 0}).tolist() == [0.0, 0.3]
    for given, sentence in [
        ({"A": 1.0}, r"^Law 'line' has the parameters A, alpha; given are A\.$"),
        ({"A": 1.0, "alpha": 1.0, "B": 1.0}, r"given are A, alpha, B\.$"),
        ([1.0, 2.0], r"given are \[1\.0, 2\.0\]\.$"),
        ({"A": "x", "alpha": 1.0}, r"^A='x' is not a number\.$"),
        ({"A": [1.0], "alpha": 1.0}, r"^A=\[1\.0\] has shape \(1,\): give one number\.$"),
        ({"A": -1.0, "alpha": 1.0}, r"^A=-1\.0 is outside its domain: it must be positive\.$"),
        ({"A": 1.0, "alpha": -np.inf}, r"^alpha=-inf is outside its domain"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            law.numbers_of(given)
