"""Compiling: soon rather than well, ahead of need, and once per machine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, cached_property
from threading import Lock
from typing import Any, Generic, TypeVar

import jax

from scaling_jax.core.settings import traced_apart
from scaling_jax.engine import stored
from scaling_jax.engine.kept import has_compiled
from scaling_jax.engine.traffic import called, fetched

__all__ = ["INSTANT", "QUICK", "Program", "placed_on"]

Result = TypeVar("Result")
Options = Mapping[str, int]

QUICK: Options = {
    # halves the time XLA takes for our programs, which run as fast
    "xla_cpu_use_fusion_emitters": False,
    # a program cut into 32 modules, its default, takes a fifth longer on few cores
    "xla_cpu_parallel_codegen_split_count": 1,
}
# a third of that time, for programs that run half as fast: work that ends before a better one was compiled
INSTANT: Options = {**QUICK, "xla_backend_optimization_level": 0}

DEVICE = "jax_default_device"
SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", DEVICE)  # a thread may have its own


@cache
def _known(name: str, value: int) -> bool:
    """Whether this version of XLA knows an option."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


class Program(Generic[Result]):
    """A function that is compiled for each form of arguments on first use, or was by an earlier process.

    What has begun is kept here and nowhere else, so a program that is let go is free.

    Args:
        fn: the function, of arrays and trees of them.
        options: of XLA; those that this version does not know are left out.
        device: where it runs, if not on the default device.
        place: brings its arguments there.
    """

    def __init__(
        self,
        fn: Callable[..., Result],
        options: Options = QUICK,
        device: jax.Device | None = None,
        place: Callable[[Any], Any] | None = None,
    ):
        self._fn = fn
        self._options = options
        self._device = device
        self._place = place
        self._ready: dict[stored.Form, Callable[..., Result]] = {}
        self._locks: dict[stored.Form, Lock] = {}
        self._begun: dict[Hashable, Future[None]] = {}
        self.kept_as: Hashable = None

    def __call__(self, *arguments: object) -> Result:
        if not self.at_home:
            called(self.name, arguments)
        given = arguments if self._place is None else self._place(arguments)
        form = _form(given)
        ready = self._ready.get(form)
        return self._first(form, given) if ready is None else ready(*given)

    @property
    def name(self) -> str:
        """The file that made it, or the function it is."""
        makers = self.kept_as if isinstance(self.kept_as, tuple) else (self._fn,)
        return str(getattr(makers[0], "__module__", "?")).rpartition(".")[2]

    def fetched(self, *arguments: object) -> Any:
        """What it gives for its arguments, as NumPy holds it."""
        found = self(*arguments)
        return jax.device_get(found) if self.at_home else fetched(found)

    @property
    def at_home(self) -> bool:
        """Whether it was told to run on the host's processor, where nothing is waited for."""
        return self._device is not None and self._device.platform == "cpu"

    def ahead(self, shape: Hashable, use: Callable[[], object]) -> Future[None]:
        """Begins, in the background and once per shape, to use the program on arrays of that shape."""
        if shape not in self._begun:
            self._begun[shape] = _THREADS.submit(_forgotten, use)
        return self._begun[shape]

    def settle(self, shape: Hashable) -> None:
        """Waits for what has begun for a shape, if anything."""
        if shape in self._begun:
            self._begun[shape].result()

    @cached_property
    def _jitted(self) -> Any:
        known = {name: value for name, value in self._options.items() if _known(name, value)}
        return jax.jit(self._fn, compiler_options=known)

    def _first(self, form: stored.Form, given: tuple[object, ...]) -> Result:
        """The result, and the program made ready for that form of arguments: found, or else compiled."""
        with self._locks.setdefault(form, Lock()):
            if form in self._ready:
                return self._ready[form](*given)
            device = _device_or_default(self._device)
            key = stored.key_of(self.kept_as, form, sorted(self._options.items()), device)
            found = None if key is None else self._found(key, device, given)
            ready, result = found or self._compiled(key, given)
            self._ready[form] = ready
        has_compiled(self.kept_as)
        return result

    def _found(
        self, key: str, device: jax.Device, given: tuple[object, ...]
    ) -> tuple[Callable[..., Result], Result] | None:
        """The program as an earlier process compiled it, and its result; None where it does not run here."""
        loaded = stored.load(key, device)
        if loaded is None:
            return None
        try:
            return loaded, jax.block_until_ready(loaded(*given))
        except Exception:  # whatever it is, a program compiled here has not got it
            return None

    def _compiled(self, key: str | None, given: tuple[object, ...]) -> tuple[Callable[..., Result], Result]:
        made = traced_apart(lambda: self._jitted.lower(*given).compile())
        if key is not None:
            stored.save(key, made)
        return made, made(*given)


def _form(given: tuple[object, ...]) -> stored.Form:
    """What of arguments a program is compiled for."""
    leaves, tree = jax.tree.flatten(given)
    settings = tuple(getattr(jax.config, name) for name in SETTINGS)
    return (settings, tree, *((leaf.shape, leaf.dtype) for leaf in leaves))


def _device_or_default(device: jax.Device | None) -> jax.Device:
    chosen = device or getattr(jax.config, DEVICE)
    if isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen or jax.local_devices()[0]


def placed_on(device: jax.Device | None) -> Callable[[Any], Any] | None:
    """What brings arguments to a device; None for the default one, where they go by themselves."""
    return None if device is None else lambda given: jax.device_put(given, device)


_THREADS = ThreadPoolExecutor(2, thread_name_prefix="scaling_jax-compile")


def _forgotten(use: Callable[[], object]) -> None:
    """Uses the program for the sake of compiling: what it gives is not kept."""
    use()
