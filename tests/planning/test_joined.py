"""Laws made of laws say what their members say."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.joined import chained, mixed
from tests.planning.constants import REPLICATION

KAPLAN = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
ERROR = {"eps": 0.85, "k": 2.0, "gamma": 0.75}
RUN = {"N": 7e9, "D": 2e11}


def side_by_side(*members):
    return {f"{name}_{k}": value for k, params in enumerate(members, 1) for name, value in params.items()}


def test_stages_in_a_row():
    law, also = chained((sj.laws.chinchilla, sj.laws.error_from_loss), ("loss",))
    params = side_by_side(REPLICATION, ERROR)
    loss = sj.laws.chinchilla(**RUN, **REPLICATION)
    assert law(**RUN, **params) == pytest.approx(sj.laws.error_from_loss(loss, **ERROR), rel=1e-14)
    assert set(also) == {"loss"}
    with jax.enable_x64(True):
        assert float(also["loss"](params, RUN)) == pytest.approx(loss, rel=1e-14)
    assert chained((sj.laws.chinchilla, sj.laws.error_from_loss), ("loss",))[0] is law, "one law, one program"


def test_a_later_stage_may_take_further_inputs():
    @sj.law
    def shifted(loss, shots, *, a: sj.Real):
        return loss - a * shots

    law, _ = chained((sj.laws.chinchilla, shifted), ("loss",))
    assert law.inputs == ("N", "D", "shots")
    assert law(**RUN, shots=2.0, **side_by_side(REPLICATION, {"a": 0.1})) == pytest.approx(
        sj.laws.chinchilla(**RUN, **REPLICATION) - 0.2
    )


def test_an_ensemble_is_the_weighted_sum_and_a_draw_of_one_member_is_that_member():
    law = mixed((sj.laws.chinchilla, sj.laws.kaplan))
    params = side_by_side(REPLICATION, KAPLAN)
    each = [sj.laws.chinchilla(**RUN, **REPLICATION), sj.laws.kaplan(**RUN, **KAPLAN)]
    assert law(**RUN, weight=[0.3, 0.7], **params) == pytest.approx(np.dot([0.3, 0.7], each), rel=1e-14)
    unknown = params | {f"{name}_2": np.nan for name in KAPLAN}
    assert law(**RUN, weight=[1.0, 0.0], **unknown) == pytest.approx(each[0], rel=1e-14)
