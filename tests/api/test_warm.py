"""Laws made ready ahead: what a later fit needs is there."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.kept import clear_caches


def test_a_first_fit_after_it_compiles_nothing(tmp_path, monkeypatch) -> None:
    clear_caches()  # what another test left in memory would not be written to this folder
    monkeypatch.setenv("SCALING_JAX_CACHE", str(tmp_path))
    done = sj.warm([sj.laws.power_law_floor], rows=[64])
    assert (done.laws, done.left_out, done.folder) == (1, (), str(tmp_path / "programs"))
    assert done.programs == len(list((tmp_path / "programs").iterdir())) > 3
    clear_caches()

    def compiles(*given):
        raise AssertionError("a program is compiled")

    monkeypatch.setattr(Program, "_compiled", compiles)
    x = np.geomspace(1, 100, 23)
    fit = sj.fit(sj.laws.power_law_floor, {"x": x, "loss": 2 + x**-0.4 * (1 + 0.01 * np.cos(x))})
    assert "alpha" in fit.summary()


def test_where_nothing_can_be_kept_it_says_so(monkeypatch) -> None:
    monkeypatch.setenv("SCALING_JAX_CACHE", "")
    with pytest.raises(OSError, match=r"No programs can be kept: .*SCALING_JAX_CACHE is empty"):
        sj.warm([sj.laws.power_law])


@pytest.mark.parametrize("rows", [[], [0, 64], [10**9]])
def test_lengths_that_no_table_has_are_refused(rows) -> None:
    with pytest.raises(ValueError, match="give lengths of tables"):
        sj.warm([sj.laws.power_law], rows=rows)
