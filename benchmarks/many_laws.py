"""Law after law in one process: whether memory and memory maps level off.

    python -m benchmarks.many_laws [--fits 500] [--save]

Every fit is of a law that was never seen, on a table of one of eight lengths. Resident memory and maps are
printed every twentieth; Linux ends a process at 65,530 maps.
"""

from __future__ import annotations

import argparse
import gc
import time

import jax.numpy as jnp
import numpy as np

import scaling_jax as sj
from benchmarks.report import machine, save

EVERY = 20
PAGE = 4096


def resident_megabytes() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE / 2**20


def maps() -> int:
    with open("/proc/self/maps") as file:
        return file.read().count("\n")


def law_of(number: int) -> sj.Law:
    @sj.law(name=f"mine{number}")
    def mine(N, *, E: sj.Positive, A: sj.Positive, alpha: sj.Real):
        return E + A * (N + number) ** -alpha * (1 + jnp.sin(number) / N)

    return mine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=500)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    record, lines = [], [f"{'fits':>6}{'resident':>12}{'maps':>8}{'seconds so far':>17}"]
    print(lines[0], flush=True)
    begun = time.perf_counter()
    for number in range(1, options.fits + 1):
        N = np.geomspace(1e7, 1e10, 20 + 24 * (number % 8))
        assert sj.fit(law_of(number), {"N": N, "loss": 2 + 100 * N**-0.3}).status
        if number % EVERY == 0 or number == 1:
            record.append((number, resident_megabytes(), maps(), time.perf_counter() - begun))
            lines.append("{:>6}{:>9.0f} MB{:>8}{:>15.0f} s".format(*record[-1]))
            print(lines[-1], flush=True)
    sj.clear_caches()
    gc.collect()
    lines.append(f"after sj.clear_caches(): {resident_megabytes():.0f} MB, {maps()} maps")
    lines.append(", ".join(f"{k} {v}" for k, v in machine().items()))
    print("\n".join(lines[-2:]))
    if options.save:
        save("many_laws", "\n".join(lines), record)


if __name__ == "__main__":
    main()
