"""Thousands of small fits at once: 2,000 ragged tables of 5 to 200 rows, 64 starts each, beside a SciPy loop.

    python -m benchmarks.many_groups [--groups 2000] [--sample 8] [--device] [--save]

Tables are simulated from Chinchilla laws of different constants, with 1 % noise. Both sides minimise the same
sum of Huber(1e-3) losses of log residuals from the same number of starts; SciPy (L-BFGS-B with exact
gradient, tolerances at which it reaches optima) is timed on a random sample of tables and extrapolated.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import scaling_jax as sj
from benchmarks.device import add_device, counts, driven, saved, told
from benchmarks.notebook import huber_of_logs
from benchmarks.report import machine, peak_megabytes

STARTS = 64
TIGHT = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10000, "maxfun": 20000, "maxls": 50}


def simulate(groups: int, seed: int = 0) -> pd.DataFrame:
    """Ragged tables told apart by `group`; constants scatter around Chinchilla's, designs are random."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(5, 201, groups)
    group = np.repeat(np.arange(groups), rows)
    truth = {
        "E": rng.uniform(1.4, 2.2, groups),
        "A": np.exp(rng.normal(6.2, 0.3, groups)),
        "B": np.exp(rng.normal(7.6, 0.3, groups)),
        "alpha": rng.normal(0.35, 0.02, groups),
        "beta": rng.normal(0.37, 0.02, groups),
    }
    N, D = (
        np.exp(rng.uniform(np.log(4e7), np.log(1e10), len(group))),
        np.exp(rng.uniform(np.log(3e8), np.log(3e11), len(group))),
    )
    mean = sj.laws.chinchilla(N, D, **{name: values[group] for name, values in truth.items()})
    return pd.DataFrame(
        {"group": group, "N": N, "D": D, "loss": mean * np.exp(rng.normal(0, 0.01, len(group)))}
    )


def scipy_fit(table: pd.DataFrame, starts: np.ndarray) -> tuple[float, np.ndarray]:
    """The best of all starts: value and (ln E, ln A, ln B, alpha, beta)."""
    both = huber_of_logs(*table[["N", "D", "loss"]].to_numpy().T)
    with np.errstate(all="ignore"):
        ends = [minimize(both, x, jac=True, method="L-BFGS-B", options=TIGHT) for x in starts]
    best = min(ends, key=lambda end: end.fun if np.isfinite(end.fun) else np.inf)
    return float(best.fun), best.x


def scipy_starts(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low, high = np.array([-1, 0, 0, 0, 0]), np.array([1, 20, 20, 1, 1])
    return rng.uniform(low, high, (STARTS, 5))


def measure(groups: int, sampled: int, device: bool) -> dict[str, Any]:
    table = simulate(groups)
    options: dict[str, Any] = {"by": "group", "starts": STARTS}
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        with driven(device) as traffic:
            fits = sj.fit_groups(sj.laws.chinchilla, table, **options)
        seconds.append(time.perf_counter() - begun)
    starts = scipy_starts()
    chosen = np.random.default_rng(1).choice(groups, sampled, replace=False)
    begun = time.perf_counter()
    theirs = {key: scipy_fit(table[table["group"] == key], starts) for key in chosen}
    scipy_seconds = (time.perf_counter() - begun) * groups / sampled
    compared = []
    for key, (value, x) in theirs.items():
        fit = fits[key]
        mine = np.array(
            [
                np.log(fit.params["E"]),
                np.log(fit.params["A"]),
                np.log(fit.params["B"]),
                fit.params["alpha"],
                fit.params["beta"],
            ]
        )
        identified = fit.converged and not fit.certificate.unidentified
        compared.append(
            {
                "group": int(key),
                "rows": int((table["group"] == key).sum()),
                "ours": fit.objective_value,
                "scipy": value,
                "identified": bool(identified),
                "largest difference": float(np.max(np.abs(mine - x))),
            }
        )
    return {
        "groups": groups,
        "rows": len(table),
        "cold": seconds[0],
        "warm": seconds[1],
        "scipy": scipy_seconds,
        "ratio": scipy_seconds / seconds[1],
        "converged": int(fits.converged.sum()),
        "compared": compared,
        "peak_mb": peak_megabytes(),
        **({"device": counts(traffic)} if device else {}),
    }


def report(found: dict[str, Any]) -> str:
    table = pd.DataFrame(found["compared"])
    worse = (table["ours"] > table["scipy"] * (1 + 1e-6)).sum()
    better = (table["scipy"] > table["ours"] * (1 + 1e-6)).sum()
    level = table[table["identified"] & (np.abs(table["scipy"] / table["ours"] - 1) < 1e-6)]
    device = machine()
    return "\n".join(
        [
            f"{found['groups']:,} tables, {found['rows']:,} rows, {STARTS} starts each",
            f"{device['device']}, {device['cores']} cores, Python {device['python']}, "
            f"jax {device['jax']}, {device['date']}",
            f"fit_groups, warm        {found['warm']:9.2f} s   "
            f"(cold {found['cold']:.2f} s; peak {found['peak_mb']:.0f} MB)",
            f"SciPy L-BFGS-B loop     {found['scipy']:9.0f} s   (extrapolated from {len(table)} tables)",
            f"ratio                   {found['ratio']:9.0f}x",
            f"converged               {found['converged']:9,}",
            f"sampled tables: ours better in {better}, worse in {worse}; "
            "where both reach the optimum and the certificate calls the fit",
            f"identified ({len(level)} tables), "
            f"the largest difference of any search coordinate is {level['largest difference'].max():.1e}",
            *([told(found["device"])] if "device" in found else []),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--sample", type=int, default=8)
    add_device(parser)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = measure(options.groups, options.sample, options.device)
    print(report(found))
    if options.save:
        saved("many_groups", report(found), found, options.device)


if __name__ == "__main__":
    main()
