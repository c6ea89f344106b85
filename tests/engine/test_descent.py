"""Optimisers of optax: the way of a plain loop, screened, polished and certified like others."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import scaling_jax as sj
from scaling_jax.engine import stored
from tests.engine.test_stored import compilations, programs  # noqa: F401  fixtures

X = np.geomspace(1, 1e3, 12)
TABLE = {"x": X, "loss": 4 * X**-0.3 * np.exp(0.02 * np.cos(7 * np.log(X)))}
START = {"A": [9.0], "alpha": [0.05]}
SQUARED = sj.SquaredError()


def alone(solver: sj.Optax, **options) -> sj.FitResult:
    return sj.fit(
        sj.laws.power_law, TABLE, objective=SQUARED, solver=solver, starts=START, polish=False, **options
    )


def by_hand(optimiser: optax.GradientTransformation, steps: int) -> tuple[np.ndarray, float]:
    """(ln A, alpha) and the objective after so many updates, in a plain loop."""
    with jax.enable_x64(True):
        x, y = jnp.log(X), jnp.log(TABLE["loss"])

        def value(z):
            return jnp.sum((z[0] - z[1] * x - y) ** 2)

        both = jax.jit(jax.value_and_grad(value))
        update = jax.jit(optax.with_extra_args_support(optimiser).update, static_argnames="value_fn")
        z = jnp.array([jnp.log(9.0), 0.05])
        state = optimiser.init(z)
        for _ in range(steps):
            at, slope = both(z)
            change, state = update(slope, state, z, value=at, grad=slope, value_fn=value)
            z = z + change
        return np.asarray(z), float(value(z))


@pytest.mark.parametrize(
    "optimiser",
    [
        optax.adamw(5e-2),
        optax.sgd(1e-4, momentum=0.9),
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(0.1, 20))),
        optax.polyak_sgd(max_learning_rate=1e-3),
        optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(20)),
    ],
    ids=["adamw", "momentum", "chain", "polyak", "line search"],
)
def test_a_lane_goes_the_way_of_a_plain_loop(optimiser) -> None:
    """Logarithms of positive numbers are searched, and what is minimised is the sum: to rounding the same."""
    fit = alone(sj.Optax(optimiser, steps=20, keep="last"))
    z, value = by_hand(optimiser, 20)
    np.testing.assert_allclose([np.log(fit.params["A"]), fit.params["alpha"]], z, rtol=1e-9)
    assert fit.objective_value == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_what_a_protocol_left_to_gain_is_said_and_polish_gains_it() -> None:
    adam = sj.Optax(optax.adamw(5e-2), steps=200)
    unpolished = alone(adam)
    polished = sj.fit(sj.laws.power_law, TABLE, objective=SQUARED, solver=adam, starts=START)
    reference = sj.fit(sj.laws.power_law, TABLE, objective=SQUARED)
    assert unpolished.status == "not_converged" and unpolished.n_polished == 0
    assert "polish=True" in unpolished.warnings[0]
    assert unpolished.objective_value > reference.objective_value * (1 + 1e-6)
    assert polished.converged and polished.n_polished == 1
    assert polished.objective_value == pytest.approx(reference.objective_value, rel=1e-12)


def test_the_best_point_is_kept_where_the_way_rises() -> None:
    wild = optax.sgd(1e-2)  # diverges
    best, last = (alone(sj.Optax(wild, steps=30, keep=keep)) for keep in ("best", "last"))
    first = by_hand(wild, 0)[1]  # summed in another order: roundings of 12 terms apart
    assert best.objective_value <= first * (1 + 1e-14) < last.objective_value


def test_many_groups_in_one_batch_and_bounds() -> None:
    groups = {
        "x": np.tile(X, 3),
        "loss": np.concatenate([2 + a * X**-0.4 for a in (1.0, 3.0, 9.0)]),
        "g": np.repeat(list("abc"), len(X)),
    }
    adam = sj.Optax(optax.adam(0.1), steps=150)
    fits = sj.fit_groups(sj.laws.power_law_floor, groups, by="g", solver=adam, objective=SQUARED)
    np.testing.assert_allclose(fits.params["A"], [1.0, 3.0, 9.0], rtol=1e-6)

    @sj.law
    def capped(x, *, a: sj.Interval(0, 1)):
        return a * x

    held = sj.fit(capped, {"x": [1.0, 2], "loss": [3.0, 6]}, solver=sj.Optax(optax.adam(0.3), steps=30))
    assert held.params["a"] == 1.0 and "bound" in " ".join(held.warnings)


def test_optimisers_are_told_apart_by_what_they_compute() -> None:
    same, again = (sj.Optax(optax.adamw(5e-2), steps=20) for _ in range(2))
    assert same == again and hash(same) == hash(again)
    others = [
        sj.Optax(optax.adamw(4e-2), steps=20),
        sj.Optax(optax.adamw(5e-2, weight_decay=1e-3), steps=20),
        sj.Optax(optax.adamw(optax.linear_schedule(5e-2, 0, 20)), steps=20),
        sj.Optax(optax.adamw(5e-2), steps=21),
    ]
    assert len({same, *others}) == 5

    def by_number(updates, state, params=None):
        return (updates if len(params) > 2 else -updates), state

    mine = optax.GradientTransformation(lambda z: (), by_number)
    assert sj.Optax(mine) != sj.Optax(mine)  # no trace says what it does for every number of coordinates


def test_programs_on_disk_know_the_optimiser(programs, compilations) -> None:  # noqa: F811
    sj.clear_caches()
    first = alone(sj.Optax(optax.adamw(5e-2), steps=20))
    stored.settle()
    sj.clear_caches()
    compilations.clear()
    again = alone(sj.Optax(optax.adamw(5e-2), steps=20))
    assert again.objective_value == first.objective_value and not compilations
    other = alone(sj.Optax(optax.adamw(4e-2), steps=20))
    assert other.objective_value != first.objective_value and len(compilations) == 1


def test_float32_searches_and_the_optimum_is_exact() -> None:
    fit = sj.fit(
        sj.laws.power_law, TABLE, objective=SQUARED, solver=sj.Optax(optax.adam(0.1), 50, dtype="float32")
    )
    assert fit.converged and fit.evidence.z.dtype == np.float64


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: sj.Optax(0.05), "Optax\\(0.05\\): give a gradient transformation"),
        (lambda: sj.Optax(optax.adam), "give a gradient transformation"),
        (lambda: sj.Optax(optax.sgd(0.1), steps=0), "steps=0\\): give a whole number"),
        (lambda: sj.Optax(optax.sgd(0.1), keep="mean"), "keep='mean'\\): use 'best' or 'last'"),
        (lambda: sj.Optax(optax.contrib.sophia(0.1)), "there is no more to give"),
        (lambda: alone(optax.adam(0.1)), "sj.Optax\\(optax.adamw"),
        (lambda: sj.fit(sj.laws.power_law, TABLE, polish="no"), "polish='no': give True or False"),
    ],
)
@pytest.mark.filterwarnings("ignore:Specifying a key")  # of optax, about its own sophia
def test_what_cannot_be_used_is_refused_in_a_sentence(make, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()
