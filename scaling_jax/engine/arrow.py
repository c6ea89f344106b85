"""Newton's method for fits that share coordinates: all groups of a joint problem step together.

The joint Hessian is an arrow: a block for the own coordinates of each fit, and the shared ones that touch all
of them. What is left of it once the own coordinates are solved for is small, so a step costs no more than
that of the fits apart, however many they are. As there, curvature counts by its size, and a step's reach
holds in each principal direction by itself.
"""

from __future__ import annotations

import numpy as np

from scaling_jax.core.arrays import Numbers
from scaling_jax.engine.coordinates import held, searched_as_logs, typical_size
from scaling_jax.engine.devices import Place
from scaling_jax.engine.newton import MOST_STEPS, Derivatives, Polished, curvatures, derivatives, descend
from scaling_jax.engine.problem import Problem

__all__ = ["gain_left", "polish_jointly"]


def polish_jointly(
    problem: Problem,
    z: Numbers,
    fit: Numbers,
    shared: Numbers,
    device: Place = None,
    most_steps: int = MOST_STEPS,
) -> Polished:
    """Newton from z to the joint optimum.

    Args:
        problem: the fits; shared coordinates move in each.
        z: (problems, fits, k), where each joint problem begins; shared coordinates equal in all of its fits.
        fit: (problems, fits) which fit of the batch each is.
        shared: (s,) the coordinates that are common.
        device: where derivatives are evaluated.
        most_steps: of Newton's.

    Returns:
        z as given, value (problems,), gradient and Hessian of every fit, and status (problems,).
    """
    arrow = _Arrow(problem, typical_size(z, searched_as_logs(problem.law.label_domains)), shared)

    def measure(at: Numbers, which: Numbers) -> Derivatives:
        lanes = derivatives(problem, at.reshape(-1, at.shape[-1]), fit[which].ravel(), device)
        value, gradient, hessian = (part.reshape(*at.shape[:2], *part.shape[1:]) for part in lanes)
        return Derivatives(value.sum(axis=1), gradient, hessian)

    floor = np.broadcast_to(problem.data.floor, (problem.n_fits,))[fit].sum(axis=1)
    bounds = problem.data.lower, problem.data.upper
    return descend(z, arrow.unit, floor, bounds, measure, arrow.step, most_steps)


def gain_left(problem: Problem, at: Polished, shared: Numbers, fit: Numbers) -> Numbers:
    """(problems,) the share of each joint objective that one more step would gain, nothing of one that is
    rounding; `fit` (problems, fits) as for `polish_jointly`."""
    arrow = _Arrow(problem, typical_size(at.z, searched_as_logs(problem.law.label_domains)), shared)
    everyone = np.arange(len(at.z))
    slopes = Derivatives(at.value, at.gradient, at.hessian)
    _, decrement = arrow.step(at.z, everyone, slopes, np.ones(len(at.z)))
    floor = np.broadcast_to(problem.data.floor, (problem.n_fits,))[fit].sum(axis=1)
    unknown = np.isnan(decrement)  # where every count is none, and no curvature is left
    share = decrement / 2 / np.maximum(at.value, np.finfo(float).tiny)
    return np.where(unknown | (at.value <= floor), 0.0, share)


class _Arrow:
    """The steps of joint problems whose coordinates are measured in `unit` (problems, fits, k)."""

    def __init__(self, problem: Problem, unit: Numbers, shared: Numbers):
        self.lower, self.upper = problem.data.lower, problem.data.upper
        self.unit, self.shared = unit, shared
        self.own = np.setdiff1d(np.arange(unit.shape[-1]), shared)

    def step(self, z: Numbers, which: Numbers, at: Derivatives, reach: Numbers) -> tuple[Numbers, Numbers]:
        """Steps of the shape of z, and decrements (problems,).

        What a bound holds stays.
        """
        own, shared, reach = self.own, self.shared, reach[:, None]
        unit = self.unit[which][..., own]
        unit = np.where(self._held(z[..., own], at.gradient[..., own], own), 0.0, unit)
        unit_s = self.unit[which][:, 0, shared]
        block = at.hessian[..., own[:, None], own] * unit[..., :, None] * unit[..., None, :]
        cross = at.hessian[..., own[:, None], shared] * unit[..., :, None] * unit_s[:, None, None, :]
        common = (
            at.hessian[..., shared[:, None], shared].sum(axis=1) * unit_s[:, :, None] * unit_s[:, None, :]
        )

        size, vectors = curvatures(block)
        along = np.einsum("gfij,gfi->gfj", vectors, at.gradient[..., own] * unit)
        across = np.einsum("gfij,gfis->gfjs", vectors, cross)
        left = common - np.einsum("gfjs,gfj,gfjt->gst", across, 1 / size, across)
        slope = at.gradient[..., shared].sum(axis=1) * unit_s - np.einsum(
            "gfjs,gfj->gs", across, along / size
        )
        moving = ~self._held(z[:, 0, shared], slope, shared)
        left, slope = left * moving[:, :, None] * moving[:, None, :], slope * moving
        size_s, vectors_s = curvatures(left)
        along_s = np.einsum("gst,gs->gt", vectors_s, slope)
        step_s = -np.einsum("gst,gt->gs", vectors_s, np.clip(along_s / size_s, -reach, reach)) * moving

        within = -np.clip(along / size, -reach[:, None], reach[:, None])
        within -= np.einsum("gfjs,gs->gfj", across, step_s) / size
        step = np.empty_like(z)
        step[..., own] = np.einsum("gfij,gfj->gfi", vectors, within) * unit
        step[..., shared] = (step_s * unit_s)[:, None, :]
        return step, np.sum(along**2 / size, axis=(1, 2)) + np.sum(along_s**2 / size_s, axis=1)

    def _held(self, z: Numbers, gradient: Numbers, which: Numbers) -> Numbers:
        return held(z, gradient, self.lower[which], self.upper[which])
