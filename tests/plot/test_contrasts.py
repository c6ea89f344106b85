"""What is drawn of two recipes is what the contrast says at its own places."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

LAW = sj.laws.chinchilla
WEB = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
RECIPES = {"web": WEB, "filtered": WEB | {"B": 2600.0, "E": 1.79}, "mixed": WEB | {"A": 520.0}}


def table_of(name: str, seed: int) -> pd.DataFrame:
    N, ratio = (grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 3e9, 6), [8, 20, 60]))
    noise = np.exp(0.004 * np.random.default_rng(seed).normal(size=len(N)))
    return pd.DataFrame({"N": N, "D": ratio * N, "loss": LAW(N, ratio * N, **RECIPES[name]) * noise})


@pytest.fixture(scope="module")
def fits() -> dict[str, sj.FitResult]:
    return {name: sj.fit(LAW, table_of(name, i)) for i, name in enumerate(RECIPES)}


@pytest.fixture(scope="module")
def two(fits: dict[str, sj.FitResult]):
    return sj.contrast(fits["web"], fits["filtered"], flops=[1e22, 1e24])


def test_the_curve_passes_through_what_the_table_says(two) -> None:
    table = sj.plot.contrast_data(two)
    at = table[np.isclose(table["flops"], 1e24)].iloc[0]
    said = two.table.iloc[-1]
    share = said["loss_b"] / said["loss_a"] - 1
    assert at["difference"] == pytest.approx(share, rel=1e-9)
    assert at["multiplier"] == pytest.approx(said["multiplier"], rel=0.01), "read off a coarser grid"
    # the same draws, with another walk of the laws' own errors: three standard errors of a share of 500
    assert at["probability"] == pytest.approx(said["probability"], abs=3 * 0.5 / 500**0.5)
    assert at["difference_lower"] < share < at["difference_upper"]
    inside = table[table["beyond"] == 0]
    assert inside["flops"].max() <= 6 * 3e9 * 60 * 3e9 * (1 + 1e-9)


def test_each_quantity_has_a_picture(two) -> None:
    axes = sj.plot.contrast_panels(two)
    assert [ax.get_ylabel() for ax in axes] == [
        "loss of b over a (%)", "P(a beats b)", "compute b needs,\ntimes that of a"
    ]  # fmt: skip
    assert axes[1].get_ylim() == (0, 1) and axes[2].get_yscale() == "log"


def test_many_recipes_are_drawn_by_their_chances(fits: dict[str, sj.FitResult]) -> None:
    found = sj.contrast(fits, flops=1e24)
    ax = sj.plot.contrast(found, "best")
    assert set(RECIPES) <= {text.get_text() for text in ax.texts}
    pair = sj.plot.contrast_data(found).attrs
    assert pair["a"] == found.best["recipe"].iloc[0] and pair["b"] == found.best["recipe"].iloc[1]
    assert sj.plot.contrast_data(found, ["mixed", "web"]).attrs == {"a": "mixed", "b": "web"}


def test_constants_have_a_difference_and_no_odds() -> None:
    found = sj.contrast((LAW, WEB), (LAW, RECIPES["filtered"]), flops=[1e22])
    assert len(sj.plot.contrast_panels(found)) == 2
    with pytest.raises(ValueError, match="no probabilities"):
        sj.plot.contrast(found, "probability")
    with pytest.raises(ValueError, match="use one of difference"):
        sj.plot.contrast(found, "loss")
    with pytest.raises(ValueError, match="give two of a, b"):
        sj.plot.contrast(found, pair=["a", "c"])
