"""NIST's 27 certified nonlinear regressions: digits reached by us and by lmfit.

    python -m benchmarks.nist [FOLDER]

FOLDER holds the .dat files of NIST's Statistical Reference Datasets; by default the shared tables beside the
repository. The problems are those of `tests/cases/nist.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.cases.nist import LAWS, Problem, digits, read, solved

FOLDER = Path(__file__).parents[1] / "../shared/data/nist_strd"


def lmfits(problem: Problem, start: int) -> float:
    """Digits of lmfit's least-squares solver (MINPACK, tight tolerances) from the same start."""
    import lmfit

    law = LAWS[problem.name]
    params = lmfit.Parameters()
    for name, value in zip(law.params, problem.starts[start], strict=True):
        params.add(name, value=value)
    inputs = {n: problem.table[n].to_numpy() for n in law.inputs}
    y = problem.table["y"].to_numpy()

    def residual(p: lmfit.Parameters) -> np.ndarray:
        return np.asarray(law(**inputs, **p.valuesdict())) - y

    try:
        result = lmfit.minimize(
            residual, params, method="leastsq", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20000
        )
    except ValueError:
        return 0.0
    return digits(np.array([result.params[n].value for n in law.params]), problem.certified)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    rows = []
    for name in LAWS:
        problem = read(folder / f"{name}.dat")
        (first, s1), (second, s2) = solved(problem, 0), solved(problem, 1)
        rows.append((name, first, second, lmfits(problem, 0), lmfits(problem, 1), s1, s2))
        print(
            f"{name:<10}{first:8.1f}{second:8.1f}   lmfit{rows[-1][3]:8.1f}{rows[-1][4]:8.1f}   {s1}, {s2}",
            flush=True,
        )
    table = np.array([r[1:5] for r in rows])
    reached = table >= 6
    print(
        f"\nproblems of {len(rows)} with 6 digits: "
        f"ours from either start {reached[:, :2].any(1).sum()}, from both {reached[:, :2].all(1).sum()}; "
        f"lmfit from either {reached[:, 2:].any(1).sum()}, from both {reached[:, 2:].all(1).sum()}"
    )


if __name__ == "__main__":
    main()
