"""`python -m benchmarks.sweep`: train what the log does not hold yet, write the table, say what it cost."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .corpus import PROSE, PYTHON
from .design import Run, stages
from .search import choose
from .table import tidy, write
from .train import Log, execute

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "scaling_jax" / "_data" / "tiny_sweep.csv.gz"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--work", type=Path, default=HERE / "_work", help="corpus, saved states and the log")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--only-table", action="store_true", help="write the table from the log as it stands")
    options = parser.parse_args()

    # One thread adds in one order, so that losses do not depend on the number of cores.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    log = Log(options.work / "rows.jsonl")
    if not options.only_table:
        sweep(options.work, log)
    table = tidy(log.rows())
    write(table, options.table)
    cost = sum(r["cpu_seconds"] for r in log.rows()) / 3600
    print(f"{options.table.name}: {len(table)} rows, {table['run'].nunique()} runs, {cost:.2f} CPU-hours")


def sweep(work: Path, log: Log) -> None:
    work.mkdir(parents=True, exist_ok=True)
    (work / "pid").write_text(str(os.getpid()))  # so that it can be paused
    texts = {corpus: corpus.build(work) for corpus in (PYTHON, PROSE)}

    def train(run: Run) -> None:
        for row in execute(run, texts[run.corpus], work):
            log.append(row)
            if row["final"]:
                print(
                    f"{run.name} {row['tokens']:,} bytes: {row['loss']:.4f} ({row['cpu_seconds']:.0f} s)",
                    flush=True,
                )

    def loss(run: Run) -> float:
        train(run)  # at once if it is done already
        return next(r["loss"] for r in log.rows() if r["run"] == run.name and r["final"])

    for stage in stages(lambda size, first: choose(size, first, loss)):
        for run in stage:
            train(run)


if __name__ == "__main__":
    main()
