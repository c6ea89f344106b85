"""Runs the study: `python -m benchmarks.thousand_laws`, with what the package's first lines list."""

from __future__ import annotations

import argparse
import hashlib
import time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.device import add_device, counts, driven, saved, told
from benchmarks.report import machine, peak_megabytes
from benchmarks.thousand_laws import compare, figures, protocol
from benchmarks.thousand_laws.laws import (
    JOINT,
    OURS,
    THEIRS,
    baselines,
    fit_cells,
    of_one_run,
    of_other_families,
)
from benchmarks.thousand_laws.scipy_side import curve_fit_cell
from scaling_jax.tables.store import in_chunks


def study(table: pd.DataFrame, splits: list[Any], how: dict[str, Any]) -> pd.DataFrame:
    """All laws: those with five free parameters in one batch,
    those of a single run, with A and alpha borrowed, in another."""
    free = [s for s in splits if s.info["experiment"] != "one_model"]
    single = [s for s in splits if s.info["experiment"] == "one_model"]
    parts = [fit_cells(table, free, how)] if free else []
    parts += [fit_cells(table, single, how, of_one_run(table, single))] if single else []
    return pd.concat(parts, ignore_index=True)


def kept(table: pd.DataFrame, splits: list[Any], folder: str) -> pd.DataFrame:
    """The same laws, one experiment after the other,
    each kept in the folder when it is done and read from there the next time."""
    chunks = [
        part for e in protocol.EXPERIMENTS if (part := [s for s in splits if s.info["experiment"] == e])
    ]
    plan = {
        "how": repr(THEIRS),
        "rows": int(pd.util.hash_pandas_object(table).sum()),
        "cells": len(splits),
        "labels": _labels(splits),
    }
    return in_chunks(folder, plan, chunks, lambda part: study(table, part, THEIRS))


def _labels(splits: list[Any]) -> str:
    return hashlib.sha256(repr([s.label for s in splits]).encode()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        help="folder with checkpoints.csv.gz, and the study's tables to compare with; default: download",
    )
    parser.add_argument("--laws", help="where to write the table of laws (.csv or .parquet)")
    parser.add_argument(
        "--folder",
        help="where each experiment's laws are kept as they are found; run again, it goes on from there",
    )
    parser.add_argument("--figures", help="folder for the paper's figures, redrawn")
    parser.add_argument("--experiments", nargs="*", default=list(protocol.EXPERIMENTS))
    parser.add_argument(
        "--every-cell",
        action="store_true",
        help="also the cells the reference fits leave out (windows of Chinchilla)",
    )
    parser.add_argument("--ours", action="store_true", help="also log-Huber with runs weighted alike")
    parser.add_argument(
        "--scipy", type=int, default=0, help="time SciPy with the study's settings on so many random cells"
    )
    parser.add_argument(
        "--joint",
        action="store_true",
        help="also search every law in all its numbers, none eliminated, and compare cell by cell",
    )
    add_device(parser)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    begun = time.perf_counter()
    table = protocol.read(options.data)
    splits = [s for e in options.experiments for s in protocol.cells(table, e) if len(s.train)]
    theirs = compare.reference(options.data) if options.data else None
    if theirs is not None and not options.every_cell:
        known = set(
            theirs[compare.KEYS]
            .astype(object)
            .where(theirs[compare.KEYS].notna(), None)
            .itertuples(index=False, name=None)
        )
        splits = [s for s in splits if s.label in known]
    seconds = []
    for _ in range(1 if options.folder else 2):
        with driven(options.device) as traffic:
            laws = kept(table, splits, options.folder) if options.folder else study(table, splits, THEIRS)
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    warm = f", warm {seconds[1]:.1f} s" if not options.folder else f", kept in {options.folder}"
    lines = [
        f"{len(laws):,} laws; cold {seconds[0]:.1f} s with reading, filtering and compiling{warm}; "
        f"peak {peak_megabytes():.0f} MB",
        f"status: {laws['status'].value_counts().to_dict()}; "
        f"fewer rows than parameters: {int(laws['few_rows'].sum())}",
        str(machine()),
    ]
    found: dict[str, Any] = {"laws": len(laws), "cold": seconds[0], "peak_mb": peak_megabytes()} | dict(
        zip(["warm"], seconds[1:], strict=False)
    )
    if options.device:
        found["device"] = counts(traffic)
        lines.append(told(found["device"]))
    if options.scipy:
        chosen = np.random.default_rng(0).choice(len(splits), min(options.scipy, len(splits)), replace=False)
        sample = [splits[i] for i in chosen]
        ours = []
        for _ in range(2):
            begun = time.perf_counter()
            study(table, sample, THEIRS)
            ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        failed = sum(not curve_fit_cell(table, split) for split in sample)
        scipy_seconds = time.perf_counter() - begun
        found["scipy sample"] = {
            "cells": len(sample),
            "scipy": scipy_seconds,
            "ours": ours[1],
            "failed": failed,
        }
        ours_each, scipy_each = seconds[-1] / len(laws), scipy_seconds / len(sample)
        lines.append(
            f"the same {len(sample)} random cells: "
            f"SciPy {scipy_seconds:.1f} s from one start ({failed} raised), "
            f"ours {ours[1]:.1f} s from four to eight with certificates; per law over the whole study "
            f"{1e3 * ours_each:.1f} ms against {1e3 * scipy_each:.1f} ms, ratio {scipy_each / ours_each:.1f}"
        )
    if options.joint:
        begun = time.perf_counter()
        said, found["joint"] = compare.beside_joint(laws, study(table, splits, JOINT))
        lines.append(f"{said}; it took {time.perf_counter() - begun:.1f} s with compiling")
    hist = laws[laws["experiment"] == "hist"]
    if len(hist):
        lines += [
            "",
            "macro map, last checkpoint, percent (exact families)",
            compare.macro_map(hist).round(2).to_string(),
        ]
        whole = compare.whole_families(hist)
        lines += [
            "",
            whole[
                ["family", "n_models", "n_rows", "are_last30", "are_last1", "status", "unidentified"]
            ].to_string(index=False),
        ]
        clear = hist[compare.determined(hist)]
        sets = {f"our {len(clear)} determined laws of {clear['family'].nunique()} families": clear}
        if theirs is not None:
            at = compare.whole_families(compare.reference(options.data, digitised=True))
            sets[f"{len(at)} families' laws at their parameters"] = at
        for who, part in sets.items():
            shares = [compare.pca_share(part, scaled) for scaled in (False, True)]
            found[f"three components of {who}"] = shares
            lines.append(
                f"three components hold {100 * shares[0]:.2f} % of the variance of {who}, "
                f"{100 * shares[1]:.2f} % where each parameter is scaled to one"
            )
        found["median ARE, 3 sizes and more"] = float(
            100 * hist.loc[hist["n_sizes"] >= 3, "are_last30"].median()
        )
    base = baselines(table, [s for s in splits if s.info["experiment"] == "hist"])
    if theirs is not None:
        joined = compare.beside(table, splits, laws, theirs)
        found |= compare.record(joined)
        lines += ["", "beside the study's own fits", compare.summary(joined).to_string(index=False)]
        at_theirs = joined.assign(
            are_last30=joined["are_last30_theirs"], are_last1=joined["are_last1_theirs"]
        )
        for who, cells in (("theirs", at_theirs), ("ours", laws)):
            maps = compare.printed_maps(options.data, pd.concat([cells, base]))
            share = maps.groupby("map")["gap"].agg(within=lambda g: int((g <= 0.16).sum()), cells="size")
            lines += ["", f"printed heat maps within 0.16 points, at parameters of {who}", share.to_string()]
            found[f"maps at {who}"] = share.reset_index().to_dict("records")
    if options.ours:
        practice = practices(table, splits, laws)
        lines += [
            "",
            "ARE in percent on the last 30 % of the target, cells with three sizes and more",
            practice.to_string(index=False),
        ]
        found["practice"] = practice.to_dict("records")
    print("\n".join(lines))
    if options.laws:
        laws.to_parquet(options.laws) if options.laws.endswith("parquet") else laws.to_csv(
            options.laws, index=False
        )
    if options.figures:
        figures.draw(laws, options.figures)
    if options.save:
        saved("thousand_laws", "\n".join(lines), found, options.device)


def practices(table: pd.DataFrame, splits: list[Any], laws: pd.DataFrame) -> pd.DataFrame:
    """The same grid fitted in four ways: each one's median error, and its share of cells below 10 %."""
    free = [s for s in splits if s.info["experiment"] != "one_model"]
    whole = compare.whole_families(laws)
    borrowed = of_other_families(whole[compare.determined(whole)], free)
    ways = {
        "theirs": laws,
        "log-Huber, runs alike": study(table, splits, OURS),
        "theirs, exponents borrowed": fit_cells(table, free, THEIRS, borrowed),
        "log-Huber, runs alike, exponents borrowed": fit_cells(table, free, OURS, borrowed),
    }
    rows = []
    for experiment in laws["experiment"].unique():
        for way, found in ways.items():
            part = found[
                (found["experiment"] == experiment) & (found["n_sizes"].ge(3) | (experiment == "one_model"))
            ]
            error = 100 * part["are_last30"]
            by_family = error.groupby(part["family"]).median()
            if len(part):
                rows.append(
                    {
                        "experiment": experiment,
                        "way": way,
                        "cells": len(part),
                        "median": error.median(),
                        "macro": by_family.mean(),
                        "below 10 %": float(np.mean(error < 10)),
                    }
                )
    return pd.DataFrame(rows).round(2)


if __name__ == "__main__":
    main()
