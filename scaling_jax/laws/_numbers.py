"""What a relation between laws returns: one number, or an array of them, as its arguments are."""

from __future__ import annotations

import numpy as np

__all__ = ["Numbers"]

Numbers = float | np.ndarray
