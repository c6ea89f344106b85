"""The sweep that ships with the package keeps what its table promises."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest

from scaling_jax import datasets

LEAST_STEPS = 300  # of a run that counts as finished
WARMUP = 15  # updates


@pytest.fixture(scope="module")
def sweep() -> pd.DataFrame:
    return datasets.load("tiny_sweep")


@pytest.fixture(scope="module")
def finished(sweep: pd.DataFrame) -> pd.DataFrame:
    return sweep[(sweep["arm"] == "main") & sweep["final"]]


def test_columns_are_documented_and_the_file_is_small(sweep):
    assert list(sweep.columns) == list(sweep.attrs["columns"])
    file = resources.files("scaling_jax") / "_data" / "tiny_sweep.csv.gz"
    assert len(file.read_bytes()) < 1_000_000
    optional = ["budget"]
    assert sweep.drop(columns=optional).notna().all().all()
    assert set(sweep["arm"]) == {"main", "cosine", "repeat", "transfer", "lr"}
    assert not sweep.duplicated(["run", "step", "final"]).any()


def test_numbers_are_in_the_units_they_claim(sweep):
    assert (sweep["n_params"] > sweep["n_params_nonemb"]).all()
    assert (sweep["tokens"] == sweep["step"] * sweep["batch"]).all()
    assert (sweep["flops"] == 6 * sweep["n_params"] * sweep["tokens"]).all()
    assert (sweep["flops_exact"] > 6 * sweep["n_params_nonemb"] * sweep["tokens"]).all()
    assert sweep["loss"].between(0.5, np.log(256)).all()  # nats/byte, better than knowing nothing
    assert sweep["loss_se"].between(0.003, 0.1).all()
    assert (sweep["unique_tokens"] <= sweep["tokens"]).all()
    assert (sweep["final"] == sweep["decayed"]).all()


def test_sizes_and_budgets_span_two_decades(finished):
    sizes = finished["n_params_nonemb"]
    assert sizes.nunique() >= 10
    assert sizes.max() / sizes.min() >= 100
    budgets = finished.groupby("budget")["n_params"].nunique()
    assert len(budgets) >= 6
    assert budgets.index.max() / budgets.index.min() >= 100
    assert budgets.min() >= 5
    # the budget is the run's compute, to the rounding of D to whole updates
    assert np.allclose(finished["flops"], finished["budget"], rtol=2e-3)


def test_the_optimum_is_inside_every_budget(finished):
    for _, runs in finished.groupby("budget"):
        loss = runs.groupby("n_params")["loss"].mean()
        assert loss.index[0] < loss.idxmin() < loss.index[-1]


def test_seeds_differ_by_little_and_never_by_nothing(finished):
    seeds = finished.groupby(["n_params", "tokens"])["seed"].nunique()
    assert (seeds >= 3).sum() >= 8
    several = finished.groupby(["n_params", "tokens"])["loss"].std().dropna()
    assert several.gt(0).all() and several.median() < 0.02


def test_a_run_is_one_setting_with_checkpoints_in_order(sweep):
    finals = sweep[sweep["final"]]
    assert finals["step"].min() >= LEAST_STEPS
    assert 0.05 * finals["step"].min() >= WARMUP
    assert set(sweep["run"]) == set(finals["run"])
    for name, rows in sweep.groupby("run", sort=False):
        checkpoints = rows[~rows["decayed"]]
        assert len(rows) >= 12, name
        for kind in (checkpoints, rows[rows["decayed"]]):
            assert kind["tokens"].is_monotonic_increasing and kind["tokens"].is_unique, name
        settings = rows[["n_params", "lr", "seed", "batch", "schedule"]]
        assert settings.eq(settings.iloc[0]).all(axis=None), name


def test_single_epoch_except_where_data_is_repeated(sweep):
    repeated = sweep["arm"] == "repeat"
    assert (sweep.loc[~repeated, "unique_tokens"] == sweep.loc[~repeated, "tokens"]).all()
    finals = sweep[repeated & sweep["final"]]
    assert (finals["tokens"] / finals["unique_tokens"]).max() >= 16


def test_decay_helps_and_seeing_the_data_again_does_not(sweep):
    main = sweep[(sweep["arm"] == "main")]
    ends = main[main["final"]]
    for _, end in ends.iterrows():
        before = main[(main["run"] == end["run"]) & ~main["decayed"] & (main["tokens"] <= end["tokens"])]
        assert end["loss"] < before["loss"].iloc[-1] + 0.01
    longest = (
        sweep[(sweep["arm"] == "repeat") & sweep["final"]].groupby(["width", "unique_tokens"])["loss"].last()
    )
    assert (longest.xs(131072, level=1) > longest.xs(524288, level=1)).all()


def test_any_pretraining_beats_none_where_data_are_few(sweep):
    ends = sweep[(sweep["arm"] == "transfer") & sweep["final"]]
    assert ends["finetune_tokens"].nunique() >= 4
    for _, rows in ends.groupby(["width", "finetune_tokens"]):
        losses = rows.set_index("pretrain_tokens")["loss"]
        assert len(losses) >= 3
        if rows["finetune_tokens"].iloc[0] == ends["finetune_tokens"].min():
            assert losses[0] == losses.max()  # with little data, any pre-training beats none
    assert (sweep.loc[sweep["arm"] != "transfer", ["pretrain_tokens", "finetune_tokens"]] == 0).all().all()


def test_learning_rates_are_the_best_of_the_search(sweep):
    trials = sweep[(sweep["arm"] == "lr") & sweep["final"]]
    best = trials.loc[trials.groupby("width")["loss"].idxmin()].set_index("width")["lr"]
    chosen = sweep[sweep["arm"] != "lr"].groupby("width")["lr"].agg(set)
    for width, rates in chosen.items():
        assert rates == {best[width]}
        tried = sorted(trials.loc[trials["width"] == width, "lr"])
        assert tried[0] < best[width] < tried[-1]
