"""Loss curves of three model sizes under nine schedules (Luo et al. 2025): the schedules that were run, and
what the annealing law is to make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

import scaling_jax as sj

__all__ = ["CURVES", "WANTED", "Wanted", "fitted", "with_sums"]

Wanted = tuple[tuple[float, float, float, float], float, float, float | None]
WANTED: dict[tuple[int, float], Wanted] = {
    (25, 0.998): ((3.15204, 0.52065, 0.50460, 0.77960), 1.79785e-4, 0.99827, 0.00442),
    (100, 0.998): ((2.78227, 0.59999, 0.44798, 0.93704), 8.58796e-5, 0.99795, 0.00439),
    (400, 0.998): ((2.51798, 0.66091, 0.41460, 1.11175), 1.77123e-4, 0.99603, 0.00665),
    (25, 0.999): ((3.15821, 0.51362, 0.51321, 0.40192), 2.01789e-4, 0.99793, None),
    (100, 0.999): ((2.78878, 0.59264, 0.45481, 0.48123), 1.24147e-4, 0.99778, None),
    (400, 0.999): ((2.52450, 0.65369, 0.42035, 0.57006), 2.29037e-4, 0.99668, None),
}
"""Size and momentum -> L0, A, alpha, C; summed Huber loss of three schedules; R2 and MAE over six others."""
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


def with_sums(curves: pd.DataFrame, momentum: float) -> pd.DataFrame:
    """The logged losses beside S1 and S2."""
    sums = sj.schedules.features(CURVES, curves["step"], run=curves["schedule"], momentum=momentum)
    return curves.assign(**sums)


def fitted(table: pd.DataFrame) -> pd.DataFrame:
    """One row per size: status, objective and constants of three schedules, R2 and MAE averaged over the
    others."""
    fits = sj.fit_groups(sj.laws.tissue, table, by="size_m", where="split == 'train'", run="schedule")
    rows = []
    for size, fit in fits.items():
        unseen = table[(table["size_m"] == size) & (table["split"] == "test")]
        wrong = (unseen["loss"] - fit.predict(unseen)).groupby(unseen["schedule"])
        spread = unseen.groupby("schedule")["loss"].var(ddof=0)
        r2 = (1 - wrong.apply(lambda e: (e**2).mean()) / spread).mean()
        row = {"size": size, "status": fit.status, "objective": fit.objective_value, **fit.params}
        rows.append(row | {"R2": r2, "MAE": wrong.apply(lambda e: e.abs().mean()).mean()})
    return pd.DataFrame(rows).set_index("size")
