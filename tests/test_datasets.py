"""Every loader against the original files and the tidy tables beside the repository, and against broken ones."""

from __future__ import annotations

import functools
import http.server
import io
import json
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest

from scaling_jax import datasets
from scaling_jax.datasets import _fetch, _pythia

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MIRROR = DATA / "upstream"
needs_data = pytest.mark.skipif(not MIRROR.is_dir(), reason="no ../shared/data/upstream beside the repository")

CHINCHILLA = datasets.chinchilla.FILE
PUBLIC = [name for name in datasets.list()["name"] if name != "tiny_sweep"]
TABLES = [(name, table) for name in PUBLIC for table in datasets._CATALOG[name].tables]


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(MIRROR))


@functools.cache
def loaded(name: str, table: str | None = None) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_fetch.MIRROR_VARIABLE, str(MIRROR))
        return datasets.load(name, table=table)


def tidy(path: str) -> pd.DataFrame:
    return pd.read_csv(DATA / path)


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame, digits: int | None = None) -> None:
    """Every cell is equal; a tidy table that keeps some digits is compared after rounding to as many."""
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs)
    for column in theirs.columns:
        a, b = ours[column].to_numpy(), theirs[column].to_numpy()
        if pd.api.types.is_numeric_dtype(ours[column]) or pd.api.types.is_bool_dtype(ours[column]):
            a, b = a.astype(float), b.astype(float)
            if digits and not pd.api.types.is_integer_dtype(ours[column]):
                a = np.array([float(f"{value:.{digits}g}") for value in a])
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=0, err_msg=column)
        else:
            assert ours[column].fillna("").tolist() == theirs[column].fillna("").tolist(), column


# ---- what there is ----------------------------------------------------------------------------------------------------


def test_list_names_every_data_set():
    table = datasets.list()
    assert set(table["name"]) == {
        "tiny_sweep",
        "chinchilla_replication",
        "overtraining",
        "finetuning",
        "observational",
        "learning_curves",
        "hitchhikers",
    }
    assert {"name", "rows", "what", "source", "licence", "size"} <= set(table.columns)
    assert table.set_index("name").loc["chinchilla_replication", "rows"] == 245


def test_importing_is_light():
    code = (
        "import sys; from scaling_jax.datasets import _catalog, _fetch; import scaling_jax.datasets, scaling_jax.wandb;"
        "print([m for m in ('pooch', 'requests', 'pyarrow.parquet', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_data
def test_the_registry_is_the_mirror_s():
    lines = (MIRROR / "SHA256SUMS").read_text().splitlines()
    known = {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}
    assert _fetch.registry().items() <= known.items()


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown data set 'chinchila': choose one of tiny_sweep, chinchilla_replication"):
        datasets.load("chinchila")


@needs_data
def test_unknown_tables_are_refused_with_the_known_ones(mirror):
    with pytest.raises(ValueError, match="has no table 'grid': choose one of models, grid_search, tasks"):
        datasets.load("overtraining", table="grid")


# ---- every loader -----------------------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize(("name", "table"), TABLES)
def test_every_table_is_documented_and_typed(name, table):
    frame = loaded(name, table)
    spec = datasets._CATALOG[name].tables[table]
    assert len(frame) == spec.rows
    assert spec.undocumented(frame) == []
    for key in ("source", "commit", "licence", "citation", "missing", "columns"):
        assert key in frame.attrs
    assert frame.attrs["source"].startswith("https://github.com/") and len(frame.attrs["commit"]) == 40
    json.dumps(frame.attrs)
    assert isinstance(frame.index, pd.RangeIndex)
    for column in frame.columns:
        kind = frame[column].dtype.kind if isinstance(frame[column].dtype, np.dtype) else "O"
        # Numbers are numbers: no text among them, no Python integers too large for int64.
        assert kind in "ifb" or frame[column].dropna().map(type).eq(str).all(), column


@needs_data
@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [
        ("chinchilla_replication", "n_params", 5e7, 1.7e10),
        ("chinchilla_replication", "tokens", 2e8, 4e11),
        ("chinchilla_replication", "flops", 1e18, 2e22),
        ("chinchilla_replication", "loss", 2.0, 5.1),
        ("overtraining", "n_params", 1e7, 7e9),
        ("overtraining", "tokens", 5e7, 1e12),
        ("overtraining", "flops_6nd", 3e15, 1e22),
        ("overtraining", "loss_c4_eval", 2.0, 6.5),
        ("overtraining", "err_avg_17", 0.2, 1.0),
        ("finetuning", "n_params", 1e7, 8e9),
        ("finetuning", "train_size", 0, 1638400),
        ("finetuning", "test_loss", 0.1, 40),
        ("observational", "n_params", 5e7, 6e11),
        ("observational", "tokens", 2e9, 7e14),
        ("observational", "flops", 1e18, 5e25),
        ("observational", "MMLU", 0.2, 0.9),
        ("learning_curves", "loss", 0.0, 5.0),
        ("hitchhikers", "tokens_seen", 1e5, 3e12),
        ("hitchhikers", "flops", 0.0, 1e26),
        ("hitchhikers", "loss", 0.01, 70.0),
    ],
)
def test_units(name, column, low, high):
    values = loaded(name)[column].dropna()
    assert values.between(low, high).all(), (values.min(), values.max())


@needs_data
def test_chinchilla_replication():
    frame = loaded("chinchilla_replication")
    assert_same(frame, tidy("chinchilla/epoch_replication.csv"))
    means = np.log(frame[["n_params", "tokens", "loss"]]).mean().tolist()
    assert means == pytest.approx([20.585078899, 23.482768318, 0.975277047], abs=1e-9)
    assert frame["loss"].nunique() == 99
    # The five the published analysis drops are the first five rows.
    assert sorted(frame["loss"].nlargest(5).index) == [0, 1, 2, 3, 4]


@needs_data
def test_overtraining():
    theirs = tidy("gadre/models.csv")
    assert_same(loaded("overtraining").drop(columns="flops_6nd"), theirs.drop(columns="flops_6nd"), digits=10)
    assert_same(loaded("overtraining")[["flops_6nd"]], theirs[["flops_6nd"]].astype(float))
    assert_same(loaded("overtraining", "grid_search"), tidy("gadre/grid_search.csv"))
    assert_same(loaded("overtraining", "tasks"), tidy("gadre/tasks.csv"))
    frame = loaded("overtraining")
    assert frame.groupby("dataset").size().to_dict() == {"c4": 34, "redpajama": 35, "refinedweb": 35}
    assert frame["fit_loss_default"].sum() == 15 and frame["fit_error_default"].sum() == 18
    assert loaded("overtraining", "tasks")["in_17_subset"].sum() == 17
    assert np.log(frame["loss_c4_eval"]).mean() == pytest.approx(1.286728769, abs=1e-9)


@needs_data
def test_finetuning():
    frame = loaded("finetuning")
    assert_same(frame, tidy("rectified/finetune_losses.csv"))
    assert frame.groupby(["dataset", "model"]).size().eq(15).all() and frame["model"].nunique() == 30


@needs_data
def test_learning_curves():
    frame = loaded("learning_curves")
    assert_same(frame, tidy("revisiting/learning_curves.csv"))
    assert frame.groupby(["domain", "task", "model"]).ngroups == 92
    assert not frame.duplicated().any()


@needs_data
def test_observational_base_table():
    frame, theirs = loaded("observational"), tidy("obs_scaling/base_llm_benchmark_eval.csv")
    assert frame["model"].tolist() == theirs["Model"].tolist() and frame["family"].tolist() == theirs["Model Family"].tolist()
    for ours, column, unit in (
        ("n_params", "Model Size (B)", 1e9),
        ("tokens", "Pretraining Data Size (T)", 1e12),
        ("flops", "FLOPs (1E21)", 1e21),
    ):
        np.testing.assert_allclose(frame[ours], theirs[column] * unit, rtol=1e-15)
    # One row of upstream is off by a thousand, as the notes say.
    assert frame.loc[frame["tokens"] > 2e13, "model"].tolist() == ["cerebras/btlm-3b-8k-base"]
    assert any("btlm-3b-8k-base" in note for note in frame.attrs["notes"])
    scores = list(theirs.columns[5:])
    assert_same(frame[scores], theirs[scores])
    flags = tidy("obs_scaling/subset_flags.csv")
    assert_same(frame[["in_base_pool_77", "preregistered_test", "family_has_flops"]], flags[list(flags.columns[2:5])])
    assert frame["in_base_pool_77"].sum() == 77 and frame["preregistered_test"].sum() == 20


@needs_data
@pytest.mark.parametrize(
    ("table", "file"),
    [
        ("base_sub_10b", "base_llm_benchmark_eval_sub_10b"),
        ("emergent", "base_llm_emergent_capability_eval"),
        ("leaderboard_v2", "base_llm_leaderboard_v2_eval"),
        ("post_training", "base_llm_post_training_eval"),
        ("instruct", "instruct_llm_benchmark_eval"),
        ("agents", "instruct_llm_agent_eval"),
    ],
)
def test_observational_other_tables(table, file):
    frame, theirs = loaded("observational", table), tidy(f"obs_scaling/{file}.csv")
    assert frame["model"].tolist() == theirs["Model"].tolist()
    scores = [c for c in theirs.columns if c in frame.columns and pd.api.types.is_numeric_dtype(theirs[c])]
    expected = theirs[scores].copy()
    plain = [c for c in scores if "norm" not in c]
    expected[plain] = expected[plain].mask(expected[plain] == -1)
    assert_same(frame[scores], expected)
    assert len(scores) >= len(frame.columns) - 5


# Rows with a loss per source, as counted from the study's own aggregation.
SOURCE_ROWS = {
    "chinchilla": 245,
    "datablations": 9490,
    "gpt3": 6506,
    "llm360_k2": 9985,
    "llm360_mamba": 44174,
    "olmo": 1708,
    "pythia": 1026,
    "redpajama": 135,
    "revisiting": 969,
    "t5_pile": 803,
    "training_trajectories": 142,
}


@needs_data
@pytest.mark.parametrize("source", SOURCE_ROWS)
def test_hitchhikers_source_by_source(source):
    ours = loaded("hitchhikers").query("source == @source").reset_index(drop=True)
    theirs = tidy_checkpoints().query("source == @source").reset_index(drop=True)
    assert len(ours) == SOURCE_ROWS[source]
    # The tidy table keeps two slips of upstream: a trailing space, and OPT's compute as log10.
    theirs["model"] = theirs["model"].str.strip()
    if source == "training_trajectories":
        assert [f"{value:.12g}" for value in np.log10(ours["flops"])] == [f"{value:.12g}" for value in theirs["flops"]]
        np.testing.assert_allclose(ours["flops"], 6.0 * ours["n_params"] * ours["tokens_seen"], rtol=1e-6)
        ours, theirs = (t.drop(columns=["flops", "flops_is_6nd"]) for t in (ours, theirs))
    assert_same(ours, theirs, digits=12)


@functools.cache
def tidy_checkpoints() -> pd.DataFrame:
    return tidy("hitchhikers/checkpoints.csv.gz")


@needs_data
def test_hitchhikers_says_what_is_missing():
    frame = loaded("hitchhikers")
    assert set(frame["source"]) == set(SOURCE_ROWS) and len(frame) == sum(SOURCE_ROWS.values())
    missing = " ".join(frame.attrs["missing"])
    assert set(tidy_checkpoints()["source"]) - set(frame["source"]) == {"data_mixing"} and "data_mixing" in missing
    assert "Amber" in missing and "LLaMA" in missing and "pythia" not in missing
    assert frame["model"].nunique() == 420


# ---- Pythia, from its evaluation files --------------------------------------------------------------------------------

EVALUATIONS = [
    # path inside evals/, settings, model, type, size, data, step
    ("bloom/bloom-1b7.json", "pretrained=x", "bloom-1b7", "bloom", "1b7", "pile", None),
    ("opt/opt-2.7b.json", "pretrained=x", "opt-2.7b", "opt", "2.7b", "pile", None),
    ("pythia-v1/pythia-1.4b/zero-shot/1.4b_step1000.json", "x", "pythia-1.4b", "pythia", "1.4b", "pile", 1000),
    ("pythia-v1/pythia-12b-deduped/zero-shot/12b-deduped_step32.json", "x", "pythia-12b-deduped", "pythia", "12b", "pile-deduped", 32),
    ("pythia-v1/pythia-160m/five-shot/160m-5shot_step13000.json", "x", "pythia-160m-5shot", "pythia", "160m", "pile", 13000),
    (
        "pythia-v1/pythia-1.4b-deduped/five-shot/1.4b-deduped-5shot_step143000.json",
        "x",
        "pythia-1.4b-deduped-5shot",
        "pythia",
        "1.4b",
        "pile-deduped",
        143000,
    ),
    ("pythia-v1/pythia-1b-bf16/five-shot/1b-5shot_step73000.json", "x", "pythia-1b-5shot", "pythia", "1b", "pile", 73000),
    ("pythia-v1/pythia-1b-bf16/zero-shot/1b-bf16_step8.json", "x", "pythia-bf16-1b", "pythia-bf16", "1b", "pile", 8),
    ("pythia-v1/pythia-1b-bf16/zero-shot/1b-bf16-5shot_step1000.json", "x", "pythia-bf16-1b", "pythia-bf16", "1b", "pile", 1000),
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
        "pythia-v0/pythia-1.4b/five-shot/pythia-1.4b-5shot-global_step51500_eval_results_12-29-2022-16-51-02.json",
        {"iteration": 51500},
        "pythia-1.4b-5shot-v0",
        "pythia-v0",
        "1.4b",
        "pile",
        51500,
    ),
    (
        "pythia-v0/pythia-2.8b/zero-shot/pythia-2.8b-0shot-global_step63000__eval_results_11-25-2022-03-37-35.json",
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
    files = [(PurePosixPath(path), evaluation(settings, lambada_openai={"ppl": 8.0})) for path, settings, *_ in EVALUATIONS]
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
                    PurePosixPath("bias-evals/winobias/intervene_21/1.4B/eval_results_1.4b-deduped-long_116000.json"),
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
    ours = {f"evals/{path}": evaluation(settings, lambada_openai={"ppl": 8.0}) for path, settings, *_ in EVALUATIONS}
    others = {"evals/README.md": {}, "evals/csvs/x.json": {}, "models/evals/y.json": {}}
    cached = tmp_path / f"{_pythia.REPOSITORY}/{_pythia.COMMIT}.tar.gz"
    cached.parent.mkdir(parents=True)
    archive(ours | others, cached)
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
    files = _fetch.Files(tmp_path)
    with pytest.raises(_pythia.Unverified, match=f"gives {len(EVALUATIONS)} of 1749 rows with digest"):
        _pythia.read(files)
    table = _pythia.aggregate(iter([(PurePosixPath(p), evaluation(s, lambada_openai={"ppl": 8.0})) for p, s, *_ in EVALUATIONS]))
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
    assert any(m.startswith("pythia (1,026 rows, 65 models)") and "could not be downloaded" in m for m in frame.attrs["missing"])


# ---- files that are altered, interrupted or out of reach --------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch):
    """No connection leaves this process, and the attempt costs no time."""

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A stand-in for GitHub's raw files, serving a folder over HTTP on this machine."""
    pytest.importorskip("pooch", reason="downloads need the extra 'data'")
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(_fetch, "RAW_URL", f"http://127.0.0.1:{httpd.server_address[1]}/")
        monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
        yield folder
        httpd.shutdown()


def put(folder: Path, name: str = CHINCHILLA) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(MIRROR / name, folder / name))


def remaining(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


@needs_data
@pytest.mark.parametrize("damage", ["altered", "truncated", "empty"])
def test_a_damaged_file_of_the_mirror_is_refused_with_both_checksums(tmp_path, monkeypatch, damage):
    copy = put(tmp_path)
    content = copy.read_bytes()
    copy.write_bytes({"altered": content.replace(b"5.0055", b"5.0056"), "truncated": content[:-100], "empty": b""}[damage])
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="altered or truncated") as error:
        datasets.load("chinchilla_replication")
    message = str(error.value)
    assert "svg_extracted_data.csv" in message and "\n" not in message
    assert _fetch.sha256(copy) in message and _fetch.registry()[CHINCHILLA] in message


@needs_data
def test_a_download_is_checked_cached_and_not_repeated(server, tmp_path):
    served = put(server)
    frame = datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    pd.testing.assert_frame_equal(frame, loaded("chinchilla_replication"))
    assert remaining(tmp_path / "cache") == [tmp_path / "cache" / CHINCHILLA]
    served.unlink()
    assert len(datasets.load("chinchilla_replication", cache_dir=str(tmp_path / "cache"))) == 245


@needs_data
def test_many_files_with_odd_names_download(server, tmp_path):
    names = [n for n in _fetch.registry() if n.startswith("mlfoundations/")]
    for name in names:
        put(server, name)
    frame = datasets.load("overtraining", cache_dir=tmp_path / "cache")
    pd.testing.assert_frame_equal(frame, loaded("overtraining"))
    # The table of the hyper-parameter sweep is not needed for it.
    assert len(remaining(tmp_path / "cache")) == len(names) - 1


@needs_data
def test_a_wrong_download_is_refused_and_not_kept(server, tmp_path):
    served = put(server)
    served.write_bytes(served.read_bytes()[:-100])
    with pytest.raises(ValueError, match="altered or truncated") as error:
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    message = str(error.value)
    assert _fetch.sha256(served) in message and _fetch.registry()[CHINCHILLA] in message
    assert remaining(tmp_path / "cache") == []


@needs_data
def test_a_damaged_cache_is_refused(server, tmp_path):
    put(server)
    cached = put(tmp_path / "cache")
    cached.write_bytes(cached.read_bytes() + b"\n")
    with pytest.raises(ValueError, match=r"delete it, so that it can be fetched again"):
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")
    cached.unlink()
    assert len(datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")) == 245


@needs_data
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ConnectionResetError])
def test_an_interrupted_download_leaves_no_broken_cache(server, tmp_path, monkeypatch, interruption):
    import pooch

    def half(self, url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes((MIRROR / CHINCHILLA).read_bytes()[:1000])
        raise interruption

    put(server)
    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(pooch.HTTPDownloader, "__call__", half)
        with pytest.raises(KeyboardInterrupt if interruption is KeyboardInterrupt else ConnectionError):
            datasets.load("chinchilla_replication", cache_dir=cache)
    assert remaining(cache) == []
    assert len(datasets.load("chinchilla_replication", cache_dir=cache)) == 245


def test_a_file_that_the_server_lacks(server, tmp_path):
    with pytest.raises(ConnectionError, match="404"):
        datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("name", PUBLIC)
def test_no_network_and_no_mirror_is_one_sentence_with_the_remedy(name, tmp_path, monkeypatch, offline):
    pytest.importorskip("pooch", reason="downloads need the extra 'data'")
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE, raising=False)
    with pytest.raises(ConnectionError, match=r"could not be downloaded .*: connect to the internet, or set SCALING_JAX_DATA") as error:
        datasets.load(name, cache_dir=tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert remaining(tmp_path) == []


@needs_data
def test_the_mirror_needs_no_pooch_and_downloads_say_so(mirror, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    for name in PUBLIC:
        assert len(datasets.load(name)) == len(loaded(name))
    monkeypatch.delenv(_fetch.MIRROR_VARIABLE)
    for cache_dir in (None, tmp_path):
        with pytest.raises(ModuleNotFoundError, match=r"needs pooch: pip install 'scaling_jax\[data\]'"):
            datasets.load("chinchilla_replication", cache_dir=cache_dir)


@needs_data
def test_files_that_a_mirror_lacks_come_from_the_cache(tmp_path, monkeypatch, offline):
    (tmp_path / "mirror").mkdir()
    put(tmp_path / "cache")
    monkeypatch.setenv(_fetch.MIRROR_VARIABLE, str(tmp_path / "mirror"))
    assert len(datasets.load("chinchilla_replication", cache_dir=tmp_path / "cache")) == 245


@needs_data
def test_a_table_with_another_number_of_rows_is_refused(mirror, monkeypatch):
    monkeypatch.setattr(pd, "read_csv", lambda *args, **kwargs: READ_CSV(*args, **kwargs).iloc[:-1])
    with pytest.raises(ValueError, match="has 244 rows instead of 245"):
        datasets.load("chinchilla_replication")


READ_CSV = pd.read_csv


# ---- the sweep that ships ---------------------------------------------------------------------------------------------


def test_tiny_sweep():
    data = datasets._CATALOG["tiny_sweep"]
    frame = datasets.load("tiny_sweep")
    spec = data.tables["checkpoints"]
    assert spec.undocumented(frame) == [] and set(spec.columns) <= set(frame.columns)
    assert (frame["loss"] > 0).all() and (frame["n_params"] > frame["n_params_nonemb"]).all()
