"""The command line: fit a table, predict from a saved fit, list laws and data sets, compile ahead."""

from __future__ import annotations

import importlib.util
import inspect
import json as texts
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeVar

import numpy as np

try:
    import typer
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
except ImportError:
    sys.exit("The command line needs two more packages: pip install 'scaling-jax[cli]'.")

import scaling_jax as sj
from scaling_jax.core.checked import shown
from scaling_jax.core.objective import Objective
from scaling_jax.diagnosis.told import told
from scaling_jax.fitting.named import OBJECTIVES, law_named, objective_named
from scaling_jax.planning.plan import planned
from scaling_jax.planning.source import source_of
from scaling_jax.published.entry import Entry
from scaling_jax.reporting.formula import readable
from scaling_jax.reporting.summary import summary_text
from scaling_jax.tables.files import read_file
from scaling_jax.tables.names import guessed

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Fit neural scaling laws, with a certificate on every optimum.",
)

Value = TypeVar("Value")

SWEEP = "tiny_sweep"
SWEEP_INPUTS = {"N": "n_params", "D": "tokens", "C": "flops"}
SWEEP_COLUMNS = {"target": "loss", "run": "run", "where": "arm == 'main' and final"}

Source = Annotated[
    str,
    typer.Argument(
        help="A table of runs, a fit written by 'scaling-jax fit --json', or the name of printed "
        "constants such as besiroglu2024."
    ),
]
LawToFit = Annotated[str, typer.Option(help="The law to fit to a table; see 'scaling-jax laws'.")]
Inputs = Annotated[list[str] | None, typer.Option(help="Law input and column, such as N=n_params; repeat.")]
Target = Annotated[str | None, typer.Option(help="Column the law predicts.")]
RunColumn = Annotated[str | None, typer.Option(help="Column naming the training run of a checkpoint.")]
Where = Annotated[str | None, typer.Option(help='Rows to use, such as "tokens > 1e10".')]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scaling-jax {sj.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Fit neural scaling laws, with a certificate on every optimum."""


@app.command()
def fit(
    table: Annotated[
        Path | None,
        typer.Argument(
            help=".csv, .tsv, .parquet or .jsonl; without a table, our own sweep of small transformers is "
            "fitted."
        ),
    ] = None,
    law: Annotated[
        str,
        typer.Option(
            help="A law's name (see 'scaling-jax laws'), 'power_product(lr, N)' for one made to order, or "
            "path/to/file.py:name."
        ),
    ] = "chinchilla",
    input: Inputs = None,
    target: Target = None,
    run: RunColumn = None,
    where: Where = None,
    by: Annotated[str | None, typer.Option(help="Column of groups, each fitted on its own.")] = None,
    missing: Annotated[str, typer.Option(help="'raise', or 'drop' rows with missing values.")] = "raise",
    weights: Annotated[
        str | None,
        typer.Option(
            help="Column multiplying each row's term; 'runs': every run alike; 'size': by its budget."
        ),
    ] = None,
    target_se: Annotated[str | None, typer.Option(help="Column of known standard errors.")] = None,
    objective: Annotated[str, typer.Option(help=", ".join(OBJECTIVES) + ".")] = "huber",
    trials: Annotated[
        str | None,
        typer.Option(help="Column of trials, or their number, where the target counts successes."),
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Threshold of the Huber loss, 0.001 by default.")
    ] = None,
    on: Annotated[str, typer.Option(help="Residuals on 'log' or 'raw' values.")] = "log",
    fixed: Annotated[
        list[str] | None, typer.Option(help="Parameter and value, such as E=1.8; repeat.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the target, such as bits/byte, where it is not the law's.")
    ] = None,
    starts: Annotated[
        str | None, typer.Option(help="'grid' for the law's classical grid, or a number of starts.")
    ] = None,
    solver: Annotated[str, typer.Option(help="'lm' or 'lbfgs'.")] = "lm",
    screen: Annotated[
        bool, typer.Option(help="Drop hopeless starts early, or run every start to its end.")
    ] = True,
    dataset: Annotated[
        str | None, typer.Option(help="A data set by name (see 'scaling-jax datasets').")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the fit to this file.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out intervals, backtest and other choices.")
    ] = False,
) -> None:
    """Fit a law to a table of runs and print its summary."""
    with _mistakes_in_one_sentence():
        chosen = _law(law)
        if table is not None and dataset is not None:
            raise ValueError(f"Give either the table {table} or --dataset {dataset}.")
        if json is not None and by is not None:
            raise ValueError("--json writes one fit: leave out --by, or use sj.fit_groups in Python.")
        if json is not None and not json.absolute().parent.is_dir():
            raise ValueError(f"There is no folder {json.parent} to write {json.name} into.")
        frame = read_file(table) if table is not None else sj.datasets.load(dataset or SWEEP)
        inputs = _pairs(input, str)
        columns: dict[str, str | None] = {"target": target, "run": run, "where": where}
        if table is None and dataset in (None, SWEEP):
            inputs = {name: column for name, column in SWEEP_INPUTS.items() if name in chosen.inputs} | inputs
            columns = {name: value or SWEEP_COLUMNS[name] for name, value in columns.items()}
        if strange := [name for name in inputs if name not in chosen.inputs]:
            raise ValueError(
                f"--input {strange[0]}={inputs[strange[0]]}: law '{chosen.name}' has the inputs "
                f"{', '.join(chosen.inputs)}, and no '{strange[0]}'."
            )
        known = {*inputs, *frame.columns, *(n for n in chosen.inputs if guessed(n, frame.columns))}
        if lost := [name for name in chosen.inputs if name not in known]:
            wanted = " ".join(f"--input {name}=COLUMN" for name in lost)
            raise ValueError(
                f"Say which columns law '{chosen.name}' takes: {wanted}; the table has "
                f"{', '.join(map(str, frame.columns))}."
            )
        options: dict[str, Any] = {
            **columns,
            "inputs": inputs,
            "missing": missing,
            "weights": weights,
            "target_se": target_se,
            "objective": _objective(objective, on, delta, trials),
            "fixed": _pairs(fixed, float),
            "unit": unit,
            "starts": int(starts) if starts and starts.isdigit() else starts,
            "solver": solver,
            "screen": screen,
        }
        result = (
            sj.fit(chosen, frame, **options) if by is None else sj.fit_groups(chosen, frame, by=by, **options)
        )
        if isinstance(result, sj.FitResult) and not quick:
            _examine(result)
        typer.echo(result.summary())
        if json is not None and isinstance(result, sj.FitResult):
            json.write_text(result.to_json())


def _examine(result: sj.FitResult) -> None:
    """Examines a fit; on a terminal its summary is there at once and grows as more is known."""
    screen = Console()
    if not screen.is_terminal:
        result.examine()
        return
    findings: list[tuple[str, str]] = []
    with Live(result.summary(), console=screen, transient=True) as shown:

        def tell(name: str, words: str) -> None:
            findings.append((name, words))
            shown.update(summary_text(result, told(result, findings)))

        result.examine(tell)


@app.command()
def predict(
    saved: Annotated[Path, typer.Argument(help="A fit written by 'scaling-jax fit --json'.")],
    at: Annotated[list[str], typer.Option(help="Input and value, such as N=7e9; repeat for every input.")],
    law: Annotated[
        str | None, typer.Option(help="path/to/file.py:name, where the fit used your own law.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The table that was fitted: an interval is given, from its bootstrap.")
    ] = None,
    interval: Annotated[
        str, typer.Option(help="'prediction', of a new run, or 'confidence', of the mean curve.")
    ] = "prediction",
    level: Annotated[float, typer.Option(help="Probability between the two ends.")] = 0.9,
) -> None:
    """Predict from a saved fit, with an interval where its table is given."""
    with _mistakes_in_one_sentence():
        result = _saved_fit(saved, _law(law) if law else None)
        point = _pairs(at, float)
        if set(point) != set(result.law.inputs):
            raise ValueError(
                f"Law '{result.law.name}' takes "
                f"{' '.join(f'--at {name}=VALUE' for name in result.law.inputs)}."
            )
        where = {name: np.array([number]) for name, number in point.items()}
        value = float(result.predict(where)[0])
        band = None
        if data is not None:
            band = _with_table(result, data).predict(where, interval, level)
    if result.verdict.word != "use":
        typer.echo(str(result.verdict), err=True)
    typer.echo(f"{value:.6g}")
    if band is not None:
        low, high, far = band.loc[0, ["lower", "upper", "extrapolation"]]
        typer.echo(f"{100 * level:g} % {interval} interval: {low:.6g} to {high:.6g}")
        typer.echo(f"extrapolation: {far:.2g} decades beyond the fitted runs")
        typer.echo(f"{band.attrs['method']}; {band.attrs['coverage']}")


def _with_table(result: sj.FitResult, path: Path) -> sj.FitResult:
    """The saved fit with its table read again, by the columns and the condition that it names."""
    frame, sources = read_file(path), result.sources
    runs = sj.read_runs(
        result.law,
        frame,
        inputs={name: sources[name] for name in result.law.inputs},
        target=sources["target"],
        run=sources.get("run"),
        where=result.record.get("where"),
        missing="drop" if result.record.get("dropped_missing") else "raise",
        on_log=result.objective.on_log,
    )
    return result.with_data(runs)


@app.command()
def plan(
    source: Source,
    flops: Annotated[list[float] | None, typer.Option(help="Budget, FLOP; repeat.")] = None,
    loss: Annotated[list[float] | None, typer.Option(help="Loss to reach at least cost; repeat.")] = None,
    budget: Annotated[
        list[float] | None, typer.Option(help="Budget in the unit of the cost; repeat.")
    ] = None,
    served: Annotated[float, typer.Option(help="Tokens that the model will serve: part of the cost.")] = 0.0,
    cost: Annotated[
        str | None, typer.Option(help="A cost of your own, such as '6 * N * D'; training by default.")
    ] = None,
    peak: Annotated[
        float | None, typer.Option(help="FLOP per second of a device: budgets are in its hours.")
    ] = None,
    mfu: Annotated[float, typer.Option(help="Share of the peak that is used.")] = 0.4,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="What is given or bounded: N=7e9, 'D<=1e13', 'D/N>=20', N=1e9,3e9,7e9 for a list; repeat."
        ),
    ] = None,
    off: Annotated[
        list[str] | None, typer.Option(help="Also the price of another run, such as N=7e9; repeat.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals; 0 for none.")] = 0.9,
    law: LawToFit = "chinchilla",
    input: Inputs = None,
    target: Target = None,
    run: RunColumn = None,
    where: Where = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
) -> None:
    """Plan the best run of a budget, or the cheapest that reaches a loss."""
    with _mistakes_in_one_sentence():
        spent = sj.cost.training() + sj.cost.serving(tokens=served) if served else sj.cost.training()
        spent = sj.cost.of(cost, "FLOP") if cost is not None else spent
        if peak is not None:
            spent = sj.cost.gpu_hours(peak=peak, mfu=mfu, of=spent)
        read = source_of(_source(source, law, input, target=target, run=run, where=where), draws=level > 0)
        goal = {"flops": flops, "budget": budget, "loss": loss}
        found = planned(read, goal, spent, _limits(limit), level or None)
        typer.echo(str(found))
        if off:
            typer.echo("\nThe price of another run:")
            typer.echo(
                found.off(**_pairs(off, float)).to_string(index=False, float_format=lambda x: f"{x:.4g}")
            )
        if csv is not None:
            found.table.to_csv(csv, index=False)


def _source(
    name: str, law: str, inputs: list[str] | None, *, target: str | None, run: str | None, where: str | None
) -> sj.FitResult | Entry:
    """What the command line plans from: printed constants, a saved fit, or a table that is fitted first."""
    if name in sj.published:
        return sj.published[name]
    path = Path(name)
    if path.suffix == ".json":
        return _saved_fit(path, _law(law) if ":" in law else None)
    return sj.fit(_law(law), read_file(path), inputs=_pairs(inputs, str), target=target, run=run, where=where)


LIMIT = re.compile(r"\s*(?P<what>.+?)\s*(?P<sign><=|>=|=)\s*(?P<value>[^<>=]+)$")


def _limits(entries: list[str] | None) -> dict[Any, Any]:
    """Limits as `sj.plan` takes them, from N=7e9, D<=1e13, D/N>=20, N=1e9,3e9."""
    out: dict[Any, Any] = {}
    for entry in entries or []:
        found = LIMIT.match(entry)
        if found is None:
            raise ValueError(f"'{entry}' is no limit: write N=7e9, 'D<=1e13', 'D/N>=20' or N=1e9,3e9.")
        what, sign, value = found["what"], found["sign"], found["value"]
        if sign == "=":
            numbers = [_number_or_words(part) for part in value.split(",")]
            out[what] = numbers if len(numbers) > 1 else numbers[0]
            continue
        low, high = out.get(what, (None, None))
        number = float(_pairs([f"{what}={value}"], float)[what])
        out[what] = (low, number) if sign == "<=" else (number, high)
    return out


def _number_or_words(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


@app.command()
def report(
    source: Source,
    to: Annotated[Path, typer.Argument(help="The file to write: .html, .md or .pdf.")] = Path("report.html"),
    flops: Annotated[list[float] | None, typer.Option(help="Also plan this budget, FLOP; repeat.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    data: Annotated[Path | None, typer.Option(help="The table of a saved fit.")] = None,
    law: LawToFit = "chinchilla",
    input: Inputs = None,
    target: Target = None,
    run: RunColumn = None,
    where: Where = None,
) -> None:
    """Write one page about a fit: verdict, pictures, certificate, intervals, plan, code to repeat it."""
    with _mistakes_in_one_sentence():
        read = _source(source, law, input, target=target, run=run, where=where)
        if isinstance(read, sj.FitResult) and data is not None:
            read = _with_table(read, data)
        plans = [sj.plan(read, flops=flops)] if flops else []
        if isinstance(read, Entry) and not plans:
            raise ValueError(f"'{source}' is a set of constants: say with --flops for which budgets to plan.")
        things = plans if isinstance(read, Entry) else [read, *plans]
        made = sj.report(*things, path=to, title=title)
        typer.echo(f"{to}: {len(made) / 1e3:,.0f} KB")


@app.command()
def contrast(
    sources: Annotated[
        list[Path],
        typer.Argument(help="A table with --by, or two and more fits written by 'scaling-jax fit --json'."),
    ],
    flops: Annotated[list[float], typer.Option(help="Training budget; repeat.")],
    by: Annotated[str | None, typer.Option(help="Column of a table's recipes.")] = None,
    input: Annotated[
        list[str] | None, typer.Option(help="N and D, or C, and their columns, such as C=flops; repeat.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column of the loss.")] = None,
    law: Annotated[
        str | None, typer.Option(help="With --by: fit this law to every recipe, such as chinchilla.")
    ] = None,
) -> None:
    """Say which of several recipes wins at a budget, and how sure that is."""
    with _mistakes_in_one_sentence():
        if by is None:
            fits = {path.stem: _saved_fit(path, None) for path in sources}
            typer.echo(str(sj.contrast(fits, flops=flops)))
            return
        frame, columns = read_file(sources[0]), _pairs(input, str) or None
        if law is None:
            typer.echo(str(sj.contrast(frame, by=by, inputs=columns, target=target, flops=flops)))
            return
        groups = sj.fit_groups(_law(law), frame, by=by, inputs=columns, target=target)
        typer.echo(str(sj.contrast(groups, flops=flops)))


@app.command("next")
def next_(
    source: Source,
    budget: Annotated[
        list[float], typer.Option(help="What the runs may cost together, FLOP; repeat for what more buys.")
    ],
    flops: Annotated[float, typer.Option(help="The budget of the run whose loss is to be known.")],
    of: Annotated[str, typer.Option(help="Of that run: loss, N or D.")] = "loss",
    against: Annotated[
        Path | None, typer.Option(help="A second saved fit: runs for the difference of the two recipes.")
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(help="A table of runs that may be trained, the law's inputs as columns."),
    ] = None,
    cost: Annotated[str | None, typer.Option(help="Column of what each of these costs.")] = None,
    most: Annotated[int, typer.Option(help="So many runs at most.")] = 50,
    discrepancy: Annotated[
        float | None,
        typer.Option(help="The law's own error, share of the loss per root decade; read off the runs."),
    ] = None,
    law: LawToFit = "chinchilla",
    input: Inputs = None,
    target: Target = None,
    run: RunColumn = None,
    where: Where = None,
) -> None:
    """Say which runs to train next for the loss at a budget."""
    with _mistakes_in_one_sentence():
        read: object = _source(source, law, input, target=target, run=run, where=where)
        pair = None
        if against is not None:
            pair = (Path(source).stem, against.stem)
            read = dict(zip(pair, (read, _saved_fit(against, None)), strict=True))
        places = None if candidates is None else read_file(candidates)
        step = "table" if discrepancy is None else discrepancy
        if len(budget) > 1:
            table = sj.precision_for(
                read, budget, flops=flops, of=of, contrast=pair, candidates=places, cost=cost, most=most,
                discrepancy=step,
            )  # fmt: skip
            typer.echo(table.to_string(index=False))
            return
        found = sj.next_runs(
            read, budget[0], flops=flops, of=of, contrast=pair, candidates=places, cost=cost, most=most,
            discrepancy=step,
        )  # fmt: skip
        typer.echo(str(found))


@app.command()
def laws() -> None:
    """List the laws with formula and source."""
    shown = Table("law", "formula", "source", box=None, pad_edge=False)
    for name in sj.laws.__all__:
        found = getattr(sj.laws, name)
        if isinstance(found, sj.Law):
            shown.add_row(f"{name}({', '.join(found.inputs)})", readable(found.formula), found.cite)
        elif _makes_a_law(found):
            words = ", ".join(signature(found).parameters)
            shown.add_row(f"{name}({words})", "made to order", _first_line(found))
    Console().print(shown)


@app.command()
def warm(
    law: Annotated[
        list[str] | None, typer.Option(help="A law, see 'scaling-jax laws'; repeat. All by default.")
    ] = None,
    rows: Annotated[
        list[int] | None, typer.Option(help="A length of table; repeat. 64, 128 and 256 by default.")
    ] = None,
) -> None:
    """Compile the laws now and keep the programs, so that no later first fit waits for them."""
    with _mistakes_in_one_sentence():
        chosen = None if law is None else [_law(name) for name in law]
        done = sj.warm(chosen, **({} if rows is None else {"rows": rows}))
    typer.echo(
        f"{done.laws} laws are ready in {done.seconds:.0f} s: {done.programs} programs, "
        f"{done.megabytes:.0f} MB, in {done.folder}"
    )
    if done.left_out:
        typer.echo(f"Left out, for want of values to fit: {', '.join(done.left_out)}")


def _makes_a_law(found: object) -> bool:
    """Whether this is a law made to order, and no relation or constant that follows from one."""
    return callable(found) and getattr(found, "__annotations__", {}).get("return") in (sj.Law, "Law")


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


@app.command()
def datasets() -> None:
    """List the data sets that can be loaded by name."""
    shown = Table("name", "rows", "what", "licence", box=None, pad_edge=False)
    for _, row in sj.datasets.list().iterrows():
        shown.add_row(row["name"], str(row["rows"]), row["what"], row["licence"])
    Console().print(shown)


@contextmanager
def _mistakes_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        typer.echo(" ".join(str(error).split()), err=True)
        raise typer.Exit(2) from None


def _objective(kind: str, on: Any, delta: float | None, trials: str | None) -> Objective:
    plain = objective_named(kind)
    if isinstance(plain, sj.Binomial):
        if trials is None:
            return plain
        return type(plain)(float(trials) if trials.isdigit() else trials)
    if trials is not None:
        raise ValueError(f"--trials is for counts: use --objective binomial or beta_binomial, not '{kind}'.")
    if delta is None:
        return type(plain)(on=on)
    if kind != "huber":
        raise ValueError(f"--delta is the threshold of the Huber loss; '{kind}' has none.")
    return sj.Huber(delta, on=on)


def _law(name: str) -> sj.Law:
    path, colon, attribute = name.rpartition(":")
    if colon:
        found = getattr(_module(Path(path)), attribute, None)
        if not isinstance(found, sj.Law):
            raise ValueError(f"{path} defines no law called '{attribute}': decorate a function with @sj.law.")
        return found
    try:
        return law_named(name)
    except ValueError as error:
        raise ValueError(
            f"{error} 'scaling-jax laws' lists all; your own is path/to/file.py:name."
        ) from error


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise ValueError(f"There is no Python file {path}.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} does not run: {type(error).__name__}: {error}") from error
    return module


def _saved_fit(path: Path, law: sj.Law | None) -> sj.FitResult:
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    try:
        return sj.FitResult.from_json(path, law=law)
    except (texts.JSONDecodeError, UnicodeDecodeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not a fit written by 'scaling-jax fit --json'.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _pairs(entries: list[str] | None, kind: Callable[[str], Value]) -> dict[str, Value]:
    out = {}
    for entry in entries or []:
        name, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"'{entry}' is not of the form name=value.")
        try:
            out[name.strip()] = kind(value.strip())
        except ValueError as error:
            raise ValueError(f"'{entry}': {shown(value)} is not a number.") from error
    return out
