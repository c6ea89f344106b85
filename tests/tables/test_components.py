"""Components of benchmark scores, held to Ruan et al. 2024's variance ratios."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from tests.cases.observational import SCORES


def test_the_variance_ratios_of_77_models(models77, learnt):
    assert len(models77) == 77
    np.testing.assert_allclose(learnt.ratios[:4], [0.8016, 0.1190, 0.0463, 0.0136], atol=1e-3)


def test_other_models_pass_through_the_maps_of_the_training_models(models77):
    small = models77["FLOPs (1E21)"] <= 84
    learnt = sj.components(models77[small], SCORES)
    alone = learnt.transform(models77[~small].iloc[:1])
    np.testing.assert_allclose(learnt.transform(models77[~small]).iloc[:1], alone, rtol=1e-12)
