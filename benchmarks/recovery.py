"""Recovery: every law of the catalogue finds the constants it was simulated from, from its own starts.

`python -m benchmarks.recovery` simulates 100 tables per law with 1 % noise and prints how often the optimum
is at least as good as the truth, and how often the truth lies inside the 99 % likelihood region: with known
noise, twice the gain in log likelihood over the truth follows a chi-squared with as many degrees of freedom
as there are free parameters. The laws, constants and runs are those of `tests/cases/catalogue.py`.
"""

from __future__ import annotations

import sys
import time

import pandas as pd

from benchmarks.report import save
from tests.cases.catalogue import CASES, NOISE, recover


def main(n: int = 100, names: list[str] | None = None) -> None:
    rows = []
    for name in names or CASES:
        began = time.perf_counter()
        found = recover(CASES[name], n)
        rows.append(
            {
                "law": name,
                "free parameters": CASES[name].free,
                "optimum no worse than truth": int((found["gain"] >= -1e-6).sum()),
                "truth in the 99 % region": int((found["gain"] <= found["bound"]).sum()),
                "converged": int((found["status"] == "converged").sum()),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
        print(rows[-1], flush=True)
    if not names:
        heading = f"{n} simulated tables per law, {NOISE:.0%} noise, each law's own starts\n\n"
        save("recovery", heading + pd.DataFrame(rows).to_string(index=False), rows)


if __name__ == "__main__":
    main(names=sys.argv[1:] or None)
