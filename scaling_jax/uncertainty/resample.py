"""How tables are resampled: methods, which of them a fit should use, and why another would be too narrow."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.uncertainty.ensemble import is_count

if TYPE_CHECKING:
    from scaling_jax.tables.runs import Runs

__all__ = [
    "cluster_of",
    "counts",
    "few_clusters",
    "joint_weights",
    "method_of",
    "paired_method",
    "paired_weights",
    "resampled",
    "words_of",
]

METHODS = {
    "run": "training runs resampled with replacement",
    "row": "rows resampled with replacement",
    "bayesian": "runs reweighted by Dirichlet weights",
    "residual": "residuals resampled around the fitted curve",
    "hierarchical": "scales resampled, then runs within each scale",
}
FEW_RUNS = 50
FEW_CLUSTERS = 20  # runs of several rows, below which draws are spread by what few runs allow


def cluster_of(runs: Runs) -> tuple[np.ndarray, list]:
    """The code of the run each row belongs to (the row itself where runs are unknown), and the runs' names in
    that order."""
    if runs.run is None:
        return np.arange(len(runs)), list(runs.rows)
    present, code = np.unique(runs.run, return_inverse=True)
    return code, [runs.run_labels[c] for c in present]


def few_clusters(fit: Fitted) -> np.ndarray | None:
    """The code of every row's run, where runs are few and have several rows; else None."""
    runs = fit.data()
    if runs.run is None:
        return None
    code = np.unique(runs.run, return_inverse=True)[1]
    used = np.unique(code[runs.weight > 0])
    if len(used) >= min(FEW_CLUSTERS, int((runs.weight > 0).sum())):
        return None
    return np.searchsorted(used, code).clip(0, len(used) - 1)


def method_of(fit: Fitted, n: int, method: str | None) -> str:
    method = method or _recommended(fit)
    if method not in METHODS:
        raise ValueError(f"method={shown(method)}: use one of {', '.join(METHODS)}.")
    if method == "residual" and fit.objective.counts is not None:
        raise ValueError("method='residual': counts have no residuals to exchange; resample rows or runs.")
    if not is_count(n):
        raise ValueError(f"bootstrap({shown(n)}): ask for a positive number of replicates.")
    if caution := _caution(fit, method):
        warnings.warn(f"bootstrap(method={shown(method)}): {caution}", stacklevel=5)
    return method


def words_of(fit: Fitted, method: str) -> str:
    """What was done, in words; where runs are unknown every row is one."""
    return (
        METHODS[method]
        if fit.data().run is not None
        else METHODS[method].replace("training runs", "rows").replace("runs", "rows")
    )


def _recommended(fit: Fitted) -> str:
    """The method whose 90 % intervals held the truth in 87 to 94 % of simulated sweeps.

    An objective that charges most residuals by their size is like a median, which moves by jumps when rows
    are resampled whole: intervals come out a quarter too wide, and with smooth weights right. Of few runs
    smooth weights are too even.
    """
    if not _quadratic(fit) and few_clusters(fit) is None:
        return "bayesian"
    return "run" if fit.data().run is not None else "row"


def _quadratic(fit: Fitted) -> bool:
    """Whether the objective charges most residuals by their square."""
    return bool(np.mean(np.abs(fit.residuals) <= fit.objective.numbers[0]) >= 0.5)


def _caution(fit: Fitted, method: str) -> str:
    """Why intervals by this method will be too narrow for this fit, with what was measured
    (benchmarks/coverage_simulated.py)."""
    runs, quadratic = fit.data(), _quadratic(fit)
    clusters = len(runs) if runs.run is None else len(np.unique(runs.run))
    if method in ("row", "residual") and clusters < len(runs):
        return (
            "rows of one run are not independent; 90 % intervals held the truth in 55 to 70 % of "
            "simulated sweeps: leave method= out."
        )
    if method == "residual" and not quadratic:
        return (
            "most residuals lie outside the Huber threshold; there 90 % intervals held the truth in 79 "
            "to 82 %: leave method= out."
        )
    if method == "bayesian" and quadratic and clusters < FEW_RUNS:
        return (
            f"with {clusters} runs its intervals are short; of 30 runs 90 % intervals held the truth in "
            "77 to 86 %: leave method= out."
        )
    return ""


def resampled(
    fit: Fitted,
    n: int,
    method: str,
    scale: str | None,
    rng: np.random.Generator,
    at_a_time: int | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Weights (n, rows) of the replicates, and their targets where those are what is resampled.

    At most `at_a_time` of them come together; what is drawn does not depend on it.
    """
    runs = fit.data()
    cluster = np.arange(len(runs)) if method == "row" or runs.run is None else runs.run
    present, cluster = np.unique(cluster, return_inverse=True)
    scales = _hierarchical(fit, cluster, scale, n, rng) if method == "hierarchical" else None
    for first in range(0, n, at_a_time or n):
        many = min(at_a_time or n, n - first)
        if method == "residual":
            yield np.broadcast_to(runs.weight, (many, len(runs))), _resampled_targets(fit, many, rng)
            continue
        if scales is not None:
            shares = scales[first : first + many]
        elif method == "bayesian":
            shares = rng.dirichlet(np.ones(len(present)), many) * len(present)
        else:
            shares = counts(rng.integers(len(present), size=(many, len(present))), len(present))
        yield shares[:, cluster] * runs.weight, None


def counts(indices: np.ndarray, size: int) -> np.ndarray:
    """How often each position occurs in each row of indices, (draws, size)."""
    if indices.ndim != 2 or indices.min() < 0 or indices.max() >= size:
        raise ValueError(
            f"indices must be (replicates, rows) positions from 0 to {size - 1}, got shape {indices.shape}."
        )
    flat = indices + size * np.arange(len(indices))[:, None]
    return np.bincount(flat.ravel(), minlength=size * len(indices)).reshape(len(indices), size).astype(float)


def _hierarchical(
    fit: Fitted, cluster: np.ndarray, scale: str | None, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Shares per run: scales drawn with replacement, then runs within each (Ivgi et al. 2022,
    arXiv:2202.06387)."""
    runs = fit.data()
    name = scale or fit.law.inputs[0]
    if name not in runs.inputs:
        raise ValueError(
            f"scale={shown(name)}: the hierarchical bootstrap draws the values of one input, of "
            f"{', '.join(runs.inputs)}."
        )
    _, of_row = np.unique(runs.inputs[name], return_inverse=True)
    members = [np.unique(cluster[of_row == level]) for level in range(of_row.max() + 1)]
    shares = np.zeros((n, cluster.max() + 1))
    drawn = rng.integers(len(members), size=(n, len(members)))
    for level, inside in enumerate(members):
        times = (drawn == level).sum(axis=1)
        shares[:, inside] = rng.multinomial(times * len(inside), np.full(len(inside), 1 / len(inside)))
    return shares


def _resampled_targets(fit: Fitted, n: int, rng: np.random.Generator) -> np.ndarray:
    """Targets on the objective's scale: fitted curve plus residuals drawn from all rows."""
    runs = fit.data()
    scale = np.ones(len(runs)) if runs.target_se is None else runs.target_se
    fitted = predict(fit.law, fit.numbers, runs.inputs)[0]
    centre = fit.objective.scaled(fitted)
    centred = fit.residuals - np.average(fit.residuals, weights=runs.weight)
    return centre - centred[rng.integers(len(runs), size=(n, len(runs)))] * scale


def paired_weights(
    fits: Sequence[Fitted],
    n: int,
    rng: np.random.Generator,
    at_a_time: int | None = None,
    smooth: bool = False,
) -> Iterator[list[np.ndarray]]:
    """Weights (replicates, rows) for each fit, at most `at_a_time` of the `n` replicates together; runs that
    several fits know by the same name are drawn for all of them at once.

    Runs are resampled within the sets known to the same fits, so that every fit keeps its number of runs;
    `smooth` weights are Dirichlet's.
    """
    labels = [_run_of_rows(fit, number) for number, fit in enumerate(fits)]
    return _shared_weights(fits, labels, n, rng, smooth, at_a_time or n)


def paired_method(fits: Sequence[Fitted], method: str | None) -> str:
    """How runs of several outputs are resampled: as each of them would be, by weights where all ask for them.

    Raises:
        ValueError: for a method that does not keep the outputs of a run together.
    """
    if method is None:
        return "bayesian" if all(_recommended(fit) == "bayesian" for fit in fits) else "run"
    if method not in ("run", "bayesian"):
        raise ValueError(f"method={shown(method)}: outputs of a run stay together by 'run' or 'bayesian'.")
    return method


def joint_weights(
    fits: Sequence[Fitted], n: int, rng: np.random.Generator, at_a_time: int | None = None
) -> tuple[Iterator[list[np.ndarray]], bool, bool]:
    """Weights for each of several fits to be compared draw by draw, as `paired_weights` gives them.

    Runs are the same where fits know them by the same name, or else where they were trained at the same
    place; both lets errors that fits have in common cancel, and claims none that they have not. The weights
    are smooth (Dirichlet) where that is what every fit asks for.

    Returns:
        The weights, whether any run was drawn for several fits, and whether the weights are smooth.
    """
    labels = [_run_of_rows(fit, number) for number, fit in enumerate(fits)]
    if not _any_shared(labels):
        labels = [_place_of_rows(fit) for fit in fits]
    smooth = not any(_quadratic(fit) for fit in fits)
    weights = _shared_weights(fits, labels, n, rng, smooth, at_a_time or n)
    return weights, _any_shared(labels), smooth


def _shared_weights(
    fits: Sequence[Fitted],
    labels: Sequence[list[Hashable]],
    n: int,
    rng: np.random.Generator,
    smooth: bool,
    at_a_time: int,
) -> Iterator[list[np.ndarray]]:
    """Weights per fit, drawn within the sets of labels known to the same fits; what is drawn does not depend
    on how many come together."""
    known_to: dict[Hashable, list[int]] = {}
    for number, part in enumerate(labels):
        for label in dict.fromkeys(part):
            known_to.setdefault(label, []).append(number)
    share: dict[Hashable, np.ndarray] = {}
    for knowing in sorted(set(map(tuple, known_to.values()))):
        members = [label for label, numbers in known_to.items() if tuple(numbers) == knowing]
        if smooth:
            drawn = rng.dirichlet(np.ones(len(members)), n) * len(members)
        else:
            drawn = counts(rng.integers(len(members), size=(n, len(members))), len(members))
            drawn = drawn.astype(np.uint16)  # all of them wait until their part is solved
        share.update(zip(members, drawn.T, strict=True))
    for first in range(0, n, at_a_time):
        some = slice(first, first + at_a_time)
        yield [
            np.stack([share[label][some] for label in part], axis=1) * fit.data().weight
            for fit, part in zip(fits, labels, strict=True)
        ]


def _any_shared(labels: Sequence[list[Hashable]]) -> bool:
    """Whether any label stands in several fits."""
    known = [set(part) for part in labels]
    return len(set().union(*known)) < sum(map(len, known))


def _place_of_rows(fit: Fitted) -> list[Hashable]:
    """The inputs at the end of the run each row belongs to, and which of the runs that ended there it is."""
    runs = fit.data()
    code, _ = cluster_of(runs)
    columns = [np.round(np.log(np.maximum(c, np.finfo(float).tiny)), 9) for c in runs.inputs.values()]
    last = pd.Series(np.sum(columns, axis=0)).groupby(code).idxmax().to_numpy()
    seen: dict[Hashable, int] = {}
    label_of: list[Hashable] = []
    for row in last:
        place = tuple(float(column[row]) for column in columns)
        seen[place] = seen.get(place, -1) + 1
        label_of.append((*place, seen[place]))
    return [label_of[c] for c in code]


def _run_of_rows(fit: Fitted, number: int) -> list[Hashable]:
    """The run each row belongs to; rows of unknown runs stand for themselves, and for no other fit's."""
    runs = fit.data()
    if runs.run is None:
        return [(number, row) for row in range(len(runs))]
    return [runs.run_labels[code] for code in runs.run]
