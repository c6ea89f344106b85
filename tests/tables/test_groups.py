"""One group that cannot be read never stops the others, and every group asked for comes back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.runs import DataError


def families() -> pd.DataFrame:
    x = np.tile(np.geomspace(1, 100, 6), 4)
    return pd.DataFrame({"x": x, "loss": 3 * x**-0.5, "family": np.repeat(list("abcd"), 6)})


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("loss", 0.0, r"must be positive for residuals on logs, and is 0 in row 7"),
        ("loss", np.nan, r"is missing or not finite in row 7"),
        ("x", 0.0, r"must be positive for law 'power_law', and is 0 in row 7"),
    ],
)
def test_one_bad_cell_stops_its_own_group_alone(column: str, value: float, reason: str) -> None:
    table = families()
    table.loc[7, column] = value
    fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    assert set(fits) == set("abcd") and fits["b"].status == "failed"
    assert reason in fits["b"].reason and reason in fits["b"].warnings[0]
    whole = sj.fit_groups(sj.laws.power_law, families(), by="family")
    for key in "acd":
        assert fits[key].converged
        np.testing.assert_array_equal(fits[key].numbers, whole[key].numbers)
    assert "Not fitted:" in fits.summary() and "1 failed" in fits.summary()
    assert (
        "failed" in str(fits.table.loc["b", "status"]) and repr(fits["b"]) == "<FitResult power_law: failed>"
    )
    assert list(fits.bootstrap(5)) == list("acd")
    with pytest.raises(DataError, match="There is no fit: "):
        fits["b"].data()


def test_a_group_of_which_nothing_is_left_comes_back() -> None:
    table = families()
    table.loc[table["family"] == "c", "loss"] = np.nan
    fits = sj.fit_groups(sj.laws.power_law, table, by="family", missing="drop")
    assert set(fits) == set("abcd") and "each has a missing value" in fits["c"].reason


def test_what_concerns_every_group_is_still_one_sentence() -> None:
    with pytest.raises(DataError, match="needs the input x"):
        sj.fit_groups(sj.laws.power_law, families().rename(columns={"x": "N"}), by="family")
    with pytest.raises(DataError, match="must be positive"):
        sj.fit_groups(sj.laws.power_law, families().assign(loss=-1.0), by="family")


def test_filters_stay_in_the_record() -> None:
    table = families()
    table.loc[7, "loss"] = 0.0
    fits = sj.fit_groups(sj.laws.power_law, table, by="family", where="x < 90")
    record = fits["a"].record
    assert record["where"] == "x < 90" and record["dropped_where"] == 4
