"""Loss under any learning-rate schedule (Tissue et al. 2024), from sums of its rates."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.domains import NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._starts import non_negative_scales

__all__ = ["tissue"]

EXPONENTS = np.geomspace(0.1, 2.0, 12)


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a grid; floor and scales by least squares of relative errors, none negative."""
    S1, S2 = inputs["S1"], inputs["S2"]
    scales = np.empty((3, len(EXPONENTS)))
    middle = np.exp(np.mean(np.log(S1)))
    for i, alpha in enumerate(EXPONENTS):
        terms = np.stack([np.ones_like(S1), (S1 / middle) ** -alpha, -S2], axis=1)
        scales[:, i] = non_negative_scales(terms, target)
    level = np.median(target)
    floor, reducible = np.maximum(scales[:2], 1e-2 * level)
    return {"L0": floor, "A": reducible * middle**EXPONENTS, "alpha": EXPONENTS, "C": scales[2]}


@law(
    cite="Tissue et al. 2024 (arXiv:2408.11029)",
    starts=_starts,
    ranges={"alpha": (0.1, 2.0), "C": (0.0, 5.0)},
    units={"S1": "sum of learning rates", "S2": "annealing area", "L0": "nats/token", "target": "nats/token"},
    priors={
        "L0": ("normal", 1.0, 0.5),
        "A": ("normal", -0.5, 1.5),
        "alpha": ("normal", -0.7, 0.6),
        "C": ("halfnormal", 0.0, 2.0),
    },
    neighbours=("power_law_floor",),
)
def tissue(S1, S2: Real, *, L0: Positive, A: Positive, alpha: Positive, C: NonNegative):
    r"""Loss at any update of a run under any learning-rate schedule.

    $$L = L_0 + A\,S_1^{-\alpha} - C\,S_2$$

    S1 stands for progress, S2 for what falling rates release. `sj.schedules.features` gives both, of curves
    that were logged or are planned. At a constant rate S2 is 0 and the law is `power_law_floor` in S1.

    Args:
        S1: sum of the learning rates so far, absolute rates.
        S2: annealing area, with the momentum it was summed with.
        L0: loss without limit of updates at a constant rate, nats/token.
        A: reducible loss at S1 = 1.
        alpha: exponent of progress.
        C: loss released per unit of annealing area.

    Returns:
        Loss in nats/token.

    Known to go wrong: a drop d of the rate is worth C d / (1 - momentum) in the end, so C belongs to its
    momentum: on nine published curves .998 and .999 predict about as well, with C .78 and .40. Fit with
    several and compare what they predict. A and C move with the unit of the rate. Rows of one run are
    dependent: name the run.

    Source: Tissue et al. 2024, the law of the abstract.

    >>> round(tissue(S1=6.0, S2=0.1, L0=2.5, A=0.65, alpha=0.42, C=1.0), 4)
    2.7063
    """
    return L0 + A * S1**-alpha - C * S2
