"""Laws of learning curves on the field's own tables, against published and reference fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.cases.learning_curves import LADDER, curves, half_fitted, rectified, reference


@pytest.fixture(scope="module")
def rectified_fits(shared) -> pd.DataFrame:
    """All 90 fine-tuning curves of Lin et al. 2024 in one batch, beside published and reference fits."""
    return rectified(shared("rectified").parent)


def test_rectified_law_beats_every_published_fit_of_the_90_curves(rectified_fits):
    assert len(rectified_fits) == 90
    assert (rectified_fits["rmsd"] <= rectified_fits["rmsd_published"] * 1.0005).all()
    assert (rectified_fits["rmsd"] <= rectified_fits["rmsd_reference"] * (1 + 1e-6)).all()


def test_rectified_law_reaches_the_optimum_of_each_task(rectified_fits):
    means = rectified_fits.groupby("dataset")["rmsd"].mean()
    assert means.to_dict() == pytest.approx(
        {"flan": 0.006402, "gigaword": 0.005076, "wmt19": 0.011587}, abs=1e-5
    )


@pytest.fixture(scope="module")
def ladder(shared) -> pd.DataFrame:
    """Log errors inside and beyond the fitted half of the 92 curves, per law, beside the reference's."""
    folder = shared("revisiting").parent
    table = curves(folder)
    return reference(folder).join([half_fitted(table, name) for name in LADDER])


@pytest.mark.slow
def test_the_straight_line_of_every_learning_curve(ladder):
    np.testing.assert_allclose(ladder["beyond_m1"], ladder["extrap_rmse_m1"], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m2", "m3", "bnsl1"])
def test_no_learning_curve_is_fitted_worse_than_by_the_reference(ladder, name: str) -> None:
    assert (ladder[f"inside_{name}"] <= ladder[f"fit_rms_{name}"] * 1.001).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m2", "m3"])
def test_extrapolation_of_learning_curves_by_domain(ladder, name: str) -> None:
    means = ladder.groupby("domain")[[f"beyond_{name}", f"extrap_rmse_{name}"]].mean()
    np.testing.assert_allclose(means[f"beyond_{name}"], means[f"extrap_rmse_{name}"], rtol=0.03)


@pytest.mark.slow
def test_a_ceiling_is_no_worse_than_a_floor_alone(ladder):
    fitted = ladder["inside_m4"].notna()
    assert fitted.sum() >= 80
    assert (ladder["inside_m4"] <= ladder["inside_m2"] * 1.001)[fitted].all()
