"""What counting parameters does to an exponent (Pearce and Song 2024)."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax import laws

EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
HOFFMANN = {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}


def slopes_on_a_grid(params, flops, size_that_costs):
    """The paper's way: 20 sizes, the nearest of 1,000 amounts of tokens,
    the best size of each budget, a line through their logs."""
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
    """Pearce and Song 2024: sizes and compute without embeddings, 100 budgets of Kaplan et al.'s range."""
    slopes = slopes_on_a_grid(params, np.logspace(12.95, 20.7, 100), lambda N: N)
    np.testing.assert_allclose(slopes, [size_slope, loss_slope, reducible_slope], atol=5e-5)


@pytest.mark.parametrize(("params", "size_slope"), [(EPOCH, 0.51543), (HOFFMANN, 0.45772)])
def test_counting_everything_makes_chinchillas_exponent(params, size_slope):
    """In total parameters: 100 budgets from 1e14 on, not those above it of the 100 from 10^12.95."""
    assert slopes_on_a_grid(params, np.logspace(14, 20.7, 100), laws.total_parameters)[0] == pytest.approx(
        size_slope, abs=5e-6
    )


@pytest.mark.parametrize(("params", "size_slope"), [(EPOCH, 0.77585), (HOFFMANN, 0.74034)])
def test_the_exact_frontier_without_embeddings(params, size_slope):
    """A line through 400 budgets. The exponent bends, so their number moves a digit: 100 give .7751."""
    sizes = np.logspace(3, 10, 20001)
    flops = np.logspace(12.95, 20.7, 400)
    constants = {name: value for name, value in params.items() if name != "E"}
    log_best = np.interp(np.log(flops), np.log(laws.nonembedding_compute(sizes, **constants)), np.log(sizes))
    assert np.polyfit(np.log(flops), log_best, 1)[0] == pytest.approx(size_slope, abs=1.5e-5)
