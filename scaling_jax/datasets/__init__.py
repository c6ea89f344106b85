"""Public tables of training runs by name, and simulated ones with a known truth.

`list()` shows what there is, `load(name)` returns a table, `simulate(...)` makes one from a law. Nothing is
downloaded before `load` needs it; every file is checked against its registered SHA-256.
"""

from __future__ import annotations

import importlib
import os
import pkgutil

import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.datasets._catalog import Dataset
from scaling_jax.datasets._fetch import Files
from scaling_jax.datasets.simulate import simulate

__all__ = ["list", "load", "simulate"]


def _offered() -> dict[str, Dataset]:
    """The `DATASET` of every file of this folder that has one, by its name; our own comes first."""
    names = sorted(
        (info.name for info in pkgutil.iter_modules(__path__)), key=lambda n: (n != "tiny_sweep", n)
    )
    files = [importlib.import_module(f"{__name__}.{name}") for name in names if name[0] != "_"]
    return {file.DATASET.name: file.DATASET for file in files if hasattr(file, "DATASET")}


_CATALOG = _offered()


def catalogue() -> pd.DataFrame:
    """The data sets that `load` knows, one row each: `sj.datasets.list()`.

    Returns:
        DataFrame with name, rows (of the default table), what, source, licence, size (of what is downloaded)
        and tables (names for `load(..., table=...)`).

    >>> from scaling_jax import datasets
    >>> "chinchilla_replication" in set(datasets.list()["name"])
    True
    """
    records = [
        {
            "name": data.name,
            "rows": data.rows(),
            "what": data.what,
            "source": data.source,
            "licence": data.licence,
            "size": data.size,
            "tables": ", ".join(data.tables),
        }
        for data in _CATALOG.values()
    ]
    return pd.DataFrame.from_records(records).astype({"rows": "Int64"})


@checked
def load(
    name: str,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    table: str | None = None,
) -> pd.DataFrame:
    """A public table of training runs, fetched from its official home at a pinned commit and tidied.

    Files are taken from the folder named by the environment variable `SCALING_JAX_DATA` (laid out as
    OWNER/NAME/COMMIT/PATH) where it holds them, else from the cache, else downloaded into the cache.

    Args:
        name: a name from `list()`.
        cache_dir: folder for downloaded files; by default the user's cache folder.
        table: one of the data set's tables; by default its first.

    Returns:
        DataFrame; N in parameters, D in tokens, C in FLOP, loss in nats per token unless `attrs["columns"]`
        says otherwise. `df.attrs` holds name, table, source, commit, licence, citation, columns (meaning and
        unit), missing (what could not be fetched or verified) and notes.

    Raises:
        ValueError: an unknown name or table, or a file that is not the registered one (with both checksums).
        ConnectionError: a file is neither here nor downloadable.
        ImportError: a download is needed and pooch is missing.

    >>> from scaling_jax import datasets
    >>> runs = datasets.load("chinchilla_replication")  # doctest: +SKIP
    >>> len(runs), runs.attrs["licence"]                # doctest: +SKIP
    (245, 'none stated; attribute Besiroglu et al. 2024 and Hoffmann et al. 2022')
    """
    if name not in _CATALOG:
        raise ValueError(f"Got the unknown data set {shown(name)}: choose one of {', '.join(_CATALOG)}.")
    return _CATALOG[name].load(Files(cache_dir), table)


list = catalogue  # the public name, bound last: above it, list is Python's own
