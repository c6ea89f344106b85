"""`datasets.simulate` draws what it says: moments and correlations of its noise are those asked for."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.datasets import simulate

TRUTH = {"E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}


def chinchilla(N, D, *, E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


GRID = {"N": np.logspace(7, 10, 4), "D": np.logspace(9, 12, 5)}


def residuals(table: pd.DataFrame, kind: str = "multiplicative") -> np.ndarray:
    expected = chinchilla(table["N"], table["D"], **TRUTH)
    return np.asarray(
        np.log(table["loss"] / expected) if kind == "multiplicative" else table["loss"] - expected
    )


def runs(n_runs: int, n_steps: int) -> pd.DataFrame:
    """Every run with the same checkpoints, one per unit of ln(D)."""
    steps = np.tile(np.arange(n_steps), n_runs)
    return pd.DataFrame({"run": np.repeat(np.arange(n_runs), n_steps), "N": 1e8, "D": 1e9 * np.exp(steps)})


def test_without_noise_it_is_the_law():
    table = simulate(chinchilla, TRUTH, GRID, grid=True)
    assert list(table.columns) == ["N", "D", "loss"] and len(table) == 20
    assert table["N"].tolist()[:6] == [1e7] * 5 + [1e8]
    np.testing.assert_array_equal(table["loss"], chinchilla(table["N"], table["D"], **TRUTH))


def test_designs_may_be_tables_arrays_or_grids():
    grid = simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, seed=5)
    table = simulate(chinchilla, TRUTH, grid[["N", "D"]], noise=0.1, seed=5)
    arrays = simulate(chinchilla, TRUTH, {"N": grid["N"].to_numpy(), "D": list(grid["D"])}, noise=0.1, seed=5)
    pd.testing.assert_frame_equal(grid, table)
    pd.testing.assert_frame_equal(grid, arrays)
    assert len(simulate(chinchilla, TRUTH, {"N": 1e8, "D": [1e9, 1e10]})) == 2
    assert len(simulate(chinchilla, TRUTH, {"N": 1e8, "D": 1e9})) == 1


def test_columns_may_have_other_names_and_whole_numbers():
    design = pd.DataFrame({"n_params": [10**8, 10**9], "tokens": [2 * 10**12, 10**19]}, index=[7, 3])
    table = simulate(chinchilla, TRUTH, design, inputs={"N": "n_params", "D": "tokens"}, target="val_loss")
    assert list(table.columns) == ["n_params", "tokens", "val_loss"]
    assert table["val_loss"].tolist() == pytest.approx(
        [chinchilla(1e8, 2e12, **TRUTH), chinchilla(1e9, 1e19, **TRUTH)]
    )
    assert "val_loss" not in design


@pytest.mark.parametrize("kind", ["multiplicative", "additive"])
def test_noise_has_the_standard_deviation_asked_for(kind):
    design = {"N": np.logspace(7, 10, 20_000), "D": 1e10}
    noise = residuals(simulate(chinchilla, TRUTH, design, noise=0.02, kind=kind, seed=1), kind)
    assert noise.std() == pytest.approx(0.02, rel=0.02) and abs(noise.mean()) < 0.0006
    # Normal, not just of the right width.
    assert np.mean(np.abs(noise) < 0.02) == pytest.approx(0.6827, abs=0.01)


def test_outliers_have_their_share_and_size():
    design = {"N": np.logspace(7, 10, 20_000), "D": 1e10}
    table = simulate(chinchilla, TRUTH, design, noise=0.001, outliers=0.05, outlier_size=0.3, seed=2)
    rows = table.attrs["truth"]["outlier_rows"]
    large = np.flatnonzero(np.abs(residuals(table)) > 0.15)
    assert rows == large.tolist() and len(rows) == pytest.approx(1000, rel=0.1)
    assert np.abs(residuals(table)[rows]) == pytest.approx(0.3, abs=0.006)
    assert np.sign(residuals(table)[rows]).mean() == pytest.approx(0, abs=0.1)
    # Ten standard deviations when no size is given.
    assert simulate(chinchilla, TRUTH, design, noise=0.01, outliers=0.1).attrs["truth"][
        "outlier_size"
    ] == pytest.approx(0.1)


def test_run_effects_are_shared_by_a_run():
    noise = residuals(simulate(chinchilla, TRUTH, runs(2000, 5), run_sd=0.03, seed=3)).reshape(2000, 5)
    assert np.ptp(noise, axis=1).max() < 1e-12
    assert noise[:, 0].std() == pytest.approx(0.03, rel=0.05)


def test_checkpoints_are_correlated_within_a_run_only():
    noise = residuals(
        simulate(chinchilla, TRUTH, runs(4000, 6), noise=0.02, correlation=0.8, seed=4)
    ).reshape(4000, 6)
    found = np.corrcoef(noise.T)
    distance = np.abs(np.subtract.outer(range(6), range(6)))
    np.testing.assert_allclose(found, 0.8**distance, atol=0.04)
    np.testing.assert_allclose(noise.std(axis=0), 0.02, rtol=0.04)
    assert abs(np.corrcoef(noise[:-1, -1], noise[1:, 0])[0, 1]) < 0.05


def test_correlation_may_decay_along_a_column():
    design = runs(4000, 3)
    design["D"] = 1e9 * np.tile([1.0, np.exp(0.5), np.exp(3.0)], 4000)
    noise = residuals(
        simulate(chinchilla, TRUTH, design, noise=0.02, correlation=0.7, along="D", seed=5)
    ).reshape(4000, 3)
    found = np.corrcoef(noise.T)
    assert found[0, 1] == pytest.approx(0.7**0.5, abs=0.03) and found[0, 2] == pytest.approx(0.7**3, abs=0.05)


def test_the_order_of_rows_does_not_matter_for_the_law_of_the_noise():
    shuffled = runs(3000, 4).sort_values("D", kind="stable")  # runs interleaved
    table = simulate(chinchilla, TRUTH, shuffled, noise=0.02, correlation=0.9, seed=6)
    noise = residuals(table.sort_values(["run", "D"])).reshape(3000, 4)
    assert np.corrcoef(noise.T)[0, 1] == pytest.approx(0.9, abs=0.02)


def test_seeds_repeat_and_the_global_state_is_untouched():
    # the legacy state, from which many scripts of users still draw, is what is watched
    legacy = np.random.get_state
    before = legacy()[1].copy()
    first, again, other = (
        simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, seed=s)["loss"].tolist() for s in (1, 1, 2)
    )
    assert first == again and first != other
    assert (legacy()[1] == before).all()
    generator = np.random.default_rng(1)
    assert simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, seed=generator)["loss"].tolist() == first
    assert simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, seed=generator)["loss"].tolist() != first


def test_adding_outliers_leaves_the_other_draws_alone():
    plain = simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, seed=7)
    dirty = simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.1, outliers=0.3, seed=7)
    clean = [i for i in range(len(plain)) if i not in dirty.attrs["truth"]["outlier_rows"]]
    assert 0 < len(clean) < len(plain)
    assert plain["loss"].iloc[clean].tolist() == dirty["loss"].iloc[clean].tolist()


def test_the_truth_is_recorded():
    table = simulate(chinchilla, TRUTH, runs(2, 3), noise=0.01, run_sd=0.02, correlation=0.5, seed=9)
    truth = table.attrs["truth"]
    assert (
        truth["law"] == "chinchilla"
        and truth["params"] == TRUTH
        and truth["run"] == "run"
        and truth["seed"] == 9
    )
    assert json.loads(json.dumps(truth)) == truth


def test_a_law_of_the_library():
    sj_law = pytest.importorskip("scaling_jax.core.law", reason="the law module needs jax")
    law = sj_law.law(chinchilla)
    ours = simulate(law, TRUTH, GRID, grid=True, noise=0.01, seed=1)
    np.testing.assert_allclose(
        ours["loss"], simulate(chinchilla, TRUTH, GRID, grid=True, noise=0.01, seed=1)["loss"], rtol=1e-12
    )
    with pytest.raises(ValueError, match=r"missing \['beta'\], unknown \['gamma'\]"):
        simulate(law, {k: v for k, v in TRUTH.items() if k != "beta"} | {"gamma": 1.0}, GRID, grid=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": -0.1}, "noise=-0.1 has to be a number >= 0"),
        ({"noise": float("nan")}, "noise=nan"),
        ({"outliers": 1.5}, "outliers=1.5 has to be between 0 and 1"),
        ({"run": "run", "correlation": 1.0}, "below 1"),
        ({"kind": "poisson"}, "kind='poisson'"),
        ({"run_sd": 0.1}, "name the column with run="),
        ({"run": "id"}, "the design has no column 'id'"),
        ({"target": "N"}, "already has a column 'N'"),
        ({"inputs": {"N": "size"}}, "the design has no column 'size'"),
        ({"design": {"N": [1e8, 1e9], "D": [1e9]}}, "did you mean grid=True"),
        ({"design": {"N": [], "D": []}}, "no rows"),
        ({"design": pd.DataFrame({"N": [1e8]}), "grid": True}, "grid=True needs a mapping"),
        ({"design": {"N": [0.0, 1e8], "D": 1e9}}, "the law is inf in row 0"),
        ({"params": TRUTH | {"E": -50.0}}, "finite and positive"),
        ({"params": {"E": 1.0}}, "missing"),
        ({"design": {"N": [1e8], "D": [1e9], "run": [None]}}, "column 'run' is empty in row 0"),
    ],
)
def test_bad_settings_get_one_sentence(changes, message):
    settings = {"params": TRUTH, "design": {"N": [1e8, 1e9], "D": [1e9, 1e9]}} | changes
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        simulate(chinchilla, **settings)


def test_additive_noise_allows_a_negative_law():
    table = simulate(chinchilla, TRUTH | {"E": -50.0}, GRID, grid=True, noise=0.1, kind="additive")
    assert (table["loss"] < 0).any()


def test_laws_of_curves_are_drawn_from_a_column_of_curves() -> None:
    """Each row is the law at its step of its own schedule, in the table's order."""
    curves = {
        "falls": sj.schedules.curve(sj.schedules.cosine(60, 1e-2)),
        "stays": sj.schedules.constant(60, 2e-2),
    }
    design = pd.DataFrame({"step": [20, 60, 40, 60], "run": ["falls", "stays", "stays", "falls"]})
    design["lr"] = design["run"].map(curves)
    truth = {"L0": 2.0, "A": 0.5, "alpha": 0.4, "C": 20.0, "span": 30.0}
    drawn = simulate(sj.laws.tissue, truth, design)
    places = zip(design["step"], design["run"], strict=True)
    wanted = [sj.laws.tissue(step, lr=curves[run], **truth) for step, run in places]
    np.testing.assert_allclose(drawn["loss"], wanted, rtol=1e-12)
    assert drawn["lr"].tolist() == design["lr"].tolist()
    with pytest.raises(ValueError, match="no column 'lr'"):
        simulate(sj.laws.tissue, truth, design.drop(columns="lr"))
    with pytest.raises(ValueError, match="finite and not negative"):
        simulate(sj.laws.tissue, truth, design.assign(lr=[[-1.0]] * 4))
