"""Hostile calls of every public function, in processes of their own, so that one that hangs or dies is
counted and the rest goes on.

    python -m benchmarks.adversary.doors CALLS SEED NAME ...

is the child: it attacks the named doors and prints a line of JSON before and after each call.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

__all__ = ["attacked"]

BLOCK = 100  # doors per process
PATIENCE = 300.0  # seconds without a word from the child, whatever it computes
LAW_CALLS = 8  # laws are called by one method

Row = dict[str, Any]


def attacked(calls: int, seed: int = 0) -> list[Row]:
    """One row per call: door, what was hostile, outcome, words, seconds, where."""
    from tests.hostile.walk import doors

    names, rows = list(doors()), []
    for begin in range(0, len(names), BLOCK):
        ahead = names[begin : begin + BLOCK]
        while ahead:
            found, ahead = _block(ahead, calls, seed)
            rows += found
        done = min(begin + BLOCK, len(names))
        print(f"{done} of {len(names)} doors, {len(rows)} calls", file=sys.stderr, flush=True)
    return rows


def _block(names: list[str], calls: int, seed: int) -> tuple[list[Row], list[str]]:
    """The calls of a child, and the doors it did not come to because it had to be stopped."""
    command = [sys.executable, "-m", "benchmarks.adversary.doors", str(calls), str(seed), *names]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines: Queue[str] = Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in child.stdout or ()], daemon=True)
    reader.start()
    rows, begun = [], None
    for line in _until_silent(child, lines):
        said = json.loads(line)
        begun = said if "kind" not in said else None
        rows += [said] if "kind" in said else []
        if "kind" in said and len(rows) % 100 == 0:
            print(f"{len(rows)} calls, at {said['door']}", file=sys.stderr, flush=True)
    if child.poll() is None:
        child.kill()
    code = child.wait()
    if begun is None and code == 0:
        return rows, []
    door = begun["door"] if begun else names[0]
    words = f"the process ended with {code}" if code >= 0 else f"stopped after {PATIENCE:g} s without a word"
    lost = {
        "door": door,
        "attack": (begun or {}).get("attack", "its example"),
        "kind": "hang",
        "words": words,
    }
    return [*rows, lost | {"seconds": 0.0, "where": ""}], names[names.index(door) + 1 :]


def _until_silent(child: subprocess.Popen[str], lines: Queue[str]) -> Iterator[str]:
    while True:
        try:
            line = lines.get(timeout=PATIENCE if child.poll() is None else 1.0)
        except Empty:
            return
        if line.startswith('{"door"'):
            yield line


def _child(calls: int, number: int, names: list[str]) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.hostile.calls import Attack, attempt, hostile
    from tests.hostile.walk import Door, doors

    folder = Path(tempfile.mkdtemp()) / "inner" / "most"
    folder.mkdir(parents=True)

    def attack_all(door: Door) -> None:
        @seed(number)
        @settings(
            max_examples=LAW_CALLS if door.is_law else calls,
            database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(hostile(door))
        def each(attack: Attack) -> None:
            told = {"door": door.name, "attack": attack.words[:200]}
            print(json.dumps(told), flush=True)
            outcome = attempt(attack, folder)
            ended = {"kind": outcome.kind, "words": outcome.words, "where": outcome.where}
            print(json.dumps(told | ended | {"seconds": round(outcome.seconds, 2)}), flush=True)

        each()

    for name in names:
        print(json.dumps({"door": name, "attack": "its example"}), flush=True)
        attack_all(doors()[name])


if __name__ == "__main__":
    _child(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
