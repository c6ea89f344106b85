"""The bootstrap is the published one where it can be compared, and finds its own optima."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.core.memory import DEFAULT
from scaling_jax.fitting import refits
from scaling_jax.uncertainty.bootstrap import joint_draws

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
    monkeypatch.setattr(refits, "BYTES_PER_CELL", DEFAULT / (7 * 24))
    for method, expected in zip(methods, whole, strict=True):
        found = line.bootstrap(40, method=method)
        np.testing.assert_allclose(found.numbers, expected.numbers, rtol=1e-9)
        assert found.moved == expected.moved
    pd.testing.assert_frame_equal(line.jackknife(), left, rtol=1e-9)


def test_replicates_of_groups_do_not_depend_on_how_many_memory_holds(
    recipes: sj.FitGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """21 rows in two groups: seven replicates of both at a time; alone, with shared values, paired, and to be
    compared draw by draw."""
    parts = [recipes[key].data() for key in recipes]
    rows = {"x": np.concatenate([part.inputs["x"] for part in parts])}
    rows["loss"] = np.concatenate([part.target for part in parts])
    rows |= {"run": np.r_[:9, :12], "of": np.repeat([0, 1], [9, 12])}
    apart = sj.fit_groups(sj.laws.power_law, rows, by="of", run="run", objective=sj.SquaredError())

    def drawn() -> list[np.ndarray]:
        found = [one.numbers for fits in (recipes, apart) for one in fits.bootstrap(20).values()]
        found += [one.numbers for one in apart.bootstrap(20, paired=True).values()]
        return found + [one.numbers for one in joint_draws(list(apart.values()), 20, 0)]

    whole = drawn()
    monkeypatch.setattr(refits, "BYTES_PER_CELL", DEFAULT / (7 * 21))
    for found, expected in zip(drawn(), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.fixture(scope="module")
def recipes() -> sj.FitGroups:
    """Two lines of nine and twelve runs with one slope, and own heights; what is fitted is a regression."""
    rng = np.random.default_rng(3)
    x = np.concatenate([np.geomspace(1, 100, 9), np.geomspace(1, 1000, 12)])
    recipe = np.repeat(["web", "filtered"], [9, 12])
    loss = np.where(recipe == "web", 5.0, 7.0) * x**-0.3 * np.exp(rng.normal(0, 0.02, 21))
    table = pd.DataFrame({"x": x, "loss": loss, "recipe": recipe, "run": np.r_[:9, :12]})
    how = {"by": "recipe", "run": "run", "shared": ["alpha"], "objective": sj.SquaredError()}
    return sj.fit_groups(sj.laws.power_law, table, **how)


def regression(fits: sj.FitGroups, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Heights and the common slope by weighted least squares on logarithms, groups in their order."""
    rows = []
    for place, (key, fit) in enumerate(fits.items()):
        x, y, root = fit.data().inputs["x"], fit.data().target, np.sqrt(weights[key])
        one = np.zeros((len(x), 2))
        one[:, place] = 1
        rows.append(np.column_stack([one, -np.log(x), np.log(y)]) * root[:, None])
    stacked = np.vstack(rows)
    return np.linalg.lstsq(stacked[:, :3], stacked[:, 3], rcond=None)[0]


def test_shared_parameters_are_refitted_jointly_in_every_replicate(recipes: sj.FitGroups) -> None:
    """Before, they stayed at their estimate: a standard error of 5.6e-17, and 0 of 15 intervals held A."""
    from scaling_jax.uncertainty.bootstrap import replicates as resampled

    drawn = recipes.bootstrap(40, seed=7)
    np.testing.assert_array_equal(drawn["web"].params["alpha"], drawn["filtered"].params["alpha"])
    weights = [resampled(f, 40, [7, i]).weight for i, f in enumerate(recipes.values())]
    for i in range(40):
        own = regression(recipes, dict(zip(recipes, (w[i] for w in weights), strict=True)))
        np.testing.assert_allclose(drawn["web"].params["alpha"][i], own[2], rtol=1e-7)
        firsts = [drawn[key].params["A"][i] for key in recipes]
        np.testing.assert_allclose(firsts, np.exp(own[:2]), rtol=1e-7)
    assert "alpha refitted to all groups at once" in drawn["web"].method
    np.testing.assert_allclose(recipes["web"].bootstrap(40, seed=7).numbers, drawn["web"].numbers)


def test_whatever_rests_on_draws_rests_on_joint_ones(recipes: sj.FitGroups) -> None:
    table = recipes["web"].conf_int()
    assert table.loc["alpha", "upper"] - table.loc["alpha", "lower"] > 0.005
    kept = recipes["filtered"].draws
    np.testing.assert_array_equal(kept.params["alpha"], recipes["web"].draws.params["alpha"])
    band = recipes["web"].predict({"x": 1e6}, interval="confidence")
    alone = sj.fit(sj.laws.power_law, recipes["web"].data().inputs | {"loss": recipes["web"].data().target})
    assert band["upper"][0] > band["lower"][0] * 1.02
    assert alone.shared == () and alone.companions == [alone]


def test_paired_draws_of_shared_groups_draw_runs_of_one_name_together(recipes: sj.FitGroups) -> None:
    paired = recipes.bootstrap(20, seed=1, paired=True)
    np.testing.assert_array_equal(paired["web"].params["alpha"], paired["filtered"].params["alpha"])
    assert paired["web"].params["alpha"].std() > 0.001


def test_jackknife_of_a_group_refits_the_others_with_it(recipes: sj.FitGroups) -> None:
    left = recipes["web"].jackknife()
    whole = {key: np.ones(len(fit.data())) for key, fit in recipes.items()}
    for i in range(9):
        without = whole | {"web": np.delete(np.ones(10), 0) * (np.arange(9) != i)}
        assert left["alpha"].iloc[i] == pytest.approx(regression(recipes, without)[2], rel=1e-7)


def test_what_would_hold_shared_values_as_known_is_refused(recipes: sj.FitGroups) -> None:
    with pytest.raises(ValueError, match=r"profile\(\) refits one group, and this one shares alpha"):
        recipes["web"].profile("A")
    with pytest.raises(ValueError, match=r"bootstrap\(indices=\) refits one group"):
        recipes["web"].bootstrap(indices=np.zeros((2, 9), int))
    again = sj.FitResult.from_json(recipes["web"].to_json()).with_data(recipes["web"].data())
    with pytest.raises(sj.DataError, match="shares alpha with other groups, which JSON does not hold"):
        again.conf_int()


def test_a_chain_takes_a_shared_group_with_its_companions(recipes: sj.FitGroups) -> None:
    @sj.law
    def error(loss, *, a: sj.Positive):
        return a * loss

    loss = np.linspace(1, 4, 8)
    to_error = sj.fit(error, {"loss": loss, "error": 0.1 * loss}, target="error")
    chain = sj.chain(recipes["web"], to_error)
    assert chain.draws[0].params["alpha"].std() > 0.001
