"""The paper's figures redrawn from the tidy table of laws: `draw(laws, folder)`.

Errors are absolute relative errors in percent on the target's last checkpoint, as the printed maps have them;
the colour ends at 35 percent as theirs does, the numbers do not. Cells whose law is not determined by its
rows are set in italics.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.thousand_laws.compare import determined, macro_map
from benchmarks.thousand_laws.laws import PARAMETERS

DARKEST = 35.0
DARK = 15.0
DOTS = 150
SHARE = "share of the training run"
SIZES = "model sizes fitted"


def draw(laws: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Writes every figure that the table's experiments allow, as PNG; their files."""
    import matplotlib.pyplot as plt

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    present = set(laws["experiment"])
    wanted = (
        {"families": families, "macro_map": macro_maps, "gpt3": gpt3, "parameters": parameters}
        if "hist" in present
        else {}
    )
    files = []
    for name, figure in wanted.items():
        drawn = figure(laws)
        files.append(folder / f"{name}.png")
        drawn.savefig(files[-1], dpi=DOTS)
        plt.close(drawn)
    return files


def families(laws: pd.DataFrame) -> Any:
    """One map per family of three sizes or more: error by sizes and share of training (their figure 1b)."""
    import matplotlib.pyplot as plt

    hist = laws[(laws["experiment"] == "hist") & (laws["n_sizes"] >= 2)]
    names = [name for name, part in hist.groupby("family") if part["n_sizes"].max() >= 3]
    width = 3
    figure, axes = plt.subplots(
        -(-len(names) // width), width, figsize=(13.5, 2.9 * -(-len(names) // width)), layout="constrained"
    )
    panels = np.atleast_1d(axes).ravel()
    for name, ax in zip(names, panels, strict=False):
        image = _family(ax, hist[hist["family"] == name], name)
    for ax in panels[len(names) :]:
        ax.axis("off")
    _bar(figure, image, panels)
    return figure


def macro_maps(laws: pd.DataFrame) -> Any:
    """The mean over families, without and with the first 10 billion tokens (their figure 5)."""
    import matplotlib.pyplot as plt

    titles = {"hist": "without the first 10B tokens", "hist_no_cut": "with the first 10B tokens"}
    shown = [name for name in titles if (laws["experiment"] == name).any()]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(7 * len(shown), 3.6), layout="constrained", squeeze=False
    )
    for name, ax in zip(shown, axes[0], strict=True):
        table = macro_map(laws[laws["experiment"] == name])
        image = _map(ax, table, np.zeros(table.shape, dtype=bool), f"Mean over families, {titles[name]}")
        ax.set_yticks(range(len(table)), [f"{n}+" if n == 8 else str(n) for n in table.index])
    _bar(figure, image, axes[0])
    return figure


def gpt3(laws: pd.DataFrame) -> Any:
    """The GPT-3 grid on both targets: mean over the last 30 percent, and the last checkpoint."""
    import matplotlib.pyplot as plt

    part = laws[(laws["experiment"] == "hist") & (laws["family"] == "gpt3")]
    figure, axes = plt.subplots(1, 2, figsize=(14, 3.4), layout="constrained")
    for ax, (column, target) in zip(
        axes, {"are_last30": "last 30 %", "are_last1": "last checkpoint"}.items(), strict=True
    ):
        image = _family(ax, part, f"GPT-3, {target} of its largest model", column)
    _bar(figure, image, axes)
    return figure


def parameters(laws: pd.DataFrame) -> Any:
    """Where laws lie: exponent against constant (their figure 3), and the components of all five."""
    import matplotlib.pyplot as plt

    hist = laws[(laws["experiment"] == "hist") & determined(laws)].sort_values("n_models")
    names = sorted(hist["family"].unique())
    colours = dict(zip(names, plt.colormaps["viridis"](np.linspace(0, 0.9, len(names))), strict=True))
    points = hist[list(PARAMETERS)].to_numpy()
    centred = points - points.mean(axis=0)
    _, spread, axes_of = np.linalg.svd(centred, full_matrices=False)
    share = spread**2 / np.sum(spread**2)
    scores = centred @ axes_of[:2].T
    figure, axes = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
    pairs = [(hist["a"], hist["alpha"]), (hist["b"], hist["beta"]), (scores[:, 0], scores[:, 1])]
    labels = [
        ("ln A", "alpha"),
        ("ln B", "beta"),
        *[tuple(f"component {i + 1} ({100 * share[i]:.1f} %)" for i in range(2))],
    ]
    for ax, (x, y), (across, up) in zip(axes, pairs, labels, strict=True):
        for name in names:
            mine = (hist["family"] == name).to_numpy()
            ax.plot(np.asarray(x)[mine], np.asarray(y)[mine], "o", ms=4, color=colours[name], label=name)
        ax.set(xlabel=across, ylabel=up)
    axes[0].set_title("Size term")
    axes[1].set_title("Token term")
    axes[2].set_title(f"{len(hist)} laws, three components hold {100 * share[:3].sum():.2f} %")
    axes[2].legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _family(ax: Any, part: pd.DataFrame, title: str, column: str = "are_last1") -> Any:
    part = part.drop_duplicates(["n_sizes", "pct"]).assign(
        vague=lambda t: ~determined(t), n_sizes=lambda t: t["n_sizes"].astype(int)
    )
    table = part.pivot_table(index="n_sizes", columns="pct", values=[column, "vague"])
    return _map(ax, 100 * table[column], table["vague"].eq(True).to_numpy(), title)


def _map(ax: Any, table: pd.DataFrame, vague: np.ndarray, title: str) -> Any:
    """A heat map with its numbers; rows from few sizes at the bottom to many on top."""
    image = ax.imshow(table, cmap="viridis_r", vmin=0, vmax=DARKEST, aspect="auto", origin="lower")
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            text = f"{value:.1f}" if value < 99.95 else f"{value:.0f}" if value < 1000 else ">999"
            style = "italic" if vague[i, j] else "normal"
            ax.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=7,
                color="w" if value > DARK else "k",
                fontstyle=style,
            )
    ax.set_xticks(range(table.shape[1]), [f"{p:g}" for p in table.columns])
    ax.set_yticks(range(len(table)), [str(n) for n in table.index])
    ax.set(xlabel=SHARE, ylabel=SIZES)
    ax.set_title(title, fontsize="medium")
    return image


def _bar(figure: Any, image: Any, axes: Any) -> None:
    figure.colorbar(
        image, ax=list(axes), extend="max", label="absolute relative error (%)", shrink=0.8, aspect=30
    )
