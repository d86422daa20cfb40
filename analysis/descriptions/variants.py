"""Step by step: what each variant adds, and what each level of an axis brings at equal compute.

A series is a list of cells in a declared order: the variants of a grid, or along one axis the cells
that a solve has brought to one target. Each is compared with the one before it (independent
variants: with the first). A description with intervals, each 95 % on its own; no verdict.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from analysis.stats.contrast import t_quantile
from analysis.study.cells import Cell
from analysis.study.columns import LEVEL, Record, interval
from analysis.study.compared_settings import declared_variants, varied
from analysis.study.measure import ERROR, Measure
from analysis.study.noise import Noise, Variance, welch_satterthwaite
from analysis.study.study_cells import StudyCells
from scaling_study.study.axes import CELL_AXES, short_name

# Along which axis cells of equal compute are compared: the first that has levels enough.
ALONG = ("resolution", "depth", "width", "epochs")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Series:
    """Cells in order, each with its name; `from_first` compares all with the first."""

    title: str
    cells: Mapping[str, Cell]
    from_first: bool = False


def step_records(cells: StudyCells, rows: Sequence[Row], grid: Mapping[str, Any]) -> list[Record]:
    """A record a cell of each series of the study: its error, and how that differs.

    `step` is the error minus that of the cell named in `after`, `total` minus that of the series'
    first (fractions; None for the first itself). Intervals rest on the seed noise of the regime.
    """
    by_id = {cell.config_id: cell for cell in cells}
    noises = {epochs: cells.noise(epochs) for epochs in cells.regimes}
    ones = list({row["config_id"]: row for row in rows}.values())
    found = [*_variants(ones, by_id, grid), *_equal_compute(ones, by_id, grid)]
    return [record for series in found for record in _records(series, noises)]


def _records(series: Series, noises: Mapping[int, Noise | None]) -> Iterator[Record]:
    names = list(series.cells)
    first = series.cells[names[0]]
    for place, (name, cell) in enumerate(series.cells.items()):
        after = names[0 if series.from_first else place - 1] if place else None
        before = series.cells[after] if after else None
        yield {
            "series": series.title,
            "name": name,
            "epochs": cell.epochs,
            "config_id": cell.config_id,
            "seeds": cell.n,
            "noise": noise.kind if (noise := noises[cell.epochs]) else None,
            **interval("error", cell.error, _half((cell,), noises)),
            "after": after,
            **_difference("step", cell, before, noises),
            **_difference("total", cell, first if place else None, noises),
        }


def _difference(
    name: str, cell: Cell, other: Cell | None, noises: Mapping[int, Noise | None]
) -> Record:
    if other is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return interval(name, cell.error - other.error, _half((cell, other), noises))


def _half(cells: Sequence[Cell], noises: Mapping[int, Noise | None]) -> float | None:
    """Half of the 95 % interval of a mean, or of the difference of two.

    Degrees of freedom are those of the pool where both come from one, else Welch-Satterthwaite's.
    """
    known = [(cell, noise) for cell in cells if (noise := noises[cell.epochs]) is not None]
    if len(known) < len(cells):
        return None
    terms = {c.config_id: n.variances[c.config_id] / c.n for c, n in known}
    parts = [Variance(terms[c.config_id], n.dfs[c.config_id], n.kind == "prior") for c, n in known]
    total = welch_satterthwaite(parts)
    if len({cell.epochs for cell in cells}) == 1:
        total = total._replace(df=known[0][1].df(terms))
    return t_quantile(total.df, LEVEL) * math.sqrt(total.value)


def _variants(
    rows: Sequence[Row], cells: Mapping[str, Cell], grid: Mapping[str, Any]
) -> Iterator[Series]:
    """The variants of a grid, a series for each setting of what they do not touch."""
    declared = list(declared_variants(grid))
    touched = {short_name(k) for _, named in declared for row in named.values() for k in row}
    groups = _grouped([row for row in rows if row.get("variant")], varied(grid), touched)
    for title, members in groups:
        named = {str(row["variant"]): cells[row["config_id"]] for row in members}
        kind = next((kind for kind, known in declared if set(named) <= set(known)), "cumulative")
        if len(named) > 1:
            yield Series(f"variants{title}", named, kind == "independent")


def _equal_compute(
    rows: Sequence[Row], cells: Mapping[str, Cell], grid: Mapping[str, Any]
) -> Iterator[Series]:
    """Cells that a solve has brought to one target, along the first axis of `ALONG` they vary."""
    solved = [row for row in rows if row.get("solve_target")]
    free = [axis for axis in ALONG if all(row["solved"] != axis for row in solved)]
    along = next((a for a in free if len({row[a] for row in solved}) > 1), None)
    if along is None:
        return
    without = {along, *(row["solved"] for row in solved)}
    for title, members in _grouped(solved, varied(grid), without):
        named = {
            f"{along} {r[along]:g}, {r['solved']} {r[r['solved']]:g}": cells[r["config_id"]]
            for r in sorted(members, key=lambda row: row[along])
        }
        if len(named) > 1:
            goal = f"{members[0]['solve_for']} {float(members[0]['solve_target']):g}"
            yield Series(f"equal {goal}{title}", named)


def _grouped(rows: Sequence[Row], own: set[str], without: set[str]) -> list[tuple[str, list[Row]]]:
    """Rows of equal target and other settings, and in words those that differ in the study.

    Other settings are those of `own`, which the grid gives values; what follows from them, as a
    recipe's regimes do, is not held equal.
    """
    dotted = sorted({name for row in rows for name in row if "." in name and name in own})
    keys = [k for k in (*(axis.name for axis in CELL_AXES), *dotted) if k not in without]
    varied = [k for k in keys if len({str(row.get(k)) for row in rows}) > 1]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row.get("solve_target"), *(row.get(k) for k in varied))
        groups.setdefault(key, []).append(row)
    return [
        ("".join(f", {k} {v}" for k, v in zip(varied, key[1:], strict=True)), members)
        for key, members in groups.items()
    ]


def points(record: Mapping[str, Any], name: str, measure: Measure) -> str:
    """A change of the outcome in its unit with its interval; empty where there is none."""
    value, low, high = (record[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return ""
    return measure.change(value, low, high)


def step_lines(records: Sequence[Mapping[str, Any]], measure: Measure = ERROR) -> list[str]:
    """A line a row of each series: its outcome, and the change from the row it is compared with."""
    width = max((len(r["name"]) for r in records), default=0)
    lines = []
    for series, members in groupby(records, key=itemgetter("series")):
        lines.append(f"{series}: {measure.name}, change from the row it is compared with (95 %)")
        for r in members:
            changed = f"  {points(r, 'step', measure)}" if r["after"] else ""
            shown = f"{100 * r['error']:5.1f} %" if measure == ERROR else measure.shown(r["error"])
            lines.append(f"  {r['name']:<{width}}  {shown}{changed}")
    return lines
