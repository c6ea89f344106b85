"""The original files beside the repository, and what is loaded from them."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch

DATA = (Path(__file__).parents[2] / "../shared/data").resolve()
MIRROR = DATA / "upstream"
needs_data = pytest.mark.skipif(
    not MIRROR.is_dir(), reason="no ../shared/data/upstream beside the repository"
)

CHINCHILLA = datasets.chinchilla.FILE
PUBLIC = [name for name in datasets.list()["name"] if name != "tiny_sweep"]


@functools.cache
def loaded(name: str, table: str | None = None) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_fetch.MIRROR_VARIABLE, str(MIRROR))
        return datasets.load(name, table=table)
