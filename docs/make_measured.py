"""Sentences of the pages whose figures are read from `benchmarks/results`, made anew for every build.

`python docs/make_measured.py FOLDER` writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
TABLE = "datadecide"
FLOP_PER_SQUARE = 600.0  # of N, at a hundred tokens per parameter


def results(name: str) -> Any:
    """What a benchmark has saved, None where it has not."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["results"] if path.exists() else None


def simulated() -> str:
    """How contrasts of simulated pairs did."""
    found = results("contrasts")["summary"]
    own, alone = found["default all"], found["draws alone all"]
    return (
        f"On {own['pairs']:,.0f} simulated pairs, 0 to 2 % apart at 10 to 300 times the largest run "
        "(`python -m benchmarks.contrasts`), draws alone called "
        f"{alone['called > .9']:.0%} of the pairs with more than .9, and {alone['right where > .9']:.1%} of "
        f"those were right; the default called {own['called > .9']:.0%}, and {own['right where > .9']:.1%} "
        f"were right. It stated {own['stated']:.2f} on average and was right on {own['right']:.2f}, and its "
        f"90 % interval of the multiplier held {own['multiplier held']:.0%} (draws alone: "
        f"{alone['multiplier held']:.0%}, at {alone['median width'] / own['median width']:.1f} times the "
        f"width). The error of the difference is {own['rms error %']:.2f} % of the loss against "
        f"{alone['rms error %']:.2f} %. The table is `benchmarks/results/contrasts.txt`.\n"
    )


def decided() -> str:
    """How often the better of two corpora was known from smaller sizes."""
    saved = results("decisions")
    if saved is None:
        return (
            "What it does on real tables of recipes is printed by `python -m benchmarks.decisions FOLDER`.\n"
        )
    rows = pd.DataFrame(saved).query("table == @TABLE")
    rows = rows.assign(size=((rows["flops"] / FLOP_PER_SQUARE) ** 0.5).map(_size))
    shares = rows.pivot_table(index="flops", columns="method", values="right")
    header = ["from everything up to", *shares.columns]
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    names = rows.drop_duplicates("flops").set_index("flops")["size"]
    written = shares.map("{:.3f}".format, na_action="ignore").fillna("")
    lines += [" | ".join([names[C], *row]) for C, row in written.iterrows()]
    table = "\n".join(f"| {line} |" for line in lines)
    sure = rows[(rows["method"] == "contrast") & (rows["sure"] > 0)]
    right = (sure["sure_right"] * sure["sure"]).sum() / sure["sure"].sum()
    return (
        "On DataDecide's 25 corpora (three seeds, a downstream loss), how often the better of two at 1B was "
        f"known, over 300 pairs, without a law:\n\n{table}\n\n`largest` is the ranking at the largest size "
        f"of the cut alone. Of all pairs that the contrast called with more than .9, {right:.1%} were right. "
        "`python -m benchmarks.decisions FOLDER` prints this for other tables too; the table is "
        "`benchmarks/results/decisions.txt`.\n"
    )


def _size(N: float) -> str:
    return f"{N / 1e6:.0f}M" if N < 1e9 else f"{N / 1e9:.1f}B"


def make(folder: Path) -> None:
    """Writes one file for every place that includes one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contrasts.md").write_text(simulated())
    (folder / "decisions.md").write_text(decided())


if __name__ == "__main__":
    make(Path(sys.argv[1]))
