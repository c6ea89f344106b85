"""The laws, one file per line of published work: each is an ordinary `@law` function, or a factory of them.

Relations and planners that follow from a law stand beside it, or in `kaplan_relations`; they are functions of
its constants and nothing to fit.
"""

from scaling_jax.laws.bracket import bracket
from scaling_jax.laws.broken import bnsl
from scaling_jax.laws.chinchilla import (
    chinchilla,
    chinchilla_gamma,
    chinchilla_tied,
    multiplicative,
    width_depth,
    width_depth_size,
)
from scaling_jax.laws.counting import (
    nonembedding,
    nonembedding_compute,
    nonembedding_exponent,
    total_parameters,
)
from scaling_jax.laws.data_constrained import data_constrained, data_constrained_geometric
from scaling_jax.laws.downstream import (
    capability_sigmoid,
    chance_corrected,
    chance_sigmoid,
    ladder_accuracy,
    ladder_loss,
)
from scaling_jax.laws.dynamical import bordelon_exponents, dynamical
from scaling_jax.laws.kaplan import (
    kaplan,
    kaplan_compute,
    kaplan_critical_batch,
    kaplan_data,
    kaplan_min_compute,
    kaplan_size,
    kaplan_steps,
)
from scaling_jax.laws.kaplan_relations import (
    data_to_avoid_overfitting,
    empirical_allocation,
    kaplan_optimum,
    min_compute,
    min_steps,
    off_size_cost,
    overfitting,
    stopping_step,
    time_and_examples,
)
from scaling_jax.laws.learning_curves import ceiling_power_law, rectified, shifted_power_law
from scaling_jax.laws.overtraining import error_from_loss, overtraining
from scaling_jax.laws.power import (
    compute_frontier,
    compute_only,
    power_law,
    power_law_floor,
    power_product,
    power_sum,
)
from scaling_jax.laws.precision import precision, precision_optimum, precision_ptq, precision_unified
from scaling_jax.laws.trajectories import (
    critical_batch,
    minimum_loss,
    steps_to_loss,
    tokens_to_loss,
    trajectory,
)
from scaling_jax.laws.transfer import (
    barnett,
    finetuning_line,
    hernandez_loss,
    hernandez_transfer,
    mikami,
    zhang_additive,
    zhang_multiplicative,
)

__all__ = [
    "barnett",
    "bnsl",
    "bordelon_exponents",
    "bracket",
    "capability_sigmoid",
    "ceiling_power_law",
    "chance_corrected",
    "chance_sigmoid",
    "chinchilla",
    "chinchilla_gamma",
    "chinchilla_tied",
    "compute_frontier",
    "compute_only",
    "critical_batch",
    "data_constrained",
    "data_constrained_geometric",
    "data_to_avoid_overfitting",
    "dynamical",
    "empirical_allocation",
    "error_from_loss",
    "finetuning_line",
    "hernandez_loss",
    "hernandez_transfer",
    "kaplan",
    "kaplan_compute",
    "kaplan_critical_batch",
    "kaplan_data",
    "kaplan_min_compute",
    "kaplan_optimum",
    "kaplan_size",
    "kaplan_steps",
    "ladder_accuracy",
    "ladder_loss",
    "mikami",
    "min_compute",
    "min_steps",
    "minimum_loss",
    "multiplicative",
    "nonembedding",
    "nonembedding_compute",
    "nonembedding_exponent",
    "off_size_cost",
    "overfitting",
    "overtraining",
    "power_law",
    "power_law_floor",
    "power_product",
    "power_sum",
    "precision",
    "precision_optimum",
    "precision_ptq",
    "precision_unified",
    "rectified",
    "shifted_power_law",
    "steps_to_loss",
    "stopping_step",
    "time_and_examples",
    "tokens_to_loss",
    "total_parameters",
    "trajectory",
    "width_depth",
    "width_depth_size",
    "zhang_additive",
    "zhang_multiplicative",
]
