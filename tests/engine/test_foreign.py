"""A program that calls LAPACK runs in a process that never lowered such a call; what is not known is not
kept."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.engine import stored
from scaling_jax.engine.foreign import called_outside, known

KEY = "0" * 64
READ = """
import jax, numpy as np
from scaling_jax.engine import stored
program = stored.load("0" * 64, jax.local_devices()[0])
print(*np.asarray(program(np.diag(np.arange(3, dtype=np.float32)))[0]).tolist())
"""


def square_root(a: jax.Array) -> jax.Array:
    return jax.pure_callback(np.sqrt, jax.ShapeDtypeStruct(a.shape, a.dtype), a)


def test_lapack_is_found_by_a_process_that_only_read(tmp_path, monkeypatch) -> None:
    """It ended with a segmentation fault."""
    monkeypatch.setenv(stored.SETTING, str(tmp_path))
    compiled = jax.jit(jnp.linalg.eigh).lower(np.eye(3, dtype=np.float32)).compile()
    assert called_outside(compiled) == ("lapack_ssyevd_ffi",)
    stored.save(KEY, compiled)
    stored.settle()
    read = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=False)
    assert read.stdout.split() == ["0.0", "1.0", "2.0"], read.stderr


def test_what_xla_brings_along_is_not_outside() -> None:
    def largest(a: jax.Array) -> jax.Array:
        return jax.lax.top_k(a @ a, 2)[0]

    assert called_outside(jax.jit(largest).lower(np.eye(3, dtype=np.float32)).compile()) == ()


def test_a_call_of_the_users_own_is_not_kept(tmp_path, monkeypatch) -> None:
    """It goes to where the function lay in the process that compiled it."""
    monkeypatch.setenv(stored.SETTING, str(tmp_path))
    compiled = jax.jit(square_root).lower(np.eye(3, dtype=np.float32)).compile()
    assert not known(called_outside(compiled))
    stored.save(KEY, compiled)
    stored.settle()
    assert stored.inventory() == (0, 0)
