"""Learning curves of two studies, every curve of each in one batch: six laws beside the studies' own fits.

`python -m benchmarks.learning_curves FOLDER` takes the folder of shared tables (rectified, revisiting) and
prints root mean squares of log errors beside the published fits of Lin et al. 2024 (arXiv:2402.02314) and
SciPy's of Alabdulmohsin et al. 2022 (arXiv:2209.06640), with the seconds of each batch, compiled and not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.report import save
from tests.cases.learning_curves import LADDER, curves, half_fitted, rectified, reference


def main(folder: Path) -> None:
    def timed(work: Any) -> tuple[pd.DataFrame, float, float]:
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            found = work()
            seconds.append(time.perf_counter() - began)
        return found, seconds[0], float(np.median(seconds[1:]))

    table, theirs = curves(folder), reference(folder)
    rows = {}
    tuned, cold, warm = timed(lambda: rectified(folder))
    above = {
        name: int((tuned["rmsd"] > tuned[f"rmsd_{name}"] * slack).sum())
        for name, slack in (("published", 1.0005), ("reference", 1 + 1e-6))
    }
    means = ", ".join(
        f"{name} {value:.6f}" for name, value in tuned.groupby("dataset")["rmsd"].mean().items()
    )
    for name in LADDER:
        found, first, again = timed(lambda name=name: half_fitted(table, name))
        inside, beyond = (found[f"{where}_{name}"] for where in ("inside", "beyond"))
        domain = theirs["domain"].reindex(found.index)
        rows[name] = {"curves": len(found), "cold s": first, "warm s": again} | {
            f"{where} {d}": value
            for where, column in (("in", inside), ("out", beyond))
            for d, value in column.groupby(domain).mean().items()
        }
        if f"fit_rms_{name}" in theirs:
            ratio = inside / theirs[f"fit_rms_{name}"].reindex(found.index)
            rows[name] |= {
                "worse than SciPy": int((ratio > 1.001).sum()),
                "better": int((ratio < 0.999).sum()),
            }
    ladder = pd.DataFrame.from_dict(rows, orient="index")
    text = (
        f"rectified law, {len(tuned)} curves in one batch: {cold:.1f} s cold, {warm:.2f} s warm; "
        f"above the published fit on {above['published']}, above SciPy's on {above['reference']}; "
        f"mean rmsd {means}\n\n"
        "first half of each curve fitted, means by domain of root mean square log errors inside and beyond\n"
        f"{ladder.round(4).to_string()}"
    )
    print(text)
    save(
        "learning_curves",
        text,
        {"rectified": tuned.to_dict("list"), "seconds": [cold, warm], "ladder": ladder.to_dict("index")},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
