"""Laws are ranked by what each by itself says of runs that were held out."""

from __future__ import annotations

import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.learning_curves import LADDER, LOGS, curves, half_fitted, reference


@pytest.fixture(scope="module")
def ladder(shared) -> pd.DataFrame:
    """Log errors inside and beyond the fitted half of the 92 curves, per law, beside the reference's."""
    folder = shared("revisiting").parent
    table = curves(folder)
    return reference(folder).join([half_fitted(table, name) for name in LADDER])


def test_laws_are_ranked_as_each_by_itself_extrapolates(shared, ladder):
    """compare_laws on the 92 curves:
    errors are those of the fits one law at a time, and shares of curves won add up."""
    laws = [sj.laws.power_law, sj.laws.power_law_floor, sj.laws.shifted_power_law]
    table = curves(shared("revisiting").parent)
    found = sj.compare_laws(
        laws,
        table,
        by=["domain", "task", "model"],
        inputs={"x": "seen_examples"},
        target="loss",
        holdout="split == 'extrapolate'",
        objective=LOGS,
    )
    alone = {law.name: ladder[f"beyond_{m}"].mean() for law, m in zip(laws, ("m1", "m2", "m3"), strict=True)}
    assert found["extrapolation"].to_dict() == pytest.approx(alone, rel=1e-3)
    assert found.index.tolist() == sorted(alone, key=alone.__getitem__)
    assert found["wins"].sum() == pytest.approx(1)
