"""Every data set is listed, documented and in the units it claims; wrong names are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch
from tests.datasets.upstream import MIRROR, PUBLIC, loaded, needs_data

CATALOGUE = datasets.list().set_index("name")
TABLES = [(name, table) for name in PUBLIC for table in CATALOGUE.loc[name, "tables"].split(", ")]


def test_list_names_every_data_set():
    table = datasets.list()
    assert set(table["name"]) == {
        "tiny_sweep",
        "chinchilla_replication",
        "overtraining",
        "finetuning",
        "observational",
        "learning_curves",
        "hitchhikers",
    }
    assert {"name", "rows", "what", "source", "licence", "size"} <= set(table.columns)
    assert table.set_index("name").loc["chinchilla_replication", "rows"] == 245


def test_importing_is_light():
    code = (
        "import sys; from scaling_jax.datasets import _catalog, _fetch; import scaling_jax.datasets, "
        "scaling_jax.datasets.wandb;"
        "print([m for m in ('pooch', 'requests', 'pyarrow.parquet', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_data
def test_the_registry_is_the_mirror_s():
    lines = (MIRROR / "SHA256SUMS").read_text().splitlines()
    known = {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}
    assert _fetch.registry().items() <= known.items()


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match="unknown data set 'chinchila': choose one of tiny_sweep, chinchilla_replication"
    ):
        datasets.load("chinchila")


@needs_data
def test_unknown_tables_are_refused_with_the_known_ones(mirror):
    with pytest.raises(ValueError, match="has no table 'grid': choose one of models, grid_search, tasks"):
        datasets.load("overtraining", table="grid")


@needs_data
@pytest.mark.parametrize(("name", "table"), TABLES)
def test_every_table_is_documented_and_typed(name, table):
    frame = loaded(name, table)
    columns = frame.attrs["columns"]
    assert all(any(fnmatchcase(name, pattern) for pattern in columns) for name in frame.columns)
    if table == CATALOGUE.loc[name, "tables"].split(", ")[0]:
        assert len(frame) == CATALOGUE.loc[name, "rows"]
    for key in ("source", "commit", "licence", "citation", "missing", "columns"):
        assert key in frame.attrs
    assert frame.attrs["source"].startswith("https://github.com/") and len(frame.attrs["commit"]) == 40
    json.dumps(frame.attrs)
    assert isinstance(frame.index, pd.RangeIndex)
    for column in frame.columns:
        kind = frame[column].dtype.kind if isinstance(frame[column].dtype, np.dtype) else "O"
        # Numbers are numbers: no text among them, no Python integers too large for int64.
        assert kind in "ifb" or frame[column].dropna().map(type).eq(str).all(), column


@needs_data
@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [
        ("chinchilla_replication", "n_params", 5e7, 1.7e10),
        ("chinchilla_replication", "tokens", 2e8, 4e11),
        ("chinchilla_replication", "flops", 1e18, 2e22),
        ("chinchilla_replication", "loss", 2.0, 5.1),
        ("overtraining", "n_params", 1e7, 7e9),
        ("overtraining", "tokens", 5e7, 1e12),
        ("overtraining", "flops_6nd", 3e15, 1e22),
        ("overtraining", "loss_c4_eval", 2.0, 6.5),
        ("overtraining", "err_avg_17", 0.2, 1.0),
        ("finetuning", "n_params", 1e7, 8e9),
        ("finetuning", "train_size", 0, 1638400),
        ("finetuning", "test_loss", 0.1, 40),
        ("observational", "n_params", 5e7, 6e11),
        ("observational", "tokens", 2e9, 7e14),
        ("observational", "flops", 1e18, 5e25),
        ("observational", "MMLU", 0.2, 0.9),
        ("learning_curves", "loss", 0.0, 5.0),
        ("hitchhikers", "tokens_seen", 1e5, 3e12),
        ("hitchhikers", "flops", 0.0, 1e26),
        ("hitchhikers", "loss", 0.01, 70.0),
    ],
)
def test_numbers_are_in_the_units_they_claim(name, column, low, high):
    values = loaded(name)[column].dropna()
    assert values.between(low, high).all(), (values.min(), values.max())


@needs_data
def test_a_table_with_another_number_of_rows_is_refused(mirror, monkeypatch):
    monkeypatch.setattr(pd, "read_csv", lambda *args, **kwargs: READ_CSV(*args, **kwargs).iloc[:-1])
    with pytest.raises(ValueError, match="has 244 rows instead of 245"):
        datasets.load("chinchilla_replication")


READ_CSV = pd.read_csv
