"""What families have in common: for each law, where its numbers lie in units of the rows' own end.

A table's end is its largest inputs and its smallest target. In these units the floor is the share of the loss
that will stay, the scales are what size and data still cost there, and they and the exponents are alike from
family to family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_jax.core.law import Law

__all__ = ["VAGUE", "Population"]


@dataclass(frozen=True, eq=False)
class Population:
    """A normal distribution of a law's search coordinates over families, coordinate by coordinate.

    Args:
        mean, sd: (labels,).
    """

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, law: Law, given: Mapping[str, tuple[float, float]]) -> Population:
        """From label -> (mean, standard deviation)."""
        mean, sd = np.array([given[label] for label in law.labels], dtype=float).T
        return cls(mean, sd)

    def to_dict(self, law: Law) -> dict[str, list[float]]:
        """Label -> [mean, standard deviation], for JSON."""
        pairs = zip(self.mean.tolist(), self.sd.tolist(), strict=True)
        return {label: [round(m, 4), round(s, 4)] for label, (m, s) in zip(law.labels, pairs, strict=True)}


# what is believed before any family is seen, and what gives the laws whose families are shared their form
VAGUE: dict[str, dict[str, tuple[float, float]]] = {
    "chinchilla": {
        "E": (-0.3, 0.5), "A": (-2.0, 1.5), "B": (-2.0, 1.5), "alpha": (0.35, 0.15), "beta": (0.35, 0.15),
    },
    "chinchilla_gamma": {
        "E": (-0.3, 0.5), "A": (-2.0, 1.5), "B": (-2.0, 1.5), "alpha": (0.35, 0.15), "beta": (0.35, 0.15),
        "gamma": (0.0, 0.4),
    },
    "power_law_floor": {"E": (-0.7, 1.0), "A": (-1.0, 1.5), "alpha": (0.4, 0.25)},
}  # fmt: skip
