"""Columns by their usual names, and what is not guessed."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.tables.names import guessed


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("N", "n_params"),
        ("N", "Params"),
        ("D", "train-tokens"),
        ("D", "tokens"),
        ("C", "FLOPs"),
        ("loss", "val_loss"),
    ],
)
def test_usual_names(name: str, column: str) -> None:
    assert guessed(name, ["family", column, 3]) == column


def test_what_is_not_guessed() -> None:
    assert guessed("N", ["n_params", "parameters"]) is None  # two
    assert guessed("x", ["N", "x_axis"]) is guessed("D", ["depth", "data"]) is None


def test_a_fit_takes_them_and_says_so() -> None:
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    loss = 1.8 + 480 / N**0.35 + 2100 / D**0.37
    fit = sj.fit("chinchilla", {"n_params": N, "tokens": D, "val_loss": loss})
    assert fit.record["read_as"] == [
        "column 'n_params' as N",
        "column 'tokens' as D",
        "column 'val_loss' as loss",
    ]
    assert "column 'n_params' as N" in " ".join(fit.summary().split())
    np.testing.assert_allclose(fit.predict({"N": N, "D": D}), loss, rtol=1e-6)
    np.testing.assert_allclose(fit.predict({"n_params": N, "tokens": D}), loss, rtol=1e-6)
    own = sj.fit("chinchilla", {"N": N, "D": D, "params": D, "loss": loss})
    assert "read_as" not in own.record
    with pytest.raises(sj.DataError, match="needs the input D"):
        sj.fit("chinchilla", {"N": N, "tokens": D, "n_tokens": D, "loss": loss})
