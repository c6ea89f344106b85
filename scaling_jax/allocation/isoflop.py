"""Approach 2: the best size of each compute budget, and power laws through these optima.

A budget's optimum is that of a parabola, or of an Akima spline, through its runs' losses over log size.
"""

from __future__ import annotations

import warnings as python_warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.allocation.interpolate import akima, line
from scaling_jax.allocation.lines import Allocation, AllocationDraws
from scaling_jax.core.checked import checked, shown
from scaling_jax.tables.curves import columns_of, read_curves
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.ensemble import generator, is_count
from scaling_jax.uncertainty.resample import counts

__all__ = ["Isoflop", "isoflop"]

METHODS = ("parabola", "akima")
NODES_PER_SPACING = 25
FLOOR = 0.33  # of the spacing of sizes: no standard deviation of log N* below it (Porian et al. 2024)
FEWEST_REPEATS = 5
FLAT = 1e-12  # of a loss: what bends less is rounding noise


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Isoflop(Allocation):
    """Best sizes of compute budgets; made by `sj.isoflop`.

    Args:
        table: flops, N, D, loss, sizes (how many), edge (optimum outside the sizes tried).
        warnings: what a reader must know.
        runs: the runs, with the budget of each as flops.
        method: "parabola" or "akima".
    """

    runs: pd.DataFrame
    method: str

    def families(self) -> dict[float, pd.DataFrame]:
        """The runs of each budget with an optimum inside."""
        kept = set(self.inside["flops"])
        return {flops: part for flops, part in self.runs.groupby("flops") if flops in kept}

    def curve(self, family: pd.DataFrame, N: np.ndarray) -> np.ndarray:
        """The parabola or spline of one budget's runs at sizes N."""
        x, y = np.log(family["N"].to_numpy()), family["loss"].to_numpy()
        if self.method == "parabola":
            middle = x.mean()
            return np.polyval(np.polyfit(x - middle, y, 2), np.log(N) - middle)
        best = family.groupby("N")["loss"].min()
        return np.exp(akima(np.log(best.index.to_numpy()), np.log(best.to_numpy())[None], np.log(N))[0])

    @property
    def noise(self) -> float:
        """Standard deviation of log loss: between repeated runs where enough are, else about parabolas."""
        log_loss = np.log(self.runs["loss"])
        cells = log_loss.groupby([self.runs["flops"], self.runs["N"]])
        freedom = len(log_loss) - cells.ngroups
        if freedom >= FEWEST_REPEATS:
            return float(np.sqrt(((log_loss - cells.transform("mean")) ** 2).sum() / freedom))
        left, freedom = 0.0, 0
        for part in self.families().values():
            x, y = np.log(part["N"]) - np.log(part["N"]).mean(), np.log(part["loss"])
            left += float(np.sum((y - np.polyval(np.polyfit(x, y, 2), x)) ** 2))
            freedom += len(y) - 3
        return float(np.sqrt(left / freedom)) if freedom > 0 else np.nan

    @checked
    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        resample: str = "noise",
        noise: float | None = None,
        weights: str | None = None,
    ) -> AllocationDraws:
        """Replicates of every budget's optimum and of the power laws, all at once.

        Args:
            n: replicates.
            seed: of the random numbers.
            resample: "noise": copies of the losses with noise added (Porian et al.); "run": runs drawn with
                replacement (rows, where the table names no runs), for parabolas.
            noise: standard deviation of log loss; by default as `noise` estimates it from the table.
            weights: of the budgets in the power laws. "equal" (default for parabolas), or "precision"
                (default for splines): 1/sd^2 of each log N*, sd no less than a third of the spacing of sizes,
                through the medians of the draws.

        Returns:
            `AllocationDraws`: `.exponents(level)`, `.optimal(flops, level)`, `.optima(level)`.

        Raises:
            ValueError: for other words, no replicates, runs resampled under a spline, or no noise to be had.
        """
        weights = weights or ("equal" if self.method == "parabola" else "precision")
        if resample not in ("noise", "run") or weights not in ("equal", "precision") or not is_count(n):
            raise ValueError(
                f"bootstrap(n={n}, resample={shown(resample)}, weights={shown(weights)}): n is "
                "positive, resample "
                "'noise' or 'run', weights 'equal' or 'precision'."
            )
        if resample == "run" and self.method == "akima":
            raise ValueError(
                "A spline goes through every size, so runs cannot be left out: use resample='noise', or "
                "parabolas."
            )
        log_noise, share, words = self._resampled(n, generator(seed), resample, noise)
        families = self.families()
        found = []
        for family in families.values():
            rows = self.runs.index.get_indexer(family.index)
            losses = family["loss"].to_numpy() * np.exp(log_noise[:, rows])
            found.append(_optima(family, losses, share[:, rows], self.method))
        log_N, loss = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))
        tokens = [_tokens(family) for family in families.values()]
        log_D = np.stack([np.polyval(along, log_N[:, k]) for k, along in enumerate(tokens)], axis=1)
        flops, weight = np.array(list(families)), np.ones(len(families))
        lines = self.exponents()[["estimate", "intercept"]].to_numpy()
        if weights == "precision":
            weight = _precisions(families, log_N)
            middles = [np.nanmedian(logs, axis=0)[None] for logs in (log_N, log_D)]
            lines = np.stack([np.ravel(line(np.log(flops), middle, weight)) for middle in middles])
        return AllocationDraws(
            source=self,
            flops=np.broadcast_to(flops, log_N.shape),
            N=np.exp(log_N),
            D=np.exp(log_D),
            loss=loss[:, self.frontier_rows],
            lines=lines,
            weight=weight,
            method=words,
        )

    def _resampled(
        self, n: int, rng: np.random.Generator, resample: str, noise: float | None
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """(n, rows) what is added to log losses, and how often each row counts; and how, in words."""
        shape = (n, len(self.runs))
        if resample == "run":
            cluster = pd.factorize(self.runs["run"])[0] if "run" in self.runs else np.arange(len(self.runs))
            size = cluster.max() + 1
            share = counts(rng.integers(size, size=(n, size)), size)[:, cluster]
            return np.zeros(shape), share, "runs resampled with replacement"
        sd = self.noise if noise is None else float(noise)
        if not 0 <= sd < np.inf:
            raise ValueError(
                "The table shows no noise (three runs per budget, none repeated): give noise=, the sd of log "
                "loss."
            )
        return sd * rng.standard_normal(shape), np.ones(shape), f"noise of {sd:.2g} added to log losses"


@checked
def isoflop(
    runs: TableLike,
    *,
    budget: str | ArrayLike,
    N: str = "N",
    D: str = "D",
    loss: str = "loss",
    run: str | None = None,
    flops: str | None = None,
    method: str = "parabola",
) -> Isoflop:
    r"""The compute-optimal size of each budget, where the loss is least over log size, and their power laws.

    $$L = c_0 + c_1 \ln N + c_2 (\ln N)^2, \quad \ln N^* = -\frac{c_1}{2 c_2}; \qquad
      N^* \propto C^a, \; D^* \propto C^b, \; L^* = E + A C^{-\gamma}$$

    Args:
        runs: one row per run, or per checkpoint.
        budget: the column of the compute budget (FLOP; equal within a budget), or budgets at which the loss
            is read off along each run's checkpoints, linear in logs.
        N, D, loss: columns of parameters, tokens and loss.
        run: the column that names runs: needed where checkpoints are read, and what the bootstrap resamples.
        flops: the column of compute of checkpoints; 6 N D by default.
        method: "parabola", least squares of the loss over log N; or "akima", an Akima spline of log loss
            through the best run of each size, at its lowest of 25 nodes per spacing (refined by the parabola
            through it and its neighbours).

    Returns:
        An `Isoflop`: `.table`, `.exponents()`, `.optimal(flops)`, `.frontier`, `.bootstrap()`. Its warnings
        name budgets with an optimum on an edge, one loss for all sizes or fewer than three sizes, and fewer
        than three budgets.

    Raises:
        DataError: for a missing column, values that are not positive, or fewer than two budgets with an
            optimum inside.
        ValueError: for another method, or budgets without `run`.

    Known to go wrong: a parabola over a wide range of sizes moves the level of N* (Czech et al. 2026,
    arXiv:2603.22339), not its exponent; a spline follows noise, so average repeated seeds first. D* is that
    of a power law in N through the budget's runs.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), section 3.2; spline: Porian et al. 2024
    (arXiv:2406.19146).

    >>> import numpy as np, pandas as pd, scaling_jax as sj
    >>> law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> C, N = (grid.ravel() for grid in np.meshgrid([1e19, 1e20, 1e21], np.geomspace(1e8, 1e10, 21)))
    >>> D = C / (6 * N)
    >>> runs = pd.DataFrame({"C": C, "N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **law)})
    >>> found = sj.isoflop(runs, budget="C", method="akima")
    >>> found.exponents()["estimate"].round(2).to_dict()  # 0.28 / (0.34 + 0.28) and the rest
    {'N': 0.45, 'D': 0.55}
    """
    if method not in METHODS:
        raise ValueError(f"method={shown(method)}: use one of {', '.join(METHODS)}.")
    if isinstance(budget, str):
        values = _in_column(runs, budget, run, N, D, loss)
    else:
        values = _at_budgets(runs, budget, run, N, D, loss, flops)
    table, notes = _table(values, method)
    inside = int((~table["edge"]).sum())
    if inside < 2:
        raise DataError(
            f"{inside} budgets have an optimum inside the sizes tried and a power law needs two. "
            + " ".join(notes)
        )
    if inside < 3:
        notes.append("Fewer than three budgets: the exponents have nothing to be checked against.")
    for note in notes:
        python_warnings.warn(note, UserWarning, stacklevel=2)
    return Isoflop(table=table, warnings=notes, runs=values, method=method)


def _table(values: pd.DataFrame, method: str) -> tuple[pd.DataFrame, list[str]]:
    """The optimum of each budget, and what is to be said of budgets without one inside."""
    found, notes = [], []
    for amount, family in values.groupby("flops"):
        sizes = family["N"].nunique()
        if sizes < 3:
            notes.append(f"Budget {amount:.3g} has {sizes} sizes and three are needed: it is left out.")
            continue
        losses = family["loss"].to_numpy()[None]
        (log_N,), (best,) = _optima(family, losses, np.ones(losses.shape), method)
        edge = bool(np.isnan(log_N))
        if edge and np.ptp(losses) <= FLAT * np.abs(losses).max():
            notes.append(
                f"Budget {amount:.3g} has the loss {losses[0, 0]:.6g} at all sizes, so none is the best: it "
                "is left out of the power laws."
            )
        elif edge:
            notes.append(
                f"Budget {amount:.3g} has its optimum outside the sizes tried: it is left out of the power "
                "laws."
            )
        found.append((amount, np.exp(log_N), np.exp(np.polyval(_tokens(family), log_N)), best, sizes, edge))
    columns = ["flops", "N", "D", "loss", "sizes", "edge"]
    return pd.DataFrame(found, columns=columns).astype({"edge": bool}), notes


def _in_column(runs: TableLike, budget: str, run: str | None, N: str, D: str, loss: str) -> pd.DataFrame:
    table = columns_of(runs, {"budget": budget, "N": N, "D": D, "loss": loss}, {"run": run})
    return table.rename(columns={"budget": "flops"}).reset_index(drop=True)


def _at_budgets(
    runs: TableLike, budget: ArrayLike, run: str | None, N: str, D: str, loss: str, flops: str | None
) -> pd.DataFrame:
    if run is None:
        raise ValueError(
            "budget= holds amounts of compute, so losses are read along runs: name the column of runs, run=."
        )
    amounts = budgets_of(budget, "budget")
    curves = read_curves(runs, run=run, N=N, D=D, loss=loss, flops=flops)
    log_D, log_loss = curves.at(amounts)
    which, at = np.nonzero(np.isfinite(log_loss))
    return pd.DataFrame({
        "flops": amounts[at], "N": curves.N[which], "D": np.exp(log_D[which, at]),
        "loss": np.exp(log_loss[which, at]), "run": [curves.labels[k] for k in which],
    })  # fmt: skip


def _tokens(family: pd.DataFrame) -> np.ndarray:
    """Line of log tokens over log size within a budget, as coefficients."""
    return np.polyfit(np.log(family["N"]), np.log(family["D"]), 1)


def _precisions(families: dict[float, pd.DataFrame], log_N: np.ndarray) -> np.ndarray:
    """(budgets,) 1/sd^2 of each optimum's log N (draws, budgets), no sd below a third of the spacing."""
    sizes = [family["N"] for family in families.values()]
    spacing = np.array([np.ptp(np.log(N)) / (N.nunique() - 1) for N in sizes])
    return 1 / np.maximum(np.nanstd(log_N, axis=0), FLOOR * spacing) ** 2


Optima = tuple[np.ndarray, np.ndarray]
"""Log N* and the loss there, each (draws,), NaN where the optimum is not inside the sizes tried."""


def _optima(family: pd.DataFrame, losses: np.ndarray, share: np.ndarray, method: str) -> Optima:
    """The optima of a budget's runs under losses and weights (draws, rows)."""
    x = np.log(family["N"].to_numpy())
    return _vertices(x, losses, share) if method == "parabola" else _lowest(x, losses)


def _vertices(x: np.ndarray, losses: np.ndarray, share: np.ndarray) -> Optima:
    """Of weighted parabolas over log size x (rows,), inside the sizes that a draw holds."""
    middle, reach = x.mean(), np.ptp(x) / 2
    u = (x - middle) / reach
    present = share > 0
    first, last = np.where(present, u, np.inf).min(axis=1), np.where(present, u, -np.inf).max(axis=1)
    solvable = (present & (u > first[:, None]) & (u < last[:, None])).any(axis=1)
    level, slope, bend = _parabolas(u, losses, share, solvable)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = -slope / (2 * bend)
    bends = bend > FLAT * np.abs(losses).max(axis=1)
    good = solvable & bends & (vertex > first) & (vertex < last)
    lowest = level + slope * vertex / 2
    return np.where(good, middle + reach * vertex, np.nan), np.where(good, lowest, np.nan)


def _parabolas(u: np.ndarray, losses: np.ndarray, share: np.ndarray, solvable: np.ndarray) -> np.ndarray:
    """(3, draws) weighted least squares of 1, u and u^2; draws with too few sizes stay arbitrary."""
    powers = np.stack([np.ones_like(u), u, u**2])
    normal = np.einsum("pr,dr,qr->dpq", powers, share, powers)
    normal[~solvable] = np.eye(3)
    moments = np.einsum("pr,dr->dp", powers, share * losses)
    return np.linalg.solve(normal, moments[..., None])[..., 0].T


def _lowest(x: np.ndarray, losses: np.ndarray) -> Optima:
    """Of splines of log loss through the best run of each size, refined by a parabola at the lowest node."""
    order = np.argsort(x, kind="stable")
    knots, starts = np.unique(x[order], return_index=True)
    y = np.log(np.minimum.reduceat(losses[:, order], starts, axis=1))
    nodes = np.linspace(knots[0], knots[-1], (len(knots) - 1) * NODES_PER_SPACING)
    values = akima(knots, y, nodes)
    at = values.argmin(axis=1)
    good = (at > 0) & (at < len(nodes) - 1) & (np.ptp(y, axis=1) > FLAT)
    inner = np.clip(at, 1, len(nodes) - 2)
    before, here, after = (np.take_along_axis(values, (inner + k)[:, None], axis=1)[:, 0] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend > 0, 0.5 * (before - after) / np.where(bend > 0, bend, 1.0), 0.0)
    lowest = here - 0.25 * (before - after) * shift
    log_N = nodes[inner] + shift * (nodes[1] - nodes[0])
    return np.where(good, log_N, np.nan), np.where(good, np.exp(lowest), np.nan)
