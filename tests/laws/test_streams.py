"""Parallel streams on the published losses: the printed constants are an optimum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

OBJECTIVES = {"stack": 3.67674055e-5, "pile": 1.81393159e-5}


def test_the_printed_constants_are_the_optimum(shared):
    losses = pd.read_csv(shared("parscale/losses.csv"))
    fits = sj.fit_groups(
        sj.laws.parallel_streams, losses, by="dataset", inputs={"N": "n_params", "P": "n_streams"}
    )
    for data, fit in fits.items():
        printed = sj.published[f"chen2025_{data}"].params
        assert fit.objective_value <= OBJECTIVES[data] * (1 + 1e-6)
        for name, within in {"E": 1e-3, "alpha": 5e-4, "k": 2e-3}.items():
            assert fit.params[name] == pytest.approx(printed[name], abs=within)


def test_streams_are_worth_parameters():
    constants = dict(sj.published["chen2025_stack"].params)
    worth = constants["k"] * np.log(8) + 1
    law = sj.laws.parallel_streams
    assert law(1e9, 8, **constants) == pytest.approx(law(1e9 * worth, 1, **constants), rel=1e-14)
