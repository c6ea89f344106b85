"""`sj.calibrate`: a user's own families, end to end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.forecasting.calibration import shipped


def families(n: int, alpha: float = 0.6) -> dict[str, pd.DataFrame]:
    x, rng = np.geomspace(1, 1e4, 13), np.random.default_rng(0)
    curves = {f"{i}": 2 + 3 * x**-alpha * np.exp(0.002 * rng.normal(size=13)) for i in range(n)}
    return {name: pd.DataFrame({"steps": x, "loss": loss}) for name, loss in curves.items()}


def test_own_families_teach_their_exponent() -> None:
    own = sj.calibrate(families(6), inputs={"x": "steps"}, version="ours")
    before, after = (c.populations["power_law_floor"]["alpha"] for c in (shipped(), own))
    assert before[0] < after[0] <= 0.6 and own.suites == shipped().suites + 6
    assert repr(own).startswith("<Calibration ours")
    again = sj.Calibration.from_json(own.to_json())
    table = families(7)["6"].head(5)
    bands = [sj.forecast(table, at={"steps": 1e5}, calibration=c).interval() for c in (own, again)]
    pd.testing.assert_frame_equal(*bands)


def test_families_too_short_to_cut_are_refused() -> None:
    with pytest.raises(sj.DataError, match="None of 1 families"):
        sj.calibrate({"a": families(1)["0"].head(4)}, inputs={"x": "steps"})
