"""Compiled programs kept on disk from process to process: nothing is compiled twice on one machine.

The folder is the one that the environment variable SCALING_JAX_CACHE names, or the user's own cache; an empty
value turns it off. A program is found by everything that made it: the law as JAX traces it, the engine's own
source, shapes, JAX and its settings, and the processor. A program is code, so it is read only from a folder
and a file that belong to the user and that nobody else may write. Whatever is in doubt is compiled.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import re
import stat
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable
from platformdirs import user_cache_path

from scaling_jax.core.law import Law
from scaling_jax.engine.foreign import called_outside, known, look_up
from scaling_jax.engine.traced import law_in_bytes

__all__ = ["SETTING", "Form", "available", "folder", "inventory", "key_of", "load", "save", "settle"]

SETTING = "SCALING_JAX_CACHE"
PACKAGE = Path(__file__).parents[1]
MADE_FROM = ("core", "engine")  # folders of the package in which programs are written
SUFFIX = ".program"
MAGIC = b"scaling_jax program 2\n"
MOST_BYTES = 2**28  # of all files together
LEFT = 0.75  # of that, once it is passed
LARGEST = 2**26  # of one file: no program of ours comes near
ABANDONED = 3600.0  # seconds after which an unfinished file has no writer any more
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
# of a processor, from core to core or from moment to moment
VARIES = rb"processor|cpu MHz|bogomips|BogoMIPS|core id|initial apicid|apicid|physical id|siblings|cpu cores"

Form = tuple[Hashable, ...]
"""Of arguments: their tree, shapes and types, and the settings they are used under."""


def folder() -> Path | None:
    """Where programs are kept, or None where that is turned off."""
    said = os.environ.get(SETTING)
    if said is None:
        return user_cache_path("scaling_jax", appauthor=False) / "programs"
    return Path(said).expanduser() / "programs" if said.strip() else None


def available() -> str | None:
    """Why nothing can be kept here, in words; None where it can."""
    at = folder()
    if at is None:
        return f"the environment variable {SETTING} is empty, which turns it off"
    if not hasattr(os, "geteuid") or _processor() is None or _source() is None:
        return "this system does not say what is needed to know a program again"
    try:
        os.close(_opened(at, make=True))
    except OSError as error:
        return f"{at} cannot be used ({error.strerror or error})"
    return None


def inventory() -> tuple[int, int]:
    """How many programs are kept, and their bytes."""
    at = folder()
    if at is None or not at.is_dir():
        return 0, 0
    sizes = [file.stat().st_size for file in at.glob("*" + SUFFIX)]
    return len(sizes), sum(sizes)


def key_of(made_by: Hashable, form: Form, options: object, device: jax.Device) -> str | None:
    """The name of a program, from who makes it of what (`kept`) and the form of its arguments; None where
    that does not say all of it, or where nothing is kept."""
    if folder() is None or not hasattr(os, "geteuid"):
        return None
    try:
        parts = [_machine(device), _told(made_by, _has_singles(form)), repr((form, options)).encode()]
    except Exception:  # a law that cannot be traced says so itself, in its own words, when it is run
        return None
    if any(part is None for part in parts):
        return None
    return hashlib.sha256(b"|".join(part for part in parts if part is not None)).hexdigest()


def load(key: str, device: jax.Device) -> Callable[..., Any] | None:
    """The program of that name, ready to run on a device, or None."""
    try:
        packed = _read(key)
        return None if packed is None else _unpacked(packed, device)
    except Exception:  # damaged, foreign, of a JAX that thinks otherwise: it is compiled
        return None


def save(key: str, compiled: jax.stages.Compiled) -> None:
    """Keeps a program, in the background; where it cannot be kept nothing happens."""
    with suppress(RuntimeError):  # Python is ending
        _WRITER.submit(_save, key, compiled)


def settle() -> None:
    """Waits until all that was to be kept is."""
    _WRITER.submit(lambda: None).result()


_WRITER = ThreadPoolExecutor(1, thread_name_prefix="scaling_jax-store")


def _save(key: str, compiled: jax.stages.Compiled) -> None:
    # no room, no permission, a program that JAX cannot write: it was compiled anyhow
    with suppress(Exception):
        calls = called_outside(compiled)
        if not known(calls):
            return
        body = zlib.compress(pickle.dumps((calls, *serialize_executable.serialize(compiled))), 1)
        _write(key, MAGIC + _checksum(key, body) + body)
        _bounded()


def _unpacked(body: bytes, device: jax.Device) -> Callable[..., Any]:
    calls, payload, takes, gives = pickle.loads(zlib.decompress(body))
    look_up(calls, device.platform)
    return serialize_executable.deserialize_and_load(
        payload, takes, gives, backend=device.client, execution_devices=[device]
    )


def _checksum(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).digest()


def _opened(at: Path, make: bool = False) -> int:
    """The folder, opened, if it is the user's own.

    Raises:
        OSError: it is not there, or others may write to it.
    """
    if make:
        at.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    if not _is_own(os.fstat(handle)):
        os.close(handle)
        raise PermissionError(0, "it belongs to somebody else, or others may write to it")
    return handle


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & OTHERS_MAY_WRITE


def _read(key: str) -> bytes | None:
    """The body of a file that is whole and the user's own; its age is set back."""
    at = folder()
    if at is None:
        return None
    directory = _opened(at)
    try:
        handle = os.open(key + SUFFIX, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
    finally:
        os.close(directory)
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not (_is_own(found) and stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST):
            return None
        data = file.read()
        with suppress(OSError):
            os.utime(handle)
    start = len(MAGIC) + hashlib.sha256().digest_size
    body = data[start:]
    return body if data[:start] == MAGIC + _checksum(key, body) else None


def _write(key: str, data: bytes) -> None:
    """All of the file, or nothing of it, whoever else writes."""
    at = folder()
    if at is None:
        return
    os.close(_opened(at, make=True))
    handle, part = tempfile.mkstemp(dir=at, suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(part, at / (key + SUFFIX))
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _bounded() -> None:
    """Lets go of what was used longest ago where all is too much, and of files nobody will finish."""
    at = folder()
    if at is None:
        return
    found = []
    for file in os.scandir(at):
        with suppress(OSError):  # another process has let go of it
            seen = file.stat(follow_symlinks=False)
            if file.name.endswith(SUFFIX):
                found.append((seen.st_mtime, seen.st_size, file.path))
            elif file.name.endswith(".part") and seen.st_mtime < time.time() - ABANDONED:
                os.unlink(file.path)
    total = sum(size for _, size, _ in found)
    if total <= MOST_BYTES:
        return
    for _, size, path in sorted(found):
        with suppress(OSError):
            os.unlink(path)
        total -= size
        if total <= LEFT * MOST_BYTES:
            return


def _told(thing: object, singles: bool) -> bytes | None:
    """What a program is made of, in bytes; None for what they do not tell, such as a user's function."""
    if isinstance(thing, Law):
        return _law(thing, singles)
    if thing is None or isinstance(thing, bool | int | float | str):
        return repr(thing).encode()
    if isinstance(thing, jax.tree_util.PyTreeDef):
        return str(thing).encode()
    if isinstance(thing, jax.Device):
        return b"a device"
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    if not (_of_package(thing) or type(thing) is tuple):
        return None
    parts = [_told(part, singles) for part in _parts(thing)]
    if any(part is None for part in parts):
        return None
    return name.encode() + b"(" + b",".join(part for part in parts if part is not None) + b")"


def _of_package(thing: object) -> bool:
    """Whether a function, or the class of a thing, is written in the folders that make programs."""
    module = str(getattr(thing, "__module__", type(thing).__module__))
    return module.startswith(tuple(f"{PACKAGE.name}.{part}." for part in MADE_FROM))


def _parts(thing: object) -> tuple[object, ...]:
    """The fields by which a record is told from another, the items of a tuple; of a function none."""
    if isinstance(thing, tuple):
        return tuple(thing)
    fields = getattr(thing, "__dataclass_fields__", {})
    return tuple(getattr(thing, name) for name, one in fields.items() if one.compare)


@lru_cache(maxsize=64)
def _law(law: Law, singles: bool) -> bytes | None:
    told = [law_in_bytes(law, dtype) for dtype in ("float64", "float32")[: 1 + singles]]
    return None if any(part is None for part in told) else b"|".join(part for part in told if part)


def _has_singles(form: Form) -> bool:
    return "float32" in repr(form)


@lru_cache(maxsize=8)
def _of_device(device: jax.Device) -> bytes:
    said = (device.platform, device.device_kind, device.client.platform_version, device.id)
    return repr(said).encode()


def _machine(device: jax.Device) -> bytes | None:
    """What a program was compiled by and for, or None where that is not known."""
    source, processor = _source(), _processor()
    if source is None or processor is None or jax.process_count() > 1:
        return None
    flags = [os.environ.get(name) for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")]
    settings = sorted((name, repr(value)) for name, value in jax.config.values.items())
    versions = (jax.__version__, version("jaxlib"), platform.python_version(), platform.system())
    said = repr((MAGIC, versions, flags, settings)).encode()
    return b"|".join([source, processor, _of_device(device), said])


@cache
def _source() -> bytes | None:
    """The source that programs are written in: another version of it makes other programs."""
    digest = hashlib.sha256()
    try:
        files = sorted(file for part in MADE_FROM for file in (PACKAGE / part).glob("*.py"))
        for file in files:
            digest.update(file.name.encode() + file.read_bytes())
    except OSError:
        return None
    return digest.digest() if files else None


@cache
def _processor() -> bytes | None:
    """What the processor can do and how many of its cores may be used: a program is compiled for these."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        if platform.system() == "Darwin":
            asked = ["/usr/sbin/sysctl", "machdep.cpu", "hw.optional"]
            said = subprocess.run(asked, capture_output=True, check=False, timeout=5).stdout
        else:
            said = Path("/proc/cpuinfo").read_bytes().split(b"\n\n")[0]
            said = b"\n".join(line for line in said.splitlines() if not re.match(VARIES, line))
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{platform.machine()} {cores} ".encode() + said if said else None
