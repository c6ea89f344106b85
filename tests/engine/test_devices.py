"""Lanes spread over eight virtual devices and over two processes end where those of a single device end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

import scaling_jax as sj
from tests.cases.simulated import fit, same


def test_a_device_by_name_or_itself(best: sj.FitResult) -> None:
    same(fit(device="cpu"), best)
    same(fit(device=jax.devices("cpu")[0]), best)


WORK = """
import json, sys
from contextlib import nullcontext
import jax
if len(sys.argv) > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{sys.argv[1]}", num_processes=2, process_id=int(sys.argv[2]))
import numpy as np
import scaling_jax as sj
from scaling_jax.engine.devices import as_an_accelerator

rng = np.random.default_rng(0)
rows = rng.integers(5, 16, 11)
group = np.repeat(np.arange(11), rows)
x = np.exp(rng.uniform(np.log(1e6), np.log(1e9), len(group)))
loss = (1.5 + 0.1 * group + 400 / x**0.4) * np.exp(rng.normal(0, 0.01, len(group)))
table = {"x": x, "loss": loss, "group": group}

def ends(**where):
    one = sj.fit(sj.laws.power_law, table, starts=101, screen=False, **where)
    many = sj.fit_groups(sj.laws.power_law, table, by="group", starts=37, **where)
    kept = [one, *many.values()]
    predicted = [f.predict({"x": [1e6, 1e8, 1e10]}).tolist() for f in kept]
    return [[f.objective_value for f in kept], predicted, one.n_agree]

found = {"local": ends(device=jax.local_devices()[0])}
for n in (3, 8):
    if len(sys.argv) == 1:
        with as_an_accelerator() if n == 3 else nullcontext():
            found[str(n)] = ends(mesh=jax.sharding.Mesh(np.array(jax.devices()[:n]), ("runs",)))
    elif n == 8:
        found["hosts"] = ends(mesh=jax.make_mesh((jax.device_count(),), ("lanes",)))
print(json.dumps(found | {"devices": jax.device_count()}))
"""


def started(devices: int, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-c", WORK, *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen) -> dict:
    try:
        out, error = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 0, error[-2000:]
    return json.loads(out.strip().splitlines()[-1])


def alike(ends: list, reference: list) -> None:
    np.testing.assert_allclose(ends[0], reference[0], rtol=1e-12)
    np.testing.assert_allclose(ends[1], reference[1], rtol=1e-8)
    assert ends[2] == reference[2]


@pytest.mark.slow
def test_eight_virtual_devices_and_a_count_that_divides_nothing() -> None:
    """Three are driven as accelerators are: each takes its fits, or its starts of one fit, in one program."""
    found = ended(started(8))
    assert found["devices"] == 8
    alike(found["3"], found["local"])
    alike(found["8"], found["local"])


@pytest.mark.slow
def test_two_processes_each_return_the_whole_result() -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    both = [started(2, port, str(i)) for i in (0, 1)]
    first, second = [ended(process) for process in both]
    assert first["devices"] == second["devices"] == 4
    assert first["hosts"] == second["hosts"]
    alike(first["hosts"], first["local"])


def test_a_mesh_is_checked_before_anything_compiles() -> None:
    table = {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.0]}
    with pytest.raises(TypeError, match=r"mesh=.* give a jax.sharding.Mesh"):
        sj.fit(sj.laws.power_law, table, mesh=8)
    with pytest.raises(ValueError, match="Give device= or mesh=, not both"):
        sj.fit(sj.laws.power_law, table, mesh=jax.make_mesh((1,), ("lanes",)), device="cpu")
