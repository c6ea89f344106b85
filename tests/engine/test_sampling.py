"""Points spread over parameters: evenly, and products in the order of names."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.sampling import product_grid, spread, wide_numbers


def test_low_discrepancy_points_fill_the_cube_evenly() -> None:
    points = spread(512, 3)
    assert points.shape == (512, 3) and points.min() >= 0 and points.max() < 1
    counts = np.histogramdd(points, bins=4, range=[(0, 1)] * 3)[0]
    # 8 expected per cell; random points would leave the fullest near 16
    assert counts.min() >= 3 and counts.max() <= 14


def test_product_grids_keep_the_order_of_names() -> None:
    grid = product_grid({"b": [1, 2], "a": [3]}, ("a", "b"))
    assert grid.tolist() == [[3, 1], [3, 2]]


def test_wide_points_leave_the_ranges_and_stay_in_the_domains() -> None:
    law = sj.laws.data_constrained_geometric
    runs = {name: np.geomspace(1e7, 1e10, 5) for name in law.inputs}
    points = dict(zip(law.labels, wide_numbers(law, spread(256, len(law.labels)), runs).T, strict=True))
    for label, domain in zip(law.labels, law.label_domains, strict=True):
        assert domain.contains(points[label]).all()
    assert points["alpha"].min() < 0 and points["alpha"].max() > 2 * law.ranges["alpha"][1]
    assert points["delta_D"].min() < 0.002 and points["delta_D"].max() > 0.9
