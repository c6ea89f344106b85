"""Pythia's losses, aggregated from its evaluation files: names, digests, broken and absent archives."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path, PurePosixPath

import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch, _pythia
from tests.datasets.upstream import MIRROR, needs_data

EVALUATIONS = [
    # path inside evals/, settings, model, type, size, data, step
    ("bloom/bloom-1b7.json", "pretrained=x", "bloom-1b7", "bloom", "1b7", "pile", None),
    ("opt/opt-2.7b.json", "pretrained=x", "opt-2.7b", "opt", "2.7b", "pile", None),
    (
        "pythia-v1/pythia-1.4b/zero-shot/1.4b_step1000.json",
        "x",
        "pythia-1.4b",
        "pythia",
        "1.4b",
        "pile",
        1000,
    ),
    (
        "pythia-v1/pythia-12b-deduped/zero-shot/12b-deduped_step32.json",
        "x",
        "pythia-12b-deduped",
        "pythia",
        "12b",
        "pile-deduped",
        32,
    ),
    (
        "pythia-v1/pythia-160m/five-shot/160m-5shot_step13000.json",
        "x",
        "pythia-160m-5shot",
        "pythia",
        "160m",
        "pile",
        13000,
    ),
    (
        "pythia-v1/pythia-1.4b-deduped/five-shot/1.4b-deduped-5shot_step143000.json",
        "x",
        "pythia-1.4b-deduped-5shot",
        "pythia",
        "1.4b",
        "pile-deduped",
        143000,
    ),
    (
        "pythia-v1/pythia-1b-bf16/five-shot/1b-5shot_step73000.json",
        "x",
        "pythia-1b-5shot",
        "pythia",
        "1b",
        "pile",
        73000,
    ),
    (
        "pythia-v1/pythia-1b-bf16/zero-shot/1b-bf16_step8.json",
        "x",
        "pythia-bf16-1b",
        "pythia-bf16",
        "1b",
        "pile",
        8,
    ),
    (
        "pythia-v1/pythia-1b-bf16/zero-shot/1b-bf16-5shot_step1000.json",
        "x",
        "pythia-bf16-1b",
        "pythia-bf16",
        "1b",
        "pile",
        1000,
    ),
    (
        "pythia-v1/pythia-1.4b-deduped/baseline/baseline-1.4b-deduped_step131000.json",
        "x",
        "pythia-baseline-1.4b-deduped",
        "pythia-baseline",
        "1.4b",
        "pile-deduped",
        131000,
    ),
    (
        "pythia-v1/pythia-1.4b-deduped/intervention/intervention-1.4b-deduped-long_step137000.json",
        "x",
        "pythia-intervention-1.4b-deduped",
        "pythia-intervention",
        "1.4b",
        "pile-deduped",
        137000,
    ),
    (
        "pythia-v0/pythia-1.4b/five-shot/"
        "pythia-1.4b-5shot-global_step51500_eval_results_12-29-2022-16-51-02.json",
        {"iteration": 51500},
        "pythia-1.4b-5shot-v0",
        "pythia-v0",
        "1.4b",
        "pile",
        51500,
    ),
    (
        "pythia-v0/pythia-2.8b/zero-shot/"
        "pythia-2.8b-0shot-global_step63000__eval_results_11-25-2022-03-37-35.json",
        {"iteration": 63000},
        "pythia-2.8b-v0",
        "pythia-v0",
        "2.8b",
        "pile",
        63000,
    ),
    (
        "bias-evals/intervention-19m-deduped-step134000_eval_results_01-21-2023-21-04-18.json",
        {"iteration": 134000},
        "pythia-intervention-19m-deduped",
        "pythia-intervention",
        "19m",
        "pile-deduped",
        134000,
    ),
    (
        "bias-evals/long-intervention-1.3b-deduped-step57000_eval_results_01-23-2023-14-05-01.json",
        {"iteration": 57000},
        "pythia-long-intervention-1.3b-deduped",
        "pythia-long-intervention",
        "1.3b",
        "pile-deduped",
        57000,
    ),
    (
        "bias-evals/pythia-350m-deduped-step46500_eval_results_01-23-2023-01-50-02.json",
        {"iteration": 46500},
        "pythia-350m-deduped",
        "pythia",
        "350m",
        "pile-deduped",
        46500,
    ),
]


def evaluation(settings, **scores) -> dict:
    results = {"sciq": {"acc": 0.5, "acc_stderr": 0.1}} | scores
    return {"results": results, "config": {"model_args": settings, "num_fewshot": 0}}


def archive(files: dict[str, dict], path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, document in files.items():
            content = json.dumps(document).encode()
            member = tarfile.TarInfo(f"pythia-{_pythia.COMMIT}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_pythia_models_are_read_off_the_paths():
    files = [
        (PurePosixPath(path), evaluation(settings, lambada_openai={"ppl": 8.0}))
        for path, settings, *_ in EVALUATIONS
    ]
    table = _pythia.aggregate(iter(files))
    for (path, _, *expected), row in zip(EVALUATIONS, table.itertuples(index=False), strict=True):
        assert [None if v != v else v for v in row[:5]] == expected, path
    assert table["lists lambada_openai ppl"].all() and (table["lambada_openai ppl"] == 8).all()
    assert not table["lists wikitext word_perplexity"].any()


@needs_data
def test_those_models_are_in_the_known_table():
    raw = pd.read_csv(MIRROR / _pythia.REGENERATED, low_memory=False)
    known = _pythia.from_regenerated(raw)
    assert len(known) == _pythia.ROWS and _pythia.digest(known) == _pythia.DIGEST
    rows = set(known[["model_name", "model_type", "data"]].itertuples(index=False, name=None))
    assert {(model, kind, data) for _, _, model, kind, _, data, _ in EVALUATIONS} <= rows
    # Any change of a number in use changes the digest; the order of the files does not.
    assert _pythia.digest(known.sample(frac=1, random_state=0)) == _pythia.DIGEST
    at = known["lambada_openai ppl"].first_valid_index()
    known.loc[at, "lambada_openai ppl"] += 1e-6
    assert _pythia.digest(known) != _pythia.DIGEST


def test_pythia_files_without_use_are_skipped():
    table = _pythia.aggregate(
        iter(
            [
                (PurePosixPath("pythia-v1/notes.json"), {"text": "not an evaluation"}),
                (PurePosixPath("pythia-v1/pythia-1.4b-1MtokBS/1.4b-1MtokBS_step6000.json"), evaluation("x")),
                (
                    PurePosixPath("bias-evals/winobias/1.4B/eval_results_02-15-2023-22-33-31.json"),
                    {
                        "results": [{"task_name": "wino_bias_type1_pro", "em": 0.4}],
                        "config": {
                            "model_args": {"iteration": 63000, "train_data_paths": ["pile_deduped"]},
                            "num_fewshot": 0,
                        },
                    },
                ),
                (
                    PurePosixPath(
                        "bias-evals/winobias/intervene_21/1.4B/eval_results_1.4b-deduped-long_116000.json"
                    ),
                    {"table_results": {}, "model_args": {"iteration": 116000}},
                ),
            ]
        )
    )
    # Another batch size makes no row, bias evaluations make one without a perplexity.
    assert table[["model_name", "steps"]].to_numpy().tolist() == [
        ["pythia-1.4b-deduped", 63000],
        ["pythia-long-intervention-1.4b-deduped", 116000],
    ]
    assert not table[list(_pythia.LISTED)].to_numpy().any()


def test_pythia_from_an_archive(tmp_path, monkeypatch):
    ours = {
        f"evals/{path}": evaluation(settings, lambada_openai={"ppl": 8.0})
        for path, settings, *_ in EVALUATIONS
    }
    others = {"evals/README.md": {}, "evals/csvs/x.json": {}, "models/evals/y.json": {}}
    cached = tmp_path / f"{_pythia.REPOSITORY}/{_pythia.COMMIT}.tar.gz"
    cached.parent.mkdir(parents=True)
    archive(ours | others, cached)
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
    files = _fetch.Files(tmp_path)
    with pytest.raises(_pythia.Unverified, match=f"gives {len(EVALUATIONS)} of 1749 rows with digest"):
        _pythia.read(files)
    table = _pythia.aggregate(
        iter([(PurePosixPath(p), evaluation(s, lambada_openai={"ppl": 8.0})) for p, s, *_ in EVALUATIONS])
    )
    monkeypatch.setattr(_pythia, "DIGEST", _pythia.digest(table))
    assert len(_pythia.read(files)) == len(EVALUATIONS)


def test_a_broken_pythia_archive_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
    cached = tmp_path / f"{_pythia.REPOSITORY}/{_pythia.COMMIT}.tar.gz"
    cached.parent.mkdir(parents=True)
    ours = {f"evals/{path}": evaluation(settings) for path, settings, *_ in EVALUATIONS}
    cached.write_bytes(archive(ours, tmp_path / "whole.tar.gz").read_bytes()[:-200])
    with pytest.raises(_pythia.Unverified, match=r"\.tar\.gz is broken .*: delete it"):
        _pythia.read(_fetch.Files(tmp_path))


@needs_data
def test_hitchhikers_without_pythia_says_so(tmp_path, monkeypatch, offline):
    for name in _fetch.registry():
        if name.startswith("IBM/ColPret") and name != _pythia.REGENERATED:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).symlink_to(MIRROR / name)
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(tmp_path))
    with pytest.warns(UserWarning, match="comes without Pythia"):
        frame = datasets.load("hitchhikers", cache_dir=tmp_path / "cache")
    assert len(frame) == 75_183 - 1_026 and "pythia" not in set(frame["source"])
    assert any(
        m.startswith("pythia (1,026 rows, 65 models)") and "could not be downloaded" in m
        for m in frame.attrs["missing"]
    )
