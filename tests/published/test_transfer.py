"""Printed constants of fine-tuning laws repeat the paper's critical sizes."""

from __future__ import annotations

import pytest

import scaling_jax as sj


def test_critical_size_between_fine_tuning_methods_from_the_printed_table():
    """Zhang et al. 2024: D* = H X^gamma, gamma -1.2 for full tuning against prompts, -2.4 against LoRA."""
    full = sj.published["zhang2024_en_de_fmt_size"].params
    for method, printed in (("prompt", -1.2), ("lora", -2.4)):
        other = sj.published[f"zhang2024_en_de_{method}_size"].params
        assert (other["alpha"] - full["alpha"]) / (full["beta"] - other["beta"]) == pytest.approx(
            printed, abs=0.15
        )
