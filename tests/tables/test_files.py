"""Tables out of files, those of a spreadsheet in another language among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.files import read_file

FRAME = pd.DataFrame({"x": [1.0, 10.5, 100.0, 1e9], "loss": [4.25, 2.1, 1.0, 0.5]})


def test_a_path_is_a_table(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "runs.csv", index=False)
    FRAME.to_csv(tmp_path / "runs.tsv", index=False, sep="\t")
    FRAME.to_json(tmp_path / "runs.jsonl", orient="records", lines=True)
    plain = sj.fit("power_law", FRAME)
    for name in ("runs.csv", "runs.tsv", "runs.jsonl"):
        assert sj.fit("power_law", tmp_path / name).fingerprint == plain.fingerprint
    assert sj.fit("power_law", str(tmp_path / "runs.csv")).fingerprint == plain.fingerprint
    rows = FRAME.to_dict("records")
    assert sj.fit("power_law", rows).fingerprint == plain.fingerprint


def test_semicolons_and_decimal_commas_are_read_and_said(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "runs.csv", index=False, sep=";", decimal=",")
    frame = read_file(tmp_path / "runs.csv")
    np.testing.assert_array_equal(frame, FRAME)
    said = "columns separated by semicolons, decimal commas in 'x', decimal commas in 'loss'"
    assert ", ".join(frame.attrs["read_as"]) == said
    fit = sj.fit("power_law", tmp_path / "runs.csv")
    assert said in " ".join(fit.summary().split())
    FRAME.to_csv(tmp_path / "runs.csv", index=False, sep="\t")
    np.testing.assert_array_equal(read_file(tmp_path / "runs.csv"), FRAME)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("none.csv", None, "There is no file"),
        ("runs.xls", "x", "is none of .csv"),
        ("runs.csv", "", "cannot be read as .csv"),
        ("runs.csv", "a,b\n1,2,3\n1,2\n1,2,3,4\n", "cannot be read as .csv"),
    ],
)
def test_other_files_are_one_sentence(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(sj.DataError, match=sentence):
        read_file(tmp_path / name)
