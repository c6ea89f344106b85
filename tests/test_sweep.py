"""The shipped sweep: what its table promises, and that the training which made it is repeatable and can be
interrupted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from benchmarks.sweep import corpus, design, table, train
from benchmarks.sweep.model import CONTEXT, Size, init, logits

ROOT = Path(__file__).parents[1]
FILE = ROOT / "scaling_jax" / "_data" / "tiny_sweep.csv.gz"


@pytest.fixture(scope="module")
def sweep() -> pd.DataFrame:
    return pd.read_csv(FILE)


@pytest.fixture(scope="module")
def finished(sweep: pd.DataFrame) -> pd.DataFrame:
    return sweep[(sweep["arm"] == "main") & sweep["final"]]


# The table


def test_columns_and_size(sweep):
    assert list(sweep.columns) == table.COLUMNS
    assert FILE.stat().st_size < 1_000_000
    optional = ["budget"]
    assert sweep.drop(columns=optional).notna().all().all()
    assert set(sweep["arm"]) == set(table.ARMS)
    assert not sweep.duplicated(["run", "step", "final"]).any()


def test_units(sweep):
    assert (sweep["tokens"] == sweep["step"] * sweep["batch"]).all()
    assert (sweep["flops"] == 6 * sweep["n_params"] * sweep["tokens"]).all()
    assert (sweep["flops_exact"] > 6 * sweep["n_params_nonemb"] * sweep["tokens"]).all()
    assert sweep["loss"].between(0.5, np.log(256)).all()  # nats/byte, better than knowing nothing
    assert sweep["loss_se"].between(0.003, 0.1).all()
    assert (sweep["unique_tokens"] <= sweep["tokens"]).all()
    assert (sweep["final"] == sweep["decayed"]).all()


def test_parameter_counts_are_those_of_the_models(sweep):
    for size in design.SIZES:
        params = jax.eval_shape(partial(init, size), jax.random.key(0))  # shapes without numbers
        total = sum(p.size for p in params.values())
        assert size.n_params == total
        assert size.n_params_nonemb == total - params["embed"].size
        assert set(sweep.loc[sweep["width"] == size.width, "n_params"]) == {total}


def test_grid(finished):
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


def test_seeds(finished):
    seeds = finished.groupby(["n_params", "tokens"])["seed"].nunique()
    assert (seeds >= 3).sum() >= 8
    several = finished.groupby(["n_params", "tokens"])["loss"].std().dropna()
    assert several.gt(0).all() and several.median() < 0.02


def test_runs(sweep):
    finals = sweep[sweep["final"]]
    assert finals["step"].min() >= design.MIN_STEPS
    assert 0.05 * finals["step"].min() >= design.WARMUP
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


def test_transfer(sweep):
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


def test_same_rows_same_bytes(sweep, tmp_path):
    for name in "ab":
        table.write(table.tidy(sweep.to_dict("records")), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == FILE.read_bytes()


# The training


SMALL = Size(8, 1, 1)
RUN = design.Run("main", SMALL, 2.0**-6, (design.End(40), design.End(80)))


@pytest.fixture(scope="module")
def text() -> corpus.Text:
    words = np.frombuffer(b"def in out for if law run fit let x = y + z\n" * 40, np.uint8)
    random = np.random.default_rng(0)
    return corpus.Text(random.choice(words, 200_000), random.choice(words, 4_000))


def in_order(rows: list[dict]) -> list[tuple]:
    return sorted((row["step"], row["final"], row["loss"]) for row in rows)


def losses(run, text, work) -> list[tuple]:
    work.mkdir()
    return in_order(list(train.execute(run, text, work)))


def test_same_seed_same_losses(text, tmp_path):
    first = losses(RUN, text, tmp_path / "first")
    assert first == losses(RUN, text, tmp_path / "again")
    other = losses(replace(RUN, seed=1), text, tmp_path / "other")
    assert all(a[:2] == b[:2] and a[2] != b[2] for a, b in zip(first, other, strict=True))
    assert first[-1][2] < first[0][2]


def test_stopping_and_going_on_changes_nothing(text, tmp_path):
    whole = losses(RUN, text, tmp_path / "whole")
    parts = []
    (tmp_path / "parts").mkdir()
    while len(parts) < len(whole):  # stopped before the state after every other row could be saved
        rows = train.execute(RUN, text, tmp_path / "parts")
        fresh = list(itertools.islice(rows, 2))
        rows.close()
        log = train.Log(tmp_path / "rows.jsonl")
        for row in fresh:
            log.append(row)
        parts = log.rows()
    assert in_order(parts) == whole


def test_a_trunk_lengthened_later_is_the_same_trunk(text, tmp_path):
    short = replace(RUN, ends=RUN.ends[:1])
    (tmp_path / "grown").mkdir()
    grown = [row for run in (short, RUN) for row in train.execute(run, text, tmp_path / "grown")]
    (tmp_path / "direct").mkdir()
    direct = list(train.execute(RUN, text, tmp_path / "direct"))
    assert set(in_order(grown)) == set(in_order(direct))


def test_order_of_the_data(text):
    seen = train.order(RUN, text, 0, 80)
    assert np.unique(seen).size == seen.size
    assert (train.order(RUN, text, 30, 50) == seen[30:50]).all()
    few = train.order(replace(RUN, unique_steps=10), text, 0, 80)
    assert np.unique(few).size == 10 * design.BATCH
    assert (np.sort(few[:10].ravel()) == np.sort(few[10:20].ravel()).ravel()).all()
    assert (few[:10] != few[10:20]).any()
    with pytest.raises(ValueError, match="do not last"):
        train.order(RUN, text, 0, 10_000)


def test_schedules():
    end = design.End(100)
    constant = replace(RUN, lr=1.0, ends=(end,))
    rate = constant.rate(np.arange(101), end)
    assert (rate[design.WARMUP : 81] == 1).all() and rate[90] == pytest.approx(0.5) and rate[100] == 0
    assert np.diff(rate[: design.WARMUP]).min() > 0
    cosine = replace(constant, schedule="cosine").rate(np.arange(101), end)
    assert cosine[50] == pytest.approx(0.5) and cosine[100] == pytest.approx(0, abs=1e-12)


def test_the_model_does_not_see_the_future():
    size = Size(16, 2, 2)
    params = init(size, jax.random.key(0))
    a = np.arange(CONTEXT)[None] + 32
    b = a.copy()
    b[0, 40:] = 99
    see = jax.jit(partial(logits, size=size))
    one, two = (np.asarray(see(params, x)) for x in (a, b))
    assert np.allclose(one[0, :40], two[0, :40], atol=1e-5)
    assert not np.allclose(one[0, 40:], two[0, 40:], atol=1e-2)


def test_altered_text_is_refused(tmp_path):
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.zip").write_bytes(b"not it")
    short = corpus.Corpus("none", (), ".py", "", ("0" * 64, "0" * 64))
    with pytest.raises(ValueError, match=r"none\.train: rebuilt bytes have sha256"):
        short.build(tmp_path)
