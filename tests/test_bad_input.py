"""Every kind of bad input gets its one sentence, exactly, before anything is compiled."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

TABLE = pd.DataFrame(
    {
        "N": [1e6, 1e7, 1e8, 1e9, 1e6, 1e7],
        "D": [1e9, 1e9, 1e10, 1e10, 1e10, 1e11],
        "loss": [4.0, 3.5, 3.0, 2.5, 3.6, 3.1],
        "family": list("aaabbb"),
    }
)
SIX = "give one value per row of the whole table."
HAS = "it has N, D, loss, family."
FIVE = "E, A, B, alpha, beta"


def with_(**columns):
    return TABLE.assign(**columns)


TABLES = {
    "not a table": (
        [1, 2, 3],
        "A table is a DataFrame of pandas, polars, pyarrow or DuckDB, a mapping of column names to arrays, a "
        "list of one mapping per row, or the path of a file, not list.",
    ),
    "a path": (
        "runs.csv",
        "There is no file runs.csv.",
    ),
    "no rows": (TABLE.head(0), "The table has no rows."),
    "unequal columns": (
        {"N": [1.0, 2.0], "D": [1.0], "loss": [1.0, 2.0]},
        "The columns have different lengths (N: 2, D: 1, loss: 2): give arrays of equal length.",
    ),
    "a name twice": (
        pd.concat([TABLE, TABLE[["N"]]], axis=1),
        "Column names ['N'] occur more than once: rename or drop the copies.",
    ),
    "an input's column is absent": (
        TABLE.drop(columns="N"),
        "Law 'chinchilla' needs the input N, and the table has no such column: say inputs={'N': column} "
        "with one of D, loss, family.",
    ),
    "the target's column is absent": (
        TABLE.drop(columns="loss"),
        "There is no column 'loss' for the target: the table has N, D, family.",
    ),
    "text among numbers": (
        with_(N=["1e6", "7 billion", 1e8, "1,0", 1e6, 1e7]),
        "Column 'N' holds text in rows 1, 3, for example '7 billion': write plain numbers (1e9).",
    ),
    "lists in cells": (
        with_(N=[[1, 2]] * 6),
        "Column 'N' holds text in rows 0, 1, 2, 3, 4 and 1 more, for example [1, 2]: write plain numbers "
        "(1e9).",
    ),
    "true and false": (
        with_(N=True),
        "Column 'N' holds true/false values, not numbers: convert it, for example with .astype(float).",
    ),
    "dates": (
        with_(N=pd.date_range("2020", periods=6)),
        "Column 'N' holds dates, not numbers: convert it to a number first.",
    ),
    "complex numbers": (with_(N=1.0 + 1.0j), "Column 'N' holds complex numbers: give real ones."),
    "complex numbers among others": (
        with_(N=np.array([1e9] * 5 + [1 + 9j], dtype=object)),
        "Column 'N' holds complex numbers, not numbers: convert it to numbers first.",
    ),
    "spans of time": (
        with_(N=pd.to_timedelta(np.arange(1, 7), unit="h")),
        "Column 'N' holds spans of time, not numbers: convert it to numbers first.",
    ),
    "periods": (
        with_(N=pd.period_range("2024", periods=6)),
        "Column 'N' holds dates, not numbers: convert it to numbers first.",
    ),
    "missing and infinite": (
        with_(loss=[4, np.nan, 3, 2, 3, np.inf]),
        "Column 'loss' (target) is missing or not finite in rows 1, 5: fix the values, or pass "
        "missing='drop' to leave those rows out.",
    ),
    "an input outside its domain": (
        with_(N=[0, 1e7, -1, 1e9, 1e6, 1e7]),
        "Column 'N' must be positive for law 'chinchilla', and is 0 in rows 0, 2: remove them with where=, "
        "or correct them.",
    ),
    "a loss without logarithm": (
        with_(loss=[4, -1, 3, 2, 3, 1.0]),
        "Column 'loss' (target) must be positive for residuals on logs, and is -1 in row 1: "
        "use an objective with on='raw', or remove them with where=.",
    ),
}


@pytest.fixture
def refused(nothing_compiles):
    """The call fails with this sentence, and no program is compiled on the way."""

    def check(sentence: str, table, law=sj.laws.chinchilla, fit=sj.fit, **options) -> None:
        with nothing_compiles(), pytest.raises((ValueError, TypeError)) as caught:
            fit(law, table, **options)
        assert str(caught.value) == sentence

    return check


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_fitted_is_one_sentence(name: str, refused) -> None:
    table, sentence = TABLES[name]
    refused(sentence, table)


ARGUMENTS = {
    "another target": (
        {"target": "val"},
        "There is no column 'val' for the target: the table has N, D, loss, family.",
    ),
    "an unknown input": (
        {"inputs": {"M": "N"}},
        "inputs names ['M'], but law 'chinchilla' has the inputs ['N', 'D'].",
    ),
    "an input from nowhere": (
        {"inputs": {"N": "params"}},
        "There is no column 'params' for input 'N': the table has N, D, loss, family.",
    ),
    "a function that fails": (
        {"inputs": {"N": lambda t: t["size"]}},
        "The function given for input 'N' failed on the table (KeyError: 'size').",
    ),
    "a function of wrong length": (
        {"inputs": {"N": lambda t: [1, 2]}},
        f"inputs= for input 'N' has shape (2,), the table has 6 rows: {SIX}",
    ),
    "a matrix": (
        {"inputs": {"N": np.ones((6, 2))}},
        f"inputs= for input 'N' has shape (6, 2), the table has 6 rows: {SIX}",
    ),
    "weights of wrong length": ({"weights": [1, 2]}, f"weights= has shape (2,), the table has 6 rows: {SIX}"),
    "negative weights": (
        {"weights": [0, 1, 1, 1, 1, -1]},
        "weights must not be negative, and are in row 5: use 0 to leave a row out.",
    ),
    "no weight at all": ({"weights": np.zeros(6)}, "All weights are zero: nothing would be fitted."),
    "weights by run without runs": (
        {"weights": "runs"},
        "weights='runs' needs run=, the column that says which rows are one training run.",
    ),
    "vanishing errors": (
        {"target_se": [0, 1, 1, 1, 1, 1]},
        "target_se must be positive, and is not in row 0: standard errors of 0 cannot be weighed.",
    ),
    "a run without name": (
        {"run": np.array(["a", None, "b", "c", "d", "e"])},
        "run is missing in row 1: fill it, or pass missing='drop'.",
    ),
    "a filter that keeps nothing": (
        {"where": "N > 1e20"},
        "where='N > 1e20' leaves none of 6 rows: loosen it.",
    ),
    "a filter on nothing": (
        {"where": "steps > 3"},
        "where='steps > 3': there is no column 'steps': the table has N, D, loss, family.",
    ),
    "a filter that is no sentence": (
        {"where": "N >"},
        "where='N >' is no condition that can be read; it may hold columns, numbers, text, comparisons, in, "
        "arithmetic, and, or, not, and the functions isnull, notnull, abs, sqrt, exp, log, log2, log10, "
        "floor, ceil, round.",
    ),
    "a short filter": (
        {"where": np.ones(5, bool)},
        "where= must give one true or false per row (6 rows), got bool of shape (5,).",
    ),
    "a filter of numbers": (
        {"where": "N"},
        "where='N' must be true or false for each row, such as 'x > 1'; it is not.",
    ),
    "another word for missing": ({"missing": "skip"}, "missing='skip': use 'raise' or 'drop'."),
    "an unknown fixed parameter": (
        {"fixed": {"gamma": 1.0}},
        f"Law 'chinchilla' has no parameter gamma: it has {FIVE}.",
    ),
    "a fixed value outside": (
        {"fixed": {"A": -1.0}},
        "fixed A=-1.0 is outside its domain: it must be positive.",
    ),
    "a fixed value missing": (
        {"fixed": {"beta": np.nan}},
        "fixed beta=nan is outside its domain: it must be real.",
    ),
    "a fixed word": ({"fixed": {"A": "x"}}, "fixed A='x' is not a number."),
    "a mapping for one fit": (
        {"fixed": {"A": {"a": 1}}},
        "fixed A is a mapping, which is for fit_groups: give one number.",
    ),
    "a tie across domains": (
        {"tied": [("A", "alpha")]},
        "tied=('A', 'alpha'): tied parameters must be two or more with the same domain.",
    ),
    "a tie of one": (
        {"tied": [("A",)]},
        "tied=('A',): tied parameters must be two or more with the same domain.",
    ),
    "a flat tie": (
        {"tied": ("alpha", "beta")},
        "tied=('alpha', 'beta'): give groups of names, for example [('alpha', 'beta')].",
    ),
    "fixed and tied": (
        {"tied": [("alpha", "beta")], "fixed": {"beta": 0.3}},
        "A parameter is named twice in fixed and tied: fix one of a tied group, and leave the group out of "
        "tied.",
    ),
    "a fixed list for one number": (
        {"fixed": {"E": [1.7]}},
        "fixed E=[1.7]: give one number.",
    ),
    "fixed without values": (
        {"fixed": ["E"]},
        "fixed=['E']: give a mapping of parameters to values, for example {'E': 1.0}.",
    ),
    "a fixed value without end": (
        {"fixed": {"alpha": -np.inf}},
        "fixed alpha=-inf is outside its domain: it must be real.",
    ),
    "a tie that is a number": (
        {"tied": 5},
        "tied=5: give groups of names, for example [('alpha', 'beta')].",
    ),
    "ties that are numbers": (
        {"tied": [5, 6]},
        "tied=[5, 6]: give groups of names, for example [('alpha', 'beta')].",
    ),
    "starts under other names": ({"starts": {"Q": [1]}}, f"starts names ['Q'], law 'chinchilla' has {FIVE}."),
    "starts for one parameter": ({"starts": {"A": [1]}}, "starts lacks values for E, B, alpha, beta."),
    "starts in a short frame": (
        {"starts": pd.DataFrame({"A": [1.0]})},
        "starts lacks the columns ['B', 'E', 'alpha', 'beta'].",
    ),
    "starts of wrong width": (
        {"starts": np.ones((3, 4))},
        f"starts has shape (3, 4): each start needs 5 values ({FIVE}).",
    ),
    "starts outside": ({"starts": -np.ones((3, 5))}, "starts for E must be positive, got -1."),
    "starts that are missing": (
        {"starts": np.full((1, 5), np.nan)},
        "starts for E must be positive, got nan.",
    ),
    "no starts": ({"starts": np.zeros((0, 5))}, "starts is empty: give at least one start."),
    "starts in words": (
        {"starts": [["a"] * 5]},
        "starts holds something that is not a number, or rows of different lengths.",
    ),
    "a negative number of starts": ({"starts": -3}, "starts=-3: give a positive number of starts."),
    "an unknown set of starts": ({"starts": "random"}, "starts='random': the only named starts are 'grid'."),
    "an unknown solver": ({"solver": "adam"}, "solver='adam': use 'lm', 'lbfgs' or a solver object."),
    "a solver that is none": (
        {"solver": 3},
        "solver=3: use 'lm', 'lbfgs' or a solver object such as sj.LM(max_steps=1000) or "
        "sj.Optax(optax.adamw(5e-2), steps=200).",
    ),
    "an objective by name": (
        {"objective": "hubert"},
        "Unknown objective 'hubert': use huber, squared, absolute, asymmetric, binomial, beta_binomial.",
    ),
    "a device that is not here": ({"device": "quantum"}, "device='quantum': JAX sees cpu here."),
    "a count in one word": (
        {"count": "non-embedding"},
        "count='non-embedding': give a mapping of what was counted how, for example {'N': 'non-embedding'}.",
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_makes_no_sense_is_one_sentence(name: str, refused) -> None:
    options, sentence = ARGUMENTS[name]
    refused(sentence, TABLE, **options)


GROUPS = {
    "no such group column": (
        {"by": "kind"},
        "There is no column 'kind' for by: the table has N, D, loss, family.",
    ),
    "a group without name": (
        {"by": np.array(["a", None, "b", "b", "b", "b"])},
        "by is missing in row 1: fill it, or pass missing='drop'.",
    ),
    "an unknown argument": (
        {"by": "family", "stats": 1},
        "fit_groups has no argument ['stats']; it takes those of fit, and by=.",
    ),
    "a fixed column that varies": (
        {"by": "family", "fixed": {"A": "N"}},
        "Column 'N' (fixed A) varies within group 'a': it must be constant there.",
    ),
    "a fixed column that is absent": (
        {"by": "family", "fixed": {"A": "Q"}},
        "There is no column 'Q' for fixed parameter 'A'.",
    ),
    "a mapping that lacks a group": (
        {"by": "family", "fixed": {"A": {"a": 1.0}}},
        "fixed A has no value for group 'b': give one for every group.",
    ),
    "a group's value outside": (
        {"by": "family", "fixed": {"A": {"a": 1.0, "b": -2.0}}},
        "fixed A=-2.0 of group 'b' is outside its domain: it must be positive.",
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_that_cannot_be_fitted_are_one_sentence(name: str, refused) -> None:
    options, sentence = GROUPS[name]
    refused(sentence, TABLE, fit=sj.fit_groups, **options)


TRACE = "Write it for one run with jax.numpy, and jnp.where in place of if."
BROKEN_LAWS = {
    "not a law": (
        lambda N: N,
        "The first argument is a law (sj.laws.…, its name, or a function decorated with @sj.law), not "
        "function.",
    ),
    "NumPy inside": (
        sj.law(lambda N, *, a: np.log(N) * a, name="mine"),
        "Law 'mine' cannot be traced by JAX (TracerArrayConversionError: The numpy.ndarray conversion "
        "method __array__() "
        f"was called on traced array with shape float64[]). {TRACE}",
    ),
    "a branch on a value": (
        sj.law(lambda N, *, a: N if a > 1 else a, name="mine"),
        "Law 'mine' cannot be traced by JAX (TracerBoolConversionError: Attempted boolean conversion of "
        "traced array with "
        f"shape bool[].). {TRACE}",
    ),
    "a slip of the pen": (
        sj.law(lambda N, *, a: N.size_of * a, name="mine"),
        "Law 'mine' cannot be traced by JAX (AttributeError: DynamicJaxprTracer has no attribute size_of). "
        f"{TRACE}",
    ),
    "two numbers for one run": (
        sj.law(lambda N, *, a: jnp.stack([N, a]), name="mine"),
        "Law 'mine' must return one real number for one run; it returns ShapeDtypeStruct(shape=(2,), "
        "dtype=float64).",
    ),
}


@pytest.mark.parametrize("name", BROKEN_LAWS)
def test_a_broken_law_is_one_sentence(name: str, refused) -> None:
    law, sentence = BROKEN_LAWS[name]
    refused(sentence, TABLE, law=law)


def test_a_law_without_a_grid_cannot_start_from_it(refused) -> None:
    refused(
        "Law 'power_law' has no classical grid: pass starts={parameter: values} or a number.",
        TABLE, law=sj.laws.power_law, inputs={"x": "N"}, starts="grid",
    )  # fmt: skip


def test_nothing_left_after_dropping(refused) -> None:
    refused(
        "Nothing is left of 6 rows after where and missing='drop': loosen them.",
        with_(N=np.nan),
        missing="drop",
    )


def test_a_law_undefined_on_the_table_fails_with_a_reason_and_no_crash() -> None:
    nowhere = sj.law(lambda N, *, a: jnp.log(-N) * a, name="nowhere")
    fit = sj.fit(nowhere, TABLE)
    assert fit.status == "failed"
    assert fit.warnings == [
        "No start gives a finite objective: check units and domains of the inputs, or pass starts=."
    ]
    assert "FAILED: there is no fit" in fit.summary()


def test_predictions_check_their_inputs() -> None:
    fit = sj.fit(sj.laws.power_law, TABLE, inputs={"x": "N"})
    with pytest.raises(
        sj.DataError, match=r"^Input x must be positive and finite to predict with law 'power_law'\.$"
    ):
        fit.predict({"x": [1e9, -1.0]})
    with pytest.raises(
        sj.DataError, match=r"^Law 'power_law' needs the input x, and the table has no such column"
    ):
        fit.predict({"size": 1e9})
