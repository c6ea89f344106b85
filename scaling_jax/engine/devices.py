"""Where lanes run: one device, or a mesh whose devices share every chunk equally, on one host or several.

A chunk's arrays carry a `NamedSharding` over their lane axis, and lanes never talk to each other, so every
device loops over its own. Hosts share out lanes, and gather the ends, so that each returns the whole result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scaling_jax.core.arrays import Numbers
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import QUICK, WELL, Program

__all__ = [
    "Place",
    "across_hosts",
    "default_device",
    "exact_device",
    "lane_program",
    "n_parts",
    "platform",
    "span_hosts",
]

SMALL_WORK = 4_000_000

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
    return Mesh(np.array(local), ("lanes",)) if len(local) > 1 else None


def exact_device(device: Place) -> Place:
    """Where float64 is native: the device itself, or the host's processor for a TPU."""
    return jax.local_devices(backend="cpu")[0] if platform(device) == "tpu" else device


def _local(device: Place) -> Mesh | None:
    """The part of a mesh that belongs to this process."""
    if not isinstance(device, Mesh):
        return None
    here = [d for d in device.devices.flat if d.process_index == jax.process_index()]
    return Mesh(np.array(here), ("lanes",))


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
    fn: Callable[..., Result], in_axes: tuple[object, ...], device: Place, quick: bool
) -> Program[Result]:
    """`fn` compiled for a device or mesh.

    Args:
        fn: takes and returns trees of arrays; what it returns has a leading lane axis.
        in_axes: per argument a tree of 0 (a leading lane axis) and None (shared by all lanes), as for
            `jax.vmap`.
        device: None, a device, or a mesh.
        quick: compile soon rather than well.
    """
    mesh = _local(device)
    if mesh is not None:
        return _spread(fn, in_axes, mesh)
    assert not isinstance(device, Mesh)
    place = None if device is None else lambda given: jax.device_put(given, device)
    return Program(fn, QUICK if quick else WELL, device, place)


def _spread(fn: Callable[..., Result], in_axes: tuple[object, ...], mesh: Mesh) -> Program[Result]:
    """`fn` compiled so that every device of a mesh takes an equal part of the lanes."""
    lanes = PartitionSpec("lanes")
    specs = jax.tree.map(
        lambda axis: PartitionSpec() if axis is None else lanes, in_axes, is_leaf=lambda axis: axis is None
    )
    places = jax.tree.map(
        lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec)
    )
    run = jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=lanes, check_vma=False)
    return Program(run, WELL, place=lambda given: jax.device_put(given, places))


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
