"""Reports as Markdown: pictures beside the file, words as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import scaling_jax as sj

pytest.importorskip("altair", reason="reports need the extra `report`")


def test_pictures_are_written_beside_the_file(best: sj.FitResult, tmp_path: Path) -> None:
    made = str(best.report(tmp_path / "fit.md"))
    named = {line.split("](")[1].rstrip(")") for line in made.splitlines() if line.startswith("![")}
    assert {f"fit_files/{name}.svg" for name in ("extrapolation", "predicted", "contours")} <= named
    for name in named:
        assert (tmp_path / name).read_text().startswith("<svg")


def test_tables_are_tables(best: sj.FitResult) -> None:
    made = str(best.report(format="markdown"))
    assert "| parameter |" in made and made.count("```") == 2
    for line in made.splitlines():
        assert not line.startswith("| ") or line.endswith(" |")
