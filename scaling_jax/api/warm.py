"""Programs of many laws compiled before anybody waits for them, and kept for later processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scaling_jax import laws as catalogue
from scaling_jax.api.fit import fit
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.core.progress import progress_bar
from scaling_jax.engine import stored
from scaling_jax.engine.predict import predict
from scaling_jax.engine.sampling import sample_numbers
from scaling_jax.tables.read import read_inputs

__all__ = ["LENGTHS", "Warmed", "warm"]

LENGTHS = (64, 128, 256)  # rows that tables of up to as many are padded to
LONGEST = 4096  # longer ones are searched on fewer rows
TRIES = 64  # points of a law, among which is one with values that can be fitted
SCHEDULE = np.where(np.arange(1000) < 500, 1e-3, 2e-4)  # of laws that take one
NOISE = 0.01


class Warmed(NamedTuple):
    """What `warm` did.

    Args:
        laws: how many laws are ready.
        left_out: names of those that could not be fitted to values of their own.
        programs, megabytes: of all that is kept now.
        folder: where.
        seconds: how long it took.
    """

    laws: int
    left_out: tuple[str, ...]
    programs: int
    megabytes: float
    folder: str
    seconds: float


@checked
def warm(laws: Sequence[Law] | None = None, rows: Sequence[int] = LENGTHS) -> Warmed:
    """Compiles what a first fit of each law needs and keeps it on disk, so that no later process has to.

    Each law is fitted to values of its own and its summary is written, once per length of table: what a fit
    of your table needs is then read. Tables are padded to powers of two from 64 up, so three lengths serve
    all tables of up to 256 rows. Takes one to three seconds per law and length; what is there is not compiled
    again.

    Args:
        laws: which laws; by default every law of the catalogue that is not made to order.
        rows: lengths of tables.

    Returns:
        Warmed: how many laws are ready, and where.

    Raises:
        ValueError: lengths that no table has.
        OSError: nothing can be kept here, and why: the cache is turned off (SCALING_JAX_CACHE is
            empty), or its folder cannot be used.

    >>> import scaling_jax as sj
    >>> sj.warm([sj.laws.power_law], rows=[40]).laws
    1
    """
    began = time.monotonic()
    if (why := stored.available()) is not None:
        raise OSError(f"No programs can be kept: {why}.")
    if not rows or not all(1 <= n <= LONGEST for n in rows):
        raise ValueError(
            f"rows={shown(list(rows))}: give lengths of tables up to {LONGEST}, such as [64, 256]."
        )
    chosen = [law for law in vars(catalogue).values() if isinstance(law, Law)] if laws is None else list(laws)
    left_out = []
    with progress_bar(len(chosen), "compiling", "law") as progress:
        for done, law in enumerate(chosen):
            progress(done, len(chosen))
            could = [_used(law, n) for n in rows]
            if not all(could):
                left_out.append(law.name)
    stored.settle()
    programs, size = stored.inventory()
    return Warmed(
        len(chosen) - len(left_out),
        tuple(left_out),
        programs,
        size / 2**20,
        str(stored.folder()),
        time.monotonic() - began,
    )


def _used(law: Law, rows: int) -> bool:
    """Whether a law could be fitted to values of its own, and the fit shown."""
    rng = np.random.default_rng(0)
    table = {
        name: np.clip(np.exp(rng.uniform(np.log(2.0), np.log(1e3), rows)), domain.lower, domain.upper)
        for name, domain in law.input_domains.items()
    }
    if law.curves:
        table |= dict.fromkeys(law.curves, SCHEDULE) | {law.along: table[law.along].round()}
    inputs = read_inputs(law, table) if law.curves else table
    with np.errstate(all="ignore"):
        values = predict(law, sample_numbers(law, TRIES, inputs), inputs)
    usable = np.flatnonzero((np.isfinite(values) & (values > 0)).all(axis=1))
    if not len(usable):
        return False
    target = values[usable[0]] * np.exp(rng.normal(0, NOISE, rows))
    str(fit(law, {**table, "value": target}, target="value"))
    return True
