"""Settings that differ between compared runs and are not what is compared."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.study.columns import LR
from analysis.study.errors import PreconditionError
from analysis.study.measure import ERROR, Measure
from analysis.study.study_cells import StudyCells
from scaling_study.study.axes import NAMES

# A difference in these may explain a gap that seems to come from an axis.
CHECKED = (
    *("lr", "threads", "world_size", "memory_halvings", "git_commit", "versions", "recipe"),
    *("batch_size", "data", "family", "precision", "device"),
)
# The column that shows a setting.
COLUMN_OF = {
    LR.key: LR.name,
    "train.recipe": "recipe",
    "train.batch_size": "batch_size",
    "data.name": "data",
    "model.family": "family",
}
Row = Mapping[str, Any]
# The sides of a rule, by name: the config ids that it compares.
Sides = Mapping[str, Collection[str]]


def differences(
    rows: Sequence[Row], purpose: Collection[str] = (), sides: Sequence[Sides] = ()
) -> list[str]:
    """One line per setting that is not the same in all runs.

    A line says what each regime has, because rules compare regimes too; within a regime it names
    those of the rules' `sides` that have other values. The axes (depth, width,
    resolution, epochs, seed) and the config keys that are varied on `purpose` are not compared.
    Columns with a dot in their name are settings, as a plan.csv has those that differ.
    """
    regimes, meant = _regimes(rows), _meant(purpose)
    dotted = {name for row in rows[:1] for name in row if "." in name} - {*NAMES, *COLUMN_OF}
    dotted = {name for name in dotted if name.partition(".")[0] not in purpose}
    measure, found = _measure(rows), []
    for name in (*CHECKED, *sorted(dotted)):
        if name not in meant and len({str(row.get(name)) for row in rows}) > 1:
            values = {epochs: _values_of(name, r, sides) for epochs, r in regimes.items()}
            found.append(f"{name}: {_by_regime(values, measure)}")
    return found


def _meant(purpose: Collection[str]) -> set[str]:
    """The columns of what is varied on purpose: config keys, or groups with all that is in them."""
    of_groups = {name for key, name in COLUMN_OF.items() if key.partition(".")[0] in purpose}
    return {COLUMN_OF.get(key, key) for key in purpose} | of_groups


def uneven_seeds(rows: Sequence[Row]) -> list[str]:
    """A line about how many seeds cells have, if some of a regime have more than others."""
    seeds = {epochs: _seeds(regime) for epochs, regime in _regimes(rows).items()}
    if all(fewest == most for fewest, most in seeds.values()):
        return []
    spans = {epochs: _span(map(str, counts)) for epochs, counts in seeds.items()}
    return [f"seeds per cell: {_by_regime(spans, _measure(rows))}"]


def _measure(rows: Sequence[Row]) -> Measure:
    return rows[0].get("measure", ERROR) if rows else ERROR


def _regimes(rows: Sequence[Row]) -> dict[int, list[Row]]:
    lengths = sorted({row["epochs"] for row in rows})
    return {epochs: [row for row in rows if row["epochs"] == epochs] for epochs in lengths}


def _seeds(rows: Sequence[Row]) -> tuple[int, int]:
    """The fewest and the most seeds that a cell has."""
    counts = Counter(str(row["config_id"]) for row in rows).values()
    return min(counts), max(counts)


def _by_regime(texts: Mapping[int, str], measure: Measure) -> str:
    """What every regime has; those with the same values share a text."""
    alike: dict[str, list[int]] = {}
    for epochs, text in texts.items():
        alike.setdefault(text, []).append(epochs)
    if len(alike) == 1:
        return next(iter(alike))
    return "; ".join(
        f"{text} at {', '.join(map(str, epochs))} {measure.length}"
        for text, epochs in alike.items()
    )


def _values_of(name: str, rows: Sequence[Row], sides: Sequence[Sides]) -> str:
    """The values of a setting in one regime: of each side, where the sides of a rule differ."""
    # Of each run: replicates may differ too, in the code that ran.
    values = {(str(row["config_id"]), str(row.get(name))) for row in rows}
    parts: dict[str, str] = {}
    for compared in sides:
        own = {
            side: _span(found)
            for side, ids in compared.items()
            if (found := [value for key, value in values if key in ids])
        }
        if len({*own.values()}) > 1:
            parts |= own
    every = _span(value for _, value in values)
    return ", ".join(f"{side} {text}" for side, text in parts.items()) or every


def _span(values: Iterable[str]) -> str:
    """All values in words: the least and the greatest number, or every name."""
    names = sorted(set(values))
    try:
        numbers = sorted({float(name) for name in names})
    except ValueError:
        return ", ".join(names)
    return " to ".join(f"{n:g}" for n in dict.fromkeys((numbers[0], numbers[-1])))


def sides_of(cells: StudyCells, prereg: Preregistration) -> list[Sides]:
    """The sides of every rule that compares two and has them in these cells."""
    study, found = Evidence(cells, prereg), []
    for rule in prereg.rules:
        with suppress(PreconditionError):
            found.append(find_kind(rule.kind).sides(study, rule))
    return [sides for sides in found if len(sides) > 1]
