"""Programs on disk: found by another process, and compiled again wherever there is doubt."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.core.settings import own_settings
from scaling_jax.engine import compiled, stored
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.kept import clear_caches
from scaling_jax.engine.predict import predict

INPUTS = {"x": np.geomspace(1, 100, 5)}
NUMBERS = np.array([5.0, 0.3])
EXPECTED = 5 * INPUTS["x"] ** -0.3
KEY = "0" * 64


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder of programs."""
    monkeypatch.setenv(stored.SETTING, str(tmp_path))
    yield tmp_path / "programs"
    stored.settle()


@pytest.fixture
def compilations(monkeypatch) -> list[str]:
    """Grows by one for every program that is compiled."""
    made: list[str] = []
    whole = Program._compiled

    def counted(self, key, given):
        made.append(key)
        return whole(self, key, given)

    monkeypatch.setattr(Program, "_compiled", counted)
    return made


def afresh() -> np.ndarray:
    """The power law's values, by a process that has compiled nothing."""
    stored.settle()
    clear_caches()
    return predict(sj.laws.power_law, NUMBERS, INPUTS)[0]


def files(programs: Path) -> list[Path]:
    stored.settle()
    return sorted(programs.iterdir()) if programs.exists() else []


def test_a_second_process_compiles_nothing(programs, compilations) -> None:
    first = afresh()
    assert len(compilations) == 1 and len(files(programs)) == 1
    np.testing.assert_array_equal(afresh(), first)
    assert len(compilations) == 1
    np.testing.assert_allclose(first, EXPECTED, rtol=1e-14)


def test_a_fit_from_the_folder_is_the_same_to_the_last_bit(programs, compilations) -> None:
    table = {**INPUTS, "loss": EXPECTED * (1 + 0.01 * np.cos(INPUTS["x"]))}

    def fitted() -> tuple[float, str]:
        stored.settle()
        clear_caches()
        fit = sj.fit(sj.laws.power_law, table)
        return fit.objective_value, fit.summary()

    first, made = fitted(), len(compilations)
    assert fitted() == first and len(compilations) == made > 3


SAY = """
import sys
from tests.engine.test_stored import NUMBERS, INPUTS, predict, sj
from scaling_jax.engine.compiled import Program
Program._compiled = None
print(*predict(sj.laws.power_law, NUMBERS, INPUTS)[0].tolist())
"""


def test_another_process_finds_them(programs) -> None:
    here = afresh()
    files(programs)
    said = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=False)
    assert [float(word) for word in said.stdout.split()] == here.tolist() and not said.stderr


def test_an_empty_value_keeps_nothing(programs, monkeypatch) -> None:
    monkeypatch.setenv(stored.SETTING, " ")
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    assert stored.folder() is None and not files(programs)
    assert "turns it off" in str(stored.available())


def damages(data: bytes) -> dict[str, bytes]:
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    return {"cut off": data[:-1], "empty": b"", "a flipped bit": bytes(flipped), "other bytes": b"x" * 999}


@pytest.mark.parametrize("damage", damages(b"."))
def test_a_damaged_file_is_compiled_and_written_again(programs, compilations, damage: str) -> None:
    first = afresh()
    (file,) = files(programs)
    whole = file.read_bytes()
    file.write_bytes(damages(whole)[damage])
    np.testing.assert_array_equal(afresh(), first)
    assert len(compilations) == 2
    np.testing.assert_array_equal(afresh(), first)
    assert len(compilations) == 2


def forged(thing: object, key: str) -> bytes:
    body = zlib.compress(pickle.dumps(thing))
    return stored.MAGIC + stored._checksum(key, body) + body


def test_a_whole_file_of_something_else_is_compiled(programs, compilations) -> None:
    first = afresh()
    (file,) = files(programs)
    for thing in ("no program", (b"no program", None, None)):
        stored.settle()
        file.write_bytes(forged(thing, file.stem))
        np.testing.assert_array_equal(afresh(), first)
    assert len(compilations) == 3


def test_a_file_under_another_name_is_not_read(programs) -> None:
    afresh()
    (file,) = files(programs)
    file.rename(file.with_name(KEY + stored.SUFFIX))
    assert stored.load(KEY, jax.local_devices()[0]) is None


def test_a_program_that_fails_here_is_compiled(programs, compilations, monkeypatch) -> None:
    first = afresh()

    def fails(*given):
        raise jax.errors.JaxRuntimeError("of another machine")

    monkeypatch.setattr(stored, "load", lambda key, device: fails)
    np.testing.assert_array_equal(afresh(), first)
    assert len(compilations) == 2


OTHERS = {
    "JAX": lambda m: m.setattr(jax, "__version__", "0.0.0"),
    "jaxlib": lambda m: m.setattr(stored, "version", lambda name: "0.0.0"),
    "source": lambda m: m.setattr(stored, "_source", lambda: b"other"),
    "processor": lambda m: m.setattr(stored, "_processor", lambda: b"other"),
    "flags": lambda m: m.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true"),
    "options": lambda m: m.setattr(compiled, "QUICK", {}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_another_made_is_another_program(programs, monkeypatch, what: str) -> None:
    device, form = jax.local_devices()[0], ("a form",)

    def key() -> str | None:
        return stored.key_of(None, form, sorted(compiled.QUICK.items()), device)

    before = key()
    OTHERS[what](monkeypatch)
    assert before is not None and key() not in (None, before)


def test_settings_of_jax_are_part_of_it(programs) -> None:
    def form() -> stored.Form:
        return compiled._form((np.zeros(3),))

    with own_settings():
        ours = form()
        with jax.default_matmul_precision("float32"):
            assert form() != ours
    assert form() != ours


def test_a_machine_that_does_not_say_what_it_is_keeps_nothing(programs, monkeypatch) -> None:
    monkeypatch.setattr(stored, "_processor", lambda: None)
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    assert not files(programs) and "does not say" in str(stored.available())


def test_what_is_no_law_or_setting_of_ours_is_not_kept() -> None:
    def make() -> None: ...

    assert stored._told((make, ()), False) is None
    assert stored._told((predict, (sj.laws.power_law, True)), False) is not None
    assert stored._told((predict, (object(),)), False) is None

    class Mine(sj.LM):
        """A solver of the user's, whose steps nobody can tell."""

    assert stored._told(sj.LM(), False) != stored._told(sj.LM(tol=1e-9), False) != stored._told(Mine(), False)
    assert stored._told(Mine(), False) is None


UNSAFE = {
    "a folder others may write": lambda folder, file: folder.chmod(0o777),
    "a file others may write": lambda folder, file: file.chmod(0o666),
    "a link": lambda folder, file: file.symlink_to(file.rename(folder / "elsewhere")),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_what_others_could_have_written_is_not_read(programs, compilations, what: str) -> None:
    afresh()
    (file,) = files(programs)
    UNSAFE[what](programs, file)
    assert stored.load(file.stem, jax.local_devices()[0]) is None
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    assert len(compilations) == 2


def test_somebody_elses_folder_is_neither_read_nor_written(programs, compilations, monkeypatch) -> None:
    afresh()
    (file,) = files(programs)
    before = file.read_bytes()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    assert len(compilations) == 2 and [f.read_bytes() for f in files(programs)] == [before]
    assert "belongs to somebody else" in str(stored.available())


def no_room(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["mkstemp", "replace", "mkdir"])
def test_a_full_or_read_only_disk_costs_nothing_but_the_keeping(programs, monkeypatch, where: str) -> None:
    owner = {"mkstemp": stored.tempfile, "replace": stored.os, "mkdir": Path}[where]
    monkeypatch.setattr(owner, where, no_room)
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    assert not files(programs)


def test_a_file_in_place_of_the_folder(tmp_path, monkeypatch) -> None:
    at = tmp_path / "a file"
    at.write_text("mine")
    monkeypatch.setenv(stored.SETTING, str(at))
    np.testing.assert_allclose(afresh(), EXPECTED, rtol=1e-14)
    stored.settle()
    assert at.read_text() == "mine" and "cannot be used" in str(stored.available())


def test_two_writers_and_a_reader_see_whole_files_only(programs) -> None:
    programs.mkdir(mode=0o700)
    whole = {b"a" * 100_000, b"b" * 200_000}
    seen, done = set(), threading.Event()

    def write(body: bytes) -> None:
        for _ in range(50):
            stored._write(KEY, stored.MAGIC + stored._checksum(KEY, body) + body)

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(stored._read(KEY))
            except FileNotFoundError:
                continue

    threads = [threading.Thread(target=write, args=(body,)) for body in whole]
    reader = threading.Thread(target=read)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert seen and seen <= whole
    assert [file.name for file in files(programs)] == [KEY + stored.SUFFIX]


def test_what_was_used_longest_ago_goes_first(programs, monkeypatch) -> None:
    programs.mkdir(mode=0o700)
    for age, name in enumerate("abcde"):
        body = bytes(1000)
        stored._write(name, stored.MAGIC + stored._checksum(name, body) + body)
        os.utime(programs / (name + stored.SUFFIX), (time.time() - 10 - age,) * 2)
    assert stored._read("e") is not None  # the oldest, and now used
    (programs / "left.part").write_bytes(b"")
    os.utime(programs / "left.part", (0, 0))
    monkeypatch.setattr(stored, "MOST_BYTES", 4000)
    stored._bounded()
    assert [file.stem for file in files(programs)] == ["a", "e"]  # within three quarters of the bound


def test_a_program_is_compiled_once_however_many_threads_ask(programs, compilations) -> None:
    program = Program(lambda x: jnp.cumsum(x))
    threads = [threading.Thread(target=program, args=(np.zeros(4),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compilations) == 1
