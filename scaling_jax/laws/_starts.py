"""Start proposals that several laws share, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["grid", "line", "logit", "non_negative_scales", "scale_of_power"]


def grid(**axes: ArrayLike) -> dict[str, np.ndarray]:
    """All combinations of the values per name, as equally long arrays.

    >>> {name: values.tolist() for name, values in grid(a=[1, 2], b=[3, 4]).items()}
    {'a': [1, 1, 2, 2], 'b': [3, 4, 3, 4]}
    """
    mesh = np.meshgrid(*(np.atleast_1d(values) for values in axes.values()), indexing="ij")
    return {name: values.ravel() for name, values in zip(axes, mesh, strict=True)}


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the least-squares line; slope 0 where x does not vary.

    >>> line(np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    (1.0, 2.0)
    """
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread if spread > 0 else 0.0
    return float(y.mean() - slope * x.mean()), slope


def logit(share: ArrayLike) -> np.ndarray:
    """Log-odds of a share, kept finite.

    >>> logit([0.5]).tolist()
    [0.0]
    """
    inside = np.clip(share, 1e-3, 1 - 1e-3)
    return np.log(inside / (1 - inside))


def non_negative_scales(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(terms,) none negative, of the sum of terms (rows, terms) nearest to the target in relative error.

    >>> non_negative_scales(np.array([[1.0, 2.0], [1.0, 4.0]]), np.array([5.0, 9.0])).round(6).tolist()
    [1.0, 2.0]
    """
    from scipy.optimize import nnls  # only here: it takes longer to load than the catalogue

    design = terms / target[:, None]
    size = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    return nnls(design / size, np.ones(len(target)))[0] / size


def scale_of_power(x: str, scale: str, exponent: str) -> Callable[..., dict[str, np.ndarray]]:
    """Starts for (scale / x) ** exponent: exponents near the log-log slope, scales that meet the median."""

    def starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
        logs, values = np.log(inputs[x]), np.log(np.maximum(target, 1e-300))
        slope = line(logs, values)[1]
        exponents = max(-slope, 1e-3) * np.geomspace(0.5, 2.0, 9)
        scales = np.exp(np.clip(np.median(logs) + np.median(values) / exponents, -600, 600))
        return {scale: scales, exponent: exponents}

    return starts
