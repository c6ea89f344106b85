"""Replicates of groups that share parameters: each is the joint fit that `fit_groups` makes of its table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.fitting import joint
from scaling_jax.fitting.joint import refit_jointly
from scaling_jax.fitting.refits import vary

SHARED = ["alpha", "beta"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two recipes of thirty runs each with common exponents, half a per cent of noise."""
    rng = np.random.default_rng(0)
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(2e7, 1e9, 6), np.geomspace(2e9, 2e10, 5)))
    parts = []
    for recipe, own in {"web": (1.7, 400, 1500), "filtered": (1.75, 380, 1200)}.items():
        E, A, B = own
        loss = (E + A / N**0.34 + B / D**0.36) * np.exp(rng.normal(0, 0.005, N.size))
        parts.append(pd.DataFrame({"N": N, "D": D, "loss": loss, "recipe": recipe, "run": range(N.size)}))
    return pd.concat(parts, ignore_index=True)


def drawn(groups: sj.FitGroups, n: int) -> list[np.ndarray]:
    """How often each run of each group was drawn, in n tables."""
    rng = np.random.default_rng(5)
    return [
        rng.multinomial(r, np.full(r, 1 / r), n).astype(float)
        for r in (len(f.data()) for f in groups.values())
    ]


@pytest.mark.parametrize("objective", [sj.SquaredError(), sj.Huber(1e-2)])
def test_every_replicate_is_the_joint_fit_of_its_own_table(
    table: pd.DataFrame, objective: sj.Huber, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"by": "recipe", "shared": SHARED, "objective": objective}
    fits = sj.fit_groups(sj.laws.chinchilla, table, **how)
    weights = drawn(fits, 3)
    variants = [vary(f, weight=w) for f, w in zip(fits.values(), weights, strict=True)]
    found = refit_jointly(variants, SHARED)
    for i in range(3):
        own = table.assign(w=np.concatenate([w[i] for w in weights])).query("w > 0")
        again = sj.fit_groups(sj.laws.chinchilla, own, weights="w", **how)
        theirs = sum(f.objective_value for f in again.values())
        assert sum(f.values[i] for f in found) <= theirs * (1 + 1e-9)
        np.testing.assert_allclose(found[0].numbers[i], again["web"].numbers, rtol=1e-5)
    monkeypatch.setattr(joint, "ways_at_a_time", lambda fit: 2)
    sliced = refit_jointly(variants, SHARED)
    np.testing.assert_allclose(sliced[1].numbers, found[1].numbers, rtol=1e-6)


def test_a_corner_is_approached_jointly(table: pd.DataFrame) -> None:
    """Least absolute deviations of lines with one slope, beside the linear programme's optimum; what is left
    of the corner is 1e-4 of the residuals' scale wide."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(3)
    x, group = np.tile(np.geomspace(1, 100, 9), 2), np.repeat([0, 1], 9)
    y = np.log([5.0, 7.0])[group] - 0.3 * np.log(x) + rng.standard_t(2, 18) * 0.02
    fits = sj.fit_groups(
        sj.laws.power_law,
        {"x": x, "loss": np.exp(y), "g": group},
        by="g",
        shared=["alpha"],
        objective=sj.AbsoluteError(),
    )
    (weights,) = np.concatenate(drawn(fits, 1), axis=1)
    split = np.split(weights, 2)
    found = refit_jointly([vary(f, weight=w) for f, w in zip(fits.values(), split, strict=True)], ["alpha"])
    design = np.column_stack([group == 0, group == 1, -np.log(x)]).astype(float)
    for numbers, w in (
        ([f.numbers for f in fits.values()], np.ones(18)),
        ([f.numbers[0] for f in found], weights),
    ):
        (A, alpha), (B, _) = numbers
        ours = w @ np.abs(design @ [np.log(A), np.log(B), alpha] - y)
        sides = np.hstack([design, -np.eye(18)]), np.hstack([-design, -np.eye(18)])
        best = optimize.linprog(
            np.concatenate([np.zeros(3), w]), np.vstack(sides), np.concatenate([y, -y]), bounds=(None, None)
        )
        assert ours <= best.fun * (1 + 1e-3)


def test_a_replicate_of_the_table_itself_is_the_fit(table: pd.DataFrame) -> None:
    fits = sj.fit_groups(sj.laws.chinchilla, table, by="recipe", shared=SHARED, objective=sj.SquaredError())
    found = refit_jointly([vary(f) for f in fits.values()], SHARED)
    for one, fit in zip(found, fits.values(), strict=True):
        np.testing.assert_allclose(one.numbers[0], fit.numbers, rtol=1e-7)
        assert one.values[0] == pytest.approx(fit.objective_value, rel=1e-9)
