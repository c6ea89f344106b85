"""What the counter says of calls and transfers, in whatever thread they are made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np

from scaling_jax.engine.compiled import Program
from scaling_jax.engine.traffic import fetched, watched


def test_calls_and_transfers_are_counted_while_somebody_watches() -> None:
    program = Program(lambda a, b: (a + b, a - b))
    here, there = np.ones(3), jnp.ones(3)
    program(there, there)
    with watched() as traffic, watched() as beside:
        total, _ = program(there, there)  # nothing of the host's
        program(here, there)  # both go together
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: fetched(program(here, here)), range(4)))
        np.testing.assert_array_equal(fetched(total), 2.0)
    program(here, here)
    assert traffic.calls == {"test_traffic": 6} and traffic.dispatches == 6
    assert (traffic.sent, traffic.fetched, traffic.transfers) == (5, 5, 10)
    assert beside == traffic
