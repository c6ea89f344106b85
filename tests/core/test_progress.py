"""Progress is shown to a person who watches, and to nobody else."""

from __future__ import annotations

from tests.cases.simulated import fit


def test_fitting_is_silent_where_nobody_watches(capfd) -> None:
    fit(starts="grid", screen=False)
    out, err = capfd.readouterr()
    assert out == "" and err == ""
