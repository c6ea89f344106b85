"""Every law sampled from its default priors on data simulated from it: divergences, agreement of chains.

`python -m benchmarks.posterior_catalogue [law ...]`; one table per law, by `tests/cases/catalogue.py`.
"""

from __future__ import annotations

import sys
import time

import jax
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from tests.cases.catalogue import CASES, OBJECTIVE, TARGET, tables


def main(names: list[str]) -> None:
    rows = []
    for name in names or CASES:
        case = CASES[name]
        began = time.perf_counter()
        fixed = {p: case.truth[p] for p in case.fixed}
        fit = sj.fit(case.law, tables(case, 1), target=TARGET, objective=OBJECTIVE, fixed=fixed or None)
        post = fit.posterior(observation="lognormal", warmup=500, draws=500)
        found = post.conf_int(0.99)
        truth = case.law.flatten(case.truth)
        held = int(((found["lower"] <= truth) & (truth <= found["upper"])).sum()) - len(case.fixed)
        rows.append(
            {
                "law": name,
                "free": case.free,
                "divergences": post.n_divergent,
                "largest R-hat": round(post.diagnostics["r_hat"].max(), 3),
                "fewest draws' worth": round(post.diagnostics["ess_bulk"].min()),
                "of": str(post.diagnostics["ess_bulk"].idxmin()),
                "truths in 99 %": f"{held}/{case.free}",
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
        print(rows[-1], flush=True)
        jax.clear_caches()
    if not names:
        heading = "one simulated table per law (1 % noise), default priors, 4 chains of 500 draws after 500"
        save("posterior_catalogue", f"{heading}\n\n{pd.DataFrame(rows).to_string(index=False)}", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
