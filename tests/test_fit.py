"""What may be said to `fit`: every form of every argument, and that each does what its sentence says."""

from __future__ import annotations

import _thread
import json
import signal
import threading
from contextlib import contextmanager

import jax
import numpy as np
import pandas as pd
import polars as pl
import pytest

import scaling_jax as sj
from scaling_jax.fitting import members

RNG = np.random.default_rng(0)
ROWS = 40
N, D = (np.exp(RNG.uniform(np.log(low), np.log(high), ROWS)) for low, high in ((1e7, 1e10), (1e9, 1e12)))
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
LOSS = sj.laws.chinchilla(N, D, **TRUTH) * np.exp(RNG.normal(0, 0.005, ROWS))
TABLE = pd.DataFrame(
    {"N": N, "D": D, "loss": LOSS, "run_id": np.repeat(np.arange(10), [1, 7, 4, 4, 4, 4, 4, 4, 4, 4])}
)
START = {"E": 1.5, "A": 300.0, "B": 1000.0, "alpha": 0.3, "beta": 0.3}
POINT = np.array(list(START.values()))


def fit(table=TABLE, **options) -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, table, **options)


@pytest.fixture(scope="module")
def best() -> sj.FitResult:
    return fit()


def same(one: sj.FitResult, other: sj.FitResult) -> None:
    assert one.objective_value == pytest.approx(other.objective_value, rel=1e-10)
    np.testing.assert_allclose(one.numbers, other.numbers, rtol=1e-6)


STARTS = {
    "the law's own": (None, 32),
    "the classical grid": ("grid", 4500),
    "a number": (50, 50),
    "axes of a product": (
        {"E": [1.0, 2.0], "A": [100, 1000.0], "B": [100.0, 1e3, 1e4], "alpha": 0.3, "beta": [0.3, 0.5]},
        24,
    ),
    "points": (np.array([POINT, 2 * POINT]), 2),
    "one point": (POINT, 1),
    "a frame in any order": (pd.DataFrame([START])[["beta", "alpha", "B", "A", "E"]], 1),
    "a list": ([list(POINT)], 1),
}


@pytest.mark.parametrize("name", STARTS)
def test_every_form_of_starts(name: str, best: sj.FitResult) -> None:
    starts, count = STARTS[name]
    found = fit(starts=starts)
    same(found, best)
    assert found.n_starts == count and found.converged


def test_unscreened_starts_all_finish(best: sj.FitResult) -> None:
    found = fit(starts=150, screen=False)
    same(found, best)
    assert found.n_starts == found.certificate.n_finished == 150


def test_the_same_call_gives_the_same_bits(best: sj.FitResult) -> None:
    again = fit()
    assert (again.numbers == best.numbers).all() and again.objective_value == best.objective_value


def test_fixed_parameters_stay_and_the_others_are_optimal_beside_them(best: sj.FitResult) -> None:
    same(fit(fixed={"beta": best.params["beta"]}), best)
    elsewhere = fit(fixed={"beta": 0.3, "E": 1.7})
    assert (elsewhere.params["beta"], elsewhere.params["E"]) == (0.3, 1.7)
    assert elsewhere.fixed == {"beta": 0.3, "E": 1.7}
    assert elsewhere.objective_value > best.objective_value
    # the restricted problem's own optimum, by the law with the constants written in
    written = sj.law(
        lambda N, D, *, A, B, alpha: 1.7 + A / N**alpha + B / D**0.3,
        domains={"A": sj.Positive, "B": sj.Positive},
    )
    assert elsewhere.objective_value == pytest.approx(sj.fit(written, TABLE).objective_value, rel=1e-9)


def test_everything_fixed_is_only_evaluated() -> None:
    held = fit(fixed=TRUTH)
    residual = np.log(sj.laws.chinchilla(N, D, **TRUTH) / LOSS)
    assert held.params == TRUTH and held.converged
    assert held.objective_value == pytest.approx(float(sj.Huber().rho(residual).sum()), rel=1e-12)


def test_tied_parameters_are_one() -> None:
    tied = fit(tied=[("alpha", "beta")])
    assert tied.params["alpha"] == tied.params["beta"]
    one = sj.law(
        lambda N, D, *, E, A, B, alpha: E + A / N**alpha + B / D**alpha,
        domains={"E": sj.Positive, "A": sj.Positive, "B": sj.Positive}, ranges={"alpha": (0.05, 1.2)},
    )  # fmt: skip
    assert tied.objective_value == pytest.approx(sj.fit(one, TABLE).objective_value, rel=1e-9)
    both = fit(tied=[("alpha", "beta")], fixed={"E": 1.8})
    assert both.params["E"] == 1.8 and both.params["alpha"] == both.params["beta"]


def test_whole_weights_are_repeated_rows(best: sj.FitResult) -> None:
    times = np.tile([1, 2, 1, 0], 10)
    weighted = fit(weights=times.astype(float))
    repeated = fit(TABLE.loc[TABLE.index.repeat(times)])
    assert weighted.objective_value == pytest.approx(repeated.objective_value, rel=1e-10)
    np.testing.assert_allclose(weighted.numbers, repeated.numbers, rtol=1e-5)
    assert weighted.objective_value != pytest.approx(best.objective_value, rel=1e-3)
    same(fit(TABLE.assign(w=times), weights="w"), weighted)


def test_weights_by_run_give_every_run_the_same_total() -> None:
    by_run = fit(run="run_id", weights="runs")
    weight = by_run.data().weight
    np.testing.assert_allclose(np.bincount(TABLE.run_id, weight), ROWS / 10)
    same(by_run, fit(weights=weight))
    assert by_run.record["n_runs"] == 10


def test_known_errors_move_the_threshold_and_weights_do_not() -> None:
    """Huber_d(r / s) = Huber_ds(r) / s^2, while a weight only multiplies."""
    s = 0.02
    scaled = fit(target_se=np.full(ROWS, s), objective=sj.Huber(0.25))
    moved = fit(objective=sj.Huber(0.25 * s))
    np.testing.assert_allclose(scaled.numbers, moved.numbers, rtol=1e-6)
    assert scaled.objective_value == pytest.approx(moved.objective_value / s**2, rel=1e-9)
    np.testing.assert_allclose(scaled.residuals, moved.residuals / s, rtol=1e-5, atol=1e-9)
    weighted = fit(objective=sj.Huber(0.25), weights=np.full(ROWS, 1 / s**2))
    assert weighted.objective_value == pytest.approx(
        fit(objective=sj.Huber(0.25)).objective_value / s**2, rel=1e-9
    )
    assert np.abs(weighted.numbers - scaled.numbers).max() > 1e-3


@pytest.mark.parametrize(
    "where",
    ["N > 1e8", lambda t: t.N > 1e8, N > 1e8, (N > 1e8).astype(object)],
    ids=["words", "function", "mask", "object"],
)
def test_what_where_leaves_out_is_counted(where) -> None:
    found = fit(where=where)
    kept = int((N > 1e8).sum())
    assert len(found.data()) == kept == found.record["rows_used"]
    assert found.record["dropped_where"] == ROWS - kept and found.record["rows_in_table"] == ROWS
    assert f"{kept} fitted of {ROWS} ({ROWS - kept} left out by where=" in found.summary()
    same(found, fit(TABLE[N > 1e8]))


def test_missing_rows_are_dropped_and_counted(best: sj.FitResult) -> None:
    extra = pd.DataFrame(
        {"N": [np.nan, 1e9, 1e9], "D": [1e9, 1e9, np.inf], "loss": [3.0, np.nan, 3.0], "run_id": [1, 1, 1]}
    )
    found = fit(pd.concat([TABLE, extra], ignore_index=True), missing="drop")
    same(found, best)
    assert found.record["dropped_missing"] == 3 and "3 with missing values" in found.summary()


def test_how_sizes_were_counted_is_echoed_and_stored() -> None:
    found = fit(count={"N": "non-embedding", "C": "6ND"})
    assert "N: non-embedding, C: 6ND" in found.summary()
    assert json.loads(found.to_json())["count"] == {"N": "non-embedding", "C": "6ND"}


TABLES = {
    "polars": pl.from_pandas(TABLE),
    "lazy polars": pl.from_pandas(TABLE).lazy(),
    "arrays": {"N": N, "D": D, "loss": LOSS},
    "lists and JAX arrays": {"N": list(N), "D": D, "loss": LOSS},
    "whole numbers": TABLE.assign(N=TABLE.N.round().astype("int64"), D=TABLE.D.round().astype("Int64")),
    "shuffled index": TABLE.set_index(np.arange(ROWS)[::-1]),
}


@pytest.mark.parametrize("name", TABLES)
def test_any_table(name: str, best: sj.FitResult) -> None:
    found = fit(TABLES[name])
    # rounding N and D to whole numbers moves the data by up to 5e-8
    assert found.objective_value == pytest.approx(
        best.objective_value, rel=1e-10 if name != "whole numbers" else 1e-5
    )


def test_inputs_and_target_by_name_array_or_function(best: sj.FitResult) -> None:
    renamed = TABLE.rename(columns={"N": "n_params", "D": "tokens", "loss": "val"})
    same(fit(renamed, inputs={"N": "n_params", "D": "tokens"}, target="val"), best)
    same(fit(renamed, inputs={"N": N, "D": pd.Series(D)}, target=LOSS), best)
    billions = renamed.assign(n_params=lambda t: t.n_params / 1e9)
    found = fit(billions, inputs={"N": lambda t: 1e9 * t.n_params, "D": "tokens"}, target=lambda t: t.val)
    same(found, best)
    assert found.sources == {"N": "function", "D": "tokens", "target": "function"}


@pytest.mark.parametrize("solver", ["lbfgs", sj.LM(max_steps=60, damping=1e-3), sj.LBFGS(memory=5)], ids=str)
def test_solvers_by_name_or_as_objects(solver, best: sj.FitResult) -> None:
    same(fit(solver=solver), best)


def test_a_device_by_name_or_itself(best: sj.FitResult) -> None:
    same(fit(device="cpu"), best)
    same(fit(device=jax.devices("cpu")[0]), best)


def test_a_perfect_fit_of_few_rows_divides_by_nothing() -> None:
    found = sj.fit(sj.laws.power_law_floor, {"x": [1.0, 10.0, 100.0], "loss": [3.0, 1.5, 1.25]})
    assert found.converged and found.n_agree == found.certificate.n_finished
    assert found.params["E"] == pytest.approx(1.2, abs=1e-6)


def test_the_summary_shows_the_intervals_of_conf_int(best: sj.FitResult) -> None:
    ends, text = best.conf_int(), best.summary()
    for label in best.law.labels:
        line = next(line for line in text.splitlines() if line.startswith(f"{label} "))
        assert line.split()[2:4] == [f"{ends.loc[label, end]:.4g}" for end in ("lower", "upper")]


def test_certify_confirms_an_optimum(best: sj.FitResult) -> None:
    judged = sj.certify(sj.laws.chinchilla, TABLE, best.params)
    assert judged.converged and judged.warnings == best.warnings
    assert judged.numbers == pytest.approx(best.numbers, rel=1e-12)


def test_ctrl_c_between_dispatches_leaves_everything_usable(monkeypatch, best: sj.FitResult) -> None:
    @contextmanager
    def impatient(_):
        def update(done, total):
            raise KeyboardInterrupt

        yield update

    with monkeypatch.context() as patched:
        patched.setattr(members, "progress_bar", impatient)
        with pytest.raises(KeyboardInterrupt):
            fit()
    same(fit(), best)


def test_ctrl_c_in_the_middle_of_long_work_stops_it(best: sj.FitResult) -> None:
    stopped = threading.Event()

    def press() -> None:
        """Again and again, as a person would: Python drops an interrupt that lands inside a finaliser."""
        wait = 0.5
        while not stopped.wait(wait):
            _thread.interrupt_main()
            wait = 5.0

    finger = threading.Thread(target=press)
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells start background work with Ctrl-C ignored
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(starts=100_000, screen=False)
    finally:
        stopped.set()
        finger.join()
        signal.signal(signal.SIGINT, before)
    same(fit(), best)


def test_fitting_is_silent_where_nobody_watches(capfd) -> None:
    fit(starts="grid", screen=False)
    out, err = capfd.readouterr()
    assert out == "" and err == ""


def test_groups_by_several_columns_have_tuples_as_keys():
    table = pd.DataFrame(
        {
            "x": [1, 10, 100] * 4,
            "loss": [4, 2, 1, 9, 3, 1] * 2,
            "task": list("uuuuuuvvvvvv"),
            "seed": [1, 1, 1, 2, 2, 2] * 2,
            "slope": [0.3] * 6 + [0.4] * 6,
        }
    )
    fits = sj.fit_groups(sj.laws.power_law, table, by=["task", "seed"], fixed={"alpha": "slope"})
    assert list(fits) == [("u", 1), ("u", 2), ("v", 1), ("v", 2)]
    assert fits.params.loc[("v", 2), "alpha"] == 0.4
    alone = sj.fit(sj.laws.power_law, table[6:9], fixed={"alpha": 0.4})
    assert fits["v", 1].objective_value == pytest.approx(alone.objective_value, rel=1e-9)
