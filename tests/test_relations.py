"""Relations that follow from laws: Kaplan et al.'s identities, and what counting parameters does to an
exponent."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax import laws
from scaling_jax.laws.kaplan_relations import PF_DAY, kaplan_optimum, off_size_cost, time_and_examples

CONSTANTS = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
BUDGETS = PF_DAY * np.logspace(-8, 4, 13)
EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
HOFFMANN = {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}


def test_kaplans_closed_forms_agree_with_each_other():
    """T9. Powers of 1/alpha_N = 13 to 20 carry a rounding error of about that many units in the last
    place."""
    best = kaplan_optimum(BUDGETS)
    np.testing.assert_allclose(6 * best.N * best.B * best.S_min / BUDGETS, 1.0, rtol=2e-14)
    np.testing.assert_allclose(laws.kaplan_steps(best.N, best.S_min, **CONSTANTS), best.loss, rtol=1e-14)
    np.testing.assert_allclose(
        laws.kaplan_critical_batch(best.loss, B_star=2e8, alpha_B=0.21), best.B, rtol=1e-14
    )
    np.testing.assert_allclose(
        best.loss, (1 + 0.077 / 0.76) * (CONSTANTS["N_c"] / best.N) ** 0.077, rtol=1e-14
    )
    np.testing.assert_allclose(best.D, 2 * best.S_min * best.B, rtol=1e-15)


def test_kaplans_printed_constants_imply_these_exponents_not_the_fitted_ones():
    best = kaplan_optimum(PF_DAY)
    assert best.alpha_C == pytest.approx(0.05245, abs=5e-6)
    assert best.C_c / PF_DAY == pytest.approx(1.53e8, rel=5e-3)
    assert pytest.approx(6.0e8, rel=1e-2) == best.N
    per_decade = [np.log10(kaplan_optimum(10 * PF_DAY)[i] / best[i]) for i in (1, 2, 3)]
    np.testing.assert_allclose(per_decade, [0.681, 0.250, 0.069], atol=5e-4)
    assert sum(per_decade) == pytest.approx(1.0, abs=1e-12)


def test_the_optimum_is_the_cheapest_size_at_its_loss():
    """The off-size cost follows from L(N, S_min) alone: compute at equal loss, critical batch unchanged."""
    best = kaplan_optimum(PF_DAY)
    ratio = np.array([0.5, 0.8, 1.0, 1.5, 3.0])
    left = best.loss - (CONSTANTS["N_c"] / (best.N * ratio)) ** 0.077
    steps = CONSTANTS["S_c"] * left ** (-1 / 0.76)
    np.testing.assert_allclose(off_size_cost(ratio), ratio * steps / best.S_min, rtol=1e-12)
    assert off_size_cost([1 - 1e-3, 1.0, 1 + 1e-3]).argmin() == 1


def test_time_and_examples_lie_on_the_hyperbola():
    S, E = time_and_examples(100.0, 1e8, np.logspace(3, 9, 7))
    np.testing.assert_allclose(
        (S / 100 - 1) * (E / 1e8 - 1), 1.0, rtol=1e-9
    )  # S/S_min - 1 loses digits at large batches


def slopes_on_a_grid(params, flops, size_that_costs):
    """The paper's way: 20 sizes, the nearest of 1,000 amounts of tokens, the best size of each budget, a line
    through their logs."""
    sizes, tokens = np.logspace(2.9, 9.2, 20), np.logspace(6, 25, 1000)
    total, counted = laws.total_parameters(sizes), size_that_costs(sizes)
    nearest = np.abs(tokens - flops[:, None, None] / (6 * counted[:, None])).argmin(axis=2)
    reached = np.asarray(laws.chinchilla(total, tokens[nearest], **params))
    best, chosen = reached.min(axis=1), counted[reached.argmin(axis=1)]
    return [np.polyfit(np.log(flops), np.log(y), 1)[0] for y in (chosen, best, best - params["E"])]


@pytest.mark.parametrize(
    ("params", "size_slope", "loss_slope", "reducible_slope"),
    [(EPOCH, 0.78054, -0.06903, -0.13291), (HOFFMANN, 0.73883, -0.06588, -0.11998)],
)
def test_counting_without_embeddings_makes_kaplans_exponent(params, size_slope, loss_slope, reducible_slope):
    """T10, sizes and compute without embeddings, 100 budgets of Kaplan's range."""
    slopes = slopes_on_a_grid(params, np.logspace(12.95, 20.7, 100), lambda N: N)
    np.testing.assert_allclose(slopes, [size_slope, loss_slope, reducible_slope], atol=5e-5)


@pytest.mark.parametrize(("params", "size_slope"), [(EPOCH, 0.51543), (HOFFMANN, 0.45772)])
def test_counting_everything_makes_chinchillas_exponent(params, size_slope):
    """T10, sizes and compute in total parameters: 100 budgets from 1e14 on, not those of the 100 from
    10^12.95 that exceed 1e14."""
    assert slopes_on_a_grid(params, np.logspace(14, 20.7, 100), laws.total_parameters)[0] == pytest.approx(
        size_slope, abs=5e-6
    )


@pytest.mark.parametrize(("params", "size_slope"), [(EPOCH, 0.77585), (HOFFMANN, 0.74034)])
def test_the_exact_frontier_without_embeddings(params, size_slope):
    """T10's exact figures, a line through 400 budgets. The exponent bends, so their number moves the fourth
    digit: 100 give .7751."""
    sizes = np.logspace(3, 10, 20001)
    flops = np.logspace(12.95, 20.7, 400)
    constants = {name: value for name, value in params.items() if name != "E"}
    log_best = np.interp(np.log(flops), np.log(laws.nonembedding_compute(sizes, **constants)), np.log(sizes))
    assert np.polyfit(np.log(flops), log_best, 1)[0] == pytest.approx(size_slope, abs=1.5e-5)
