"""A standing adversary: hostile calls, broken studies, optima that were missed, interrupts.

    python -m benchmarks.adversary [--save] [--calls 15] [--problems 200] [--moments 20] [--only PART ...]

Its parts are `doors`, `faults`, `optima` and `moments`; what each does stands in `tests/hostile/`, of which
the tests run a slice. The exit code is the number of parts that found something.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.adversary.doors import attacked
from benchmarks.report import save

Found = tuple[str, Any, bool]  # a table in words, its record, and whether nothing was found


def doors(options: argparse.Namespace) -> Found:
    """Hostile arguments for every public function and method."""
    return calls_told(pd.DataFrame(attacked(options.calls, options.seed, options.kept)))


def calls_told(rows: pd.DataFrame) -> Found:
    """The table of all calls, and every one that was not answered well."""
    from tests.hostile.calls import BAD, GOOD

    kinds = [*GOOD, *BAD]
    area = rows["door"].map(_area)
    table = pd.crosstab(area, rows["kind"]).reindex(columns=kinds, fill_value=0)
    table.insert(0, "doors", rows.groupby(area)["door"].nunique())
    table.insert(1, "calls", rows.groupby(area).size())
    table.loc["all"] = table.sum()
    bad = rows[rows["kind"].isin(BAD)]
    words = [
        "Hostile calls: " + "; ".join(f"{kind} = {said}" for kind, said in (GOOD | BAD).items()),
        table.rename_axis(index=None, columns=None).to_string(),
        f"longest call by the clock: {rows['seconds'].max():.1f} s",
        *(f"{r.kind}: {r.door}({r.attack}): {r.words[:160]} at {r.where}" for r in bad.itertuples()),
    ]
    record = {"table": table.reset_index().to_dict("records"), "bad": bad.to_dict("records")}
    return "\n\n".join(words[:3]) + "\n" + "\n".join(words[3:]), record, not len(bad)


def _area(door: str) -> str:
    """What a door belongs to: a folder, a class, or the package itself."""
    parts = door.split(".")
    if parts[0] != "sj":
        return parts[0]
    return ".".join(parts[:2]) if len(parts) > 2 else "sj"


def faults(options: argparse.Namespace) -> Found:
    """Studies that are killed, starved, shut out, raced and flipped."""
    from tests.hostile.faults import FAULTS, REAL, SMALL, flipped, parts

    rng, rows = np.random.default_rng(options.seed), []
    for what, study, times in (("tables", SMALL, 4), ("fits", REAL, 1)):
        folder = Path(tempfile.mkdtemp()) / "whole"
        study.done(folder)
        whole = parts(folder)
        for name, fault in FAULTS.items():
            seen = Counter(fault(study, Path(tempfile.mkdtemp()) / "study", whole, rng) for _ in range(times))
            rows.append(
                {"fault": name, "study of": what, "seen": ", ".join(f"{n} {w}" for w, n in seen.items())}
            )
            print(rows[-1], file=sys.stderr, flush=True)
    names: dict[str, Any] = {}
    argv, sys.argv = sys.argv, ["", tempfile.mkdtemp(), "a", "0"]
    exec(REAL.script, names)
    sys.argv = argv
    seen_flips = flipped(names["run"], Path(names["folder"]), rng)
    rows.append({"fault": "60 flipped bytes", "study of": "fits", "seen": str(seen_flips)})
    table = pd.DataFrame(rows)
    good = not table["seen"].str.contains("WRONG").any() and not seen_flips["wrong"]
    return "Faults of studies\n\n" + table.to_string(index=False), rows, good


def optima(options: argparse.Namespace) -> Found:
    """Random problems against SciPy from many starts."""
    import jax

    from tests.hostile.optima import ABOVE, problems, tried

    rows = []
    for index, given in enumerate(problems(options.problems)):
        rows.append(tried(given))
        if index % 15 == 14:  # the programs of some laws are enough at once
            jax.clear_caches()
            print(f"{index + 1} of {options.problems} problems", file=sys.stderr, flush=True)
    return optima_told(pd.DataFrame(rows), ABOVE)


def optima_told(table: pd.DataFrame, above: float) -> Found:
    """What was certified and what was found below it."""
    certified = table["status"] == "converged"
    kinds = table.groupby("objective").agg(
        problems=("law", "size"),
        certified=("status", lambda s: int((s == "converged").sum())),
        above=("wrong", "sum"),
    )
    wrong = table[table["wrong"]]
    words = [
        f"Optima: {len(table)} problems over {table['law'].nunique()} laws, {int(certified.sum())} "
        f"certified, {int(table['wrong'].sum())} of them above the independent optimum by more than "
        f"{above:g}; largest excess of a certified one {table.loc[certified, 'above'].max():.1e}; "
        f"of {int((~certified).sum())} not certified {int((table.loc[~certified, 'above'] > above).sum())} "
        "have a lower one.",
        kinds.to_string(),
        *(
            f'problem("{r.law}", {r.turn}), {r.objective}: {r.value:.10g} certified, {r.lowest:.10g} found'
            for r in wrong.itertuples()
        ),
    ]
    return "\n\n".join(words), table.to_dict("records"), not len(wrong)


def moments(options: argparse.Namespace) -> Found:
    """SIGINT at random moments, eight threads, spawned processes."""
    from tests.hostile.moments import TASKS, in_a_pool, in_threads, interrupted

    rng, rows = np.random.default_rng(options.seed), []
    for name in TASKS:
        seen = interrupted(name, options.moments, rng)
        rows.append(
            {
                "task": name,
                "interrupts": seen["moments"],
                "that ended it": seen["ended"],
                "longest wait, s": seen["longest"],
                "changed afterwards": ", ".join(seen["wrong"]) or "nothing",
                "8 threads": "same bits" if in_threads(name) else "WRONG",
                "spawned pool": "same bits" if in_a_pool(name) else "WRONG",
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    reached = (table["that ended it"] > 0).all()  # interrupts that nobody notices show nothing
    good = reached and (table["changed afterwards"] == "nothing").all() and not (table == "WRONG").any().any()
    return "Interrupts and company\n\n" + table.to_string(index=False), rows, bool(good)


PARTS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "doors": doors,
    "faults": faults,
    "optima": optima,
    "moments": moments,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adversary")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--calls", type=int, default=15, help="hostile calls per door")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--kept", type=Path, help="file of calls that were made already, and of new ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    found = {name: PARTS[name](options) for name in options.only}
    text = "\n\n\n".join(words for words, _, _ in found.values())
    print(text)
    if options.save:
        save("adversary", text, {name: record for name, (_, record, _) in found.items()})
    return sum(not good for _, _, good in found.values())


if __name__ == "__main__":
    sys.exit(main())
