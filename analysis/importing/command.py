"""What `python -m analysis.importers` does with one table.

Reads results that other tools wrote, puts every model against one cost, draws the frontier and,
given two families, says how much cheaper one is at equal error.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.figures.drawing.published_overlay import published_records
from analysis.figures.drawing.style import style
from analysis.figures.files import save, write_csv, write_json
from analysis.importing.cells import measured, records_of, split
from analysis.importing.plots import frontier
from analysis.importing.read_csv import Imported, read_csv
from analysis.importing.read_timm import read_timm
from analysis.importing.read_wandb import read_wandb
from analysis.importing.speedups import speedup
from analysis.importing.units import OURS
from scaling_study.common.errors import InputError


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


def _left_out(left_out: Mapping[str, str], directory: Path) -> str:
    """Write left_out.csv, if anything was, and say so."""
    if not left_out:
        return ""
    write_csv(directory / "left_out.csv", [{"name": n, "reason": r} for n, r in left_out.items()])
    name, reason = next(iter(left_out.items()))
    return f"; {len(left_out)} left out, such as {name}: {reason} (left_out.csv)"


def command(args: argparse.Namespace) -> list[str]:
    """Read, judge and draw one table; the line to print."""
    table = read(args.files, args.format, _pairs("--map", args.map), _pairs("--unit", args.unit))
    table, cost = measured(table, args.cost, args.n_val)
    names = split(table.frame, args.families)
    records, published = records_of(table.frame, cost, names), published_records(cost)
    if args.published and not published:
        raise InputError(f"--published: nothing is published here for {cost}; flops and params are")
    found = speedup(table.frame, cost, names, args.families) if args.families else None
    directory: Path = args.output
    directory.mkdir(parents=True, exist_ok=True)
    title = f"Pareto frontier of validation error and {cost}"
    with style():
        figure = frontier(records, published if args.published else ())
        save(figure, records, directory, "frontier", title)
    members = sum(r["on_frontier"] for r in records)
    line = f"{members} of {len(records)} models on the frontier of val_error and {cost}"
    if found is not None:
        write_json(directory / "speedups.json", found)
        line += f"; {found['sentence']}"
    line += _left_out(table.left_out, directory)
    return [f"{line}; frontier.csv and figures in {directory}"]
