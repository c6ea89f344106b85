"""What breaks under a study: its process, its disk, its folder, another writer, its bytes.

Each fault is a function of (folder, study) that returns what was seen; a study is taken up again afterwards
and must end in the bytes of one that nothing happened to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["FAULTS", "REAL", "SMALL", "Study", "flipped", "parts"]

# a study of tables that cost nothing to make
TABLES = """
import sys, time
import numpy as np, pandas as pd
from pathlib import Path
from scaling_jax.tables.store import in_chunks
folder, kind, slow = sys.argv[1], sys.argv[2], float(sys.argv[3])
def make(chunk):
    time.sleep(slow)
    return pd.DataFrame({"n": [chunk] * 200, "square": np.arange(200) + chunk**2.0, "of": kind})
def run():
    return in_chunks(folder, {"kind": kind}, list(range(8)), make)
"""
# the same of real fits
FITS = """
import sys, time
import numpy as np, pandas as pd
from pathlib import Path
import scaling_jax as sj
folder, kind, slow = sys.argv[1], sys.argv[2], float(sys.argv[3])
rng = np.random.default_rng(0)
group = np.repeat(np.arange(64), 6)
x = np.exp(rng.uniform(np.log(1e6), np.log(1e9), len(group)))
loss = 20 / x ** (0.1 + 0.002 * group) * np.exp(rng.normal(0, 0.01, len(group)))
table = pd.DataFrame({"group": group, "x": x, "loss": loss})
objective = sj.Huber() if kind == "a" else sj.SquaredError()
def run():
    kept = {"by": "group", "folder": folder, "chunk": 8}
    return sj.study(sj.laws.power_law, table, starts=12, objective=objective, **kept)
"""
# root, for whom no folder is read-only, gives up what makes it so (Linux)
POWERLESS = """
import ctypes
nothing = (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), nothing) == 0
"""


@dataclass(frozen=True)
class Study:
    """A study as a script: what comes before `run()`, and how long a chunk is drawn out, in seconds."""

    script: str
    slow: float = 0.0

    def begin(
        self, folder: Path, kind: str = "a", before: str = "", slow: float | None = None
    ) -> subprocess.Popen[str]:
        """A process that runs it in a folder, after something was arranged."""
        script = f"{self.script}\n{before}\nrun()"
        command = [sys.executable, "-W", "ignore", "-c", script, str(folder), kind]
        return subprocess.Popen(
            [*command, str(self.slow if slow is None else slow)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def done(self, folder: Path, kind: str = "a", before: str = "") -> tuple[int, str]:
        """Its exit code, and the last line of what it said."""
        process = self.begin(folder, kind, before, 0.0)
        said = process.communicate()[1].strip().splitlines()
        return process.returncode, said[-1] if said else ""


SMALL = Study(TABLES, 0.02)
REAL = Study(FITS)


def parts(folder: Path) -> dict[str, bytes]:
    """The chunks that are there."""
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*.parquet"))}


def killed(study: Study, folder: Path, whole: dict[str, bytes], rng: np.random.Generator) -> str:
    """kill -9 at a moment between its first chunk and its last."""
    process = study.begin(folder)
    goal = int(rng.integers(1, len(whole)))
    while process.poll() is None and len(list(folder.glob("part-*.parquet"))) < goal:
        time.sleep(0.002)
    time.sleep(float(rng.uniform(0, 0.02)))
    process.kill()
    process.communicate()
    return _resumed(study, folder, whole)


def killed_in_a_write(study: Study, folder: Path, whole: dict[str, bytes], rng: np.random.Generator) -> str:
    """kill -9 when half of a file's bytes are written."""
    turn = int(rng.integers(1, len(whole) + 1))
    before = f"""
import os, signal
write, turns = Path.write_bytes, []
def half(file, data):
    turns.append(1)
    if len(turns) > {turn}:
        write(file, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(file, data)
Path.write_bytes = half
"""
    code, _ = study.done(folder, before=before)
    assert code == -signal.SIGKILL, code
    return _resumed(study, folder, whole)


def full_disk(study: Study, folder: Path, whole: dict[str, bytes], rng: np.random.Generator) -> str:
    """A disk of its own that is too small where the system lets us make one, a limit on files elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    room = max(12, sum(map(len, whole.values())) // 2048)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(folder)]
    own = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    half = len(max(whole.values(), key=len)) // 2
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({half},) * 2)"
    code, said = study.done(folder, before="" if own else limit)
    try:
        if code == 0 or not said.startswith("OSError: The folder"):
            return f"WRONG: ended with {code}: {said[:120]}"
        if not own:
            return _resumed(study, folder, whole)
        kept = parts(folder)
        return "resumed" if kept.items() <= whole.items() else "WRONG: a chunk differs"
    finally:
        if own:
            subprocess.run(["umount", str(folder)], capture_output=True)


def read_only(study: Study, folder: Path, whole: dict[str, bytes], rng: np.random.Generator) -> str:
    """A complete folder that cannot be written is read; one that lacks a chunk is a sentence."""
    nobody = POWERLESS if os.geteuid() == 0 else ""
    study.done(folder)
    folder.chmod(0o555)
    try:
        code, said = study.done(folder, before=nobody)
        if code:
            return f"WRONG: a complete folder is not read: {said[:200]}"
        folder.chmod(0o755)
        sorted(folder.glob("part-*.parquet"))[int(rng.integers(len(whole)))].unlink()
        folder.chmod(0o555)
        code, said = study.done(folder, before=nobody)
        if code == 0 or not said.startswith("OSError: The folder"):
            return f"WRONG: ended with {code}: {said[:200]}"
    finally:
        folder.chmod(0o755)
    return _resumed(study, folder, whole)


def two_writers(study: Study, folder: Path, whole: dict[str, bytes], rng: np.random.Generator) -> str:
    """Two studies that differ begin in one fresh folder at once: one owns it, the other is told."""
    both = [study.begin(folder, kind) for kind in "ab"]
    said = [process.communicate()[1].strip().splitlines()[-1:] for process in both]
    codes = [process.returncode for process in both]
    if sorted(code == 0 for code in codes) != [False, True]:
        return f"WRONG: they ended with {codes}"
    loser = said[codes.index(0) ^ 1]
    if not loser or "holds a study that differs in" not in loser[0]:
        return f"WRONG: the other was told {loser}"
    winner = "ab"[codes.index(0)]
    code, _ = study.done(folder, winner)
    same = winner == "b" or parts(folder) == whole
    return "resumed" if code == 0 and same else "WRONG: chunks are mixed"


def flipped(
    run: Callable[[], pd.DataFrame], folder: Path, rng: np.random.Generator, flips: int = 60
) -> dict[str, int]:
    """Single bytes of chunks and plan are changed, one after the other: noticed, harmless, or wrong."""
    expected, before = run(), parts(folder)
    seen = {"noticed": 0, "harmless": 0, "wrong": 0}
    for _ in range(flips):
        files = [*sorted(folder.glob("part-*.parquet")), folder / "_plan.json"]
        file = files[int(rng.integers(len(files)))]
        good = file.read_bytes()
        at = int(rng.integers(len(good)))
        file.write_bytes(good[:at] + bytes([good[at] ^ int(rng.integers(1, 256))]) + good[at + 1 :])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = run()
        same = found.equals(expected) and parts(folder) == before
        seen["wrong" if not same else "noticed" if said else "harmless"] += 1
    return seen


def _resumed(study: Study, folder: Path, whole: dict[str, bytes]) -> str:
    """Whether the study, taken up again, ends in the bytes it should, with nothing left beside them."""
    code, said = study.done(folder)
    if code:
        return f"WRONG: it does not go on: {said[:200]}"
    if parts(folder) != whole:
        return "WRONG: other bytes"
    left = [file.name for file in folder.iterdir() if file.name.startswith("_draft")]
    return f"WRONG: {left[0]} is left" if left else "resumed"


FAULTS: dict[str, Callable[..., str]] = {
    "kill -9 between two chunks": killed,
    "kill -9 in the middle of a write": killed_in_a_write,
    "a full disk": full_disk,
    "a folder that cannot be written": read_only,
    "two that differ begin at once": two_writers,
}
