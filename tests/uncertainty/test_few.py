"""Few training runs: draws are spread by what they allow, and refused where they allow nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.uncertainty.few import few_runs, too_few
from scaling_jax.uncertainty.tails import chi_square_quantile

POINTS = 5


def family(runs: int, seed: int = 0) -> pd.DataFrame:
    """Sizes with checkpoints, whose luck of .4 % all rows of a run have in common."""
    rng = np.random.default_rng(seed)
    x, run = np.repeat(np.geomspace(1, 1e3, runs), POINTS), np.repeat(np.arange(runs), POINTS)
    step = np.tile(np.geomspace(0.2, 1, POINTS), runs)
    luck = 0.004 * rng.normal(size=runs)[run] + 0.001 * rng.normal(size=len(x))
    return pd.DataFrame({"x": x, "step": step, "run": run, "loss": 3 * x**-0.2 * step**-0.1 * np.exp(luck)})


def fitted(runs: int, **how: object) -> sj.FitResult:
    law = sj.laws.power_product("x", "step")
    return sj.fit(law, family(runs), target="loss", run="run", **({"objective": sj.SquaredError()} | how))


def test_degrees_of_freedom_are_runs_less_what_is_settled_between_them() -> None:
    """Height and slope in x are settled between runs, the slope in steps within them."""
    assert few_runs(fitted(6)).freedom == pytest.approx(4, abs=1e-6)
    assert few_runs(fitted(6, fixed={fitted(6).law.labels[0]: 3.0})).freedom > 4.5
    assert few_runs(fitted(20)) is None
    alone = sj.fit(sj.laws.power_law, family(6).query("step == 1"), run="run")
    assert few_runs(alone) is None, "every row is a run: nothing is clustered"


def test_two_runs_are_refused_in_one_sentence_wherever_an_interval_is_asked_for() -> None:
    fit = fitted(2)
    assert "2 training runs settle 2 parameters between them" in too_few(fit)
    for ask in (
        fit.conf_int,
        lambda: fit.bootstrap(50),
        lambda: fit.predict({"x": 1e4, "step": 1}, "prediction"),
    ):
        with pytest.raises(ValueError, match="leaves nothing to say how far a run's luck reaches"):
            ask()
    assert dict(fit.examine().findings)["Intervals"].startswith("none: 2 training runs")
    assert any("Only 2 training runs" in warning for warning in fit.warnings)
    assert "Only 2 training runs" in fit.summary()
    assert "std. error" not in fit.summary(), "it would be far too small"


def test_draws_are_spread_by_students_t_and_say_what_they_hold() -> None:
    few, many = fitted(5), fitted(5)
    draws = few.bootstrap(400)
    raw = draws.plain(many, sj_refit(many, 400), "raw")
    label = few.law.labels[1]
    wider = np.ptp(np.quantile(draws.params[label], [0.05, 0.95])) / np.ptp(
        np.quantile(raw.params[label], [0.05, 0.95])
    )
    assert 1.3 < wider < 2.2  # sqrt(5 / 4) t_3(.95) / 1.645 is 1.6 for normal draws
    assert "Student's t, 3 degrees of freedom" in draws.method
    assert draws.conf_int().attrs["coverage"].startswith("with 5 training runs")
    band = few.predict({"x": 1e4, "step": 1}, interval="prediction")
    assert band.attrs["coverage"].startswith("with 5 training runs")


def sj_refit(fit: sj.FitResult, n: int):
    from scaling_jax.fitting.refits import refit
    from scaling_jax.uncertainty.bootstrap import replicates

    return refit([replicates(fit, n)], careful=False)[0]


def test_quantiles_of_the_chi_square() -> None:
    stats = pytest.importorskip("scipy.stats")
    share = np.array([0.01, 0.3, 0.5, 0.99])
    np.testing.assert_allclose(chi_square_quantile(share, 2.7), stats.chi2.ppf(share, 2.7), rtol=1e-9)


def test_five_runs_hold_what_they_say() -> None:
    """Of 150 families of five runs nominal 90 % intervals of the slope hold the truth in 84 to 98 %: near the
    level, four binomial standard errors granted below; the plain bootstrap's hold 75 %."""
    law = sj.laws.power_product("x", "step")
    table = pd.concat([family(5, seed).assign(g=seed) for seed in range(150)], ignore_index=True)
    fits = sj.fit_groups(law, table, by="g", target="loss", run="run", objective=sj.SquaredError())
    label = law.labels[1]
    held = []
    for draws in fits.bootstrap(200).values():
        low, high = draws.conf_int().loc[label, ["lower", "upper"]]
        held.append(low <= -0.2 <= high)
    assert np.mean(held) > 0.80
