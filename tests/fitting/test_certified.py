"""The table of many certificates, whether these were computed together or one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import scaling_jax as sj
from scaling_jax.fitting.certified import CERTIFIED, certified
from tests.cases.simulated import FIFTY


def test_one_row_per_fit_in_order_however_it_was_judged() -> None:
    rng, well = np.random.default_rng(1), pd.DataFrame(FIFTY)
    noisy = [well.assign(group=i, loss=well["loss"] * np.exp(rng.normal(0, 0.01, 50))) for i in range(10)]
    fits = list(sj.fit_groups(sj.laws.chinchilla, pd.concat(noisy), by="group").values())
    together = certified(fits)
    alone = certified([replace(f, judged=None) if i % 2 else f for i, f in enumerate(fits)])
    assert tuple(together) == CERTIFIED
    assert together["objective"].tolist() == [f.objective_value for f in fits]
    pd.testing.assert_frame_equal(together, alone, rtol=1e-5, check_dtype=False)


def test_groups_that_could_not_be_fitted_are_there() -> None:
    table = {"x": [1.0, 10, 100, 1000, np.nan], "loss": [4.0, 2, 1, 0.5, 1], "group": [*"aaaa", "b"]}
    fits = sj.fit_groups(sj.laws.power_law, table, by="group")
    assert fits.certificates["status"].to_dict() == {"a": fits["a"].status, "b": "failed"}
    assert fits.converged.to_dict() == {"a": fits["a"].converged, "b": False}
