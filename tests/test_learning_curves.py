"""Learning curves on the field's own tables: the rectified law, M1 to M4 and broken laws against published
and reference fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from benchmarks.learning_curves import LADDER, LOGS, curves, half_fitted, rectified, reference
from scaling_jax import evaluate


@pytest.fixture(scope="module")
def rectified_fits(shared) -> pd.DataFrame:
    """All 90 fine-tuning curves of Lin et al. 2024 in one batch, beside the published and the reference
    fits."""
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
    """Log errors inside and beyond the fitted half of Alabdulmohsin et al. 2022's 92 curves, per law, beside
    the reference's."""
    folder = shared("revisiting").parent
    table = curves(folder)
    return reference(folder).join([half_fitted(table, name) for name in LADDER])


def test_the_straight_line_of_every_learning_curve(ladder):
    np.testing.assert_allclose(ladder["beyond_m1"], ladder["extrap_rmse_m1"], rtol=1e-4)


@pytest.mark.parametrize("name", ["m2", "m3", "bnsl1"])
def test_no_learning_curve_is_fitted_worse_than_by_the_reference(ladder, name: str) -> None:
    assert (ladder[f"inside_{name}"] <= ladder[f"fit_rms_{name}"] * 1.001).all()


@pytest.mark.parametrize("name", ["m2", "m3"])
def test_extrapolation_of_learning_curves_by_domain(ladder, name: str) -> None:
    means = ladder.groupby("domain")[[f"beyond_{name}", f"extrap_rmse_{name}"]].mean()
    np.testing.assert_allclose(means[f"beyond_{name}"], means[f"extrap_rmse_{name}"], rtol=0.03)


def test_laws_are_ranked_as_each_by_itself_extrapolates(shared, ladder):
    """compare_laws on the 92 curves: errors are those of the fits one law at a time, and shares of curves won
    add up."""
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


def test_a_ceiling_is_no_worse_than_a_floor_alone(ladder):
    fitted = ladder["inside_m4"].notna()
    assert fitted.sum() >= 80
    assert (ladder["inside_m4"] <= ladder["inside_m2"] * 1.001)[fitted].all()


# Caballero et al. 2023: four-digit addition, a sharp break that begins to show in the last points that are
# fitted


EXAMPLES = np.array([160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736, 800, 864, 928])
ENTROPY = np.array(
    [
        2.13809046,
        2.11813418,
        2.08955508,
        2.06988398,
        2.05404987,
        2.03837089,
        2.02814281,
        2.00496872,
        1.95576149,
        1.86313841,
        1.70891537,
        1.50637664,
        1.29754721,
        0.96559684,
        0.75856477,
        0.64768338,
        0.55695445,
    ]
)
ADDITION = {"a": 0.413885, "b": 2.277272, "c0": 0.0550774, "c1": 5.66291, "d1": 612.5837, "f1": 0.0591931}
ONE_BREAK = sj.laws.bnsl(1)


def one_more(x, **numbers):
    return 1 + ONE_BREAK.fn(x, **numbers)


PLUS_ONE = sj.Law(
    one_more,
    params=ONE_BREAK.parameters,
    inputs=ONE_BREAK.input_domains,
    starts=lambda inputs, target: ONE_BREAK.starts(inputs, target - 1),
)


def rmsle(numbers: dict[str, float], rows: slice) -> float:
    return evaluate.log_rmse(ONE_BREAK(EXAMPLES[rows], **numbers), ENTROPY[rows])


@pytest.mark.parametrize(
    ("law", "shift", "inside", "beyond"),
    [(PLUS_ONE, 1.0, 5.985e-4, 1.092e-2), (ONE_BREAK, 0.0, 5.983e-4, 1.114e-2)],
)
def test_four_digit_addition(law, shift, inside, beyond):
    """The authors minimise squares of ln(y + 1); on ln y the fit is nearer and the forecast a little
    worse."""
    fit = sj.fit(law, {"x": EXAMPLES[:14], "loss": ENTROPY[:14] + shift}, objective=LOGS)
    assert rmsle(fit.params, slice(14)) == pytest.approx(inside, rel=1e-3)
    assert rmsle(fit.params, slice(14, None)) == pytest.approx(beyond, rel=1e-3)
    if shift:
        assert fit.params == pytest.approx(ADDITION, rel=1e-3)


def test_a_break_is_foretold_from_its_first_trace():
    """Without noise, the rows before the break at 612 recover it: at 405 it has bent the curve by three parts
    in ten thousand.

    So thin a trace is a valley longer than the usual number of steps. The fit says so, and what to do; that
    finds it.
    """
    x = np.arange(1.0, 4096.0)
    y = ONE_BREAK(x, **ADDITION)
    seen, beyond = x <= 405, x > 405
    short, patient = (
        sj.fit(ONE_BREAK, {"x": x[seen], "loss": y[seen]}, objective=LOGS, solver=solver)
        for solver in ("lm", sj.LM(max_steps=5000, tol=1e-14))
    )
    assert short.status == "not_converged" and "Raise the solver's max_steps" in short.warnings[0]
    assert patient.converged
    assert evaluate.log_rmse(patient.predict({"x": x[beyond]}), y[beyond]) < 1e-2
