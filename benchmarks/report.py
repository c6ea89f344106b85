"""How a benchmark says what it measured: the machine in words, peak memory, and a record under
benchmarks/results/."""

from __future__ import annotations

import datetime
import json
import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Device, cores and versions, without anything that names the host."""
    import jax

    packages = ("jax", "numpy", "scipy", "optimistix", "scaling-jax")
    return {
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "date": datetime.date.today().isoformat(),
    }


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save(name: str, text: str, record: Any) -> None:
    """Writes the printed table and its numbers."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.txt").write_text(text.rstrip() + "\n")
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"machine": machine(), "results": record}, indent=1) + "\n"
    )
