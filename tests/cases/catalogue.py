"""One case per law: constants to simulate from, and the runs. A new law adds one.

Every law is held to its case by `tests/laws/test_laws.py`; `benchmarks/recovery.py` does the same for more
tables, and the gallery draws the constants of laws that nobody has printed any for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

import scaling_jax as sj

NOISE = 0.01
LEVEL = 0.99
TARGET = "y"
OBJECTIVE = sj.SquaredError(on="log")


@dataclass(frozen=True)
class Case:
    """A law, the constants it is simulated from, the runs (all combinations), and what authors hold fixed."""

    law: sj.Law
    truth: dict[str, float]
    design: dict[str, Any]
    fixed: tuple[str, ...] = ()

    @property
    def free(self) -> int:
        return len(self.truth) - len(self.fixed)


def _powers(low: float, high: float, n: int) -> np.ndarray:
    return np.logspace(low, high, n)


SIZES, TOKENS, COMPUTE = _powers(7, 10, 6), _powers(9, 12, 6), _powers(18, 23, 24)
RESOURCE = _powers(2, 6, 24)
CHINCHILLA = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
KAPLAN_N = {"N_c": 6.5e13, "alpha_N": 0.077}
KAPLAN_S = {"S_c": 2.1e3, "alpha_S": 0.76}
KAPLAN_B = {"B_star": 2e8, "alpha_B": 0.21}
BITS = _powers(0.65, 1.2, 4)
PRECISION = {
    "E": 2.7648,
    "A": 4299.0,
    "B": 18060.0,
    "alpha": 0.4965,
    "gamma_w": 2.6745,
    "gamma_a": 2.2102,
    "gamma_kv": 0.9578,
    "n_w": 0.3037,
    "n_a": 1.4072,
    "n_kv": 2.4185,
}
ROUNDING = {"C_T": 0.0598, "gamma_D": 0.5068, "gamma_N": 0.3439, "gamma_post": 0.5907}
HARDENING = {"C_w": 0.5, "C_a": 0.4, "C_kv": 0.3}

CASES = {
    "power_law": Case(sj.laws.power_law, {"A": 5.0, "alpha": 0.3}, {"x": RESOURCE}),
    "power_law_floor": Case(sj.laws.power_law_floor, {"E": 1.5, "A": 5.0, "alpha": 0.3}, {"x": RESOURCE}),
    "power_product": Case(
        sj.laws.power_product("N", "D"), {"A": 1e-3, "p_N": -0.25, "p_D": 0.3}, {"N": SIZES, "D": TOKENS}
    ),
    "power_sum": Case(
        sj.laws.power_sum("N", "D"),
        {"E": 1.8, "A_N": 480.0, "alpha_N": 0.35, "A_D": 2100.0, "alpha_D": 0.37},
        {"N": SIZES, "D": TOKENS},
    ),
    "compute_frontier": Case(
        sj.laws.compute_frontier, {"E": 1.8, "A": 1000.0, "gamma": 0.15}, {"C": COMPUTE}
    ),
    "compute_only": Case(sj.laws.compute_only, {"a": 3.0, "b": 0.045}, {"C": COMPUTE}),
    "shifted_power_law": Case(sj.laws.shifted_power_law, {"b": 5.0, "g": 1e-4, "c": 0.4}, {"x": RESOURCE}),
    "ceiling_power_law": Case(
        sj.laws.ceiling_power_law,
        {"e_inf": 0.1, "e_0": 1.0, "alpha": 1.0, "b": 100.0, "c": 0.6},
        {"x": _powers(1, 7, 36)},
    ),
    "bnsl0": Case(sj.laws.bnsl(0), {"a": 0.4, "b": 3.0, "c0": 0.2}, {"x": RESOURCE}),
    "bnsl1": Case(
        sj.laws.bnsl(1),
        {"a": 0.2, "b": 3.0, "c0": 0.05, "c1": 0.5, "d1": 1e4, "f1": 0.3},
        {"x": _powers(1, 7, 48)},
    ),
    "bnsl2": Case(
        sj.laws.bnsl(2),
        {"a": 0.1, "b": 3.0, "c0": 0.05, "c1": 0.5, "d1": 1e3, "f1": 0.3, "c2": -0.35, "d2": 1e5, "f2": 0.3},
        {"x": _powers(1, 7, 64)},
    ),
    "rectified": Case(
        sj.laws.rectified,
        {"B": 100.0, "D_l": 50.0, "beta": 0.5, "E": 1.0},
        {"D": np.r_[0, _powers(1, 7, 30)]},
    ),
    "chance_sigmoid": Case(sj.laws.chance_sigmoid, {"chance": 0.25, "k": 1.0, "x0": 1e21}, {"x": COMPUTE}),
    "kaplan_size": Case(sj.laws.kaplan_size, {"N_c": 8.8e13, "alpha_N": 0.076}, {"N": _powers(5, 9, 20)}),
    "kaplan_data": Case(sj.laws.kaplan_data, {"D_c": 5.4e13, "alpha_D": 0.095}, {"D": _powers(7, 11, 20)}),
    "kaplan_compute": Case(sj.laws.kaplan_compute, {"C_c": 1.4e27, "alpha_C": 0.057}, {"C": COMPUTE}),
    "kaplan_min_compute": Case(
        sj.laws.kaplan_min_compute, {"C_c": 2.7e28, "alpha_C": 0.05}, {"C_min": COMPUTE}
    ),
    "kaplan": Case(
        sj.laws.kaplan,
        {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
        {"N": _powers(5, 9, 6), "D": _powers(7, 11, 6)},
    ),
    "kaplan_steps": Case(
        sj.laws.kaplan_steps, KAPLAN_N | KAPLAN_S, {"N": _powers(5, 9, 6), "S_min": _powers(3, 5.5, 6)}
    ),
    "kaplan_critical_batch": Case(sj.laws.kaplan_critical_batch, KAPLAN_B, {"L": np.linspace(2, 6, 20)}),
    "trajectory": Case(
        sj.laws.trajectory,
        KAPLAN_N | KAPLAN_S | KAPLAN_B,
        {"N": _powers(6, 9, 4), "S": _powers(3, 5.5, 5), "B": _powers(4.5, 7, 4)},
    ),
    "chinchilla": Case(sj.laws.chinchilla, CHINCHILLA, {"N": SIZES, "D": TOKENS}),
    "chinchilla_tied": Case(
        sj.laws.chinchilla_tied,
        {"E": 1.87, "A": 520.0, "B": 1490.0, "alpha": 0.353},
        {"N": SIZES, "D": TOKENS},
    ),
    "multiplicative": Case(
        sj.laws.multiplicative, {"A": 15.0, "alpha": 0.04, "beta": 0.04}, {"N": SIZES, "D": TOKENS}
    ),
    "chinchilla_gamma": Case(
        sj.laws.chinchilla_gamma,
        CHINCHILLA | {"alpha": 0.45, "beta": 0.47, "gamma": 0.7},
        {"N": _powers(6, 10, 8), "D": _powers(8, 12, 8)},
    ),
    "width_depth": Case(
        sj.laws.width_depth,
        {"E": 1.7, "A": 60.0, "alpha": 0.8, "B": 2.0, "beta": 1.0, "G": 400.0, "gamma": 0.28},
        {"width": _powers(2, 3.6, 5), "depth": _powers(0.5, 2, 4), "D": _powers(9, 12, 4)},
    ),
    "width_depth_size": Case(
        sj.laws.width_depth_size,
        {
            "E": 1.7,
            "A": 60.0,
            "alpha": 0.8,
            "B": 2.0,
            "beta": 1.0,
            "F": 100.0,
            "delta": 0.34,
            "G": 400.0,
            "gamma": 0.28,
        },
        {
            "width": _powers(2, 3.6, 4),
            "depth": _powers(0.5, 2, 3),
            "N": _powers(7, 10, 3),
            "D": _powers(9, 12, 4),
        },
    ),
    "nonembedding": Case(
        sj.laws.nonembedding,
        CHINCHILLA | {"omega": 47491.0},
        {"N": _powers(5, 9, 6), "D": _powers(8, 11, 6)},
        fixed=("omega",),
    ),
    "bracket": Case(
        sj.laws.bracket,
        {"L_inf": 1.0, "N_c": 1e6, "alpha_N": 0.2, "D_c": 1e8, "alpha_D": 0.3, "alpha": 0.5},
        {"N": _powers(4, 9, 7), "D": _powers(6, 11, 7)},
    ),
    "dynamical": Case(
        sj.laws.dynamical,
        {"L0": 0.1, "a_t": 1.0, "r_t": 0.25, "a_N": 1.0, "r_N": 0.5, "a_P": 1.0, "r_P": 0.5},
        {"t": _powers(1, 5, 5), "N": _powers(1, 4, 5), "P": _powers(1, 4, 5)},
    ),
    "overtraining": Case(
        sj.laws.overtraining,
        {"E": 1.5083, "a": 141.28, "b": 189.52, "eta": 0.12124},
        {"C": _powers(17, 21, 6), "M": _powers(0.7, 2.8, 6)},
    ),
    "error_from_loss": Case(
        sj.laws.error_from_loss, {"eps": 0.85, "k": 2.08, "gamma": 0.756}, {"loss": np.linspace(2, 7, 24)}
    ),
    "ladder_loss": Case(
        sj.laws.ladder_loss,
        {"E": 0.454, "A": 38.1, "B": 100.5, "alpha": 0.226, "beta": 0.236},
        {"N": SIZES, "D": TOKENS},
    ),
    "ladder_accuracy": Case(
        sj.laws.ladder_accuracy,
        {"b": 0.9, "a": -0.65, "k": 5.0, "L0": 1.0},
        {"loss": np.linspace(0.3, 2, 24)},
    ),
    "capability_sigmoid": Case(
        sj.laws.capability_sigmoid(2),
        {"h0": 0.05, "c": -1.0, "w1": 1.2, "w2": -0.7},
        {"S1": np.linspace(-2, 3, 7), "S2": np.linspace(-1, 1, 5)},
    ),
    "capability_intervention": Case(
        sj.laws.capability_sigmoid(1, intervention=True),
        {"h0": 0.05, "c": -1.0, "w1": 1.2, "dc": 0.2, "dw1": 0.5},
        {"S1": np.linspace(-3, 3, 15), "z": np.array([0.0, 1.0])},
    ),
    "data_constrained": Case(
        sj.laws.data_constrained,
        {"E": 1.87, "A": 520.8, "B": 1487.7, "alpha": 0.353, "R_D": 15.4, "R_N": 5.3},
        {"N": _powers(7.5, 10, 5), "D": _powers(9, 11.5, 5), "U": _powers(8, 10.5, 4)},
    ),
    "data_constrained_geometric": Case(
        sj.laws.data_constrained_geometric,
        {"E": 1.87, "A": 520.8, "B": 1487.7, "alpha": 0.353, "delta_D": 0.06, "delta_N": 0.3},
        {"N": _powers(7.5, 10, 5), "D": _powers(9, 11.5, 5), "U": _powers(8, 10.5, 4)},
    ),
    "precision": Case(
        sj.laws.precision,
        PRECISION,
        {"N": _powers(7, 8.5, 3), "D": _powers(9, 10.5, 3), "P_w": BITS, "P_a": BITS, "P_kv": BITS},
    ),
    "precision_ptq": Case(
        sj.laws.precision_ptq,
        ROUNDING,
        {"N": _powers(7, 8.5, 4), "D": _powers(9, 10.5, 4), "P_post": np.array([3.0, 4.0, 5.0, 6.0])},
    ),
    "precision_unified": Case(
        sj.laws.precision_unified,
        PRECISION | ROUNDING | HARDENING,
        {
            "N": _powers(7, 8.5, 2),
            "D": _powers(9, 11.5, 3),
            "P_w": BITS,
            "P_a": BITS,
            "P_kv": BITS,
            "P_post": np.array([3.0, 4.0, 6.0]),
        },
        fixed=tuple(PRECISION),
    ),
    "finetuning_line": Case(
        sj.laws.finetuning_line, {"alpha": -0.22, "beta": 1.78}, {"N": _powers(4, 8, 12)}
    ),
    "hernandez_transfer": Case(
        sj.laws.hernandez_transfer,
        {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
        {"D_F": _powers(5, 8, 6), "N": _powers(6, 9, 6)},
    ),
    "hernandez_loss": Case(
        sj.laws.hernandez_loss,
        {"N_c": 6.4e13, "D_k": 9.5e8, "alpha_N": 0.076, "alpha_D": 0.103, "alpha": 0.18, "beta": 0.38},
        {"D_F": _powers(4, 8, 7), "N": _powers(5, 9, 7)},
    ),
    "zhang_multiplicative": Case(
        sj.laws.zhang_multiplicative,
        {"E": 0.75, "A": 1.2e5, "alpha": 0.52, "beta": 0.15},
        {"X": _powers(9, 10.3, 5), "D_f": _powers(3.5, 7, 7)},
    ),
    "zhang_additive": Case(
        sj.laws.zhang_additive,
        {"E": 0.75, "A": 50.0, "alpha": 0.2, "B": 2.0, "beta": 0.15},
        {"X": _powers(9, 10.3, 5), "D_f": _powers(3.5, 7, 7)},
    ),
    "mikami": Case(
        sj.laws.mikami,
        {"delta": 5.0, "gamma": 0.02, "alpha": 0.3, "beta": 0.2},
        {"n": _powers(3, 7, 7), "s": _powers(2, 5, 5)},
    ),
    "barnett": Case(
        sj.laws.barnett,
        {"E": 1.0, "A": 50.0, "alpha": 0.2, "G": 0.5, "beta": 0.2},
        {"p": _powers(6, 11, 7), "f": _powers(2, 7, 7)},
    ),
}

EXPERTS = np.array([1.0, 2.0, 4.0, 8.0, 32.0, 128.0, 512.0])
JOINT_MOE = {
    "a": 35.91,
    "alpha": -0.1889,
    "delta": -0.2285,
    "gamma": 0.0098,
    "b": 35.98,
    "beta": -0.1775,
    "omega": 0.5529,
    "zeta": -0.0259,
    "c": 1.3637,
    "E_start": 2.0732,
    "E_max": 290.4521,
}
CASES |= {
    "routed": Case(
        sj.laws.routed,
        {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.5},
        {"N": _powers(7, 9.5, 6), "E": EXPERTS},
    ),
    "joint_moe": Case(
        sj.laws.joint_moe, JOINT_MOE, {"N": _powers(7.5, 10, 6), "D": _powers(9, 12, 6), "E": EXPERTS}
    ),
    "granular_moe": Case(
        sj.laws.granular_moe,
        {"a": 18.1, "g": 2.1, "gamma": 0.58, "alpha": 0.115, "b": 30.8, "beta": 0.147, "c": 0.47},
        {"N": SIZES, "D": TOKENS, "G": np.array([1.0, 2.0, 4.0, 8.0, 16.0])},
    ),
    "efficiency_leverage": Case(
        sj.laws.efficiency_leverage,
        {"a": 1.23, "d": -0.0761, "gamma": 0.0167, "beta": -0.117, "A_start": 0.0163},
        {"A": _powers(-2.2, 0, 6), "G": np.array([2.0, 4.0, 8.0, 16.0]), "C": _powers(18, 22, 4)},
    ),
    "expert_share": Case(
        sj.laws.expert_share,
        {"L_inf": 1.6, "A": 700.0, "a": 0.32, "g": 30.0, "b": 0.7, "E_0": 200.0},
        {"N": _powers(7, 9.5, 8), "E": EXPERTS},
    ),
    "interaction": Case(
        sj.laws.interaction,
        {"E": 1.0, "A": 2.0, "p_1": -0.2, "p_2": -0.3, "p_12": 0.02},
        {"x1": _powers(0, 3, 7), "x2": _powers(-1, 2, 7)},
    ),
}

SHARES = np.array([0.02, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.98])  # those of two domains add up in pairs
REPEATED = {"N": _powers(7.5, 10, 5), "D": _powers(9, 11.5, 5), "U": _powers(8, 10.5, 4)}
WORTH = {"logC_code": 0.5, "logC_books": 1.0, "g_code": 0.3, "g_books": 0.6}
CASES |= {
    "data_constrained_overfit": Case(
        sj.laws.data_constrained_overfit,
        CHINCHILLA | {"P": 0.01, "delta": 0.8, "kappa": 0.4},
        REPEATED,
    ),
    "data_constrained_saturated": Case(
        sj.laws.data_constrained_saturated,
        {"E": 1.8, "L_0": 10.82, "a": 60.0, "b": 170.0, "c": 0.5}
        | {"alpha": 0.35, "beta": 0.35, "gamma": 0.5, "delta": 0.8},
        REPEATED,
        fixed=("L_0",),
    ),
    "parallel_streams": Case(
        sj.laws.parallel_streams,
        {"E": 0.6912, "A": 1.1307e7, "alpha": 0.18936, "k": 0.39346},
        {"N": _powers(8, 10, 6), "P": np.array([1.0, 2.0, 4.0, 8.0])},
    ),
    "mixing_exponential": Case(
        sj.laws.mixing_exponential("code", "books"),
        {"c": 1.0, "t_code": -1.5, "t_books": 0.8},
        {"code": SHARES, "books": SHARES},
    ),
    "mixing_power": Case(
        sj.laws.mixing_power("code", "books"),
        {"b": 3.0, "a": 0.5, "w_code": -1.0, "w_books": 0.5},
        {"code": SHARES, "books": SHARES},
    ),
    "mixture_additive": Case(
        sj.laws.mixture_additive("code", "books"),
        {"E": 1.8, "A": 0.34, "alpha": 0.35, "B": 0.42, "beta": 0.37} | WORTH,
        {"code": SHARES, "books": SHARES, "N": _powers(7, 10, 3), "D": _powers(9, 12, 3)},
    ),
    "mixture_joint": Case(
        sj.laws.mixture_joint("code", "books"),
        {"E": 1.8, "alpha": 0.35, "beta": 0.37, "gA": 1.0, "gB": 1.0}
        | WORTH
        | {"A_code": 0.21, "A_books": 0.42, "B_code": 0.6, "B_books": 0.3},
        {"code": SHARES, "books": SHARES, "N": _powers(7, 10, 3), "D": _powers(9, 12, 3)},
        fixed=("gA", "gB"),
    ),
}

VOCABULARY = {"N": _powers(7, 9.5, 5), "V": _powers(3.5, 5, 5), "D": _powers(8, 11.5, 5)}
CASES |= {
    "vocabulary": Case(
        sj.laws.vocabulary,
        {"E": 0.5, "A": 900.0, "alpha": 0.45, "B": 20.0, "beta": 0.4, "C": 2e4, "gamma": 0.45},
        VOCABULARY,
    ),
    "vocabulary_log": Case(
        sj.laws.vocabulary_log,
        {"a": 6.0, "b": -0.0635, "c": 0.0565, "C": 4000.0, "gamma": 0.379},
        VOCABULARY,
    ),
    "response_surface": Case(
        sj.laws.response_surface(lr=1e-3, B=256.0),
        {"c": 2.5, "b_lr": -0.05, "b_B": 0.02, "q_lr_lr": 0.04, "q_lr_B": -0.02, "q_B_B": 0.02},
        {"lr": _powers(-4, -2, 7), "B": _powers(1.5, 3.3, 6)},
    ),
    "d_cpt": Case(
        sj.laws.d_cpt,
        {"E": 1.2, "A": 300.0, "alpha": 0.34, "B": 60.0, "eta": 0.3, "beta": 0.25}
        | {"C": 0.3, "eps": 0.1, "gamma": 0.5},
        {"N": _powers(8, 10, 4), "D": _powers(8, 10.5, 4), "r": np.array([0.0, 0.05, 0.2, 0.5, 0.8, 1.0])},
    ),
    "general_loss": Case(
        sj.laws.general_loss, {"a": 0.2, "s": 2.0, "b": 2.5}, {"R": np.linspace(0.0, 1.0, 21)}
    ),
    "bump": Case(
        sj.laws.bump,
        {"d0": 1.5, "d1": 0.3, "p": 0.5, "A": -0.2, "C_m": 10.0, "w": 0.4},
        {"C": _powers(-1, 3, 48)},
    ),
}

CASES |= {
    "adamw_timescale": Case(
        sj.laws.adamw_timescale,
        {"c": 1.0, "m": -0.527},
        {
            "N": _powers(8, 9.5, 3),
            "D": _powers(9.5, 11, 3),
            "B": _powers(5, 6, 2),
            "lr": _powers(-3.5, -2.5, 2),
        },
    ),
    "batch_tradeoff": Case(
        sj.laws.batch_tradeoff, {"S_min": 1000.0, "B_crit": 1e6}, {"B": _powers(4, 8, 16)}
    ),
    "lr_batch_surface": Case(
        sj.laws.lr_batch_surface,
        {"E": 1.6, "A": 400.0, "alpha": 0.34, "B_loss": 2000.0, "beta": 0.37, "q1": 0.01, "q2": 0.01}
        | {"kappa": 0.4, "lr_0": 1.79, "lr_N": -0.713, "lr_D": 0.307, "B_0": 2.8e-4, "B_D": 0.571},
        {
            "lr": _powers(-4, -1.5, 5),
            "B": _powers(1.5, 3.3, 4),
            "N": _powers(7.7, 9, 3),
            "D": _powers(9, 11, 3),
        },
    ),
}

SAMPLES = _powers(0, 4, 20)
CASES |= {
    "farseer": Case(
        sj.laws.farseer,
        {
            "F": 0.45,
            "s": -0.12,
            "q": 0.13,
            "G": 80.0,
            "g": 0.3,
            "b": -0.17,
            "beta": 0.3,
            "h": 0.05,
            "a": 0.05,
        },
        {"N": _powers(7.5, 10.5, 10), "D": _powers(9, 12, 10)},
    ),
    "rl_sigmoid": Case(
        sj.laws.rl_sigmoid,
        {"R0": 0.3, "A": 0.7, "C_mid": 3e3, "B": 1.0},
        {"C": _powers(2, 6, 30)},
        fixed=("R0",),
    ),
    "coverage": Case(sj.laws.coverage, {"A": 4.2, "b": 0.34}, {"k": SAMPLES}),
    "coverage_beta": Case(sj.laws.coverage_beta, {"alpha": 0.2955, "beta": 12.37}, {"k": SAMPLES}),
    "best_of_n": Case(sj.laws.best_of_n, {"alpha": 1.0, "beta": 0.125}, {"d": np.linspace(0.2, 6, 20)}),
    "rl_overoptimisation": Case(
        sj.laws.rl_overoptimisation, {"alpha": 1.0, "beta": 0.3}, {"d": np.linspace(0.2, 20, 20)}
    ),
    "distillation": Case(
        sj.laws.distillation,
        {"c0": 2.2572, "f1": 0.1054, "k": 2.2898, "A": 2299.7, "alpha": 0.3324}
        | {"B": 37495.0, "beta": 0.4453, "gamma": 0.7138},
        {"N": _powers(8, 10, 5), "D": _powers(9, 11.5, 5), "L_T": np.linspace(1.7, 2.8, 7)},
    ),
    "precision_fp": Case(
        sj.laws.precision_fp,
        {"E": 1.9061, "A": 69.2343, "alpha": 0.2368, "B": 68973.0621, "beta": 0.5162}
        | {"gamma": 11334.5197, "delta": 3.1926, "nu": 2.9543},
        {"N": _powers(7.5, 9, 3), "D": _powers(10, 11, 3), "e": np.array([1.0, 2.0, 4.0])}
        | {"m": np.array([1.0, 3.0]), "G": np.array([32.0, 512.0])},
    ),
    "sparse_autoencoder": Case(
        sj.laws.sparse_autoencoder,
        {"A": 0.6, "p_n": -0.017, "p_k": 0.26, "p_nk": -0.042, "Z": 0.27, "q": -0.085},
        {"n": _powers(3, 6, 8), "k": _powers(1, 3, 6)},
    ),
    "mixing_bivariate": Case(
        sj.laws.mixing_bivariate,
        {"a": 0.1, "B": 20.0, "b": 0.4, "C": 1.5},
        {"r": np.array([0.05, 0.1, 0.25, 0.5, 1.0]), "s": _powers(3, 5, 8)},
    ),
    "precision_qat": Case(
        sj.laws.precision_qat,
        {"k": 0.1582, "gamma_N": 0.2186, "gamma_D": 0.0745, "gamma_G": 0.7779},
        {"N": _powers(7.8, 9, 4), "D": _powers(10, 11, 4), "G": np.array([32.0, 64.0, 128.0, 256.0])},
    ),
}


def tables(case: Case, n: int, seed: int = 0) -> pd.DataFrame:
    """n simulated tables of one law, told apart by the column `table`."""
    drawn = [
        sj.datasets.simulate(
            case.law, case.truth, case.design, grid=True, noise=NOISE, seed=1000 * seed + i, target=TARGET
        ).assign(table=i)
        for i in range(n)
    ]
    return pd.concat(drawn, ignore_index=True)


def misfit(case: Case, table: pd.DataFrame) -> float:
    """Sum of squares of a table's log residuals at the truth; JAX has compiled the law for so many rows."""
    mean = case.law(**{name: table[name].to_numpy() for name in case.law.inputs}, **case.truth)
    return float((np.log(table[TARGET] / mean) ** 2).sum())


def recover(case: Case, n: int) -> pd.DataFrame:
    """Per table: twice the optimum's gain in log likelihood over the truth, its 99 % bound, the status."""
    drawn = tables(case, n)
    fixed = {name: case.truth[name] for name in case.fixed}
    fits = sj.fit_groups(case.law, drawn, by="table", target=TARGET, objective=OBJECTIVE, fixed=fixed or None)
    true_value = drawn.groupby("table")[[*case.law.inputs, TARGET]].apply(lambda one: misfit(case, one))
    scale = OBJECTIVE.rho(1.0)  # the objective's value for a unit residual
    rows = [
        (key, (true_value[key] - fit.objective_value / scale) / NOISE**2, fit.status)
        for key, fit in fits.items()
    ]
    return pd.DataFrame(rows, columns=["table", "gain", "status"]).assign(bound=chi2.ppf(LEVEL, case.free))
