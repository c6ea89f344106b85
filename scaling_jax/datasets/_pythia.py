"""Pythia's evaluation files, one JSON per checkpoint, gathered into the table that the study fitted.

The study's own aggregate is not public. The table is rebuilt from the `evals/` folder of EleutherAI/pythia at
a pinned commit. GitHub's archives have no stable checksum, so the result is checked instead: by its number of
rows and by a digest of everything in it that the study uses.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from scaling_jax.datasets._fetch import Files

Json = dict[str, Any]

REPOSITORY = "EleutherAI/pythia"
COMMIT = "0931c9a502242d3abf1db54c8a62954f957e3cfc"
REGENERATED = "IBM/ColPret/16f23bbe054277ddc4afd07a972dd7cfbe3f48c3/aggregated_eval/pythia.regenerated.csv.gz"
ROWS, ROWS_WITH_LOSS = 1_749, 1_026
DIGEST = "296e753cd7aa2e9d84fba9ee45596910e932efdc2ab6b37dc95f6efc03ab0d86"

PERPLEXITIES = ("lambada_openai ppl", "wikitext word_perplexity")
# Whether the checkpoint's file lists that perplexity: one that is listed and missing drops the row.
LISTED = tuple(f"lists {name}" for name in PERPLEXITIES)
COLUMNS = ("model_name", "model_type", "num_params", "data", "steps", *PERPLEXITIES, *LISTED)


class Unverified(ValueError):
    """The rebuilt table is not the known one."""


def read(files: Files) -> pd.DataFrame:
    """One row per evaluation file: model_name, model_type, num_params (text), data, steps, perplexities.

    Raises:
        Unverified: the table is not the known one.
        ValueError: the regenerated table in the mirror is not the registered file.
        ConnectionError: neither the archive nor a regenerated table is here, and the archive cannot be
            downloaded.
    """
    if files.find(REGENERATED) is not None:
        table = from_regenerated(pd.read_csv(files.one(REGENERATED), low_memory=False))
    else:
        path = files.archive(REPOSITORY, COMMIT)
        try:
            with tarfile.open(path) as archive:
                table = aggregate(_json_files(archive))
        except (tarfile.TarError, EOFError, zlib.error, json.JSONDecodeError) as error:
            raise Unverified(
                f"{path} is broken ({error}): delete it, so that it can be fetched again."
            ) from error
    found = digest(table)
    if found != DIGEST:
        raise Unverified(
            f"Folder evals of {REPOSITORY} at {COMMIT} gives {len(table)} of {ROWS} rows with digest {found} "
            f"instead of {DIGEST}, so it is altered, incomplete or misread and was left out: delete the file "
            "it comes from, so that it can be fetched again."
        )
    return table


def digest(table: pd.DataFrame) -> str:
    """SHA-256 over the rows that list a perplexity, in a fixed order and a fixed writing of numbers."""
    used = table.loc[table[list(LISTED)].any(axis=1), list(COLUMNS)]
    lines = sorted("|".join(map(_text, row)) for row in used.itertuples(index=False))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value.lower()
    return "" if math.isnan(value) else f"{float(value):.12g}"


def from_regenerated(raw: pd.DataFrame) -> pd.DataFrame:
    """The same table from an aggregate with one column per metric and the listed metrics as text."""
    table = raw[[c for c in COLUMNS if c not in LISTED]].copy()
    for name, flag in zip(PERPLEXITIES, LISTED, strict=True):
        table[flag] = raw["loss_cols"].str.contains(f"'{name}'", regex=False)
    return table[list(COLUMNS)]


def aggregate(documents: Iterable[tuple[PurePosixPath, Json]]) -> pd.DataFrame:
    """The table from (path inside `evals/`, parsed JSON) pairs."""
    rows = (_evaluation(path, document) for path, document in documents)
    return pd.DataFrame([row for row in rows if row is not None], columns=list(COLUMNS))


def _evaluation(path: PurePosixPath, document: Json) -> Json | None:
    """One row of the table, or None for a file that is no evaluation of a model's own training."""
    bias = {"bias-evals", "winobias"} & set(path.parts)
    try:
        model = _bias(path, document) if bias else _main(path, document)
    except (KeyError, IndexError):  # some other kind of file; the digest tells if it was one of the table's
        return None
    return None if model is None else model | _perplexities(document.get("results"))


def _perplexities(results: Any) -> Json:
    # Some of the bias evaluations hold a list of prompts, without any perplexity.
    results = results if isinstance(results, dict) else {}
    found: Json = {}
    for name, flag in zip(PERPLEXITIES, LISTED, strict=True):
        task, metric = name.split(" ")
        scores = results.get(task, {})
        found[flag] = metric in scores
        found[name] = scores.get(metric, float("nan"))
    return found


def _json_files(archive: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, Json]]:
    for member in archive:
        # The first part is the repository's folder.
        path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
        tables = any("csv" in part for part in path.parts[:-1])
        if path.parts[:1] != ("evals",) or path.suffix != ".json" or tables:
            continue
        file = archive.extractfile(member)
        if file is not None:
            yield path.relative_to("evals"), json.load(file)


def _main(path: PurePosixPath, document: Json) -> Json | None:
    """Model and step of an ordinary evaluation, from its file and folder names."""
    stem = path.stem
    step = re.search(r"[-_/\\]?steps?[_-]?(\d+)", stem)
    steps = int(step[1]) if step else float("nan")
    name = (stem.replace(step[0], "", 1) if step else stem).split("_")[0].replace("-global", "")
    folder = str(path.parent)
    if "tok" in name:  # other batch sizes
        return None
    data = "pile-deduped" if "deduped" in stem else "pile"
    shots = 5 if "five" in folder else 0
    if "bf16" in name:
        name = _name("pythia-bf16", "1b", "pile", 0 if "zero" in folder else 5)
        data = "pile"
    if not any(maker in name for maker in ("pythia", "bloom", "opt")):
        name = f"pythia-{name}"
    shots = 0 if "0shot" in name else 5 if "5shot" in name else shots
    bare = name.replace("-deduped", "").replace("-0shot", "").replace("-5shot", "").replace("-long", "")
    kind, _, size = bare.rpartition("-")
    if name.endswith("long"):
        name = _name(kind, size, data, shots)
    if "v0" in folder:
        kind = kind.replace("pythia", "pythia-v0")
        name = name.replace("-0shot", "") + "-v0"
    settings = document["config"]["model_args"]
    if step is None and isinstance(settings, dict):
        steps = settings.get("iteration", steps)
    return _row(name, _kind(kind), size, data, steps)


def _bias(path: PurePosixPath, document: Json) -> Json:
    """Model and step of a bias evaluation, from its folder, its file name and its settings."""
    config = document.get("config", document)
    steps = config["model_args"]["iteration"]
    shots = config.get("num_shots", config.get("num_fewshot", 0))
    folders = path.parts[:-1]
    if "winobias" not in folders:  # bias-evals/intervention-1.3b-deduped-step67000_...
        label = path.name.split("-")[0]
        label = "long-intervention" if "long" in label else label
        size = path.name.split(f"{label}-")[1].split("-step")[0].split("-global")[0].replace("-deduped", "")
        deduped, kind = "deduped" in path.stem, _kind(label)
    elif folders[-2] == "winobias":  # .../winobias/1.4B/eval_results_02-15-2023-22-33-31
        size, kind = folders[-1], "pythia"
        deduped = "deduped" in config["model_args"]["train_data_paths"][0]
    else:  # .../winobias/intervene_21/1.4B/eval_results_1.4b-deduped-long_116000
        label = path.stem.split("_")[2]
        size, deduped = folders[-1], "deduped" in label
        kind = "pythia-intervention" if "inter" in label else "pythia"
        kind = "pythia-long-intervention" if "long" in label else kind
    data = "pile-deduped" if deduped else "pile"
    return _row(_name(kind, size, data, shots), kind, size, data, steps)


def _row(name: str, kind: str, size: str, data: str, steps: float) -> Json:
    return {"model_name": name, "model_type": kind, "num_params": size, "data": data, "steps": steps}


def _kind(kind: str) -> str:
    """One name for each of the ways in which intervention runs are labelled (7 or 21 billion tokens)."""
    if "21" in kind or "long" in kind:
        return "pythia-long-intervention"
    return "pythia-intervention" if "7" in kind or "inter" in kind else kind


def _name(kind: str, size: str, data: str, shots: int) -> str:
    suffix = data.replace("pile", "").replace("-", "")
    name = f"{kind}-{size}-{suffix}".lower().strip("-_ ") + (f"-{shots}shot" if shots else "")
    return name.replace("-v0", "") + "-v0" if "v0" in kind else name
