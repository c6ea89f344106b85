"""The training that made the shipped sweep is repeatable and can be interrupted."""

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

ROOT = Path(__file__).parents[2]
FILE = ROOT / "scaling_jax" / "_data" / "tiny_sweep.csv.gz"


@pytest.fixture(scope="module")
def sweep() -> pd.DataFrame:
    return pd.read_csv(FILE)


def test_parameter_counts_are_those_of_the_models(sweep):
    for size in design.SIZES:
        params = jax.eval_shape(partial(init, size), jax.random.key(0))  # shapes without numbers
        total = sum(p.size for p in params.values())
        assert size.n_params == total
        assert size.n_params_nonemb == total - params["embed"].size
        assert set(sweep.loc[sweep["width"] == size.width, "n_params"]) == {total}


def test_same_rows_same_bytes(sweep, tmp_path):
    for name in "ab":
        table.write(table.tidy(sweep.to_dict("records")), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == FILE.read_bytes()


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


def test_every_epoch_shuffles_the_same_data(text):
    seen = train.order(RUN, text, 0, 80)
    assert np.unique(seen).size == seen.size
    assert (train.order(RUN, text, 30, 50) == seen[30:50]).all()
    few = train.order(replace(RUN, unique_steps=10), text, 0, 80)
    assert np.unique(few).size == 10 * design.BATCH
    assert (np.sort(few[:10].ravel()) == np.sort(few[10:20].ravel()).ravel()).all()
    assert (few[:10] != few[10:20]).any()
    with pytest.raises(ValueError, match="do not last"):
        train.order(RUN, text, 0, 10_000)


def test_rates_warm_up_and_decay_to_nothing():
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
