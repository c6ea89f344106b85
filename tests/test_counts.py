"""Counts from table to interval: the optimum, likelihood, errors and sentences of successes out of trials."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

import scaling_jax as sj
from scaling_jax.pages.repeat import rows_of
from scaling_jax.uncertainty.likelihood import information

X = np.geomspace(1, 1e4, 30)
DESIGN = np.stack([np.ones(30), np.log(X)])
TRUTH = np.array([-4.0, 0.9])
BINOMIAL = sj.Binomial("n")


@sj.law(ranges={"a": (-8, 8), "b": (-3, 3)})
def logistic(x, *, a: sj.Real, b: sj.Real):
    return 1 / (1 + jnp.exp(-(a + b * jnp.log(x))))


@sj.law
def constant(x, *, p: sj.Unit):
    return p + 0 * x


def table(seed: int = 0, groups: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(5, 200, (groups, 30))
    k = rng.binomial(n, special.expit(TRUTH @ DESIGN))
    return {
        "x": np.tile(X, groups),
        "k": k.ravel(),
        "n": n.ravel(),
        "g": np.repeat(np.arange(groups), 30),
    }


@pytest.fixture(scope="module")
def fit() -> sj.FitResult:
    return sj.fit(logistic, table(), target="k", objective=BINOMIAL)


def test_the_optimum_of_logistic_regression(fit) -> None:
    """SciPy's on the likelihood itself; ours to rounding, certified, with zero counts among the rows."""
    data = table()
    assert (data["k"] == 0).any() and (data["k"] == data["n"]).any()

    def lost(z):
        return -stats.binom.logpmf(data["k"], data["n"], special.expit(z @ DESIGN)).sum()

    def slope(z):
        return DESIGN @ (data["n"] * special.expit(z @ DESIGN) - data["k"])

    reference = optimize.minimize(lost, TRUTH, jac=slope, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(fit.numbers, reference.x, rtol=1e-8)
    assert np.abs(slope(fit.numbers)).max() < 1e-8
    assert fit.converged and fit.n_agree == fit.certificate.n_finished
    said = information(fit)
    assert said.log_likelihood == pytest.approx(-reference.fun, rel=1e-12)
    assert (said.n, said.k) == (30, 2)
    assert said.aicc == pytest.approx(2 * reference.fun + 4 + 12 / 27, rel=1e-12)


def test_the_hessian_is_fisher_s_information_of_the_canonical_link(fit) -> None:
    p = special.expit(fit.numbers @ DESIGN)
    fisher = (DESIGN * table()["n"] * p * (1 - p)) @ DESIGN.T
    np.testing.assert_allclose(fit.evidence.hessian, fisher, rtol=1e-9)


def test_what_it_says_of_rows_is_said_of_shares(fit) -> None:
    data = table()
    share = data["k"] / data["n"]
    np.testing.assert_allclose(fit.data().target, share)
    p = fit.predict(data)
    assert 0.5 * np.sum(fit.residuals**2) == pytest.approx(fit.objective_value, rel=1e-12)
    assert (np.sign(fit.residuals) == np.sign(p - share)).all()
    bands = fit.predict({"x": [1.0, 1e6]}, interval="prediction")
    assert bands["lower"].min() >= 0 and bands["upper"].max() <= 1


def test_rows_resampled_agree_with_the_curvature(fit) -> None:
    """Standard errors of 400 replicates are known to 4 %; the table has 30 rows of binomial scatter."""
    se = fit.bootstrap(400).conf_int()["se"].to_numpy()
    fisher = np.sqrt(np.diag(np.linalg.inv(fit.evidence.hessian)))
    np.testing.assert_allclose(se, fisher, rtol=0.3)
    with pytest.raises(ValueError, match="counts have no residuals to exchange"):
        fit.bootstrap(10, method="residual")


def test_profiles_are_the_likelihood_s(fit) -> None:
    """Near the optimum the drop is half the squared deviation in standard errors."""
    profile = fit.profile("b")
    half = stats.norm.ppf(0.95) * np.sqrt(np.linalg.inv(fit.evidence.hessian)[1, 1])
    assert profile.upper - profile.lower == pytest.approx(2 * half, rel=0.02)


def test_the_posterior_is_the_likelihood_times_the_prior(fit) -> None:
    """Against sums over a grid, under priors far wider than the likelihood. 2,000 draws know means to .02
    standard deviations and these to 2 %; that the approximation is normal costs more, and NUTS is slow."""
    dist = pytest.importorskip("numpyro.distributions")
    priors = {name: dist.Normal(0.0, 100.0) for name in "ab"}
    post = fit.posterior(priors=priors, method="laplace", draws=2000)
    errors = np.sqrt(np.diag(np.linalg.inv(fit.evidence.hessian)))
    a, b = (fit.numbers[i] + errors[i] * np.linspace(-6, 6, 121) for i in (0, 1))
    data, rate = table(), special.expit(a[:, None, None] + b[:, None] * np.log(X))
    density = stats.binom.logpmf(data["k"], data["n"], rate).sum(axis=-1)
    weight = np.exp(density - density.max())
    for name, values, axis in (("a", a, 1), ("b", b, 0)):
        own = weight.sum(axis=axis) / weight.sum()
        mean = own @ values
        sd = np.sqrt(own @ (values - mean) ** 2)
        assert post.params[name].mean() == pytest.approx(mean, abs=0.15 * sd)
        assert post.params[name].std() == pytest.approx(sd, rel=0.12)
    assert "sigma" not in post.sites and "successes of independent trials" in post.method
    bands = post.predict({"x": [1.0, 1e6]}, interval="prediction")
    assert bands["lower"].min() >= 0 and bands["upper"].max() <= 1
    for words, sentence in (({"observation": "normal"}, "'binomial'"), ({"run_effects": True}, "no offsets")):
        with pytest.raises(ValueError, match=sentence):
            fit.posterior(**words)


def test_coverage_of_150_tables_in_one_batch() -> None:
    """90 % intervals from the curvature: 135 +- 3.7 of 150 hold the truth, four deviations allowed."""
    start = {"a": [-2.0], "b": [0.5]}
    fits = sj.fit_groups(logistic, table(1, 150), by="g", target="k", objective=BINOMIAL, starts=start)
    assert {fit.status for fit in fits.values()} == {"converged"}
    numbers = np.stack([fit.numbers for fit in fits.values()])
    errors = np.stack([np.sqrt(np.diag(np.linalg.inv(f.evidence.hessian))) for f in fits.values()])
    held = (np.abs(numbers - TRUTH) <= stats.norm.ppf(0.95) * errors).sum(axis=0)
    assert (np.abs(held - 135) <= 4 * 3.7).all()


def test_none_all_and_some() -> None:
    counts = {
        "x": [1, 2, 3] * 3,
        "k": [0, 0, 0, 9, 9, 9, 0, 9, 3],
        "g": np.repeat(["none", "all", "some"], 3),
    }
    fits = sj.fit_groups(constant, counts, by="g", target="k", objective=sj.Binomial(9))
    found = {key: fit.params["p"] for key, fit in fits.items()}
    assert found == pytest.approx({"none": 0.0, "all": 1.0, "some": 4 / 9}, abs=1e-12)


def test_trials_as_a_number_or_a_column_and_weights_as_repeats() -> None:
    rows = {"x": X[:15], "k": np.arange(15), "n": np.full(15, 40)}
    by_column, by_number = (
        sj.fit(logistic, rows, target="k", objective=o) for o in (BINOMIAL, sj.Binomial(40))
    )
    assert by_column.objective_value == by_number.objective_value
    twice = {name: np.repeat(values, 2) for name, values in rows.items()}
    weighted = sj.fit(logistic, rows, target="k", objective=BINOMIAL, weights=np.full(15, 2.0))
    repeated = sj.fit(logistic, twice, target="k", objective=BINOMIAL)
    np.testing.assert_allclose(weighted.numbers, repeated.numbers, rtol=1e-9)
    assert weighted.objective_value == pytest.approx(repeated.objective_value, rel=1e-12)


def test_kept_and_repeated(fit) -> None:
    again = sj.FitResult.from_json(fit.to_json(), law=logistic)
    assert again.objective == BINOMIAL and again.params == fit.params
    assert again.with_data(fit.data()).objective_value == fit.objective_value
    rows = rows_of(fit)
    refitted = sj.fit(logistic, rows, target="target", objective=sj.Binomial("trials"))
    assert refitted.params == fit.params and refitted.fingerprint == fit.fingerprint


BAD = {
    "too many": ({"k": [3, 7], "n": [5, 5]}, "counts more successes than there are trials in row 1"),
    "half a success": ({"k": [3, 2.5], "n": [5, 5]}, "must be whole, and is not in row 1"),
    "negative": ({"k": [-1, 2], "n": [5, 5]}, "must not be negative, and is in row 0"),
    "no trials": ({"k": [0, 2], "n": [0, 5]}, "trials must be whole numbers, 1 or more, and are not in row"),
    "half a trial": ({"k": [0, 2], "n": [5.5, 5]}, "trials must be whole numbers"),
    "no such column": ({"k": [0, 2]}, "There is no column 'n' for the trials"),
}


@pytest.mark.parametrize("name", BAD)
def test_counts_that_are_none(name: str) -> None:
    columns, sentence = BAD[name]
    with pytest.raises(sj.DataError, match=sentence):
        sj.fit(logistic, {"x": [1.0, 2.0], **columns}, target="k", objective=BINOMIAL)


def test_a_bad_group_never_stops_the_others() -> None:
    data = table(2, 3)
    data["k"] = np.where((data["g"] == 1) & (data["x"] == 1), 1000, data["k"])
    fits = sj.fit_groups(logistic, data, by="g", target="k", objective=BINOMIAL)
    assert {key: fit.status for key, fit in fits.items()} == {0: "converged", 1: "failed", 2: "converged"}
    assert "more successes than there are trials" in fits[1].reason


def test_what_makes_no_sense_beside_counts() -> None:
    data = table()
    with pytest.raises(sj.DataError, match="the trials say how sure a row is"):
        sj.fit(logistic, data, target="k", objective=BINOMIAL, target_se="n")
    with pytest.raises(ValueError, match="give the column of trials, or their number"):
        sj.Binomial(0)

    @sj.law
    def losses(x, *, E: sj.Interval(2, 3)):
        return E + x

    fit = sj.fit(losses, data, target="k", objective=BINOMIAL)
    assert fit.status == "failed" and "a probability between 0 and 1" in fit.reason
