"""Counts from table to interval: the optimum, likelihood, errors and sentences of successes out of trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import scaling_jax as sj
from scaling_jax.core.overdispersed import shapes
from scaling_jax.pages.repeat import code_of, rows_of
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


SPREAD = sj.BetaBinomial("n")
RHO = 0.08


def scattered(seed: int, groups: int, rows: int = 100, overdispersion: float = RHO) -> dict[str, np.ndarray]:
    """Counts of rates that scatter about the law's."""
    rng = np.random.default_rng(seed)
    x = np.geomspace(1, 1e4, rows)
    rate = special.expit(TRUTH[0] + TRUTH[1] * np.log(x))
    n = rng.integers(20, 200, (groups, rows))
    k = rng.binomial(n, rng.beta(*shapes(rate, overdispersion), (groups, rows)) if overdispersion else rate)
    names = np.repeat(np.arange(groups), rows)
    return {"x": np.tile(x, groups), "k": k.ravel(), "n": n.ravel(), "g": names}


@pytest.fixture(scope="module")
def spread_fits() -> sj.FitGroups:
    return sj.fit_groups(logistic, scattered(3, 40), by="g", target="k", objective=SPREAD)


def test_counts_that_scatter_more_are_fitted_as_scipy_fits_them(spread_fits) -> None:
    data = {name: column[:100] for name, column in scattered(3, 40).items()}
    fit = spread_fits[0]

    def lost(z):
        rate = special.expit(z[0] + z[1] * np.log(data["x"]))
        return -stats.betabinom.logpmf(data["k"], data["n"], *shapes(rate, z[2])).sum()

    reference = optimize.minimize(
        lost, [*TRUTH, RHO], method="L-BFGS-B", bounds=[(None, None)] * 2 + [(1e-4, 0.9)],
        options={"ftol": 1e-14},
    )  # fmt: skip
    np.testing.assert_allclose(fit.numbers, reference.x, rtol=1e-4)
    said = information(fit)
    assert said.log_likelihood == pytest.approx(-reference.fun, abs=1e-6) and said.k == 3
    assert 0.5 * np.sum(fit.residuals**2) == pytest.approx(fit.objective_value, rel=1e-12)
    assert not fit.certificate.unidentified and not fit.certificate.extinct


def test_overdispersion_is_estimated_with_its_error(spread_fits) -> None:
    """90 % intervals of 40 tables: 36 +- 1.9 hold the truth, and as few as 29 one time in a thousand; the
    likelihood's own estimate of a scatter is low by about a parameter in a hundred rows."""
    assert {fit.status for fit in spread_fits.values()} == {"converged"}
    numbers = np.stack([fit.numbers for fit in spread_fits.values()])
    errors = np.stack([np.sqrt(np.diag(np.linalg.inv(f.evidence.hessian))) for f in spread_fits.values()])
    held = (np.abs(numbers - [*TRUTH, RHO]) <= stats.norm.ppf(0.95) * errors).sum(axis=0)
    assert (held >= 29).all()
    assert numbers.mean(axis=0) == pytest.approx([*TRUTH, RHO], rel=0.05)
    binomial = sj.fit(
        logistic, {k: v[:100] for k, v in scattered(3, 40).items()}, target="k", objective=BINOMIAL
    )
    assert information(binomial).aicc > information(spread_fits[0]).aicc + 100


def test_what_follows_from_overdispersed_counts(spread_fits) -> None:
    """A new row's band is as wide as its rate's scatter asks for, which its trials alone do not show."""
    fit = spread_fits[1]
    draws = fit.bootstrap(100)
    se = draws.conf_int()["se"].to_numpy()
    np.testing.assert_allclose(se, fit.stderr.to_numpy(), rtol=0.4)
    profile = fit.profile("overdispersion")
    assert 0 < profile.lower < fit.params["overdispersion"] < profile.upper
    band = draws.predict({"x": [100.0]}, interval="prediction", level=0.8).iloc[0]
    n = int(np.median(scattered(3, 40)["n"]))
    wanted = stats.betabinom.ppf([0.1, 0.9], n, *shapes(band["prediction"], fit.params["overdispersion"])) / n
    assert [band["lower"], band["upper"]] == pytest.approx(wanted, abs=0.06)
    again = sj.FitResult.from_json(fit.to_json(), law=logistic)
    assert again.objective == SPREAD and again.params == fit.params
    assert again.with_data(fit.data()).objective_value == fit.objective_value
    assert "beta-binomial log-likelihood" in fit.summary() and "sj.BetaBinomial('trials')" in code_of(fit)


def test_the_posterior_of_overdispersed_counts(spread_fits) -> None:
    pytest.importorskip("numpyro")
    fit = spread_fits[1]
    post = fit.posterior(method="laplace", draws=500)
    middle, error = post.params["overdispersion"].mean(), post.params["overdispersion"].std()
    assert abs(middle - fit.params["overdispersion"]) < error
    assert error == pytest.approx(fit.stderr["overdispersion"], rel=0.4)
    assert "whose rate each row draws anew" in post.method
    with pytest.raises(ValueError, match="as they were fitted"):
        fit.posterior(observation="binomial")


def test_counts_that_scatter_no_more_than_trials_end_at_the_bound() -> None:
    """Of binomial counts half the tables have no overdispersion at their optimum: Binomial's. With 40 tables
    fewer than 10 have less than once in a thousand; programs are those of `spread_fits`, but Binomial's."""
    data = scattered(6, 40, overdispersion=0.0)
    spread, plain = (
        sj.fit_groups(logistic, data, by="g", target="k", objective=o) for o in (SPREAD, BINOMIAL)
    )
    at_bound = [key for key, fit in spread.items() if fit.params["overdispersion"] == 0]
    assert len(at_bound) >= 10
    for key in at_bound:
        np.testing.assert_allclose(spread[key].numbers[:2], plain[key].numbers, rtol=1e-6)
        assert spread[key].objective_value == pytest.approx(plain[key].objective_value, rel=1e-9)


def test_seven_sizes_on_real_problems(shared: Callable[[str], Path]) -> None:
    """Successes of 128 problems by the size of the model: SciPy's optimum of both likelihoods, and problems
    that differ far more than ten thousand trials of one rate would."""
    rows = pd.read_csv(shared("repeated_sampling") / "successes.csv").query("benchmark == 'MATH'")
    size = rows["model"].str.extract(r"([\d.]+)([MB])")
    rows = rows.assign(x=size[0].astype(float) * size[1].map({"M": 1e-3, "B": 1.0}))
    x, k, n = (rows[name].to_numpy(dtype=float) for name in ("x", "correct", "n"))

    def rate(z):
        return special.expit(z[0] + z[1] * np.log(x))

    def binomial(z):
        return -np.sum(special.xlogy(k, rate(z)) + special.xlogy(n - k, 1 - rate(z)))

    def spread(z):
        alpha, beta = shapes(rate(z), special.expit(z[2]))
        return np.sum(special.betaln(alpha, beta) - special.betaln(alpha + k, beta + n - k))

    best = special.xlogy(k, k / n) + special.xlogy(n - k, 1 - k / n)
    fits = [
        sj.fit(logistic, rows, target="correct", objective=kind("n"))
        for kind in (sj.Binomial, sj.BetaBinomial)
    ]
    for fit, lost, start in zip(fits, (binomial, spread), ([-4.0, 0.5], [-4.0, 0.5, -3.0]), strict=True):
        reference = optimize.minimize(
            lost, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8}
        )
        assert fit.converged
        assert fit.objective_value == pytest.approx(reference.fun + best.sum(), abs=1e-4)
        np.testing.assert_allclose(fit.numbers[:2], reference.x[:2], rtol=1e-4)
    assert fits[1].params["overdispersion"] == pytest.approx(special.expit(reference.x[2]), rel=1e-4)
    assert information(fits[0]).aicc > 30 * information(fits[1]).aicc


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
