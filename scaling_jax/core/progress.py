"""A progress bar for work that lasts: quiet for the first seconds, and wherever no person watches."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar"]

QUIET_SECONDS = 3.0


@contextmanager
def progress_bar(
    n_fits: int, verb: str = "fitting", unit: str = "start"
) -> Iterator[Callable[[int, int], None]]:
    """Yields `update(done, total)`; the bar shows after a few seconds, where a person can see it."""
    bar = _tqdm()(
        total=1,
        desc=f"{verb} {n_fits}" if n_fits > 1 else verb,
        unit=unit,
        delay=QUIET_SECONDS,
        disable=None,
        leave=False,
    )

    def update(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        yield update
    finally:
        bar.close()


def _tqdm() -> Any:
    """The bar of a notebook where it can be shown; without ipywidgets tqdm's own choice begins with a red
    warning."""
    if importlib.util.find_spec("ipywidgets") is None:
        from tqdm.std import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm
