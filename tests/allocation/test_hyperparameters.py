"""Learning rates and batches: published laws side by side, and Step Law's protocol on its own runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.allocation.hyperparameters import SweepOptima
from scaling_jax.tables.runs import DataError

AT_1E9 = {
    "li2025_lr": 1.632e-3,
    "li2025_batch": 1.108e6,
    "deepseek2024_lr": 7.88e-4,
    "deepseek2024_batch": 1.828e6,
    "porian2024_lr": 2.129e-3,
    "porian2024_batch": 1.609e6,
    "kaplan2020_lr": 3.48e-4,
}
"""At 1e9 parameters and 1e11 tokens, to four digits."""
COLUMNS = {"data_size": "D", "non_embedding_param_size": "N", "lm_loss": "loss"}
STEP = {"lr": ["N", "D"], "batch": ["D"]}


def test_published_laws_side_by_side():
    table = sj.hyperparameters(1e9, 1e11)
    assert table["value"][list(AT_1E9)].to_dict() == pytest.approx(AT_1E9, rel=1e-3)
    assert table.loc["deepseek2024_lr", "outside"] == "C" and table.loc["li2025_lr", "outside"] == ""
    assert "hu2024_batch" not in table.index
    assert sj.hyperparameters(1e9, 1e11, loss=2.5).loc["hu2024_batch", "value"] == pytest.approx(
        3.98e6, rel=1e-3
    )
    with pytest.raises(ValueError, match="N = -1"):
        sj.hyperparameters(-1, 1e11)


@pytest.fixture(scope="module")
def step_runs(shared) -> pd.DataFrame:
    runs = pd.read_csv(shared("sldbench/lr_bsz.csv.gz")).rename(columns=COLUMNS)
    return runs[runs["split"] == "train"].assign(batch=runs["bsz"] * 2048)


@pytest.fixture(scope="module")
def step_optima(step_runs) -> SweepOptima:
    return sj.sweep_optima(step_runs, settings=STEP)


def test_step_law_is_repeated_on_its_runs(step_optima):
    assert len(step_optima.optima) == 231 and not step_optima.empty
    lr, batch = step_optima.params.loc["lr"], step_optima.params.loc["batch"]
    assert (lr["A"], batch["A"]) == (pytest.approx(1.586, rel=1e-3), pytest.approx(0.4605, rel=1e-3))
    assert lr["p_N"] == pytest.approx(-0.7081, abs=1e-4) and lr["p_D"] == pytest.approx(0.3088, abs=1e-4)
    assert batch["p_D"] == pytest.approx(0.5812, abs=1e-4)


def test_cells_are_resampled_and_vary_more_than_rows(step_optima):
    cells = step_optima.bootstrap(400)["lr"]
    rows = step_optima.fits["lr"].bootstrap(200, method="row").params
    assert cells["p_N"].mean() == pytest.approx(step_optima.params.loc["lr", "p_N"], abs=0.05)
    assert cells["p_D"].std() > 1.2 * rows["p_D"].std()
    pd.testing.assert_frame_equal(cells, step_optima.bootstrap(400)["lr"])


def test_the_mean_of_the_published_replicates_is_what_is_printed(shared):
    table = pd.read_csv(shared("step_law/bootstrap_published.csv.gz"))
    means = [table.iloc[:, i].mean() for i in range(table.shape[1])]
    assert any(mean == pytest.approx(-0.7129, abs=1e-4) for mean in means)
    assert any(mean == pytest.approx(0.5709, abs=1e-4) for mean in means)


def test_the_released_rows_alone_give_other_exponents(shared):
    runs = pd.read_csv(shared("step_law/dense.csv.gz"))
    runs = runs.assign(batch=runs["batch_sequences"] * 2048)
    found = sj.sweep_optima(runs, settings=STEP, loss="smooth_loss")
    assert len(found.optima) == 129
    assert found.params.loc["lr", ["p_N", "p_D"]].tolist() == pytest.approx([-0.7662, 0.1970], abs=1e-4)
    assert found.params.loc["batch", "p_D"] == pytest.approx(0.6125, abs=1e-4)


def sweep(cells: list[tuple[float, float]], noise: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (N, D, lr, B, 2 + 0.05 * np.log(lr / (2 * N**-0.5 * D**0.2)) ** 2 + 0.03 * np.log(B / D**0.5) ** 2)
        for N, D in cells
        for lr in np.geomspace(1e-3, 1e-1, 12)
        for B in np.geomspace(1e4, 1e6, 9)
    ]
    table = pd.DataFrame(rows, columns=["N", "D", "lr", "batch", "loss"])
    return table.assign(loss=table["loss"] * np.exp(rng.normal(0, noise, len(table))))


CELLS = [(1e8, 2e9), (1e8, 8e9), (1e9, 2e9), (1e9, 8e9)]


def test_a_parabola_finds_optima_between_the_grid_s_points():
    found = sj.sweep_optima(sweep(CELLS), settings=STEP, method="quadratic", within=0.05)
    assert found.params.loc["lr"].to_dict() == pytest.approx({"A": 2.0, "p_N": -0.5, "p_D": 0.2}, rel=1e-6)
    assert found.params.loc["batch", "p_D"] == pytest.approx(0.5, rel=1e-6)
    assert found.predict(N=1e10, D=1e11)["batch"] == pytest.approx(1e11**0.5, rel=1e-5)


def test_sizes_on_one_ray_are_refused():
    ray = sweep([(1e8, 2e9), (2e8, 4e9), (4e8, 8e9)])
    with pytest.raises(DataError, match="lie on one ray"):
        sj.sweep_optima(ray, settings=STEP)
    assert sj.sweep_optima(ray, settings={"batch": ["D"]}).params.loc["batch", "p_D"] > 0


def test_bad_sweeps_are_one_sentence():
    table = sweep(CELLS)
    with pytest.raises(DataError, match="no column 'rate'"):
        sj.sweep_optima(table, settings={"rate": ["N"]})
    for bad in (0.0, "warm"):
        rows = table.assign(lr=table["lr"].astype(object).where(table.index != 3, bad))
        with pytest.raises(DataError, match=r"'lr' must be positive .* is not in row 3: correct it"):
            sj.sweep_optima(rows, settings={"lr": ["N"]})
    with pytest.raises(ValueError, match="'near' or 'quadratic'"):
        sj.sweep_optima(table, settings=STEP, method="best")
    with pytest.raises(DataError, match="No cell has an optimum"):
        sj.sweep_optima(table.groupby(["N", "D"]).head(3), settings=STEP, method="quadratic")
