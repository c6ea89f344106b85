"""What is found out of a law by looking at its program."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.behaviour import linear_parameters, probed, same_values
from tests.cases.laws import LAWS, mine


def test_linear_parameters_are_found_in_any_law() -> None:
    assert linear_parameters(sj.laws.chinchilla) == (0, 1, 2)
    assert linear_parameters(sj.laws.kaplan) == ()
    assert linear_parameters(mine) == (0,)
    assert linear_parameters(LAWS["power_product"]) == (0,)


HERE = np.array([2.0, 0.3])


def named_mine(fn) -> sj.Law:
    return sj.law(fn, name="mine", domains={"A": sj.Positive})


MINE = named_mine(lambda x, *, A, b: A * x**-b)


def test_the_same_law_in_other_words_has_the_same_values() -> None:
    words = named_mine(lambda x, *, A, b: A * jnp.exp(-b * jnp.log(x)))
    assert same_values(probed(words, HERE), probed(MINE, HERE))


OTHERS = {
    "another formula": named_mine(lambda x, *, A, b: A * (1 + x) ** -b),
    "a branch at large inputs": named_mine(lambda x, *, A, b: A * x**-b * jnp.where(x > 1e9, 1.1, 1.0)),
    "a branch at small inputs": named_mine(lambda x, *, A, b: A * x**-b + jnp.where(x < 100.0, 0.1, 0.0)),
    "a factor": named_mine(lambda x, *, A, b: A * x**-b * (1 + 1e-5)),
    "parameters in another order": named_mine(lambda x, *, b, A: A * x**-b),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_law_has_other_values(name: str) -> None:
    assert not same_values(probed(OTHERS[name], HERE), probed(MINE, HERE))


def test_values_that_were_not_finite_say_nothing_and_those_that_were_must_stay() -> None:
    assert same_values([1.0, 2.0], [1.0, np.nan])
    assert not same_values([1.0, np.nan], [1.0, 2.0])
    assert not same_values([1.0], [1.0, 2.0])


def test_inputs_stay_inside_their_domains() -> None:
    bounded = sj.law(lambda x, *, A: jnp.sqrt(1 - x) * A, domains={"x": sj.Unit, "A": sj.Positive})
    assert np.isfinite(probed(bounded, np.array([1.0]))).all()
