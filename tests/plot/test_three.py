"""Three approaches share one picture, each by its own numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.allocation.family import Approaches


@dataclass
class Reading:
    """One approach: best sizes as a power law."""

    scale: float

    def optimal(self, flops, level: float | None = None) -> pd.DataFrame:
        N = self.scale * np.asarray(flops) ** 0.5
        return pd.DataFrame({"flops": flops, "N": N, "N_lower": 0.9 * N, "N_upper": 1.1 * N})


def test_each_curve_is_its_approachs_own() -> None:
    members = {1: Reading(0.1), 3: Reading(0.2)}
    ax = sj.plot.approaches(Approaches(members, {2: "no budgets"}, 5e22))
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 25]
    for line, member in zip(lines, members.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), member.optimal(line.get_xdata())["N"])
    assert {"1, envelope", "3, law", "end of data"} <= {text.get_text() for text in ax.texts}
    with pytest.raises(ValueError, match="use one of N, D, loss"):
        sj.plot.approaches(Approaches(members, {}, 5e22), "width")
