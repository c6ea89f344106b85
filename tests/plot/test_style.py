"""The look is a context: inside it everything is ours, outside nothing has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

import scaling_jax as sj
from scaling_jax.plot.axes import axes_for, grid_for
from scaling_jax.plot.palette import DARK
from scaling_jax.plot.style import COLUMN, picture


def test_nothing_is_left_behind() -> None:
    before = dict(matplotlib.rcParams)
    with sj.plot.style(dark=True):
        assert matplotlib.rcParams["axes.facecolor"] == DARK.paper
    assert dict(matplotlib.rcParams) == before


@picture
def drawn(ax=None):
    ax = axes_for(ax)
    ax.set_title("size")
    return ax


def test_a_new_figure_fits_a_column_and_given_axes_keep_their_size() -> None:
    before = dict(matplotlib.rcParams)
    ax = drawn()
    assert ax.figure.get_size_inches()[0] == pytest.approx(COLUMN)
    assert ax.title.get_fontsize() == 8
    given = Figure().subplots()
    assert drawn(ax=given) is given and drawn(given) is given
    assert given.title.get_fontsize() == matplotlib.rcParams["font.size"] * 1.2, "large, as matplotlib has it"
    assert dict(matplotlib.rcParams) == before


def test_ticks_made_later_are_ours_too() -> None:
    ax = drawn()
    ax.set_xlim(0, 1)
    ax.figure.draw_without_rendering()
    sizes = {label.get_fontsize() for label in ax.get_xticklabels()}
    assert len(sizes) == 1 and sizes.pop() < 8


def test_a_dark_context_is_kept() -> None:
    with sj.plot.style(dark=True):
        ax = drawn()
    ax.figure.draw_without_rendering()
    assert matplotlib.colors.to_hex(ax.get_facecolor()) == DARK.paper
    assert {matplotlib.colors.to_hex(label.get_color()) for label in ax.get_yticklabels()} == {DARK.ink}


def test_too_few_axes_are_told() -> None:
    with pytest.raises(ValueError, match="holds 1 axes, and this picture needs 4"):
        grid_for([Figure().subplots()], 2, 2, 3.0, 3.0)


NOTEBOOK = """
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

matplotlib.interactive(True)
"""
SCRIPT = """
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pandas as pd
from scaling_jax import plot

plot.heat(pd.DataFrame({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2], "error": [1.0, 2, 3, 4]}), "a", "b", "error")
print(matplotlib.is_interactive())
"""


def test_a_backend_that_turns_interactive_mode_on_keeps_it_on(tmp_path: Path) -> None:
    """As notebooks do: otherwise none but the first picture of a notebook is shown."""
    (tmp_path / "notebook_backend.py").write_text(NOTEBOOK)
    paths = [str(tmp_path), str(Path(sj.__file__).parents[1])]
    known = {"MPLBACKEND": "module://notebook_backend", "PYTHONPATH": os.pathsep.join(paths)}
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | known, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "True"
