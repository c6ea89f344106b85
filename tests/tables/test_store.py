"""A folder of chunks: each is made once, whatever happens in between, and belongs to one plan."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scaling_jax.tables import store
from scaling_jax.tables.store import in_chunks

ROWS = 20


def table(chunk: int, of: str = "a") -> pd.DataFrame:
    return pd.DataFrame({"n": [chunk] * ROWS, "square": np.arange(ROWS) + chunk**2.0, "of": of})


def kept(folder: Path, plan: dict, made: list[int]) -> pd.DataFrame:
    def make(chunk: int) -> pd.DataFrame:
        made.append(chunk)
        return table(chunk, str(plan["law"]))

    return in_chunks(folder, plan, [1, 2, 3], make)


WHOLE = pd.concat([table(chunk) for chunk in (1, 2, 3)], ignore_index=True)


def parts(folder: Path) -> list[Path]:
    return [folder / f"part-{i:06d}.parquet" for i in range(3)]


def in_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.name[0] != "_"}


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder that is complete."""
    kept(tmp_path / "laws", {"law": "a"}, [])
    return tmp_path / "laws"


def test_a_chunk_is_made_once_and_a_lost_one_again(tmp_path: Path) -> None:
    made: list[int] = []
    found = kept(tmp_path, {"law": "a"}, made)
    pd.testing.assert_frame_equal(found, WHOLE)
    assert made == [1, 2, 3]
    before = in_files(tmp_path)
    parts(tmp_path)[1].unlink()
    pd.testing.assert_frame_equal(kept(tmp_path, {"law": "a"}, made), found)
    assert made == [1, 2, 3, 2] and in_files(tmp_path) == before
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), found)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["_plan.json", *before]


def test_a_folder_of_another_plan_is_refused_by_what_differs(tmp_path: Path) -> None:
    kept(tmp_path, {"law": "a", "starts": 3}, [])
    with pytest.raises(ValueError, match="differs in starts: give another folder"):
        kept(tmp_path, {"law": "a", "starts": 4}, [])
    with pytest.raises(ValueError, match="differs in starts: give another folder"):
        kept(tmp_path, {"law": "a"}, [])


def overwritten_by_the_next(folder: Path) -> None:
    shutil.copy(parts(folder)[2], parts(folder)[1])


def of_another_plan(folder: Path) -> None:
    kept(folder.parent / "other", {"law": "b"}, [])
    shutil.copy(parts(folder.parent / "other")[1], parts(folder)[1])


def with_fewer_rows(folder: Path) -> None:
    pd.read_parquet(parts(folder)[1]).head(5).to_parquet(parts(folder)[1], index=False)


def of_something_else(folder: Path) -> None:
    pd.DataFrame({"hello": [1]}).to_parquet(parts(folder)[1])


def truncated(folder: Path) -> None:
    parts(folder)[1].write_bytes(parts(folder)[1].read_bytes()[:-100])


def empty(folder: Path) -> None:
    parts(folder)[1].write_bytes(b"")


def a_folder(folder: Path) -> None:
    parts(folder)[1].unlink()
    shutil.copytree(folder, parts(folder)[1])


def a_link_to_nothing(folder: Path) -> None:
    parts(folder)[1].unlink()
    parts(folder)[1].symlink_to(folder / "gone.parquet")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (overwritten_by_the_next, "holds chunk 2"),
        (of_another_plan, "belongs to another study"),
        (with_fewer_rows, "is damaged, or no chunk of a study"),
        (of_something_else, "is damaged, or no chunk of a study"),
        (truncated, "is damaged"),
        (empty, "is damaged, or no chunk of a study"),
        (a_folder, "is a folder"),
        (a_link_to_nothing, "is a folder, or no file"),
    ],
)
def test_a_chunk_that_is_not_what_was_written_is_named_set_aside_and_made_again(
    begun: Path, spoil: Callable[[Path], None], said: str
) -> None:
    before, made = in_files(begun), []
    spoil(begun)
    with pytest.warns(
        UserWarning, match=rf"part-000001.parquet {said}.*kept as _aside-.*, and its chunk is computed again"
    ):
        found = kept(begun, {"law": "a"}, made)
    pd.testing.assert_frame_equal(found, WHOLE)
    assert made == [2] and in_files(begun) == before
    assert len([file for file in begun.iterdir() if file.name.startswith("_aside-")]) == 1
    pd.testing.assert_frame_equal(pd.read_parquet(begun), WHOLE)


def test_sixty_flipped_bytes_are_sixty_times_noticed(begun: Path) -> None:
    rng = np.random.default_rng(0)
    before = in_files(begun)
    for _ in range(60):
        file = parts(begun)[rng.integers(3)]
        data = bytearray(file.read_bytes())
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        with pytest.warns(UserWarning, match=rf"{file.name} (is damaged|belongs to another|holds chunk)"):
            found = kept(begun, {"law": "a"}, [])
        pd.testing.assert_frame_equal(found, WHOLE)
    assert in_files(begun) == before


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"law": "a"}'])
def test_a_damaged_plan_is_written_anew_where_the_chunks_are_ours(begun: Path, text: bytes) -> None:
    plan, made = (begun / "_plan.json").read_bytes(), []
    (begun / "_plan.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"damaged _plan.json, and its chunks are of another study: give"):
        kept(begun, {"law": "b"}, made)
    with pytest.warns(
        UserWarning, match="_plan.json is damaged: it is kept as _aside-.*a new one is written"
    ):
        pd.testing.assert_frame_equal(kept(begun, {"law": "a"}, made), WHOLE)
    assert (begun / "_plan.json").read_bytes() == plan and not made


def test_any_flipped_byte_of_a_plan_is_noticed_or_harmless(begun: Path) -> None:
    good = (begun / "_plan.json").read_bytes()
    for at in range(len(good)):
        (begun / "_plan.json").write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.warns(UserWarning) as said:
            pd.testing.assert_frame_equal(kept(begun, {"law": "a"}, []), WHOLE)
            store._warn("harmless")
        assert len(said) == 2 or (begun / "_plan.json").read_bytes().split() != good.split()


def test_a_lost_plan_is_written_anew(begun: Path) -> None:
    (begun / "_plan.json").unlink()
    with pytest.raises(ValueError, match="no study's"):
        kept(begun, {"law": "b"}, [])
    made: list[int] = []
    pd.testing.assert_frame_equal(kept(begun, {"law": "a"}, made), WHOLE)
    assert not made and (begun / "_plan.json").is_file()


def test_tables_beside_the_chunks_are_named(begun: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(begun / "part-000099.parquet")
    with pytest.warns(UserWarning, match=r"also holds part-000099.parquet.*move them away"):
        pd.testing.assert_frame_equal(kept(begun, {"law": "a"}, []), WHOLE)


def test_of_two_that_begin_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rival comes after the folder was found fresh, and before the plan is there."""
    link = os.link

    def late(source: Path, goal: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        pd.testing.assert_frame_equal(kept(tmp_path, {"law": "a"}, []), WHOLE)
        link(source, goal)

    monkeypatch.setattr(os, "link", late)
    made: list[int] = []
    with pytest.raises(ValueError, match="differs in law"):
        kept(tmp_path, {"law": "b"}, made)
    assert not made
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), WHOLE)


def test_without_links_the_first_is_still_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(source: Path, goal: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    pd.testing.assert_frame_equal(kept(tmp_path, {"law": "a"}, []), WHOLE)
    with pytest.raises(ValueError, match="differs in law"):
        kept(tmp_path, {"law": "b"}, [])


def test_of_many_threads_that_begin_at_once_those_of_one_plan_succeed(tmp_path: Path) -> None:
    for turn in range(5):
        folder, found, refused = tmp_path / str(turn), [], []
        ready = threading.Barrier(8)

        def begin(i: int, folder=folder, found=found, refused=refused, ready=ready) -> None:
            ready.wait()
            try:
                found.append((i % 2, kept(folder, {"law": "ab"[i % 2]}, [])))
            except ValueError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=begin, args=(i,)) for i in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(found) == 4 and len({plan for plan, _ in found}) == 1 and len(refused) == 4
        on_disk = pd.read_parquet(folder)
        for plan, laws in found:
            assert set(laws["of"]) == {"ab"[plan]}
            pd.testing.assert_frame_equal(laws, on_disk)


def test_what_a_killed_writer_left_is_removed_and_a_living_one_s_is_not(begun: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    names = {
        "dead": f"_draft-{store._host()}-{child.pid}-1-aa-part-000000.parquet",
        "elsewhere": f"_draft-00000000-{child.pid}-1-aa-part-000000.parquet",
        "alive": f"_draft-{store._host()}-{os.getpid()}-1-aa-part-000000.parquet",
        "old": "_draft-00000000-1-1-aa-part-000000.parquet",
        "mine": "_draft-of my paper.txt",
    }
    for name in names.values():
        (begun / name).write_bytes(b"half")
    os.utime(begun / names["old"], (time.time() - 7200,) * 2)
    kept(begun, {"law": "a"}, [])
    left = {what for what, name in names.items() if (begun / name).exists()}
    assert left == {"elsewhere", "alive", "mine"}


def test_a_full_disk_is_one_sentence_and_nothing_done_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writes = Path.write_bytes, []

    def filling(file: Path, data: bytes) -> int:
        writes.append(file)
        if len(writes) == 3:  # the plan, a chunk, and half of another
            write(file, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(Path, "write_bytes", filling)
    with pytest.raises(OSError, match=r"^The folder .* cannot be used \(No space left.*: make room"):
        kept(tmp_path, {"law": "a"}, [])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["_plan.json", "part-000000.parquet"]
    made: list[int] = []
    pd.testing.assert_frame_equal(kept(tmp_path, {"law": "a"}, made), WHOLE)
    assert made == [2, 3]


def test_a_read_only_folder_is_read_and_what_lacks_is_said(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts(begun)[1].rename(begun.parent / "away")
    (begun / "_draft-00000000-1-1-aa-part-000000.parquet").write_bytes(b"half")

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as disk:
        for name in ("write_bytes", "replace", "unlink"):
            disk.setattr(Path, name, refused)
        with pytest.raises(OSError, match=r"^The folder .* \(Read-only file system\).*can be written"):
            kept(begun, {"law": "a"}, [])
    (begun.parent / "away").rename(parts(begun)[1])
    for name in ("write_bytes", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refused)
    pd.testing.assert_frame_equal(kept(begun, {"law": "a"}, []), WHOLE)


def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "laws").write_text("a file")
    with pytest.raises(OSError, match=r"laws cannot be used \(File exists\)"):
        kept(tmp_path / "laws", {"law": "a"}, [])


ALONE = """
import os, sys, threading
import pandas as pd
from scaling_jax.tables.store import in_chunks
count = lambda: len(os.listdir("/proc/self/task")) - threading.active_count()
before = count()
make = lambda chunk: pd.DataFrame({"n": [chunk] * 200, "of": "a"})
for _ in range(2):
    assert len(in_chunks(sys.argv[1], {"kind": "a"}, [0, 1, 2], make)) == 600
print(count() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted where /proc has them")
def test_a_study_that_goes_on_starts_no_threads(tmp_path: Path) -> None:
    """One of Arrow's that asked for Python's lock as the process ended has aborted it, its work done."""
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 0


def test_a_process_begins_with_its_share_and_helps_the_others_from_their_ends() -> None:
    turns = [store._in_turn(list(range(7)), 7, (i, 3)) for i in range(3)]
    assert turns == [[0, 1, 2, 4, 3, 6, 5], [3, 4, 6, 5, 2, 1, 0], [5, 6, 2, 1, 0, 4, 3]]
    assert store._in_turn([1, 4, 5], 7, (0, 1)) == [1, 4, 5]
    assert store._in_turn([1, 4, 5], 7, (2, 3)) == [5, 1, 4]


def test_what_another_process_made_meanwhile_is_read_and_never_written_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make(chunk: int) -> pd.DataFrame:
        if not made:
            kept(tmp_path, {"law": "a"}, [])  # all of it, by another one
            before.update(in_files(tmp_path))
        made.append(chunk)
        return table(chunk)

    before: dict[str, bytes] = {}
    found = in_chunks(tmp_path, {"law": "a"}, [1, 2, 3], make, share=(1, 3))
    pd.testing.assert_frame_equal(found, WHOLE)
    assert made == [2] and in_files(tmp_path) == before


def test_two_that_share_a_folder_both_return_all_of_it(tmp_path: Path) -> None:
    made: list[int] = []

    def make(chunk: int) -> pd.DataFrame:
        made.append(chunk)
        return table(chunk)

    def begin(me: int) -> None:
        tables[me] = in_chunks(tmp_path, {"law": "a"}, [1, 2, 3, 4], make, share=(me, 2))

    tables: dict[int, pd.DataFrame] = {}
    threads = [threading.Thread(target=begin, args=(me,)) for me in (0, 1)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert set(made) == {1, 2, 3, 4}
    pd.testing.assert_frame_equal(tables[0], tables[1])


def square(chunk: int) -> pd.DataFrame:
    """On an executor: the middle chunk fails."""
    if chunk == 2:
        raise MemoryError("too large")
    return table(chunk)


def test_a_chunk_that_fails_on_an_executor_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(
            RuntimeError,
            match=r"^1 of 3 chunks failed twice .*\(1\); chunk 1 by MemoryError: too large The others are",
        ):
            in_chunks(tmp_path, {"law": "a"}, [1, 2, 3], square, pool)
        assert sorted(in_files(tmp_path)) == ["part-000000.parquet", "part-000002.parquet"]
        found = in_chunks(tmp_path, {"law": "a"}, [1, 2, 3], table, pool)
    pd.testing.assert_frame_equal(found, WHOLE)
