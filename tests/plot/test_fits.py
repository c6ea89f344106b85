"""Pictures of fits show the runs and the law, change no style, and say what they drew as a table."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def fit() -> sj.FitResult:
    runs = sj.datasets.load("tiny_sweep")
    return sj.fit(
        sj.laws.chinchilla,
        runs,
        inputs={"N": "n_params", "D": "tokens"},
        run="run",
        where="arm == 'main' and final",
    )


def test_curves_hold_every_run_and_pass_near_them(fit: sj.FitResult) -> None:
    before = dict(matplotlib.rcParams)
    table = sj.plot.curve_data(fit, "D")
    assert (table["kind"] == "run").sum() == len(fit.data())
    assert table["curve"].nunique() == 11, "eleven model sizes"
    ax = sj.plot.curves(fit, "D")
    assert ax.get_xlabel() == "training data D (tokens)" and ax.get_ylabel() == "loss"
    assert len(ax.collections[0].get_offsets()) == len(fit.data())
    assert dict(matplotlib.rcParams) == before


def test_a_curve_is_dashed_where_none_of_its_runs_is(fit: sj.FitResult) -> None:
    table = sj.plot.curve_data(fit, "D")
    for _, part in table.groupby("curve"):
        dots, line = part[part["kind"] == "run"], part[part["kind"] == "fit"]
        inside = (line["x"] >= dots["x"].min()) & (line["x"] <= dots["x"].max())
        np.testing.assert_array_equal(line["beyond"] == 0, inside)
    solid = [one for one in sj.plot.curves(fit, "D").get_lines() if one.get_linewidth() > 1]
    assert {one.get_linestyle() for one in solid} == {"-", "--"}


def test_checkpoints_are_joined_by_run() -> None:
    runs = sj.datasets.load("tiny_sweep").query("arm == 'main'")
    fit = sj.fit(sj.laws.chinchilla, runs, inputs={"N": "n_params", "D": "tokens"}, run="run")
    thin = [one for one in sj.plot.curves(fit).get_lines() if one.get_linewidth() < 1]
    assert len(thin) == runs["run"].nunique()


def test_a_run_between_two_curves_has_a_colour_between_theirs() -> None:
    N = np.geomspace(1e6, 1e9, 40)
    law = sj.laws.chinchilla
    loss = law(N, 20 * N, E=1.7, A=400, B=400, alpha=0.34, beta=0.28)
    table = sj.plot.curve_data(sj.fit(law, {"N": N, "D": 20 * N, "loss": loss}))
    dots = table[table["kind"] == "run"]
    np.testing.assert_allclose(np.sort(dots["place"]), np.linspace(0, 1, 40), atol=1e-12)


def test_an_unknown_axis_is_named(fit: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="has the inputs N, D"):
        sj.plot.curves(fit, "C")


def test_every_run_is_shown_where_sizes_never_repeat() -> None:
    N = np.geomspace(1e6, 1e9, 40)
    D = np.geomspace(1e8, 1e10, 40)[np.random.default_rng(0).permutation(40)]
    fit = sj.fit(
        sj.laws.chinchilla,
        {"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, E=1.7, A=400, B=400, alpha=0.34, beta=0.28)},
    )
    table = sj.plot.curve_data(fit)
    assert (table["kind"] == "run").sum() == 40
    assert table["curve"].nunique() == 12 and table["curve"].iloc[0] == "N near 1M"
    np.testing.assert_allclose(sorted(table.loc[table["kind"] == "run", "x"]), sorted(D))


def test_curves_are_coloured_by_an_input_that_varies() -> None:
    @sj.law
    def shared(N, U, D, *, A: sj.Positive, alpha: sj.Positive, beta: sj.Positive):
        return A * N**-alpha * D**-beta + 0 * U

    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e6, 1e8, 4), np.geomspace(1e8, 1e10, 4)))
    for constant, varying in (("U", "N"), ("N", "U")):
        table = {constant: np.full(16, 3e6), varying: N, "D": D, "loss": 9 * N**-0.1 * D**-0.05}
        lines = sj.plot.curve_data(sj.fit(shared, table), "D").query("kind == 'fit'")
        assert sorted(lines["place"].unique()) == pytest.approx([0, 1 / 3, 2 / 3, 1])
