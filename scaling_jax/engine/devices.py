"""Where lanes run: one device, or a mesh whose devices each take an equal part of every chunk, on one host or
on several.

A chunk's arrays carry a `NamedSharding` over their lane axis, and lanes never talk to each other, so every
device loops over its own. Hosts share out lanes, and gather the ends, so that each returns the whole result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scaling_jax.engine.compiled import quick_jit

__all__ = [
    "across_hosts",
    "default_device",
    "exact_device",
    "lane_program",
    "n_parts",
    "platform",
    "span_hosts",
]

SMALL_WORK = 4_000_000


def platform(device: Any) -> str:
    """The platform of a device, of a mesh's devices, or of the default device (None)."""
    if isinstance(device, Mesh):
        return device.devices.flat[0].platform
    return (device or jax.local_devices()[0]).platform


def default_device(cells: int) -> Any:
    """Where to run `cells` (starts times rows) when nobody says: the host where the work is small, else every
    local device.

    On processors one device is enough: its threads keep every core busy.
    """
    if jax.default_backend() == "cpu":
        return None
    if cells < SMALL_WORK:
        return jax.local_devices(backend="cpu")[0]
    local = jax.local_devices()
    return Mesh(np.array(local), ("lanes",)) if len(local) > 1 else None


def exact_device(device: Any) -> Any:
    """Where float64 is native: the device itself, or the host's processor for a TPU."""
    return jax.local_devices(backend="cpu")[0] if platform(device) == "tpu" else device


def _local(device: Any) -> Mesh | None:
    if not isinstance(device, Mesh):
        return None
    return Mesh(
        np.array([d for d in device.devices.flat if d.process_index == jax.process_index()]), ("lanes",)
    )


def n_parts(device: Any) -> int:
    """How many devices of this process share a chunk."""
    mesh = _local(device)
    return 1 if mesh is None else mesh.size


def span_hosts(device: Any) -> bool:
    """Whether a mesh has devices of other processes."""
    return isinstance(device, Mesh) and any(
        d.process_index != jax.process_index() for d in device.devices.flat
    )


def lane_program(
    fn: Callable[..., Any], in_axes: tuple[Any, ...], device: Any, quick: bool
) -> Callable[..., Any]:
    """`fn` compiled for a device or mesh.

    Args:
        fn: takes and returns trees of arrays; what it returns has a leading lane axis.
        in_axes: per argument a tree of 0 (a leading lane axis) and None (shared by all lanes), as for
            `jax.vmap`.
        device: None, a device, or a mesh.
        quick: compile soon rather than well.
    """
    mesh = _local(device)
    if mesh is None:
        program = quick_jit(fn) if quick else jax.jit(fn)
        return program if device is None else lambda *arguments: program(*jax.device_put(arguments, device))
    lanes = PartitionSpec("lanes")
    specs = jax.tree.map(
        lambda axis: PartitionSpec() if axis is None else lanes, in_axes, is_leaf=lambda axis: axis is None
    )
    spread = jax.jit(jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=lanes, check_vma=False))
    places = jax.tree.map(
        lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec)
    )
    return lambda *arguments: spread(*jax.device_put(arguments, places))


def across_hosts(device: Any, n: int, work: Callable[[np.ndarray], Any]) -> Any:
    """Runs `work(indices)`, a tree of arrays with one row per index, on this process's share of n; every
    process gets all rows."""
    if not span_hosts(device):
        return work(np.arange(n))
    from jax.experimental import multihost_utils

    share = -(-n // jax.process_count())
    mine = np.minimum(share * jax.process_index() + np.arange(share), n - 1)
    with jax.enable_x64(True):
        gathered = multihost_utils.process_allgather(jax.tree.map(np.asarray, work(mine)), tiled=True)
    return jax.tree.map(lambda leaf: np.array(leaf)[:n], gathered)
