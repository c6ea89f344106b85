"""Decisions at the largest scale from smaller ones: the published shares of DataDecide, and bad input."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


def table(sizes: list[float]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"recipe": name, "C": C, "loss": 3 * (C / 1e18) ** -0.05 * np.exp(by + 0.002 * rng.normal())}
        for name, by in {"a": 0.0, "b": 0.01, "c": 0.03}.items()
        for C in sizes
        for _ in range(2)
    ]
    return pd.DataFrame(rows)


def test_every_cut_and_method_is_scored():
    found = sj.evaluate.decisions(table([1e18, 1e19, 1e20, 1e21, 1e22]), by="recipe")
    assert found["method"].tolist() == ["contrast", "largest"] * 3 + ["contrast", "largest", "law"]
    assert (found["pairs"] == 3).all() and found["right"].between(0, 1).all()
    np.testing.assert_allclose(found["cost"][:2], [1e-4, 1e-4])
    assert found["cost"].iloc[-1] == pytest.approx(0.1111)
    assert (found["regret"] >= 0).all() and found["brier"].between(0, 1).all()


def test_datadecide_at_one_scale(shared):
    """Mean of three seeds at 300M and 530M against that at 1B: .8633 and .9200 of 300 pairs by means
    of losses; means of their logarithms, as here, turn one pair each."""
    runs = pd.read_csv(shared("datadecide/losses.csv.gz"))
    runs = runs[runs["size"].isin(["300M", "530M", "1B"])]
    found = sj.evaluate.decisions(
        runs,
        by="recipe",
        inputs={"C": lambda t: 6.0 * t["n_params"] * t["tokens_schedule"]},
        methods=["largest"],
    )
    np.testing.assert_allclose(found["right"], [0.8633, 0.92], atol=1.01 / 300)
    np.testing.assert_allclose(found["cost"], [0.0816, 0.2388], atol=5e-5)


def test_nothing_to_decide():
    with pytest.raises(sj.DataError, match="No smaller place"):
        sj.evaluate.decisions(table([1e18]), by="recipe")
    apart = table([1e18, 1e19]).query("recipe != 'a' or C > 1e18").query("recipe != 'b' or C < 1e19")
    with pytest.raises(sj.DataError, match="No place was trained by all"):
        sj.evaluate.decisions(apart, by="recipe")


def test_compute_in_any_unit_gives_the_same_decisions():
    """Sizes in millions, or shares of the largest run, are compute as well."""
    runs = table([1e18, 1e19, 1e20, 1e21])
    there, here = (
        sj.evaluate.decisions(runs.assign(C=runs["C"] * unit), by="recipe", methods=["largest"])
        for unit in (1.0, 1e-20)
    )
    pd.testing.assert_frame_equal(there.drop(columns="flops"), here.drop(columns="flops"))
    np.testing.assert_allclose(here["flops"], [0.01, 0.1, 1.0])


def test_a_cut_that_cannot_be_decided_leaves_the_others(monkeypatch: pytest.MonkeyPatch):
    runs, contrast = table([1e18, 1e19, 1e20, 1e21]), sj.contrast

    def fails_once(used, **words):
        if used["C"].max() == 1e19:
            raise sj.DataError("The table has no rows.")
        return contrast(used, **words)

    monkeypatch.setattr(sys.modules["scaling_jax.evaluate.decisions"], "contrast", fails_once)
    found = sj.evaluate.decisions(runs, by="recipe", methods=["contrast", "largest"])
    failed = found[found["flops"] == 1e19]
    assert len(found) == 6 and (failed["remark"] == "The table has no rows.").all()
    assert failed["right"].isna().all() and (failed["pairs"] == 0).all()
    assert found.drop(index=failed.index)["right"].notna().all()


def test_methods_have_names():
    with pytest.raises(ValueError, match="methods='odds': use contrast, largest, law"):
        sj.evaluate.decisions(table([1e18, 1e19]), by="recipe", methods=["odds"])
