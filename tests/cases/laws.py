"""Five laws of the library and a user's own, with constants: enough to see every kind of parameter."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj

TRUTH = {
    "power_law": {"A": 5.0, "alpha": 0.3},
    "power_law_floor": {"E": 1.5, "A": 5.0, "alpha": 0.3},
    "chinchilla": {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
}
LAWS = {**{name: getattr(sj.laws, name) for name in TRUTH}, "power_product": sj.laws.power_product("N", "D")}
TRUTH["power_product"] = {"A": 1e-3, "p_N": -0.25, "p_D": 0.3}


@sj.law
def mine(N, D, *, E: sj.Positive, A: sj.Positive, B: sj.Positive, alpha: sj.Real):
    """A user's three lines."""
    return E + (A / N + B / D) ** alpha


LAWS["mine"], TRUTH["mine"] = mine, {"E": 1.7, "A": 1e7, "B": 1e9, "alpha": 0.3}


def points(law: sj.Law, n: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.exp(rng.uniform(np.log(1e7), np.log(1e11), n)) for name in law.inputs}
