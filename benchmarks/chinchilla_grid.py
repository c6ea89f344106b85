"""Hoffmann's 4,500-start grid on the replication's 240 runs: SciPy, optimistix and ours, in one run.

    python -m benchmarks.chinchilla_grid [--starts 120] [--repeat 5] [--device] [--save]

Every method minimises the same sum of Huber(1e-3) losses of log residuals in float64. SciPy is measured on a
random sample of starts and extrapolated to 4,500. A hit is an end within 1e-6 of the optimum. Times are warm
medians; the first call's excess over them is the compile time. Each method runs in a process of its own, so
peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.device import add_device, counts, driven, saved, told
from benchmarks.notebook import DELTA, huber_of_logs
from benchmarks.report import machine, peak_megabytes

TABLE = Path(__file__).parents[1] / "../shared/data/chinchilla/epoch_replication.csv"
BEST = 1.018274017801e-3
ALL = 4500


def runs() -> pd.DataFrame:
    return pd.read_csv(TABLE).iloc[5:]


def grid() -> np.ndarray:
    """The 4,500 starts as (e, a, b, alpha, beta)."""
    axes = (
        [-1, -0.5, 0, 0.5, 1],
        [0, 5, 10, 15, 20, 25],
        [0, 5, 10, 15, 20, 25],
        [0, 0.5, 1, 1.5, 2],
        [0, 0.5, 1, 1.5, 2],
    )
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 5).astype(float)


def sample(n: int) -> np.ndarray:
    return grid()[np.random.default_rng(0).choice(ALL, n, replace=False)]


def scipy_method(method: str, scale: float, options: dict[str, Any]) -> Callable[[int, int], dict[str, Any]]:
    def measure(n: int, repeat: int) -> dict[str, Any]:
        from scipy.optimize import minimize

        both = huber_of_logs(*runs()[["n_params", "tokens", "loss"]].to_numpy(float).T)

        def scaled(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = both(x)
            return scale * value, scale * slope

        begun = time.perf_counter()
        with np.errstate(all="ignore"):
            ends = [
                both(minimize(scaled, x, jac=True, method=method, options=options).x)[0] for x in sample(n)
            ]
        return {"seconds": (time.perf_counter() - begun) * ALL / n, "values": ends, "sampled": n}

    return measure


def optimistix_method(name: str, chunk: int) -> Callable[[int, int], dict[str, Any]]:
    def measure(n: int, repeat: int) -> dict[str, Any]:
        import jax
        import jax.numpy as jnp
        import optimistix as optx

        frame = runs()
        N, D, y = (np.log(frame[c].to_numpy()) for c in ("n_params", "tokens", "loss"))

        def residual(x: Any) -> Any:
            e, a, b, alpha, beta = x
            return jnp.log(jnp.exp(e) + jnp.exp(a - alpha * N) + jnp.exp(b - beta * D)) - y

        def root(x: Any, _: Any) -> Any:
            r = residual(x)
            size = jnp.abs(r)
            far = jnp.sqrt(jnp.where(size <= DELTA, 1.0, 2 * DELTA * size - DELTA**2))
            return jnp.where(size <= DELTA, r, jnp.sign(r) * far)

        def value(x: Any, args: Any) -> Any:
            return 0.5 * jnp.sum(root(x, args) ** 2)

        def one(x: Any) -> Any:
            if name == "LM":
                solver = optx.LevenbergMarquardt(rtol=1e-10, atol=1e-10)
                end = optx.least_squares(root, solver, x, max_steps=500, throw=False).value
            else:
                solver = optx.BFGS(rtol=1e-10, atol=1e-10)
                end = optx.minimise(value, solver, x, max_steps=1000, throw=False).value
            return value(end, None)

        with jax.enable_x64(True):
            solve = jax.jit(jax.vmap(one))
            starts = jnp.asarray(grid()[:: max(1, ALL // n)][: chunk * max(1, n // chunk)])
            parts = [starts[i : i + chunk] for i in range(0, len(starts), chunk)]
            parts = [p for p in parts if len(p) == chunk]
            begun = time.perf_counter()
            solve(parts[0]).block_until_ready()
            first = time.perf_counter() - begun
            begun = time.perf_counter()
            ends = np.concatenate([np.asarray(solve(p)) for p in parts])
            warm = time.perf_counter() - begun
        return {
            "seconds": warm * ALL / len(ends),
            "compile": first - warm / len(parts),
            "values": ends.tolist(),
            "sampled": len(ends),
        }

    return measure


def ours(**options: Any) -> Callable[[int, int], dict[str, Any]]:
    def measure(n: int, repeat: int) -> dict[str, Any]:
        import scaling_jax as sj

        options_now = dict(options)
        if isinstance(options_now.get("solver"), dict):
            options_now["solver"] = sj.LBFGS(**options_now["solver"])
        frame, times = runs(), []
        for _ in range(repeat + 1):
            begun = time.perf_counter()
            fit = sj.fit(sj.laws.chinchilla, frame, inputs={"N": "n_params", "D": "tokens"}, **options_now)
            times.append(time.perf_counter() - begun)
        warm = float(np.median(times[1:]))
        ends = fit.evidence.finished_value
        return {
            "seconds": warm,
            "compile": times[0] - warm,
            "values": ends.tolist(),
            "best": fit.objective_value,
            "sampled": len(ends),
        }

    return measure


TIGHT = {"ftol": 1e-15, "gtol": 1e-9, "maxcor": 20, "maxiter": 15000}
METHODS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "SciPy L-BFGS-B, default tolerances": scipy_method("L-BFGS-B", 1.0, {}),
    "SciPy L-BFGS-B, tight": scipy_method("L-BFGS-B", 1e3, TIGHT),
    "SciPy BFGS": scipy_method("BFGS", 1e3, {"gtol": 1e-7}),
    "optimistix LM, every start": optimistix_method("LM", 256),
    "optimistix BFGS, every start": optimistix_method("BFGS", 128),
    "ours: sj.fit(law, table)": ours(),
    "ours: LM, grid screened": ours(starts="grid"),
    "ours: LM, every start": ours(starts="grid", screen=False),
    "ours: L-BFGS, grid screened": ours(starts="grid", solver="lbfgs"),
    "ours: L-BFGS, every start": ours(starts="grid", screen=False, solver="lbfgs"),
    "ours: L-BFGS, plain metric": ours(starts="grid", screen=False, solver={"precondition": False}),
}


def measured(name: str, n: int, repeat: int, device: bool) -> dict[str, Any]:
    """One method in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.chinchilla_grid",
        "--only",
        name,
        "--starts",
        str(n),
        "--repeat",
        str(repeat),
        *["--device"] * device,
    ]
    # programs kept from an earlier process would hide what compiling takes
    env = {**os.environ, "SCALING_JAX_CACHE": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=120, help="starts sampled for the slow peers")
    parser.add_argument("--repeat", type=int, default=5, help="warm repetitions of ours")
    parser.add_argument("--only", choices=list(METHODS))
    add_device(parser)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    if options.only:
        with driven(options.device) as traffic:
            found = METHODS[options.only](
                options.starts if "optimistix" not in options.only else 512, options.repeat
            )
        if options.device and options.only.startswith("ours"):
            found["device"] = counts(traffic, options.repeat + 1)
        values = np.array(found.pop("values"))
        best = found.get("best", float(np.min(values)))
        hits = float(np.mean(values <= BEST * (1 + 1e-6)))
        print(json.dumps({**found, "hits": hits, "gap": best / BEST - 1, "memory": peak_megabytes()}))
        return
    widths = {"method": -38, "4,500 starts": 14, "compile": 9, "hits": 8, "gap to best": 13, "memory": 9}
    heads = (f"{head:>{width}}" if width > 0 else f"{head:<{-width}}" for head, width in widths.items())
    rows, lines = {}, ["".join(heads) + f"{'speed-up':>10}"]
    print(lines[0], flush=True)
    for name in METHODS:
        rows[name] = r = measured(name, options.starts, options.repeat, options.device)
        if "failed" in r:
            lines.append(f"{name:<38}  {r['failed']}")
        else:
            peer = rows.get("SciPy L-BFGS-B, tight")
            ratio = peer["seconds"] / r["seconds"] if peer else np.nan
            lines.append(
                f"{name:<38}{r['seconds']:>12.3f} s{r.get('compile', 0):>7.2f} s{100 * r['hits']:>6.1f} %"
                f"{r['gap']:>13.1e}{r['memory']:>6.0f} MB{ratio:>8.0f} x"
            )
            lines += [f"    {told(r['device'])}"] if "device" in r else []
        print(lines[-1], flush=True)
    lines.append(
        "hits: share of the starts run to their end; "
        "speed-up: against SciPy L-BFGS-B at the tolerances that reach the optimum"
    )
    lines.append(
        "the chinchilla package is not timed: "
        "it fits a table from a project folder by SciPy's BFGS, which is timed above"
    )
    lines.append(", ".join(f"{k} {v}" for k, v in machine().items()))
    print("\n".join(lines[-3:]))
    if options.save:
        saved("chinchilla_grid", "\n".join(lines), rows, options.device)


if __name__ == "__main__":
    main()
