"""What is drawn: rows, whole runs, scales or residuals, each as wide as theory or design says."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_every_method_agrees_with_theory_on_a_straight_line(line: sj.FitResult) -> None:
    """On logs this is ordinary regression, whose standard error is known;
    resampling 24 rows is short by sqrt(22/24) and noise."""
    x = np.log(line.data().inputs["x"])
    sigma = np.sqrt(np.sum(line.residuals**2) / 22)
    theory = sigma / np.sqrt(np.sum((x - x.mean()) ** 2))
    with pytest.warns(UserWarning, match="with 24 runs its intervals are short"):
        bayesian = line.bootstrap(600, method="bayesian")
    for draws in (bayesian, line.bootstrap(600, method="row"), line.bootstrap(600, method="residual")):
        assert draws.params["alpha"].std() == pytest.approx(theory, rel=0.25), draws.method


def test_runs_are_drawn_whole() -> None:
    """Checkpoints of a run share its luck: drawing rows pretends there are thirty times as many runs."""
    rng = np.random.default_rng(1)
    x = np.tile(np.geomspace(1, 100, 30), 8)
    run = np.repeat(np.arange(8), 30)
    loss = 5 * x**-0.3 * np.exp(rng.normal(0, 0.05, 8)[run] + rng.normal(0, 0.002, 240))
    fit = sj.fit(
        sj.laws.power_law, {"x": x, "loss": loss, "run": run}, run="run", objective=sj.SquaredError()
    )
    by_run = fit.bootstrap(300)
    with pytest.warns(UserWarning, match="rows of one run are not independent"):
        by_row = fit.bootstrap(300, method="row")
    assert "training runs" in by_run.method and "rows" in by_row.method
    assert by_run.params["A"].std() > 3 * by_row.params["A"].std()


def test_hierarchical_is_wider_where_scales_differ() -> None:
    """Noise common to a scale (Ivgi et al. 2022) is invisible to a flat draw of its seeds."""
    rng = np.random.default_rng(2)
    x = np.repeat(np.geomspace(1, 100, 8), 10)
    loss = 5 * x**-0.3 * np.exp(np.repeat(rng.normal(0, 0.05, 8), 10) + rng.normal(0, 0.005, 80))
    fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())
    flat, nested = fit.bootstrap(300, method="row"), fit.bootstrap(300, method="hierarchical")
    assert nested.params["alpha"].std() > 1.8 * flat.params["alpha"].std()
    with pytest.raises(ValueError, match="draws the values of one input"):
        fit.bootstrap(10, method="hierarchical", scale="width")
