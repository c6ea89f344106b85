"""All pictures on three tables and three tables of groups, on one sheet.

`python docs/make_contact_sheet.py FOLDER` reads the public tables from FOLDER (as `sj.datasets` keeps them
beside the repository) and writes `docs/_static/contact_sheet.webp`.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import make_pictures as ours
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

import scaling_jax as sj

OUT = Path(__file__).parent / "_static" / "contact_sheet.webp"
WIDTH, GAP, TITLE, DPI = 2400, 14, 26, 116
TALLEST = 440
PAPER, INK = "#eef0f3", "#1f2328"
TABLES = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "../shared/data")
Draw = Callable[[], object]


@cache
def chinchilla() -> sj.FitResult:
    table = pd.read_csv(TABLES / "chinchilla/epoch_replication.csv").iloc[5:]
    return sj.fit(sj.laws.chinchilla, table, inputs=ours.COLUMNS)


@cache
def farseer() -> tuple[sj.FitResult, pd.DataFrame]:
    table = pd.read_csv(TABLES / "scalebench/farseer.csv")
    return sj.fit(sj.laws.chinchilla, table.query("split == 'train'")), table.query("split == 'test'")


@cache
def recipes() -> pd.DataFrame:
    table = pd.read_csv(TABLES / "datadecide/losses.csv.gz")
    table = table[(table["size"] != "750M") & ~table["recipe"].str.contains("Dolma")]
    return table.assign(C=6.0 * table["n_params"] * table["tokens_schedule"])


@cache
def corpora() -> sj.FitGroups:
    table = pd.read_csv(TABLES / "gadre/models.csv")
    return sj.fit_groups(sj.laws.chinchilla, table, by="dataset", inputs=ours.COLUMNS, target="loss_openlm")


@cache
def experts() -> sj.FitGroups:
    table = pd.read_csv(TABLES / "routed_lm/final_losses.csv").query("in_headline_fit == 1")
    inputs = {"x": "dense_parameter_count"}
    return sj.fit_groups(sj.laws.power_law, table, by="num_experts", inputs=inputs, target="loss_validation")


@cache
def settings() -> sj.FitResult:
    table = pd.read_csv(TABLES / "step_law/dense.csv.gz")
    return sj.fit(sj.laws.lr_batch_surface, table.assign(B=table["batch_sequences"]), target="smooth_loss")


@cache
def annealed() -> tuple[sj.FitResult, pd.DataFrame]:
    """Three schedules fitted and two held out: rise to update 2,160, then as their names say."""
    peak, floor, rise = 3e-4, 3e-5, 2160
    held = sj.schedules.constant(7999, peak, warmup=rise)
    words = {"final": floor, "warmup": rise}
    rates = {
        "constant_24000": sj.schedules.constant(24000, peak, warmup=rise),
        "cosine_24000": sj.schedules.cosine(24000, peak, **words),
        "wsd_20000_24000": sj.schedules.wsd(24000, peak, cooldown=4000, shape="exponential", **words),
        "wsdcon_9": np.append(held, np.full(8001, 9e-5)),
        "wsdcon_3": np.append(held, np.full(8001, 3e-5)),
    }
    table = pd.read_csv(TABLES / "lr_schedules/curves.csv").query("size_m == 100")
    table = table[table["schedule"].isin(rates)]
    own, other = table[table["split"] == "train"], table[table["split"] != "train"]
    return sj.fit("tissue", own, run="schedule", inputs={"lr": rates}, fixed={"span": 500.0}), other


@cache
def mixtures() -> sj.FitResult:
    table = pd.read_csv(TABLES / "mixtures/ye_losses.csv.gz")
    table = table[(table["set"] == "3Mix") & (table["size"] == "70M") & (table["step"] == 60000)]
    shares = table["proportions"].str.split("-", expand=True).astype(float)
    shares.columns = domains = ["github", "books", "web"]
    table = pd.concat([table, shares], axis=1)
    return sj.fit(sj.laws.mixing_exponential(*domains), table[table["domain"] == "Github"])


@cache
def maps() -> pd.DataFrame:
    table = pd.read_csv(TABLES / "hitchhikers/published_heatmaps.csv.gz")
    one = table[(table["experiment"] == "hist") & (table["level"] == "all")]
    one = one[(one["target"] == "last30pct") & (one["metric"] == "are")]
    words = {"row": "models in the fit", "col": "share of training seen"}
    return one.rename(columns={**words, "value_percent": "error"}).assign(
        **{words["row"]: one["row"] + 3, words["col"]: (one["col"] + 1) / 10}
    )


@cache
def chains() -> object:
    return ours.fit().posterior(chains=4, draws=500, warmup=300)


@cache
def ranked() -> pd.DataFrame:
    laws = [sj.laws.chinchilla, sj.laws.chinchilla_gamma, sj.laws.kaplan, sj.laws.multiplicative]
    table = pd.read_csv(TABLES / "scalebench/farseer.csv")
    return sj.compare_laws(laws, table, holdout="split == 'test'")


def draws() -> Iterator[tuple[str, Draw]]:
    """What stands on the sheet: a title and a picture each."""
    plot = sj.plot
    replication = {"n_params": [7e10], "tokens": [1.4e12]}
    for name in ("fan", "contours", "predicted", "curves", "isoflop", "envelope", "approaches", "residuals"):
        yield f"{name}: our sweep", ours.PICTURES[name]
    yield "fan: Chinchilla replication", lambda: plot.fan(chinchilla(), replication)
    yield "fan: Farseer, seven runs held out", lambda: plot.fan(*farseer())
    plan = cache(lambda: sj.plan(chinchilla(), flops=[1e22, 1e24]))
    others = ["hoffmann2022", "besiroglu2024"]
    yield "contours: Chinchilla replication", lambda: plot.contours(plan())
    yield "plan: with published laws", lambda: plot.plan(plan(), published=others)
    yield "plan: tokens per parameter", lambda: plot.plan(plan(), "tokens_per_param")
    yield "predicted: Farseer", lambda: plot.predicted(*farseer())
    yield "curves: Chinchilla replication", lambda: plot.curves(chinchilla())
    yield "pairs: Chinchilla replication", lambda: plot.pairs(chinchilla(), ["E", "A", "alpha"])
    yield "profile", lambda: plot.profile(chinchilla().profile("beta"))
    for name in ("influence", "sensitivity", "backtest", "contrast", "forecast", "weights", "watching_fault"):
        yield name, ours.PICTURES[name]
    yield "next runs", ours.PICTURES["next_runs"]
    bought = cache(lambda: sj.precision_for(chinchilla(), [1e20, 1e21, 1e22, 1e23], flops=1e24))
    yield "precision", lambda: plot.precision(bought())
    yield "comparison: laws on Farseer", lambda: plot.comparison(ranked())
    ladder = cache(lambda: sj.contrast(recipes(), by="recipe", inputs={"C": "C"}, flops=1e21))
    yield "contrast: DataDecide, who is best", lambda: plot.contrast(ladder(), "best")
    lines = cache(lambda: sj.fit_groups(sj.laws.power_law_floor, recipes(), by="recipe", inputs={"x": "C"}))
    yield "groups: DataDecide", lambda: plot.groups(lines())
    yield "forest: DataDecide", lambda: plot.forest(lines(), "alpha")
    yield "groups: Gadre et al.", lambda: plot.groups(corpora())
    yield "forest: Gadre et al.", lambda: plot.forest(corpora(), "beta")
    yield "groups: routed models by experts", lambda: plot.groups(experts())
    yield "forest: routed models", lambda: plot.forest(experts(), "alpha")
    yield (
        "heat: errors of a thousand laws",
        lambda: plot.heat(maps(), "share of training seen", "models in the fit", "error", unit="%"),
    )
    yield "surface: Step Law's sweep", lambda: plot.surface(settings(), "lr", "B")
    yield "schedules: Luo et al., two held out", lambda: plot.schedules(*annealed())
    yield "mixture: Ye et al.", lambda: plot.mixture(mixtures())
    yield "posterior: chains", lambda: plot.posterior(chains(), ["E", "alpha", "beta"])


def drawn(title: str, draw: Draw, dark: bool) -> Image.Image:
    """One picture under its title."""
    with sj.plot.style(dark=dark):
        axes = np.ravel(np.asarray(draw(), dtype=object))
    held = io.BytesIO()
    axes[0].figure.figure.savefig(held, dpi=DPI)
    plt.close("all")
    picture = Image.open(held).convert("RGB")
    if picture.height > TALLEST:
        picture = picture.resize(
            (picture.width * TALLEST // picture.height, TALLEST), Image.Resampling.LANCZOS
        )
    whole = Image.new("RGB", (picture.width, picture.height + TITLE), PAPER)
    whole.paste(picture, (0, TITLE))
    ImageDraw.Draw(whole).text((2, 4), title, fill=INK, font=ImageFont.load_default(15))
    return whole


def packed(pictures: list[Image.Image]) -> Image.Image:
    """Rows of pictures, the tall ones together."""
    rows: list[list[Image.Image]] = [[]]
    for picture in sorted(pictures, key=lambda p: -p.height):
        if sum(p.width + GAP for p in rows[-1]) + picture.width > WIDTH:
            rows.append([])
        rows[-1].append(picture)
    sheet = Image.new("RGB", (WIDTH, sum(max(p.height for p in row) + GAP for row in rows)), PAPER)
    y = 0
    for row in rows:
        x = 0
        for picture in row:
            sheet.paste(picture, (x, y))
            x += picture.width + GAP
        y += max(p.height for p in row) + GAP
    return sheet


def main() -> None:
    pictures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, (title, draw) in enumerate(draws()):
            pictures.append(drawn(title, draw, dark=k % 7 == 6))
            print(title, flush=True)
    sheet = packed(pictures)
    sheet.save(OUT, quality=62, method=6)
    print(f"{OUT.name}: {sheet.width} x {sheet.height}, {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
