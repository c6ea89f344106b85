"""Printed constants: every set evaluates in its range, and its protocol is one that `fit` takes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.fitting.spec import make_spec

NEGATIVE = {"tao2024"}  # a loss less that of word frequencies
TABLE_KEYS = {"inputs", "where", "target"}


@pytest.mark.parametrize("key", sj.published)
def test_an_entry_fits_its_law_and_is_finite_over_its_range(key: str) -> None:
    entry = sj.published[key]
    assert key == entry.key and set(entry.params) == set(entry.law.params) and entry.cite
    for name, domain in zip(entry.law.labels, entry.law.label_domains, strict=True):
        assert domain.contains(entry.params[name]), name
    numeric = [name for name in entry.law.inputs if name not in entry.law.curves]
    corners = np.meshgrid(*(np.geomspace(*entry.range[name], 3) for name in numeric))
    by_name = dict(zip(numeric, corners, strict=True))
    for name in entry.law.curves:
        updates = int(entry.range[entry.law.along][1])
        by_name[name] = np.linspace(*entry.range[name][::-1], updates)
        by_name[entry.law.along] = by_name[entry.law.along].round()
    values = entry(**by_name)
    assert np.isfinite(values).all() and (values * (-1 if key in NEGATIVE else 1) > 0).all()
    np.testing.assert_array_equal(values, entry.law(**by_name, **entry.params))
    assert key in repr(entry) and entry.units["target"] in repr(entry).replace("\n" + " " * 11, " ")


@pytest.mark.parametrize("key", [key for key, entry in sj.published.items() if entry.protocol])
def test_a_protocol_is_what_fit_takes(key: str) -> None:
    entry = sj.published[key]
    inspect.signature(sj.fit).bind(entry.law, None, count=entry.count, **entry.protocol)
    how = {name: value for name, value in entry.protocol.items() if name not in TABLE_KEYS}
    defaults = {
        "objective": None,
        "fixed": None,
        "tied": None,
        "starts": None,
        "solver": "lm",
        "screen": True,
        "device": None,
    }
    make_spec(entry.law, **(defaults | how), count=entry.count)
    if isinstance(starts := entry.protocol.get("starts"), dict):
        assert set(starts) == set(entry.law.params)
        assert all(
            entry.law.parameters[entry.law.params.index(name)].domain.contains(values).all()
            for name, values in starts.items()
        )
    if starts == "grid":
        assert set(entry.law.grid) == set(entry.law.params)
    assert bool(entry.data) == bool(TABLE_KEYS & set(entry.protocol)), (
        "columns belong to a data set of the package"
    )


def test_an_unknown_key_is_one_sentence_with_the_near_ones():
    with pytest.raises(
        KeyError,
        match=r"No published constants are called 'hofmann2022': near it are hoffmann2022, .* lists all",
    ):
        sj.published["hofmann2022"]
    with pytest.raises(KeyError, match="near it are gadre2024_c4"):
        sj.published["Gadre 2024"]
    with pytest.raises(KeyError, match="no name is near it"):
        sj.published["xyzzy"]


def test_the_overview_names_every_set_with_its_unit():
    table = sj.published.table()
    assert list(table.index) == list(sj.published)
    assert (table["target"] != "").all() and table["target"].notna().all()
    assert table.loc["choshen2024_OPT", "target"] == "perplexity"
    assert "PF-days" in repr(sj.published["kaplan2020_compute"])
    assert "hoffmann2022" in repr(sj.published)
