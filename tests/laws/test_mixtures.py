"""Laws of mixtures: limits, ranks of mixtures at 1,000 times the size, and what shares cannot tell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import scaling_jax as sj

TWO = ("code", "books")
OF_SHARES = {"logC_code": 0.5, "logC_books": 1.0, "g_code": 0.3, "g_books": 0.6}


def test_the_joint_law_with_equal_scales_is_the_additive_one():
    rng = np.random.default_rng(0)
    code, N, D = rng.uniform(0, 1, 20), rng.uniform(1e7, 1e9, 20), rng.uniform(1e9, 1e11, 20)
    rest = {"E": 1.5, "alpha": 0.3, "beta": 0.35, **OF_SHARES}
    additive = sj.laws.mixture_additive(*TWO)(code, 1 - code, N, D, A=0.8, B=0.6, **rest)
    scales = {"A_code": 0.8, "A_books": 0.8, "B_code": 0.6, "B_books": 0.6, "gA": 0.3, "gB": 4.0}
    joint = sj.laws.mixture_joint(*TWO)(code, 1 - code, N, D, **scales, **rest)
    np.testing.assert_allclose(joint, additive, rtol=1e-13)


def test_an_absent_domain_adds_nothing():
    rest = {"E": 1.5, "A": 0.8, "B": 0.6, "alpha": 0.3, "beta": 0.35}
    without = sj.laws.mixture_additive(*TWO)(0.0, 1.0, 1e8, 1e10, **rest, **OF_SHARES)
    plain = rest | {"E": 1.5 + np.exp(-1.0), "A": 0.8 * 1e9**0.3, "B": 0.6 * 1e10**0.35}
    assert without == pytest.approx(sj.laws.chinchilla(1e8, 1e10, **plain))


def test_a_linear_power_is_linear():
    shares = np.linspace(0, 1, 5)
    law = sj.laws.mixing_power(*TWO)
    values = law(shares, 1 - shares, b=2.0, a=1.0, w_code=-1.0, w_books=0.5)
    np.testing.assert_allclose(values, 2.5 - 1.5 * shares)


def test_a_mixture_has_two_domains():
    with pytest.raises(TypeError, match="two or more domains"):
        sj.laws.mixing_exponential("code")
    with pytest.raises(TypeError, match="more than once"):
        sj.laws.mixing_power("code", "code")


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    """Three domains whose shares add up to one, and a loss with .1 % noise."""
    shares = np.random.default_rng(1).dirichlet([1, 1, 1], 60)
    loss = 1.5 + np.exp(shares @ [-1.0, 0.4, 0.2])
    noise = np.random.default_rng(2).normal(1, 1e-3, 60)
    return pd.DataFrame(shares, columns=["a", "b", "d"]).assign(loss=loss * noise)


def test_the_printed_form_has_one_parameter_too_many_and_the_certificate_says_which(mixed):
    @sj.law(simplex=("a", "b", "d"))
    def printed(a, b, d, *, c: sj.Positive, k: sj.Positive, t1: sj.Real, t2: sj.Real, t3: sj.Real):
        return c + k * jnp.exp(t1 * a + t2 * b + t3 * d)

    fit = sj.fit(printed, mixed, objective=sj.Huber(0.01, on="raw"), starts=64)
    ours = sj.fit(sj.laws.mixing_exponential("a", "b", "d"), mixed, objective=sj.Huber(0.01, on="raw"))
    assert fit.objective_value == pytest.approx(ours.objective_value, rel=1e-6)
    assert (fit.status, ours.status) == ("underdetermined", "converged")
    moves = "adding -1 to t1, t2 and t3 and multiplying k by 2.72 changes no prediction"
    assert f"a, b and d add up to 1, so {moves}" in fit.warnings[0]


def test_a_linear_law_of_shares_has_one_parameter_too_many(mixed):
    table = mixed.rename(columns={"a": "x", "b": "y", "d": "z"})
    fit = sj.fit(sj.laws.mixing_power("x", "y", "z"), table, fixed={"a": 1.0})
    assert "adding 1 to b and adding -1 to w_x, w_y and w_z changes no prediction" in fit.warnings[0]


def test_shares_that_do_not_add_up_are_refused_with_their_rows(mixed):
    law = sj.laws.mixing_exponential("a", "b", "d")
    broken = mixed.assign(a=mixed["a"].where(mixed.index != 7, 0.0))
    with pytest.raises(sj.DataError, match=r"shares a, b, d must add up to 1 .* in row 7: give every domain"):
        sj.fit(law, broken)
    with pytest.raises(sj.DataError, match="must add up to 1"):
        sj.fit(law, mixed).predict({"a": 0.5, "b": 0.5, "d": 0.5})
    with pytest.raises(TypeError, match="simplex names"):
        sj.law(simplex=("a", "q"))(lambda a, b, *, c: a + b + c)


def test_small_models_rank_mixtures_of_large_ones(shared):
    """512 mixtures at 1e6 parameters, 64 others at 1e9: 98.78 % by least squares, to the last digit."""
    runs = pd.read_csv(shared("mixtures/regmix.csv.gz"))
    domains = [name for name in runs if name.startswith("r_")]
    law = sj.laws.mixing_exponential(*domains)
    target = "loss_pile_cc"
    fit = sj.fit(law, runs[runs["set"] == "train_1m"], target=target, objective=sj.SquaredError(on="raw"))
    large = runs[runs["set"] == "test_1B"]
    assert spearmanr(fit.predict(large), large[target])[0] == pytest.approx(0.9878, abs=5e-5)


@pytest.mark.parametrize(
    "make", [sj.laws.mixing_exponential, sj.laws.mixture_joint], ids=lambda m: m.__name__
)
def test_a_law_of_shares_stays_in_the_precision_it_is_given(make):
    law = make(*TWO)
    with jax.enable_x64(True):
        given = [dict.fromkeys(names, jnp.float32(0.5)) for names in (law.params, law.inputs)]
        assert law.apply(*given).dtype == jnp.float32
