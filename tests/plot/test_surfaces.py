"""Maps of settings and of mixtures show the law, its runs and the best point of it."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import scaling_jax as sj

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def bowl() -> sj.FitResult:
    lr, B = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e-4, 1e-2, 6), [64, 128, 256, 512, 1024]))
    loss = 2 + 0.02 * np.log(lr / 1e-3) ** 2 + 0.03 * np.log(B / 256) ** 2
    law = sj.laws.response_surface(lr=1e-3, B=256.0)
    return sj.fit(law, {"lr": lr, "B": B, "loss": loss}, objective=sj.SquaredError())


def test_the_best_setting_is_where_the_bowl_is_deepest(bowl: sj.FitResult) -> None:
    table = sj.plot.surface_data(bowl, "lr", "B")
    best = table[table["kind"] == "best"].iloc[0]
    # the grid's steps are factors of 1.09 and 1.06
    assert best["lr"] == pytest.approx(1e-3, rel=0.09) and best["B"] == pytest.approx(256, rel=0.06)
    assert (table["kind"] == "run").sum() == 30
    ax = sj.plot.surface(bowl, "lr", "B")
    assert ax.get_xlabel() == "peak learning rate" and ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="give two of lr, B"):
        sj.plot.surface(bowl, "lr", "lr")


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
