"""A study that was interrupted, however it was, ends in the bytes of one that was not."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.api import study

STARTS = 12


def table(groups: int = 44) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = rng.integers(3, 9, groups)
    group = np.repeat(np.arange(groups), rows)
    x = np.exp(rng.uniform(np.log(1e6), np.log(1e9), len(group)))
    loss = 20 / x ** (0.1 + 0.002 * group) * np.exp(rng.normal(0, 0.01, len(group)))
    shuffled = rng.permutation(len(group))
    return pd.DataFrame({"group": group, "x": x, "loss": loss}).iloc[shuffled].reset_index(drop=True)


def studied(folder: Path, **options: object) -> pd.DataFrame:
    return sj.study(
        sj.laws.power_law, table(), by="group", folder=folder, **({"chunk": 11, "starts": STARTS} | options)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*.parquet"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return studied(folder), folder


def test_the_table_holds_what_fit_groups_finds(whole: tuple[pd.DataFrame, Path]) -> None:
    laws, folder = whole
    fits = sj.fit_groups(sj.laws.power_law, table(), by="group", starts=STARTS)
    assert laws["group"].tolist() == list(fits)
    np.testing.assert_allclose(laws[["A", "alpha"]], fits.params, rtol=1e-8)
    np.testing.assert_allclose(
        laws["objective"], [f.objective_value for f in fits.values()], rtol=1e-9, atol=1e-20
    )
    assert laws["status"].tolist() == [f.status for f in fits.values()]
    assert laws["rows"].sum() == len(table())
    assert len(files(folder)) == 4
    pd.testing.assert_frame_equal(pd.read_parquet(folder), laws)


def test_an_error_in_the_middle_loses_nothing_before_it(
    whole: tuple[pd.DataFrame, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return solve(*arguments, **options)

    solve = study.solve_members
    monkeypatch.setattr(study, "solve_members", interrupted)
    with pytest.raises(KeyboardInterrupt):
        studied(tmp_path)
    assert len(files(tmp_path)) == 2
    (tmp_path / "part-000000.parquet").unlink()  # chunks do not depend on those before them
    (tmp_path / "_draft-elsewhere-1-1-0-part-000002.parquet").write_bytes(b"half a file")
    pd.testing.assert_frame_equal(studied(tmp_path), whole[0])
    assert len(calls) == 3 + 3
    assert files(tmp_path) == files(whole[1])


def test_a_killed_process_is_resumed_by_another(whole: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    script = (
        "import sys; import pandas as pd; import scaling_jax as sj\n"
        "runs, folder = pd.read_parquet(sys.argv[1]), sys.argv[2]\n"
        "sj.study(sj.laws.power_law, runs, by='group', folder=folder, chunk=11, starts=12)"
    )
    table().to_parquet(tmp_path / "runs.parquet")
    folder = tmp_path / "laws"
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "runs.parquet", folder])
    while process.poll() is None and not files(folder):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "part-000000.parquet" in files(folder)
    pd.testing.assert_frame_equal(studied(folder), whole[0])
    assert files(folder) == files(whole[1])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"chunk": 12}, "chunk"),
        ({"starts": 13}, "options"),
        ({"objective": sj.SquaredError()}, "options"),
        ({"where": "x > 2e6"}, "table"),
    ],
)
def test_a_folder_of_another_study_is_refused(
    whole: tuple[pd.DataFrame, Path], change: dict[str, object], named: str
) -> None:
    before = files(whole[1])
    with pytest.raises(ValueError, match=rf"holds a study that differs in .*{named}.*: give another folder"):
        studied(whole[1], **change)
    assert files(whole[1]) == before


def test_a_law_of_the_same_name_that_computes_otherwise_is_another_study(
    whole: tuple[pd.DataFrame, Path],
) -> None:
    @sj.law
    def power_law(x, *, A: sj.Positive, alpha: sj.Real):
        return A / (1 + x) ** alpha

    with pytest.raises(ValueError, match="differs in law"):
        sj.study(power_law, table(), by="group", folder=whole[1], chunk=11, starts=STARTS)


def mine(body: str, jit: bool = False, **options: object) -> sj.Law:
    """A law called `mine` whose value is the expression, in a function that may be compiled alone."""

    def shape(x, *, E, A):
        return eval(body, {"jnp": jnp, "np": np, "jax": jax}, {"x": x, "E": E, "A": A})

    inner = jax.jit(shape) if jit else shape

    @sj.law(name="mine", **options)
    def law(x, *, E: sj.Positive, A: sj.Positive):
        return inner(x, E=E, A=A)

    return law


LARGE = pd.DataFrame({"x": np.geomspace(1e7, 1e10, 6), "loss": 2 + 100 * np.geomspace(1e7, 1e10, 6) ** -0.3})
PLAIN = "E + A * x**-0.3"


def of_large(law: sj.Law, folder: Path, **options: object) -> pd.DataFrame:
    return sj.study(law, LARGE.assign(fam="a"), by="fam", folder=folder, starts=4, **options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of the law that is edited below, complete."""
    folder = tmp_path_factory.mktemp("plain")
    begun = of_large(mine(PLAIN), folder)
    pd.testing.assert_frame_equal(of_large(mine(PLAIN), folder), begun)
    return folder


@pytest.mark.parametrize(
    "edited",
    [
        f"({PLAIN}) * (1 + 1e-7)",
        f"({PLAIN}) * (1 + 1e-15)",
        f"{PLAIN} + 1e-3 * (x > 100)",
        f"{PLAIN} * jnp.where(x > 1e8, 2.0, 1.0)",
        f"{PLAIN} * jnp.where(x < 1e8, 2.0, 1.0) * jnp.where(x < 1e8, 0.5, 1.0)",
        f"{PLAIN} + 0 * jnp.sum(np.arange(3.0))",
    ],
)
def test_an_edited_law_is_another_study(plain: Path, edited: str) -> None:
    before = files(plain)
    with pytest.raises(ValueError, match=r"differs in law as written.*: give another folder"):
        of_large(mine(edited), plain)
    assert files(plain) == before


def test_constants_inside_a_law_count(tmp_path: Path) -> None:
    law = "E + A * x**-0.3 * jnp.sum(jnp.asarray(np.linspace(0, {}, 2000)))"
    of_large(mine(law.format("1.0"), jit=True), tmp_path)
    with pytest.raises(ValueError, match="differs in law as written"):
        of_large(mine(law.format("1.0000001"), jit=True), tmp_path)


def starts_at(E: float):
    return lambda inputs, target: {"E": np.array([E]), "A": np.array([np.min(target)])}


def test_what_a_law_proposes_and_allows_is_part_of_it(tmp_path: Path) -> None:
    begun = {"starts": starts_at(1.0)}
    of_large(mine(PLAIN, **begun), tmp_path)
    with pytest.raises(ValueError, match="differs in law's starts:"):
        of_large(mine(PLAIN, starts=starts_at(2.0)), tmp_path)
    with pytest.raises(ValueError, match="differs in law:"):
        of_large(mine(PLAIN, **begun, ranges={"E": (1, 3)}), tmp_path)
    with pytest.raises(ValueError, match="differs in law"):
        of_large(mine(PLAIN, **begun, domains={"E": sj.Interval(0.0, 9.0)}), tmp_path)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"solver": sj.LM(max_steps=77)}, "options"),
        ({"objective": sj.Huber(1.0000001e-3)}, "options"),
        ({"fixed": {"E": 2.0}}, "options"),
        ({"screen": False}, "options"),
        ({"weights": [1, 1, 1, 1, 1, 1.0000001]}, "table"),
    ],
)
def test_other_options_are_another_study(plain: Path, options: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=rf"differs in {named}:"):
        of_large(mine(PLAIN), plain, **options)


def test_a_solver_of_one_s_own_is_told_apart_by_what_it_holds() -> None:
    class Own:
        def __init__(self, reach: float):
            self.reach = reach

        def __repr__(self) -> str:
            return "Own()"

    assert study._settings(Own(1.0)) == study._settings(Own(1.0)) != study._settings(Own(2.0))


def test_another_version_is_another_study(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sj, "__version__", "0.0.1")
    with pytest.raises(ValueError, match="differs in versions: give another folder"):
        of_large(mine(PLAIN), plain)


def test_a_chunk_of_another_study_and_a_damaged_one_are_fitted_again(
    whole: tuple[pd.DataFrame, Path], tmp_path: Path
) -> None:
    shutil.copytree(whole[1], tmp_path / "laws")
    studied(tmp_path / "other", starts=11)
    first, second, third, _ = sorted((tmp_path / "laws").glob("part-*"))
    shutil.copy(tmp_path / "other" / first.name, first)
    shutil.copy(third, second)
    third.write_bytes(third.read_bytes()[:-9])
    with pytest.warns(UserWarning) as said:
        pd.testing.assert_frame_equal(studied(tmp_path / "laws"), whole[0])
    for warning, words in zip(said, ["belongs to another study", "holds chunk 2", "is damaged"], strict=True):
        assert words in str(warning.message)
    assert files(tmp_path / "laws") == files(whole[1])


def test_what_a_study_cannot_do_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shared= makes all groups one fit"):
        studied(tmp_path, shared=["alpha"])
    with pytest.raises(ValueError, match="chunk=0"):
        studied(tmp_path, chunk=0)
    with pytest.raises(ValueError, match="names the groups"):
        sj.study(sj.laws.power_law, table().rename(columns={"group": "rows"}), by="rows", folder=tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ValueError, match="no study's"):
        studied(tmp_path)


def same_as(whole: tuple[pd.DataFrame, Path], folder: Path, **options: object) -> None:
    pd.testing.assert_frame_equal(studied(folder, **options), whole[0])
    assert files(folder) == files(whole[1])


def test_a_process_pool_ends_in_the_same_bytes(whole: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        same_as(whole, tmp_path, executor=pool)


def test_dask_s_client_ends_in_the_same_bytes(whole: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="a local cluster needs dask[distributed]")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        same_as(whole, tmp_path / "client", executor=client)
        same_as(whole, tmp_path / "executor", executor=client.get_executor())


def test_an_interrupt_leaves_what_the_executor_has_given(
    whole: tuple[pd.DataFrame, Path], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            studied(tmp_path, executor=InterruptedAfter(pool, 2))
        assert len(files(tmp_path)) == 2
        same_as(whole, tmp_path, executor=pool)


class InterruptedAfter:
    """A pool whose work after the first few is an interrupt."""

    def __init__(self, pool: ThreadPoolExecutor, few: int):
        self.pool, self.few, self.given = pool, few, 0

    def submit(self, fn, *arguments):
        self.given += 1
        return self.pool.submit(fn if self.given <= self.few else interrupt, *arguments)


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_worker_of_another_version_or_law_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as pool:
        with monkeypatch.context() as there:
            there.setattr(study, "_laws", partial(edited, study._laws))
            with pytest.raises(RuntimeError, match=r"1 of 1 .*'power_law' is not the one of the study"):
                studied(tmp_path, chunk=44, executor=pool)
        with pytest.raises(ValueError, match=r"device= and mesh= are of this process, executor="):
            studied(tmp_path, executor=pool, device="cpu")
    with pytest.raises(TypeError, match="give an executor"):
        studied(tmp_path, executor="dask")


def edited(laws, versions: str, written: str, chunk: object) -> pd.DataFrame:
    return laws(versions, "another", chunk)


JOB = """
import sys
import jax, pandas as pd
jax.distributed.initialize(f"localhost:{sys.argv[1]}", num_processes=2, process_id=int(sys.argv[2]))
import scaling_jax as sj
runs, folder = pd.read_parquet(sys.argv[3]), sys.argv[4]
laws = sj.study(sj.laws.power_law, runs, by="group", folder=folder, chunk=11, starts=12)
laws.to_parquet(sys.argv[4] + sys.argv[2])
"""


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return str(free.getsockname()[1])


def test_the_processes_of_a_job_share_the_chunks(whole: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    table().to_parquet(runs := tmp_path / "runs.parquet")
    folder, port = tmp_path / "laws", free_port()
    command = [sys.executable, "-c", JOB, port]
    both = [subprocess.Popen([*command, str(me), str(runs), str(folder)]) for me in (0, 1)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    for me in (0, 1):
        pd.testing.assert_frame_equal(pd.read_parquet(f"{folder}{me}"), whole[0])
    assert files(folder) == files(whole[1])
