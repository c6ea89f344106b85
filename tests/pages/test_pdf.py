"""Reports as PDF."""

from __future__ import annotations

from pathlib import Path

import pytest

import scaling_jax as sj
from tests.pages.hostile import hostile_fit

pytest.importorskip("altair", reason="reports need the extra `report`")
pytest.importorskip("typst", reason="Typst sets the PDF")


def test_a_fit_s_report_is_a_pdf(best: sj.FitResult, tmp_path: Path) -> None:
    made = best.report(tmp_path / "fit.pdf")
    assert isinstance(made, bytes) and made.startswith(b"%PDF-")
    assert (tmp_path / "fit.pdf").read_bytes() == made


def test_names_that_are_markup_are_set_as_they_are() -> None:
    """A name that calls `#panic` would stop the compiler, were it read as markup."""
    made = hostile_fit().report(format="pdf")
    assert isinstance(made, bytes) and made.startswith(b"%PDF-")
