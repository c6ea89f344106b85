"""Downstream metrics: from size and data to a task's loss, and from loss or other benchmarks to accuracy."""

from __future__ import annotations

import jax
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked
from scaling_jax.core.domains import NON_NEGATIVE, REAL, Interval, NonNegative, Positive, Unit
from scaling_jax.core.law import Law, Parameter, law
from scaling_jax.laws._numbers import Numbers, relation
from scaling_jax.laws._starts import grid, logit

__all__ = ["capability_sigmoid", "chance_corrected", "chance_sigmoid", "ladder_accuracy", "ladder_loss"]

LADDER = "Bhagia et al. 2024 (arXiv:2412.04403)"
MINUS_ONE_TO_ZERO = Interval(-1.0, 0.0)
GUESSING = Interval(0.0, 0.2)


@law(
    cite=f"{LADDER}, eq. 1",
    ranges={"alpha": (0.03, 1.2), "beta": (0.03, 1.2)},
    units={"N": "non-embedding parameters", "D": "tokens", "E": "bits/byte", "target": "bits/byte"},
    priors={
        "E": ("halfnormal", 0.0, 1.0),
        "A": ("normal", 3.0, 3.0),
        "B": ("normal", 4.0, 3.0),
        "alpha": ("normal", 0.3, 0.2),
        "beta": ("normal", 0.2, 0.2),
    },
    neighbours=("chinchilla_gamma", "bracket"),
)
def ladder_loss(N, D, *, E: NonNegative, A: Positive, B: Positive, alpha: NonNegative, beta: NonNegative):
    r"""Bits per byte of a task's correct answers: the first step of a model ladder.

    $$L_{task}(N, D) = E + A\,N^{-\alpha} + B\,D^{-\beta}$$

    Args:
        N: non-embedding parameters.
        D: training tokens.
        E: irreducible loss; zero is a legal optimum here.
        A, alpha, B, beta: as in `chinchilla`.

    Returns:
        Task loss in bits per byte.

    Known to go wrong: from sixteen small runs E ends at zero (CSQA) or an exponent near .8 (ARC-C), and
    forecasts are then off by 10 to 18 %; the certificate flags both.

    Source: Bhagia et al. 2024, eq. 1 (MMLU: E .454, ln A 3.64, ln B 4.61, alpha .226, beta .236).

    >>> round(ladder_loss(6887575552, 3945065873408, E=0.454, A=38.1, B=100.5, alpha=0.226, beta=0.236), 3)
    0.789
    """
    return E + A / N**alpha + B / D**beta


def _accuracy_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Midpoints over the losses seen and slopes on the scale of their spread; heights follow linearly."""
    low, high = np.min(inputs["loss"]), np.max(inputs["loss"])
    spread = max(high - low, 1e-6)
    return grid(L0=low + spread * np.linspace(-0.3, 1.0, 9), k=np.geomspace(1.0, 30.0, 9) / spread)


@law(
    cite=f"{LADDER}, eq. 2",
    starts=_accuracy_starts,
    ranges={"k": (0.3, 30.0), "L0": (0.1, 3.0)},
    domains={"a": MINUS_ONE_TO_ZERO},
    units={"loss": "bits/byte", "L0": "bits/byte", "k": "byte/bit", "target": "fraction"},
    priors={
        "a": ("normal", -0.6, 0.3),
        "b": ("normal", 0.9, 0.2),
        "k": ("halfnormal", 0.0, 5.0),
        "L0": ("halfnormal", 0.0, 1.0),
    },
    target="acc",
)
def ladder_accuracy(loss: NonNegative, *, b: Unit, a, k: NonNegative, L0: NonNegative):
    r"""Accuracy of a task from its loss: the second step of a model ladder.

    $$\mathrm{Acc}(L) = b + \frac{a}{1 + e^{-k(L - L_0)}}$$

    Args:
        loss: task loss, bits per byte; 0 is legal.
        b: accuracy at a loss of zero.
        a: change towards a high loss, between -1 and 0; b + a is the chance level.
        k, L0: steepness and midpoint.

    Returns:
        Accuracy, a fraction.

    Known to go wrong: with all models near chance, b and L0 trade off (the authors add the point of loss 0,
    accuracy 1); fit raw accuracies, `sj.SquaredError(on="raw")`.

    Source: Bhagia et al. 2024, eq. 2.

    >>> round(ladder_accuracy(0.8, b=0.9, a=-0.65, k=5.0, L0=1.0), 4)
    0.7252
    """
    return b + a * jax.nn.sigmoid(k * (loss - L0))


def _sigmoid_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Midpoints in and around the range of log x, slopes on its scale, chance below the lowest score."""
    logs = np.log(inputs["x"])
    spread = max(float(np.ptp(logs)), 1e-6)
    axes = grid(
        place=logs.min() + spread * np.linspace(-0.3, 1.5, 7),
        k=np.array([1.5, 4.0, 12.0]) / spread,
        chance=[0.0, 0.5, 0.95],
    )
    return {
        "x0": np.exp(axes["place"]),
        "k": axes["k"],
        "chance": np.clip(axes["chance"] * np.min(target), 0.0, 1.0),
    }


@law(
    cite="Ruan et al. 2024 (arXiv:2405.10938), eq. 3; Owen 2024 (arXiv:2401.04757)",
    starts=_sigmoid_starts,
    ranges={"k": (0.1, 5.0), "x0": (1e6, 1e25), "chance": (0.0, 0.5)},
    units={"x": "FLOP, parameters or tokens", "target": "fraction"},
    priors={"chance": ("beta", 2.0, 6.0), "k": ("normal", 0.0, 1.0), "x0": ("normal", 50.0, 10.0)},
    target="accuracy",
)
def chance_sigmoid(x, *, chance: Unit, k: Positive, x0: Positive):
    r"""Accuracy rising from the chance level to one along the logarithm of a resource.

    $$\mathrm{Acc}(x) = c + (1 - c)\,\sigma\!\left(k \ln\frac{x}{x_0}\right)$$

    Args:
        x: the resource (compute, parameters, tokens).
        chance: accuracy of guessing; fix it where it is known, `fixed={"chance": 0.25}`.
        k: steepness per factor e of x.
        x0: resource at which half of the way is gone.

    Returns:
        Accuracy, a fraction.

    Known to go wrong: before the rise has begun its midpoint is not identified; noise below chance is charged
    to k.

    Source: Ruan et al. 2024, eq. 3, with one resource in place of the capability.

    >>> round(chance_sigmoid(1e22, chance=0.25, k=1.0, x0=1e22), 4)
    0.625
    """
    return chance + (1 - chance) * jax.nn.sigmoid(k * (jax.numpy.log(x) - jax.numpy.log(x0)))


@relation
def chance_corrected(score: ArrayLike, chance: float) -> Numbers:
    r"""A score with guessing taken out: 0 at chance, 1 at perfect.

    $$y = \frac{\mathrm{acc} - r}{1 - r}$$

    Args:
        score: accuracy, a fraction.
        chance: expected accuracy r of guessing.

    Returns:
        The corrected score; negative below chance.

    Source: Ruan et al. 2024 (arXiv:2405.10938), section 4.

    >>> float(chance_corrected(0.625, 0.25))
    0.5
    """
    return np.subtract(score, chance) / (1 - chance)


@checked
def capability_sigmoid(n: int = 3, intervention: bool = False) -> Law:
    r"""A task's score from the principal components of other benchmarks: the observational scaling law.

    $$y = h_0 + (1 - h_0)\,\sigma\!\left(c + \sum_{k=1}^{n} w_k S_k\right)$$

    With `intervention`, the table holds every model with and without a post-training technique (chain of
    thought, self-consistency), told apart by an input z of 0 or 1, and $c + z\,\Delta c$ and
    $w_k + z\,\Delta w_k$ take the places of c and w_k: a technique that helps strong models more has positive
    shifts of the weights.

    Args:
        n: principal components, inputs S1 ... Sn (scores or logs, any sign).
        intervention: whether to add the input z with the parameters dc, dw1 ... dwn.

    Returns:
        The law, with parameters h0 (guessing; fix it at 0 for scores corrected by `chance_corrected`), c, w1
        ... wn.

    Raises:
        ValueError: for n below 1.

    Known to go wrong: components must be computed from the training models only; models of a family are not
    independent; one published fit (Persian QA) is an optimiser that stopped early. Fit raw scores,
    `sj.SquaredError(on="raw")`.

    Source: Ruan et al. 2024 (arXiv:2405.10938), eq. 3 and section 4.

    >>> capability_sigmoid(2)
    <law capability_sigmoid(S1, S2; h0, c, w1, w2)>
    >>> round(capability_sigmoid(1)(1.0, h0=0.0, c=-2.0, w1=2.0), 3)
    0.5
    """
    if n < 1:
        raise ValueError(f"capability_sigmoid(n={n}): at least one component is needed.")
    components = tuple(f"S{k}" for k in range(1, n + 1))
    names = ("c", *(f"w{k}" for k in range(1, n + 1)))

    def score(*inputs: jax.Array, h0: jax.Array, **numbers: jax.Array) -> jax.Array:
        z = inputs[n] if intervention else 0.0
        level = [numbers[name] + (z * numbers[f"d{name}"] if intervention else 0.0) for name in names]
        total = level[0]
        for weight, component in zip(level[1:], inputs[:n], strict=True):
            total = total + weight * component
        return h0 + (1 - h0) * jax.nn.sigmoid(total)

    score.__doc__ = (
        "A sigmoid of principal components.\n\n" + r"$$h_0 + (1 - h_0)\,\sigma(c + \sum_k w_k S_k)$$"
    )
    shifts = tuple(f"d{name}" for name in names) if intervention else ()
    return Law(
        score,
        name="capability_sigmoid",
        inputs=dict.fromkeys(components, REAL) | ({"z": NON_NEGATIVE} if intervention else {}),
        params=(
            Parameter("h0", GUESSING, prior=("uniform", 0.0, 0.2)),
            *(Parameter(m, REAL, prior=("normal", 0.0, 10.0)) for m in names + shifts),
        ),
        starts=lambda inputs, target: _capability_starts(components, names, shifts, inputs, target),
        ranges={"h0": (0.0, 0.2)} | dict.fromkeys(names + shifts, (-3.0, 3.0)),
        target="score",
        cite="Ruan et al. 2024 (arXiv:2405.10938), eq. 3",
        recipe=(__name__, "capability_sigmoid", (n, intervention)),
    )


def _capability_starts(
    components: tuple[str, ...],
    names: tuple[str, ...],
    shifts: tuple[str, ...],
    inputs: dict[str, np.ndarray],
    target: np.ndarray,
) -> dict[str, np.ndarray]:
    """Linear regressions of the log-odds of the score, which ignore saturated scores to different degrees."""
    columns = np.stack([np.ones_like(target), *(inputs[name] for name in components)], axis=1)
    design = np.concatenate([columns, columns * inputs["z"][:, None]], axis=1) if shifts else columns
    found = []
    for h0 in (0.0, 0.05, 0.15):
        odds = logit((target - h0) / (1 - h0))
        for trust in (0.0, 0.5, 1.0):
            weight = (np.exp(-np.abs(odds)) + 1e-3) ** trust
            numbers = np.linalg.lstsq(design * weight[:, None], odds * weight, rcond=None)[0]
            found += [np.concatenate([[h0], numbers * size]) for size in (1.0, 0.5, 2.0)]
    return dict(zip(("h0", *names, *shifts), np.array(found).T, strict=True))
