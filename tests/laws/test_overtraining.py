"""Over-trained runs are foretold with the errors that Gadre et al. 2024 print."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

RAW = sj.SquaredError(on="raw")


@pytest.fixture(scope="module")
def losses(overtrained: pd.DataFrame) -> sj.FitGroups:
    columns = {"C": "flops_6nd", "M": "M"}
    where = "fit_loss_default == 1"
    return sj.fit_groups(
        sj.laws.overtraining,
        overtrained,
        by="dataset",
        inputs=columns,
        target="loss_c4_eval",
        where=where,
        objective=RAW,
        run="name",
    )


@pytest.fixture(scope="module")
def errors(overtrained: pd.DataFrame) -> dict[int, sj.FitGroups]:
    """Errors averaged over 17 and 46 tasks."""
    return {
        tasks: sj.fit_groups(
            sj.laws.error_from_loss,
            overtrained,
            by="dataset",
            inputs={"loss": "loss_c4_eval"},
            target=f"err_avg_{tasks}",
            where="fit_error_default == 1",
            objective=RAW,
            run="name",
        )
        for tasks in (17, 46)
    }


def large_run(table: pd.DataFrame, dataset: str, billions: float, multiplier: int) -> pd.DataFrame:
    size = np.isclose(table["n_params"], billions * 1e9, rtol=0.03)
    found = table[(table["dataset"] == dataset) & size & (table["token_multiplier"] == multiplier)]
    assert len(found) == 1
    return found


FORECASTS = [
    ("redpajama", 1.4, 640, 2.5198, 0.710, 3.637),
    ("redpajama", 6.9, 20, 2.4427, 0.732, 0.046),
    ("c4", 1.4, 80, 2.5094, 1.498, 9.582),
    ("c4", 6.9, 20, 2.2799, 4.295, 0.137),
    ("refinedweb", 1.4, 320, 2.5313, 0.005, 5.617),
    ("refinedweb", 6.9, 20, 2.4150, 1.619, 2.939),
]


@pytest.mark.parametrize(("dataset", "billions", "multiplier", "loss", "of_loss", "of_error"), FORECASTS)
def test_large_runs_are_foretold_as_printed(
    overtrained, losses, errors, dataset, billions, multiplier, loss, of_loss, of_error
):
    run = large_run(overtrained, dataset, billions, multiplier)
    predicted = losses[dataset].predict(run)[0]
    assert predicted == pytest.approx(loss, abs=2e-4)
    assert 100 * abs(predicted / run["loss_c4_eval"].iloc[0] - 1) == pytest.approx(of_loss, abs=0.02)
    error = sj.chain(losses[dataset], errors[17][dataset], via="loss").predict(run)[0]
    assert 100 * abs(error / run["err_avg_17"].iloc[0] - 1) == pytest.approx(of_error, abs=0.05)


@pytest.mark.parametrize(("dataset", "of_error"), [("c4", 0.07), ("redpajama", 2.10), ("refinedweb", 2.76)])
def test_errors_over_46_tasks_are_foretold_as_printed(overtrained, losses, errors, dataset, of_error):
    run = large_run(overtrained, dataset, 6.9, 20)
    error = sj.chain(losses[dataset], errors[46][dataset], via="loss").predict(run)[0]
    assert 100 * abs(error / run["err_avg_46"].iloc[0] - 1) == pytest.approx(of_error, abs=0.05)
