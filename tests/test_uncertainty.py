"""The bootstrap is the published one where it can be compared, finds its own optima, and covers what it
claims to."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

COLUMNS = {"inputs": {"N": "n_params", "D": "tokens"}}
PUBLISHED = pd.DataFrame(
    {
        "objective": [9.01863664e-4, 8.41132457e-4, 1.092332020e-3, 1.000375970e-3, 1.136974090e-3],
        "A": [349.556, 487.836, 728.411, 317.833, 319.983],
        "B": [2356.25, 1509.95, 2507.01, 2328.80, 2877.61],
        "E": [1.793330, 1.803583, 1.861662, 1.786643, 1.798078],
        "alpha": [0.328633, 0.348965, 0.372424, 0.323206, 0.323745],
        "beta": [0.371855, 0.349989, 0.375040, 0.371303, 0.381286],
    }
)
STRANDED = 3178  # where SciPy's BFGS stops 5.6e-4 above the optimum, at B = 8492


@pytest.fixture(scope="module")
def fit240(runs240: pd.DataFrame) -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, runs240, **COLUMNS)


@pytest.fixture(scope="module")
def replicates(fit240: sj.FitResult):
    """The first 500 of the replication's 4,000 resamples, and the one in which its optimiser was stranded."""
    legacy = np.random.RandomState(42)  # the published draws came from this generator
    drawn = np.stack([legacy.choice(240, size=240) for _ in range(STRANDED + 1)])
    return fit240.bootstrap(indices=np.concatenate([drawn[:500], drawn[STRANDED:]]))


@pytest.fixture(scope="module")
def line() -> sj.FitResult:
    """A power law over 24 runs with log-normal scatter of 2 %."""
    x = np.geomspace(1, 1e3, 24)
    loss = 5 * x**-0.3 * np.exp(np.random.default_rng(5).normal(0, 0.02, 24))
    return sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())


def test_t6_published_replicates_to_their_digits(replicates) -> None:
    np.testing.assert_allclose(replicates.objective_values[:5], PUBLISHED["objective"], rtol=1e-6)
    for name, tolerance in (("A", 2e-4), ("B", 1e-3), ("E", 1e-4), ("alpha", 1e-4), ("beta", 1e-4)):
        np.testing.assert_allclose(replicates.params[name][:5], PUBLISHED[name], rtol=tolerance)


def test_a_replicate_in_which_scipy_is_stranded_reaches_its_optimum(replicates) -> None:
    assert replicates.params["B"].iloc[-1] == pytest.approx(17777, rel=1e-3)


def test_t6_standard_errors_of_500_replicates(replicates) -> None:
    """All 4,000 give 124.5, .02567, .01539, .02063 (benchmarks/bootstrap.py); an SE from 500 is known to 3 %,
    two of which are allowed."""
    se = replicates.params[:500].std()
    for name, published in (("A", 124.5), ("E", 0.02567), ("alpha", 0.01539), ("beta", 0.02063)):
        assert se[name] == pytest.approx(published, rel=0.065)
    assert np.corrcoef(np.log(replicates.params["A"]), replicates.params["alpha"])[0, 1] > 0.998


def test_derived_quantities_come_with_intervals(replicates) -> None:
    derived = replicates.derive(lambda p: {"share": p["beta"] / (p["alpha"] + p["beta"])})
    assert derived.loc["share", "estimate"] == pytest.approx(0.5139, abs=1e-4)
    assert derived.loc["share", "se"] == pytest.approx(0.01998, rel=0.065)


def test_bands_contain_the_estimate_and_predictions_are_wider_than_the_mean(line: sj.FitResult) -> None:
    at = {"x": [10.0, 1e4, 1e5]}
    mean, new = line.predict(at, interval="confidence"), line.predict(at, interval="prediction")
    assert ((mean["lower"] < mean["prediction"]) & (mean["prediction"] < mean["upper"])).all()
    assert ((new["upper"] - new["lower"]) > (mean["upper"] - mean["lower"])).all()
    assert mean["extrapolation"].round(9).tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(mean["prediction"], line.predict(at))
    with pytest.raises(ValueError, match="'confidence' is the band of the mean curve"):
        line.predict(at, interval="credible")


def test_every_method_agrees_with_theory_on_a_straight_line(line: sj.FitResult) -> None:
    """On logs this is ordinary regression, whose standard error is known; resampling 24 rows is short by
    sqrt(22/24) and noise."""
    x = np.log(line.data().inputs["x"])
    sigma = np.sqrt(np.sum(line.residuals**2) / 22)
    theory = sigma / np.sqrt(np.sum((x - x.mean()) ** 2))
    with pytest.warns(UserWarning, match="with 24 runs its intervals are short"):
        bayesian = line.bootstrap(600, method="bayesian")
    for draws in (bayesian, line.bootstrap(600, method="row"), line.bootstrap(600, method="residual")):
        assert draws.params["alpha"].std() == pytest.approx(theory, rel=0.25), draws.method


def test_runs_are_drawn_whole() -> None:
    """Checkpoints of a run share its luck: drawing rows pretends there are thirty times as many runs."""
    rng = np.random.default_rng(1)
    x = np.tile(np.geomspace(1, 100, 30), 8)
    run = np.repeat(np.arange(8), 30)
    loss = 5 * x**-0.3 * np.exp(rng.normal(0, 0.05, 8)[run] + rng.normal(0, 0.002, 240))
    fit = sj.fit(
        sj.laws.power_law, {"x": x, "loss": loss, "run": run}, run="run", objective=sj.SquaredError()
    )
    by_run = fit.bootstrap(300)
    with pytest.warns(UserWarning, match="rows of one run are not independent"):
        by_row = fit.bootstrap(300, method="row")
    assert "training runs" in by_run.method and "rows" in by_row.method
    assert by_run.params["A"].std() > 3 * by_row.params["A"].std()


def test_hierarchical_is_wider_where_scales_differ() -> None:
    """Noise common to a scale (Ivgi et al. 2022) is invisible to a flat draw of its seeds."""
    rng = np.random.default_rng(2)
    x = np.repeat(np.geomspace(1, 100, 8), 10)
    loss = 5 * x**-0.3 * np.exp(np.repeat(rng.normal(0, 0.05, 8), 10) + rng.normal(0, 0.005, 80))
    fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())
    flat, nested = fit.bootstrap(300, method="row"), fit.bootstrap(300, method="hierarchical")
    assert nested.params["alpha"].std() > 1.8 * flat.params["alpha"].std()
    with pytest.raises(ValueError, match="draws the values of one input"):
        fit.bootstrap(10, method="hierarchical", scale="width")


def test_jackknife_leaves_each_run_out_in_turn(line: sj.FitResult) -> None:
    left = line.jackknife()
    assert len(left) == 24 and left.index.name == "left out"
    x, y = line.data().inputs["x"], line.data().target
    without = sj.fit(sj.laws.power_law, {"x": x[:-1], "loss": y[:-1]}, objective=sj.SquaredError())
    np.testing.assert_allclose(left.iloc[-1], without.numbers, rtol=1e-8)


def test_a_seed_repeats_and_bad_requests_are_refused(line: sj.FitResult) -> None:
    np.testing.assert_array_equal(line.bootstrap(20, seed=7).numbers, line.bootstrap(20, seed=7).numbers)
    for message, call in {
        "use one of run, row": lambda: line.bootstrap(10, method="wild"),
        "positive number of replicates": lambda: line.bootstrap(0),
        "positions from 0 to 23": lambda: line.bootstrap(indices=[[0, 24]]),
        "between 0 and 1": lambda: line.conf_int(90),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


def test_fixed_and_tied_parameters_stay_so(runs240: pd.DataFrame) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, fixed={"E": 1.8}, tied=[("alpha", "beta")], **COLUMNS)
    draws = fit.bootstrap(20)
    assert (draws.params["E"] == 1.8).all()
    np.testing.assert_allclose(draws.params["alpha"], draws.params["beta"], rtol=1e-12)


def test_every_group_is_bootstrapped_in_one_batch_as_if_alone() -> None:
    """Ragged groups, one of them without a fit: each replicate is the optimum of its own resampled table."""
    rng = np.random.default_rng(3)
    sizes = {"a": 12, "b": 20}
    x = np.concatenate([np.geomspace(1, 100, n) for n in sizes.values()])
    table = pd.DataFrame(
        {
            "x": x,
            "loss": 5 * x**-0.3 * np.exp(rng.normal(0, 0.02, len(x))),
            "family": np.repeat(list(sizes), list(sizes.values())),
        }
    )
    fits = sj.fit_groups(sj.laws.power_law, table, by="family", objective=sj.SquaredError())
    draws = fits.bootstrap(100, seed=1)
    assert list(draws) == ["a", "b"]
    log = np.log(table[["x", "loss"]].to_numpy())
    for i, key in enumerate(sizes):
        mine = log[(table["family"] == key).to_numpy()]
        picked = np.random.default_rng([1, i]).integers(len(mine), size=(100, len(mine)))
        slopes = [-np.polyfit(*mine[rows].T, 1)[0] for rows in picked]
        np.testing.assert_allclose(draws[key].params["alpha"], slopes, rtol=1e-6)


def test_a_new_run_is_less_certain_the_further_it_lies_beyond_the_data(line: sj.FitResult) -> None:
    """Beyond the widening of the mean curve: 3.6 residual scales per decade, none inside the data; the table
    says how."""
    at = {"x": [30.0, 1e4, 1e5]}
    new = line.predict(at, interval="prediction")
    scale = np.sqrt(np.sum(line.residuals**2) / 22)
    half = np.log(new["upper"] / new["prediction"])
    assert half[0] < 3 * scale
    assert half[1] > 3.6 * scale and half[2] > 7.2 * scale
    assert "widened" in new.attrs["method"] and "1,000 replicates" in new.attrs["method"]


def test_a_fixed_vector_parameter_stays_fixed_in_refits() -> None:
    """Its numbers are recorded as `t[0]` and `t[1]`; the specification of a refit names the parameter."""

    @sj.law(shapes={"t": (2,)}, domains={"t": sj.Positive})
    def bent(x, *, A: sj.Positive, t):
        return A * (x ** -t[0] + x ** -t[1])

    x = np.geomspace(1, 100, 12)
    loss = 3 * (x**-0.3 + x**-0.6) * np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    fit = sj.fit(bent, {"x": x, "loss": loss}, fixed={"t": [0.3, 0.6]}, objective=sj.SquaredError())
    draws = fit.bootstrap(20)
    assert (draws.params["t[0]"] == 0.3).all() and (draws.params["t[1]"] == 0.6).all()
    assert draws.params["A"].std() > 0
    assert fit.backtest() is not None


def test_one_row_fewer_compiles_nothing(line: sj.FitResult, caplog: pytest.LogCaptureFixture) -> None:
    """A table of 24 rows and one of 23 are padded to the same length, alone and in a batch."""
    line.bootstrap(50)
    runs = line.data()
    shorter = sj.fit(
        line.law, {"x": runs.inputs["x"][1:], "loss": runs.target[1:]}, objective=sj.SquaredError()
    )
    caplog.clear()
    with jax.log_compiles(), caplog.at_level("WARNING"):
        shorter.bootstrap(50)
    assert not [record for record in caplog.records if record.message.startswith("Compiling")]
