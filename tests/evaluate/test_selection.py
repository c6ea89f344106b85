"""Model selection against every published score of Lin et al. 2024, and on curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.evaluate.selection import accept_then_stop, pear_corr, rel_acc

FULL = 1638400
CALLS = {
    "AtS": {"method": "accept_then_stop"},
    "ZeroShot": {"method": "zero_shot"},
    "SubTuning": {"method": "sub_tuning"},
    "ModelSize": {"method": "model_size", "size": "n_params"},
}


@pytest.fixture(scope="module")
def losses(shared) -> pd.DataFrame:
    """All 90 curves of 15 subset sizes."""
    return pd.read_csv(shared("rectified/finetune_losses.csv"))


def scores(table: pd.DataFrame, budget: float, **options) -> tuple[float, float]:
    true = table[table["train_size"] == FULL].set_index("model")["test_loss"]
    chosen = sj.select(table, x="train_size", target="test_loss", at=FULL, budget=budget, **options)
    predicted = chosen.predicted.reindex(true.index)
    # published against ln size, which the ranking takes negative
    sign = -1 if options["method"] == "model_size" else 1
    return sign * pear_corr(predicted, true), rel_acc(predicted, true)


@pytest.mark.parametrize("method", CALLS)
def test_every_published_selection_score(losses, shared, method: str) -> None:
    """For accept-then-stop and each baseline: 84 PearCorr and 84 RelAcc, four decimals."""
    published = pd.read_csv(shared("rectified/published_selection.csv")).query("method == @method")
    wide = published.pivot_table(
        index=["max_n_params", "dataset", "budget_size"], columns="metric", values="value"
    )
    assert len(wide) == 84
    found = [
        scores(losses[(losses["dataset"] == dataset) & (losses["n_params"] < most)], budget, **CALLS[method])
        for most, dataset, budget in wide.index
    ]
    np.testing.assert_allclose(found, wide[["PearCorr", "RelAcc"]].to_numpy(), atol=1e-4)


def test_every_published_ablation(losses, shared) -> None:
    """PearCorr for k of 3 to 5 and delta of 1 to 5: 315 rows."""
    published = pd.read_csv(shared("rectified/published_ats_ablation.csv"))
    assert len(published) == 315
    wide = {
        name: part.pivot_table(index="model", columns="train_size", values="test_loss")
        for name, part in losses.groupby("dataset")
    }
    found = []
    for row in published.itertuples():
        table = wide[row.dataset]
        sizes = np.array([c for c in table.columns[::-1] if 0 < c <= row.budget_size], dtype=float)
        predicted, _ = accept_then_stop(
            np.broadcast_to(sizes, (len(table), len(sizes))), table[sizes], FULL, row.k, row.delta
        )
        found.append(pear_corr(predicted, table[FULL]))
    np.testing.assert_allclose(found, published["value"], atol=1e-4)


@pytest.fixture(scope="module")
def candidates() -> pd.DataFrame:
    """Three models: one best small, one best large, one with two sizes only."""
    rows = [("early", x, 1.8 * x**-0.02) for x in (100, 200, 400, 800, 1600)]
    rows += [("late", x, 5.0 * x**-0.15 if x > 150 else 2.6) for x in (100, 200, 400, 800, 1600)]
    rows += [("short", x, 3.0 * x**-0.05) for x in (100, 200)]
    return pd.DataFrame(rows, columns=["model", "x", "loss"]).sample(frac=1, random_state=0)


def test_a_bent_start_is_left_out_and_ragged_curves_are_welcome(candidates):
    found = sj.select(candidates, x="x", target="loss", at=1e5)
    assert found.ranking == ["late", "early", "short"]
    assert found.table["used"].to_dict() == {"late": 4, "early": 4, "short": 2}
    assert found.predicted["late"] == pytest.approx(5.0 * 1e5**-0.15)
    assert found.table["rank"].tolist() == [1, 2, 3]
    assert sj.select(candidates, x="x", target="loss", at=1e5, method="sub_tuning").best == "early"


def test_any_law_of_one_input_selects(candidates):
    curves = candidates[(candidates["x"] > 150) | (candidates["model"] == "short")]
    found = sj.select(curves, x="x", target="loss", at=1e5, method=sj.laws.power_law)
    assert found.best == "late"
    assert found.predicted["late"] == pytest.approx(5.0 * 1e5**-0.15, rel=1e-6)
    expected = {"late": "converged", "early": "converged", "short": "underdetermined"}
    assert found.table["status"].to_dict() == expected


def test_mistakes_are_named(candidates):
    with pytest.raises(ValueError, match="use a law, or one of"):
        sj.select(candidates, x="x", target="loss", at=1e5, method="best")
    with pytest.raises(sj.DataError, match="no column 'tokens'"):
        sj.select(candidates, x="tokens", target="loss", at=1e5)
    with pytest.raises(sj.DataError, match="budget=10"):
        sj.select(candidates, x="x", target="loss", at=1e5, budget=10)
    with pytest.raises(ValueError, match="needs size="):
        sj.select(candidates, x="x", target="loss", at=1e5, method="model_size")
    with pytest.raises(ValueError, match="law of one input"):
        sj.select(candidates, x="x", target="loss", at=1e5, method=sj.laws.chinchilla)


POOR = {
    "a loss that is missing": (
        {"loss": np.nan},
        {},
        r"^Column 'loss' is no finite number in row 7: correct it",
    ),
    "a loss without end": ({"loss": np.inf}, {}, r"^Column 'loss' is no finite number in row 7:"),
    "a loss in words": ({"loss": "low"}, {}, r"^Column 'loss' is no finite number in row 7:"),
    "a size that is missing": ({"x": np.nan}, {}, r"^Column 'x' is no finite number in row 7:"),
    "a negative size": ({"x": -100}, {}, r"^Column 'x' is negative:"),
    "nowhere": ({}, {"at": 0}, r"^at=0: give one positive, finite number\.$"),
    "below zero": ({}, {"at": -1}, r"^at=-1: give one"),
    "somewhere": ({}, {"at": np.nan}, r"^at=nan: give one"),
    "in words": ({}, {"at": "far"}, r"^at='far': give one"),
    "a budget in words": ({}, {"budget": "low"}, r"^budget='low': give one"),
}


@pytest.mark.parametrize("name", POOR)
def test_what_cannot_be_ranked_is_one_sentence(candidates, name: str) -> None:
    cell, options, sentence = POOR[name]
    table = candidates.astype(object)
    for column, value in cell.items():
        table.loc[7, column] = value
    for method in ("accept_then_stop", "sub_tuning"):
        with pytest.raises(ValueError, match=sentence):
            sj.select(table, **{"x": "x", "target": "loss", "at": 1e5, "method": method} | options)


def test_a_law_leaves_rows_out_where_asked_and_else_the_candidate(candidates) -> None:
    table = candidates.copy()
    table.loc[7, "loss"] = np.nan
    how = {"x": "x", "target": "loss", "at": 1e5, "method": sj.laws.power_law}
    assert len(sj.select(table, **how, missing="drop").ranking) == 3
    found = sj.select(table, **how)
    assert found.ranking == ["early", "short"]
    assert found.table.loc["late", ["used", "status"]].tolist() == [0, "failed"]
