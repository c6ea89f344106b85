"""Relations that follow from laws: Kaplan et al.'s identities, and what counting parameters does to an exponent."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax import laws
from scaling_jax.laws.kaplan_relations import PF_DAY, kaplan_optimum, off_size_cost, time_and_examples

CONSTANTS = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
BUDGETS = PF_DAY * np.logspace(-8, 4, 13)
EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def test_kaplans_closed_forms_agree_with_each_other():
    """T9. Powers of 1/alpha_N = 13 to 20 carry a rounding error of about that many units in the last place."""
    best = kaplan_optimum(BUDGETS)
    np.testing.assert_allclose(6 * best.N * best.B * best.S_min / BUDGETS, 1.0, rtol=2e-14)
    np.testing.assert_allclose(laws.kaplan_steps(best.N, best.S_min, **CONSTANTS), best.loss, rtol=1e-14)
    np.testing.assert_allclose(laws.kaplan_critical_batch(best.loss, B_star=2e8, alpha_B=0.21), best.B, rtol=1e-14)
    np.testing.assert_allclose(best.loss, (1 + 0.077 / 0.76) * (CONSTANTS["N_c"] / best.N) ** 0.077, rtol=1e-14)
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
    np.testing.assert_allclose((S / 100 - 1) * (E / 1e8 - 1), 1.0, rtol=1e-9)  # S/S_min - 1 loses digits at large batches


@pytest.mark.parametrize(
    ("params", "nonembedding", "total", "loss", "reducible"),
    [(EPOCH, 0.78054, 0.51543, -0.06903, -0.13291), (HOFFMANN, 0.73883, 0.45772, -0.06588, -0.11998)],
)
def test_counting_without_embeddings_makes_kaplans_exponent(params, nonembedding, total, loss, reducible):
    """T10, by the paper's own discretisation; its last digits depend on it, so it is repeated to the grid."""
    sizes = np.logspace(2.9, 9.2, 20)[:, None]
    tokens = np.logspace(6, 25, 1000)
    every = laws.chinchilla(laws.total_parameters(sizes), tokens, **params)

    def frontier(flops, per_token):
        at = np.abs(per_token * tokens - flops[:, None, None]).argmin(axis=2)
        reached = np.take_along_axis(every[None], at[..., None], axis=2)[..., 0]
        best = reached.argmin(axis=1)
        return sizes[best, 0], reached.min(axis=1)

    flops = np.logspace(12.95, 20.7, 100)
    size, reached = frontier(flops, 6 * sizes)
    slope = [np.polyfit(np.log(flops), np.log(y), 1)[0] for y in (size, reached, reached - params["E"])]
    np.testing.assert_allclose(slope, [nonembedding, loss, reducible], atol=5e-5)
    flops = flops[flops >= 1e14]
    size, _ = frontier(flops, 6 * laws.total_parameters(sizes))
    assert np.polyfit(np.log(flops), np.log(laws.total_parameters(size)), 1)[0] == pytest.approx(total, abs=5e-5)


@pytest.mark.parametrize(("params", "slope"), [(EPOCH, 0.77585), (HOFFMANN, 0.74034)])
def test_the_exact_frontier_between_the_same_budgets(params, slope):
    constants = {name: value for name, value in params.items() if name != "E"}
    log_size = np.linspace(np.log(1e2), np.log(1e10), 40001)
    log_flops = np.log(laws.nonembedding_compute(np.exp(log_size), **constants))
    flops = np.log(np.logspace(12.95, 20.7, 100))
    assert np.polyfit(flops, np.interp(flops, log_flops, log_size), 1)[0] == pytest.approx(slope, abs=5e-5)
