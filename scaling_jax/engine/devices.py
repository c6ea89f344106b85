"""Where lanes run: one device, or a mesh whose devices share every chunk equally, on one host or several.

A chunk's arrays carry a `NamedSharding` over their lane axis, and lanes never talk to each other, so every
device loops over its own. Hosts share out lanes, and gather the ends, so that each returns the whole result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import QUICK, Program, placed_on

__all__ = [
    "AXIS",
    "Place",
    "across_hosts",
    "as_an_accelerator",
    "default_device",
    "exact_device",
    "few_calls",
    "host_if_small",
    "lane_program",
    "n_parts",
    "platform",
    "span_hosts",
    "whole_program",
]

SMALL_WORK = 4_000_000
AXIS = "lanes"  # of a mesh, whatever its own are called

Place: TypeAlias = jax.Device | Mesh | None  # None is the default device
Result = TypeVar("Result")


def platform(device: Place) -> str:
    """The platform of a device, of a mesh's devices, or of the default device."""
    if isinstance(device, Mesh):
        return device.devices.flat[0].platform
    return (device or jax.local_devices()[0]).platform


def default_device(cells: int) -> Place:
    """Where to run `cells` (starts times rows) when nobody says: the host, or all local devices for much.

    On processors one device is enough: its threads keep every core busy.
    """
    if jax.default_backend() == "cpu":
        return None
    if cells < SMALL_WORK:
        return jax.local_devices(backend="cpu")[0]
    local = jax.local_devices()
    return Mesh(np.array(local), (AXIS,)) if len(local) > 1 else None


def exact_device(device: Place) -> Place:
    """Where float64 is native: the device itself, or the host's processor for a TPU."""
    return jax.local_devices(backend="cpu")[0] if platform(device) == "tpu" else device


_FORCED: ContextVar[bool] = ContextVar("as_an_accelerator", default=False)


@contextmanager
def as_an_accelerator() -> Iterator[None]:
    """Within a `with` block every device is driven the way that suits an accelerator."""
    token = _FORCED.set(True)
    try:
        yield
    finally:
        _FORCED.reset(token)


def few_calls(device: Place) -> bool:
    """Whether waiting for a call costs more than steps that are taken for nothing: on accelerators of
    one host that know float64."""
    return not span_hosts(device) and (_FORCED.get() or platform(device) not in ("cpu", "tpu"))


def host_if_small(cells: int) -> jax.Device | None:
    """Where an accelerator would be waited for longer than the host's processor computes so little; None is
    the default device."""
    return jax.local_devices(backend="cpu")[0] if few_calls(None) and cells < SMALL_WORK else None


def _local(device: Place) -> Mesh | None:
    """The part of a mesh that belongs to this process."""
    if not isinstance(device, Mesh):
        return None
    here = [d for d in device.devices.flat if d.process_index == jax.process_index()]
    return Mesh(np.array(here), (AXIS,))


def n_parts(device: Place) -> int:
    """How many devices of this process share a chunk."""
    mesh = _local(device)
    return 1 if mesh is None else mesh.size


def span_hosts(device: Place) -> bool:
    """Whether a mesh has devices of other processes."""
    if not isinstance(device, Mesh):
        return False
    return any(d.process_index != jax.process_index() for d in device.devices.flat)


def lane_program(
    fn: Callable[..., Result], in_axes: tuple[object, ...], device: Place, in_turn: bool
) -> Program[Result]:
    """A function of one lane compiled for many, on a device or mesh; its program takes one argument more,
    how many of the lanes are wanted, and what it gives for the others is of no use.

    Args:
        fn: takes and returns trees of arrays.
        in_axes: per argument a tree of 0 (a leading lane axis) and None (shared by all lanes), as for
            `jax.vmap`.
        device: None, a device, or a mesh.
        in_turn: one lane after the other, so that none waits for another, rather than side by side.
    """
    mesh = _local(device)
    if mesh is not None:
        return _spread(_side_by_side(fn, in_axes), (*in_axes, None), 0, mesh)
    assert not isinstance(device, Mesh)
    of_lanes = _in_turn if in_turn else _side_by_side
    return Program(of_lanes(fn, in_axes), QUICK, device, placed_on(device))


def whole_program(
    fn: Callable[..., Result], in_axes: tuple[object, ...], out_axes: object, device: Place
) -> Program[Result]:
    """A function of all fits compiled for a device, or so that every device of a mesh takes an equal part.

    Axes are trees as for `lane_program`, of what it gives too: 0 where each device has its own part, None
    where each has the whole. A function may ask `jax.lax` for what the others have, along `AXIS`.
    """
    mesh = _local(device)
    if mesh is not None:
        return _spread(fn, in_axes, out_axes, mesh)
    assert not isinstance(device, Mesh)
    return Program(fn, QUICK, device, lambda given: jax.device_put(given, device))


def _side_by_side(fn: Callable[..., Result], in_axes: tuple[object, ...]) -> Callable[..., Result]:
    def of_lanes(*given: object) -> Result:
        return jax.vmap(fn, in_axes)(*given[:-1])

    return of_lanes


def _in_turn(fn: Callable[..., Result], in_axes: tuple[object, ...]) -> Callable[..., Result]:
    """A loop over the wanted lanes: none waits for another, and none is computed for nothing."""

    def of_lanes(*given: object) -> Result:
        *arguments, wanted = given
        axes = jax.tree.leaves(_of_every_leaf(in_axes, tuple(arguments)), is_leaf=_is_none)
        leaves, structure = jax.tree.flatten(tuple(arguments))

        @jax.jit
        def lane(i: Array) -> Result:
            own = [leaf if axis is None else leaf[i] for leaf, axis in zip(leaves, axes, strict=True)]
            return fn(*jax.tree.unflatten(structure, own))

        def put(i: Array, found: Result) -> Result:
            return jax.tree.map(lambda all_lanes, mine: all_lanes.at[i].set(mine), found, lane(i))

        size = next(len(leaf) for leaf, axis in zip(leaves, axes, strict=True) if axis is not None)
        shapes = jax.eval_shape(lane, jax.ShapeDtypeStruct((), jnp.int32))
        nothing = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), shapes)
        return jax.lax.fori_loop(jnp.int32(0), wanted, put, nothing)

    return of_lanes


def _of_every_leaf(in_axes: object, given: object) -> object:
    """The axis of every leaf, where one axis may stand for a whole tree."""
    return jax.tree.map(
        lambda axis, part: jax.tree.map(lambda _: axis, part), in_axes, given, is_leaf=_is_none
    )


def _is_none(axis: object) -> bool:
    return axis is None


def _spread(
    fn: Callable[..., Result], in_axes: tuple[object, ...], out_axes: object, mesh: Mesh
) -> Program[Result]:
    """`fn` compiled so that every device of a mesh takes an equal part of the lanes."""
    specs, out_specs = _specs(in_axes), _specs(out_axes)
    places = jax.tree.map(
        lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec)
    )
    run = jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=out_specs, check_vma=False)
    return Program(run, place=lambda given: jax.device_put(given, places))


def _specs(axes: object) -> Any:
    return jax.tree.map(
        lambda axis: PartitionSpec() if axis is None else PartitionSpec(AXIS), axes, is_leaf=_is_none
    )


def across_hosts(device: Place, n: int, work: Callable[[Numbers], Result]) -> Result:
    """Runs `work(indices)` on this process's share of n; every process gets all rows.

    What work returns is a tree of arrays with one row per index.
    """
    if not span_hosts(device):
        return work(np.arange(n))
    from jax.experimental import multihost_utils

    share = -(-n // jax.process_count())
    mine = np.minimum(share * jax.process_index() + np.arange(share), n - 1)
    with own_settings():
        gathered = multihost_utils.process_allgather(jax.tree.map(np.asarray, work(mine)), tiled=True)
    return jax.tree.map(lambda leaf: np.array(leaf)[:n], gathered)
