"""Maps of settings and of mixtures show the law, its runs and the best point of it."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def bowl() -> sj.FitResult:
    """The best rate falls as N^-.3, and larger models are better."""
    grids = np.meshgrid(np.geomspace(1e-4, 1e-2, 6), [64, 256, 1024], [1e8, 3e8, 1e9])
    lr, B, N = (grid.ravel() for grid in grids)
    away = np.log(lr / 1e-3 * (N / 1e9) ** 0.3)
    loss = 2 + 0.02 * away**2 + 0.03 * np.log(B / 256) ** 2 - 0.05 * np.log(N / 1e9)
    law = sj.laws.response_surface(lr=1e-3, B=256.0, N=1e9)
    return sj.fit(law, {"lr": lr, "B": B, "N": N, "loss": loss}, objective=sj.SquaredError())


def test_the_best_setting_is_where_the_bowl_is_deepest(bowl: sj.FitResult) -> None:
    table = sj.plot.surface_data(bowl, "lr", "B")
    best = table[table["kind"] == "best"].iloc[0]
    # the grid's steps are factors of 1.09 and 1.06
    assert best["lr"] == pytest.approx(1e-3, rel=0.09) and best["B"] == pytest.approx(256, rel=0.06)
    assert (table["kind"] == "run").sum() == 18, "those of the held size"
    ax = sj.plot.surface(bowl, "lr", "B")
    assert ax.get_xlabel() == "peak learning rate" and ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="give two of lr, B, N"):
        sj.plot.surface(bowl, "lr", "lr")


def test_of_a_setting_and_a_size_the_best_setting_of_each_size_is_shown(bowl: sj.FitResult) -> None:
    for x, y in (("lr", "N"), ("N", "lr")):
        table = sj.plot.surface_data(bowl, x, y)
        best = table[table["kind"] == "best"]
        # a parabola in ln lr is found exactly on a grid of equal ratios
        np.testing.assert_allclose(best["lr"], 1e-3 * (best["N"] / 1e9) ** -0.3, rtol=1e-6)
        assert len(best) == best["N"].nunique() == 61
        assert table.loc[table["kind"] == "law", "above"].min() == 0
    ax = sj.plot.surface(bowl, "lr", "N")
    assert "above the best of each N" in ax.get_title(loc="left")


@pytest.fixture(scope="module")
def blend() -> sj.FitResult:
    shares = np.random.default_rng(0).dirichlet([3, 3, 3], size=24)
    law = sj.laws.mixing_exponential("code", "books", "web")
    loss = law(*shares.T, c=1.5, t_code=-1.0, t_books=-0.3, t_web=0.2)
    return sj.fit(law, {**dict(zip(("code", "books", "web"), shares.T, strict=True)), "loss": loss})


def test_the_triangle_holds_the_laws_own_losses(blend: sj.FitResult) -> None:
    table = sj.plot.mixture_data(blend)
    law = table[table["kind"] == "law"]
    np.testing.assert_allclose(law[["code", "books", "web"]].sum(axis=1), 1)
    np.testing.assert_allclose(law["value"], blend.predict(law[["code", "books", "web"]]))
    best = table[table["kind"] == "best"].iloc[0]
    assert best["code"] == 1 and (best["across"], best["upward"]) == (0, 0)


def test_a_best_mixture_that_nobody_tried_is_told(blend: sj.FitResult) -> None:
    ax = sj.plot.mixture(blend)
    assert any("beyond the runs" in text.get_text() for text in ax.texts)
    with pytest.raises(ValueError, match="code is a share"):
        sj.plot.fan(blend)
    with pytest.raises(ValueError, match="give three of the law's shares, code, books, web"):
        sj.plot.mixture(blend, ["code", "books"])
