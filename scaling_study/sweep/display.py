"""What a person sees of a plan: its runs, what they cost, forecasts beside what runs took."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.common.format import duration, engineering, fitted, screen_width
from scaling_study.cost.devices import Device
from scaling_study.cost.step_memory import LARGE_DEVICE_BYTES, devices_needed
from scaling_study.cost.time_model import COVERAGE, Estimate
from scaling_study.planning.labels import to_label
from scaling_study.planning.order import makespan, to_do
from scaling_study.planning.plan import Planned

# More runs than this are not listed one by one.
MOST_LINES = 200


def question(grid: Mapping[str, Any]) -> list[str]:
    """What a grid asks, above its plan."""
    return [fitted(text), ""] if (text := grid.get("question")) else []


def notes(lines: Iterable[str]) -> list[str]:
    """What else is said of a plan, in lines that fit the screen."""
    starts = ((text := line.lstrip(), line.removesuffix(text)) for line in lines)
    return [fitted(text, start, len(start) + 2) for text, start in starts]


def lines(
    rows: Sequence[Planned],
    slots: int,
    order: str,
    names: Sequence[str] = (),
    sheet: Device | None = None,
) -> list[str]:
    """The plan for people: a line a run, then the totals for `slots` runs at a time.

    The memory that is shown is that of each process that trains a run. `names` are display names of
    the runs, where their ids do not show every axis. Columns that the screen has no room for are
    left out, the least important first.
    """
    listed = table_lines(_columns(rows[:MOST_LINES], names[:MOST_LINES]), screen_width())
    if len(rows) > MOST_LINES:
        listed.append(f"… and {len(rows) - MOST_LINES} runs more; plan.out=FILE.csv has them all")
    return [*listed, *(fitted(text, indent=2) for text in _totals(rows, slots, order, sheet))]


@dataclass(frozen=True)
class Column:
    """A column of the plan: `rank` 0 is always shown, the highest left out first."""

    head: str
    values: Sequence[str]
    rank: int = 0
    right: bool = True

    def padded(self) -> list[str]:
        width = max(map(len, (self.head, *self.values)))
        return [f"{v:{'>' if self.right else '<'}{width}}" for v in (self.head, *self.values)]


def table_lines(columns: Sequence[Column], width: int) -> list[str]:
    """The columns side by side, without those that `width` has no room for and blank ones."""
    shown = [c for c in columns if any(c.values)]
    while sum(len(c.padded()[0]) + 2 for c in shown) - 2 > width:
        least = max(shown, key=lambda c: c.rank)
        if not least.rank:
            break
        shown.remove(least)
    lines = zip(*(c.padded() for c in shown), strict=True)
    return ["  ".join(line).rstrip() for line in lines]


def _columns(rows: Sequence[Planned], names: Sequence[str]) -> list[Column]:
    columns = [row.columns for row in rows]
    return [
        Column("run", [row.run.run_id for row in rows], right=False),
        Column("name", names, right=False) if names else Column("name", [""] * len(rows)),
        Column("params", [known(engineering, c["params"]) for c in columns], 2),
        Column("FLOPs", [known(engineering, c["flops"]) for c in columns], 4),
        Column("training", [known("{:.3g}".format, row.cost.own_train_flops) for row in rows], 3),
        Column("GPUs", _devices(rows), 1),
        Column(
            "memory",
            [known("{}B".format, known(engineering, row.cost.memory_bytes)) for row in rows],
            5,
        ),
        Column("time", [duration(_time(row)) for row in rows], 1),
        Column("state", [row.state for row in rows], right=False),
        Column("note", [_note(row) for row in rows], right=False),
    ]


def known(write: Callable[[Any], str], value: Any) -> str:
    """A value in words, blank where it is not known."""
    return "" if value is None or value == "" else write(value)


def _devices(rows: Sequence[Planned]) -> list[str]:
    """How many devices train each run, where that differs."""
    counts = [row.processes for row in rows]
    return [str(n) for n in counts] if len(set(counts)) > 1 else [""] * len(rows)


def _time(row: Planned) -> float | None:
    """What a finished run took, or what another is forecast to take (s)."""
    return row.forecast_s if row.actual_s is None else row.actual_s


def _note(row: Planned) -> str:
    notes = [row.cell.variant] if row.cell.variant else []
    if row.stage:
        notes.append(f"{row.stage}, which others start from")
    if row.cell.anchor:
        notes.append("by cosine, to compare")
    notes += [f"from {one.name}" for one in row.cell.parents]
    if row.cell.lr_factor != 1:
        notes.append(f"learning rate x {row.cell.lr_factor:g}")
    if s := row.cell.solved:
        notes.append(f"{100 * s.off:+.1f} % of {s.quantity} {s.target:.3g}")
    return "; ".join(notes)


def _totals(rows: Sequence[Planned], slots: int, order: str, sheet: Device | None) -> list[str]:
    missing = to_do(rows, order, slots)
    counted = [f for row in missing if (f := row.cost.own_train_flops) is not None]
    states = ", ".join(f"{n} {state}" for state, n in Counter(r.state for r in rows).items())
    text = [f"{len(rows)} runs: {states}"]
    of_program = bool(missing) and missing[0].run.program is not None
    if counted or not of_program:
        text[0] += f"; {sum(counted):.3g} training FLOPs to do (2 x multiply-adds)"
        if blank := len(missing) - len(counted):
            text[0] += f" and those of {blank} runs that are blank"
    labels = to_label(missing)
    if labels:
        flops = sum(one.flops or 0 for one in labels)
        pairs = f"labels of {len(labels)} pairs of teacher and pool"
        text.append(f"{pairs}, once each: {flops:.3g} FLOPs more")
    if missing and not of_program:
        disk = sum(row.cost.disk_bytes or 0 for row in missing)
        text.append(f"{_largest(missing, sheet)}; all: {engineering(disk)}B on disk when done")
    if not missing or of_program:  # how long a program of the user's own takes is not forecast
        return text
    forecasts = (*(row.time for row in missing), *(one.time for one in labels))
    times = [time for time in forecasts if time is not None]
    if len(times) < len(forecasts):
        # Why a data sheet gives a GPU no forecast is said with it.
        if sheet is None or any(row.run.device != "cuda" for row in missing):
            text.append(
                "forecast: blank, because nothing has been measured on this device yet "
                "(plan.probe=true measures; plan.device=a100 takes a prior from a data sheet)"
            )
    else:
        # Several GPUs may train a run, and several runs may share one.
        hours = [r.gpu_hours.value for r in missing if r.gpu_hours and r.run.device == "cuda"]
        if hours:
            hours += [one.gpu_hours.value for one in labels if one.gpu_hours]
        cost = f", {sum(hours):.4g} GPU-hours" if hours else ""
        whole, level = sum(time.value for time in times), f", {100 * COVERAGE:g} %"
        begin = f"forecast{_by_prior(missing)}: {duration(whole)} of run time"
        text.append(
            f"{begin}{_interval(times, level)}, "
            f"{duration(makespan(missing, slots))} on {slots} slots{cost}"
        )
    return text


def _by_prior(rows: Sequence[Planned]) -> str:
    """That a forecast rests on a data sheet, alone or narrowed by measurements."""
    found = dict.fromkeys(str(row.basis) for row in rows if row.by_prior)
    return f" by {' and '.join(found)}" if found else ""


def _largest(rows: Sequence[Planned], sheet: Device | None) -> str:
    """What the run with most memory needs, and how many devices hold it if one does not.

    Of the memory of `plan.device`, or of 80 GB.
    """
    room = LARGE_DEVICE_BYTES if sheet is None else sheet.memory_bytes
    sizes = [(row.cost.memory_bytes, i) for i, row in enumerate(rows)]
    memory, i = max(((size, i) for size, i in sizes if size is not None), default=(None, 0))
    if memory is None:
        return "memory: blank, because it could not be counted"
    row = rows[i]
    where = "one device" if row.processes == 1 else f"each of {row.processes} devices"
    text = f"largest run: {engineering(memory)}B of memory on {where}"
    if memory <= room:
        return text
    devices = devices_needed(row.run, room)
    held = "nor does any number" if devices is None else f"{devices} do, or more passes"
    return f"{text}, which {room / 1e9:g} GB do not hold: {held}"


def _interval(times: Sequence[Estimate], level: str = "") -> str:
    """Ends of the interval of a sum whose errors go together, the worst case."""
    low, high = sum(t.low for t in times), sum(t.high for t in times)
    return f" ({duration(low)} to {duration(high)}{level})"


def compared(rows: Sequence[Planned], held_out: float | None) -> list[str]:
    """Forecast and actual wall time of those of `rows` that have ended since."""
    done = [row for row in rows if row.actual_s is not None and row.forecast_s is not None]
    width = max((len(row.run.run_id) for row in done), default=0)
    text = [
        f"{row.run.run_id:{width}}  forecast {duration(row.forecast_s)}"
        f"{_interval([row.time]) if row.time else ''}, "
        f"actual {duration(row.actual_s)}"
        for row in done[:MOST_LINES]
    ]
    if done:
        off = statistics.median(abs(row.forecast_s / row.actual_s - 1) for row in done)  # type: ignore[operator]
        text.append(f"forecast against actual: median absolute error {100 * off:.0f} %")
    if held_out is not None:
        held = "step times of shapes held out of the time model"
        text.append(f"{held}: median absolute error {100 * held_out:.0f} %")
    return text
