"""Packages that only some features need."""

from __future__ import annotations

import sys

import pytest

from scaling_jax.core.optional import needs


def test_a_package_that_is_there_is_given() -> None:
    assert needs("json", "data", "This needs") is sys.modules["json"]


def test_one_that_is_not_is_a_sentence_with_the_remedy() -> None:
    with pytest.raises(ImportError, match=r"^This needs nowhere: pip install 'scaling-jax\[data\]'\.$"):
        needs("nowhere.inside", "data", "This needs")
