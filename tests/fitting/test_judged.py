"""Certificates of many fits as arrays: what they say of each is what a look at it alone says."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.simulated import FIFTY


def tables() -> pd.DataFrame:
    """Groups that are well, hold a typing error, are short, have one size only, and lost a term."""
    well, rng = pd.DataFrame(FIFTY), np.random.default_rng(0)
    wrong = well.assign(loss=well["loss"] * np.where(np.arange(len(well)) == 3, 2.0, 1.0))
    flat = well.assign(loss=2.0 + rng.normal(0, 0.01, len(well)))
    groups = {
        "well": well,
        "wrong": wrong,
        "short": well.head(4),
        "exact": well.head(5),
        "one size": well.assign(N=1e9),
        "flat": flat,
        **{f"again {i}": well.assign(loss=well["loss"] * np.exp(rng.normal(0, 0.02, 50))) for i in range(4)},
    }
    return pd.concat([table.assign(group=name) for name, table in groups.items()])


@pytest.fixture(scope="module")
def fits() -> sj.FitGroups:
    return sj.fit_groups(sj.laws.chinchilla, tables(), by="group")


def test_arrays_say_what_each_fit_says_alone(fits: sj.FitGroups) -> None:
    together = [f for f in fits.values() if f.judged is not None]
    # of many fits the few that end stuck are solved again, and judged alone: here at most the flat one
    assert len(together) >= len(fits) - 1
    for f in together:
        alone = replace(f, judged=None).certificate
        assert (f.status, f.open) == (alone.status, alone.open)
        for name, said in asdict(f.certificate).items():
            _alike(said, getattr(alone, name))


def _alike(one: Any, other: Any) -> None:
    # eigenvalues of a batch and of one differ by rounding times the condition number
    if isinstance(one, float):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-12)
    elif isinstance(one, dict):
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-3)
    else:
        assert one == other


def test_every_kind_of_doubt_is_found(fits: sj.FitGroups) -> None:
    assert {name: fits[name].status for name in ("well", "short", "exact", "one size")} == {
        "well": "converged",
        "short": "underdetermined",
        "exact": "underdetermined",
        "one size": "underdetermined",
    }
    assert fits["wrong"].certificate.outliers == [3]
    assert "distinct runs" in fits["short"].warnings[0]
    assert "N has a single value" in fits["one size"].warnings[0]
    assert fits["flat"].certificate.extinct


def test_what_was_judged_on_other_rows_is_judged_again(fits: sj.FitGroups) -> None:
    with_fewer = replace(fits["well"], judged=None, foreseen=None, runs=fits["short"].runs)
    assert with_fewer.certificate.status == "underdetermined"
    assert fits["well"].with_data(fits["well"].data()).judged is None


def test_an_input_of_one_value_leaves_nothing_open_where_the_others_decide() -> None:
    """Of one set of unique tokens repetitions still tell how fast they lose their worth."""

    @sj.law
    def repeated(D, U, *, E: sj.Positive, B: sj.Positive, beta: sj.Real, R: sj.Positive):
        unique, again = jnp.minimum(D, U), jnp.maximum(D / U - 1, 0.0)
        return E + B / (unique * (1 + R * (1 - jnp.exp(-again / R)))) ** beta

    tokens = np.geomspace(1e9, 1e12, 24)
    truth = {"E": 1.8, "B": 2100.0, "beta": 0.37, "R": 15.0}
    table = {"D": tokens, "U": np.full(24, 3e10), "loss": repeated(tokens, 3e10, **truth)}
    noisy = table | {"loss": table["loss"] * np.random.default_rng(0).normal(1, 1e-4, 24)}
    fit = sj.fit(repeated, noisy)
    assert fit.status == "converged" and not any("single value" in said for said in fit.warnings)
    assert fit.params["R"] == pytest.approx(15.0, rel=0.05)
