"""What `python -m analysis.importers` does with one table.

Reads results that other tools wrote, puts every model against one cost, draws the frontier and,
given two families, says how much cheaper one is at equal error.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.descriptions.elasticities import sentence
from analysis.figures.drawing.published_overlay import published_records
from analysis.figures.drawing.style import style
from analysis.figures.files import formats_of, prepare, save, write_csv, write_json
from analysis.importing.cells import measured, records_of, split
from analysis.importing.declared_study import DeclaredStudy, declared_study
from analysis.importing.plots import frontier
from analysis.importing.read_csv import Imported, read_csv, read_rows
from analysis.importing.read_other import READERS, wandb_project_rows
from analysis.importing.read_timm import read_timm
from analysis.importing.read_wandb import read_wandb, wandb_rows
from analysis.importing.speedups import speedup
from analysis.importing.to_study import cells_in, to_study
from analysis.importing.units import OURS
from analysis.rules.preregistration import load_rules
from analysis.stats.local_surface import names_of, surface_contrast
from scaling_study.common.errors import InputError

# Formats of which frontiers are made without a declared study.
FRONTIERS = ("csv", "wandb", "timm")

BY_SUFFIX = {
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
}


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not equals or not theirs:
            raise InputError(f"{option} {text!r}: give OURS=..., as in {option} val_error=top1")
        if ours not in OURS:
            raise InputError(f"{option} {text!r}: ours are {', '.join(OURS)}")
        if ours in pairs:
            raise InputError(f"{option}: {ours} is given twice")
        pairs[ours] = theirs
    return pairs


def read(
    files: Sequence[Path], form: str, columns: Mapping[str, str], units: Mapping[str, str]
) -> Imported:
    """Any of the formats as a frame with our columns.

    Raises:
        InputError: the file cannot be read as that, or a mapping is given for timm's tables.
    """
    if form == "timm":
        if columns or units:
            raise InputError("--map and --unit: timm's columns are known; use --format csv to map")
        return read_timm(files)
    if len(files) > 1:
        raise InputError(f"{form} takes one file, not {len(files)}")
    return (read_csv if form == "csv" else read_wandb)(files[0], columns, units)


def form_of(file: str) -> str:
    """The format that the name of a file, or what lies in a folder, says; csv without a sign."""
    path = Path(file)
    if path.is_dir():
        return "mlflow" if next(path.glob("**/meta.yaml"), None) else "tensorboard"
    return BY_SUFFIX.get(path.suffix.lower(), "csv")


def rows_of(file: str, form: str) -> list[dict[str, str]]:
    """The runs of a file, a folder or a project, all values as texts; InputError for none."""
    if file.startswith("wandb://"):
        rows = wandb_project_rows(file)
    elif form == "wandb":
        rows = list(wandb_rows(Path(file)))
    elif form in READERS:
        if not Path(file).exists():
            raise InputError(f"{file}: no such file or folder")
        rows = READERS[form](Path(file))
    else:
        rows = read_rows(Path(file))
    if not rows:
        raise InputError(f"{file} holds no finished run")
    return rows


def study_of(args: argparse.Namespace) -> Path:
    """The folder of the study that `args.study` makes of a table, under the output folder."""
    return to_study(*_asked(args), args.output / "results")


def surface_of(args: argparse.Namespace) -> list[str]:
    """Write surface.json: which of depth and width gains more per cost; the line to print.

    Raises:
        NothingToCompareError: no surface can be fitted, with the reason.
    """
    rows, columns, units, declared = _asked(args)
    cells = cells_in(rows, columns, units, declared)
    found = surface_contrast(cells, load_rules(None, declared.grid()).arms, declared.cost)
    write_json(args.output / "surface.json", asdict(found))
    return [f"{sentence(found, names_of(cells))} (surface.json)"]


def _asked(
    args: argparse.Namespace,
) -> tuple[list[dict[str, str]], dict[str, str], dict[str, str], DeclaredStudy]:
    if len(args.files) > 1:
        raise InputError(f"--study takes one table, not {len(args.files)}")
    declared = declared_study(args.study)
    prepare(args.output)
    rows = rows_of(args.files[0], args.format)
    return rows, _pairs("--map", args.map), _pairs("--unit", args.unit), declared


def _left_out(left_out: Mapping[str, str], directory: Path) -> str:
    """Write left_out.csv, if anything was, and say so."""
    if not left_out:
        return ""
    write_csv(directory / "left_out.csv", [{"name": n, "reason": r} for n, r in left_out.items()])
    name, reason = next(iter(left_out.items()))
    return f"; {len(left_out)} left out, such as {name}: {reason} (left_out.csv)"


def _speedup(
    table: Imported, cost: str, names: Sequence[str | None], families: Sequence[str] | None
) -> tuple[dict[str, Any] | None, str]:
    """The speed-up of two families, or why there is none: the frontier is written all the same."""
    if not families:
        return None, ""
    try:
        return speedup(table.frame, cost, names, families), ""
    except InputError as error:
        return None, f"; no speed-up: {error}"


def command(args: argparse.Namespace) -> list[str]:
    """Read, judge and draw one table; the line to print."""
    files, directory = [Path(file) for file in args.files], args.output
    if args.format not in FRONTIERS:
        raise InputError(
            f"--format {args.format}: give --study, which says what the runs are about"
        )
    kinds = formats_of(args.formats)
    prepare(directory)
    table = read(files, args.format, _pairs("--map", args.map), _pairs("--unit", args.unit))
    table, cost = measured(table, args.cost, args.n_val)
    names = split(table.frame, args.families)
    records, published = records_of(table.frame, cost, names), published_records(cost)
    if args.published and not published:
        raise InputError(f"--published: nothing is published here for {cost}; flops and params are")
    found, apart = _speedup(table, cost, names, args.families)
    title = f"Pareto frontier of validation error and {cost}"
    with style():
        figure = frontier(records, published if args.published else ())
        save(figure, records, directory, "frontier", title, kinds)
    members = sum(r["on_frontier"] for r in records)
    line = f"{members} of {len(records)} models on the frontier of val_error and {cost}"
    if found is not None:
        write_json(directory / "speedups.json", found)
        line += f"; {found['sentence']}"
    line += apart
    line += _left_out(table.left_out, directory)
    return [f"{line}; frontier.csv and figures in {directory}"]
