"""Points spread over parameters: evenly, and products in the order of names."""

from __future__ import annotations

import numpy as np

from scaling_jax.engine.sampling import product_grid, spread


def test_low_discrepancy_points_fill_the_cube_evenly() -> None:
    points = spread(512, 3)
    assert points.shape == (512, 3) and points.min() >= 0 and points.max() < 1
    counts = np.histogramdd(points, bins=4, range=[(0, 1)] * 3)[0]
    # 8 expected per cell; random points would leave the fullest near 16
    assert counts.min() >= 3 and counts.max() <= 14


def test_product_grids_keep_the_order_of_names() -> None:
    grid = product_grid({"b": [1, 2], "a": [3]}, ("a", "b"))
    assert grid.tolist() == [[3, 1], [3, 2]]
