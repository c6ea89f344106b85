"""Optimisers that scaling laws are fitted with, on Chinchilla's 240 runs from the grid of 4,500 starts.

    python -m benchmarks.optimisers [--save]

First every tenth start runs to its end and nothing is polished: that is the protocol by itself, and its
shortfall. Then the same solver with all starts, screening and polish, as `sj.fit` runs it. A hit is an end
within 1e-6 of the optimum; times are of the second call, so nothing compiles.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import optax

import scaling_jax as sj
from benchmarks.chinchilla_grid import BEST, grid, runs
from benchmarks.report import machine, save

ADAMW = optax.adamw(5e-2)
DECAYING = optax.adam(optax.cosine_decay_schedule(1e-1, 1000))
SOLVERS: dict[str, Any] = {
    "SGD .1, momentum .9, 1,000 steps": sj.Optax(optax.sgd(0.1, momentum=0.9), steps=1000),
    "AdamW .05, 200 steps": sj.Optax(ADAMW, steps=200),
    "AdamW .05, 1,000 steps": sj.Optax(ADAMW, steps=1000),
    "AdamW .05, no decay, 1,000 steps": sj.Optax(optax.adamw(5e-2, weight_decay=0.0), steps=1000),
    "Adam .1 to 0 by cosine, 1,000 steps": sj.Optax(DECAYING, steps=1000),
    "Adam .01, 5,000 steps": sj.Optax(optax.adam(1e-2), steps=5000),
    "optax.lbfgs, 100 steps": sj.Optax(optax.lbfgs(), steps=100),
    "ours: L-BFGS": "lbfgs",
    "ours: Levenberg-Marquardt": "lm",
}


def tenth() -> np.ndarray:
    """Every tenth start of the grid, natural units."""
    e, a, b, alpha, beta = grid()[::10].T
    return np.stack([np.exp(e), np.exp(a), np.exp(b), alpha, beta], axis=-1)


def fitted(**options: Any) -> tuple[sj.FitResult, float]:
    """The fit, and the seconds of its second call."""
    for _ in range(2):
        begun = time.perf_counter()
        fit = sj.fit(
            sj.laws.chinchilla,
            runs(),
            inputs={"N": "n_params", "D": "tokens"},
            **options,
        )
        seconds = time.perf_counter() - begun
    return fit, seconds


def measured(solver: Any) -> dict[str, float]:
    alone, seconds = fitted(solver=solver, starts=tenth(), screen=False, polish=False)
    whole, all_seconds = fitted(solver=solver, starts="grid")
    ends = alone.evidence.finished_value
    gaps = ends[np.isfinite(ends)] / BEST - 1
    return {
        "seconds": seconds,
        "best": float(gaps.min()),
        "median": float(np.median(gaps)),
        "hits": float(np.mean(ends <= BEST * (1 + 1e-6))),
        "alpha": alone.params["alpha"],
        "polished seconds": all_seconds,
        "polished gap": whole.objective_value / BEST - 1,
        "polished hits": whole.n_agree / whole.certificate.n_finished,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    lines = [
        f"{'':<37}{'450 starts to their end, not polished':^46} |{'screened and polished':^28}",
        f"{'solver':<37}{'seconds':>9}{'best':>10}{'median':>10}{'hits':>9}{'alpha':>8} |"
        f"{'seconds':>9}{'gap':>10}{'agree':>9}",
    ]
    print("\n".join(lines), flush=True)
    rows = {}
    for name, solver in SOLVERS.items():
        rows[name] = r = measured(solver)
        lines.append(
            f"{name:<37}{r['seconds']:>9.2f}{r['best']:>10.1e}{r['median']:>10.1e}{r['hits']:>9.1%}"
            f"{r['alpha']:>8.4f} |{r['polished seconds']:>9.2f}{r['polished gap']:>10.1e}"
            f"{r['polished hits']:>9.1%}"
        )
        print(lines[-1], flush=True)
    lines += [
        "best, median, gap: of the objective above the certified optimum, as a share of it; alpha: of the "
        "best end (.3473 at the optimum)",
        "hits: ends within 1e-6 of the optimum among 450; agree: the same among the starts that screening "
        "keeps, the best eight polished",
        ", ".join(f"{k} {v}" for k, v in machine().items()),
    ]
    print("\n".join(lines[-3:]))
    if options.save:
        save("optimisers", "\n".join(lines), rows)


if __name__ == "__main__":
    main()
