"""Which runs of a study enter its analysis, and why the others do not."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.study.arms import DEPTH_WIDTH, DeclaredBase
from analysis.study.cells import lr_factor
from analysis.study.columns import SETTINGS
from analysis.study.compared_settings import compared, with_comparison_settings
from analysis.study.device_seconds import with_device_seconds
from analysis.study.errors import NothingToCompareError
from analysis.study.measure import description_of
from analysis.study.measured_times import with_measured_times
from analysis.study.run_images import with_images
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError
from scaling_study.study.result import COLUMNS
from scaling_study.study.store import Store
from scaling_study.study.table import ANCHOR, Study
from scaling_study.tasks.base import Description

# What makes two runs incomparable whatever the grid says: they were tested or timed otherwise.
SAME = ("data", "eval_split", "n_val", "device", "threads", "world_size")
# What must not differ between runs unless the grid varies it on purpose.
SAME_SETTINGS = ("family", "recipe", "precision", "batch_size", "n_train")
Row = Mapping[str, Any]
HALVED = "its micro-batch was halved when memory ran out; --with-halved compares it all the same"


@dataclass(frozen=True)
class Table:
    """Comparable runs with a finite error, and what is not among them.

    `excluded` are runs that finished but diverged or did hardly better than chance (a fixed rule,
    never a look at the outcome); `left_out` gives the reason for every planned run not in `rows`
    that `where` does not deselect. `unused` are the planned runs in neither, as far as anything is
    known of them, each with its `state`. `missing` counts the planned runs without a result,
    `epochs` are the planned lengths of training (empty if `where` may have deselected some).
    `on_purpose` are the settings that the grid varies to compare them; `grid` is what grid.yaml
    says. `tuning` are finished runs at other learning rates than their arms', which tuned rules
    alone use, `by_cosine` those that are compared with cells of trunks, `by_trunk` the runs of
    these cells, and `diverged` those of both that were excluded.
    """

    name: str
    rows: tuple[Row, ...]
    excluded: tuple[Row, ...]
    left_out: Mapping[str, str]
    n_classes: int | None
    where: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    epochs: tuple[int, ...] = ()
    on_purpose: frozenset[str] = frozenset()
    grid: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[Row, ...] = ()
    tuning: tuple[Row, ...] = ()
    diverged: tuple[Row, ...] = ()
    by_cosine: tuple[Row, ...] = ()
    by_trunk: tuple[Row, ...] = ()

    def cells(self, declared_base: DeclaredBase, arms: tuple[str, str] = DEPTH_WIDTH) -> StudyCells:
        """The cells of the runs, with those at other learning rates for tuned rules."""
        return StudyCells.of([*self.rows, *self.tuning], declared_base, arms)

    @property
    def used(self) -> list[Row]:
        """The runs that enter the analysis, or were excluded by the rules for that."""
        return [*self.rows, *self.excluded, *self.tuning, *self.by_cosine, *self.diverged]

    @property
    def analysed(self) -> list[str]:
        """The ids of those."""
        return [str(row["run_id"]) for row in self.used]

    @property
    def chance(self) -> float | None:
        """The outcome of a guesser; None where it is not known."""
        return description_of(self.grid).chance(self.n_classes) if self.n_classes else None

    def states(self) -> list[tuple[Row, str]]:
        """Every planned run and how it stands: ok, diverged, left out, or why it has no result."""
        return [
            *(
                (row, row.get("status", "ok"))
                for row in (*self.rows, *self.tuning, *self.by_cosine)
            ),
            *((row, _state(row)) for row in (*self.excluded, *self.diverged)),
            *((row, row["state"]) for row in self.unused),
        ]


def _state(row: Row) -> str:
    """Of a finished run that is not analysed."""
    return "diverged" if row["status"] == "diverged" else "left out"


def without_result(study: Study) -> list[Row]:
    """What the plan says of each run that has no result, and the `state` of its files."""
    store = Store(study.path.parent)
    return [
        {name: _number(text) for name, text in study.plan[run].items()}
        | {"run_id": run, "state": store.state(run)}
        for run in study.left_out
    ]


def _number(text: str | None) -> int | float | str | None:
    """A field of a CSV file: a number if it is one, None where it is blank."""
    for kind in (int, float):
        try:
            value = kind(text or "")
        except ValueError:
            continue
        return value if math.isfinite(value) else None
    return text or None


def _selected(rows: Sequence[Row], where: Mapping[str, str]) -> list[Row]:
    # A plan's own columns are settings, by their keys, and what variants and solves are called.
    known = {*COLUMNS, *(name for row in rows[:1] for name in row)} - {"settings", "own"}
    for column in where:
        if column not in known:
            raise InputError(f"--where {column}: no such column; known: {', '.join(sorted(known))}")
    return [row for row in rows if all(_same(row[c], v) for c, v in where.items())]


def _selected_alike(rows: Sequence[Row], where: Mapping[str, str]) -> list[Row]:
    """The rows that `where` leaves comparable, whichever cells it chooses."""
    return _selected(rows, {column: text for column, text in where.items() if column in SAME})


def _same(value: Any, text: str) -> bool:
    """Whether a cell of the table is what the user wrote; 2 is 2.0, and 1e-4 is 0.0001."""
    try:
        return float(text) == float(value)
    except (TypeError, ValueError):
        return str(value) == text


def _refuse_mixed(rows: Sequence[Row], columns: Sequence[str]) -> None:
    for column in columns:
        values = sorted({str(row[column]) for row in rows})
        if len(values) > 1:
            raise InputError(
                f"mixed table: {column} has {len(values)} values ({', '.join(values)}), which are "
                f"not compared with each other; choose one, as in --where '{column}={values[0]}'"
            )


def _refuse_twins(rows: Sequence[Row]) -> None:
    cells: dict[tuple[Any, ...], str] = {}
    for row in rows:
        key = (*(row.get(column) for column in (*SETTINGS, "variant")), row["settings"])
        if cells.setdefault(key, row["config_id"]) != row["config_id"]:
            raise InputError(
                f"mixed table: {cells[key]} and {row['config_id']} differ in something other than "
                f"{', '.join(SETTINGS)}, and that the grid does not vary; choose one, as in "
                f"--where config_id={cells[key]}"
            )


def _why_excluded(row: Row, n_classes: int | None, task: Description) -> str | None:
    error, measure = row["val_error"], row["measure"]
    if row["status"] == "diverged":
        return "diverged: non-finite loss"
    if error is None or not math.isfinite(error):
        return f"no {measure.label}"
    worst = task.worst_learned(n_classes) if n_classes else None
    if worst is not None and error > worst:
        value = f"{measure.name} {measure.shown(error)}"
        return f"hardly better than chance: {value} with {n_classes} classes"
    return None


def finished_runs(study: Study) -> list[dict[str, Any]]:
    """The results of a study; a missing number, which pandas turns into NaN, is None here."""
    return [
        {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in study.runs.to_dict("records")
    ]


def table_of(study: Study, where: Mapping[str, str], with_halved: bool = False) -> Table:
    """The runs of a study that its analysis may compare.

    Runs whose micro-batch was halved for want of memory are left out unless `with_halved`: their
    batch norm saw other batches than that of the others.

    Raises:
        InputError: no run left, or runs that must not be compared.
    """
    outcome = description_of(study.grid)
    finished = ({**row, "val_error": outcome.minimised(row)} for row in finished_runs(study))
    finished_rows = with_comparison_settings(finished, study.grid)
    everything: list[Row] = [row for row in finished_rows if not row.get(ANCHOR)]
    selected = _selected(everything, where)
    by_cosine = _selected_alike([row for row in finished_rows if row.get(ANCHOR)], where)
    halved = {
        row["run_id"]: HALVED
        for row in (*selected, *by_cosine)
        if row["memory_halvings"] and not with_halved
    }
    rows = [row for row in selected if row["run_id"] not in halved]
    left_out = dict(study.left_out) | halved
    nothing = InputError if where else NothingToCompareError
    if not rows:
        chosen = f" with {' '.join(f'{k}={v}' for k, v in where.items())}" if where else ""
        counts = f"{len(everything)} finished, {len(left_out)} left out"
        reason = "".join(f": {text}" for text in [*left_out.values()][:1])
        raise nothing(f"no finished run in {study.path}{chosen} ({counts}{reason})")
    rows = with_device_seconds(rows, study.plan)
    by_cosine = [row for row in by_cosine if row["run_id"] not in halved]
    _refuse_mixed([*rows, *by_cosine], SAME)
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.get("variant"), row["settings"]].append(row)
    for group in groups.values():
        _refuse_mixed(group, SAME_SETTINGS)
    _refuse_twins(rows)
    rows = with_images(with_measured_times(rows, study.path), study)
    n_classes = study.grid.get("n_classes")
    reasons = {row["run_id"]: _why_excluded(row, n_classes, outcome) for row in rows}
    kept, tuning = _by_rate(row for row in rows if reasons[row["run_id"]] is None)
    excluded, diverged = _by_rate(row for row in rows if reasons[row["run_id"]])
    if not kept:
        raise nothing(f"every run in {study.path} is excluded ({next(iter(reasons.values()))})")
    lost = {row["run_id"]: _why_excluded(row, n_classes, outcome) for row in by_cosine}
    left_out |= {key: reason for key, reason in (reasons | lost).items() if reason}
    cells = {row[ANCHOR] for row in by_cosine}
    twins = [
        row
        for row in _selected_alike(everything, where)
        if row["config_id"] in cells and (with_halved or not row["memory_halvings"])
    ]
    return Table(
        name=study.name,
        rows=kept,
        excluded=excluded,
        left_out=left_out,
        n_classes=n_classes,
        where=dict(where),
        missing=len(study.left_out),
        epochs=() if where else study.epochs,
        on_purpose=frozenset(compared(study.grid)),
        grid=study.grid,
        unused=(
            *({**row, "state": _state(row)} for row in selected if row["run_id"] in halved),
            *without_result(study),
        ),
        tuning=tuning,
        diverged=(*diverged, *(row for row in by_cosine if lost[row["run_id"]])),
        by_cosine=tuple(row for row in by_cosine if not lost[row["run_id"]]),
        by_trunk=tuple(row for row in twins if not _why_excluded(row, n_classes, outcome)),
    )


def _by_rate(rows: Iterable[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The runs at their arms' own learning rates, and those at others."""
    own, others = list[Row](), list[Row]()
    for row in rows:
        (own if lr_factor(row) == 1 else others).append(row)
    return tuple(own), tuple(others)
