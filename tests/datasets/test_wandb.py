"""`read_wandb` turns the two files that Weights & Biases exports into one table, whatever befell a run."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from scaling_jax.datasets.wandb import read_wandb


def csv(text: str) -> io.StringIO:
    return io.StringIO(textwrap.dedent(text).lstrip())


# As exported: quoted, the value with its smallest and largest, runs logged at different steps, one crashed.
SMALL, BIG = (
    f'"{run} - val/loss","{run} - val/loss__MIN","{run} - val/loss__MAX"' for run in ("small", "big")
)
HISTORY = f"""
    "Step",{SMALL},{BIG}
    "100","4.0","4.0","4.0","3.5","3.5","3.5"
    "150","","","","3.3","3.25","3.35"
    "200","3.6","3.6","3.6","","",""
    "300","3.4","3.3","3.5","","",""
"""
RUNS = """
    "Name","State","Created","n_params","optimizer.lr","val/loss"
    "small","finished","2024-05-01T10:00:00.000Z","1000000","0.003","3.4"
    "big","crashed","2024-05-01T11:00:00.000Z","8000000","0.001","3.3"
    "unused","finished","2024-05-01T12:00:00.000Z","2000000","0.002","3.5"
"""


def test_wide_becomes_long():
    table = read_wandb(csv(HISTORY))
    assert list(table.columns) == ["run", "step", "val/loss"]
    assert table["step"].dtype == "int64" and table["val/loss"].dtype == "float64"
    assert table.to_numpy().tolist() == [
        ["small", 100, 4.0],
        ["small", 200, 3.6],
        ["small", 300, 3.4],
        ["big", 100, 3.5],
        ["big", 150, 3.3],
    ]
    # Two exported points stand for several logged values: small at 300 and big at 150.
    assert table.attrs == {"duplicated_steps": 0, "downsampled_values": 2, "unmatched_runs": []}


def test_bounds_are_kept_on_request():
    table = read_wandb(csv(HISTORY), bounds=True).set_index(["run", "step"])
    assert list(table.columns) == ["val/loss", "val/loss_min", "val/loss_max"]
    assert table.loc[("big", 150)].tolist() == [3.3, 3.25, 3.35]


def test_configuration_is_joined():
    table = read_wandb(csv(HISTORY), csv(RUNS))
    assert len(table) == 5
    small = table[table["run"] == "small"]
    assert small["n_params"].unique().tolist() == [1_000_000]
    assert table.loc[table["run"] == "big", "State"].unique().tolist() == ["crashed"]
    # The summary's final loss does not overwrite the history's.
    assert small["val/loss"].tolist() == [4.0, 3.6, 3.4] and small["val/loss_summary"].unique().tolist() == [
        3.4
    ]


def test_a_crashed_run_keeps_its_rows_and_can_be_left_out():
    table = read_wandb(csv(HISTORY), csv(RUNS)).query("State == 'finished'")
    assert table["run"].unique().tolist() == ["small"]


def test_paths_bytes_and_byte_order_marks(tmp_path: Path):
    expected = read_wandb(csv(HISTORY), csv(RUNS))
    history, runs = tmp_path / "history.csv", tmp_path / "runs.csv"
    history.write_text("\ufeff" + csv(HISTORY).read(), encoding="utf-8")
    runs.write_bytes(csv(RUNS).read().encode())
    pd.testing.assert_frame_equal(read_wandb(history, str(runs)), expected)
    with open(history, "rb") as binary:
        pd.testing.assert_frame_equal(read_wandb(binary, runs), expected)


RESUMED = """
    "Step","a - loss","a - acc"
    0,5.0,
    10,4.0,0.1
    20,3.0,
    10,4.2,
    20,3.2,0.2
    30,2.9,
"""


@pytest.mark.parametrize(
    ("how", "loss", "acc"),
    [
        ("last", [5.0, 4.2, 3.2, 2.9], [0.1, 0.2]),
        ("first", [5, 4, 3, 2.9], [0.1, 0.2]),
        ("mean", [5, 4.1, 3.1, 2.9], [0.1, 0.2]),
    ],
)
def test_duplicate_steps_of_a_resumed_run(how, loss, acc):
    table = read_wandb(csv(RESUMED), duplicates=how)
    assert table["step"].tolist() == [0, 10, 20, 30]
    assert table["loss"].tolist() == pytest.approx(loss)
    # A gap in the later row does not erase what the earlier one logged.
    assert table["acc"].dropna().tolist() == pytest.approx(acc)
    assert table.attrs["duplicated_steps"] == 2


def test_duplicate_steps_can_be_refused():
    with pytest.raises(ValueError, match="run 'a' has step 10 more than once"):
        read_wandb(csv(RESUMED), duplicates="raise")
    with pytest.raises(ValueError, match="duplicates='median'"):
        read_wandb(csv(RESUMED), duplicates="median")  # pyright: ignore[reportArgumentType]


def test_run_and_metric_names_may_hold_the_separator():
    history = '"Step","gpt - 1 - a - b","gpt - 1 - loss"\n1,2.0,3.0\n'
    runs = '"Name","n_params"\n"gpt - 1",5\n"gpt",6\n'
    table = read_wandb(io.StringIO(history), io.StringIO(runs))
    assert table.drop(columns="n_params").to_numpy().tolist() == [["gpt - 1", 1, 2.0, 3.0]]
    assert list(table.columns[2:4]) == ["a - b", "loss"]
    # Without the runs table the last separator decides.
    assert read_wandb(io.StringIO('"Step","gpt - 1 - loss"\n1,3.0\n'))["run"].tolist() == ["gpt - 1"]


def test_another_axis_with_the_runs_own_steps():
    table = read_wandb(
        csv("""
        "tokens","a - _step","a - _step__MIN","a - _step__MAX","a - loss","a - loss__MIN"
        1e9,100,100,100,4.0,4.0
        2e9,200,200,200,3.5,3.5
        3e9,300,300,300,,
        """)
    )
    assert list(table.columns) == ["run", "step", "tokens", "loss"]
    assert table.to_numpy().tolist() == [["a", 100, 1e9, 4.0], ["a", 200, 2e9, 3.5]]


def test_another_axis_without_steps():
    table = read_wandb(io.StringIO('"epoch","a - loss"\n0.5,4.0\n1.0,3.0\n'))
    assert table["step"].tolist() == table["epoch"].tolist() == [0.5, 1.0]


def test_values_that_are_not_finite():
    table = read_wandb(io.StringIO('"Step","a - loss"\n1,4.0\n2,NaN\n3,Infinity\n'))
    # A diverged loss is kept for the user to see, a missing one makes no row.
    assert table["loss"].tolist() == [4.0, float("inf")]


def test_a_run_missing_from_the_runs_table_is_named():
    with pytest.warns(UserWarning, match=r"1 of the runs in history_csv are not in runs_csv \(big\)"):
        table = read_wandb(csv(HISTORY), io.StringIO('"Name","n_params"\n"small",1\n'))
    assert table.attrs["unmatched_runs"] == ["big"] and table["n_params"].isna().sum() == 2


@pytest.mark.parametrize(
    ("history", "runs", "message"),
    [
        ('"Step","loss"\n1,2\n', None, "column 'loss' is not of the form 'RUN - METRIC'"),
        ('"Step","a - x"\n1,red\n', None, "column 'a - x' has 'red' in row 0"),
        ('"Step","a - x","a - x"\n1,2,3\n', None, "column 'a - x' more than once: two runs share a name"),
        ('"Step"\n1\n', None, "fewer than two columns"),
        ("", None, "fewer than two columns"),
        ('"Step","a - x"\n,2\n', None, "column 'Step' is empty in row 0"),
        ('"Step","a - x"\n1,2,3\n', None, "rows longer than its header"),
        (
            '"Step","a - x"\n1,2\n1e30,2\n',
            None,
            r"the column 'Step' has 1e\+30 in row 1, and a step is a number below 2",
        ),
        ('"Step","a - x"\ninf,2\n', None, "the column 'Step' has inf in row 0"),
        ('"epoch","a - x","a - _step"\n1,2,1e30\n', None, r"the column 'a - _step' has 1e\+30 in row 0"),
        ('"Step","a - x"\n1,2\n', '"ID","lr"\n1,2\n', "no column with the runs' names"),
        ('"Step","a - x"\n1,2\n', '"Name","lr"\na,2\na,3\n', "two runs named 'a'"),
    ],
)
def test_bad_files_get_one_sentence(history, runs, message):
    with pytest.raises(ValueError, match=message) as error:
        read_wandb(io.StringIO(history), None if runs is None else io.StringIO(runs))
    assert "\n" not in str(error.value)


def test_an_axis_of_compute_may_be_beyond_whole_numbers():
    table = read_wandb(io.StringIO('"FLOP","a - x"\n1e21,2\n1e22,1\n'))
    assert table["step"].tolist() == [1e21, 1e22]


def test_many_runs_stay_separate():
    runs = [f"run-{i:03d}" for i in range(300)]
    losses = {f"{run} - loss": [i + s / 100 for s in range(50)] for i, run in enumerate(runs)}
    wide = pd.DataFrame({"Step": range(50)} | losses)
    table = read_wandb(io.StringIO(wide.to_csv(index=False)))
    assert len(table) == 300 * 50 and table["run"].drop_duplicates().tolist() == runs
    assert (table.groupby("run")["loss"].max() - table.groupby("run")["loss"].min()).round(9).eq(0.49).all()


def test_a_logged_rate_becomes_the_curve_of_its_run() -> None:
    """Exported beside the loss, of which some cells are empty; the fit takes the curves from the column."""
    history = io.StringIO(
        "Step,a - loss,a - lr,b - loss,b - lr\n0,,0.0,,0.0\n10,4.0,1e-3,4.1,1e-3\n"
        "20,,1e-3,,5e-4\n30,3.5,1e-3,3.4,0.0\n"
    )
    table = read_wandb(history, curves="lr")
    assert (
        table["lr"].map(len).eq(30).all() and table.loc[table["run"] == "b", "lr"].iloc[0].rates[14] == 7.5e-4
    )
    with pytest.raises(ValueError, match="There is no column 'rate'"):
        read_wandb(io.StringIO("Step,a - loss\n10,4.0\n"), curves="rate")
