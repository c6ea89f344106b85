"""The bootstrap is the published one where it can be compared, and finds its own optima."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

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


def test_published_replicates_to_their_digits(replicates) -> None:
    np.testing.assert_allclose(replicates.objective_values[:5], PUBLISHED["objective"], rtol=1e-6)
    for name, tolerance in (("A", 2e-4), ("B", 1e-3), ("E", 1e-4), ("alpha", 1e-4), ("beta", 1e-4)):
        np.testing.assert_allclose(replicates.params[name][:5], PUBLISHED[name], rtol=tolerance)


def test_a_replicate_in_which_scipy_is_stranded_reaches_its_optimum(replicates) -> None:
    assert replicates.params["B"].iloc[-1] == pytest.approx(17777, rel=1e-3)


def test_standard_errors_of_500_replicates(replicates) -> None:
    """All 4,000 give 124.5, .02567, .01539, .02063 (benchmarks/bootstrap.py);
    an SE from 500 is known to 3 %, two of which are allowed."""
    se = replicates.params[:500].std()
    for name, published in (("A", 124.5), ("E", 0.02567), ("alpha", 0.01539), ("beta", 0.02063)):
        assert se[name] == pytest.approx(published, rel=0.065)
    assert np.corrcoef(np.log(replicates.params["A"]), replicates.params["alpha"])[0, 1] > 0.998


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


def test_paired_groups_resample_their_runs_together() -> None:
    """Two recipes on the same runs, one a constant factor worse: paired draws know the factor exactly."""
    x = np.tile(np.geomspace(1, 100, 16), 2)
    noise = np.tile(np.random.default_rng(4).normal(0, 0.05, 16), 2)
    recipe = np.repeat(["a", "b"], 16)
    loss = 5 * x**-0.3 * np.exp(noise) * np.where(recipe == "b", 1.1, 1.0)
    table = {"x": x, "loss": loss, "recipe": recipe, "seed": np.tile(np.arange(16), 2)}
    fits = sj.fit_groups(sj.laws.power_law, table, by="recipe", run="seed", objective=sj.SquaredError())

    def ratio(groups):
        return groups["b"]["A"] / groups["a"]["A"]

    paired = fits.bootstrap(100, paired=True)
    np.testing.assert_allclose(paired.derive(ratio).loc["quantity", ["lower", "upper"]], 1.1, rtol=1e-6)
    apart = fits.bootstrap(100).derive(ratio).loc["quantity"]
    assert apart["upper"] - apart["lower"] > 0.02
    assert paired.conf_int().loc[("a", "A"), "estimate"] == fits["a"].params["A"]
    assert list(paired.predict({"x": [1e3]})["prediction"]) == list(fits.predict({"x": [1e3]}).iloc[0])
    with pytest.raises(ValueError, match="leave method='row' out"):
        fits.bootstrap(10, method="row", paired=True)


@pytest.mark.filterwarnings("ignore:bootstrap")  # 24 runs are few for one of the methods
def test_replicates_do_not_depend_on_how_many_memory_holds(line: sj.FitResult, monkeypatch) -> None:
    """24 rows: seven replicates at a time instead of all 40, by every method and for the jackknife."""
    methods = ("row", "run", "bayesian", "residual", "hierarchical")
    whole = [line.bootstrap(40, method=method) for method in methods]
    left = line.jackknife()
    monkeypatch.setenv("SCALING_JAX_MEMORY", str(7 * 24 * 48))
    for method, expected in zip(methods, whole, strict=True):
        found = line.bootstrap(40, method=method)
        np.testing.assert_allclose(found.numbers, expected.numbers, rtol=1e-9)
        assert found.moved == expected.moved
    pd.testing.assert_frame_equal(line.jackknife(), left, rtol=1e-9)
