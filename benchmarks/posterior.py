"""The posterior of the replication's 240 rows, timed from nothing, beside bootstrap and Laplace.

`python -m benchmarks.posterior` needs the shared table of the replication (Besiroglu et al. 2024,
arXiv:2404.10102).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

TABLE = Path(__file__).parents[1] / "../shared/data/chinchilla/epoch_replication.csv"
INPUTS = {"N": "n_params", "D": "tokens"}
MATCHING = {"student": sj.Huber(1e-3), "lognormal": sj.SquaredError(on="log")}


def _share(p: dict[str, Any]) -> dict[str, Any]:
    return {"a = beta / (alpha + beta)": p["beta"] / (p["alpha"] + p["beta"])}


def main() -> None:
    runs = pd.read_csv(TABLE).iloc[5:]
    text, record = [], {}
    for observation, objective in MATCHING.items():
        fit = sj.fit(sj.laws.chinchilla, runs, inputs=INPUTS, objective=objective)
        began = time.perf_counter()
        post = fit.posterior(observation=observation)
        seconds = time.perf_counter() - began
        quick = fit.posterior(observation=observation, method="laplace")
        boot = fit.bootstrap(4000)
        table = post.conf_int()
        off = (table["estimate"] - fit.numbers) / table["se"]
        error = (quick.conf_int()["estimate"] - table["estimate"]) / table["se"]
        widths = (quick.conf_int()["se"] / table["se"]).rename("laplace sd / nuts sd")
        table = table.assign(fit=fit.numbers, off_in_sd=off, laplace_off_in_sd=error).join(widths)
        shares = pd.concat(
            {
                "posterior": post.derive(_share),
                "laplace": quick.derive(_share),
                "bootstrap": boot.derive(_share),
            }
        )
        text += [
            post.summary(),
            f"{seconds:.1f} s from nothing, compilation included",
            table.to_string(),
            shares.to_string(),
            "",
        ]
        record[observation] = {
            "seconds": seconds,
            "divergences": post.n_divergent,
            "diagnostics": post.diagnostics.to_dict(),
            "table": table.to_dict(),
            "a": {name: shares.loc[name].iloc[0].to_dict() for name in ("posterior", "laplace", "bootstrap")},
        }
        print("\n".join(text[-5:]), flush=True)
    save("posterior", "\n\n".join(text), record)


if __name__ == "__main__":
    main()
