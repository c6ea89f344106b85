"""The command line: fit a table, predict from a saved fit, list laws and data sets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError:
    sys.exit("The command line needs two more packages: pip install 'scaling-jax[cli]'.")

import scaling_jax as sj

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Fit neural scaling laws, with a certificate on every optimum.")
console = Console()

OBJECTIVES = {"huber": sj.Huber, "squared": sj.SquaredError, "absolute": sj.AbsoluteError, "asymmetric": sj.Asymmetric}
SWEEP = {"inputs": {"N": "n_params", "D": "tokens"}, "target": "loss", "run": "run", "where": "arm == 'main' and final"}


class _Stop(typer.Exit):
    """Ends the command with one sentence on standard error and exit code 2."""

    def __init__(self, sentence: str):
        typer.echo(sentence, err=True)
        super().__init__(2)


@app.command()
def fit(
    table: Annotated[Path | None, typer.Argument(help="CSV, Parquet or JSON lines; without one, our own training sweep is fitted.")] = None,
    law: Annotated[str, typer.Option(help="A law's name (see 'scaling-jax laws'), or path/to/file.py:name.")] = "chinchilla",
    input: Annotated[list[str] | None, typer.Option(help="Law input and column, such as N=n_params; repeat.")] = None,
    target: Annotated[str | None, typer.Option(help="Column the law predicts.")] = None,
    run: Annotated[str | None, typer.Option(help="Column naming the training run of a checkpoint.")] = None,
    where: Annotated[str | None, typer.Option(help='Rows to use, such as "tokens > 1e10".')] = None,
    by: Annotated[str | None, typer.Option(help="Column of groups, each fitted on its own.")] = None,
    missing: Annotated[str, typer.Option(help="'raise', or 'drop' rows with missing values.")] = "raise",
    objective: Annotated[str, typer.Option(help=", ".join(OBJECTIVES) + ".")] = "huber",
    delta: Annotated[float | None, typer.Option(help="Threshold of the Huber loss.")] = None,
    on: Annotated[str, typer.Option(help="Residuals on 'log' or 'raw' values.")] = "log",
    fixed: Annotated[list[str] | None, typer.Option(help="Parameter and value, such as E=1.8; repeat.")] = None,
    starts: Annotated[str | None, typer.Option(help="'grid', or a number of starts.")] = None,
    solver: Annotated[str, typer.Option(help="'lm' or 'lbfgs'.")] = "lm",
    dataset: Annotated[str | None, typer.Option(help="A public data set by name (see 'scaling-jax datasets').")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the fit to this file.")] = None,
) -> None:
    """Fit a law to a table of runs and print its summary."""
    try:
        chosen = _law(law)
        options: dict[str, Any] = {"inputs": _pairs(input, str), "target": target, "run": run, "where": where, "missing": missing}
        if table is None:
            frame = sj.datasets.load(dataset or "tiny_sweep")
            if dataset in (None, "tiny_sweep") and law == "chinchilla" and not input:
                options |= {k: v for k, v in SWEEP.items() if not options.get(k)}
        else:
            frame = _read(table)
        options |= {
            "objective": OBJECTIVES[objective](on=on, **({} if delta is None else {"delta": delta})),
            "fixed": _pairs(fixed, float),
            "starts": int(starts) if starts and starts.isdigit() else starts,
            "solver": solver,
        }
        result = sj.fit(chosen, frame, **options) if by is None else sj.fit_groups(chosen, frame, by=by, **options)
    except KeyError as error:
        raise _Stop(f"Unknown objective {error}: use {', '.join(OBJECTIVES)}.") from error
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise _Stop(str(error)) from error
    typer.echo(result.summary())
    if json is not None:
        if isinstance(result, sj.FitGroups):
            raise _Stop("--json writes one fit; leave out --by, or use fit_groups in Python.")
        json.write_text(result.to_json())


@app.command()
def predict(
    saved: Annotated[Path, typer.Argument(help="A fit written by 'scaling-jax fit --json'.")],
    at: Annotated[list[str], typer.Option(help="Input and value, such as N=7e9; repeat for every input.")],
    law: Annotated[str | None, typer.Option(help="path/to/file.py:name, where the fit used your own law.")] = None,
) -> None:
    """Predict from a saved fit."""
    try:
        result = sj.FitResult.from_json(saved.read_text(), law=_law(law) if law else None)
        value = float(result.predict({k: np.array([v]) for k, v in _pairs(at, float).items()})[0])
    except (ValueError, OSError, ImportError) as error:
        raise _Stop(str(error)) from error
    typer.echo(f"{value:.6g}")


@app.command()
def laws() -> None:
    """List the laws with formula and source."""
    shown = Table("law", "formula", "source", box=None, pad_edge=False)
    for name in sj.laws.__all__:
        found = getattr(sj.laws, name)
        formula = found.formula if isinstance(found, sj.Law) else "(made for the inputs you name)"
        source = found.cite if isinstance(found, sj.Law) else (found.__doc__ or "").strip().splitlines()[0]
        shown.add_row(name, formula, source)
    console.print(shown)


@app.command()
def datasets() -> None:
    """List the data sets that can be loaded by name."""
    typer.echo(sj.datasets.list()[["name", "rows", "licence", "what"]].to_string(index=False))


def _law(name: str) -> sj.Law:
    if ":" in name:
        path, _, attribute = name.rpartition(":")
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        if spec is None or spec.loader is None or not Path(path).exists():
            raise ValueError(f"There is no Python file {path}.")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = getattr(module, attribute, None)
        if not isinstance(found, sj.Law):
            raise ValueError(f"{path} defines no law called '{attribute}': decorate a function with @sj.law.")
        return found
    found = getattr(sj.laws, name, None)
    if not isinstance(found, sj.Law):
        raise ValueError(f"There is no law '{name}': see 'scaling-jax laws', or give path/to/file.py:name.")
    return found


def _read(path: Path) -> pd.DataFrame:
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": _read_json_lines, ".gz": pd.read_csv, ".tsv": _read_tabs}
    if path.suffix not in readers:
        raise ValueError(f"{path} is none of {', '.join(readers)}: convert it first.")
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    try:
        return readers[path.suffix](path)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as {path.suffix}: {error}") from error


def _read_json_lines(path: Path) -> pd.DataFrame:
    return pd.read_json(path, lines=True)


def _read_tabs(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def _pairs(entries: list[str] | None, kind: Any) -> dict[str, Any]:
    out = {}
    for entry in entries or []:
        name, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"'{entry}' is not of the form name=value.")
        try:
            out[name.strip()] = kind(value.strip())
        except ValueError as error:
            raise ValueError(f"'{entry}': {value!r} is not a number.") from error
    return out
