"""The laws, one file per line of published work: each is an ordinary `@law` function, or a factory of them.

A file's `__all__` is what `sj.laws` offers of it. Relations and planners that follow from a law stand beside
it, or in `kaplan_relations`; they are functions of its constants and nothing to fit.
"""

from types import ModuleType as _Module

from scaling_jax.laws.annealing import *
from scaling_jax.laws.bracket import *
from scaling_jax.laws.broken import *
from scaling_jax.laws.chinchilla import *
from scaling_jax.laws.continual import *
from scaling_jax.laws.counting import *
from scaling_jax.laws.data_constrained import *
from scaling_jax.laws.distillation import *
from scaling_jax.laws.downstream import *
from scaling_jax.laws.dynamical import *
from scaling_jax.laws.experts import *
from scaling_jax.laws.farseer import *
from scaling_jax.laws.hyperparameters import *
from scaling_jax.laws.kaplan import *
from scaling_jax.laws.kaplan_relations import *
from scaling_jax.laws.learning_curves import *
from scaling_jax.laws.mixtures import *
from scaling_jax.laws.overtraining import *
from scaling_jax.laws.posttraining import *
from scaling_jax.laws.power import *
from scaling_jax.laws.precision import *
from scaling_jax.laws.streams import *
from scaling_jax.laws.surface import *
from scaling_jax.laws.trajectories import *
from scaling_jax.laws.transfer import *
from scaling_jax.laws.vocabulary import *

__all__ = sorted(n for n, thing in globals().items() if n[0] != "_" and not isinstance(thing, _Module))
