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
END = ""  # no line is empty
LAW_CALLS = 8  # laws are called by one method

Row = dict[str, Any]


def attacked(calls: int, seed: int = 0, kept: Path | None = None) -> list[Row]:
    """One row per call: door, what was hostile, outcome, words, seconds, where.

    Args:
        calls: per door.
        seed: of what is drawn.
        kept: a file to which rows are added as they come; doors that it holds already are not attacked again.
    """
    from tests.hostile.walk import doors

    kept = kept or Path(tempfile.mkdtemp()) / "calls.jsonl"
    order = sorted(doors().values(), key=lambda door: (door.owner is not None, not door.is_law))
    while ahead := [door.name for door in order if door.name not in _done(kept)]:
        _block(ahead[:BLOCK], calls, seed, kept)
        print(f"{len(ahead)} doors ahead, {len(_rows(kept))} calls", file=sys.stderr, flush=True)
    return _rows(kept)


def _lines(kept: Path) -> list[Row]:
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def _rows(kept: Path) -> list[Row]:
    return [line for line in _lines(kept) if "kind" in line]


def _done(kept: Path) -> set[str]:
    return {line["door"] for line in _lines(kept) if "done" in line}


def _block(names: list[str], calls: int, seed: int, kept: Path) -> None:
    """The calls of a child, kept as they come; a door at which it had to be stopped counts as done."""
    command = [sys.executable, "-m", "benchmarks.adversary.doors", str(calls), str(seed), *names]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in child.stdout or ():
            lines.put(line)
        lines.put(END)

    threading.Thread(target=read, daemon=True).start()
    last: Row = {"door": names[0], "attack": "its example"}
    with kept.open("a") as file:
        for line in _until_silent(child, lines):
            last = json.loads(line)
            if "kind" in last or "done" in last:
                print(line.strip(), file=file, flush=True)
        if child.poll() is None:
            child.kill()
        if (code := child.wait()) != 0:
            how = "stopped after long silence" if code < 0 else f"the process ended with {code}"
            lost = {"door": last["door"], "attack": last.get("attack", ""), "kind": "hang", "words": how}
            print(json.dumps(lost | {"seconds": PATIENCE, "where": ""}), file=file)
            print(json.dumps({"door": last["door"], "done": True}), file=file)


def _until_silent(child: subprocess.Popen[str], lines: Queue[str]) -> Iterator[str]:
    while True:
        try:
            line = lines.get(timeout=PATIENCE)
        except Empty:
            return
        if line == END:
            child.wait()
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
        print(json.dumps({"door": name, "done": True}), flush=True)


if __name__ == "__main__":
    _child(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
