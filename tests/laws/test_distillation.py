"""Distillation: the capacity gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.catalogue import CASES

CONSTANTS = CASES["distillation"].truth


def test_a_student_has_one_best_teacher():
    loss = sj.laws.distillation(1e9, 2e10, np.linspace(1.4, 4.0, 400), **CONSTANTS)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(loss))))
    assert len(turns) == 1


def test_a_teacher_worse_than_the_student_is_copied():
    assert sj.laws.distillation(1e9, 2e10, 4.0, **CONSTANTS) == pytest.approx(4.0, abs=1e-12)


def test_extracted_runs_are_fitted_at_least_as_well_as_by_nine_parameters(shared):
    runs = pd.read_csv(shared("scalebench/distillation.csv"))
    columns = {"N": "NS", "D": "DS", "L_T": "LT"}
    train = runs[runs["split"] == "train"]
    fit = sj.fit(sj.laws.distillation, train, inputs=columns, target="LS", objective=sj.Huber(1e-4))
    assert fit.objective_value <= 7.35928e-5
