"""A folder of chunks: each is made once, whatever happens in between, and belongs to one plan."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from scaling_jax.tables.store import in_chunks


def kept(folder: Path, plan: dict, made: list[int]) -> pd.DataFrame:
    def make(chunk: int) -> pd.DataFrame:
        made.append(chunk)
        return pd.DataFrame({"n": [chunk], "square": [chunk**2]})

    return in_chunks(folder, plan, [1, 2, 3], make)


def test_a_chunk_is_made_once_and_a_lost_one_again(tmp_path: Path) -> None:
    made: list[int] = []
    table = kept(tmp_path, {"law": "a"}, made)
    assert table["square"].tolist() == [1, 4, 9] and made == [1, 2, 3]
    (tmp_path / "part-000001.parquet").unlink()
    pd.testing.assert_frame_equal(kept(tmp_path, {"law": "a"}, made), table)
    assert made == [1, 2, 3, 2]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), table)


def test_a_folder_of_another_plan_is_refused_by_what_differs(tmp_path: Path) -> None:
    kept(tmp_path, {"law": "a", "starts": 3}, [])
    with pytest.raises(ValueError, match="differs in starts: give another folder"):
        kept(tmp_path, {"law": "a", "starts": 4}, [])
