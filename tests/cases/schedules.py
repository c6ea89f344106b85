"""Loss curves of three model sizes under nine schedules (Luo et al. 2025): the schedules that were run, and
what laws of curves are to make of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

import scaling_jax as sj

__all__ = [
    "CURVES",
    "LIKELY",
    "PUBLISHED",
    "TISSUE",
    "as_published",
    "counting_warmup",
    "fitted",
    "scores",
    "span",
]

TISSUE: dict[tuple[int, float], tuple[tuple[float, float, float, float], float, float, float | None]] = {
    (25, 0.998): ((3.15204, 0.52065, 0.50460, 0.77960), 1.79785e-4, 0.99827, 0.00442),
    (100, 0.998): ((2.78227, 0.59999, 0.44798, 0.93704), 8.58796e-5, 0.99795, 0.00439),
    (400, 0.998): ((2.51798, 0.66091, 0.41460, 1.11175), 1.77123e-4, 0.99603, 0.00665),
    (25, 0.999): ((3.15821, 0.51362, 0.51321, 0.40192), 2.01789e-4, 0.99793, None),
    (100, 0.999): ((2.78878, 0.59264, 0.45481, 0.48123), 1.24147e-4, 0.99778, None),
    (400, 0.999): ((2.52450, 0.65369, 0.42035, 0.57006), 2.29037e-4, 0.99668, None),
}
"""Size and momentum -> L0, A, alpha, C; summed Huber loss of three schedules; R2 and MAE over six others."""
PUBLISHED: dict[int, tuple[tuple[float, ...], tuple[float, float], float]] = {
    25: ((3.04045, 0.52469, 0.50787, 363.79, 2.0656, 0.58279, 0.64142), (0.9988, 0.00376), 1.29e-4),
    100: ((2.65145, 0.60115, 0.45296, 437.95, 2.1325, 0.59785, 0.65524), (0.9983, 0.00435), 2.3e-5),
    400: ((2.37474, 0.65421, 0.42879, 523.42, 2.0246, 0.59350, 0.63472), (0.9978, 0.00484), 8.4e-5),
}
"""Size -> the printed L0, A, alpha, B, C, beta, gamma; printed R2 and MAE over six schedules; summed Huber
loss of the three fitted ones at the true optimum, of that law with the warm-up counted."""
LIKELY = {
    "tissue": {"L0": 2.5, "A": 0.65, "alpha": 0.42, "C": 500.0, "span": 500.0},
    "multi_power": {"L0": 2.5, "A": 0.65, "alpha": 0.42, "B": 300.0, "C": 2.0, "beta": 0.6, "gamma": 0.6},
    "functional_scaling": {"L0": 2.5, "A": 0.65, "s": 0.42, "B": 150.0, "F": 100.0, "C": 5.0}
    | {"gamma": 0.7},
}
"""Constants to simulate from."""
T, W, PEAK, FLOOR = 24_000, 2_160, 3e-4, 3e-5


def _dropped(rate: float) -> np.ndarray:
    """The peak to update 7,999 and a lower rate from then on."""
    return np.r_[sj.schedules.constant(7_999, PEAK, warmup=W), np.full(8_001, rate)]


CURVES = {f"constant_{t}": sj.schedules.constant(t, PEAK, warmup=W) for t in (T, 3 * T)}
CURVES |= {f"cosine_{t}": sj.schedules.cosine(t, PEAK, final=FLOOR, warmup=W) for t in (T, 3 * T)}
CURVES |= {f"wsdcon_{k}": _dropped(k * 1e-5) for k in (3, 9, 18)}
CURVES["wsd_20000_24000"] = sj.schedules.wsd(
    T, PEAK, cooldown=4000, shape="exponential", final=FLOOR, warmup=W
)
CURVES["wsdld_20000_24000"] = sj.schedules.wsd(T, PEAK, cooldown=4000, shape="linear", final=FLOOR, warmup=W)


def span(momentum: float) -> float:
    """The updates over which a fall is released, of the annealing momentum."""
    return float(-1 / np.log(momentum))


def as_published(size: int) -> dict[str, float]:
    """The printed constants of the multi-power law as ours takes them: B times beta."""
    L0, A, alpha, B, C, beta, gamma = PUBLISHED[size][0]
    return {"L0": L0, "A": A, "alpha": alpha, "B": B * beta, "C": C, "beta": beta, "gamma": gamma}


def counting_warmup() -> dict[str, object]:
    """The curves as the authors' code has them: rises count, and every update of the warm-up is seen."""
    return {name: sj.schedules.curve(rates, warmup=0, knots=W) for name, rates in CURVES.items()}


def fitted(law: sj.Law, table: pd.DataFrame, fixed: Mapping[str, float] | None = None) -> pd.DataFrame:
    """One row per size: status, objective and constants of three schedules, R2 and MAE averaged over the
    others."""
    fits = sj.fit_groups(
        law, table, by="size_m", where="split == 'train'", run="schedule", inputs={"lr": CURVES}, fixed=fixed
    )
    rows = []
    for size, fit in fits.items():
        unseen = table[(table["size_m"] == size) & (table["split"] == "test")]
        row = {"size": size, "status": fit.status, "objective": fit.objective_value, **fit.params}
        rows.append(row | scores(unseen, fit.predict(unseen)))
    return pd.DataFrame(rows).set_index("size")


def scores(unseen: pd.DataFrame, predicted: np.ndarray) -> dict[str, float]:
    """R2 and mean absolute error of every schedule, averaged."""
    wrong = (unseen["loss"] - predicted).groupby(unseen["schedule"])
    spread = unseen.groupby("schedule")["loss"].var(ddof=0)
    r2 = (1 - wrong.apply(lambda e: (e**2).mean()) / spread).mean()
    return {"R2": float(r2), "MAE": float(wrong.apply(lambda e: e.abs().mean()).mean())}
