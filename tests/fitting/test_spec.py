"""What may be fixed, tied and counted, and which solver: each does what its sentence says."""

from __future__ import annotations

import json
import pickle

import jax
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.fitting.spec import asked
from tests.cases.simulated import LOSS, TABLE, TRUTH, D, N, fit, same


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


def test_how_sizes_were_counted_is_echoed_and_stored() -> None:
    found = fit(count={"N": "non-embedding", "C": "6ND"})
    assert "N: non-embedding, C: 6ND" in found.summary()
    assert json.loads(found.to_json())["count"] == {"N": "non-embedding", "C": "6ND"}


@pytest.mark.parametrize("solver", ["lbfgs", sj.LM(max_steps=60, damping=1e-3), sj.LBFGS(memory=5)], ids=str)
def test_solvers_by_name_or_as_objects(solver, best: sj.FitResult) -> None:
    same(fit(solver=solver), best)


def test_words_are_told_apart_once_and_strangers_are_refused() -> None:
    reading, spec = asked(sj.laws.power_law, {"inputs": {"x": "N"}, "weights": "runs", "starts": 7})
    assert reading.inputs == {"x": "N"} and reading.runs_alike and spec.starts == 7
    with pytest.raises(TypeError, match=r"fit_groups has no argument \['start'\]"):
        asked(sj.laws.power_law, {"start": 7})


def test_a_pickled_fit_leaves_its_device_behind() -> None:
    here = fit(device=jax.devices("cpu")[0])
    back = pickle.loads(pickle.dumps(here))
    assert here.spec.device is not None and back.spec.device is None
    assert back.params == here.params and back.spec.solver == here.spec.solver
