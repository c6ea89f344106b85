"""One tidy table, whatever was logged."""

from __future__ import annotations

import math

from scaling_jax.trackers.tidy import Logged, flat, tidy


def test_what_is_no_number_is_no_metric() -> None:
    rows = [{"step": 0, "loss": 2.0, "note": "x", "ok": True}, {"step": None, "loss": 1.0}, {"loss": 1.0}]
    assert tidy([Logged("a", rows, {})]).columns.tolist() == ["run", "step", "loss"]


def test_steps_that_were_logged_again_count_last_and_are_counted() -> None:
    rows = [{"step": 0, "loss": 2.0}, {"step": 0, "loss": 1.0}, {"step": 0, "acc": 0.5}]
    table = tidy([Logged("a", rows, {})])
    assert table["loss"].tolist() == [1.0] and table.attrs["duplicated_steps"] == 1


def test_names_that_meet_are_kept_apart() -> None:
    rows = [{"step": 0, "loss": 2.0}]
    same = [Logged("a", rows, {"loss": "mse"}, "1"), Logged("a", rows, {"loss": "mse"}, "2")]
    table = tidy(same)
    assert table["run"].tolist() == ["a (1)", "a (2)"] and table["loss_config"].tolist() == ["mse"] * 2


def test_runs_without_a_number_are_named() -> None:
    assert tidy([Logged("a", [], {})]).attrs["empty_runs"] == ["a"]


def test_configurations_are_flat_and_numbers_are_numbers() -> None:
    assert flat({"opt": {"lr": 1e-3, "betas": [0.9, 0.95]}, "n": 1}) == {
        "opt.lr": 1e-3, "opt.betas": [0.9, 0.95], "n": 1,
    }  # fmt: skip
    rows = [{"step": 0, "loss": math.inf}]
    table = tidy([Logged("a", rows, {"n": "100", "d": "x"}), Logged("b", rows, {"n": 200, "tags": [1]})])
    assert table["n"].tolist() == [100, 200] and table["d"].tolist()[0] == "x"
    assert table["tags"].tolist()[1] == "[1]"
