"""Broken laws on four-digit addition (Caballero et al. 2023), and a break that is foretold."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax import evaluate
from tests.cases.learning_curves import LOGS

# Caballero et al. 2023: four-digit addition, a sharp break that the last fitted points begin to show
EXAMPLES = np.array([160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736, 800, 864, 928])
ENTROPY = np.array(
    [
        2.13809046,
        2.11813418,
        2.08955508,
        2.06988398,
        2.05404987,
        2.03837089,
        2.02814281,
        2.00496872,
        1.95576149,
        1.86313841,
        1.70891537,
        1.50637664,
        1.29754721,
        0.96559684,
        0.75856477,
        0.64768338,
        0.55695445,
    ]
)
ADDITION = {"a": 0.413885, "b": 2.277272, "c0": 0.0550774, "c1": 5.66291, "d1": 612.5837, "f1": 0.0591931}
ONE_BREAK = sj.laws.bnsl(1)


def one_more(x, **numbers):
    return 1 + ONE_BREAK.fn(x, **numbers)


PLUS_ONE = sj.Law(
    one_more,
    params=ONE_BREAK.parameters,
    inputs=ONE_BREAK.input_domains,
    starts=lambda inputs, target: ONE_BREAK.starts(inputs, target - 1),
)


def rmsle(numbers: dict[str, float], rows: slice) -> float:
    return evaluate.log_rmse(ONE_BREAK(EXAMPLES[rows], **numbers), ENTROPY[rows])


@pytest.mark.parametrize(
    ("law", "shift", "inside", "beyond"),
    [(PLUS_ONE, 1.0, 5.985e-4, 1.092e-2), (ONE_BREAK, 0.0, 5.983e-4, 1.114e-2)],
)
def test_four_digit_addition(law, shift, inside, beyond):
    """The authors minimise squares of ln(y + 1); on ln y the fit is nearer, the forecast a little worse."""
    fit = sj.fit(law, {"x": EXAMPLES[:14], "loss": ENTROPY[:14] + shift}, objective=LOGS)
    assert rmsle(fit.params, slice(14)) == pytest.approx(inside, rel=1e-3)
    assert rmsle(fit.params, slice(14, None)) == pytest.approx(beyond, rel=1e-3)
    if shift:
        assert fit.params == pytest.approx(ADDITION, rel=1e-3)


def test_a_break_is_foretold_from_its_first_trace():
    """Without noise, the rows before the break at 612 recover it: at 405 it has bent the curve by three parts
    in ten thousand.

    So thin a trace is a valley longer than the usual number of steps: the fit looks again, more patiently,
    and finds what a patient solver does.
    """
    x = np.arange(1.0, 4096.0)
    y = ONE_BREAK(x, **ADDITION)
    seen, beyond = x <= 405, x > 405
    usual, patient = (
        sj.fit(ONE_BREAK, {"x": x[seen], "loss": y[seen]}, objective=LOGS, solver=solver)
        for solver in ("lm", sj.LM(max_steps=5000, tol=1e-14))
    )
    for fit in (usual, patient):
        assert fit.converged
        assert evaluate.log_rmse(fit.predict({"x": x[beyond]}), y[beyond]) < 1e-2
