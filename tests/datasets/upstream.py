"""The original files beside the repository, and what is loaded from them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch

DATA = (Path(__file__).parents[2] / "../shared/data").resolve()
MIRROR = DATA / "upstream"
# the original files are public and may not be committed; downloading them in a test would test the network
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


def tidy(path: str) -> pd.DataFrame:
    """A table beside the repository, made from the original files by other means."""
    return pd.read_csv(DATA / path)


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame, digits: int | None = None) -> None:
    """Every cell is equal; a tidy table that keeps some digits is compared after rounding to as many."""
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs)
    for column in theirs.columns:
        a, b = ours[column].to_numpy(), theirs[column].to_numpy()
        if pd.api.types.is_numeric_dtype(ours[column]) or pd.api.types.is_bool_dtype(ours[column]):
            a, b = a.astype(float), b.astype(float)
            if digits and not pd.api.types.is_integer_dtype(ours[column]):
                a = np.array([float(f"{value:.{digits}g}") for value in a])
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=0, err_msg=column)
        else:
            assert ours[column].fillna("").tolist() == theirs[column].fillna("").tolist(), column
