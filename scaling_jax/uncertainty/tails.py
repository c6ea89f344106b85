"""Tails of the normal, of Student's t and of Fisher's F.

scipy.special takes longer to import than a fit to print, so it is loaded when a tail is asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["erf", "f_tail", "normal_quantile", "student_quantile", "student_share"]


def normal_quantile(share: float) -> float:
    """The point below which this share of the standard normal lies."""
    from scipy.special import ndtri

    return float(ndtri(share))


def f_tail(ratio: ArrayLike, above: float, below: float) -> np.ndarray:
    """Probability that Fisher's F with these degrees of freedom exceeds the ratio; for `above` = 1, that |t|
    exceeds its root."""
    from scipy.special import fdtrc

    return np.asarray(fdtrc(above, below, ratio))


def erf(x: ArrayLike) -> np.ndarray:
    """The error function."""
    from scipy.special import erf as special_erf

    return np.asarray(special_erf(x))


def student_quantile(share: ArrayLike, degrees: float) -> np.ndarray:
    """The points below which these shares of Student's t lie."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees, share))


def student_share(points: ArrayLike, degrees: float) -> np.ndarray:
    """The shares of Student's t below these points."""
    from scipy.special import stdtr

    return np.asarray(stdtr(degrees, points))
