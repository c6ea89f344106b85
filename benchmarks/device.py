"""--device: a benchmark on an accelerator, or on the processor driven like one, and what goes over to it.

On a processor the counts of calls and transfers are an accelerator's; the seconds are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from benchmarks.report import machine, save
from scaling_jax.engine.devices import as_an_accelerator
from scaling_jax.engine.traffic import Traffic, watched

__all__ = ["add_device", "counts", "driven", "saved", "told"]


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        action="store_true",
        help="the accelerator's way, on the processor where JAX sees no accelerator; results are kept apart",
    )


@contextmanager
def driven(device: bool) -> Iterator[Traffic]:
    """Within a `with` block the library goes the accelerator's way if so wanted, and what goes over is
    counted."""
    with as_an_accelerator() if device else nullcontext(), watched() as traffic:
        yield traffic


def counts(traffic: Traffic, works: int = 1) -> dict[str, Any]:
    """Calls and transfers so far, of each of so many equal works."""
    return {
        "dispatches": traffic.dispatches / works,
        "transfers": traffic.transfers / works,
        "of": ", ".join(f"{name} {count / works:g}" for name, count in traffic.calls.most_common()),
    }


def told(found: dict[str, Any]) -> str:
    """Counts in words."""
    return (
        f"driven as an accelerator: {found['dispatches']:g} dispatches, {found['transfers']:g} transfers "
        f"({found['of']})"
    )


def saved(name: str, text: str, record: Any, device: bool) -> None:
    """Saves results under a name that says which way they were made."""
    if device and machine()["device"] == "cpu":
        text += "\nno accelerator was there: the processor was driven like one, and its seconds say little"
    save(f"{name}_device" if device else name, text, record)
