"""Replicates of fits, by the specification of these: with which solver, where, and under which thresholds."""

from __future__ import annotations

import numpy as np

from scaling_jax.engine.devices import Place, default_device, few_calls
from scaling_jax.engine.lanes import FEW_LANES, compile_ahead
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import measure_ahead
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.replicates import CAREFUL, ROUGH, Replicates, replicated
from scaling_jax.engine.solve import solve
from scaling_jax.engine.solver import Solver
from scaling_jax.fitting.spec import Spec

__all__ = ["STARTS", "search_ahead", "search_device", "search_replicates", "search_solver"]

STARTS = 4


def search_replicates(
    spec: Spec, problem: Problem, starts: np.ndarray, roughness: np.ndarray | None
) -> Replicates[np.ndarray]:
    """The optimum of each replicate.

    Args:
        spec: how the fit was made.
        problem: a fit per replicate.
        starts: (replicates, STARTS, k), search coordinates, each fit's own optimum first.
        roughness: (replicates,) a residual scale, for objectives with a corner; None for the others.
    """
    lanes = starts.shape[0] * starts.shape[1]
    device = search_device(spec, problem, lanes)
    if roughness is None:
        return replicated(problem, starts, search_solver(spec, lanes), device)
    return _cornered(problem, starts, CAREFUL if spec.solver == LM() else spec.solver, roughness, device)


def search_ahead(spec: Spec, problem: Problem, n_replicates: int) -> None:
    """Begins compiling, in the background, what so many replicates of a smooth objective will need."""
    lanes = n_replicates * STARTS
    device = search_device(spec, problem, lanes)
    if not few_calls(device):
        compile_ahead(problem, search_solver(spec, lanes), lanes, device)


def search_solver(spec: Spec, n_lanes: int) -> Solver:
    """The user's solver; of the default, a few lanes run well in the program that the fit itself has
    compiled, and for many single precision is worth its own."""
    return spec.solver if spec.solver != LM() or n_lanes <= FEW_LANES else ROUGH


def search_device(spec: Spec, problem: Problem, n_lanes: int) -> Place:
    """Where lanes run: where the user said, or by the size of the work."""
    return spec.device or default_device(n_lanes * problem.n_rows)


def _cornered(
    problem: Problem, starts: np.ndarray, solver: Solver, roughness: np.ndarray, device: Place
) -> Replicates[np.ndarray]:
    """The same for objectives with a corner, which are approached through ever sharper thresholds."""
    if not few_calls(device):
        compile_ahead(problem, solver, problem.n_fits, device)
        measure_ahead(problem, device)
    home, away = (
        solve(
            problem,
            part,
            solver,
            screen=False,
            smooth=False,
            roughness=roughness,
            polish=1,
            device=device,
        )
        for part in (starts[:, :1], starts[:, 1:])
    )
    better = away.value < home.value
    z = np.where(better[:, None], away.z, home.z)
    return Replicates(z, np.where(better, away.value, home.value), home.value)
