"""An overview on a terminal: a map of the runs, progress, and failures."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scaling_study.common.format import duration, engineering
from scaling_study.common.terminal import printable
from scaling_study.status.overview import LOG_LINES, STATES, Overview, RunStatus
from scaling_study.study.axes import Axis, cell_axes, plain, sort_key
from scaling_study.study.parents import TO_START

# A sign and a colour for each state: a log without colours can be read too.
SIGNS = {
    "ok": ("●", "green"),
    "diverged": ("◆", "magenta"),
    "running": ("◐", "yellow"),
    "queued": ("○", "cyan"),
    "planned": ("·", "dim"),
    "ready": ("·", "cyan"),
    "blocked": ("-", "dim"),
    "failed": ("✗", "bold red"),
    "unreadable": ("?", "bold red"),
}
MOST_FAILURES = 5
# The values of some axes.
Place = tuple[Any, ...]


def view(seen: Overview) -> RenderableType:
    """Everything about a study, with the failures last, where a terminal shows them."""
    return Group(_map(seen), _legend(seen), *_lines(seen), *_failures(seen, MOST_FAILURES))


def screen(seen: Overview, console: Console) -> RenderableType:
    """The same for one screen: the lines of text first, then as much of the map as fits."""
    most = min(MOST_FAILURES, max(1, console.height // 2 // (LOG_LINES + 2)))
    words = Group(_legend(seen), *_lines(seen), *_failures(seen, most))
    return Group(words, _map(seen, console.height - len(console.render_lines(words))))


def _failures(seen: Overview, most: int) -> list[Text]:
    failures = [run for run in seen.runs if run.state in ("failed", "unreadable")]
    shown = [_failure(run) for run in failures[:most]]
    more = len(failures) - len(shown)
    return [*shown, *([Text(f"… and {more} more (--json lists all)")] if more else [])]


def _map(seen: Overview, most_lines: int | None = None) -> Group:
    """Settings of the model down, all others across, a sign for each run of a cell."""
    axes = [*cell_axes(seen.length, (run.resolution for run in seen.runs)), *seen.axes]
    down = [axis for axis in axes if axis.key.startswith("model.")]
    across = [axis for axis in axes if axis not in down]
    cells = defaultdict[Place, defaultdict[Place, list[RunStatus]]](lambda: defaultdict(list))
    for run in seen.runs:
        cells[_place(run, down)][_place(run, across)].append(run)
    columns = sorted({place for row in cells.values() for place in row}, key=_order)
    corner = Text(printable(" × ".join(axis.label for axis in down)))
    table = Table(Column(corner), box=None, pad_edge=False)
    for place in columns:
        levels = zip(across, place, strict=True)
        head = ", ".join(a.text(v) if a.unit else a.short(v) for a, v in levels)
        table.add_column(Text(printable(head)))
    # Besides the rows there is the head, and a line about those that are left out.
    cut = most_lines is not None and len(cells) + 1 > most_lines
    rows = sorted(cells, key=_order)
    shown = rows[: max(0, most_lines - 2)] if cut and most_lines else rows
    for place in shown:
        signs = (_cell(cells[place].get(column, [])) for column in columns)
        table.add_row(Text(printable(" × ".join(map(plain, place)))), *signs)
    rest = len(cells) - len(shown)
    return Group(table, *([Text(f"… and {rest} rows more")] if rest else []))


def _place(run: RunStatus, axes: Sequence[Axis]) -> Place:
    return tuple(run.settings.get(axis.name, getattr(run, axis.name, "")) for axis in axes)


def _order(place: Place) -> list[Any]:
    return [sort_key(value) for value in place]


def _cell(runs: Sequence[RunStatus]) -> Text:
    text = Text()
    for run in sorted(runs, key=lambda run: run.seed):
        text.append(*SIGNS[run.state])
        if run.state == "running":
            text.append(f"{int(100 * min(run.epoch / run.epochs, 1))}%", "yellow")
    return text


def _legend(seen: Overview) -> Text:
    text = Text()
    for state in STATES:
        if seen.counts[state]:
            text.append(*SIGNS[state]).append(f" {seen.counts[state]} {state}   ")
    return text


def _lines(seen: Overview) -> list[Text]:
    lines = []
    if seen.runs_per_hour is not None:
        speed = seen.train_flops_per_s
        each = "" if speed is None else f", {engineering(speed)}FLOP/s each"
        lines.append(f"throughput: {seen.runs_per_hour:.3g} runs an hour{each}")
    if any(seen.counts[state] for state in ("running", "queued", *TO_START)):
        left = duration(seen.eta_s) if seen.eta_s is not None else "unknown"
        lines.append(f"left, with the queue: {left}")
    if seen.reasons:
        counts = ", ".join(f"{n} for {reason}" for reason, n in seen.reasons.items())
        lines.append(f"waiting in the queue: {counts}")
    if seen.causes:
        counts = ", ".join(f"{n} {cause}" for cause, n in seen.causes.items())
        lines.append(f"causes of failures: {counts}")
    if seen.scheduler == "silent":
        lines.append("the queue does not answer: jobs may be in another state than shown")
    if seen.stopped:
        lines.append(f"stopped: {seen.stopped}; after mending it, the sweep's command goes on")
    return [Text(printable(line)) for line in lines]


def _failure(run: RunStatus) -> Text:
    where = f" on {run.node}" if run.node else ""
    text = Text(printable(f"{run.run_id} {run.state}"), "bold red")
    text.append(printable(f" ({run.cause or 'unknown'}{where}): {run.error or ''}\n"), "default")
    for line in run.log_tail:
        text.append(printable(f"    {line}\n"), "dim")
    return text.append(printable(f"    {run.log}"), "dim")
