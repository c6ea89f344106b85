"""The thousand-law study's protocol, row by row, and its per-family errors: Choshen et al. 2024 (arXiv:2410.11840)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.thousand_laws import protocol
from benchmarks.thousand_laws.compare import KEYS, reference
from benchmarks.thousand_laws.laws import baselines, errors, fit_cells

# all smaller models, p = 1: ARE in percent on the last 30 % of the target, as the study's code prints it
FAMILIES = {"gpt3": 2.72, "OPT": 7.42, "chinchilla": 1.07, "pythia": 9.28, "pythia-deduped": 4.88, "pythia-v0": 5.45, "t5-pile": 9.16}


@pytest.fixture(scope="module")
def folder(shared: Callable[[str], Path]) -> Path:
    return shared("hitchhikers/checkpoints.csv.gz").parent


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return protocol.read(folder)


@pytest.fixture(scope="module")
def hist(table: pd.DataFrame) -> list:
    return list(protocol.cells(table, "hist"))


@pytest.mark.parametrize("experiment", protocol.EXPERIMENTS)
def test_every_cell_has_the_rows_of_the_study(table: pd.DataFrame, folder: Path, experiment: str) -> None:
    theirs = reference(folder)
    theirs = theirs[theirs["experiment"] == experiment]
    mine = pd.DataFrame([s.info for s in protocol.cells(table, experiment)])
    both = theirs.merge(mine, on=KEYS, suffixes=("", "_mine"), how="left")
    assert (both["n_rows"] == both["n_rows_mine"]).all()
    assert (both["target"] == both["target_mine"]).all()


def test_the_best_loss_baseline_is_the_studys(table: pd.DataFrame, folder: Path, hist: list) -> None:
    theirs = reference(folder)
    both = theirs[theirs["experiment"] == "base_best"].merge(baselines(table, hist), on=KEYS, suffixes=("", "_mine"))
    assert len(both) == 626
    np.testing.assert_allclose(both["are_last30_mine"], both["are_last30"], atol=1e-7)


def test_their_parameters_give_their_errors(table: pd.DataFrame, folder: Path, hist: list) -> None:
    theirs = reference(folder)
    cells = {s.label: s for s in hist}
    rows = [r for r in theirs[theirs["experiment"] == "hist"].itertuples() if r.n_sizes >= 3]
    numbers = np.array([[r.e, r.a, r.b, r.alpha, r.beta] for r in rows])
    found = errors(table, [cells[("hist", r.family, r.pct, r.n_models, None)] for r in rows], numbers)
    # the table prints parameters to about seven digits
    np.testing.assert_allclose(found["are_last30"], [r.are_last30 for r in rows], rtol=1e-3)


def test_each_familys_error_at_full_training(table: pd.DataFrame, hist: list) -> None:
    largest = {s.info["family"]: s for s in hist if s.info["pct"] == 1.0}
    laws = fit_cells(table, [largest[name] for name in FAMILIES]).set_index("family")
    assert (100 * laws["are_last30"]).round(2).to_dict() == pytest.approx(FAMILIES, abs=0.0051)
