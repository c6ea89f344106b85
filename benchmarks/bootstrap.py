"""The replication's 4,000 bootstrap refits (Besiroglu et al. 2024): speed, optima beside SciPy's, intervals.

`python -m benchmarks.bootstrap TABLE [--device]` takes the 245-row table (epoch_replication.csv). Every
replicate is searched from four starts; SciPy gets one start, on a sample of the replicates, once as the
replication calls it (its own finite differences) and once with an exact gradient written by hand; its times
are scaled up to all of them.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import scaling_jax as sj
from benchmarks.device import add_device, counts, driven, saved, told

REPLICATES, SAMPLED, DELTA = 4000, 100, 1e-3
HOFFMANN = np.array([6.0073404, 6.0179186, 0.5267228, 0.33917084, 0.2849083])
PUBLISHED = {"A": 124.52232, "B": 1293.2841, "E": 0.02566, "alpha": 0.01540, "beta": 0.02060}


def value_and_gradient(
    p: np.ndarray, n: np.ndarray, d: np.ndarray, y: np.ndarray
) -> tuple[float, np.ndarray]:
    """Sum of Huber losses of log residuals, as the replication writes it."""
    terms = np.stack([p[0] - p[3] * n, p[1] - p[4] * d, np.full_like(n, p[2])])
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    total = share.sum(axis=0)
    r = top + np.log(total) - y
    share /= total
    slope = np.clip(r, -DELTA, DELTA)
    size, inner = np.abs(r), np.minimum(np.abs(r), DELTA)
    gradient = np.array(
        [
            slope @ share[0],
            slope @ share[1],
            slope @ share[2],
            -slope @ (share[0] * n),
            -slope @ (share[1] * d),
        ]
    )
    return float(np.sum(inner * (size - 0.5 * inner))), gradient


def main(path: str, device: bool) -> None:
    runs = pd.read_csv(path).iloc[5:]
    fit = sj.fit(sj.laws.chinchilla, runs, inputs={"N": "n_params", "D": "tokens"})
    legacy = np.random.RandomState(42)  # the published draws came from this generator
    indices = np.stack([legacy.choice(len(runs), size=len(runs)) for _ in range(REPLICATES)])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        with driven(device) as traffic:
            draws = fit.bootstrap(indices=indices)
        times.append(time.perf_counter() - start)
    n, d, y = (np.log(runs[c].to_numpy(float)) for c in ("n_params", "tokens", "loss"))
    sample = np.linspace(0, REPLICATES - 1, SAMPLED).astype(int)
    columns = [(n[i], d[i], y[i]) for i in indices[sample]]
    start = time.perf_counter()
    exact = np.array(
        [minimize(value_and_gradient, HOFFMANN, args=rows, jac=True, method="BFGS").fun for rows in columns]
    )
    scipy_exact = (time.perf_counter() - start) * REPLICATES / SAMPLED
    start = time.perf_counter()
    plain = np.array(
        [
            minimize(lambda p, *rows: value_and_gradient(p, *rows)[0], HOFFMANN, args=rows, method="BFGS").fun
            for rows in columns
        ]
    )
    scipy_plain = (time.perf_counter() - start) * REPLICATES / SAMPLED
    worst = float((draws.objective_values[sample] / np.minimum(exact, plain) - 1).max())
    se = draws.params.std(ddof=0)
    warm = min(times[1:])
    lines = [
        f"{REPLICATES:,} refits of {len(runs)} rows, 4 starts each: "
        f"cold {times[0]:.2f} s (compilation included), warm {warm:.2f} s",
        *(
            f"SciPy BFGS with {how}, one start each, {SAMPLED} sampled: {took:.0f} s for all; "
            f"ratio {took / warm:.0f} warm, {took / times[0]:.0f} cold"
            for how, took in (("its finite differences", scipy_plain), ("an exact gradient", scipy_exact))
        ),
        f"largest objective relative to SciPy's: {worst:+.1e}; "
        f"{100 * draws.moved:.2f} % of replicates needed another basin",
        "standard errors: " + ", ".join(f"{k} {se[k]:.6g} (published {v:g})" for k, v in PUBLISHED.items()),
        "95 % intervals:",
        draws.conf_int(0.95).to_string(),
    ]
    gone_over = {"device": counts(traffic)} if device else {}
    lines += [told(each) for each in gone_over.values()]
    print("\n".join(lines))
    saved(
        "bootstrap",
        "\n".join(lines),
        {
            "cold": times[0],
            "warm": times[1:],
            "scipy": scipy_plain,
            "scipy exact": scipy_exact,
            "worst": worst,
            "se": se.to_dict(),
            **gone_over,
        },
        device,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    add_device(parser)
    options = parser.parse_args()
    main(options.table, options.device)
