"""What each setting that a study varies does on its own: a description, no test of a rule.

Every level of an axis is compared with its first one in the cells that have both, all else equal;
where other axes vary too it is the mean over their settings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from analysis.rules.declared_interval import declared_interval
from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand
from analysis.stats.matched_gap import matched_gap
from analysis.stats.trunk_variance import share_trunks
from analysis.study.columns import Level, Record
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Match, matches_of, setting_of
from analysis.study.measure import Measure
from analysis.study.study_cells import StudyCells
from scaling_study.study.axes import CELL_AXES, Axis, ordered, plain

# More levels of one axis are no main effects, but a curve.
MOST_LEVELS = 24


def main_effects(cells: StudyCells, prereg: Preregistration) -> list[Record]:
    """A record per axis and level after its first: the outcome there against that at the first.

    `estimate`, `low` and `high` are relative changes of the outcome, or raw ones where a study
    compares those, below zero where the level is better; the interval is None where nothing says
    how runs scatter. `pairs` is the number of pairs of cells.
    """
    records: list[Record] = []
    for axis, levels in varied(cells):
        for level in levels[1:]:
            try:
                matches = matches_of(cells, axis.name, (levels[0], level))
            except PreconditionError:
                continue
            shared = {
                "axis": axis.name,
                "label": _label(axis, cells.measure),
                "reference": levels[0],
            }
            effect = _effect(matches, cells, prereg)
            records.append({**shared, "level": level, **effect, "pairs": len(matches)})
    return records


def varied(cells: StudyCells) -> Iterator[tuple[Axis, list[Level]]]:
    """The axes that these cells vary, the study's own among them, each with its levels."""
    own = cells[0].own if len(cells) else ()
    for axis in {a.name: a for a in (*CELL_AXES, *own)}.values():
        found = {setting_of(cell, axis.name) for cell in cells} - {None}
        if 1 < len(found) <= MOST_LEVELS:
            yield axis, ordered(found)


def _label(axis: Axis, measure: Measure) -> str:
    return f"training length ({measure.length})" if axis.name == "epochs" else axis.label


def _effect(matches: Sequence[Match], cells: StudyCells, prereg: Preregistration) -> Record:
    study, names = Evidence(cells, prereg), ("estimate", "low", "high")
    compared = [cell for m in matches for cell in (m.first, m.second)]
    lengths, estimand = {cell.epochs for cell in compared}, Estimand(prereg.cost)
    try:
        noises = {epochs: study.noise(epochs) for epochs in lengths}
        gap = matched_gap(matches, noises, estimand, study.alpha)
        if share_trunks(compared):
            gap, _ = declared_interval(study, gap, compared, estimand, tuned=False)
    except PreconditionError:
        known = [
            m for m in matches if not cells.measure.log or min(m.first.error, m.second.error) > 0
        ]
        if not known:
            return dict.fromkeys(names)
        mean = sum(m.second.scaled - m.first.scaled for m in known) / len(known)
        return {"estimate": mean, "low": None, "high": None}
    return {name: getattr(gap, name) for name in names}


def sentences(records: Iterable[Mapping[str, Any]], measure: Measure) -> list[str]:
    """What was found of each axis, in words."""
    return [_sentence(record, measure) for record in records if record["estimate"] is not None]


def _sentence(r: Mapping[str, Any], measure: Measure) -> str:
    pairs = "1 pair" if r["pairs"] == 1 else f"mean of {r['pairs']} pairs"
    where = f"{r['label']} {plain(r['level'])} against {plain(r['reference'])}"
    if r["low"] is None:
        factor, unit = measure.gap_factor, measure.gap_unit
        return (
            f"{where}: {factor * r['estimate']:+.3g}{unit} of {measure.name} ({pairs}), no interval"
        )
    size = measure.interval(r["estimate"], r["low"], r["high"])
    side = "better" if r["high"] < 0 else "worse" if r["low"] > 0 else "no clear difference"
    return f"{where}: {measure.gap} {size} ({pairs}), {side}"


def studied(cells: StudyCells) -> str:
    """What a study varied, in words."""
    measure = cells.measure
    parts = [
        f"{_label(axis, measure)} {', '.join(plain(level) for level in levels)}"
        for axis, levels in varied(cells)
    ]
    best = min(cells, key=lambda cell: cell.error)
    what = f"It varied {'; '.join(parts)}" if parts else "It varied nothing but the seed"
    shown = (
        f"The best of {len(cells)} configurations has {measure.name} {measure.shown(best.error)}"
    )
    return f"{what}. {shown} ({best.name})."
