"""The gallery: one page per law, made from the law itself when the docs are built.

`python docs/make_gallery.py FOLDER` writes it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

import scaling_jax as sj
from scaling_jax.plot.labels import axis_words, end_labels, kind_of
from scaling_jax.plot.palette import palette_of, sequence
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written

MADE = {
    "power_sum": sj.laws.power_sum("N", "D"),
    "power_product": sj.laws.power_product("N", "D"),
    "capability_sigmoid": sj.laws.capability_sigmoid(2),
    "bnsl": sj.laws.bnsl(1),
    "response_surface": sj.laws.response_surface(lr=1e-3, B=256.0),
    "mixing_exponential": sj.laws.mixing_exponential("code", "books"),
    "mixing_power": sj.laws.mixing_power("code", "books"),
    "mixture_additive": sj.laws.mixture_additive("code", "books"),
    "mixture_joint": sj.laws.mixture_joint("code", "books"),
}
SWEEP = {
    "N": "n_params",
    "D": "tokens",
    "C": "flops",
    "U": "unique_tokens",
    "width": "width",
    "depth": "depth",
    "M": lambda table: table["tokens"] / table["n_params"],
}
FINAL = "arm == 'main' and final"
FITTED = {  # law -> which runs of our sweep it is fitted to
    "chinchilla": FINAL,
    "chinchilla_tied": FINAL,
    "multiplicative": FINAL,
    "kaplan": FINAL,
    "overtraining": FINAL,
    "data_constrained_geometric": "(arm == 'main' and final) or (arm == 'repeat' and final)",
}
CURVES = 4
FIRST = (
    "chinchilla",
    "power_law_floor",
    "power_law",
    "chinchilla_tied",
    "compute_frontier",
    "data_constrained",
    "joint_moe",
    "mixing_exponential",
    "error_from_loss",
    "tissue",
    "lr_batch_surface",
    "precision",
)
GUIDE = Path(__file__).parent / "which_law.md"


def law_of(name: str) -> sj.Law:
    return MADE.get(name) or getattr(sj.laws, name)


def constants(name: str) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Parameters and ranges to draw: the first published set, else those of the law's recovery case."""
    law = law_of(name)
    if known := sj.published.of(law):
        return dict(known[0].params), dict(known[0].range)
    if law.curves:
        from tests.cases.schedules import LIKELY

        return LIKELY[name], {}
    from tests.cases.catalogue import CASES

    case = next(case for case in CASES.values() if case.law == law)
    return case.truth, {key: _range(values) for key, values in case.design.items()}


def _range(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value to draw; a zero has no place on a logarithmic axis."""
    drawn = values[values > 0] if np.min(values) >= 0 else values
    return float(np.min(drawn)), float(np.max(drawn))


def picture(name: str, path: Path) -> None:
    """The law's shape, on white (`path`) and on dark (`path` with _dark)."""
    for dark in (False, True):
        with sj.plot.style(dark=dark):
            figure = shape(name)
        figure.savefig(path.with_stem(path.stem + "_dark" * dark), dpi=170)
        plt.close(figure)


def shape(name: str) -> Figure:
    """The law against its first input, one line per value of the second, the others in the middle."""
    law = law_of(name)
    params, ranges = constants(name)
    if law.curves:
        return of_schedules(law, params)
    logs = {key: low > 0 and high / low > 10 for key, (low, high) in ranges.items()}

    def along(key: str, n: int) -> np.ndarray:
        return (np.geomspace if logs[key] else np.linspace)(*ranges[key], n)

    first, *others = law.inputs
    x = along(first, 100)
    fig, ax = plt.subplots(figsize=(4.0, 2.6), layout="constrained")
    second = others[0] if others else None
    values = along(second, CURVES) if second else [None]
    colours = sequence(len(values), ax) if second else [palette_of(ax).main]
    ends = []
    for value, colour in zip(values, colours, strict=True):
        at = {key: float(np.median(along(key, 3))) for key in others}
        y = law(**({first: x} | at | ({second: value} if second else {})), **params)
        ax.plot(x, y, color=colour, lw=1.6)
        ends.append(
            (float(y[-1]), f"{second} = {written(value, kind_of(second), 3)}" if second else "", colour)
        )
    ax.set(xlabel=axis_words(first), ylabel=law.units.get("target", law.target), xlim=(x[0], x[-1]))
    if logs[first]:
        log_axis(ax, "x", kind_of(first))
    end_labels(ax, ends)
    return fig


def of_schedules(law: sj.Law, params: dict[str, float]) -> Figure:
    """A law of curves along four runs of about one length."""
    from tests.cases.schedules import CURVES as SCHEDULES

    figure, ax = plt.subplots(figsize=(4.0, 2.6), layout="constrained")
    shown = ("constant_24000", "cosine_24000", "wsd_20000_24000", "wsdcon_9")
    ends = []
    for name, colour in zip(shown, sequence(len(shown), ax), strict=True):
        steps = np.arange(2400, len(SCHEDULES[name]) + 1, 100)
        y = law(steps, SCHEDULES[name], **params)
        ax.plot(steps, y, color=colour, lw=1.6)
        ends.append((float(y[-1]), name.split("_")[0].replace("wsdcon", "drop"), colour))
    ax.set(xlabel=law.along, ylabel=law.units["target"], xlim=(2400, 24000))
    end_labels(ax, ends)
    return figure


def parameters(law: sj.Law) -> str:
    rows = [
        ("input", name, domain.name, law.units.get(name, "")) for name, domain in law.input_domains.items()
    ]
    rows += [("parameter", p.name, p.domain.name, law.units.get(p.name, "")) for p in law.parameters]
    rows += [("target", law.target, "", law.units.get("target", ""))]
    return table(
        ("", "name", "domain", "unit"),
        [(kind, f"`{name}`", domain, unit) for kind, name, domain, unit in rows],
    )


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def known_constants(law: sj.Law) -> str:
    found = sj.published.of(law)
    if not found:
        return "No printed constants in `sj.published`."
    rows = [
        (
            f"`{e.key}`",
            ", ".join(f"{name} {value:.5g}" for name, value in e.params.items()),
            e.units["target"],
            literal(e.remark),
        )
        for e in found
    ]
    return table(("key", "constants", "target", "remark"), rows)


def literal(text: str) -> str:
    """Text in which Markdown finds no emphasis, formula or link."""
    return re.sub(r"([*_$<>\[\]])", r"\\\1", text)


def fit_to_our_sweep(name: str, runs: pd.DataFrame, path: Path) -> str:
    """A fit to the sweep that ships with the package, as text and picture."""
    law = law_of(name)
    inputs = {key: SWEEP[key] for key in law.inputs}
    fit = sj.fit(law, runs, inputs=inputs, where=FITTED[name], run="run")
    for dark in (False, True):
        with sj.plot.style(dark=dark):
            figure = sj.plot.curves(fit).figure
        figure.savefig(path.with_stem(path.stem + "_dark" * dark), dpi=170)
        plt.close(figure)
    shown = ", ".join(
        f"{key}={SWEEP[key]!r}" if isinstance(SWEEP[key], str) else f"{key}=tokens / n_params"
        for key in law.inputs
    )
    parts = [
        "## On our own sweep",
        "Byte-level transformers of 5 thousand to half a million parameters, "
        f'`tiny_sweep` ({shown}; `where="{FITTED[name]}"`).',
        f"```text\n{fit.summary()}\n```",
        both("fit", path.stem),
    ]
    return "\n\n".join(parts)


def trouble(law: sj.Law, name: str) -> str:
    doc = inspect.getdoc(getattr(sj.laws, name)) or ""
    found = re.search(r"Known to go wrong: (.*?)\n\n", doc, re.S)
    return " ".join(found.group(1).split()) if found else "Nothing that we know of."


def page(name: str, folder: Path, runs: pd.DataFrame) -> None:
    law = law_of(name)
    picture(name, folder / f"{name}.png")
    first = (inspect.getdoc(getattr(sj.laws, name)) or "").split("\n\n")[0].replace("\n", " ")
    made = f"Made by `sj.laws.{name}(...)`; shown is `{law!r}`.\n\n" if name in MADE else ""
    parts = [
        f"# {name}",
        first,
        made + f"```{{math}}\n{law.formula}\n```",
        both("shape", name),
        parameters(law),
        f"**Known to go wrong.** {trouble(law, name)}",
        f"**Source.** {law.cite}",
        f"## Printed constants\n\n{known_constants(law)}",
    ]
    if example := examples(name):
        parts.append(f"## Example\n\n```pycon\n{example}\n```")
    if name in FITTED:
        parts.append(fit_to_our_sweep(name, runs, folder / f"{name}_fit.png"))
    (folder / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def both(alt: str, name: str) -> str:
    """A picture on white and on dark."""
    return f"![{alt}]({name}.png){{.only-light}}\n![{alt}]({name}_dark.png){{.only-dark}}"


def examples(name: str) -> str:
    """The lines of the docstring that run as a test, with what they print."""
    doc = inspect.getdoc(getattr(sj.laws, name)) or ""
    return doc[doc.index(">>>") :].strip() if ">>>" in doc else ""


def questions() -> dict[str, list[str]]:
    """What the guide says of a law: what one has or asks when it is the one to begin with."""
    found: dict[str, list[str]] = {}
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"gallery/(\w+)\.md", cells[1] if len(cells) > 1 else ""):
            found.setdefault(name, []).append(cells[0].replace("`", ""))
    return found


def card(name: str, line: str, asked: list[str]) -> str:
    """Thumbnail, formula, inputs, and when to take it; searched by all of its words."""
    law = law_of(name)
    parts = [
        f"::::{{grid-item-card}} [{name}]({name}.md)\n:class-card: law",
        both(f"shape of {name}", name),
        f"```{{math}}\n{law.formula}\n```",
        f"{{.inputs}}\n`{'` `'.join(law.inputs)}` → {law.target}",
        f"{{.when}}\n{'; '.join(asked)}" if asked else "",
        f"{{.line}}\n{line}",
        "::::",
    ]
    return "\n\n".join(part for part in parts if part)


def lines_of_work() -> dict[str, list[str]]:
    """The laws of every file of `sj.laws`, by the first sentence of the file."""
    found = {}
    for info in pkgutil.iter_modules(sj.laws.__path__):
        file = importlib.import_module(f"{sj.laws.__name__}.{info.name}")
        offered = getattr(file, "__all__", ()) if info.name[0] != "_" else ()
        if names := [n for n in offered if n in MADE or isinstance(getattr(file, n), sj.Law)]:
            found[str(file.__doc__).partition("\n")[0].rstrip(".")] = names
    return found


def _place(name: str) -> int:
    """Most asked for first, the others as they come."""
    return FIRST.index(name) if name in FIRST else len(FIRST)


def index(lines: dict[str, list[str]]) -> str:
    asked = questions()
    parts = [
        "# Gallery of laws",
        "Every law of `sj.laws`, drawn from the law itself. Type what you have or ask (experts, repeat, "
        "learning rate), or pick the inputs of your table. "
        "[Which law for my table?](../which_law.md) says more.",
        '```{raw} html\n<div id="law-search" hidden><input type="search" placeholder="input, question, name"'
        ' aria-label="Search the laws"><span class="chips"></span><output></output></div>\n```',
    ]
    known = {name: line for line, names in lines.items() for name in names}
    cards = "\n\n".join(card(name, known[name], asked.get(name, [])) for name in sorted(known, key=_place))
    parts.append(f":::::{{grid}} 1 2 2 3\n:gutter: 2\n\n{cards}\n:::::")
    pages = "\n".join(sorted(known, key=_place))
    parts.append(f"```{{toctree}}\n:hidden:\n\n{pages}\n```")
    parts.append('```{raw} html\n<script src="../_static/laws.js"></script>\n```')
    return "\n\n".join(parts) + "\n"


def make(folder: Path) -> None:
    """Writes all pages, their pictures and the index."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = sj.datasets.load("tiny_sweep")
    lines = lines_of_work()
    for name in (name for names in lines.values() for name in names):
        page(name, folder, runs)
    (folder / "index.md").write_text(index(lines), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "gallery"))
