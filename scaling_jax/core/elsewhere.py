"""Work given to somebody's executor: packed so that another process can read it, its results as they come.

An executor is any object whose `submit(function, *arguments)` gives futures: those of `concurrent.futures`,
Dask's client, mpi4py's, a few lines around Ray. When and where work runs is the executor's business.
"""

from __future__ import annotations

import asyncio
import pickle
import secrets
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from io import BytesIO
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law

__all__ = ["Executor", "as_they_end", "must_be_executor", "packed", "unpacked"]

T = TypeVar("T")
TRIES = 2


class Future(Protocol):
    """What is still being computed."""

    def result(self) -> Any: ...

    def cancel(self) -> object: ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> object: ...


class Executor(Protocol):
    """Takes work and gives futures."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any: ...


def must_be_executor(executor: object) -> None:
    """Refuses what takes no work, and processes that would be copies of this one.

    Raises:
        TypeError: for an object without `submit`.
        ValueError: for a pool of forked processes: JAX's threads do not come along, and their locks stay
            locked.
    """
    if not callable(getattr(executor, "submit", None)) or isinstance(executor, type):
        raise TypeError(
            f"executor={shown(executor)}: give an executor, such as a ProcessPoolExecutor or Dask's Client."
        )
    context = getattr(executor, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        raise ValueError(
            "executor= forks this process, in which JAX runs threads, and its workers may wait for ever: "
            "give ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))."
        )


def as_they_end(
    executor: Executor, names: Iterable[int], work: Callable[[int], Callable[[], T]]
) -> Generator[tuple[int, T | BaseException]]:
    """Gives every `work(name)` to an executor and yields what each returns, in the order in which they end.

    Work that fails is given once more, to another worker if it may be; what fails again comes out as its
    error, and the rest goes on. Whoever stops listening cancels what has not begun.

    Raises:
        TypeError: for work that cannot be packed.
    """
    ended: SimpleQueue[tuple[int, int, Future]] = SimpleQueue()
    pending: dict[int, Future] = {}

    def give(name: int, attempt: int) -> None:
        pending[name] = executor.submit(_run, packed(work(name)), attempt)
        pending[name].add_done_callback(lambda future: ended.put((name, attempt, future)))

    try:
        for name in names:
            give(name, 1)
        while pending:
            name, attempt, future = ended.get()
            try:
                outcome: T | BaseException = future.result()
            except (Exception, asyncio.CancelledError) as error:
                outcome = error
                if attempt < TRIES and _taken(give, name, attempt + 1):
                    continue
            del pending[name]
            yield name, outcome
    finally:
        for future in pending.values():
            future.cancel()


def _taken(give: Callable[[int, int], None], name: int, attempt: int) -> bool:
    """Whether work that failed could be given again: a pool whose process died takes none."""
    try:
        give(name, attempt)
    except Exception:
        return False
    return True


def _run(work: bytes, attempt: int) -> Any:
    """On the worker. Some executors give again what they gave for the same arguments: the attempt is one."""
    return unpacked(work)()


# --- packing


def packed(work: object) -> bytes:
    """As `pickle`, but laws and functions of a notebook or script travel by value, where cloudpickle is
    installed, as it is with Dask.

    Raises:
        TypeError: for what cannot be packed, with the remedy.
    """
    try:
        return _packed(work)
    except Exception as error:
        raise TypeError(
            f"This work cannot be given to another process ({type(error).__name__}: {error}): define law and "
            "objective at the top level of an importable module, or pip install cloudpickle."
        ) from error


def unpacked(work: bytes) -> Any:
    """What was `packed`, elsewhere."""
    return pickle.loads(work)


def _packed(work: object) -> bytes:
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has no types of its own
    except ImportError:
        return pickle.dumps(work)

    class Packer(cloudpickle.Pickler):  # type: ignore[misc]  # nor has its class
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, Law) and not _known_elsewhere(obj):
                return _empty, (_token(obj),), obj.__dict__, None, None, _fill
            return super().reducer_override(obj)

    Packer(file := BytesIO()).dump(work)
    return file.getvalue()


def _known_elsewhere(law: Law) -> bool:
    """Whether another process finds a law by its name: `__main__` is another module there."""
    if law.recipe is None and law.__module__ == "__main__":
        return False
    try:
        law.__reduce__()
    except TypeError:
        return False
    return True


@lru_cache(maxsize=64)
def _token(law: Law) -> str:
    """What a law without a name is known by: it arrives as the same law every time, and compiles once."""
    return secrets.token_hex(16)


@lru_cache(maxsize=64)
def _empty(token: str) -> Law:
    return Law.__new__(Law)


def _fill(law: Law, state: dict[str, Any]) -> None:
    if not vars(law):
        vars(law).update(state)
