"""The one setting of memory: what it may say, and how many items follow from it."""

from __future__ import annotations

import pytest

from scaling_jax.core.memory import DEFAULT, SETTING, fitting_in, working_memory


def test_without_the_setting_there_is_a_default(monkeypatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    assert working_memory() == DEFAULT and fitting_in(DEFAULT / 3) == 3


@pytest.mark.parametrize(
    ("said", "size"), [("1000", 1000), ("2kb", 2048), ("1.5 MB", 3 * 2**19), ("4G", 2**32), ("1TB", 2**40)]
)
def test_sizes_are_read_as_people_write_them(monkeypatch, said: str, size: int) -> None:
    monkeypatch.setenv(SETTING, said)
    assert working_memory() == size


@pytest.mark.parametrize("said", ["", "much", "-1GB", "0", "1EB", "nan"])
def test_what_is_no_size_is_one_sentence(monkeypatch, said: str) -> None:
    monkeypatch.setenv(SETTING, said)
    with pytest.raises(ValueError, match=f"{SETTING} is {said!r}: give a size such as 512MB"):
        working_memory()


def test_one_item_is_always_worked_on(monkeypatch) -> None:
    monkeypatch.setenv(SETTING, "1KB")
    assert fitting_in(1e9) == 1
