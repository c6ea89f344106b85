"""The optimum does not depend on how the table is written down: weights' scale, order and number of rows,
units.

1e-8 in the objective is what is promised; the solver's own stopping rule is far below it. In the parameters
the same optimum is determined to about the square root of the objective's rounding, times its condition.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_jax as sj

RNG = np.random.default_rng(1)
ROWS = 40
N, D = (np.exp(RNG.uniform(np.log(low), np.log(high), ROWS)) for low, high in ((1e7, 1e10), (1e9, 1e12)))
LOSS = sj.laws.chinchilla(N, D, E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37) * np.exp(
    RNG.normal(0, 0.01, ROWS)
)
TABLE = pd.DataFrame({"N": N, "D": D, "loss": LOSS})
START = {"E": 1.5, "A": 300.0, "B": 1000.0, "alpha": 0.3, "beta": 0.3}
OBJECTIVES = [sj.Huber(), sj.SquaredError(on="raw")]
MANY = settings(max_examples=15, deadline=None, derandomize=True)
DECADES = st.floats(-6, 6)


def fit(table: pd.DataFrame = TABLE, start: dict[str, float] | None = START, **options) -> sj.FitResult:
    starts = None if start is None else np.array([[start[p] for p in sj.laws.chinchilla.params]])
    return sj.fit(sj.laws.chinchilla, table, starts=starts, **options)


REFERENCE = {}


def reference(objective: sj.Huber) -> sj.FitResult:
    if objective not in REFERENCE:
        REFERENCE[objective] = fit(objective=objective)
    return REFERENCE[objective]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.kind)
@given(power=DECADES)
@MANY
def test_the_scale_of_the_weights(objective, power: float) -> None:
    scaled = fit(objective=objective, weights=np.full(ROWS, 10.0**power))
    assert scaled.objective_value == pytest.approx(
        10.0**power * reference(objective).objective_value, rel=1e-8
    )
    np.testing.assert_allclose(scaled.numbers, reference(objective).numbers, rtol=1e-5)
    assert scaled.status == "converged"


@given(order=st.permutations(range(ROWS)))
@MANY
def test_the_order_of_the_rows(order: list[int]) -> None:
    found = fit(TABLE.iloc[order])
    assert found.objective_value == pytest.approx(reference(OBJECTIVES[0]).objective_value, rel=1e-8)
    np.testing.assert_allclose(found.residuals, reference(OBJECTIVES[0]).residuals[order], atol=1e-7)


@given(extra=st.integers(1, 8), size=DECADES)
@MANY
def test_rows_without_weight(extra: int, size: float) -> None:
    noise = pd.DataFrame({"N": 1e9 * 10.0**size, "D": 1e10, "loss": 10.0 ** -np.arange(extra)})
    padded = pd.concat([TABLE, noise], ignore_index=True)
    found = fit(padded, weights=np.r_[np.ones(ROWS), np.zeros(extra)])
    assert found.objective_value == pytest.approx(reference(OBJECTIVES[0]).objective_value, rel=1e-8)


@pytest.mark.parametrize("rows", [47, 70, 200])
def test_padding_to_another_length(rows: int) -> None:
    """The same 40 rows in programs of other shapes."""
    padded = TABLE.iloc[np.arange(rows) % ROWS]
    found = fit(padded, weights=(np.arange(rows) < ROWS).astype(float))
    assert found.objective_value == pytest.approx(reference(OBJECTIVES[0]).objective_value, rel=1e-8)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.kind)
@given(n=DECADES, d=DECADES)
@MANY
def test_units_of_the_inputs(objective, n: float, d: float) -> None:
    """N in units of u makes A u^-alpha of A: the start moves with it, and so does the optimum."""
    units = {"N": 10.0**n, "D": 10.0**d}
    table = TABLE.assign(N=N / units["N"], D=D / units["D"])

    def moved(p: dict[str, float]) -> dict[str, float]:
        return {**p, "A": p["A"] * units["N"] ** -p["alpha"], "B": p["B"] * units["D"] ** -p["beta"]}

    found = fit(table, moved(START), objective=objective)
    before = reference(objective)
    assert found.objective_value == pytest.approx(before.objective_value, rel=1e-8)
    assert found.params == pytest.approx(moved(before.params), rel=1e-4)


@given(c=DECADES)
@MANY
def test_units_of_the_target(c: float) -> None:
    scale = 10.0**c
    moved = {**START, **{p: scale * START[p] for p in ("E", "A", "B")}}
    on_log = fit(TABLE.assign(loss=scale * LOSS), moved)
    assert on_log.objective_value == pytest.approx(reference(OBJECTIVES[0]).objective_value, rel=1e-8)
    on_raw = fit(TABLE.assign(loss=scale * LOSS), moved, objective=OBJECTIVES[1])
    assert on_raw.objective_value == pytest.approx(
        scale**2 * reference(OBJECTIVES[1]).objective_value, rel=1e-8
    )


@pytest.mark.parametrize("unit", [1e-6, 1e6, 1e9])
def test_the_law_s_own_starts_follow_the_units(unit: float) -> None:
    """Seeds come from the data, so nobody has to move them."""
    best = fit(start=None)
    assert best.objective_value == pytest.approx(reference(OBJECTIVES[0]).objective_value, rel=1e-8)
    found = fit(TABLE.assign(N=N / unit, D=D / unit), None)
    assert found.objective_value == pytest.approx(best.objective_value, rel=1e-8)


def test_a_fit_alone_or_among_others() -> None:
    """Groups of many lengths, in any order, give what each gives alone."""
    sizes = {"a": 40, "b": 23, "c": 35, "d": 21}
    tables = {key: TABLE.head(size).assign(key=key) for key, size in sizes.items()}
    alone = {key: sj.fit(sj.laws.power_law_floor, table, inputs={"x": "N"}) for key, table in tables.items()}
    for order in ("abcd", "dacb"):
        together = sj.fit_groups(
            sj.laws.power_law_floor, pd.concat([tables[k] for k in order]), by="key", inputs={"x": "N"}
        )
        assert list(together) == list(order)
        for key, one in alone.items():
            assert together[key].objective_value == pytest.approx(one.objective_value, rel=1e-8)
