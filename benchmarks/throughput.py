"""A study of 100,000 laws: throughput at three sizes, flat memory, and what five kills do to its result.

    python -m benchmarks.throughput [--sizes 1000 10000 100000] [--kill 5] [--device] [--save]

Each group is a power law with floor of its own constants, seen in 4 to 20 runs with 1 % noise, and fitted
from 32 starts by `sj.study`. Every size runs in a process of its own that has fitted one small study before,
so that compiling is not timed and peak memory is that size's. With --kill, the largest study is begun again,
killed (SIGKILL) at random moments and resumed; the table it ends in must be the uninterrupted one's, byte for
byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.device import add_device, counts, driven, saved
from benchmarks.report import machine, peak_megabytes

STARTS = 32
CHUNK = 2000


def simulate(groups: int, seed: int = 0) -> pd.DataFrame:
    """Ragged tables told apart by `group`."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(4, 21, groups))
    E, A, alpha = (
        rng.uniform(1.4, 2.2, groups),
        np.exp(rng.normal(6, 0.3, groups)),
        rng.normal(0.35, 0.03, groups),
    )
    x = np.exp(rng.uniform(np.log(1e6), np.log(1e10), len(group)))
    mean = sj.laws.power_law_floor(x, E=E[group], A=A[group], alpha=alpha[group])
    return pd.DataFrame({"group": group, "x": x, "loss": mean * np.exp(rng.normal(0, 0.01, len(group)))})


def study(groups: int, folder: Path) -> pd.DataFrame:
    return sj.study(
        sj.laws.power_law_floor, simulate(groups), by="group", folder=folder, chunk=CHUNK, starts=STARTS
    )


def run(groups: int, folder: Path, device: bool) -> dict[str, Any]:
    """One size in this process, timed; a folder that is there is resumed, without warm programs."""
    if not folder.exists():
        with tempfile.TemporaryDirectory() as warm, driven(device):
            study(min(groups, CHUNK), Path(warm))
    begun, busy = time.perf_counter(), time.process_time()
    with driven(device) as traffic:
        laws = study(groups, folder)
    gone_over = counts(traffic, -(-groups // CHUNK))
    seconds, processor = time.perf_counter() - begun, time.process_time() - busy
    return {
        "laws": groups,
        "seconds": seconds,
        "processor seconds": processor,
        "laws per second": groups / seconds,
        "peak_mb": peak_megabytes(),
        "converged": int((laws["status"] == "converged").sum()),
        "underdetermined": int((laws["status"] == "underdetermined").sum()),
        "digest": digest(laws, folder),
        **({f"{name} per chunk": count for name, count in gone_over.items()} if device else {}),
    }


def digest(laws: pd.DataFrame, folder: Path) -> str:
    """Of the final table, as Parquet, and of every file it was put together from."""
    found = hashlib.sha256(laws.to_parquet(index=False))
    for part in sorted(folder.glob("part-*.parquet")):
        found.update(part.read_bytes())
    return found.hexdigest()


def started(groups: int, folder: Path, device: bool) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.throughput", "--one", str(groups), str(folder)]
    command += ["--device"] * device
    once = {
        "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "programs")
    }  # every process would compile for half a minute
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | once)


def ended(process: subprocess.Popen) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a study ended with {process.returncode}")
    return json.loads(out.strip().splitlines()[-1])


def killed(
    groups: int, folder: Path, times: int, whole: dict[str, Any], device: bool
) -> list[dict[str, Any]]:
    """Kills the study at `times` random moments of its way, and lets it end:
    what was on disk before and after each kill."""
    rng = np.random.default_rng(1)
    parts = -(-groups // CHUNK)
    moments = np.sort(rng.uniform(0, parts, times))
    # killed so long after a chunk was finished: anywhere within the next
    rests = rng.uniform(0, whole["seconds"] / parts, times)
    found = []
    for moment, rest in zip(moments, rests, strict=True):
        process = started(groups, folder, device)
        while process.poll() is None and len(list(folder.glob("part-*.parquet"))) < int(moment):
            time.sleep(0.02)
        time.sleep(rest)
        reported = {part.name: part.read_bytes() for part in folder.glob("part-*.parquet")}
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = {part.name: part.read_bytes() for part in folder.glob("part-*.parquet")}
        found.append(
            {
                "chunks": len(kept),
                "lost": sum(kept.get(name) != content for name, content in reported.items()),
            }
        )
    return found


def report(sizes: list[dict[str, Any]], kills: dict[str, Any] | None) -> str:
    device = machine()
    lines = [
        f"{STARTS} starts each, 4 to 20 rows, chunks of {CHUNK:,}; {device['device']}, {device['cores']} "
        "cores, "
        f"Python {device['python']}, jax {device['jax']}, {device['date']}",
        pd.DataFrame(sizes).drop(columns="digest").round(1).to_string(index=False),
    ]
    if kills:
        at = ", ".join(str(k["chunks"]) for k in kills["kills"])
        lost = sum(k["lost"] for k in kills["kills"])
        lines.append(
            f"{kills['laws']:,} laws killed with {at} of {kills['of']} chunks on disk and resumed: {lost} "
            "chunks lost, "
            f"final table {'byte-identical' if kills['identical'] else 'DIFFERENT'}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument(
        "--kill", type=int, default=0, help="how often the largest study is killed and resumed"
    )
    parser.add_argument(
        "--one", nargs=2, metavar=("GROUPS", "FOLDER"), help="one size in this process, its record as JSON"
    )
    add_device(parser)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(int(options.one[0]), Path(options.one[1]), options.device)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        sizes = [
            ended(started(groups, Path(scratch) / str(groups), options.device)) for groups in options.sizes
        ]
        kills = None
        if options.kill:
            folder, largest = Path(scratch) / "killed", sizes[-1]
            folder.mkdir()
            met = killed(largest["laws"], folder, options.kill, largest, options.device)
            again = ended(started(largest["laws"], folder, options.device))
            identical = again["digest"] == largest["digest"]
            kills = {
                "laws": largest["laws"],
                "of": -(-largest["laws"] // CHUNK),
                "kills": met,
                "identical": identical,
            }
    print(report(sizes, kills))
    if options.save:
        saved("throughput", report(sizes, kills), {"sizes": sizes, "kills": kills}, options.device)


if __name__ == "__main__":
    main()
