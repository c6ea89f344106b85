"""Simulation-based calibration: parameters from the priors, data from them, ranks among posterior draws.

`python -m benchmarks.sbc` runs the default models, flat and pooled, 208 simulations each. Data sets of equal
shape share one NUTS program, a few at a time: all of them at once would wait for the longest trajectory of
any. Ranks must be uniform (Talts et al. 2018, arXiv:1804.06788); the bands are simultaneous over the ECDF
(Säilynoja et al. 2022, arXiv:2103.10522), and over a model's parameters by Bonferroni.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import jax
import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import RESULTS, save
from scaling_jax.posterior import geometry
from scaling_jax.posterior.build import build
from scaling_jax.posterior.model import OFFSET, TARGET, Design, Table, model
from scaling_jax.posterior.sampler import PIECE, programs

SIMULATIONS, AT_ONCE = 208, 16
WARMUP, KEPT, THIN = 400, 100, 5
MODELS = {"flat": 1, "pooled": 4}


def template(groups: int) -> sj.FitGroups:
    N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)))
    truth = {"E": 1.8, "A": 400.0, "B": 800.0, "alpha": 0.34, "beta": 0.3}
    one = pd.DataFrame({"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **truth)})
    return sj.fit_groups(
        sj.laws.chinchilla, pd.concat([one.assign(family=g) for g in range(groups)]), by="family", starts=4
    )


def simulated(design: Design, table: Table, key: Any) -> tuple[dict[str, Any], Any]:
    from numpyro import handlers

    trace = handlers.trace(handlers.seed(handlers.uncondition(model), key)).get_trace(design, table)
    values = {name: site["value"] for name, site in trace.items() if site["type"] == "sample"}
    return values, values.pop(TARGET)


def ranks_of(name: str) -> tuple[pd.DataFrame, float, float]:
    """Ranks (simulations, quantities), share of divergent draws, and seconds."""
    fits = template(MODELS[name])
    began = time.perf_counter()
    with jax.enable_x64(True):
        design, table, *_ = build(list(fits.values()), pool=["alpha", "beta"] if MODELS[name] > 1 else [])
        found = programs(design, WARMUP, 0.9)
        over = table._replace(
            **dict.fromkeys(("inputs", "weight", "se", "group", "held", "priors")), target=0
        )
        keys = jax.random.split(jax.random.key(0), (3, SIMULATIONS))
        truth, targets = jax.jit(jax.vmap(lambda key: simulated(design, table, key)))(keys[0])
        tables = table._replace(target=targets)

        def anchored(table: Table, truth: Any) -> Any:
            common, own = ({n: truth[n] for n in names} for names in (design.common, design.own))
            return geometry.settle(design, table, *geometry.start_coordinates(design, table, common, own))

        anchors = jax.jit(jax.vmap(anchored, (over, 0)))(tables, truth)
        u = jax.vmap(lambda key: jax.random.normal(key, (1, geometry.dimension(design))))(keys[1])
        begin = jax.jit(jax.vmap(found.begin, (over, 0, 0, 0)))
        advance = jax.jit(jax.vmap(found.advance, (over, 0, 0)))
        draws, diverging = [], []
        for first in range(0, SIMULATIONS, AT_ONCE):
            part = slice(first, first + AT_ONCE)
            some = tables._replace(target=targets[part])
            anchor = jax.tree.map(lambda x, part=part: x[part], anchors)
            state = begin(some, anchor, u[part], keys[2][part, None])
            pieces = []
            for _ in range(0, WARMUP + KEPT * THIN, PIECE):
                state, piece = advance(some, anchor, state)
                pieces.append([np.asarray(x[:, 0]) for x in piece[:2]])
            z, bad = (np.concatenate(x, axis=1)[:, WARMUP:] for x in zip(*pieces, strict=True))
            draws.append(z[:, ::THIN])
            diverging.append(bad)
            print(name, first + AT_ONCE, f"{time.perf_counter() - began:.0f} s", flush=True)
        draws = np.concatenate(draws)
        sites = jax.jit(jax.vmap(found.natural, (over, 0, 0)))(tables, anchors, draws)
    below = {}
    for site, values in sites.items():
        if site != OFFSET:
            counts = (
                (np.asarray(values) < np.asarray(truth[site])[:, None]).sum(axis=1).reshape(SIMULATIONS, -1)
            )
            below |= {
                site if counts.shape[1] == 1 else f"{site}[{i}]": counts[:, i] for i in range(counts.shape[1])
            }
    return pd.DataFrame(below), float(np.mean(diverging)), time.perf_counter() - began


def distance(ranks: np.ndarray) -> np.ndarray:
    """Per row of ranks (rows, simulations): the smallest two-sided binomial tail along the ECDF."""
    from scipy.stats import binom

    z = np.arange(1, KEPT + 1)
    counts = (ranks[..., None] < z).sum(axis=-2)
    n, p = ranks.shape[-1], z / (KEPT + 1)
    return np.minimum(binom.cdf(counts, n, p), binom.sf(counts - 1, n, p)).min(axis=-1)


def main(names: list[str]) -> None:
    rng = np.random.default_rng(0)
    null = np.concatenate([distance(rng.integers(0, KEPT + 1, (200, SIMULATIONS))) for _ in range(50)])
    for name in names:
        ranks, diverged, seconds = ranks_of(name)
        found = distance(ranks.to_numpy().T)
        p = np.array([(1 + (null <= d).sum()) / (1 + len(null)) for d in found])
        table = pd.DataFrame(
            {"mean rank": ranks.mean() / KEPT, "p of the ECDF": p, "inside 95 % band": p > 0.05},
            index=ranks.columns,
        )
        together = p.min() * len(p)
        heading = (
            f"{name}: {SIMULATIONS} simulations, {len(p)} quantities; {(p > 0.05).sum()} inside their own "
            "95 % band, smallest p "
            f"{p.min():.3g} (times {len(p)} quantities: {together:.2g}; above 0.05 is uniform for all); "
            f"{diverged:.2%} of draws diverged; {seconds:.0f} s\n\n"
        )
        print(heading + table.to_string(), flush=True)
        save(
            f"sbc_{name}",
            heading + table.to_string(),
            {"table": table.to_dict(), "ranks": ranks.to_dict("list"), "diverged": diverged},
        )
        picture(name, ranks)


def picture(name: str, ranks: pd.DataFrame) -> None:
    """ECDF of the ranks minus the uniform one, every quantity a line, with the simultaneous 95 % band."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    z = np.arange(1, KEPT + 1)
    draws = np.random.default_rng(0).integers(0, KEPT + 1, (4000, SIMULATIONS))
    level = np.quantile(distance(draws), 0.05)
    from scipy.stats import binom

    p = z / (KEPT + 1)
    low, high = (
        binom.ppf(level, SIMULATIONS, p) / SIMULATIONS - p,
        binom.isf(level, SIMULATIONS, p) / SIMULATIONS - p,
    )
    figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
    ax.fill_between(p, low, high, color="0.85", label="95 % band, simultaneous over the line")
    for column in ranks:
        ax.plot(
            p,
            (ranks[column].to_numpy()[:, None] < z).mean(axis=0) - p,
            lw=0.8,
            label=column if len(ranks.columns) < 10 else None,
        )
    ax.set(
        xlabel="rank of the truth among posterior draws",
        ylabel="ECDF minus uniform",
        title=f"calibration of the {name} model",
    )
    ax.legend(fontsize=7, frameon=False, ncols=2)
    figure.savefig(RESULTS / f"sbc_{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODELS))
