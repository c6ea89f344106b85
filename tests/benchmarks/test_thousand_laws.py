"""The thousand-law study's protocol, row by row, and its errors (Choshen et al. 2024, arXiv:2410.11840)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.thousand_laws import figures, protocol
from benchmarks.thousand_laws.compare import (
    KEYS,
    POINT,
    beside,
    macro_map,
    pca_share,
    printed_maps,
    reference,
    whole_families,
)
from benchmarks.thousand_laws.laws import PARAMETERS, baselines, errors, fit_cells

# all smaller models at full training: percent on the last 30 % of the target, as the study's code prints it
FAMILIES = {
    "gpt3": 2.72,
    "OPT": 7.42,
    "chinchilla": 1.07,
    "pythia": 9.28,
    "pythia-deduped": 4.88,
    "pythia-v0": 5.45,
    "t5-pile": 9.16,
}


# these families and another at the study's parameters: the target's last 30 %, and its last checkpoint
BOTH = {
    "gpt3": (2.72, 2.69),
    "OPT": (7.42, 5.64),
    "chinchilla": (1.07, 1.07),
    "pythia": (9.28, 10.01),
    "pythia-deduped": (4.88, 5.08),
    "pythia-v0": (5.45, 6.36),
    "pythia-deduped-v0": (5.93, 7.13),
    "t5-pile": (9.16, 9.35),
}


# printed averages over families, last checkpoint, by number of sizes; and how far the refitted map lies from
# them. Five families were read from figures. None of them has a cell in the row of five sizes, where only
# rounding is left. In the other rows shares of .3 and less are not compared: a figure leaves few points of a
# run there, and the maps lie up to 3.0 apart
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
MACRO = {
    4: (35.56, 8.94, 14.31, 10.57, 11.25, 9.81),
    5: (32.73, 4.01, 11.57, 7.26, 8.40, 5.12),
    6: (28.98, 4.72, 9.08, 5.36, 5.96, 4.28),
    7: (17.90, 7.37, 6.55, 8.07, 5.79, 3.52),
    8: (10.95, 1.41, 1.65, 4.71, 3.32, 2.86),
}
APART = {4: 0.75, 5: 0.05, 6: 0.75, 7: 1.3, 8: 0.75}


# shares of printed cells within 0.16 points, the reading error of colours, that the study's code reaches
MATCHED = {
    "hist": 283 / 288,
    "hist_no_cut": 1,
    "one_model": 1326 / 1330,
    "baseline_best": 1,
    "closer_3": 262 / 272,
    "closer_4": 228 / 236,
    "scale_down": 207 / 237,
}
GPT3 = {1.0: [16.26, 23.22, 5.64, 5.10, 0.92, 2.72], 0.1: [42.17, 47.75, 0.57, 1.07, 5.65, 16.32]}
OPT = {"hist": [5.92, 8.66, 7.42], "hist_no_cut": [15.48, 18.52, 17.03]}


@pytest.fixture(scope="module")
def folder(shared: Callable[[str], Path]) -> Path:
    return shared("hitchhikers/checkpoints.csv.gz").parent


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return protocol.read(folder)


@pytest.fixture(scope="module")
def hist(table: pd.DataFrame) -> list:
    return list(protocol.cells(table, "hist"))


@pytest.fixture(scope="module")
def recorded(folder: Path) -> pd.DataFrame:
    """The study's laws with the errors that its own code found."""
    found = reference(folder, digitised=True)
    return found[found["experiment"].isin(protocol.EXPERIMENTS)].reset_index(drop=True)


@pytest.fixture(scope="module")
def theirs(recorded: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The same laws with our errors at their parameters; families read from figures keep their own."""
    found = recorded.copy()
    cells = {s.label: s for e in protocol.EXPERIMENTS for s in protocol.cells(table, e)}
    exact = found[~found["approx"]]
    windows = [None if np.isnan(w) else int(w) for w in exact["window"]]
    splits = [cells[key] for key in zip(*(exact[k] for k in KEYS[:-1]), windows, strict=True)]
    measured = errors(table, splits, exact[list(PARAMETERS)].to_numpy()).set_index(exact.index)
    for column in ("are_last30", "are_last1"):
        found.loc[exact.index, column] = measured[column]
    return found


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
    both = theirs[theirs["experiment"] == "base_best"].merge(
        baselines(table, hist), on=KEYS, suffixes=("", "_mine")
    )
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


@pytest.mark.slow
def test_no_objective_of_the_main_grid_is_above_the_studys(
    table: pd.DataFrame, folder: Path, hist: list
) -> None:
    """From six starts GPT-3's five sizes at 80 % end .02 % above:
    what does not converge among many gets the starts of a fit alone."""
    splits = [s for s in hist if len(s.train)]
    found = beside(table, splits, fit_cells(table, splits), reference(folder))
    assert len(found) == 618 and not found["worse"].any()


def test_both_errors_of_every_family_at_the_studys_parameters(theirs: pd.DataFrame) -> None:
    whole = whole_families(theirs).set_index("family")
    for name, printed in BOTH.items():
        assert 100 * whole.loc[name, ["are_last30", "are_last1"]].to_numpy(float) == pytest.approx(
            printed, abs=0.0051
        ), name


def test_the_averages_over_families_are_the_printed_ones(theirs: pd.DataFrame) -> None:
    found = macro_map(theirs[theirs["experiment"] == "hist"])
    for sizes, printed in MACRO.items():
        gap = np.abs(found.loc[sizes, list(SHARES)].to_numpy() - printed)
        assert (gap[0 if sizes == 5 else 3 :] <= APART[sizes]).all(), (sizes, gap)


def test_the_gpt3_grid_and_what_the_first_ten_billion_tokens_do_to_opt(theirs: pd.DataFrame) -> None:
    errors_of = 100 * theirs.set_index(["experiment", "family", "pct", "n_models"])["are_last30"].sort_index()
    for share, printed in GPT3.items():
        assert errors_of.loc["hist", "gpt3", share].tolist() == pytest.approx(printed, abs=0.0051)
    for experiment, printed in OPT.items():
        assert errors_of.loc[experiment, "OPT", 1.0].loc[3:].tolist() == pytest.approx(printed, abs=0.0051)


def test_errors_at_the_studys_parameters_are_those_its_code_found(
    theirs: pd.DataFrame, recorded: pd.DataFrame
) -> None:
    """Within .05 points, as for our own fits;
    errors beyond 100 % are steps that seven digits of an exponent do not repeat."""
    for column in ("are_last30", "are_last1"):
        sane = ~recorded["approx"] & (recorded[column] < 1)
        assert sane.sum() > 4000
        np.testing.assert_allclose(theirs.loc[sane, column], recorded.loc[sane, column], atol=POINT)


def test_printed_heat_maps_are_matched_at_the_studys_parameters(
    recorded: pd.DataFrame, table: pd.DataFrame, folder: Path, hist: list
) -> None:
    maps = printed_maps(folder, pd.concat([recorded[~recorded["approx"]], baselines(table, hist)]))
    within = maps["gap"].le(0.16).groupby(maps["map"]).agg(["sum", "size"])
    for name, share in MATCHED.items():
        assert within.loc[name, "sum"] >= share * within.loc[name, "size"], within


def test_three_components_hold_nearly_all_variance_of_the_laws(theirs: pd.DataFrame) -> None:
    families = whole_families(theirs)
    assert len(families) == 33
    assert pca_share(families) == pytest.approx(0.998, abs=5e-4)
    assert pca_share(families, scaled=True) < 0.9  # most of it was the constants' scale


def test_the_figures_are_drawn_from_the_table_of_laws(theirs: pd.DataFrame, tmp_path: Path) -> None:
    few = theirs[theirs["family"].isin(["gpt3", "OPT"])]
    files = figures.draw(
        few.assign(status="converged", unidentified=np.where(few["n_sizes"] >= 3, "", "E")), tmp_path
    )
    assert [file.name for file in files] == ["families.png", "macro_map.png", "gpt3.png", "parameters.png"]
    assert all(file.stat().st_size > 10_000 for file in files)
