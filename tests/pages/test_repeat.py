"""The program on a page finds the fit of that page again, from the rows that the page carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.pages.repeat import code_of, rows_of
from tests.pages.hostile import hostile_fit

RNG = np.random.default_rng(0)
X = np.geomspace(1, 1e3, 18)
LOSS = (1 + 3 / X**0.5) * np.exp(0.01 * RNG.normal(size=18))
TABLE = {"x": X, "loss": LOSS, "w": 1 + (X > 30), "s": X**0.1}
FLOOR = sj.laws.power_law_floor
FITS = {
    "plain": lambda: sj.fit(sj.laws.power_law, TABLE),
    "weights": lambda: sj.fit(FLOOR, TABLE, weights="w", target_se="s", objective="squared"),
    "fixed": lambda: sj.fit(FLOOR, TABLE, fixed={"alpha": 0.5}, starts=8, solver="lbfgs"),
    "starts": lambda: sj.fit(sj.laws.power_law, TABLE, starts={"A": [1.0, 3.0], "alpha": [0.4]}),
    "made to order": lambda: sj.fit(sj.laws.power_product("x"), TABLE, target="loss"),
    "hostile": hostile_fit,
}


@pytest.mark.parametrize("name", FITS)
def test_the_program_finds_the_same_fit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = FITS[name]()
    rows_of(fit).to_csv(tmp_path / "runs.csv", index=False)
    monkeypatch.chdir(tmp_path)
    code = code_of(fit)
    if name == "hostile":
        code = "from scaling_jax.core.domains import Positive, Real\n" + code
    found: dict = {}
    exec(compile(code, "repeat", "exec", dont_inherit=True), found)  # its asserts compare rows and optimum
    np.testing.assert_allclose(found["fit"].numbers, fit.numbers, rtol=1e-5)
