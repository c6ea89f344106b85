"""Learning rate and batch for the next run: what published laws say side by side, and the optima of one's own
sweep (the protocol of Li et al. 2025, Step Law).

An optimum is read off each cell of runs with equal sizes, then regressed on the sizes. Cells, not rows, are
what is independent, so they are what the bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.api.fit import fit
from scaling_jax.api.result import FitResult
from scaling_jax.core.checked import checked
from scaling_jax.core.objective import SquaredError
from scaling_jax.laws.kaplan_relations import kaplan_learning_rate
from scaling_jax.laws.power import power_product
from scaling_jax.published import published
from scaling_jax.published.hyperparameters import ENTRIES, LEARNING_RATE
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.numbers import floats, rows_at
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.scale import TOKENS_FLOP
from scaling_jax.tables.sources import check_columns
from scaling_jax.uncertainty.ensemble import generator, is_count

__all__ = ["SweepOptima", "hyperparameters", "sweep_optima"]

METHODS = ("near", "quadratic")


@checked
def hyperparameters(N: float, D: float, *, loss: float | None = None) -> pd.DataFrame:
    """What published laws say of the learning rate and batch of a run, side by side.

    Args:
        N: parameters of the run, non-embedding for most of these laws.
        D: its training tokens; compute is taken as 6ND.
        loss: the loss it is to reach, for laws that ask for it; without it they are left out.

    Returns:
        One row per law, indexed by its key in `sj.published` (Kaplan's, which is no product of powers, by
        "kaplan2020_lr"): what, value, unit, outside (inputs beyond the runs behind the law, empty where there
        are none), formula, remark, cite.

    Raises:
        ValueError: for N, D or loss that are not positive.

    Source: each row's own. Laws disagree by factors of two to five: schedules, counts and rays of N and D
    differ, and the remark says how.

    >>> import scaling_jax as sj
    >>> sj.hyperparameters(1e9, 1e11).loc["li2025_lr", "value"].round(6).item()
    0.001632
    """
    at = {"N": N, "D": D, "C": TOKENS_FLOP * N * D} | ({} if loss is None else {"L": loss})
    if bad := [name for name, value in at.items() if not (np.isfinite(value) and value > 0)]:
        raise ValueError(f"hyperparameters: {bad[0]} = {at[bad[0]]!r} must be a positive number.")
    rows = []
    for entry in (published[known.key] for known in ENTRIES):
        if not set(entry.law.inputs) <= set(at):
            continue
        powers = " ".join(f"{name}^{entry.params[f'p_{name}']:g}" for name in entry.law.inputs)
        out = [
            name for name in entry.law.inputs if not entry.range[name][0] <= at[name] <= entry.range[name][1]
        ]
        rows.append({
            "law": entry.key,
            "what": "learning rate" if entry.units["target"] == LEARNING_RATE else "batch",
            "value": float(entry(**{name: at[name] for name in entry.law.inputs})),
            "unit": entry.units["target"],
            "outside": ", ".join(out),
            "formula": f"{entry.params['A']:.4g} {powers}",
            "remark": entry.remark,
            "cite": entry.cite,
        })  # fmt: skip
    rows.append({
        "law": "kaplan2020_lr",
        "what": "learning rate",
        "value": float(kaplan_learning_rate(N)),
        "unit": LEARNING_RATE,
        "outside": "" if N <= 1.5e9 else "N",
        "formula": ".003239 - .0001395 ln N",
        "remark": "Turns negative beyond 1.2e10 parameters.",
        "cite": "Kaplan et al. 2020 (arXiv:2001.08361), appendix D.6",
    })  # fmt: skip
    return pd.DataFrame(rows).set_index("law").sort_values("what", kind="stable", ascending=False)


@dataclass(frozen=True, eq=False)
class SweepOptima:
    """Optima of a sweep against sizes.

    Args:
        optima: the runs, or fitted optima, that are regressed: sizes, settings, loss and `cell`.
        fits: setting -> its law of the sizes, `power_product`, by least squares on logs.
        empty: cells without a usable optimum, in words.
    """

    optima: pd.DataFrame
    fits: dict[str, FitResult]
    empty: tuple[str, ...] = ()

    @property
    def params(self) -> pd.DataFrame:
        """Scale A and exponents per setting."""
        return pd.DataFrame({name: fitted.params for name, fitted in self.fits.items()}).T

    @checked
    def predict(self, **sizes: float) -> dict[str, float]:
        """The best settings at sizes: N and D, or what the laws are of.

        Raises:
            TypeError: for a size that is missing, or that no law takes.
            ValueError: for a size that is not positive.
        """
        needed = list(dict.fromkeys(name for fitted in self.fits.values() for name in fitted.law.inputs))
        if set(sizes) != set(needed):
            raise TypeError(f"predict({', '.join(map(str, sizes))}): give {', '.join(needed)}, each by name.")
        if bad := [name for name, value in sizes.items() if not 0 < value < np.inf]:
            raise ValueError(f"predict({bad[0]}={sizes[bad[0]]!r}): give a positive number.")
        return {
            name: float(fitted.law(**{n: sizes[n] for n in fitted.law.inputs}, **fitted.params))
            for name, fitted in self.fits.items()
        }

    @checked
    def bootstrap(self, n: int = 1000, seed: int = 0) -> dict[str, pd.DataFrame]:
        """Scales and exponents under cells drawn with replacement: per setting one row per replicate.

        Runs of one cell go together: they share their data, schedule and noise.

        Raises:
            ValueError: for a number of replicates or a seed that is none.
        """
        if not is_count(n):
            raise ValueError(f"bootstrap({n!r}): ask for a positive number of replicates.")
        cells = self.optima["cell"].to_numpy()
        names, code = np.unique(cells, return_inverse=True)
        drawn = generator(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
        return {name: _regressions(fitted, drawn[:, code]) for name, fitted in self.fits.items()}


@checked
def sweep_optima(
    runs: TableLike,
    *,
    settings: Mapping[str, Sequence[str]],
    cell: Sequence[str] = ("N", "D"),
    loss: str = "loss",
    method: str = "near",
    within: float = 0.0025,
) -> SweepOptima:
    """The best settings of a sweep as powers of sizes, by the protocol of Step Law.

    Args:
        runs: one row per run, with the columns named below.
        settings: setting -> the sizes its optimum depends on, such as {"lr": ["N", "D"], "batch": ["D"]}.
        cell: columns that are equal in runs of one cell.
        loss: column of final losses.
        method: "near" keeps every run within `within` of its cell's least loss, as the paper does;
            "quadratic" fits a parabola in the logarithms of the settings to those runs and takes its minimum,
            where it has one inside them.
        within: how near, relative to the least loss.

    Returns:
        A `SweepOptima`: `.fits`, `.params`, `.predict(N=, D=)`, `.bootstrap()`, which resamples cells.

    Raises:
        DataError: for columns that are missing or not positive, sizes that lie on one ray (N and D cannot be
            told apart), or too few cells.
        ValueError: for another method.

    Source: Li et al. 2025 (arXiv:2503.04715): .25 %, learning rate on N and D, batch on D.

    >>> import scaling_jax as sj
    >>> cells = [(1e8, 2e9), (1e8, 8e9), (1e9, 2e9), (1e9, 8e9)]
    >>> rows = [(N, D, lr, 3 + 0.1 * np.log(lr / (2 * N**-0.5 * D**0.2)) ** 2)
    ...         for N, D in cells for lr in np.geomspace(1e-4, 1e-1, 60)]
    >>> table = pd.DataFrame(rows, columns=["N", "D", "lr", "loss"])
    >>> found = sj.sweep_optima(table, settings={"lr": ["N", "D"]}, method="quadratic")
    >>> found.params.round(3).to_dict("index")
    {'lr': {'A': 2.0, 'p_N': -0.5, 'p_D': 0.2}}
    """
    frame = as_frame(runs)
    if method not in METHODS:
        raise ValueError(f"method={method!r}: 'near' or 'quadratic'.")
    needed = dict.fromkeys([*cell, *settings, *(s for sizes in settings.values() for s in sizes), loss])
    check_columns(frame, *needed)
    for name in needed:
        values = floats(frame[name])
        if (bad := ~(np.isfinite(values) & (values > 0))).any():
            raise DataError(
                f"Column '{name}' must be positive and finite in every row of a sweep, and is not in "
                f"{rows_at(frame.index, bad)}: correct it, or leave those rows out."
            )
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame = frame.assign(**{name: values})
    parts: list[pd.DataFrame] = []
    empty: list[str] = []
    for key, group in frame.groupby(list(cell)):
        least = group[loss].min()
        near = group[group[loss] <= (1 + within) * least]
        best = near if method == "near" else _vertex(near, list(settings), loss)
        if best is None:
            empty.append(", ".join(f"{name} {value:.4g}" for name, value in zip(cell, key, strict=True)))
        else:
            parts.append(best.assign(cell=len(parts)))
    if not parts:
        raise DataError(f"No cell has an optimum: raise within={within:g}, or use method='near'.")
    optima = pd.concat(parts, ignore_index=True)
    fits = {name: _law_of(optima, name, list(sizes)) for name, sizes in settings.items()}
    return SweepOptima(optima, fits, tuple(empty))


def _law_of(optima: pd.DataFrame, setting: str, sizes: list[str]) -> FitResult:
    """Least squares of the logarithm of a setting on those of the sizes."""
    points = np.log(optima.drop_duplicates("cell")[sizes].to_numpy())
    if np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-6) < len(sizes):
        raise DataError(
            f"{setting} cannot be a law of {' and '.join(sizes)}: the {len(points)} cells lie on one ray of "
            "them. Add cells off it, or name fewer sizes."
        )
    return fit(power_product(*sizes), optima, target=setting, objective=SquaredError())


def _vertex(near: pd.DataFrame, settings: list[str], loss: str) -> pd.DataFrame | None:
    """The minimum of a parabola in the logarithms of the settings, where it has one among the runs."""
    z = np.log(near[settings].to_numpy())
    low, high = z.min(axis=0), z.max(axis=0)
    middle, k = (low + high) / 2, len(settings)
    upper = np.triu_indices(k)
    centred = z - middle
    squares = centred[:, upper[0]] * centred[:, upper[1]]
    design = np.column_stack([np.ones(len(z)), centred, squares])
    if len(z) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    _, *rest = np.linalg.lstsq(design, near[loss].to_numpy(), rcond=None)[0]
    slope, curvature = np.array(rest[:k]), np.zeros((k, k))
    curvature[upper] = rest[k:]
    curvature = curvature + curvature.T
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    at = middle - np.linalg.solve(curvature, slope)
    if np.any(at < low) or np.any(at > high):
        return None
    return near.head(1).assign(**dict(zip(settings, np.exp(at), strict=True)))


def _regressions(fitted: FitResult, weight: np.ndarray) -> pd.DataFrame:
    """The log-linear fit under weights (replicates, rows), in closed form; singular draws are left out."""
    runs = fitted.data()
    X = np.column_stack([np.ones(len(runs)), *(np.log(runs.inputs[name]) for name in fitted.law.inputs)])
    centre = X.mean(axis=0) * np.r_[0.0, np.ones(X.shape[1] - 1)]
    X = X - centre
    normal = np.einsum("bn,ni,nj->bij", weight, X, X)
    right = np.einsum("bn,ni,n->bi", weight, X, np.log(runs.target))
    usable = np.linalg.cond(normal) < 1e12
    found = np.linalg.solve(normal[usable], right[usable][..., None])[..., 0]
    level = found[:, 0] - found[:, 1:] @ centre[1:]
    return pd.DataFrame(np.column_stack([np.exp(level), found[:, 1:]]), columns=list(fitted.law.labels))
